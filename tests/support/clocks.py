"""A clock for gates: it moves when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


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


def spans(starts: list[float], limit: int) -> list[float]:
    """Return the time between each start and the one that is `limit` places later."""
    ordered = sorted(starts)
    return [b - a for a, b in zip(ordered, ordered[limit:], strict=False)]
