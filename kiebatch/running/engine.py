"""Runs a Plan: submit, poll, download, record; bounded, resumable, cancellable; emits events.

For every job, in this order: a place in the rate window, the intent in the journal, the submission, the task id
in the journal, the outputs, the assets.  A submission whose outcome is unknown is held and never sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from kiebatch import files, media
from kiebatch.errors import KieBatchError, Refused, plain
from kiebatch.model import (
    Absent,
    Asset,
    Attempt,
    Done,
    Job,
    Slot,
    TaskFailed,
    fingerprints,
    job_of,
    job_record,
)
from kiebatch.planning import Entry, Plan, gave_up, older_version, upstream_first
from kiebatch.provider import (
    Booking,
    CallFailed,
    Client,
    Gate,
    Reads,
    RetryBudget,
    callbacks,
    families,
    policy,
)
from kiebatch.provider.policy import SubmitVerdict
from kiebatch.record import Journal, ManifestWriter, ResultCache
from kiebatch.running.binding import Binder, Bound, Lacking, Unsent
from kiebatch.running.collecting import Collector, Lost, Offload
from kiebatch.running.events import Event, JobFailed, JobHeld, Noticed, Skipped, Submitted
from kiebatch.running.outcome import Limits, Outcome
from kiebatch.running.watching import Ended, GaveUp, Watch
from kiebatch.workspace import Workspace

T = TypeVar("T")

_LAST_WORD_S = 0.5  # what an answer on its way still gets when the user leaves at once
_FRESH = 0.02  # of the window: for so long a place in it is good
_WORDS = 8  # callbacks that are kept for one undecided attempt


class _Line:
    """Lets one in at a time, the lowest rank first."""

    def __init__(self) -> None:
        self._busy = False
        self._came = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        if self._busy:
            self._came += 1
            ours = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (rank, self._came, ours))
            try:
                await ours
            except BaseException:
                if ours.done() and not ours.cancelled():
                    self._next()
                raise
        self._busy = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        self._busy = False
        while self._waiting:
            _, _, first = heapq.heappop(self._waiting)
            if not first.done():
                self._busy = True
                first.set_result(None)
                return


class Engine:
    """One run of one plan."""

    def __init__(
        self,
        plan: Plan,
        *,
        run_id: str,
        workspace: Workspace,
        client: Client,
        gate: Gate,
        journal: Journal,
        record: ManifestWriter,
        limits: Limits,
        now: Callable[[], float],
        offload: Offload,
        emit: Callable[[Event], object],
        store: ResultCache | None = None,
        local_path: Callable[[str], Path],
        media_digest: Callable[[str], str | None],
        balance: float | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.workspace = workspace
        self.client = client
        self.gate = gate
        self.journal = journal
        self.record = record
        self.limits = limits
        self.now = now
        self.offload = offload
        self.store = store
        self.outcome = Outcome(run_id=run_id)
        self._emit_to = emit
        self._balance = balance
        self._rng = rng or random.Random()
        self._reserved = 0.0
        self._made: dict[Slot, tuple[Asset, ...]] = {}
        self._lines: dict[Slot, tuple[Asset, ...]] = {}
        self._told: dict[
            int, asyncio.Queue[str]
        ] = {}  # of an undecided attempt: the tasks that callbacks name
        self._reported: dict[int, Slot] = {}  # attempts that were reported as held
        self._not_made: dict[Slot, str] = {}
        self._actions = {e.slot: e.action for e in plan.entries}
        self._slots: dict[tuple[str, str, int], list[Slot]] = {}
        for entry in plan.entries:
            if entry.job:
                self._slots.setdefault(_place(entry.slot), []).append(entry.slot)
        self._rank: dict[Slot, int] = {}
        self._line = _Line()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._entered = asyncio.Event()  # something new is in the record
        self._trouble: Exception | None = None
        self._running = asyncio.Semaphore(limits.in_flight)
        self._storing = asyncio.Lock()
        self._downloading = asyncio.Semaphore(limits.downloads)
        self._ours: dict[str, float] = {}  # tasks of this run, with what they cost
        self._ended_now: set[int] = set()  # attempts that came to nothing in this run
        self._fell_back: list[JobFailed] = []  # failures in whose place a fallback was sent
        self._collecting: dict[Slot, list[Attempt]] = {}
        self._canaries: dict[
            str, Slot | None
        ] = {}  # of a model: the slot that goes alone, None until it is chosen
        self._landed: dict[str, asyncio.Event] = {}
        self._broken_models: dict[str, str] = {}
        self._refused_since: float | None = None
        self._closed_until = 0.0  # the loop's time until which the provider is left in peace
        self._closings = 0  # in a row
        self._binder = Binder(
            workspace=workspace,
            client=client,
            journal=journal,
            record=record,
            made=self._made,
            local_path=local_path,
            media_digest=media_digest,
            offload=offload,
            now=now,
            emit=self._emit,
        )
        budget = RetryBudget(
            rng=rng, notice=lambda sentence: self._emit(Noticed(message=sentence, level="warning"))
        )
        self._reads = Reads(client, gate, limits.poll_rate, budget)
        self.watch = Watch(
            self._reads,
            past=journal.durations,
            emit=self._emit,
            patience=limits.patience,
            scale=limits.expected_scale,
        )
        self._collector = Collector(
            workspace=workspace,
            client=client,
            journal=journal,
            record=record,
            store=store,
            emit=self._emit,
            now=now,
            offload=offload,
            ask_again=self._ask_again,
        )

    # -- the run

    async def run(self) -> Outcome:
        """Do what the plan says.  Returns when everything submitted is collected, failed or held."""
        entries = [e for e in self.plan.entries if e.selected]
        out = self.outcome
        out.planned = sum(1 for e in entries if e.work)
        out.kept = sum(1 for e in entries if e.action in ("keep", "altered"))
        out.estimated = self.plan.credits()
        for entry in self.plan.entries:
            self._lines[entry.slot] = entry.current
            if entry.action in ("keep", "altered") or not entry.selected:
                self._made[entry.slot] = entry.current
        awaited = [e for e in entries if e.reason == "held" and e.attempt and self.limits.net_s is not None]
        for entry in entries:
            if entry in awaited:
                continue
            if entry.action == "blocked":
                self._report_blocked(entry)
            elif entry.action == "missing":
                out.missing += 1
                self._not_made[entry.slot] = "its file is missing"
                self._emit(Noticed(message=f"{entry.slot}: {plain(entry.note)}", level="warning"))
            elif entry.action == "altered":
                self._emit(Noticed(message=f"{entry.slot}: {plain(entry.note)}", level="warning"))
        for attempt in self.plan.collect:
            self._collecting.setdefault(self._slot_of(attempt), []).append(attempt)
        waiting = [e for e in entries if e.work]
        if self.limits.order == "fastest":
            waiting = self._fastest_first(waiting)
        self._rank = {e.slot: n for n, e in enumerate(waiting)}
        self._choose_canaries(waiting)
        flushing = asyncio.create_task(self._flush_now_and_then())
        try:
            async with asyncio.TaskGroup() as group:
                to_come = {e.slot for e in waiting}
                for slot, attempts in list(self._collecting.items()):
                    if slot not in to_come:
                        group.create_task(self._guarded(self._collect_old, attempts, slot))
                for entry in awaited:
                    group.create_task(self._guarded(self._await_word, entry))
                await self._feed(waiting, group)
            if self._trouble:
                raise self._trouble
            await self._resolve_late()
        except BaseExceptionGroup as many:
            raise _first(many) from None
        finally:
            for task in (flushing, *self._binder.tasks):
                task.cancel()
            self.record.flush(force=True)
        await self._settle_failures()
        out.assets = [self.record.as_it_stands(a) for a in out.assets]
        return out

    async def _guarded(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Do one thing; an error ends the run, but only when everything in the air has been written down.

        A task group would cancel the others, and a submission that is cut off is a held job.
        """
        try:
            await work(*args)
        except Exception as error:
            if self._trouble is None:
                self._trouble = error
            self.stop_submitting("trouble", plain(str(error)))

    def stop_submitting(self, why: str, because: str = "") -> None:
        """Send nothing more; what is paid for is still collected.

        At the cap of the budget, what has its price reserved is still sent.
        """
        if not self.outcome.stopped:
            self.outcome.stopped = why
            self.outcome.stopped_because = because
        if why != "budget":
            self._stop.set()
        self._changed.set()

    @property
    def stopping(self) -> bool:
        return bool(self.outcome.stopped)

    def _emit(self, event: Event) -> None:
        match event:
            case JobFailed():
                self.outcome.failures.append(event)
            case JobHeld():
                self.outcome.held.append(event)
            case Skipped():
                self.outcome.skipped.append(event)
            case _:
                pass
        self._emit_to(event)

    async def _flush_now_and_then(self) -> None:
        while True:
            await self._entered.wait()
            self._entered.clear()
            while (due_s := self.record.due_in_s) is not None:
                await asyncio.sleep(max(0.05, due_s))
                try:
                    self.record.flush()
                except KieBatchError:  # it is tried again, and told, at the end
                    break

    async def _or_stopped(self, work: Awaitable[T]) -> T:
        """Wait for something, unless the run stops first: then `Unsent`."""
        doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                raise Unsent(self._why_stopped)
            return doing.result()
        finally:
            doing.cancel()
            stopping.cancel()

    @property
    def _why_stopped(self) -> str:
        return self.outcome.stopped_because or self.outcome.stopped

    def _report_blocked(self, entry: Entry) -> None:
        self._not_made[entry.slot] = entry.reason
        if entry.reason == "held":
            if entry.attempt:
                self._reported[entry.attempt.id] = entry.slot
            self._emit(JobHeld(slot=entry.slot, reason=plain(entry.note) or "the outcome is unknown"))
        elif entry.reason == "failed before" and entry.attempt:
            self._emit(_failed_before(entry.slot, entry.attempt))
        else:
            self._emit(Skipped(slot=entry.slot, reason=entry.reason))

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
            length[job.slot] = self._usual_s(job) + longest
        return sorted(waiting, key=lambda e: -length.get(e.slot, 0.0))

    def _usual_s(self, job: Job) -> float:
        past = self.journal.durations(job.model)
        return past[len(past) // 2] if past else job.expected_s

    def _choose_canaries(self, waiting: Sequence[Entry]) -> None:
        if not self.limits.canary:
            return
        counts: dict[str, int] = {}
        for entry in waiting:
            if entry.job and entry.action == "generate":
                counts[entry.job.model] = counts.get(entry.job.model, 0) + 1
        for model, count in counts.items():
            if count >= self.limits.canary_from and not self.journal.has_succeeded(model):
                self._canaries[model] = None
                self._landed[model] = asyncio.Event()

    async def _feed(self, waiting: list[Entry], group: asyncio.TaskGroup) -> None:
        """Start jobs in order, each when what it starts from is made and a place in flight is free."""
        while waiting:
            self._changed.clear()
            chosen: Entry | None = None
            for entry in waiting:
                verdict = self._ready(entry)
                if verdict == "wait":
                    continue
                chosen = entry
                break
            if chosen is None:
                await self._changed.wait()
                continue
            reason = self._why_not(chosen)
            if reason:
                waiting.remove(chosen)
                group.create_task(self._guarded(self._unsent, chosen, reason))
                continue
            if chosen.action == "restore":
                waiting.remove(chosen)
                group.create_task(self._guarded(self._restore, chosen))
                continue
            acquire = asyncio.ensure_future(self._running.acquire())
            change = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({acquire, change}, return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
            if not acquire.done():
                acquire.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await acquire
                if not acquire.cancelled():
                    self._running.release()
                continue
            waiting.remove(chosen)
            model = chosen.job.model if chosen.job else ""
            if model in self._canaries and self._canaries[model] is None:
                self._canaries[model] = chosen.slot
                group.create_task(self._guarded(self._let_the_others_go, model))
            group.create_task(self._guarded(self._generate, chosen))

    def _ready(self, entry: Entry) -> Literal["go", "wait"]:
        if entry.action != "generate" or not entry.job or self._why_not(entry):
            return "go"
        if self._canaries.get(entry.job.model) is not None and not self._landed[entry.job.model].is_set():
            return "wait"
        return "wait" if any(slot not in self._made for slot in entry.job.needs) else "go"

    def _why_not(self, entry: Entry) -> str:
        """Return why an entry will not be sent, or nothing.  What is paid for is collected whatever happens."""
        if entry.action != "generate" or not entry.job:
            return ""
        for slot in entry.job.needs:
            if slot in self._not_made:
                return f"upstream {slot}: {self._not_made[slot]}"
        return self._why_stopped if self.stopping else ""

    async def _unsent(self, entry: Entry, reason: str) -> None:
        """Leave a job unsent, but bring home what was paid for its slot before."""
        self._skip(entry.slot, reason)
        await self._collect_first(entry)

    def _skip(self, slot: Slot, reason: str) -> None:
        self._not_made[slot] = reason
        self._changed.set()
        self._emit(Skipped(slot=slot, reason=reason))

    async def _let_the_others_go(self, model: str) -> None:
        """Open the door behind a canary, when it has landed or after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.canary_s):
                await self._landed[model].wait()
        self._landed[model].set()
        self._changed.set()

    def _land(self, slot: Slot, model: str, broken: str = "") -> None:
        """Note that a job is over.  Was it its model's canary, the others go; with `broken` they stay unsent."""
        if self._canaries.get(model) == slot and not self._landed[model].is_set():
            if broken:
                self._broken_models[model] = broken
            self._landed[model].set()

    def _grounded(self, model: str) -> str:
        broken = self._broken_models.get(model)
        return f"the first job of {model} failed: {broken}" if broken else ""

    # -- one job

    async def _generate(self, entry: Entry) -> None:
        """Make one slot's assets: its model first, then its fallback.  Comes with a place in flight."""
        job = entry.job
        assert job is not None
        place = _Place(self._running)
        try:
            collected = await self._collect_first(entry)
            if (collected or entry.fingerprint is None) and await self._settled_by_the_past(entry, job):
                return
            failure = None
            if job.fallback and self._grounded(job.model):
                failure = _failed(
                    job, None, "canary", self._grounded(job.model), retryable=True, billed=False
                )
            else:
                failure = await self._make(entry, job, place)
            if failure and job.fallback and not self.stopping:
                message = f"{entry.slot}: {plain(failure.message)}; trying {job.fallback.model} instead"
                self._emit(Noticed(message=message))
                self._fell_back.append(failure)
                self._land(entry.slot, job.model, plain(failure.message) or failure.code)
                await place.take()
                failure = await self._make(entry, job.fallback, place)
            if failure:
                self._fail(entry, job, failure)
        except Unsent as unsent:
            if isinstance(unsent, Lacking):
                self.outcome.missing += 1
            self._skip(entry.slot, unsent.reason)
        finally:
            place.leave()
            if self._not_made.get(entry.slot) != "held":  # then nobody knows, and the others wait a while
                self._land(entry.slot, job.model)
            if entry.slot not in self._made:
                self._not_made.setdefault(entry.slot, "it was not made")
            self._changed.set()

    def _fail(self, entry: Entry, job: Job, failure: JobFailed) -> None:
        self._not_made[entry.slot] = f"it failed ({failure.code})"
        self._land(entry.slot, job.model, plain(failure.message) or failure.code)
        self._emit(failure)

    async def _collect_first(self, entry: Entry) -> bool:
        """Bring home what was paid for this slot before, so that the new version comes after it."""
        attempts = self._collecting.pop(entry.slot, [])
        if attempts:
            await self._collect_old(attempts, entry.slot)
        return bool(attempts)

    async def _settled_by_the_past(self, entry: Entry, job: Job) -> bool:
        """Whether this very request is answered already, paid for and on its way, or failed in this run.

        A plan cannot tell while something that the job starts from is not made; now it is, and so the
        fingerprint is known.
        """
        if entry.reason == "forced":
            return False
        asked = {p for j in (job, job.fallback) if j for p in fingerprints(j, self._binder.digest)}
        line = self._lines.get(entry.slot, ())
        if line and all(a.draft == self.workspace.draft and self._there(a) for a in line):
            accepted = any(a.fingerprint in asked or a.extra.get("accepted") in asked for a in line)
            if accepted:
                self.outcome.kept += 1
                self._finish(entry.slot, line)
                return True
        recorded = {a.task_id for a in self.record.manifest.assets}
        states = ("submitted", "lost", "held", "intended", "failed", "refused", "saved")
        for attempt in self.journal.attempts(states=states, scene=str(entry.slot.scene)):
            if self._slot_of(attempt) != entry.slot or attempt.fingerprint not in asked:
                continue
            if attempt.state == "saved" and attempt.job and attempt.task_id not in recorded:
                await self._collect_attempt(attempt, entry.slot, current=True)
                return True
            if attempt.open or attempt.undecided:
                self._not_made[entry.slot] = "it is paid for and not here yet" if attempt.open else "held"
                return True
            over = gave_up(attempt) and not attempt.may_resubmit
            if over and (attempt.id in self._ended_now or not attempt.retryable):
                self._not_made[entry.slot] = f"it failed ({attempt.code})"
                if attempt.id not in self._ended_now:
                    self._emit(_failed_before(entry.slot, attempt))
                return True
        older = self._older(entry.slot, asked)
        if older:
            self._again(entry, older)
            return True
        stored = [p for p in asked if self.store and (p, entry.slot.take) in self.store]
        if stored:
            await self._from_store(replace(entry, fingerprint=stored[0]))
            return True
        return False

    async def _make(self, entry: Entry, job: Job, place: _Place) -> JobFailed | None:
        """Send one job and see it through.  A failure that allows a fallback is returned, others are reported."""
        try:
            bound = await self._binder.bind(job)
        except CallFailed as failure:
            return _failed(
                job, None, failure.code, failure.message, retryable=failure.retryable, billed=False
            )
        except (media.Undecodable, OSError) as error:
            return _failed(job, None, "bad-input", str(error), retryable=False, billed=False)
        endpoint = families.get(job.family, job.endpoint)
        price = job.price.reserved
        self._reserve(price)
        try:
            attempt, verdict, bound = await self._submit(entry, job, bound, endpoint)
        except BaseException:
            self._unreserve(price)
            raise
        if verdict.kind != "accepted" or verdict.task_id is None:
            if verdict.kind == "unknown":
                # The reservation stays: it may have been charged.
                place.leave()
                await self._hold(entry.slot, attempt, job, verdict)
                return None
            self._unreserve(price)
            self._ended_now.add(attempt)
            if verdict.kind == "stop":
                self._stop_for(verdict)
            hint = endpoint.current and f"this endpoint is closed; use the model `{endpoint.current}`"
            closed = verdict.code in ("404", "505") and job.family != "jobs"
            return _failed(
                job,
                None,
                verdict.code,
                verdict.message or "refused",
                retryable=verdict.retryable,
                billed=False,
                hint=hint if closed else "",
            )
        task_id = verdict.task_id
        self.outcome.spent += price or 0.0
        self._ours[task_id] = price or 0.0
        self._emit(Submitted(slot=entry.slot, task_id=task_id, credits=price))
        ended: Ended
        if endpoint.at_once:
            outputs = tuple(s.output for s in self.journal.outputs_of(attempt))
            ended = Done(outputs=outputs) if outputs else GaveUp("no-output", "no result came")
        else:
            net_s = self.limits.net_s if endpoint.callback != "none" else None
            ended = await self.watch.wait(job, endpoint, task_id, net_s=net_s)
            took_s = self.watch.took_s(task_id)
            if took_s:
                self.journal.took(job.model, took_s)
        place.leave()
        return await self._conclude(
            entry.slot, attempt, job, bound.fingerprint, task_id, ended, bound.made_from, price
        )

    def _there(self, asset: Asset) -> bool:
        return self.workspace.asset_path(asset.filename).exists()

    async def _conclude(
        self,
        slot: Slot,
        attempt: int,
        job: Job,
        print_: str,
        task_id: str,
        ended: Ended,
        made_from: Sequence[str],
        credits: float | None,
        *,
        current: bool = True,
        behind: bool = False,
    ) -> JobFailed | None:
        """Write down how a task ended, and bring home what it made.

        `current` says that it is what the slot asks for today; `behind`, that the slot has that already.
        """
        if isinstance(ended, GaveUp):
            if ended.code == "refused":
                self.stop_submitting("key", f"the provider says: {plain(ended.message)}")
            elif ended.code != "timeout":
                self.journal.lost(attempt, ended.code, ended.message)
            self._uncollected(slot, job, task_id, ended.code, ended.message, current=current)
            return None
        ours = self._ours.get(task_id)  # None: it was paid for in an earlier run
        if isinstance(ended, TaskFailed):
            if policy.could_not_fetch(ended.code, ended.message):
                await self._binder.forget_uploads(job)
            billed = None if ended.refunded is None else not ended.refunded
            self.journal.failed(attempt, ended.code, ended.message, retryable=ended.retryable, billed=billed)
            self._ended_now.add(attempt)
            if ours is not None and billed is False:
                self.outcome.spent -= ours
                self._unreserve(ours)
            elif ours is not None:
                self.outcome.billed_for_failures += ours
            return _failed(
                job,
                task_id,
                ended.code,
                ended.message,
                retryable=ended.retryable,
                billed=billed,
                hint="a later run does it again, as a new charge" if ended.retryable else "",
            )
        if ours is not None and ended.credits is not None:
            # What it really cost, in place of what the catalogue says.
            self.outcome.spent += ended.credits - ours
            self._reserved += ended.credits - ours
            self._ours[task_id] = ended.credits
        async with self._downloading:
            got = await self._collector.collect(
                attempt,
                job,
                print_,
                task_id,
                ended,
                replaces=lambda: self._lines.get(slot, ()),
                made_from=made_from,
                credits=credits,
                behind=behind,
            )
        self._entered.set()
        if isinstance(got, Lost):
            self._uncollected(slot, job, task_id, got.code, got.message, current=current)
            return None
        self._land(slot, job.model)
        self.outcome.assets.extend(got)
        if current:
            self.outcome.succeeded += 1
            self._finish(slot, got)
        elif not behind:
            self._lines[slot] = got
        return None

    def _uncollected(
        self, slot: Slot, job: Job, task_id: str, code: str, message: str, *, current: bool
    ) -> None:
        """Report a paid task whose result is not here; it is kept, and nothing is sent in its place."""
        if current:
            self._not_made[slot] = plain(message)
        self._land(slot, job.model, "" if code in ("timeout", "refused") else plain(message))
        hint = "the task is kept: the next run collects it at no cost"
        if code == "not-found":
            hint = f"if its id is wrong: `kiebatch resolve '{slot}' --task-id T`, or --forget; the next run asks again"
        self._emit(_failed(job, task_id, code, message, retryable=True, billed=True, hint=hint))

    def _finish(self, slot: Slot, assets: tuple[Asset, ...]) -> None:
        self._lines[slot] = assets
        self._made[slot] = assets
        self._changed.set()

    # -- submission

    async def _submit(
        self, entry: Entry, job: Job, bound: Bound, endpoint: families.Endpoint
    ) -> tuple[int, SubmitVerdict, Bound]:
        """Send a job until it is taken, refused or unknown.  Raises `Unsent` when the run stops first."""
        renewed = False
        while True:
            async with self._line.turn(self._rank.get(entry.slot, 0)):
                await self._or_stopped(asyncio.sleep(self._closed_until - asyncio.get_running_loop().time()))
                booking = await self._or_stopped(self.gate.start(self.limits.rate))
            booked = asyncio.get_running_loop().time()
            if self._grounded(job.model):
                raise Unsent(self._grounded(job.model))
            before = None if self._balance is None else self._balance - self.outcome.spent
            attempt = self.journal.intend(
                run_id=self.run_id,
                slot=entry.slot,
                model=job.model,
                family=job.family,
                fingerprint=bound.fingerprint,
                job=job_record(job, bound.made_from),
                credits=job.price.amount,
                balance=before,
            )
            if asyncio.get_running_loop().time() - booked > _FRESH * self.limits.rate.window_s:
                booking = await self._book_again(attempt)
            verdict = await self._send(entry.slot, attempt, job, bound, endpoint)
            if verdict.reply is not None:
                await self.gate.answered(
                    booking, refused=verdict.too_fast, retry_after_s=verdict.retry_after_s
                )
            if verdict.kind in ("accepted", "unknown"):
                return attempt, verdict, bound
            if verdict.kind == "later":
                self._wait_out(verdict)
                continue
            if verdict.could_not_fetch and bound.uploads:
                await self._binder.forget_uploads(job)
            if verdict.could_not_fetch and bound.uploads and not renewed:
                renewed = True
                bound = await self._binder.bind(job)
                continue
            return attempt, verdict, bound

    async def _book_again(self, attempt: int) -> Booking:
        """Take another place in the window: writing the intent took so long that ours has passed."""
        try:
            return await self._or_stopped(self.gate.start(self.limits.rate))
        except Unsent as unsent:
            self.journal.refused(attempt, "not-sent", unsent.reason)
            raise

    async def _send(
        self, slot: Slot, attempt: int, job: Job, bound: Bound, endpoint: families.Endpoint
    ) -> SubmitVerdict:
        """Send one request and write its outcome down before anything else is done with it."""
        url = self.limits.callback_url
        token = callbacks.token_for(self.run_id, attempt)
        if url and self.limits.net_s is not None:  # a receiver of the user's own gets its address as it is
            url = callbacks.url_for(url, token)
        request = endpoint.request(job.model, bound.input, url)
        sending = asyncio.ensure_future(
            self.client.submit(request, lambda reply: endpoint.task(reply, bound.input))
        )
        try:
            verdict = await asyncio.shield(sending)
        except asyncio.CancelledError:
            # The user leaves at once.  An answer that comes too late leaves the intent: held by the next run.
            await asyncio.wait({sending}, timeout=_LAST_WORD_S)
            if sending.done() and not sending.cancelled() and sending.exception() is None:
                self._write_down(slot, attempt, endpoint, sending.result())
            sending.cancel()
            raise
        self._write_down(slot, attempt, endpoint, verdict)
        return verdict

    def _write_down(
        self, slot: Slot, attempt: int, endpoint: families.Endpoint, verdict: SubmitVerdict
    ) -> None:
        if verdict.kind == "accepted" and verdict.task_id is not None:
            status = endpoint.status(verdict.reply) if endpoint.at_once and verdict.reply else None
            try:
                self.journal.submitted(
                    attempt, verdict.task_id, status.outputs if isinstance(status, Done) else ()
                )
            except KieBatchError:
                self._emit(
                    Noticed(
                        message=f"{slot}: the provider took it as task {plain(verdict.task_id)}, and that could not "
                        f"be written down: `kiebatch resolve {slot} --task-id {plain(verdict.task_id)}`",
                        level="warning",
                    )
                )
                raise
            self._refused_since = None
            self._closings = 0
        elif verdict.kind == "unknown":
            self.journal.held(attempt, verdict.held_because)
        else:
            self.journal.refused(attempt, verdict.code, verdict.message, retryable=verdict.retryable)

    def _wait_out(self, verdict: SubmitVerdict) -> None:
        """Pause every submission after one that certainly cost nothing; end the run when that goes on too long.

        Too many starts are everybody's: the account's pause, in the gate.  A closed service or a network that is
        down says nothing about the rate: this run alone waits, longer from time to time.
        """
        moment = asyncio.get_running_loop().time()
        if self._refused_since is None:
            self._refused_since = moment
            self._emit(
                Noticed(
                    message=f"the provider takes no jobs at the moment ({plain(verdict.message)}); waiting"
                )
            )
        if moment - self._refused_since >= self.limits.quota_patience_s:
            self.stop_submitting(
                "quota",
                f"no job was accepted for {self.limits.quota_patience_s:g} s: {plain(verdict.message)}",
            )
        if (
            not verdict.too_fast and moment >= self._closed_until
        ):  # the many that were in the air together count once
            self._closings += 1
            self._closed_until = moment + policy.wait_s(self._closings, self._rng, verdict.retry_after_s)

    def _stop_for(self, verdict: SubmitVerdict) -> None:
        key = verdict.code in ("401", "403")
        self.stop_submitting(
            "key" if key else "credits",
            f"the provider says: {plain(verdict.message) or verdict.code}",
        )

    def _reserve(self, price: float | None) -> None:
        """Take a job's price out of the cap before it is sent, whatever else is in the air."""
        cap = self.limits.max_credits
        if cap is not None and self._reserved + (price or 0.0) > cap + 1e-9:
            self.stop_submitting("budget", f"the cap of {cap:g} credits is reached")
            raise Unsent(self.outcome.stopped_because)
        self._reserved += price or 0.0

    def _unreserve(self, price: float | None) -> None:
        self._reserved -= price or 0.0

    async def _hold(self, slot: Slot, attempt: int, job: Job, verdict: SubmitVerdict) -> None:
        """Report a submission of which nobody knows what became; with callbacks, wait a while for its own."""
        reason = verdict.held_because
        listens = self.limits.net_s is not None
        if listens:
            self._emit(Noticed(message=f"{slot}: {reason}; waiting for a callback"))
        else:
            self._report_held(slot, attempt, reason)
        balance = None
        with contextlib.suppress(CallFailed, Refused):
            balance = await self.client.balance()
        if balance is not None:
            self.journal.held(attempt, reason, balance)
        if not listens:
            return
        known = await self._word_of(attempt, self._word_s(job))
        if known is None or known.task_id is None:
            self._report_held(slot, attempt, reason)
            return
        self._book(known, slot)
        await self._collect_attempt(known, slot, current=True)

    def _report_held(self, slot: Slot, attempt: int, reason: str) -> None:
        self._not_made[slot] = "held"
        self._reported[attempt] = slot
        self._emit(JobHeld(slot=slot, reason=reason))
        self._changed.set()

    # -- callbacks

    def heard(self, hint: callbacks.Hint) -> None:
        """Take a callback for what it is, a hint; the record is read before anything is believed.

        It makes a running task be read, and tells an undecided attempt its task.  Never blocks.
        """
        self.watch.nudge(hint.task_id)
        number = callbacks.attempt_of(hint.token)
        if number is None:
            return
        for attempt in self.journal.attempts(states=("held", "intended")):
            token = callbacks.token_for(attempt.run_id, attempt.id)
            if attempt.id == number and secrets.compare_digest(token, hint.token):
                with contextlib.suppress(asyncio.QueueFull):
                    self._words(number).put_nowait(hint.task_id)

    def _words(self, attempt: int) -> asyncio.Queue[str]:
        return self._told.setdefault(attempt, asyncio.Queue(_WORDS))

    def _word_s(self, job: Job) -> float:
        """Return for how long after a submission its callback is worth waiting for."""
        past = self.journal.durations(job.model)
        usual_s = past[len(past) // 2] if past else job.expected_s * self.limits.expected_scale
        return min(max(self.limits.net_s or 0.0, 3 * usual_s), self.limits.patience.timeout_s[job.modality])

    async def _word_of(self, number: int, within_s: float) -> Attempt | None:
        """Return an undecided attempt with its task, once a callback names one that the provider shows."""
        words, deadline = self._words(number), asyncio.get_running_loop().time() + within_s
        while True:
            try:
                task_id = words.get_nowait()
            except asyncio.QueueEmpty:
                try:
                    async with asyncio.timeout_at(deadline):
                        task_id = await self._or_stopped(words.get())
                except (TimeoutError, Unsent):
                    return None
            attempt = self.journal.attempt(number)
            if attempt.undecided and await self._is_there(attempt, task_id):
                self.journal.decide(number, "task-id", task_id)
                return self.journal.attempt(number)

    async def _is_there(self, attempt: Attempt, task_id: str) -> bool:
        """Whether the provider shows a task that is no other attempt's."""
        job = job_of(attempt.job)
        endpoint = families.get(job.family, job.endpoint)
        if endpoint.at_once or self.journal.attempt_of_task(task_id):
            return False
        try:
            reply = await self._reads.read(endpoint.record(task_id))
        except (CallFailed, Refused):
            return False
        return not isinstance(endpoint.status(reply), Absent)

    def _book(self, attempt: Attempt, slot: Slot) -> None:
        """Count what this run paid for a task of which it heard by a callback."""
        if attempt.run_id == self.run_id and attempt.task_id is not None:
            self.outcome.spent += attempt.credits or 0.0
            self._ours[attempt.task_id] = attempt.credits or 0.0
            self._emit(Submitted(slot=slot, task_id=attempt.task_id, credits=attempt.credits))

    async def _await_word(self, entry: Entry) -> None:
        """Wait a while for the callback of a job that was held before this run."""
        attempt = entry.attempt
        assert attempt is not None
        left_s = self._word_s(job_of(attempt.job)) - (self.now() - attempt.intended_at)
        known = await self._word_of(attempt.id, left_s)
        if known is None:
            self._report_blocked(entry)
        elif entry.fingerprint in (None, known.fingerprint):
            await self._collect_attempt(known, entry.slot, current=True)
        else:
            await self._collect_attempt(known, entry.slot, current=False)
            self._skip(entry.slot, "what was held is here now; run again for what the file asks today")
        if entry.slot not in self._made:
            self._not_made.setdefault(entry.slot, "it could not be brought back")
        self._changed.set()

    async def _resolve_late(self) -> None:
        """Bring home held jobs whose callback came after they were reported."""
        for number, slot in self._reported.items():
            known = await self._word_of(number, 0.0) if number in self._told else None
            if known is None:
                continue
            self.outcome.held = [h for h in self.outcome.held if h.slot != slot]
            self._not_made.pop(slot, None)
            self._book(known, slot)
            await self._collect_attempt(known, slot, current=True)

    # -- known tasks

    async def _restore(self, entry: Entry) -> None:
        """Bring back what was paid for: a known task, a store's result, or a file that is gone."""
        try:
            await self._collect_first(entry)
            if entry.attempt is not None:
                await self._collect_attempt(entry.attempt, entry.slot, current=True)
            elif entry.older:
                self._again(entry, entry.older)
            elif entry.reason == "paid for already":
                await self._from_store(entry)
            else:
                await self._bring_back(entry)
        finally:
            if entry.slot not in self._made:
                self._not_made.setdefault(entry.slot, "it could not be brought back")
            self._changed.set()

    async def _collect_old(self, attempts: Sequence[Attempt], slot: Slot) -> None:
        """Collect tasks that were paid for and that today's file no longer asks for, oldest first.

        Where the slot has what today's file asks for, they are entered behind it as older versions.
        """
        for attempt in attempts:
            if slot not in self._lines:
                self._lines[slot] = self._line_of(attempt)
            behind = self._actions.get(slot) in ("keep", "altered", "missing")
            await self._collect_attempt(attempt, slot, current=False, behind=behind)

    def _slot_of(self, attempt: Attempt) -> Slot:
        """Return the slot of today's file that an attempt was made for, else the one it had then."""
        for slot in self._slots.get(_place(attempt.slot), ()):
            if slot.model in (None, attempt.slot.model or attempt.model):
                return slot
        return attempt.slot

    def _line_of(self, attempt: Attempt) -> tuple[Asset, ...]:
        """Return what a slot that the file does not have shows: its model's line, else its only one."""
        slot = attempt.slot
        there = self.record.manifest.current(slot.scene, slot.shot, slot.take)
        same = tuple(a for a in there if a.model == attempt.model)
        return same or (there if slot.model is None and len({a.model for a in there}) == 1 else ())

    async def _collect_attempt(
        self, attempt: Attempt, slot: Slot, *, current: bool, behind: bool = False
    ) -> None:
        task_id = attempt.task_id
        if task_id is None or not attempt.job:
            return
        if attempt.state == "saved" and self._enter_saved(attempt, slot, current=current, behind=behind):
            return
        job = replace(job_of(attempt.job), slot=slot)
        endpoint = families.get(job.family, job.endpoint)
        age_s = max(0.0, self.now() - (attempt.submitted_at or attempt.intended_at))
        ended: Ended
        if endpoint.at_once:
            known = tuple(s.output for s in self.journal.outputs_of(attempt.id))
            ended = Done(outputs=known) if known else GaveUp("no-output", "its answer was lost")
        else:
            # Nobody waits long for what nobody asks for any more.
            patience_s = self.limits.patience.timeout_s[job.modality]
            limit_s = None if current else max(0.0, patience_s - age_s)
            ended = await self.watch.wait(job, endpoint, task_id, age_s, read_first=True, limit_s=limit_s)
        failure = await self._conclude(
            slot,
            attempt.id,
            job,
            attempt.fingerprint,
            task_id,
            ended,
            tuple(attempt.job.get("made_from") or ()),
            attempt.credits,
            current=current,
            behind=behind,
        )
        if failure and current:
            self._not_made[slot] = failure.message
            self._emit(failure)
        elif failure:
            message = f"{slot}: an earlier task failed, which is not asked for any more: {failure.message}"
            self._emit(Noticed(message=message))

    def _enter_saved(self, attempt: Attempt, slot: Slot, *, current: bool, behind: bool) -> bool:
        """Enter assets that lie on the disk and that the manifest lacks; False when a file is gone."""
        assets = [s.asset for s in self.journal.outputs_of(attempt.id) if s.asset]
        if not assets or not all(self._there(a) for a in assets):
            return False
        entered = tuple(a for a in self.record.manifest.assets if a.task_id == attempt.task_id and a.current)
        if entered:
            self.journal.recorded([attempt.id])
        else:
            entered = self.record.enter(assets, self._lines.get(slot, ()), attempt.id, behind=behind)
            self.outcome.assets.extend(entered)
            self._entered.set()
        if current:
            self.outcome.succeeded += 1
            self._finish(slot, entered)
        elif not behind:
            self._lines[slot] = entered
        return True

    async def _settle_failures(self) -> None:
        """Ask the balance whether failed tasks were refunded, where the provider did not say (protocol 2.4)."""
        failures = (*self.outcome.failures, *self._fell_back)
        unsure = [f for f in failures if f.task_id in self._ours and f.billed is None]
        if not unsure or self._balance is None or self.stopping or self.outcome.held:
            return
        try:
            after = await self.client.balance()
        except (CallFailed, Refused):
            return
        gone = self._balance - after
        amount = sum(self._ours[f.task_id or ""] for f in unsure)
        if amount and abs(gone - (self.outcome.spent - amount)) < 0.005:
            billed = False
            self.outcome.spent -= amount
            self.outcome.billed_for_failures -= amount
        elif amount and abs(gone - self.outcome.spent) < 0.005:
            billed = True
        else:
            return
        self.journal.settle([f.task_id for f in unsure if f.task_id], billed=billed)
        self.outcome.failures = [
            replace(f, billed=billed) if f in unsure else f for f in self.outcome.failures
        ]

    def _older(self, slot: Slot, asked: set[str]) -> tuple[Asset, ...]:
        """Return a superseded version of a slot that is just what is asked for, its files whole."""
        superseded = [
            a for a in self.record.manifest.of(slot.scene, slot.shot) if a.take == slot.take and not a.current
        ]
        draft = self.workspace.draft
        return older_version(superseded, asked, self._whole, draft=draft)

    def _whole(self, asset: Asset) -> bool:
        path = self.workspace.asset_path(asset.filename)
        return path.is_file() and files.sha256(path) == asset.sha256

    def _again(self, entry: Entry, older: Sequence[Asset]) -> None:
        """Make a superseded version current again, as a new version of the same files, at no cost."""
        again = [replace(a, superseded_by=None, credits=0) for a in older]
        self._enter(entry.slot, again)

    def _enter(self, slot: Slot, assets: Sequence[Asset]) -> None:
        """Record what is there already as a slot's new version, at no cost."""
        entered = self.record.enter(assets, self._lines.get(slot, ()))
        self._entered.set()
        self.outcome.assets.extend(entered)
        self.outcome.succeeded += 1
        self._finish(slot, entered)

    async def _from_store(self, entry: Entry) -> None:
        """Take a result that was paid for elsewhere; one after the other, so that a rebuild gives the same ids."""
        async with self._storing:
            await self._take_stored(entry)

    async def _take_stored(self, entry: Entry) -> None:
        job, print_ = entry.job, entry.fingerprint
        assert job is not None
        assert print_ is not None
        stored = self.store.get(print_, entry.slot.take) if self.store else []
        if not stored:
            self._skip(entry.slot, "its stored result is damaged; run again without --cache")
            return
        assets = []
        for one in stored:
            fresh = await self._offload_copy(one.path, one.asset.filename, job, one.asset)
            made_from = [a.id for a in map(self._binder.upstream_of, job.media) if a]
            assets.append(replace(fresh, made_from=tuple(dict.fromkeys(made_from))))
        self._enter(entry.slot, assets)

    async def _offload_copy(self, source: Path, filename: str, job: Job, asset: Asset) -> Asset:
        """Copy a stored file to the name it had, and return its entry for this slot."""
        target = self.workspace.asset_path(filename)
        if not target.exists():
            data = await self.offload(source.read_bytes)
            files.replace(target, data)
        elif files.sha256(target) != asset.sha256:
            target = target.with_name(f"{target.stem}-{(asset.sha256 or '')[:8]}{target.suffix}")
            files.replace(target, await self.offload(source.read_bytes))
        slot = job.slot
        return replace(
            asset,
            filename=self.workspace.name_of(target),
            scene_id=slot.scene,
            shot=slot.shot,
            take=slot.take,
            superseded_by=None,
        )

    async def _bring_back(self, entry: Entry) -> None:
        """Fetch files that are gone, byte for byte, from the store or from the provider."""
        for asset in entry.current:
            path = self.workspace.asset_path(asset.filename)
            if path.exists():
                continue
            stored = self.store.get(asset.fingerprint or "", asset.take) if self.store else []
            same = next((s for s in stored if s.asset.sha256 == asset.sha256), None)
            if same:
                files.replace(path, await self.offload(same.path.read_bytes))
                continue
            lost = await self._ask_for_file(entry, asset)
            if lost:
                self.outcome.missing += 1
                self._not_made[entry.slot] = "its file is missing"
                self._emit(
                    Noticed(
                        message=f"{entry.slot}: {asset.filename} is gone and could not be fetched again "
                        f"({plain(lost.message)}): put it back, or use --force",
                        level="warning",
                    )
                )
                return
        self.outcome.succeeded += 1
        self._finish(entry.slot, entry.current)

    async def _ask_for_file(self, entry: Entry, asset: Asset) -> Lost | None:
        if not asset.task_id or entry.job is None:
            return Lost("gone", "its task is not known")
        attempt = self.journal.attempt_of_task(asset.task_id)
        job = job_of(attempt.job) if attempt and attempt.job else replace(entry.job, model=asset.model)
        done = await self._ask_again(job, asset.task_id)
        if done is None:
            return Lost("gone", "the provider no longer has it")
        async with self._downloading:
            return await self._collector.fetch_again(job, asset, done)

    async def _ask_again(self, job: Job, task_id: str) -> Done | None:
        """Read a finished task's record once more; None when it brings nothing."""
        endpoint = families.get(job.family, job.endpoint)
        if endpoint.at_once:
            return None
        try:
            status = endpoint.status(await self._reads.read(endpoint.record(task_id)))
        except (CallFailed, Refused):
            return None
        return status if isinstance(status, Done) and status.outputs else None


class _Place:
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


def _failed_before(slot: Slot, attempt: Attempt) -> JobFailed:
    return JobFailed(
        slot=slot,
        model=attempt.model,
        task_id=attempt.task_id,
        code=attempt.code,
        message=plain(attempt.message),
        billed=False,  # nothing more was billed now
        hint="it failed before and would fail again: change it, or ask with --only failed",
    )


def _place(slot: Slot) -> tuple[str, str, int]:
    return str(slot.scene).lower(), "" if slot.shot is None else str(slot.shot).lower(), slot.take


def _failed(
    job: Job,
    task_id: str | None,
    code: str,
    message: str,
    *,
    retryable: bool,
    billed: bool | None,
    hint: str = "",
) -> JobFailed:
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


def _first(many: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception that ends the run: the first real one inside nested groups."""
    for error in many.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return many
