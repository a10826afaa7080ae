from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from kiebatch.model import Rate
from kiebatch.provider import Booking, SqliteGate, path_for

RATE = Rate(starts=3, window_s=10.0)


class Clock:
    """A clock that moves when somebody sleeps: sleepers wake in order, each at its time."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self.time

    async def sleep(self, wait_s: float) -> None:
        self._count += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + wait_s, self._count, future))
        await future

    async def run(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers and not task.done():
                self._sleepers.sort()
                at, _, future = self._sleepers.pop(0)
                if not future.done():
                    self.time = max(self.time, at)
                    future.set_result(None)
        await task


def gate_on(clock: Clock, path: Path | str = ":memory:") -> SqliteGate:
    return SqliteGate(path, now=clock.now, sleep=clock.sleep, rng=random.Random(1))


def spans(starts: list[float], limit: int) -> list[float]:
    """Return the time between each start and the one that is `limit` places later."""
    ordered = sorted(starts)
    return [b - a for a, b in zip(ordered, ordered[limit:], strict=False)]


def test_starts_wait_for_the_window_and_go_in_order() -> None:
    clock, order = Clock(), []

    async def work() -> None:
        with gate_on(clock) as gate:

            async def one(n: int) -> None:
                await gate.start(RATE)
                order.append((clock.time, n))

            await asyncio.gather(*(one(n) for n in range(10)))

    asyncio.run(clock.run(work()))

    assert [n for _, n in order] == list(range(10))
    assert min(spans([at for at, _ in order], 3)) >= 10.0
    assert order[-1][0] - order[0][0] < 33


def test_two_gates_on_one_file_share_one_window_and_take_turns(tmp_path: Path) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        gates = [gate_on(clock, tmp_path / "gate.sqlite3") for _ in range(2)]

        async def one(which: int) -> None:
            await gates[which].start(RATE)
            started.append((clock.time, which))

        await asyncio.gather(*(one(n % 2) for n in range(12)))
        for gate in gates:
            assert gate.shared
            gate.close()

    asyncio.run(clock.run(work()))

    assert min(spans([at for at, _ in started], 3)) >= 10.0
    assert {which for _, which in started[:6]} == {0, 1}


async def sent_and_answered(gate: SqliteGate, rate: Rate = RATE, *, refused: bool = False) -> Booking:
    """Send one start whose answer comes at once."""
    booking = await gate.start(rate)
    await gate.answered(booking, refused=refused)
    return booking


def test_a_start_counts_until_its_answer(tmp_path: Path) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        with gate_on(clock, tmp_path / "gate.sqlite3") as gate:
            bookings = [await gate.start(RATE) for _ in range(2)]
            bookings.append(await sent_and_answered(gate))
            clock.time += 0.3
            for booking in bookings[:2]:
                await gate.answered(booking, refused=False)
            started.extend([(await sent_and_answered(gate)).at for _ in range(2)])

    asyncio.run(clock.run(work()))

    assert started == pytest.approx([1010.0, 1010.3])


def test_a_refusal_lowers_the_share_of_all_processes_and_costs_no_pause(tmp_path: Path) -> None:
    clock, rate = Clock(), Rate(starts=20, window_s=10.0)
    started: list[float] = []

    async def work() -> None:
        with (
            gate_on(clock, tmp_path / "gate.sqlite3") as one,
            gate_on(clock, tmp_path / "gate.sqlite3") as other,
        ):
            for _ in range(12):
                await sent_and_answered(one, rate)
            await sent_and_answered(one, rate, refused=True)
            for _ in range(12):
                started.append((await sent_and_answered(other, rate)).at)

    asyncio.run(clock.run(work()))

    assert started[0] == pytest.approx(1010.0)  # when the first of our twelve leaves the window
    assert max(started) < 1011


def test_beyond_the_share_one_start_at_a_time_waits_for_the_answer_before(tmp_path: Path) -> None:
    clock, rate = Clock(), Rate(starts=4, window_s=10.0)
    answers: list[float] = []

    async def work() -> None:
        with gate_on(clock, tmp_path / "gate.sqlite3") as gate:
            for _ in range(3):
                await sent_and_answered(gate, rate)
            probe = await gate.start(rate)
            await gate.answered(probe, refused=True)  # somebody else has one of the four
            assert probe.probe

            # Much later it is tried again.
            clock.time += 25
            for _ in range(3):
                await sent_and_answered(gate, rate)
            probe = await gate.start(rate)
            assert probe.probe
            await gate.answered(probe, refused=False)
            answers.append(clock.time)

            # And now all four are ours, without waiting for answers.
            clock.time += 20
            assert [(await gate.start(rate)).probe for _ in range(4)] == [False] * 4

    asyncio.run(clock.run(work()))

    assert answers == [1025.0]


def test_what_the_provider_asks_for_pauses_everyone(tmp_path: Path) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        with (
            gate_on(clock, tmp_path / "gate.sqlite3") as one,
            gate_on(clock, tmp_path / "gate.sqlite3") as other,
        ):
            await one.answered(await one.start(RATE), refused=True, retry_after_s=30)
            started.append((await other.start(RATE)).at)

    asyncio.run(clock.run(work()))

    assert 1030 <= started[0] <= 1033


def test_a_pause_that_begins_while_somebody_waits_holds_him_too() -> None:
    clock, started = Clock(), []

    async def work() -> None:
        with gate_on(clock) as gate:
            first = await gate.start(RATE)
            for _ in range(2):
                await gate.start(RATE)

            async def waiter() -> None:
                await gate.start(RATE)
                started.append(clock.time)

            task = asyncio.ensure_future(waiter())
            await asyncio.sleep(0)
            await gate.answered(first, refused=True, retry_after_s=60)
            await task

    asyncio.run(clock.run(work()))

    assert started[0] >= 1060


def test_reads_have_a_limit_of_their_own() -> None:
    clock = Clock()

    async def work() -> None:
        with gate_on(clock) as gate:
            for _ in range(3):
                await gate.start(RATE)
            for _ in range(8):
                await gate.read(Rate(starts=8, window_s=1.0))
            assert clock.time == 1000.0
            await gate.read(Rate(starts=8, window_s=1.0))
            assert clock.time == pytest.approx(1001.05)

    asyncio.run(clock.run(work()))


def test_one_who_gives_up_waiting_leaves_no_place_empty() -> None:
    clock = Clock()

    async def work() -> None:
        with gate_on(clock) as gate:
            for _ in range(3):
                await gate.start(RATE)
            waiter = asyncio.ensure_future(gate.start(RATE))
            await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            await gate.start(RATE)
            assert clock.time < 1011

    asyncio.run(clock.run(work()))


def test_a_clock_that_was_set_back_does_not_block_for_ever() -> None:
    clock = Clock()

    async def work() -> None:
        with gate_on(clock) as gate:
            clock.time = 500_000.0
            for _ in range(3):
                booking = await gate.start(RATE)
            await gate.answered(booking, refused=True, retry_after_s=100)
            clock.time = 1000.0
            await gate.start(RATE)
            assert clock.time < 1011

    asyncio.run(clock.run(work()))


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
