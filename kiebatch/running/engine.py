"""Wires the parts of a run, and carries out a plan with them.

For every job, in this order: a start in the rate window, the intent in the ledger, the submission, the task id
in the ledger, the outputs, the assets.  A submission whose outcome is unknown is held and never sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from kiebatch.errors import Refused, plain
from kiebatch.model import Attempt, Job, Slot
from kiebatch.planning import Action, Entry, Plan, Reason
from kiebatch.provider import CallFailed, callbacks
from kiebatch.running.binding import Binder, References
from kiebatch.running.canaries import Canaries
from kiebatch.running.checking import Checker, Tools
from kiebatch.running.collecting import Collector
from kiebatch.running.concluding import Concluder, failure_of
from kiebatch.running.context import RunContext
from kiebatch.running.durations import Durations
from kiebatch.running.elsewhere import Elsewhere, is_elsewhere
from kiebatch.running.events import Noticed, Skipped
from kiebatch.running.keeping import Keeper
from kiebatch.running.late import LateDecision
from kiebatch.running.making import InFlight, Maker, Parts
from kiebatch.running.outcome import Outcome
from kiebatch.running.records import TaskRecords
from kiebatch.running.restoring import Restorer
from kiebatch.running.schedule import Schedule
from kiebatch.running.slots import SlotBook
from kiebatch.running.spending import ROUNDING, Spending
from kiebatch.running.state import RunState
from kiebatch.running.stop import Stop, StopCause, Unsent
from kiebatch.running.submission import Submitter
from kiebatch.running.undecided import Undecided
from kiebatch.running.watching import Watch


@dataclass(frozen=True, slots=True)
class Experience:
    """What earlier runs know of a model: how long its tasks took in seconds, and whether one has succeeded."""

    durations: Callable[[str], list[float]]
    has_succeeded: Callable[[str], bool]


class Engine:
    """One run of one plan."""

    def __init__(
        self,
        plan: Plan,
        context: RunContext,
        outcome: Outcome,
        references: References,
        experience: Experience,
        balance: float | None,
        checking: Tools,
    ) -> None:
        self.plan = plan
        self.outcome = outcome
        self._context = context
        self._known_good = experience.has_succeeded
        self._slots = SlotBook()
        self._checker = Checker(plan, context, outcome, self._slots, checking)
        self._slots.finished = self._checker.arrived
        self.stop = Stop(self._slots.changed.set)
        self._spending = Spending(outcome, self.stop, cap=context.limits.max_credits, balance=balance)
        self._canaries = Canaries()
        run = RunState(
            context=context,
            outcome=outcome,
            slots=self._slots,
            spending=self._spending,
            stop=self.stop,
            canaries=self._canaries,
        )
        durations = Durations(experience.durations)
        records = TaskRecords(context)
        self._binder = Binder(context, self._slots, references)
        self._watch = _watch(context, durations)
        self._keeper = Keeper(context)
        collector = Collector(context, self._slots, records, self._keeper)
        concluder = Concluder(run, collector, self._binder)
        self._restorer = Restorer(run, self._binder, self._watch, concluder, records)
        self._undecided = Undecided(run, durations, self._restorer)
        self._late = LateDecision(run, plan, self._binder, concluder)
        self._elsewhere = Elsewhere(run, self._binder, self._restorer, self._undecided)
        parts = Parts(
            binder=self._binder,
            submitter=Submitter(run, self._binder),
            watch=self._watch,
            concluder=concluder,
            restorer=self._restorer,
            undecided=self._undecided,
            late=self._late,
            elsewhere=self._elsewhere,
        )
        self._maker = Maker(run, parts)
        self._schedule = Schedule(run, durations)
        self._trouble: Exception | None = None
        self._hearing: set[asyncio.Task[None]] = set()

    async def run(self) -> Outcome:
        """Do what the plan says.  Returns when everything submitted is collected, failed or held."""
        entries = [e for e in self.plan.entries if e.selected]
        self._begin(entries)
        awaited = [e for e in entries if self._awaits_callback(e)]
        for entry in entries:
            if entry not in awaited:
                self._report(entry)
        waiting = self._schedule.ordered([e for e in entries if e.work])
        self._choose_canaries(waiting)
        try:
            async with self._flushing(), asyncio.TaskGroup() as group:
                await self._start_all(group, waiting, awaited)
            await self._bring_home(entries)
        except BaseExceptionGroup as many:
            raise _first(many) from None
        finally:
            for task in (*self._binder.tasks, *self._hearing, *self._checker.tasks):
                task.cancel()
            await self._context.manifest.flush(force=True)
        self._fail_what_was_not_made(entries)
        await self._settle()
        self._close()
        return self.outcome

    async def _bring_home(self, entries: Sequence[Entry]) -> None:
        """Finish what goes on when nothing is in flight any more; raise what ended the run."""
        if self._trouble:
            raise self._trouble
        await self._undecided.collect_late()
        await self._keeper.drain()
        interrupted = self.stop.cause is StopCause.INTERRUPTED
        await self._checker.finish(() if interrupted else entries)

    def _close(self) -> None:
        self.outcome.stopped = self.stop.cause
        self.outcome.stopped_because = self.stop.because
        as_it_stands = self._context.manifest.as_it_stands
        self.outcome.assets = [as_it_stands(a) for a in self.outcome.assets]

    # -- the beginning

    def _begin(self, entries: Sequence[Entry]) -> None:
        """Take over what the plan knows of each slot."""
        self.outcome.planned = sum(1 for e in entries if e.work)
        self.outcome.kept = sum(1 for e in entries if e.settled)
        self.outcome.estimated = self.plan.credits()
        for entry in self.plan.entries:
            state = self._slots[entry.slot]
            state.line = entry.current
            if entry.settled or not entry.selected:
                state.made = entry.current
        self._restorer.know(self.plan.entries, self._earlier())
        if self.plan.assignment:
            self._context.manifest.displace(self.plan.assignment.displaced())

    def _choose_canaries(self, waiting: Sequence[Entry]) -> None:
        """Let one job of each model go first, where the run is to learn from it what the others would do."""
        if self._context.limits.canary:
            models = [e.job.model for e in waiting if e.job and e.action is Action.GENERATE]
            self._canaries.choose(models, self._context.limits.canary_from, self._known_good)

    def _earlier(self) -> dict[Slot, list[Attempt]]:
        """Return the tasks that nobody asks for any more, by the slot of today that they were made for."""
        found: dict[Slot, list[Attempt]] = {}
        for attempt in self.plan.collect:
            slot = self.plan.assignment.slot_of(attempt) if self.plan.assignment else attempt.slot
            found.setdefault(slot, []).append(attempt)
        return found

    def _awaits_callback(self, entry: Entry) -> bool:
        listens = self._context.limits.net_s is not None
        held = entry.attempt if entry.cause is Reason.HELD else None
        return listens and held is not None and not held.elsewhere

    def _report(self, entry: Entry) -> None:
        """Say what the plan leaves alone although somebody should know."""
        if entry.action is Action.BLOCKED:
            self._late.report_blocked(entry, self._undecided)
        elif entry.action is Action.MISSING:
            self._restorer.report_missing(entry.slot, plain(entry.note))
        elif entry.action is Action.ALTERED:
            self._warn(entry)

    def _warn(self, entry: Entry) -> None:
        self._context.emit(Noticed(message=f"{entry.slot}: {plain(entry.note)}", level="warning"))

    # -- the middle

    @contextlib.asynccontextmanager
    async def _flushing(self) -> AsyncIterator[None]:
        flushing = asyncio.create_task(self._context.manifest.keep_flushing())
        try:
            yield
        finally:
            flushing.cancel()

    async def _start_all(
        self, group: asyncio.TaskGroup, waiting: list[Entry], awaited: Sequence[Entry]
    ) -> None:
        def start(work: Callable[..., Awaitable[None]], *args: object) -> None:
            group.create_task(self._guarded(work, *args))

        to_come = {e.slot for e in waiting}
        for slot, attempts in self._restorer.unasked().items():
            if slot not in to_come:
                start(self._restorer.collect_unasked, attempts, slot)
        for entry in awaited:
            start(self._undecided.wait_for, entry)
        await self._schedule.feed(waiting, self, start)

    async def make(self, entry: Entry, rank: int, place: InFlight) -> None:
        await self._maker.make(entry, rank, place)

    async def restore(self, entry: Entry) -> None:
        if is_elsewhere(entry):
            await self._take(entry)
        else:
            await self._restorer.restore(entry)

    async def _take(self, entry: Entry) -> None:
        """Take what another film of the account has."""
        try:
            await self._restorer.collect_earlier(entry.slot)
            if not await self._elsewhere.take(entry):
                await self.leave_unsent(entry, "what another film was having made came to nothing; run again")
        except Unsent as unsent:
            await self.leave_unsent(entry, unsent.reason)
        finally:
            self._slots.settle(entry.slot, "it could not be brought back")

    async def leave_unsent(self, entry: Entry, reason: str) -> None:
        """Leave a job unsent, but bring home what was paid for its slot before."""
        self._slots.give_up(entry.slot, reason)
        self._context.emit(Skipped(slot=entry.slot, reason=reason))
        await self._restorer.collect_earlier(entry.slot)

    async def _guarded(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """Do one thing; an error ends the run, but only when everything in the air has been written down.

        A task group would cancel the others, and a submission that is cut off is a held job.
        """
        try:
            await work(*args)
        except Exception as error:
            if self._trouble is None:
                self._trouble = error
            self.stop.submitting(StopCause.TROUBLE, plain(str(error)))

    def heard(self, hint: callbacks.Hint) -> None:
        """Handle a callback: an unverified hint that only triggers a status read.  Never blocks."""
        self._watch.nudge(hint.task_id)
        hearing = asyncio.get_running_loop().create_task(self._undecided.hear(hint))
        self._hearing.add(hearing)
        hearing.add_done_callback(self._hearing.discard)

    # -- the end

    def _fail_what_was_not_made(self, entries: Sequence[Entry]) -> None:
        """Report selected jobs that came to nothing without anybody having said so."""
        if self.stop.cause is not None:
            return
        told = {f.slot for f in self.outcome.failures} | {h.slot for h in self.outcome.held}
        blocked = {entry.slot for entry in self.plan.blocked}
        for entry in entries:
            asked = entry.work or entry.slot in blocked
            if not asked or entry.slot in told or self._for_a_missing_file(entry):
                continue
            if entry.job and self._slots[entry.slot].made is None:
                why = self._why_not_made(entry, entry.job)
                self._context.emit(failure_of(entry.job, "not-made", why, retryable=True))

    def _why_not_made(self, entry: Entry, job: Job) -> str:
        if not entry.work and all(map(self._slots.made, job.needs)):
            return "what it starts from is here now: run again"  # a held job that was heard of in this run
        return self._slots[entry.slot].why_not

    def _for_a_missing_file(self, entry: Entry) -> bool:
        """Whether a job was not made because a file is gone, its own or one upstream."""
        needs = entry.job.needs if entry.job else ()
        return self._slots[entry.slot].missing or any(self._slots[slot].missing for slot in needs)

    async def _settle(self) -> None:
        """Read the balance once more where this run has paid: `audit` needs it, and it may tell what failures cost."""
        if not self._spending.paid or self.stop.cause in (StopCause.INTERRUPTED, StopCause.KEY):
            return
        if self._context.balances.nobodys:
            return
        try:
            after = await self._context.balances.read(attempts=1)
        except (CallFailed, Refused):
            return
        if self.stop.cause is None and not self.outcome.held:
            await self._settle_failures(after)
        beyond = self._spending.beyond(after)
        if beyond:
            beyond = round(beyond - await self._context.ledger.spent_by_others(self._context.run_id), 4)
        if beyond > ROUNDING:
            message = f"the account lost {beyond:g} credits more than this run's jobs cost"
            self._context.emit(Noticed(message=f"{message}: `kiebatch audit` shows when"))

    async def _settle_failures(self, balance: float) -> None:
        """Take from the balance whether failed tasks were refunded, where the provider did not say (protocol 2.4)."""
        unsure = self._spending.unsure()
        billed = self._spending.settled_by(balance) if unsure else None
        if billed is None:
            return
        await self._context.ledger.settle([f.task_id for f in unsure if f.task_id], billed=billed)
        self.outcome.settle(unsure, billed=billed)


def _watch(context: RunContext, durations: Durations) -> Watch:
    return Watch(
        context.reads,
        past=durations.of,
        emit=context.emit,
        patience=context.limits.patience,
        scale=context.limits.expected_scale,
    )


def _first(many: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception that ends the run: the first real one inside nested groups."""
    for error in many.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return many
