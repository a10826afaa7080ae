"""`picks.yaml`: one line per decision, and the newest wins."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.errors import Invalid
from kiebatch.model import Slot
from kiebatch.record import line_file, picks, picks_file
from kiebatch.record.picks import Decision, Picks, Standing
from kiebatch.workspace import Workspace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

decisions = st.builds(
    Decision,
    slot=st.builds(
        lambda scene, shot, model, take: picks.written(Slot(scene, shot, model, take)),
        st.sampled_from([1, 2, "intro", "12A"]),
        st.sampled_from([None, "a", "vo", 3]),
        st.sampled_from([None, "kling-3.0/video"]),
        st.integers(1, 40),
    ),
    choice=st.sampled_from([None, "pick", "reject", "none"]),
    note=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    star=st.none() | st.booleans(),
    time=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(
        lambda d: line_file.time_text(d.replace(tzinfo=UTC))
    ),
    author=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


def read(*lines: str) -> Picks:
    return picks.parse("".join(f"- {{{line}}}\n" for line in lines), "picks.yaml")


def test_a_shot_without_decisions_has_no_pick() -> None:
    nothing = picks.parse("", "picks.yaml")

    assert nothing.take("2a") is None
    assert nothing.decision("2a") == Standing()


def test_the_newest_pick_of_a_shot_wins_wherever_its_line_stands() -> None:
    found = read(
        'slot: 2a#3, decision: pick, time: "2026-03-02T00:00:00Z"',
        'slot: 2a#2, decision: pick, time: "2026-03-01T00:00:00Z"',
    )

    assert found.take("2a") == 3
    assert found.decision("2a#2").choice == "none"


def test_times_are_compared_as_times_however_they_are_written() -> None:
    found = read(
        "slot: 2a#2, decision: pick, time: 2026-03-01T12:00:00+02:00",
        "slot: 2a#3, decision: pick, time: 2026-03-01T10:30:00.000Z",
        "slot: 2a#1, decision: pick, time: 2026-03-01T10:15:00",
    )

    assert found.take("2a") == 3


def test_rejecting_the_pick_leaves_the_shot_without_one() -> None:
    found = read(
        "slot: 2a#1, decision: pick, time: 2026-03-01T10:00:00Z",
        "slot: 2a#2, decision: pick, time: 2026-03-01T11:00:00Z",
        "slot: 2a#2, decision: reject, time: 2026-03-01T12:00:00Z",
    )

    assert found.take("2a") is None
    assert found.decision("2a#2").choice == "reject"


def test_a_note_and_a_star_live_on_when_the_take_is_picked_later() -> None:
    found = read(
        'slot: "2", note: "he looks away", time: 2026-03-01T10:00:00Z, author: Ann',
        'slot: "2", star: true, time: 2026-03-01T10:00:01Z',
        'slot: "2", decision: pick, time: 2026-03-01T10:00:02Z, author: Bo',
    )

    assert found.decision("2") == Standing(
        choice="pick", note="he looks away", star=True, time="2026-03-01T10:00:02Z", author="Bo"
    )


def test_an_empty_note_takes_the_note_away() -> None:
    found = read("slot: 2a, note: soft, time: 2026-03-01", 'slot: 2a, note: "", time: 2026-03-02')

    assert found.decision("2a").note == ""


def test_one_pick_stands_across_the_models_of_a_shot() -> None:
    found = read(
        "slot: 2b@veo-3-1, decision: pick, time: 2026-03-01",
        'slot: "2b@kling-3.0/video#2", decision: pick, time: 2026-03-02',
    )

    assert found.picked("2b") == "2b@kling-3.0/video#2"
    assert found.take("2b") == 2
    assert found.decision("2b@veo-3-1").choice == "none"


def test_a_take_is_found_by_its_short_form_and_as_a_slot() -> None:
    found = read("slot: 2a#1, decision: pick")

    assert found.decision("2a").choice == found.decision(Slot(2, "a")).choice == "pick"


def test_picks_follow_a_shot_that_was_moved() -> None:
    text = "- {slot: 2a#3, decision: pick}\n"

    found = picks.parse(text, "picks.yaml", moved={"2a": "5b"})

    assert (found.take("5b"), found.take("2a")) == (3, None)


def test_decisions_are_appended_and_what_stood_there_stays_to_the_byte() -> None:
    before = "# ours\n-   {slot: 2a,   decision: pick}   # good"

    after = picks.append(before, [Decision(slot="2a#2", choice="pick", author="Ann")], NOON)

    assert after == before + (
        '\n- {slot: "2a#2", decision: pick, time: "2026-03-01T12:00:00.000Z", author: "Ann"}\n'
    )
    assert picks.parse(after, "picks.yaml").take("2a") == 2


def test_who_decides_later_wins_over_a_clock_that_runs_ahead() -> None:
    ahead = picks.append("", [Decision(slot="2a#1", choice="pick")], NOON + timedelta(hours=1))

    after = picks.append(ahead, [Decision(slot="2a#2", choice="pick")], NOON)

    assert picks.parse(after, "picks.yaml").take("2a") == 2


def test_two_decisions_of_one_moment_keep_their_order() -> None:
    both = [Decision(slot="2a#1", choice="pick"), Decision(slot="2a#2", choice="pick")]

    found = picks.parse(picks.append("", both, NOON), "picks.yaml")

    assert found.take("2a") == 2
    assert Picks(found.decisions[::-1]).take("2a") == 2


def test_the_time_is_written_in_utc() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=9)))

    assert "2026-03-01T12:00:00.000Z" in picks.append("", [Decision(slot="1", star=True)], local)


@given(st.lists(decisions, max_size=12))
def test_what_is_dumped_reads_back_the_same(given: list[Decision]) -> None:
    text = picks.dump(given)

    assert set(picks.parse(text, "picks.yaml").decisions) == set(given)
    assert text.count("\n") == len(set(given)) + 1
    assert picks.dump(picks.parse(text, "picks.yaml").decisions) == text


@given(st.lists(decisions, max_size=12), st.randoms())
def test_the_order_and_the_repetition_of_lines_do_not_matter(given: list[Decision], random: object) -> None:
    given = list({d.time: d for d in given}.values())
    shuffled = [*given, *given]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert Picks(tuple(shuffled))._now == Picks(tuple(given))._now


def test_two_branches_that_both_decide_are_joined_by_git_alone(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    file = tmp_path / "picks.yaml"

    def decide(slot: str, hours: int) -> None:
        text = file.read_text() if file.exists() else ""
        file.write_text(
            picks.append(text, [Decision(slot=slot, choice="pick")], NOON + timedelta(hours=hours))
        )
        git("add", "-A")
        git("commit", "-qm", slot)

    git("init", "-qb", "main")
    (tmp_path / ".gitattributes").write_text("picks.yaml merge=union\n")
    decide("1", 0)
    git("checkout", "-qb", "other")
    decide("2a#2", 1)
    git("checkout", "-q", "main")
    decide("2a#3", 2)
    git("merge", "-q", "--no-edit", "other")

    found = picks.parse(file.read_text(), "picks.yaml")
    assert len(found.decisions) == 3
    assert found.take("2a") == 3


def test_every_wrong_line_is_reported_at_its_place() -> None:
    text = "- {slot: 2a, decision: take}\n- {decision: pick}\n- {slot: 2a, colour: red}\n- nonsense\n- {slot: 2 a}\n"

    with pytest.raises(Invalid) as caught:
        picks.parse(text, "assets/picks.yaml")

    assert [(str(p.where), p.message) for p in caught.value.problems] == [
        ("assets/picks.yaml:1:24", "`decision` is pick, reject or none, found `take`"),
        ("assets/picks.yaml:2:3", "a decision names its `slot`"),
        ("assets/picks.yaml:3:14", "kiebatch does not know `colour` in this file; kept as written"),
        ("assets/picks.yaml:4:3", "a line looks like `- {slot: 2a#2, decision: pick}`"),
        ("assets/picks.yaml:5:10", "`2 a` is not a slot such as `2a#3`"),
    ]


@pytest.mark.parametrize("text", ["{", "a: b", "- {slot: 2a, slot: 2b}", "- {slot: [1]}", "&a [*a]", "\x00"])
def test_what_is_no_list_of_decisions_is_refused_in_words(text: str) -> None:
    with pytest.raises(Invalid):
        picks.parse(text, "picks.yaml")


def test_conflict_markers_are_named_with_the_way_out() -> None:
    text = "- {slot: 1}\n<<<<<<< HEAD\n- {slot: 2}\n=======\n- {slot: 3}\n>>>>>>> other\n"

    with pytest.raises(Invalid, match="keep both sides") as caught:
        picks.parse(text, "picks.yaml")

    assert caught.value.problems[0].where.line == 2


NEWER = """\
- {slot: "2a#2", decision: pick, time: "2026-03-01T10:00:00.000Z", mood: "tender", region: {x: 0.5, y: [1, "2"]}}
- {slot: "2a#3", decision: reject, time: "2026-03-01T10:01:00.000Z", mood: "cold"}
"""


def test_keys_of_a_newer_version_are_kept_with_one_warning() -> None:
    found = picks.parse(NEWER, "assets/picks.yaml")

    assert (found.take("2a"), found.decision("2a#3").choice) == (2, "reject")
    assert [(str(p.where), p.severity, p.message) for p in found.problems] == [
        (
            "assets/picks.yaml:1:68",
            "warning",
            "kiebatch does not know `mood`, `region` in this file; kept as written",
        )
    ]


def test_keys_of_a_newer_version_are_written_back_as_they_were() -> None:
    found = picks.parse(NEWER, "picks.yaml")

    assert picks.dump(found.decisions) == picks.HEAD + NEWER
    assert picks.append(NEWER, [], NOON) == NEWER


@pytest.mark.parametrize("value", ["&a [*a]", "[&b {x: 1}, *b]"])
def test_an_alias_in_an_unknown_key_is_refused_in_words(value: str) -> None:
    with pytest.raises(Invalid, match="alias"):
        picks.parse(f"- {{slot: 1, mood: {value}}}\n", "picks.yaml")


def test_two_who_decide_at_once_with_other_state_folders_lose_nothing(tmp_path: Path) -> None:
    def decides(state: str) -> None:
        workspace = Workspace(root=tmp_path, assets=tmp_path / "assets", state=tmp_path / state)
        for number in range(15):
            picks_file.decide(workspace, [Decision(slot=f"{state}{number}#1", choice="pick")])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(decides, ("a", "b")))

    text = (tmp_path / "assets" / "picks.yaml").read_text(encoding="utf-8")
    assert {d.slot for d in picks.parse(text, "picks.yaml").decisions} == {
        f"{state}{n}#1" for state in "ab" for n in range(15)
    }
