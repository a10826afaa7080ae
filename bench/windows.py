"""Many accounts with their windows full, on virtual time: the real window arithmetic over a book in memory.

    python -m bench.windows [--jobs 100000] [--accounts 100]

Each account has four coordinators and a provider of its own that counts the starts as they arrive.  The book keeps what
the contract's tests say of every book (tests/contract/test_gates.py).  What lies between claim and answer in a ledger
is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bench.lives import VirtualLoop
from kiebatch.model import Rate
from kiebatch.provider import BookedGate, Page
from kiebatch.provider.booking import Row
from kiebatch.provider.share import Share

T = TypeVar("T")

RATE = Rate(starts=20, window_s=10.0)
COORDINATORS = 4
TRIP_S = (0.05, 0.12)  # to the provider and back
WRITE_S = (0.002, 0.02)  # for one transaction of the ledger


@dataclass(slots=True)
class _Entry:
    sent_at: float
    probe: bool
    answered_at: float | None = None
    refused: bool = False


class MemoryBook:
    """The places of one book, in this process; every gate that is given it shares them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.entries: dict[int, _Entry] = {}
        self.learnt: Share | None = None
        self.numbers = itertools.count(1)
        self.transactions = 0

    async def transact(self, work: Callable[[Page], T]) -> T:
        self.transactions += 1
        return work(_Page(self, self.now()))

    def close(self) -> None:
        """Keep the places: other gates may go on with them."""


class _Page:
    """The book at one moment; see `provider.booking.Page`."""

    def __init__(self, book: MemoryBook, now: float) -> None:
        self.now = now
        self._book = book

    def rows(self, limit: int) -> list[Row]:
        newest = sorted(self._book.entries.items(), key=lambda one: one[1].sent_at, reverse=True)
        return [(n, e.sent_at, e.answered_at, int(e.probe), int(e.refused)) for n, e in newest[:limit]]

    def share(self) -> Share | None:
        return self._book.learnt

    def keep_share(self, learnt: Share) -> None:
        self._book.learnt = learnt

    def add(self, at: float, *, probe: bool) -> int:
        number = next(self._book.numbers)
        self._book.entries[number] = _Entry(at, probe)
        return number

    def move(self, place: int, at: float, *, probe: bool) -> None:
        if place in self._book.entries:
            entry = self._book.entries[place]
            entry.sent_at, entry.probe = at, probe

    def remove(self, place: int) -> None:
        self._book.entries.pop(place, None)

    def answered(self, place: int, *, refused: bool) -> None:
        if place in self._book.entries:
            entry = self._book.entries[place]
            entry.answered_at, entry.refused = self.now, refused

    def ours(self, window_s: float, *, pending: bool) -> int:
        since, known = self.now - 2 * window_s, self.now - window_s
        recent = [e for e in self._book.entries.values() if not e.refused and since <= e.sent_at <= self.now]
        heard = [e for e in recent if e.answered_at is not None and e.answered_at > known]
        waiting = [e for e in recent if e.answered_at is None and pending]
        return len(heard) + len(waiting)

    def newest(self) -> float | None:
        return max((entry.sent_at for entry in self._book.entries.values()), default=None)

    def forget(self, before: float, beyond: float) -> None:
        kept = {n: e for n, e in self._book.entries.items() if e.sent_at >= before}
        for entry in kept.values():
            entry.sent_at = self.now if entry.sent_at > beyond else entry.sent_at
        self._book.entries = kept


def memory_gate(
    book: MemoryBook, reads: MemoryBook, sleep: Callable[[float], Awaitable[None]], rng: random.Random
) -> BookedGate:
    """Return one more gate on the books of an account and a key."""
    return BookedGate({"submit": book, "read": reads}, sleep=sleep, rng=rng)


@dataclass
class Account:
    """One account on virtual time: its coordinators, and the provider that counts what arrives."""

    jobs: int
    lot: random.Random

    def __post_init__(self) -> None:
        self.arrived: deque[float] = deque()
        self.first = self.last = -1.0
        self.refusals = 0

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        self.book = MemoryBook(now)
        gates = [
            memory_gate(self.book, MemoryBook(now), asyncio.sleep, self.lot) for _ in range(COORDINATORS)
        ]
        async with asyncio.TaskGroup() as sending:
            for gate in gates:
                await asyncio.sleep(self.lot.uniform(0.0, 0.1))
                sending.create_task(self._coordinator(gate, sending))

    async def _coordinator(self, gate: BookedGate, sending: asyncio.TaskGroup) -> None:
        while self.jobs:
            self.jobs -= 1
            await asyncio.sleep(self.lot.uniform(*WRITE_S))  # the claim
            await self._send(gate, sending)

    async def _send(self, gate: BookedGate, sending: asyncio.TaskGroup) -> None:
        booking = await gate.start(RATE)
        await asyncio.sleep(self.lot.uniform(*WRITE_S))  # the intent
        trip_s = self.lot.uniform(*TRIP_S)

        async def answered() -> None:
            await asyncio.sleep(trip_s / 2)
            refused = self._refuses()
            await asyncio.sleep(trip_s / 2)
            await gate.answered(booking, refused=refused)
            if refused:
                await self._send(gate, sending)

        sending.create_task(answered())

    def _refuses(self) -> bool:
        now = asyncio.get_running_loop().time()
        while self.arrived and self.arrived[0] <= now - RATE.window_s:
            self.arrived.popleft()
        if len(self.arrived) >= RATE.starts:
            self.refusals += 1
            return True
        self.arrived.append(now)
        self.first = now if self.first < 0 else self.first
        self.last = now
        return False


async def _all(accounts: list[Account]) -> None:
    await asyncio.gather(*(account.run() for account in accounts))


def scale(jobs: int, count: int) -> None:
    """Print how long the slowest and the usual account needed, against the bound of its window."""
    each = jobs // count
    accounts = [Account(each, random.Random(n)) for n in range(count)]
    began = time.process_time()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_all(accounts))
    bound_s = ((each - 1) // RATE.starts) * RATE.window_s
    ratios = sorted((account.last - account.first) / bound_s for account in accounts)
    booked = sum(account.book.transactions for account in accounts) / (each * count)
    print(
        f"{each * count:,} starts on {count} accounts: {ratios[count // 2]:.3f} of the bound, the slowest {ratios[-1]:.3f};"
        f" {sum(account.refusals for account in accounts)} refused, {booked:.2f} transactions of the window a job,"
        f" {time.process_time() - began:.0f} s of CPU"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=100)
    chosen = parser.parse_args()
    scale(chosen.jobs, chosen.accounts)


if __name__ == "__main__":
    main()
