"""Submissions of which nobody knows whether they were charged: held, until a callback or a person decides."""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from kiebatch.errors import Refused, plain
from kiebatch.model import Attempt, Job, Slot, job_of
from kiebatch.planning import Entry
from kiebatch.provider import CallFailed, callbacks
from kiebatch.provider.policy import SubmitVerdict
from kiebatch.running.durations import Durations
from kiebatch.running.events import JobHeld, Noticed, Skipped, Submitted
from kiebatch.running.restoring import Restorer
from kiebatch.running.state import RunState
from kiebatch.running.stop import Unsent

_MOST_HINTS = 8  # callbacks that are kept for one undecided attempt


class Undecided:
    """Holds what is uncertain.  Callbacks are unverified hints: a task id counts once the provider shows it."""

    def __init__(self, run: RunState, durations: Durations, restorer: Restorer) -> None:
        self._context = run.context
        self._outcome = run.outcome
        self._slots = run.slots
        self._spending = run.spending
        self._stop = run.stop
        self.durations = durations
        self._restorer = restorer
        self._hints: dict[int, asyncio.Queue[str]] = {}  # attempt -> task ids that callbacks name
        self._deciding = asyncio.Lock()
        self._reported: dict[int, Slot] = {}  # attempts that were reported as held

    @property
    def _listens(self) -> bool:
        return self._context.limits.net_s is not None

    async def hold(self, slot: Slot, attempt: int, job: Job, verdict: SubmitVerdict) -> None:
        """Report a submission of which nobody knows what became; with callbacks, wait a while for its own."""
        reason = verdict.held_because
        if self._listens:
            self._context.emit(Noticed(message=f"{slot}: {reason}; waiting for a callback"))
        else:
            self._report(slot, attempt, reason)
        balance = None
        with contextlib.suppress(CallFailed, Refused):
            balance = await self._context.balances.read()
        if balance is not None:
            await self._context.ledger.held(attempt, reason, balance)
        if not self._listens:
            return
        known = await self._named_by_callback(attempt, self._callback_wait_s(job))
        if known is None:
            self._report(slot, attempt, reason)
            return
        self._book(known, slot)
        await self._restorer.collect_attempt(known, slot, "asked")

    def report(self, entry: Entry) -> None:
        """Report a job that was held before this run."""
        assert entry.attempt is not None
        self._report(entry.slot, entry.attempt.id, plain(entry.note) or "the outcome is unknown")

    def _report(self, slot: Slot, attempt: int, reason: str) -> None:
        self._reported[attempt] = slot
        self._slots.give_up(slot, "held")
        self._context.emit(JobHeld(slot=slot, reason=reason))

    async def wait_for(self, entry: Entry) -> None:
        """Wait a while for the callback of a job that was held before this run."""
        attempt = entry.attempt
        assert attempt is not None
        left_s = self._callback_wait_s(job_of(attempt.job)) - (self._context.now() - attempt.intended_at)
        known = await self._named_by_callback(attempt.id, left_s)
        if known is None:
            self.report(entry)
        elif entry.fingerprint in (None, known.fingerprint):
            await self._restorer.collect_attempt(known, entry.slot, "asked")
        else:
            await self._restorer.collect_attempt(known, entry.slot, "earlier")
            reason = "the held job is here now; run again for what the file asks today"
            self._slots.give_up(entry.slot, reason)
            self._context.emit(Skipped(slot=entry.slot, reason=reason))
        self._slots.settle(entry.slot, "it could not be brought back")

    async def collect_late(self) -> None:
        """Bring home held jobs whose callback came after they were reported."""
        for number, slot in self._reported.items():
            known = await self._named_by_callback(number, 0.0) if number in self._hints else None
            if known is None:
                continue
            self._outcome.held = [h for h in self._outcome.held if h.slot != slot]
            self._slots[slot].why_not = ""
            self._book(known, slot)
            await self._restorer.collect_attempt(known, slot, "asked")

    # -- callbacks

    async def hear(self, hint: callbacks.Hint) -> None:
        """Give an undecided attempt the task id that a callback names for it."""
        number = callbacks.attempt_of(hint.token)
        if number is None:
            return
        for attempt in await self._context.ledger.attempts(states=("held", "intended")):
            token = callbacks.token_for(attempt.run_id, attempt.id)
            if attempt.id == number and secrets.compare_digest(token, hint.token):
                with contextlib.suppress(asyncio.QueueFull):
                    self._hints_of(number).put_nowait(hint.task_id)

    def _hints_of(self, attempt: int) -> asyncio.Queue[str]:
        return self._hints.setdefault(attempt, asyncio.Queue(_MOST_HINTS))

    def _callback_wait_s(self, job: Job) -> float:
        """Return for how long after a submission its callback is worth waiting for."""
        limits = self._context.limits
        usual_s = self.durations.usual_s(job, limits.expected_scale)
        return min(max(limits.net_s or 0.0, 3 * usual_s), limits.patience.timeout_s[job.modality])

    async def _named_by_callback(self, number: int, within_s: float) -> Attempt | None:
        """Return an undecided attempt with its task, once a callback names one that the provider shows."""
        hints, deadline = self._hints_of(number), asyncio.get_running_loop().time() + within_s
        while True:
            try:
                task_id = hints.get_nowait()
            except asyncio.QueueEmpty:
                try:
                    async with asyncio.timeout_at(deadline):
                        task_id = await self._stop.or_stopped(hints.get())
                except (TimeoutError, Unsent):
                    return None
            async with (
                self._deciding
            ):  # else two of them take one task, each of which is nobody's when it looks
                attempt = await self._context.ledger.attempt(number)
                if attempt.undecided and await self._is_its_task(attempt, task_id):
                    await self._context.ledger.decide(number, "task-id", task_id)
                    return await self._context.ledger.attempt(number)

    async def _is_its_task(self, attempt: Attempt, task_id: str) -> bool:
        """Whether the provider shows a task as this attempt's, and it belongs to no other one."""
        if await self._context.ledger.attempt_of_task(task_id):
            return False
        return await self._restorer.records.shows(job_of(attempt.job), task_id)

    def _book(self, attempt: Attempt, slot: Slot) -> None:
        """Count what this run paid for a task of which it heard by a callback."""
        if attempt.run_id == self._context.run_id and attempt.task_id is not None:
            self._spending.charged(attempt.task_id, attempt.credits)
            self._context.emit(Submitted(slot=slot, task_id=attempt.task_id, credits=attempt.credits))
