"""`prompts.lock.yaml`: one line per prompt, found by content, merged line by line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.errors import Invalid
from kiebatch.prompts import Entry, Key, Lock, lock
from support.film import Film

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)


def entry(raw: str, text: str, **more: object) -> Entry:
    return Entry(key=Key(lock.digest(raw), "clip", 1, "kling-3.0/video"), text=text, **more)  # type: ignore[arg-type]


@pytest.mark.slow
@given(st.lists(st.tuples(WORDS, WORDS), max_size=8))
def test_a_lock_reads_back_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    written = Lock().with_entries(
        entry(raw, text, tokens=3, credits=0.25, date="2026-01-01") for raw, text in pairs
    )

    read = lock.parse(lock.dump(written))

    assert [(e.key, e.text, e.credits) for e in read.entries] == [
        (e.key, e.text, e.credits) for e in written.entries
    ]
    assert lock.dump(read) == lock.dump(written)


def test_each_prompt_is_one_line_and_order_is_that_of_content() -> None:
    first, second = entry("a", "A\nsecond line"), entry("b", "B")

    one, other = (lock.dump(Lock().with_entries(pair)) for pair in ([first, second], [second, first]))

    assert one == other
    assert one.count("\n") == 4


@pytest.mark.parametrize(
    "changed", ["a  boat", "a boat ", "\na boat\n", "a\u00a0boat", "a\tboat", "a boat\r\n"]
)
def test_what_an_editor_changes_unseen_is_the_same_prompt(changed: str) -> None:
    assert lock.digest(changed) == lock.digest("a boat")
    assert lock.digest("a ship") != lock.digest("a boat")


def test_keys_of_a_newer_version_are_kept() -> None:
    text = lock.dump(Lock().with_entries([entry("a", "A")]))
    newer = text.replace("text:", "mood: calm, text:").replace("prompts:\n", "house: [style]\nprompts:\n", 1)

    read = lock.parse(newer)

    assert [p.code for p in read.problems] == ["unknown-key"]
    assert "mood: calm" in lock.dump(read)
    assert "house: [style]" in lock.dump(read)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("- {raw: x}\n", "prompts.lock.yaml:1:1", "begins with `kiebatch-prompts: 1`"),
        ("kiebatch-prompts: 2\n", "prompts.lock.yaml:1:19", "begins with"),
        ("kiebatch-prompts: 1\nprompts:\n- {raw: x, model: m}\n", "prompts.lock.yaml:3:3", "needs `raw`"),
        (
            "kiebatch-prompts: 1\nprompts:\n- {raw: x, model: m, text: t, version: one}\n",
            ":3:3",
            "are numbers",
        ),
        ("kiebatch-prompts: 1\n<<<<<<< ours\n", "prompts.lock.yaml:2", "conflict markers"),
    ],
)
def test_a_mistake_is_said_at_its_place(text: str, place: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        lock.parse(text)

    assert place in str(caught.value)
    assert says in str(caught.value)


def test_two_branches_join_and_the_later_text_of_one_prompt_is_kept() -> None:
    base = Lock().with_entries([entry("a", "A", date="2026-01-01"), entry("gone", "G")])
    ours = base.with_entries([entry("a", "A2", date="2026-01-02"), entry("b", "B")])
    theirs = base.with_entries([entry("a", "A3", date="2026-01-03"), entry("c", "C")]).without(
        [entry("gone", "G").key]
    )

    merged, conflicts = lock.merge(base, ours, theirs)

    assert {e.text for e in merged.entries} == {"A3", "B", "C"}
    assert conflicts == (entry("a", "A").key,)


@pytest.mark.slow
def test_git_merges_the_lock_prompt_by_prompt(film: Film) -> None:
    def git(*args: str) -> str:
        done = subprocess.run(["git", *args], cwd=film.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(name: str) -> None:
        git("add", "-A")
        git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", name)

    path = Path("prompts.lock.yaml")
    git("init", "-q", "-b", "main")
    assert film.command("git", "install").code == 0
    path.write_text(lock.dump(Lock().with_entries([entry("a", "A"), entry("z", "Z")])), encoding="utf-8")
    commit("base")
    git("checkout", "-qb", "other")
    path.write_text(lock.dump(lock.parse(path.read_text()).with_entries([entry("b", "B")])), encoding="utf-8")
    commit("other")
    git("checkout", "-q", "main")
    path.write_text(lock.dump(lock.parse(path.read_text()).with_entries([entry("c", "C")])), encoding="utf-8")
    commit("ours")

    git("-c", "user.name=A", "-c", "user.email=a@b.c", "merge", "-q", "other")

    assert {e.text for e in lock.parse(path.read_text()).entries} == {"A", "B", "C", "Z"}
