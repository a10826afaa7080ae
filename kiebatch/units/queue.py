"""What carries units to those who execute them.  `LocalQueue` is this process; another one spans machines."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from kiebatch.units.context import Context, Parts
from kiebatch.units.execution import execute
from kiebatch.units.unit import KINDS, Ended, Kind, Order

_AT_ONCE = 8


class WorkQueue(Protocol):
    """Orders go in, units are executed somewhere, how they ended comes out.

    A unit that is queued or at work already is not queued again.  Dying links go first, then the order of `KINDS`.
    """

    async def defer(self, orders: Sequence[Order]) -> None:
        """Queue units without waiting for them; returns when the queue has room for them."""
        ...

    async def result(self, order: Order) -> Ended:
        """Queue a unit where it is not done, and return how it ended."""
        ...

    async def forget(self, order: Order) -> None:
        """Take a unit for not done, as what it made is gone; `result` then has it executed once more."""
        ...

    async def work(self, kinds: Collection[Kind], jobs: int) -> None:
        """Execute queued units of these kinds, so many at once, until `drain`."""
        ...

    async def depth(self) -> Mapping[Kind, int]:
        """Return how many units wait or are at work, by kind."""
        ...

    async def drain(self) -> None:
        """Take no more units in `work`, and return when those at work have ended."""
        ...


OpenQueue = Callable[[Path], AbstractAsyncContextManager[tuple[WorkQueue, Parts] | None]]
"""Opens a queue, and the shelf with the files of its units: a folder of this machine is for them.  None where nobody works."""


class LocalQueue:
    """The queue of one process: each unit is executed by the task that waits for it, when its turn comes."""

    def __init__(self, context: Context, at_once: Mapping[Kind, int] | None = None) -> None:
        """`at_once` says how many units of a kind are executed at the same time."""
        self._context = context
        self._turns = {kind: _Turns((at_once or {}).get(kind, _AT_ONCE)) for kind in KINDS}
        self._open: dict[str, asyncio.Future[Ended]] = {}
        self._deferred: dict[str, Order] = {}
        self._changed = asyncio.Event()
        self._draining = False

    async def defer(self, orders: Sequence[Order]) -> None:
        for order in orders:
            if order.unit.key not in self._open:
                self._deferred.setdefault(order.unit.key, order)
        self._changed.set()

    async def result(self, order: Order) -> Ended:
        key = order.unit.key
        while (another := self._open.get(key)) is not None:
            await asyncio.wait([another])
            if not another.cancelled():
                return another.result()
        self._deferred.pop(key, None)
        mine = self._open[key] = asyncio.get_running_loop().create_future()
        try:
            async with self._turns[order.unit.kind].taken(order.priority):
                ended = await execute(order, self._context)
            mine.set_result(ended)
            return ended
        finally:
            del self._open[key]
            mine.cancel()  # where it did not end, whoever waits for it executes it
            self._changed.set()

    async def forget(self, order: Order) -> None:
        return None  # what is done is not remembered

    async def work(self, kinds: Collection[Kind], jobs: int) -> None:
        self._draining = False
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(self._serve(kinds))

    async def depth(self) -> Mapping[Kind, int]:
        kinds = [key.partition("-")[0] for key in (*self._deferred, *self._open)]
        return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}

    async def drain(self) -> None:
        self._draining = True
        self._changed.set()
        while self._open:
            await asyncio.wait(list(self._open.values()))

    async def _serve(self, kinds: Collection[Kind]) -> None:
        while not self._draining:
            waiting = [order for order in self._deferred.values() if order.unit.kind in kinds]
            if waiting:
                await self.result(max(waiting, key=lambda order: order.priority))
                continue
            self._changed.clear()
            await self._changed.wait()


class _Turns:
    """So many at once; of those who wait, the one of the highest priority goes next, then who came first."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    @contextlib.asynccontextmanager
    async def taken(self, priority: int) -> AsyncIterator[None]:
        await self._take(priority)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, priority: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (-priority, self._count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
