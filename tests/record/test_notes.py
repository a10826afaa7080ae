"""`notes.yaml`: threads with a place, and a status for each shot; a change is one more line with the note's id."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.errors import Invalid
from kiebatch.record import notes
from kiebatch.record.notes import Change, Notes, Region, Status

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PIN = Change(id="n-1", slot="2a#2", at=Region(x=0.41, y=0.2), text="the hand is cut off", author="Ann")
REPLY = Change(id="n-2", slot="2a#2", reply="n-1", text="wider in take 3", author="Bo")


def written(*changes: Change, text: str = "") -> str:
    for change in changes:
        text = notes.append(text, [change], NOON)
    return text


def read(*changes: Change) -> Notes:
    return notes.parse(written(*changes), "notes.yaml")


def test_a_film_without_notes_has_no_threads_and_open_shots() -> None:
    nothing = notes.parse("", "notes.yaml")

    assert nothing.threads("2a") == ()
    assert nothing.status("2a").status is Status.OPEN


def test_a_note_keeps_its_place_its_text_and_its_author() -> None:
    [thread] = read(PIN).threads("2a")

    assert (thread.first.at, thread.first.text) == (Region(x=0.41, y=0.2), "the hand is cut off")
    assert (thread.first.author, thread.first.time) == ("Ann", "2026-03-01T12:00:00.000Z")


def test_a_region_and_a_time_of_a_clip_are_places_too() -> None:
    region = Region(x=0.1, y=0.2, width=0.5, height=0.25)
    change = Change(id="n-1", slot="2b#1", at=region, seconds=2.5, sha256="1f3a9c2e0d11", text="flicker")

    [thread] = read(change).threads("2b")

    assert (thread.first.at, thread.first.seconds, thread.first.sha256) == (region, 2.5, "1f3a9c2e0d11")


def test_replies_stand_below_the_note_they_answer() -> None:
    [thread] = read(PIN, REPLY).threads("2a")

    assert [note.text for note in thread.replies] == ["wider in take 3"]


def test_a_thread_that_is_done_says_who_closed_it_and_can_be_opened_again() -> None:
    done = Change(id="n-1", done=True, author="Bo")

    [closed] = read(PIN, done).threads("2a")
    [opened] = read(PIN, done, Change(id="n-1", done=False, author="Ann")).threads("2a")

    assert (closed.first.done, closed.first.done_by, closed.first.author) == (True, "Bo", "Ann")
    assert (opened.first.done, opened.first.done_by) == (False, "")


def test_a_changed_text_keeps_the_first_author_and_says_so() -> None:
    [thread] = read(PIN, Change(id="n-1", text="the left hand is cut off", author="Ann")).threads("2a")

    assert (thread.first.text, thread.first.edited) == ("the left hand is cut off", True)
    assert thread.first.time == "2026-03-01T12:00:00.000Z"


def test_a_deleted_note_is_gone_and_the_answers_to_it_stay() -> None:
    [thread] = read(PIN, REPLY, Change(id="n-1", deleted=True)).threads("2a")

    assert thread.first.text == "wider in take 3"


def test_the_newest_status_of_a_shot_counts() -> None:
    found = read(
        Change(id="status-2a", shot="2a", status=Status.IN_REVIEW, author="Ann"),
        Change(id="status-2a", shot="2a", status=Status.APPROVED, author="Bo"),
    )

    assert (found.status("2a").status, found.status("2a").author) == (Status.APPROVED, "Bo")


def test_notes_and_states_follow_a_shot_that_was_moved() -> None:
    text = written(PIN, Change(id="status-2a", shot="2a", status=Status.APPROVED))

    found = notes.parse(text, "notes.yaml", moved={"2a": "5b"})

    assert [t.first.slot for t in found.threads("5b")] == ["5b#2"]
    assert found.status("5b").status is Status.APPROVED


def test_what_is_there_stays_to_the_byte() -> None:
    before = (
        written(PIN) + '- {id: "n-9", slot: 2a, text: mine, mood: "tender", time: "2026-02-01"}  # by hand\n'
    )

    after = written(REPLY, text=before)

    assert after.startswith(before)
    assert [p.message for p in notes.parse(after, "notes.yaml").problems] == [
        "kiebatch does not know `mood` in this file; kept as written"
    ]


def test_who_writes_later_wins_over_a_clock_that_runs_ahead() -> None:
    ahead = notes.append("", [PIN], NOON + timedelta(days=1))

    [thread] = notes.parse(written(Change(id="n-1", done=True), text=ahead), "notes.yaml").threads("2a")

    assert thread.first.done


shares = st.integers(0, 10_000).map(lambda n: n / 10_000)
changes = st.builds(
    Change,
    id=st.sampled_from(["n-1", "n-2", "n-3"]),
    slot=st.sampled_from(["1#1", "2a#2", "2b@kling-3.0/video#1"]),
    at=st.none() | st.builds(Region, x=shares, y=shares),
    text=st.none() | st.text(max_size=40),
    done=st.none() | st.booleans(),
    reply=st.none() | st.sampled_from(["n-1", "n-2"]),
    time=st.integers(0, 50).map(lambda n: f"2026-03-01T10:00:{n:02d}.000Z"),
    author=st.text(max_size=10),
)


@given(st.lists(changes, max_size=12))
def test_what_is_written_reads_back_the_same(given: list[Change]) -> None:
    text = notes.append("", given, NOON)

    assert list(notes.parse(text, "notes.yaml").changes) == given


@given(st.lists(changes, max_size=10, unique_by=lambda c: c.time), st.randoms())
def test_the_order_and_the_repetition_of_lines_do_not_matter(
    given: list[Change], random: random.Random
) -> None:
    mixed = [*given, *given]
    random.shuffle(mixed)

    assert Notes(tuple(mixed)).by_id == Notes(tuple(given)).by_id


@pytest.mark.parametrize("there_before", [True, False])
def test_two_branches_that_both_write_are_joined_by_git_alone(tmp_path: Path, there_before: bool) -> None:
    def git(*arguments: str) -> None:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    file = tmp_path / "notes.yaml"

    def note(change: Change, minutes: int) -> None:
        text = file.read_text() if file.exists() else ""
        file.write_text(notes.append(text, [change], NOON + timedelta(minutes=minutes)))
        git("add", "-A")
        git("commit", "-qm", change.id)

    git("init", "-qb", "main")
    (tmp_path / ".gitattributes").write_text("notes.yaml merge=union\n")
    git("add", "-A")
    git("commit", "-qm", "film")
    if there_before:
        note(replace(PIN, id="n-0"), 0)
    git("checkout", "-qb", "other")
    note(PIN, 1)
    git("checkout", "-q", "main")
    note(Change(id="n-3", shot="2a", text="mine"), 2)
    git("merge", "-q", "--no-edit", "other")

    found = notes.parse(file.read_text(), "notes.yaml")
    assert {"n-1", "n-3"} <= set(found.by_id)


def test_every_wrong_line_is_reported_at_its_place() -> None:
    text = (
        "kiebatch-notes: 1\nnotes:\n- {text: hello}\n- {id: a b}\n- {id: n-1, at: {x: 2, y: 0}}\n"
        "- {id: n-1, status: fine}\n- {id: n-1, seconds: -1}\n- nonsense\n- {id: n-1, slot: 2 a}\n"
    )

    with pytest.raises(Invalid) as caught:
        notes.parse(text, "assets/notes.yaml")

    assert [p.where.line for p in caught.value.problems] == [3, 4, 5, 6, 7, 8, 9]


def test_a_newer_format_is_refused_and_another_file_too() -> None:
    with pytest.raises(Invalid, match="have the format 2"):
        notes.parse("kiebatch-notes: 2\nnotes: []\n", "notes.yaml")
    with pytest.raises(Invalid, match="not a file of notes"):
        notes.parse("- {id: n-1}\n", "notes.yaml")
