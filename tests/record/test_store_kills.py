"""A process that is killed while it stores: what it leaves is an entry with all its bytes, or no entry."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from bench.buckets import Buckets, Network
from bench.waiting import until
from kiebatch.record import Key
from kiebatch.record.store import open_store
from support import storing


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("part", ["/sha256/", "/entries/"])
def test_a_process_that_is_killed_during_a_put_leaves_no_entry_without_bytes(
    network: Network, s3: Buckets, tmp_path: Path, part: str
) -> None:
    address = s3.make(f"killed-{part.strip('/')}")
    network.fault("silent", method="PUT", part=part)
    process = storing.start(address, tmp_path, 1)
    try:
        until(lambda: any(m == "PUT" and part in path for m, path in network.requests), "the put")
    finally:
        kill(process)
    network.mend()

    assert not open_store(address).has(storing.key(0))
    storing.put(open_store(address), 0, tmp_path)
    (stored,) = open_store(address).get(storing.key(0), tmp_path / "spare")
    assert stored.path.read_text() == storing.words(0)


def test_what_a_killed_process_left_in_a_folder_is_whole(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    process = storing.start(f"file://{results}", tmp_path, 1_000_000)
    try:
        until(lambda: len(list(results.glob("entries/*/*.json"))) > 3, "some entries")
    finally:
        kill(process)

    store = open_store(f"file://{results}")
    names = [path.name for path in results.glob("entries/*/[0-9a-f]*.json")]
    assert len(names) > 3
    assert all(store.get(Key(f"sha256:{name.partition('-')[0]}"), tmp_path / "spare") for name in names)
