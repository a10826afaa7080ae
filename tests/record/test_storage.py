"""A folder of results that is shared: whole entries, never changed, and never trusted without a look."""

from __future__ import annotations

from pathlib import Path

from kiebatch.record import Key, ResultCache
from support import reel
from support.simulated import Sim


def test_a_result_that_somebody_paid_for_is_taken_from_the_store(tmp_path: Path, sim: Sim) -> None:
    store = tmp_path / "store"
    ours = reel.write(tmp_path / "ours", shots=2)
    theirs = reel.write(tmp_path / "theirs", shots=2)

    reel.run(ours, sim, cache=store)
    outcome = reel.run(theirs, sim, cache=store)

    assert (outcome.status, outcome.succeeded, outcome.spent) == ("success", 2, 0)
    assert len(sim.charges()) == 2
    for mine, other in zip(reel.assets(ours), reel.assets(theirs), strict=True):
        assert mine["sha256"] == other["sha256"]
        assert (theirs.parent / other["filename"]).read_bytes() == (
            ours.parent / mine["filename"]
        ).read_bytes()


def test_an_altered_file_in_the_store_is_not_taken(tmp_path: Path, sim: Sim) -> None:
    store = tmp_path / "store"
    project = reel.write(tmp_path / "film", shots=1)
    reel.run(project, sim, cache=store)
    (asset,) = reel.assets(project)
    for file in (store / "sha256").rglob("*"):
        if file.is_file():
            file.write_bytes(b"x" * file.stat().st_size)

    assert ResultCache(store).get(Key(asset["fingerprint"]), tmp_path / "spare") == []


def test_drafts_never_enter_the_store(tmp_path: Path) -> None:
    from support.records import an_asset

    ResultCache(tmp_path).put(Key("sha256:1"), [an_asset(1, draft=True)], {})

    assert list(tmp_path.iterdir()) == []
