"""Two branches of the record are joined: laws and cases."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiebatch.errors import Invalid
from kiebatch.model import Asset, under
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest, merging
from kiebatch.record.manifest.merging import Conflict
from support.records import MODELS, an_asset, made


def text(entries: Sequence[object], **top: object) -> str:
    return json.dumps({"kiebatch": 1, **top, "assets": entries})


def canonical(record: Manifest) -> list[object]:
    """The record without its ids: links become what they point at."""

    def facts(asset: Asset) -> dict[str, object]:
        links = ("id", "superseded_by", "made_from")
        return {key: value for key, value in manifest.entry(asset).items() if key not in links}

    rows = []
    for asset in record.assets:
        links = [link for link in (asset.superseded_by, *asset.made_from) if link]
        rows.append(
            [facts(asset), [facts(record.by_id[link]) if link in record.by_id else link for link in links]]
        )
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def assert_sound(record: Manifest) -> None:
    ids = [asset.id for asset in record.assets]
    assert len(set(ids)) == len(ids)
    assert manifest.repaired(record.assets) == (record.assets, ())
    assert manifest.parse(manifest.dump(record), "m") == record
    for asset in record.assets:
        if asset.superseded_by:
            assert record.by_id[asset.superseded_by].version > asset.version


def test_new_versions_of_both_branches_stay_and_the_later_is_the_newest() -> None:
    base = made(Manifest(), an_asset(1), an_asset(2))
    ours = made(base, an_asset(1, minute=5, credits=5), an_asset(3))
    theirs = made(base, an_asset(1, minute=3, credits=3), an_asset(4))

    merged, conflicts = merging.merge(base, ours, theirs)

    assert conflicts == []
    assert_sound(merged)
    assert sorted(merged.by_id) == [f"img-{n:03d}" for n in range(1, 7)]
    line = list(merged.of(1))
    assert [(asset.version, asset.credits) for asset in line] == [(1, 4), (2, 3), (3, 5)]
    assert [asset.superseded_by for asset in line] == [line[1].id, line[2].id, None]
    assert line[2].id == ours.current(1)[0].id


def test_both_made_the_first_version_of_a_slot() -> None:
    ours, theirs = made(Manifest(), an_asset(minute=1)), made(Manifest(), an_asset(minute=2))

    merged, conflicts = merging.merge(Manifest(), theirs, ours)

    assert conflicts == []
    assert [(asset.version, asset.created_at[14:16]) for asset in merged.assets] == [(1, "01"), (2, "02")]
    assert merged.assets[0].filename == "assets/images/scene-01.png"
    assert merged.assets[1].filename.startswith("assets/images/scene-01.v2-")


def test_links_follow_entries_that_were_renumbered() -> None:
    base = made(Manifest(), an_asset(1))
    ours = made(base, an_asset(2))
    theirs = made(base, an_asset(3))
    theirs = made(theirs, an_asset(4, made_from=(theirs.current(3)[0].id, "img-001")))

    merged, _ = merging.merge(base, ours, theirs)

    assert merged.current(4)[0].made_from == (merged.current(3)[0].id, "img-001")
    assert merged.current(3)[0].id != theirs.current(3)[0].id


def test_a_fact_that_both_changed_keeps_one_value_and_shows_the_other() -> None:
    base = made(Manifest(source="a.yaml"), an_asset())
    ours = manifest.changed(base, base.assets[0], prompt="ours", fingerprint="sha256:1")
    theirs = manifest.changed(base, base.assets[0], prompt="theirs", fingerprint="sha256:2")

    merged, conflicts = merging.merge(base, ours, theirs)

    kept = merged.assets[0]
    other = under(kept.extra, manifest.MARK, "prompt")
    assert {kept.prompt, other} == {"ours", "theirs"}
    assert (kept.prompt == "ours") == (kept.fingerprint == "sha256:1")
    assert Conflict("img-001", "prompt", kept.prompt, other) in conflicts
    assert merging.merge(base, theirs, ours)[0] == merged


def test_an_entry_removed_here_and_edited_there_stays() -> None:
    base = made(Manifest(), an_asset(1), an_asset(2))
    ours = Manifest(())
    theirs = manifest.changed(base, base.assets[0], prompt="better words")

    merged, conflicts = merging.merge(base, ours, theirs)

    assert [asset.prompt for asset in merged.assets] == ["better words"]
    assert [conflict.key for conflict in conflicts] == ["deleted"]


def test_keys_of_other_tools_survive_a_merge_from_both_sides() -> None:
    entry = {"id": "img-001", "filename": "a.png", "scene_id": 1, "created_at": "1"}
    base = manifest.parse(text([entry], version="1.0"), "m")
    ours = manifest.parse(text([{**entry, "stars": 3}], version="1.0", tool="x"), "m")
    theirs = manifest.parse(
        text([{**entry, "by": "Kim"}, {**entry, "id": "img-002", "filename": "b.png"}], version="1.1"), "m"
    )

    merged, conflicts = merging.merge(base, ours, theirs)

    assert conflicts == []
    assert merged.extra == {"version": "1.1", "tool": "x"}
    assert merged.by_id["img-001"].extra == {"stars": 3, "by": "Kim"}
    assert merged.by_id["img-002"].filename == "b.png"


@st.composite
def histories(draw: st.DrawFn, side: str, base: Manifest) -> Manifest:
    """A branch: slots made anew, made first, accepted, moved, removed, by a clock that may stand still."""
    record = base
    for step in range(draw(st.integers(0, 5))):
        action = draw(st.sampled_from(["make", "make", "make", "accept", "move", "remove"]))
        if action == "make":
            scene, shot = draw(st.integers(1, 3)), draw(st.sampled_from([None, "a"]))
            count = draw(st.integers(1, 2))
            there = record.current(scene, shot)
            several = draw(st.booleans())
            model = draw(st.sampled_from(MODELS))
            minute = draw(st.integers(0, 9))
            batch = [
                an_asset(scene, shot, minute, output=n, model=model, task_id=f"{side}-{step}", sha256=hashlib.sha256(f"{side} {step} {n} {len(record.assets)}".encode()).hexdigest())
                for n in range(1, count + 1)
            ]  # fmt: skip
            replaces = [old for old in there if old.model == model or not several]
            record, _ = manifest.record(record, batch, replaces)
        elif record.assets:
            asset = draw(st.sampled_from(record.assets))
            if action == "accept":
                record = manifest.changed(record, asset, fingerprint=f"sha256:{side}{step}")
            elif (
                action == "move" and asset.superseded_by is None and asset.version == 1 and asset.output == 1
            ):
                record = manifest.changed(record, asset, scene_id=draw(st.integers(7, 9)))
            elif action == "remove":
                record = manifest.parse(text([manifest.entry(a) for a in record.assets if a != asset]), "m")
    return manifest.parse(manifest.dump(record), "m")


@st.composite
def branches(draw: st.DrawFn) -> tuple[Manifest, Manifest, Manifest]:
    base = draw(histories("base", Manifest()))
    return base, draw(histories("ours", base)), draw(histories("theirs", base))


@pytest.mark.slow
@given(branches())
@settings(max_examples=100, deadline=None)
def test_merging_commutes_apart_from_ids_and_never_breaks_a_chain(
    sides: tuple[Manifest, Manifest, Manifest],
) -> None:
    base, ours, theirs = sides

    here, _ = merging.merge(base, ours, theirs)
    there, _ = merging.merge(base, theirs, ours)

    assert_sound(here)
    assert canonical(here) == canonical(there)


@pytest.mark.slow
@given(branches())
@settings(max_examples=60, deadline=None)
def test_nothing_that_a_branch_made_is_lost(sides: tuple[Manifest, Manifest, Manifest]) -> None:
    base, ours, theirs = sides
    known = {asset.sha256 for asset in base.assets}

    merged, _ = merging.merge(base, ours, theirs)

    new = {asset.sha256 for side in (ours, theirs) for asset in side.assets} - known
    assert new <= {asset.sha256 for asset in merged.assets}


@given(branches())
@settings(max_examples=60, deadline=None)
def test_a_branch_that_did_nothing_takes_what_the_other_did(
    sides: tuple[Manifest, Manifest, Manifest],
) -> None:
    base, ours, _ = sides

    assert merging.merge(base, ours, base) == (ours, [])
    assert canonical(merging.merge(base, base, ours)[0]) == canonical(ours)
    assert merging.merge(base, ours, ours) == (ours, [])


@pytest.mark.slow
@given(branches())
@settings(max_examples=150, deadline=None)
def test_a_text_merge_that_git_calls_clean_is_read_whole(sides: tuple[Manifest, Manifest, Manifest]) -> None:
    """Where no driver runs, as behind a merge button."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / side for side in ("base", "ours", "theirs")]
        for path, side in zip(paths, sides, strict=True):
            path.write_text(manifest.dump(side), encoding="utf-8")
        done = subprocess.run(
            ["git", "merge-file", "-p", paths[1], paths[0], paths[2]],
            capture_output=True,
            text=True,
            check=False,
        )
    joined = done.stdout
    if done.returncode == 0:
        read = manifest.parse(joined, "m")
        base, *branches = sides
        known = {asset.sha256 for asset in base.assets}
        assert_sound(read)
        assert {a.sha256 for side in branches for a in side.assets} - known <= {a.sha256 for a in read.assets}
    else:
        with pytest.raises(Invalid, match="git left conflict markers"):
            manifest.parse(joined, "m")
        assert merging.sides(joined) is not None
