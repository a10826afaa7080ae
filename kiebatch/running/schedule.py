"""Starts jobs in order: each when what it starts from is made, its model's canary has landed, and there is a place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from kiebatch.model import Slot
from kiebatch.planning import Action, Entry, Reason, upstream_first
from kiebatch.running.durations import Durations
from kiebatch.running.elsewhere import is_elsewhere
from kiebatch.running.making import InFlight
from kiebatch.running.state import RunState

Guarded = Callable[..., Awaitable[None]]


class Starts(Protocol):
    """What the schedule starts, each as a task of its own."""

    async def make(self, entry: Entry, rank: int, place: InFlight) -> None: ...

    async def restore(self, entry: Entry) -> None: ...

    async def leave_unsent(self, entry: Entry, reason: str) -> None: ...


class Schedule:
    """The waiting list of one run."""

    def __init__(self, run: RunState, durations: Durations) -> None:
        self._context = run.context
        self._slots = run.slots
        self._stop = run.stop
        self._canaries = run.canaries
        self._durations = durations
        self._places = asyncio.Semaphore(run.context.limits.in_flight)
        self._ranks: dict[Slot, int] = {}

    def ordered(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return what is to be done, in the order in which it is submitted."""
        waiting = list(entries)
        if self._context.limits.order == "fastest":
            waiting = self._fastest_first(waiting)
        self._ranks = {entry.slot: n for n, entry in enumerate(waiting)}
        return waiting

    def _fastest_first(self, waiting: Sequence[Entry]) -> list[Entry]:
        """Order so that the batch ends soonest: the longest chain of work behind a job goes first."""
        jobs = [entry.job for entry in waiting if entry.job]
        users: dict[Slot, list[Slot]] = {}
        for job in jobs:
            for slot in job.needs:
                users.setdefault(slot, []).append(job.slot)
        length: dict[Slot, float] = {}
        for job in reversed(upstream_first(jobs)):
            longest = max((length.get(user, 0.0) for user in users.get(job.slot, ())), default=0.0)
            length[job.slot] = self._durations.usual_s(job) + longest
        return sorted(waiting, key=lambda e: -length.get(e.slot, 0.0))

    async def feed(
        self, waiting: list[Entry], starts: Starts, start: Callable[..., Awaitable[object] | object]
    ) -> None:
        """Start everything that waits.  `start` runs a method of `starts` as a task."""
        while waiting:
            self._slots.changed.clear()
            chosen = next((entry for entry in waiting if self._ready(entry)), None)
            if chosen is None:
                await self._slots.changed.wait()
                continue
            reason = self._why_not(chosen)
            if reason:
                waiting.remove(chosen)
                start(starts.leave_unsent, chosen, reason)
            elif chosen.action is Action.RESTORE:
                waiting.remove(chosen)
                start(starts.restore, chosen)
            elif await self._place_or_change():
                waiting.remove(chosen)
                model = chosen.job.model if chosen.job else ""
                if self._canaries.take(chosen.slot, model):
                    start(self._release_later, model)
                place = InFlight(self._places)
                start(starts.make, chosen, self._ranks.get(chosen.slot, 0), place)

    async def _place_or_change(self) -> bool:
        """Wait for a place in flight; False when something changed first, so that another job may be chosen."""
        acquire = asyncio.ensure_future(self._places.acquire())
        change = asyncio.ensure_future(self._slots.changed.wait())
        await asyncio.wait({acquire, change}, return_when=asyncio.FIRST_COMPLETED)
        change.cancel()
        if acquire.done():
            return True
        acquire.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await acquire
        if not acquire.cancelled():
            self._places.release()
        return False

    def _ready(self, entry: Entry) -> bool:
        if entry.job and entry.action is Action.RESTORE and _names_sources(entry):
            # Its entry names what it was made from, so that comes first.
            needs = entry.job.needs
            return not self._slots.waits_for(needs) or self._slots.lacks(needs) is not None
        if entry.action is not Action.GENERATE or not entry.job or self._why_not(entry):
            return True
        return not self._canaries.holds_back(entry.job.model) and not self._slots.waits_for(entry.job.needs)

    def _why_not(self, entry: Entry) -> str:
        """Return why an entry will not be sent, or nothing.  What is paid for is collected whatever happens."""
        if entry.action is not Action.GENERATE or not entry.job:
            return ""
        lacking = self._slots.lacks(entry.job.needs)
        if lacking:
            return f"upstream {lacking[0]}: {lacking[1]}"
        return self._stop.words

    async def _release_later(self, model: str) -> None:
        """Let the jobs behind a canary go when it has landed, or after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._context.limits.canary_s):
                while self._canaries.holds_back(model):
                    await self._canaries.landing(model).wait()
        self._canaries.release(model)
        self._slots.changed.set()


def _names_sources(entry: Entry) -> bool:
    """Whether what is restored gets an entry of its own, which names what it was made from."""
    return entry.cause is Reason.PAID or is_elsewhere(entry)
