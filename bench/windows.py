"""Many accounts with their windows full, on virtual time: every job from the look at what there is to its record.

    python -m bench.windows [--jobs 100000] [--accounts 100] [--coordinators 4]

The window's arithmetic, the queue before the ledger and the watch over running tasks are the real ones.  The ledger and
the books are in memory, as far away as a database; they keep what the contract's tests say of every ledger and every book
(tests/contract).  Each account has a provider of its own that counts the starts as they arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import itertools
import json
import random
import tempfile
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

from bench.lives import VirtualLoop
from bench.memory_ledger import MemoryJournal, MemoryLedger
from kiebatch.model import Done, Rate, Reply, Request, Slot
from kiebatch.provider import BookedGate, Booking, Page, families
from kiebatch.provider.booking import Row
from kiebatch.provider.share import Share
from kiebatch.record import Claimed, Intent, Journal, Key, Ledger, Offload, open_journal
from kiebatch.running.watching import Patience, Watch

T = TypeVar("T")
P = ParamSpec("P")

RATE = Rate(starts=20, window_s=10.0)
READS = Rate(starts=8, window_s=1.0)
ENDPOINT = families.get("jobs")
PRICE = 0.8
IN_FLIGHT = 100  # of one coordinator
FRESH = 0.02  # of the window: so old may a start be when it leaves
TAKES_S = 40.0  # one still
FETCH_S = (0.5, 3.0)
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
        return self.transact_now(work)

    def transact_now(self, work: Callable[[Page], T]) -> T:
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

    def answered(self, place: int, at: float, *, refused: bool) -> None:
        if place in self._book.entries:
            entry = self._book.entries[place]
            entry.answered_at, entry.refused = at, refused

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


class Records:
    """What the provider says of tasks: each runs for its time, then it has a result."""

    def __init__(self, gate: BookedGate, lot: random.Random) -> None:
        self.ends: dict[str, float] = {}
        self._gate = gate
        self._lot = lot

    async def read(self, request: Request, *, attempts: int | None = None) -> Reply:
        await self._gate.read(READS)
        await asyncio.sleep(self._lot.uniform(*TRIP_S))
        task = request.query["taskId"]
        over = asyncio.get_running_loop().time() >= self.ends[task]
        result = {"resultUrls": ["https://results.test/1.png"]} if over else {}
        data = {
            "taskId": task,
            "state": "success" if over else "generating",
            "resultJson": json.dumps(result),
        }
        return Reply(http_status=200, code=200, data=data, body={"code": 200, "data": data})


class Coordinator:
    """One run: it claims, starts, watches and saves, and says that it is alive."""

    def __init__(self, account: Account, gate: BookedGate, journal: MemoryJournal) -> None:
        self._account = account
        self._gate = gate
        self._journal = journal
        self._ledger = Ledger(journal, account.offload)
        self._records = Records(gate, account.lot)
        self._watch = Watch(
            self._records,  # type: ignore[arg-type]
            past=lambda _model: account.durations,
            emit=lambda _event: None,
            patience=Patience(),
        )
        self._turn = asyncio.Lock()
        self._saved: list[int] = []

    async def run(self) -> None:
        self._journal.begin("run", 90.0)
        in_flight = asyncio.Semaphore(IN_FLIGHT)
        repeated = [asyncio.create_task(self._beat()), asyncio.create_task(self._record())]
        async with asyncio.TaskGroup() as jobs:
            while self._account.jobs:
                self._account.jobs = number = self._account.jobs - 1
                await in_flight.acquire()
                task = jobs.create_task(self._make(number))
                task.add_done_callback(lambda _task: in_flight.release())
        for one in repeated:
            one.cancel()
        self._ledger.recorded(self._saved)
        await self._ledger.drain()
        self._journal.close()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._journal.beat_s)
            self._journal.beat()

    async def _record(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            saved, self._saved = self._saved, []
            self._ledger.recorded(saved)

    async def _make(self, number: int) -> None:
        """See one job through, as `running.making` and `running.submission` do."""
        key = Key(f"sha256:{number}")
        await self._ledger.find([key.content])
        async with self._turn:
            claimed = await self._ledger.claim(
                Intent(
                    run_id="run",
                    slot=Slot(number),
                    key=key,
                    model="z-image",
                    family="jobs",
                    job={},
                    credits=PRICE,
                    reserved=PRICE,
                )
            )
            assert isinstance(claimed, Claimed), claimed
            booking = await self._start(claimed.attempt)
        await self._account.provider(key.content)
        await self._gate.answered(booking, refused=False)
        task = f"task-{claimed.attempt}"
        self._records.ends[task] = asyncio.get_running_loop().time() + self._account.takes_s()
        await self._ledger.submitted(claimed.attempt, task)
        job: Any = SimpleNamespace(expected_s=TAKES_S, model="z-image", modality="image", slot=Slot(number))
        ended = await self._watch.wait(job, ENDPOINT, task)
        assert isinstance(ended, Done), ended
        bisect.insort(self._account.durations, self._watch.took_s(task) or TAKES_S)
        await self._ledger.outputs(claimed.attempt, ended.outputs, PRICE)
        await asyncio.sleep(self._account.lot.uniform(*FETCH_S))
        await self._ledger.saved(claimed.attempt, {})
        self._saved.append(claimed.attempt)

    async def _start(self, attempt: int) -> Booking:
        """Book a start and write the intent, until both are fresh."""
        loop, good_until = asyncio.get_running_loop(), 0.0
        while True:
            booking = await self._gate.start(RATE)
            booked_at = loop.time()
            if booked_at >= good_until:
                good_until = booked_at + await self._ledger.intended(attempt)
            if loop.time() - booked_at <= FRESH * RATE.window_s and loop.time() < good_until:
                return booking


@dataclass
class Account:
    """One account on virtual time: its coordinators, its records, and the provider that counts what arrives."""

    jobs: int
    lot: random.Random
    local: Journal

    def __post_init__(self) -> None:
        self.asked = self.jobs
        self.arrived: deque[float] = deque()
        self.first = self.last = -1.0
        self.refusals = 0
        self.charges: Counter[str] = Counter()
        self.durations: list[float] = []

    async def run(self, coordinators: int) -> None:
        now = asyncio.get_running_loop().time
        cap = self.asked * PRICE
        self.ledger = MemoryLedger(now, cap=cap)
        self.books = (MemoryBook(now), MemoryBook(now))
        far = [_Far(book, self.offload) for book in self.books]
        async with asyncio.TaskGroup() as runs:
            for number in range(coordinators):
                gate = BookedGate({"submit": far[0], "read": far[1]}, rng=self.lot, block=8)
                journal = MemoryJournal(self.ledger, f"film {number}", self.local)
                runs.create_task(Coordinator(self, gate, journal).run())
                await asyncio.sleep(self.lot.uniform(0.0, 1.0))

    async def offload(self, work: Callable[P, T], /, *args: P.args, **named: P.kwargs) -> T:
        """Do some work in the ledger, which is far away."""
        await asyncio.sleep(self.lot.uniform(*WRITE_S))
        return work(*args, **named)

    def takes_s(self) -> float:
        return max(5.0, self.lot.gauss(TAKES_S, TAKES_S / 4))

    async def provider(self, content: str) -> None:
        """Send a job: it arrives, is charged, and is answered."""
        trip_s = self.lot.uniform(*TRIP_S)
        await asyncio.sleep(trip_s / 2)
        now = asyncio.get_running_loop().time()
        while self.arrived and self.arrived[0] <= now - RATE.window_s:
            self.arrived.popleft()
        self.refusals += len(self.arrived) >= RATE.starts
        self.arrived.append(now)
        self.first = now if self.first < 0 else self.first
        self.last = now
        self.charges[content] += 1
        await asyncio.sleep(trip_s / 2)

    def transactions(self) -> tuple[int, ...]:
        return (self.ledger.transactions, *(book.transactions for book in self.books))

    def check(self) -> None:
        """Check the money: every key charged once, and nothing left open."""
        assert len(self.charges) == self.charges.total() == self.asked, "a key was charged twice, or not"
        assert abs(self.ledger.rows.spent - self.asked * PRICE) < 1e-6
        assert abs(self.ledger.rows.reserved) < 1e-6
        assert all(row.attempt.recorded for row in self.ledger.rows.values())


class _Far:
    """A book that is far away."""

    def __init__(self, book: MemoryBook, offload: Offload) -> None:
        self._book = book
        self._offload = offload

    async def transact(self, work: Callable[[Page], T]) -> T:
        return await self._offload(self._book.transact_now, work)

    def close(self) -> None:
        self._book.close()


async def _all(accounts: list[Account], coordinators: int) -> None:
    await asyncio.gather(*(account.run(coordinators) for account in accounts))


def scale(jobs: int, count: int, coordinators: int) -> None:
    """Print how long the slowest and the usual account needed, against the bound of its window, and what a job takes."""
    each = jobs // count
    began = time.process_time()
    with (
        tempfile.TemporaryDirectory(prefix="windows-") as folder,
        open_journal(Path(folder) / "journal.sqlite", now=time.time) as local,
    ):
        accounts = [Account(each, random.Random(n), local) for n in range(count)]
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_all(accounts, coordinators))
    for account in accounts:
        account.check()
    bound_s = ((each - 1) // RATE.starts) * RATE.window_s
    ratios = sorted((account.last - account.first) / bound_s for account in accounts)
    a_job = [
        sum(figures) / (each * count)
        for figures in zip(*(one.transactions() for one in accounts), strict=True)
    ]
    print(
        f"{each * count:,} jobs on {count} accounts, {coordinators} coordinators each: {ratios[count // 2]:.3f} of the"
        f" bound, the slowest {ratios[-1]:.3f}; {sum(account.refusals for account in accounts)} refused, 0 charged"
        f" twice; {sum(a_job):.2f} transactions a job ({a_job[0]:.2f} of the ledger, {a_job[1]:.2f} of starts,"
        f" {a_job[2]:.2f} of reads); {time.process_time() - began:.0f} s of CPU"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--coordinators", type=int, default=4, help="of each account")
    chosen = parser.parse_args()
    scale(chosen.jobs, chosen.accounts, chosen.coordinators)


if __name__ == "__main__":
    main()
