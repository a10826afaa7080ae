from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kiebatch.model import Rate
from kiebatch.provider import SqliteGate, path_for
from support.clocks import Clock, spans

RATE = Rate(starts=3, window_s=10.0)


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"not a database" * 99), lambda p: p.mkdir()])
def test_a_file_that_cannot_be_used_costs_no_run(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "gate.sqlite3"
    spoil(path)

    with SqliteGate(path) as gate:
        asyncio.run(gate.start(RATE))

        assert gate.shared == path.is_file()


def test_a_file_that_fails_in_mid_run_costs_no_run(tmp_path: Path) -> None:
    path = tmp_path / "gate.sqlite3"
    with SqliteGate(path) as gate:
        asyncio.run(gate.start(RATE))
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE starts")

        asyncio.run(gate.start(RATE))

        assert not gate.shared


def test_books_that_nobody_used_for_a_day_are_removed(tmp_path: Path) -> None:
    old, recent, foreign = (
        tmp_path / name for name in ("account-1.sqlite3", "account-2.sqlite3", "notes.txt")
    )
    for path in (old, recent, foreign):
        path.touch()
    for path in (old, foreign):
        os.utime(path, (1, 1))

    SqliteGate(tmp_path / "account-3.sqlite3").close()

    assert not old.exists()
    assert recent.exists()
    assert foreign.exists()


def test_the_file_is_named_by_a_digest_and_never_by_the_key(tmp_path: Path) -> None:
    environ = {"KIEBATCH_STATE_HOME": str(tmp_path)}

    path = path_for("secret-key", "https://api.kie.ai", environ)

    assert path.parent == tmp_path
    assert "secret" not in str(path)
    assert path == path_for("secret-key", "https://api.kie.ai", environ)
    assert path != path_for("other-key", "https://api.kie.ai", environ)


PROCESS = """
import asyncio, sys, time
from kiebatch.provider import SqliteGate
from kiebatch.model import Rate
read = []
def now():
    read.append(time.time())
    return read[-1]
async def main():
    with SqliteGate(sys.argv[1], now=now) as gate:
        for _ in range(6):
            booking = await gate.start(Rate(starts=4, window_s=0.4))
            await gate.answered(booking, refused=False)
            print(booking.at)
asyncio.run(main())
"""


@pytest.mark.slow
def test_processes_share_the_window_of_an_account(tmp_path: Path) -> None:
    path = tmp_path / "state" / "gate.sqlite3"
    command = [sys.executable, "-c", PROCESS, str(path)]
    began = time.time()

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    starts = [float(line) for process in processes for line in process.communicate(timeout=30)[0].split()]

    assert len(starts) == 12
    assert min(spans(starts, 4)) >= 0.4
    assert time.time() - began < 20
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM starts").fetchone()[0] <= 12


def test_an_account_with_a_name_has_one_book_for_all_its_keys(tmp_path: Path) -> None:
    environ = {"KIEBATCH_STATE_HOME": str(tmp_path)}
    url = "https://api.kie.ai"

    paths = {path_for(key, url, environ, account="studio") for key in ("a", "b")}

    assert len(paths) == 1
    assert "studio" not in str(paths)
    assert paths.isdisjoint({path_for("a", url, environ), path_for("", url, environ, account="other")})


def test_keys_of_one_account_share_its_starts_and_have_reads_of_their_own(tmp_path: Path) -> None:
    clock = Clock()

    async def work() -> None:
        account = tmp_path / "account.sqlite3"
        gates = [
            SqliteGate(account, tmp_path / f"key-{n}", now=clock.now, sleep=clock.sleep) for n in range(2)
        ]
        for n in range(8):
            await gates[n % 2].read(Rate(starts=4, window_s=10.0))
        assert clock.time == 1000.0
        for n in range(4):
            await gates[n % 2].start(RATE)
        assert clock.time >= 1010.0
        for gate in gates:
            gate.close()

    asyncio.run(clock.run(work()))
