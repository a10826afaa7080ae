"""Makes one slot's assets: bind, submit, wait, conclude; then the fallback, where there is one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kiebatch import media
from kiebatch.errors import plain
from kiebatch.model import Attempt, Done, Job
from kiebatch.planning import Action, Entry, Reason
from kiebatch.provider import CallFailed, families
from kiebatch.provider.policy import SubmitVerdict
from kiebatch.running.binding import Binder, Bound
from kiebatch.running.boundary import of_this_task
from kiebatch.running.concluding import Concluder, failure_of
from kiebatch.running.durations import Durations
from kiebatch.running.elsewhere import Elsewhere, is_elsewhere
from kiebatch.running.events import JobFailed, Noticed, Skipped, Submitted
from kiebatch.running.late import LateDecision
from kiebatch.running.paid import PaidTask
from kiebatch.running.restoring import Restorer
from kiebatch.running.state import RunState
from kiebatch.running.stop import Lacking, StopCause, Unsent
from kiebatch.running.submission import Order, Sent, Submitter
from kiebatch.running.undecided import Undecided
from kiebatch.running.watching import Ended, GaveUp, Watch


class InFlight:
    """A place among the tasks that run at the provider at once; taken when made."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._taken = True

    async def take(self) -> None:
        if not self._taken:
            await self._places.acquire()
            self._taken = True

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._places.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a run that making a slot goes through."""

    binder: Binder
    submitter: Submitter
    watch: Watch
    concluder: Concluder
    restorer: Restorer
    undecided: Undecided
    late: LateDecision
    elsewhere: Elsewhere


class Maker:
    """Sees one slot through; a failure is a value, and ends nobody else's work."""

    def __init__(self, run: RunState, parts: Parts) -> None:
        self._context = run.context
        self._outcome = run.outcome
        self._slots = run.slots
        self._spending = run.spending
        self._stop = run.stop
        self._canaries = run.canaries
        self._parts = parts
        self.durations: Durations = parts.undecided.durations

    async def make(self, entry: Entry, rank: int, place: InFlight) -> None:
        """Make one slot's assets: its model first, then its fallback."""
        job = entry.job
        assert job is not None
        try:
            await self._parts.restorer.collect_earlier(entry.slot)
            decided = await self._parts.late.decide(entry)
            while decided.action is not Action.GENERATE:
                if await self._settled(decided, place):
                    return
                decided = await self._parts.late.decide(entry)
            job = decided.job or job
            failure = await self._try(decided, job, rank, place)
            if failure and job.fallback and self._stop.cause is None:
                failure = await self._fall_back(decided, job.fallback, failure, rank, place)
            if failure:
                self._fail(entry, job, failure)
        except Unsent as unsent:
            self._unsent(entry, unsent)
        except Exception as error:
            trouble = of_this_task(error)
            failure = failure_of(job, trouble.code, trouble.message, retryable=True, billed=None)
            self._fail(entry, job, failure)
        finally:
            place.leave()
            if self._slots[entry.slot].why_not != "held":  # then nobody knows, and the others wait a while
                self._canaries.land(entry.slot, job.model)
            self._slots.settle(entry.slot, "it was not made")

    def _unsent(self, entry: Entry, unsent: Unsent) -> None:
        if isinstance(unsent, Lacking):
            self._outcome.missing += 1
        self._slots.give_up(entry.slot, unsent.reason, missing=isinstance(unsent, Lacking))
        self._context.emit(Skipped(slot=entry.slot, reason=unsent.reason))

    async def _settled(self, decided: Entry, place: InFlight) -> bool:
        """Carry out what the last look decided in place of a purchase: kept, on its way, held, made before, stored.

        False where another film's task was waited for and came to nothing: then it is to be decided again.
        """
        if is_elsewhere(decided):
            place.leave()
            settled = await self._parts.elsewhere.take(decided)
            if not settled:
                await place.take()
            return settled
        if decided.settled:
            self._outcome.kept += 1
            self._slots.finish(decided.slot, decided.current)
        elif decided.action is Action.RESTORE:
            await self._parts.restorer.restore(decided)
        elif decided.action is Action.MISSING:
            self._parts.restorer.report_missing(decided.slot, plain(decided.note))
        else:
            self._parts.late.report_blocked(decided, self._parts.undecided)
        return True

    async def _fall_back(
        self, entry: Entry, fallback: Job, failure: JobFailed, rank: int, place: InFlight
    ) -> JobFailed | None:
        message = f"{entry.slot}: {plain(failure.message)}; trying {fallback.model} instead"
        self._context.emit(Noticed(message=message))
        self._spending.fell_back.append(failure)
        self._canaries.land(entry.slot, failure.model, plain(failure.message) or failure.code)
        await place.take()
        return await self._try(entry, fallback, rank, place)

    def _fail(self, entry: Entry, job: Job, failure: JobFailed) -> None:
        self._slots.give_up(entry.slot, f"it failed ({failure.code})")
        self._canaries.land(entry.slot, job.model, plain(failure.message) or failure.code)
        self._context.emit(failure)

    async def _try(self, entry: Entry, job: Job, rank: int, place: InFlight) -> JobFailed | None:
        """Send one job and see it through.  A failure that allows a fallback is returned, others are reported."""
        paused = self._canaries.paused(job.model)
        if paused and job.fallback:
            return failure_of(job, "canary", paused, retryable=True)
        try:
            bound = await self._parts.binder.bind(job)
        except CallFailed as failure:
            return failure_of(job, failure.code, failure.message, retryable=failure.retryable)
        except (media.Undecodable, OSError) as error:
            return failure_of(job, "bad-input", str(error), retryable=False)
        endpoint = families.get(job.family, job.endpoint)
        order = Order(
            slot=entry.slot,
            job=job,
            endpoint=endpoint,
            rank=rank,
            twin=entry.twin,
            seen=entry.seen,
            forced=entry.cause is Reason.FORCED,
        )
        sent = await self._submit(order, bound)
        while isinstance(sent, Attempt):
            if await self._settled(self._parts.late.taken(entry, sent), place):
                return None
            sent = await self._submit(order, bound)
        if sent.verdict.kind == "unknown":
            # The reservation stays: it may have been charged.
            place.leave()
            await self._parts.undecided.hold(entry.slot, sent.attempt, job, sent.verdict)
            return None
        if sent.verdict.kind != "accepted" or sent.verdict.task_id is None:
            return self._refused(order, sent)
        return await self._see_through(order, sent, sent.verdict.task_id, place)

    async def _submit(self, order: Order, bound: Bound) -> Sent | Attempt:
        """Submit with the price reserved; the room comes back only where certainly no task was made."""
        price = order.job.price.reserved
        self._spending.reserve(price)
        try:
            sent = await self._parts.submitter.submit(order, bound)
        except BaseException:
            self._spending.release(price)
            raise
        if isinstance(sent, Attempt) or sent.verdict.kind in ("refused", "stop"):
            self._spending.release(price)
        return sent

    def _refused(self, order: Order, sent: Sent) -> JobFailed:
        verdict = sent.verdict
        self._parts.concluder.ended_now.add(sent.attempt)
        if verdict.kind == "stop":
            self._stop_for(verdict)
        hint = ""
        if order.endpoint.current and verdict.code in ("404", "505") and order.job.family != "jobs":
            hint = f"this endpoint is closed; use the model `{order.endpoint.current}`"
        return failure_of(
            order.job, verdict.code, verdict.message or "refused", retryable=verdict.retryable, hint=hint
        )

    def _stop_for(self, verdict: SubmitVerdict) -> None:
        cause = StopCause.KEY if verdict.code in ("401", "403") else StopCause.CREDITS
        self._stop.submitting(cause, f"the provider says: {plain(verdict.message) or verdict.code}")

    async def _see_through(self, order: Order, sent: Sent, task_id: str, place: InFlight) -> JobFailed | None:
        job, price = order.job, order.job.price.amount
        self._spending.charged(task_id, price)
        self._context.emit(Submitted(slot=order.slot, task_id=task_id, credits=price))
        ended = await self._ended(order, sent, task_id)
        place.leave()
        task = PaidTask(
            attempt=sent.attempt,
            slot=order.slot,
            job=job,
            fingerprint=sent.bound.fingerprint,
            twin=sent.twin,
            edition=sent.edition,
            task_id=task_id,
            made_from=sent.bound.made_from,
            credits=price,
        )
        return await self._parts.concluder.conclude(task, ended)

    async def _ended(self, order: Order, sent: Sent, task_id: str) -> Ended:
        if order.endpoint.at_once:
            outputs = tuple(s.output for s in await self._context.ledger.outputs_of(sent.attempt))
            return Done(outputs=outputs) if outputs else GaveUp("no-output", "no result came")
        net_s = self._context.limits.net_s if order.endpoint.callback != "none" else None
        ended = await self._parts.watch.wait(order.job, order.endpoint, task_id, net_s=net_s)
        took_s = self._parts.watch.took_s(task_id)
        if took_s:
            self.durations.learn(order.job.model, took_s)
            await self._context.ledger.took(order.job.model, took_s)
        return ended
