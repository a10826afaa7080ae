"""Writes down how a task ended, and brings home what it made."""

from __future__ import annotations

from dataclasses import replace

from kiebatch.errors import plain
from kiebatch.model import Attempt, Done, Job, TaskFailed, same_words
from kiebatch.provider import policy
from kiebatch.running.binding import Binder
from kiebatch.running.boundary import of_this_task
from kiebatch.running.collecting import Collector, Lost
from kiebatch.running.events import JobFailed, JobHeld, Noticed
from kiebatch.running.paid import PaidTask
from kiebatch.running.spending import ROUNDING, unbelievable
from kiebatch.running.state import RunState
from kiebatch.running.stop import StopCause
from kiebatch.running.watching import Ended, GaveUp


class Concluder:
    """The end of every task, asked for today or not."""

    def __init__(self, run: RunState, collector: Collector, binder: Binder) -> None:
        self._context = run.context
        self._outcome = run.outcome
        self._slots = run.slots
        self._spending = run.spending
        self._stop = run.stop
        self._canaries = run.canaries
        self.collector = collector
        self._binder = binder
        self.ended_now: set[int] = set()  # attempts that came to nothing in this run

    async def conclude(self, task: PaidTask, ended: Ended) -> JobFailed | None:
        """Settle a task.  A failure is returned, for whoever may try a fallback; the rest is reported here."""
        if isinstance(ended, GaveUp):
            await self._gave_up(task, ended)
            return None
        owner = await self._held_owner(task, ended.words)
        if owner is not None:
            await self._give_back(task, owner)
            return None
        ended = self._believed(task, ended)
        if ended.credits is not None:
            await self._context.ledger.said_cost(task.attempt, ended.credits)
            self._spending.learned(task.task_id, ended.credits)
            self._compare(task, ended.credits)
        if isinstance(ended, TaskFailed):
            return await self._failed(task, ended)
        await self._collect(task, ended)
        return None

    async def _held_owner(self, task: PaidTask, words: str) -> Attempt | None:
        """Return the held job that a task was made for, where its record repeats that one's words and not ours.

        The answer to a submission that was lost may have named the very task that the next answer names.
        """
        if not words or not task.job.prompt or same_words(words, task.job.prompt):
            return None
        held = await self._context.ledger.attempts(states=("held", "intended"))
        theirs = (a for a in held if a.id != task.attempt and same_words(words, str(a.job.get("prompt", ""))))
        return next(theirs, None)

    async def _give_back(self, task: PaidTask, owner: Attempt) -> None:
        """Hold a job whose task is that of another one, which may have it now."""
        way_out = f"`kiebatch resolve {owner.slot} --task-id {plain(task.task_id)}`"
        reason = (
            f"the provider named a task whose record shows the words of {owner.slot}, which is held: {way_out} "
            "collects it there"
        )
        await self._context.ledger.held(task.attempt, reason)
        self._slots.give_up(task.slot, "held")
        self._context.emit(JobHeld(slot=task.slot, reason=reason))

    def _believed(self, task: PaidTask, ended: Done | TaskFailed) -> Done | TaskFailed:
        """Return an end without what its record says of the cost where that cannot be."""
        if ended.credits is None or not unbelievable(ended.credits):
            return ended
        says = f"the provider says that task {plain(task.task_id)} cost {ended.credits:g} credits"
        self._context.emit(Noticed(message=f"{task.slot}: {says}; that is not believed", level="warning"))
        return replace(ended, credits=None)

    def _compare(self, task: PaidTask, credits: float) -> None:
        """Say that a job cost more than its price; send nothing more where the person wants that."""
        price = task.job.price.amount
        if price is None or credits <= price + ROUNDING:
            return
        says = f"{task.slot} ({task.job.model}) cost {credits:g} credits, and its price was {price:g}"
        self._context.emit(Noticed(message=says, level="warning"))
        if self._context.limits.stop_on_overcharge and self._spending.is_ours(task.task_id):
            self._stop.submitting(StopCause.OVERCHARGE, says)

    async def _gave_up(self, task: PaidTask, ended: GaveUp) -> None:
        if ended.code == "refused":
            self._stop.submitting(StopCause.KEY, f"the provider says: {plain(ended.message)}")
        elif ended.code == "timeout":
            await self._context.ledger.seen(task.attempt, ended.state)
        else:
            await self._context.ledger.lost(task.attempt, ended.code, ended.message)
        self.uncollected(task, ended.code, ended.message)

    async def _failed(self, task: PaidTask, ended: TaskFailed) -> JobFailed:
        if policy.could_not_fetch(ended.code, ended.message):
            await self._binder.forget_addresses(task.job)
        billed = None if ended.refunded is None else not ended.refunded
        await self._context.ledger.failed(
            task.attempt,
            ended.code,
            ended.message,
            retryable=ended.retryable,
            billed=billed,
        )
        self.ended_now.add(task.attempt)
        self._spending.failed(task.task_id, billed=billed)
        return failure_of(
            task.job,
            ended.code,
            ended.message,
            task_id=task.task_id,
            retryable=ended.retryable,
            billed=billed,
            hint="a later run does it again, as a new charge" if ended.retryable else "",
        )

    async def _collect(self, task: PaidTask, done: Done) -> None:
        try:
            got = await self.collector.collect(task, done)
        except Exception as error:
            # Whatever a medium, a name or an entry raises is this task's trouble: kept, shown, tried again.
            trouble = of_this_task(error)
            await self._context.ledger.lost(task.attempt, trouble.code, trouble.message)
            self.uncollected(task, trouble.code, trouble.message)
            return
        if isinstance(got, Lost):
            self.uncollected(task, got.code, got.message)
            return
        self._canaries.land(task.slot, task.job.model)
        self._outcome.assets.extend(got)
        if task.asked:
            self._outcome.succeeded += 1
            self._slots.finish(task.slot, got)
        elif task.standing == "earlier":
            self._slots[task.slot].line = got

    def uncollected(self, task: PaidTask, code: str, message: str) -> None:
        """Report a paid task whose result is not here; it is kept, and nothing is sent in its place."""
        if task.asked:
            self._slots.give_up(task.slot, plain(message))
        broken = "" if code in ("timeout", "refused") else plain(message)
        self._canaries.land(task.slot, task.job.model, broken)
        hint = "the task is kept: the next run collects it at no cost"
        if code == "not-found":
            hint = (
                f"if its id is wrong: `kiebatch resolve '{task.slot}' --task-id T`, or --forget; the next run asks "
                "again"
            )
        failure = failure_of(
            task.job, code, message, task_id=task.task_id, retryable=True, billed=True, hint=hint
        )
        self._context.emit(failure)


def failure_of(
    job: Job,
    code: str,
    message: str,
    *,
    task_id: str | None = None,
    retryable: bool,
    billed: bool | None = False,
    hint: str = "",
) -> JobFailed:
    """Return a job's failure in words that are safe to print."""
    return JobFailed(
        slot=job.slot,
        model=job.model,
        task_id=task_id,
        code=plain(code, 60),
        message=plain(message),
        retryable=retryable,
        billed=billed,
        hint=hint,
    )
