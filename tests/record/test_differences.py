"""What changed between two records, in words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiebatch.model import Asset
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest, differences
from kiebatch.record.manifest.differences import between, word_diff
from kiebatch.record.manifest.merging import merge
from support.records import an_asset, made


def sent(**inputs: object) -> dict[str, object]:
    return {"size": "16:9", "endpoint": "/api/v1/jobs/createTask", "input": inputs}


def told(old: Manifest, new: Manifest, **more: object) -> list[str]:
    return [str(change) for change in between(old, new, **more)]  # type: ignore[arg-type]


def test_nothing_changed_is_nothing_to_say() -> None:
    record = made(Manifest(), an_asset(1), an_asset(2, "b"))

    assert between(record, record) == []
    assert differences.totals([])["slots"] == 0


def test_a_new_version_says_what_was_asked_otherwise_and_what_it_cost() -> None:
    old = made(
        Manifest(),
        an_asset(
            2, "b", prompt="He stops and listens", parameters=sent(seed=1, prompt="He stops and listens")
        ),
    )
    new = made(
        old,
        an_asset(
            2,
            "b",
            1,
            prompt="He stops and turns",
            parameters=sent(seed=2, prompt="He stops and turns"),
            credits=24,
        ),
    )

    (change,) = between(old, new)

    assert str(change).splitlines() == [
        "2b: version 2 instead of 1 (prompt and params changed), +24 credits",
        "    prompt: He stops and [-listens-]{+turns+}",
        "    seed: 1 -> 2",
    ]
    assert change.as_json() == {
        "slot": "2b", "change": "new-version", "old": "img-001", "new": "img-002", "what": ["prompt", "params"], "credits": 24,
        "versions": 1, "words": ["prompt: He stops and [-listens-]{+turns+}", "seed: 1 -> 2"],
    }  # fmt: skip


def test_the_same_request_made_again_was_generated_anew() -> None:
    old = made(Manifest(), an_asset(1, fingerprint="sha256:1"))

    assert told(old, made(old, an_asset(1, minute=1, fingerprint="sha256:1"))) == [
        "1: version 2 instead of 1 (generated again), +4 credits"
    ]


def test_a_reference_with_other_content_is_told_from_a_parameter() -> None:
    old = made(Manifest(), an_asset(1, parameters=sent(image_input=["file:refs/a.png"])))
    named = made(old, an_asset(1, minute=1, parameters=sent(image_input=["file:refs/b.png"])))
    content = made(old, an_asset(1, minute=1, parameters=sent(image_input=["file:refs/a.png"])))

    assert told(old, named)[0].splitlines()[1] == "    image_input.0: file:refs/a.png -> file:refs/b.png"
    assert between(old, content)[0].what == ("references",)


def test_slots_come_and_go() -> None:
    old, new = (
        made(Manifest(), an_asset(1), an_asset(2)),
        made(Manifest(), an_asset(1), an_asset(3, "a", take=2)),
    )
    new = manifest.changed(new, new.current(3, "a", 2)[0], id="img-003")

    assert [(c.slot, c.change, c.credits) for c in between(old, new)] == [
        ("2", "removed", 0),
        ("3a#2", "added", 4),
    ]
    assert differences.totals(between(old, new)) == {
        "slots": 2, "added": 1, "removed": 1, "new-version": 0, "changed": 0, "orphaned": 0, "picked": 0, "credits": 4,
    }  # fmt: skip


def test_a_moved_slot_is_neither_removed_nor_added() -> None:
    old = made(Manifest(), an_asset(1))
    new = manifest.changed(old, old.assets[0], scene_id=5)

    assert told(old, new) == ["5: slot changed, the file stays\n    slot: 1 -> 5"]


def test_an_accepted_asset_and_its_words_are_a_change_of_facts() -> None:
    old = made(Manifest(), an_asset(1))
    new = manifest.changed(old, old.assets[0], fingerprint="sha256:2")

    assert [change.change for change in between(old, new)] == ["changed"]


def test_a_second_model_beside_it_does_not_touch_the_first() -> None:
    old = made(Manifest(), an_asset(2, "b"))
    new = made(old, an_asset(2, "b", 1, model="kling-3.0/video"))

    assert [(c.slot, c.change) for c in between(old, new)] == [("2b@kling-3.0/video", "added")]


def test_ids_that_a_merge_gave_anew_are_no_change() -> None:
    old = made(Manifest(), an_asset(1), an_asset(2))
    new = made(Manifest(), an_asset(2), an_asset(1))

    assert between(old, new) == []


def test_picks_and_orphans_are_told_in_place() -> None:
    old = made(Manifest(), an_asset(2, "b"), an_asset(10))

    changes = between(old, old, {"2b": "picked"}, {"2b#3": "picked"}, {"2b", "10"}, {"2b"})

    assert [str(change).splitlines() for change in changes] == [
        ["2b#3: decision changed", "    picked instead of 2b"],
        ["10: no longer in the scene file"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"2b#3": "picked, “the look”"}, {"2b#3": "undecided -> picked, “the look”"}),
        ({"2b": "picked"}, {"2b#3": "picked, “yes”"}, {"2b#3": "picked instead of 2b, “yes”"}),
        ({"2b": "picked"}, {}, {"2b": "picked -> undecided"}),
        (
            {"2b": "picked"},
            {"2b": "rejected", "2b#2": "picked"},
            {"2b": "picked -> rejected", "2b#2": "picked instead of 2b"},
        ),
        ({"2b": "picked"}, {"2b": "picked, “better”"}, {"2b": "picked -> picked, “better”"}),
        (
            {"2b": "rejected"},
            {"2b#2": "starred"},
            {"2b": "rejected -> undecided", "2b#2": "undecided -> starred"},
        ),
    ],
)
def test_a_decision_that_changed_is_told_as_it_is(
    old: dict[str, str], new: dict[str, str], expected: dict[str, str]
) -> None:
    changes = between(Manifest(), Manifest(), old, new)

    assert {c.slot: c.words[0] for c in changes} == expected


def test_a_version_of_another_branch_is_not_told_as_generated_anew() -> None:
    def version_2(digit: str, day: int) -> Asset:
        name = f"assets/images/scene-01.v2-{digit * 8}.png"
        return replace(first, filename=name, sha256=digit * 64, created_at=f"2026-03-{day:02d}T10:00:00.000Z")

    first = an_asset(1)
    base = made(Manifest(), first)
    ours, theirs = made(base, version_2("1", 2)), made(base, version_2("2", 3))

    both, _ = merge(base, ours, theirs)

    assert between(ours, both)[0].summary.startswith("version 3 instead of 2 (came by a merge)")
    assert between(base, ours)[0].summary.startswith("version 2 instead of 1 (generated again)")


def test_a_draft_costs_nothing() -> None:
    assert between(Manifest(), made(Manifest(), an_asset(1, draft=True)))[0].credits == 0


def test_long_stretches_that_stay_are_cut() -> None:
    start, end = (
        "one two three four five six seven eight " * 2,
        " and so on and so forth to the very end of it all",
    )

    diff = word_diff(start + "red" + end, start + "blue" + end)

    assert diff == "… three four five six seven eight [-red-]{+blue+} and so on and so forth …"


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ("", "a boat", "{+a boat+}"),
        ("a boat", "", "[-a boat-]"),
        ("a small old boat", "a large new boat", "a [-small old-]{+large new+} boat"),
        ("storm light", "storm light, 35 mm", "storm light{+, 35 mm+}"),
    ],
)
def test_word_diffs_read_well(old: str, new: str, diff: str) -> None:
    assert word_diff(old, new) == diff


@given(st.text("ab ,\n", max_size=40), st.text("ab ,\n", max_size=40))
@settings(deadline=None)
def test_a_word_diff_loses_no_words(old: str, new: str) -> None:
    steps = differences.word_pieces(old, new)

    assert "".join(left for _, left, _ in steps) == old
    assert "".join(right for _, _, right in steps) == new
    assert re.sub(r"\s", "", word_diff(old, old)) in (re.sub(r"\s", "", old), "…")
