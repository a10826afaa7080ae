"""The last look before a purchase: the plan's decision once more, with what the manifest and the ledger say now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from kiebatch.errors import plain
from kiebatch.model import Asset, Attempt, Job, Slot
from kiebatch.planning import (
    Action,
    Asked,
    Entry,
    Plan,
    Reason,
    There,
    Wanted,
    decide,
    most,
    of_another_film,
    outlasts,
    unrecorded,
    wanted,
    whole,
)
from kiebatch.project import Found
from kiebatch.record import Key
from kiebatch.running.binding import Binder
from kiebatch.running.concluding import Concluder
from kiebatch.running.events import JobFailed, Skipped
from kiebatch.running.state import RunState
from kiebatch.running.stop import Unsent
from kiebatch.running.undecided import Undecided


class LateDecision:
    """Asks the one decision again at the last moment.

    A plan cannot tell while something that a job starts from is not made; now it is, and its content is known.
    """

    def __init__(self, run: RunState, plan: Plan, binder: Binder, concluder: Concluder) -> None:
        self._context = run.context
        self._facts = plan.facts
        self._assignment = plan.assignment
        # What the plan restores for a slot is nobody else's.
        self._coming = {e.attempt.id for e in plan.entries if e.attempt}
        # What it only brings home may turn out to be what a slot asks for, whose content was not known then.
        self._unasked = {a.id for a in plan.collect}
        self._slots = run.slots
        self._binder = binder
        self._concluder = concluder

    async def decide(self, entry: Entry) -> Entry:
        """Return what is to happen with a slot that the plan would generate."""
        assert entry.job is not None
        job = self._lasting(entry.job)
        want = wanted(job, self._binder.digest)
        line = self._slots[entry.slot].line
        found = await self._context.ledger.find(want.contents)
        known = [a for a in found if not a.elsewhere]
        await self._ask_stores(want, entry)
        recorded = {a.task_id for a in self._context.manifest.manifest.assets if a.task_id}
        there = There(
            line=line,
            superseded=self._superseded(entry.slot),
            attempts=tuple(self._own(known, entry.slot)),
            elsewhere=self._elsewhere(entry, want, known, recorded),
            others=[a for a in found if a.elsewhere],
            recorded=recorded,
        )
        facts = replace(
            self._facts,
            digests={a.filename: self._digest(a) for a in line},
            ended_now=frozenset(self._concluder.ended_now),
        )
        asked = Asked(forced=entry.cause is Reason.FORCED, failed_too=entry.cause is Reason.FAILED_BEFORE)
        decided = decide(job, want, there, facts, asked, entry.twin)
        return replace(decided, seen=max((a.id for a in known), default=0))

    async def _ask_stores(self, want: Wanted, entry: Entry) -> None:
        """Ask once more whether somebody has paid for it meanwhile, off the loop: requests are in the air."""
        if self._facts.stored is not None:
            keys = [Key(content, entry.slot.take, entry.twin) for content in want.contents]
            await self._context.offload(self._facts.stored.expect, keys)

    def _lasting(self, job: Job) -> Job:
        """Return a job at the length that its voice gives it, now that the voice is made."""
        if job.led is None or job.led.slot is None:
            return job
        voice = self._slots.made(job.led.slot) or ()
        seconds = voice[0].duration if voice else None
        if seconds is None:
            raise Unsent(f"its voice {job.led.slot} is not made")
        found = job.lasting(seconds)
        if found is None:
            raise Unsent(outlasts(job, seconds))
        if (most(found) or 0.0) > (most(job) or 0.0) + 1e-9:
            raise Unsent(f"{job.led.slot} is longer than was planned; the next run has its price")
        return found

    def _digest(self, asset: Asset) -> str | None:
        """Return a file's sha256 as the plan read it, or as it was made; None where it is gone by now."""
        if not self._context.workspace.asset_path(asset.filename).exists():
            return None
        return self._facts.digests.get(asset.filename) or asset.sha256

    def _superseded(self, slot: Slot) -> tuple[Asset, ...]:
        """Return older versions: those that bear the slot's name now, and those that came along by `moved:`."""
        manifest = self._context.manifest.manifest
        now = [a for a in manifest.of(slot.scene, slot.shot) if a.take == slot.take and not a.current]
        named = {a.filename for a in now}
        then = self._assignment.superseded(slot) if self._assignment else ()
        return (*now, *(a for a in then if a.filename not in named))

    def _own(self, found: Iterable[Attempt], slot: Slot) -> list[Attempt]:
        """Return the attempts that are a slot's, by its name of today."""
        if self._assignment is None:
            return [a for a in found if a.slot == slot]
        return [a for a in found if self._assignment.slot_of(a) == slot]

    def _elsewhere(
        self, entry: Entry, want: Wanted, known: Sequence[Attempt], recorded: Collection[str]
    ) -> Found | None:
        """Look by content once more where the plan did not know the content."""
        if entry.fingerprint is not None or self._assignment is None or entry.cause is Reason.FORCED:
            return None
        home = self._brought_home(entry.slot, known)
        if home is not None:
            self._unasked.discard(home[0].id)
            self._assignment.keep(entry.slot, home[1].assets, home[0])
            return home[1]
        for found in self._assignment.elsewhere(entry.slot, want.contents):
            if self._usable(found, recorded):
                self._assignment.keep(entry.slot, found.assets, found.attempt)
                return found
        return None

    def _brought_home(self, slot: Slot, known: Sequence[Attempt]) -> tuple[Attempt, Found] | None:
        """Return a paid task that this run only brings home, as a result that is here by now, or is to come."""
        for attempt in reversed(known):
            if attempt.id not in self._unasked or attempt.take != slot.take:
                continue
            assets = self._context.manifest.of_task(attempt.task_id)
            if assets and all(self._digest(asset) for asset in assets):
                return attempt, Found(attempt.slot, assets=assets)
            if attempt.open or (attempt.state == "saved" and not assets):
                return attempt, Found(attempt.slot, attempt=attempt)
        return None

    def _usable(self, found: Found, recorded: Collection[str]) -> bool:
        """Whether files are whole, or a result is known to be saved that the manifest has lost.

        What is in flight or held under another name is found by the claim, which refuses then.
        """
        attempt = found.attempt
        if attempt is None:
            return whole(found.assets, self._facts)
        return unrecorded(attempt, recorded) and attempt.id not in self._coming | self._unasked

    def taken(self, entry: Entry, by: Attempt) -> Entry:
        """Return what is to happen where another attempt has the same content already."""
        if by.elsewhere:
            return of_another_film(entry, by, self._facts)
        action = Action.BLOCKED if by.undecided else Action.RESTORE
        cause = Reason.HELD if by.undecided else Reason.IN_FLIGHT
        return replace(entry, action=action, cause=cause, attempt=by, note=by.message)

    def report_blocked(self, entry: Entry, undecided: Undecided) -> None:
        """Report a job that is not sent, and why."""
        if entry.cause is Reason.HELD:
            undecided.report(entry)
            return
        self._slots.give_up(entry.slot, entry.reason)
        if entry.cause is Reason.FAILED_BEFORE and entry.attempt:
            if entry.attempt.id not in self._concluder.ended_now:
                self._context.emit(failed_before(entry, entry.attempt))
        else:
            self._context.emit(Skipped(slot=entry.slot, reason=entry.reason))


def failed_before(entry: Entry, attempt: Attempt) -> JobFailed:
    return JobFailed(
        slot=entry.slot,
        model=attempt.model,
        task_id=attempt.task_id,
        code=attempt.code,
        message=plain(attempt.message),
        billed=False,  # nothing more was billed now
        hint="it failed before and would fail again: change it, or ask with --only failed",
    )
