"""What every gate promises, with its book in a SQLite file, in the team's PostgreSQL, and in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.lives import in_place
from bench.windows import MemoryBook, memory_gate
from kiebatch.model import Rate
from kiebatch.provider import BookedGate, Booking, SqliteGate
from kiebatch.team import Connection, Team, schema
from kiebatch.team import open_gate as open_team_gate
from support.clocks import Clock, spans

RATE = Rate(starts=3, window_s=10.0)

Opener = Callable[[Clock], BookedGate]


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def open_gate(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return what opens one more gate on the one book of an account."""
    if request.param == "sqlite":
        path = tmp_path / "gate.sqlite3"
        return lambda clock: SqliteGate(path, now=clock.now, sleep=clock.sleep, rng=random.Random(1))
    if request.param == "memory":
        books: list[MemoryBook] = []

        def in_memory(clock: Clock) -> BookedGate:
            books.extend(MemoryBook(clock.now) for _ in range(2 - len(books)))
            return memory_gate(books[0], books[1], clock.sleep, random.Random(1))

        return in_memory
    url = request.getfixturevalue("team_url")
    connection = Connection(url)
    schema.migrate(connection)
    connection.close()
    return lambda clock: open_team_gate(
        Team(url, "studio", clock.now), "a key", offload=in_place, sleep=clock.sleep, rng=random.Random(1)
    )


def test_starts_wait_for_the_window_and_go_in_order(open_gate: Opener) -> None:
    clock, order = Clock(), []

    async def work() -> None:
        with open_gate(clock) as gate:

            async def one(n: int) -> None:
                await gate.start(RATE)
                order.append((clock.time, n))

            await asyncio.gather(*(one(n) for n in range(10)))

    asyncio.run(clock.run(work()))

    assert [n for _, n in order] == list(range(10))
    assert min(spans([at for at, _ in order], 3)) >= 10.0
    assert order[-1][0] - order[0][0] < 33


def test_two_gates_on_one_book_share_one_window_and_take_turns(open_gate: Opener) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        gates = [open_gate(clock) for _ in range(2)]

        async def one(which: int) -> None:
            await gates[which].start(RATE)
            started.append((clock.time, which))

        await asyncio.gather(*(one(n % 2) for n in range(12)))
        for gate in gates:
            gate.close()

    asyncio.run(clock.run(work()))

    assert min(spans([at for at, _ in started], 3)) >= 10.0
    assert {which for _, which in started[:6]} == {0, 1}


async def sent_and_answered(gate: BookedGate, rate: Rate = RATE, *, refused: bool = False) -> Booking:
    """Send one start whose answer comes at once."""
    booking = await gate.start(rate)
    await gate.answered(booking, refused=refused)
    return booking


def test_a_start_counts_until_its_answer(open_gate: Opener) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        with open_gate(clock) as gate:
            bookings = [await gate.start(RATE) for _ in range(2)]
            bookings.append(await sent_and_answered(gate))
            clock.time += 0.3
            for booking in bookings[:2]:
                await gate.answered(booking, refused=False)
            started.extend([(await sent_and_answered(gate)).at for _ in range(2)])

    asyncio.run(clock.run(work()))

    assert started == pytest.approx([1010.0, 1010.3], abs=0.1)


def test_a_refusal_lowers_the_share_of_all_processes_and_costs_no_pause(open_gate: Opener) -> None:
    clock, rate = Clock(), Rate(starts=20, window_s=10.0)
    started: list[float] = []

    async def work() -> None:
        with (
            open_gate(clock) as one,
            open_gate(clock) as other,
        ):
            for _ in range(12):
                await sent_and_answered(one, rate)
            await sent_and_answered(one, rate, refused=True)
            for _ in range(12):
                started.append((await sent_and_answered(other, rate)).at)

    asyncio.run(clock.run(work()))

    assert started[0] == pytest.approx(1010.0, abs=0.1)  # when the first of our twelve leaves the window
    assert max(started) < 1011


def test_beyond_the_share_one_start_at_a_time_waits_for_the_answer_before(open_gate: Opener) -> None:
    clock, rate = Clock(), Rate(starts=4, window_s=10.0)
    answers: list[float] = []

    async def work() -> None:
        with open_gate(clock) as gate:
            for _ in range(3):
                await sent_and_answered(gate, rate)
            probe = await gate.start(rate)
            await gate.answered(probe, refused=True)  # somebody else has one of the four
            assert probe.probe

            # Much later it is tried again.
            clock.time += 35
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

    assert answers == [1035.0]


def test_what_the_provider_asks_for_pauses_everyone(open_gate: Opener) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        with (
            open_gate(clock) as one,
            open_gate(clock) as other,
        ):
            await one.answered(await one.start(RATE), refused=True, retry_after_s=30)
            started.append((await other.start(RATE)).at)

    asyncio.run(clock.run(work()))

    assert 1030 <= started[0] <= 1033


def test_a_pause_that_begins_while_somebody_waits_holds_him_too(open_gate: Opener) -> None:
    clock, started = Clock(), []

    async def work() -> None:
        with open_gate(clock) as gate:
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


def test_reads_have_a_limit_of_their_own(open_gate: Opener) -> None:
    clock = Clock()

    async def work() -> None:
        with open_gate(clock) as gate:
            for _ in range(3):
                await gate.start(RATE)
            for _ in range(8):
                await gate.read(Rate(starts=8, window_s=1.0))
            assert clock.time == 1000.0
            await gate.read(Rate(starts=8, window_s=1.0))
            assert clock.time == pytest.approx(1001.05)

    asyncio.run(clock.run(work()))


def test_one_who_gives_up_waiting_leaves_no_place_empty(open_gate: Opener) -> None:
    clock = Clock()

    async def work() -> None:
        with open_gate(clock) as gate:
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


def test_a_clock_that_was_set_back_does_not_block_for_ever(open_gate: Opener) -> None:
    clock = Clock()

    async def work() -> None:
        with open_gate(clock) as gate:
            clock.time = 500_000.0
            for _ in range(3):
                booking = await gate.start(RATE)
            await gate.answered(booking, refused=True, retry_after_s=100)
            clock.time = 1000.0
            await gate.start(RATE)
            assert clock.time < 1011

    asyncio.run(clock.run(work()))


def test_reads_that_wait_together_are_booked_together_and_within_the_limit(open_gate: Opener) -> None:
    clock, read = Clock(), []
    rate = Rate(starts=8, window_s=1.0)

    async def work() -> None:
        with open_gate(clock) as one, open_gate(clock) as other:

            async def ask(gate: BookedGate) -> None:
                await gate.read(rate)
                read.append(clock.time)

            await asyncio.gather(*(ask(gate) for _ in range(20) for gate in (one, other)))

    asyncio.run(clock.run(work()))

    assert min(spans(read, 8)) >= 1.0
    assert max(read) - min(read) < 6
