"""Takes what another film of the account has, or is having made: nothing is paid for twice on any machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from kiebatch.errors import plain
from kiebatch.model import Attempt, Done
from kiebatch.planning import Action, Entry, held_elsewhere
from kiebatch.provider import families
from kiebatch.running.binding import Binder
from kiebatch.running.collecting import Lost
from kiebatch.running.events import Noticed
from kiebatch.running.paid import job_for, paid_task
from kiebatch.running.restoring import Restorer
from kiebatch.running.state import RunState
from kiebatch.running.undecided import Undecided

_LOOK_S = 2.0  # how often another film's task is looked at in the ledger


class Elsewhere:
    """Waits for other films' tasks, adopts those of dead runs, and copies what they have made."""

    def __init__(self, run: RunState, binder: Binder, restorer: Restorer, undecided: Undecided) -> None:
        self._context = run.context
        self._outcome = run.outcome
        self._slots = run.slots
        self._stop = run.stop
        self._binder = binder
        self._restorer = restorer
        self._undecided = undecided
        self._waiting: dict[int, asyncio.Event] = {}
        self._lookout: asyncio.Task[None] | None = None

    async def take(self, entry: Entry) -> bool:
        """Bring a slot what another film has; False where that came to nothing, and nobody has it any more."""
        assert entry.attempt is not None
        number = entry.attempt.id
        waited = False
        while True:
            attempt = await self._context.ledger.attempt(number)
            if attempt.state == "saved":
                await self._copy(entry, attempt)
                return True
            if attempt.state == "held":
                self._undecided.report(replace(entry, note=held_elsewhere(attempt)))
                return True
            if attempt.open and await self._context.ledger.adopt(number, entry.slot):
                await self._restorer.collect_attempt(
                    await self._context.ledger.attempt(number), entry.slot, "asked"
                )
                return True
            if not (attempt.open or attempt.state in ("claimed", "intended")):
                return False
            if not waited:
                waited = True
                message = f"{entry.slot}: {plain(attempt.elsewhere)} is having it made; waiting for it"
                self._context.emit(Noticed(message=message))
            await self._stop.or_stopped(self._news_of(number))

    async def _news_of(self, number: int) -> None:
        """Wait until there is news of an attempt.  The ledger is asked about all that is waited for at once."""
        event = self._waiting.setdefault(number, asyncio.Event())
        if self._lookout is None or self._lookout.done():
            self._lookout = asyncio.create_task(self._look_out())
        try:
            await event.wait()
        finally:
            self._waiting.pop(number, None)
        if self._lookout.done() and not self._lookout.cancelled():
            self._lookout.result()

    async def _look_out(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_LOOK_S * self._context.limits.expected_scale)
                for number in await self._context.ledger.news(self._waiting):
                    if number in self._waiting:
                        self._waiting[number].set()
        finally:
            for event in self._waiting.values():
                event.set()

    async def _copy(self, entry: Entry, attempt: Attempt) -> None:
        """Fetch a result that another film has paid for from the provider, at no cost."""
        job = job_for(attempt, entry.slot, entry.job)
        media = entry.job.media if entry.job else ()
        task = replace(
            paid_task(attempt, job, "asked"),
            borrowed=True,
            credits=0,
            made_from=tuple(dict.fromkeys(a.id for a in map(self._binder.upstream_of, media) if a)),
        )
        done = await self._result(attempt)
        got = await self._restorer.collector.collect(task, done) if done else Lost("gone", "it is gone")
        if isinstance(got, Lost):
            # Its film may have stored it since the plan was made.
            if not await self._restorer.from_stores(entry):
                self._missing(entry, attempt, got)
            return
        self._outcome.assets.extend(got)
        self._outcome.succeeded += 1
        self._slots.finish(entry.slot, got)

    async def _result(self, attempt: Attempt) -> Done | None:
        job = job_for(attempt, attempt.slot, None)
        if families.get(job.family, job.endpoint).at_once:
            known = tuple(s.output for s in await self._context.ledger.outputs_of(attempt.id))
            return Done(outputs=known) if known else None
        return await self._restorer.records.again(job, attempt.task_id or "")

    def _missing(self, entry: Entry, attempt: Attempt, lost: Lost) -> None:
        why = (
            f"{plain(attempt.elsewhere)} has paid for it, and it could not be fetched ({plain(lost.message)})"
        )
        self._restorer.report_missing(
            entry.slot, f"{why}: copy its file from there and adopt it, or use --force"
        )


def is_elsewhere(entry: Entry) -> bool:
    """Whether an entry is about what another film of the account has."""
    return entry.action is Action.RESTORE and entry.attempt is not None and bool(entry.attempt.elsewhere)
