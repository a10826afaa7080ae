"""The manifest while a run goes on: written at most once a second, and nothing of others is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiebatch import api, files
from kiebatch.errors import Refused
from kiebatch.record import ManifestWriter, manifest
from support import reel
from support.records import an_asset
from support.simulated import Sim


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def a_record(folder: Path, clock: Clock) -> ManifestWriter:
    return ManifestWriter(folder / "manifest.json", lock=folder / "lock", now=clock)


def on_disk(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["assets"])


def test_many_assets_within_a_second_are_one_write(tmp_path: Path) -> None:
    clock = Clock()
    record = a_record(tmp_path, clock)

    for scene in range(1, 101):
        record.enter([an_asset(scene)])
        record.flush()
        clock.now_s += 0.01
    record.flush(force=True)

    assert record.writes <= 3
    assert len(on_disk(tmp_path)) == 100


def test_a_clock_that_is_set_back_does_not_stop_the_writing(tmp_path: Path) -> None:
    clock = Clock()
    record = a_record(tmp_path, clock)
    record.enter([an_asset(1)])
    record.flush()
    clock.now_s -= 7200

    record.enter([an_asset(2)])
    record.flush()

    assert len(on_disk(tmp_path)) == 2


def test_two_records_of_one_file_lose_no_entry(tmp_path: Path) -> None:
    ours, theirs = a_record(tmp_path, Clock()), a_record(tmp_path, Clock())

    for scene in range(1, 6):
        (ours if scene % 2 else theirs).enter([an_asset(scene)])
        ours.flush(force=True)
        theirs.flush(force=True)

    found = on_disk(tmp_path)
    assert [a["scene_id"] for a in found] == [1, 2, 3, 4, 5]
    assert sorted(a["id"] for a in found) == [f"img-{n:03d}" for n in range(1, 6)]


def test_a_file_that_git_takes_back_in_mid_run_gets_this_runs_entries_again(tmp_path: Path) -> None:
    clock = Clock()
    record = a_record(tmp_path, clock)
    record.enter([an_asset(1)])
    record.flush()
    before = (tmp_path / "manifest.json").read_bytes()
    clock.now_s += 2
    first = record.enter([replace(an_asset(2), filename="assets/images/scene-02.png")])
    record.flush()
    clock.now_s += 2
    (tmp_path / "manifest.json").write_bytes(before)

    record.enter([replace(an_asset(2, minute=5), filename="assets/images/scene-02.v2.png")], first)
    record.flush(force=True)

    found = {a["filename"]: a for a in on_disk(tmp_path)}
    assert len(found) == 3
    newest = found["assets/images/scene-02.v2.png"]
    assert found["assets/images/scene-02.png"]["superseded_by"] == newest["id"]
    assert newest["version"] == 2


def test_an_id_that_another_program_took_meanwhile_supersedes_nothing_of_its(tmp_path: Path) -> None:
    clock = Clock()
    ours = a_record(tmp_path, clock)
    (first,) = ours.enter([an_asset(1)])
    ours.flush()
    clock.now_s += 2
    # The other program rewrites the file: our img-001 is now theirs, and ours has another number.
    theirs = manifest.Manifest()
    theirs, _ = manifest.record(theirs, [an_asset(9)])
    theirs, _ = manifest.record(theirs, [an_asset(1)])
    (tmp_path / "manifest.json").write_text(manifest.dump(theirs), encoding="utf-8")

    ours.enter([replace(an_asset(1, minute=3), filename="assets/images/scene-01.v2.png")], [first])
    ours.flush(force=True)

    of_scene = {(a["scene_id"], a["filename"]): a.get("superseded_by") for a in on_disk(tmp_path)}
    assert of_scene[9, "assets/images/scene-09.png"] is None
    assert of_scene[1, "assets/images/scene-01.png"] is not None


def test_a_run_writes_the_manifest_at_most_once_a_second(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=12)
    writes: list[str] = []
    edges = api.Edges(gate_path=":memory:", hook=lambda point: writes.append(point))

    reel.run(project, sim, edges=edges)

    assert writes.count("manifest.write:after") <= 3, "the first, one a second, and the last"
    assert len(reel.assets(project)) == 12


def test_a_lock_holds_although_nobody_can_write_down_who_holds_it(tmp_path: Path) -> None:
    (tmp_path / "run.holder").mkdir()  # nothing can be written there, as on a full disk

    with (
        files.lock(tmp_path / "run.lock", wait=False, holder="ours"),
        pytest.raises(Refused, match="another"),
        files.lock(tmp_path / "run.lock", wait=False, holder="theirs"),
    ):
        pass


def test_a_lock_in_a_folder_that_cannot_be_made_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with (
        pytest.raises(Refused, match="cannot write"),
        files.lock(tmp_path / "state" / "run.lock", wait=False, holder="ours"),
    ):
        pass
