"""The one decision about a slot: is what it asks for there, paid for, on its way, failed before, or to be made?

The plan asks it for every slot; a run asks it again at the last moment before a job is sent, with what the manifest and
the journal say then.  Nothing else in the program answers that question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from kiebatch._dataclass import dataclass
from kiebatch.model import Asset, Attempt, Job, Slot, same_words
from kiebatch.planning.changes import cause_of, shorter_than_asked
from kiebatch.planning.contents import Wanted
from kiebatch.planning.plans import Action, Entry, Facts, Reason
from kiebatch.project import Found
from kiebatch.record import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What there is for one slot: its line of today, superseded versions, attempts (oldest first), results elsewhere."""

    line: tuple[Asset, ...] = ()
    superseded: tuple[Asset, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    elsewhere: Found | None = None
    others: Sequence[
        Attempt
    ] = ()  # of these contents, by other films of the account; the newest edition last
    recorded: Collection[str] = frozenset()  # task ids that the manifest has


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a command asks for one slot."""

    forced: bool = False
    failed_too: bool = False  # `--only failed`: also what would fail again
    blocked: Entry | None = None  # why its upstream keeps it back, as an entry without the slot's own facts
    upstream: tuple[Slot, ...] = ()  # slots it starts from that are made again, or were since


def decide(job: Job, wanted: Wanted, there: There, facts: Facts, asked: Asked, twin: int = 1) -> Entry:
    """Return what is to happen with one slot, and why."""
    return _Case(job, wanted, there, facts, asked, twin).entry()


def fits(job: Job, wanted: Wanted, line: Sequence[Asset], facts: Facts) -> Reason | None:
    """Return why a slot's assets count as what it asks for; None when they do not."""
    made = _counted(line, facts)
    if not made:
        return None
    if any(a.fingerprint is None for a in made):  # another tool's
        return Reason.KEPT if not job.needs and _say_the_same(made, job, facts) else None
    if any(map(wanted.met_by, made)):
        return Reason.ADOPTED if any(a.extra.get("adopted") for a in made) else Reason.KEPT
    return Reason.ACCEPTED if any(map(wanted.accepted, made)) else None


def _counted(assets: Iterable[Asset], facts: Facts) -> list[Asset]:
    """Return the assets that count: a draft counts for a draft alone."""
    return [asset for asset in assets if facts.draft or not asset.draft]


def _say_the_same(made: Iterable[Asset], job: Job, facts: Facts) -> bool:
    return all(same_words(a.prompt, job.prompt) and _could_be(a, job, facts) for a in made)


def whole(assets: Iterable[Asset], facts: Facts) -> bool:
    """Whether all files of a result are here, as they were made, and good enough for this film."""
    return all((facts.draft or not a.draft) and facts.intact(a) for a in assets)


def unrecorded(attempt: Attempt, recorded: Collection[str]) -> bool:
    """Whether a result was saved and the manifest, whose task ids `recorded` holds, lacks it."""
    return attempt.state == "saved" and bool(attempt.job) and attempt.task_id not in recorded


def _could_be(asset: Asset, job: Job, facts: Facts) -> bool:
    return facts.same_model(asset.model, job.model) or facts.could_be(asset.model, job.model)


class _Case:
    def __init__(self, job: Job, wanted: Wanted, there: There, facts: Facts, asked: Asked, twin: int) -> None:
        self.job = job
        self.wanted = wanted
        self.there = there
        self.facts = facts
        self.asked = asked
        self.twin = twin
        self.made = _counted(there.line, facts)

    def entry(self) -> Entry:
        for rule in (
            self._held,
            self._fitting,
            self._in_flight,
            self._saved,
            self._elsewhere,
            self._blocked,
            self._forced,
            self._stored,
            self._made_before,
            self._others_have,
            self._failed_before,
        ):
            found = rule()
            if found is not None:
                return found
        if not self.made:
            return self._entry(Action.GENERATE, Reason.NEW)
        cause, other = cause_of(self.job, self.made, self.facts.same_model, self.asked.upstream)
        return self._entry(Action.GENERATE, cause, other=other)

    def _entry(
        self,
        action: Action,
        cause: Reason,
        *,
        other: Slot | None = None,
        attempt: Attempt | None = None,
        older: tuple[Asset, ...] = (),
        current: tuple[Asset, ...] | None = None,
        note: str = "",
    ) -> Entry:
        return Entry(
            slot=self.job.slot,
            action=action,
            cause=cause,
            other=other,
            job=self.job,
            fingerprint=self.wanted.content,
            twin=self.twin,
            current=self.there.line if current is None else current,
            attempt=attempt,
            older=older,
            note=note,
        )

    # -- the rules, in order

    def _held(self) -> Entry | None:
        held = [a for a in self.there.attempts if a.undecided]
        found = self.there.elsewhere
        if found and found.attempt and found.attempt.undecided:
            held.append(found.attempt)
        if not held:
            return None
        return self._entry(Action.BLOCKED, Reason.HELD, attempt=held[-1], note=held[-1].message)

    def _fitting(self) -> Entry | None:
        reason = fits(self.job, self.wanted, self.there.line, self.facts)
        if reason is None or self.asked.forced:
            return None
        return self._kept(self.made, reason)

    def _in_flight(self) -> Entry | None:
        # A forced attempt that is still open satisfies --force: it is the new version that was asked for.
        flying = [a for a in self.there.attempts if a.open and self.wanted.met_by_attempt(a)]
        if flying:
            return self._entry(Action.RESTORE, Reason.IN_FLIGHT, attempt=flying[-1])
        return None

    def _saved(self) -> Entry | None:
        # A crash came before the manifest was written, or git took the manifest back.
        recorded = self.there.recorded
        saved = [a for a in self.there.attempts if unrecorded(a, recorded) and self.wanted.met_by_attempt(a)]
        if saved and not self.asked.forced:
            return self._entry(Action.RESTORE, Reason.SAVED, attempt=saved[-1])
        return None

    def _elsewhere(self) -> Entry | None:
        found = self.there.elsewhere
        if found is None or self.asked.forced:
            return None
        if found.attempt is None:
            return self._kept(found.assets, Reason.MOVED, other=found.origin)
        cause = Reason.SAVED if found.attempt.state == "saved" else Reason.IN_FLIGHT
        return self._entry(Action.RESTORE, cause, attempt=found.attempt)

    def _blocked(self) -> Entry | None:
        why = self.asked.blocked
        if why is None:
            return None
        found = self._entry(Action.BLOCKED, why.cause, other=why.other, note=why.note)
        return replace(found, detail=why.detail, upstream=why.upstream)

    def _forced(self) -> Entry | None:
        if self.asked.forced and (self.made or self._same_of_others()):
            return self._entry(Action.GENERATE, Reason.FORCED)
        return None

    def _stored(self) -> Entry | None:
        if self.asked.forced or self.facts.stored is None:
            return None
        found = self._entry(Action.RESTORE, Reason.PAID)
        stored = stored_key(self.wanted, found.key, self.facts.stored.has) if found.key else None
        return replace(found, stored=stored) if stored else None

    def _made_before(self) -> Entry | None:
        if self.asked.forced:
            return None
        older = older_version(self.there.superseded, self.wanted.met_by, self.facts)
        return self._entry(Action.RESTORE, Reason.MADE_BEFORE, older=older) if older else None

    def _same_of_others(self) -> list[Attempt]:
        take = self.job.slot.take
        return [a for a in self.there.others if (a.take, a.twin) == (take, self.twin)]

    def _others_have(self) -> Entry | None:
        same = self._same_of_others()
        if self.asked.forced or not same:
            return None
        return of_another_film(self._entry(Action.RESTORE, Reason.PAID), same[-1], self.facts)

    def _failed_before(self) -> Entry | None:
        last = self.there.attempts[-1] if self.there.attempts else None
        if last is None or not failed_for_good(last) or not self.wanted.met_by_attempt(last):
            return None
        again = last.retryable or self.asked.forced or self.asked.failed_too
        if last.id in self.facts.ended_now or (not again and not last.may_resubmit):
            return self._entry(Action.BLOCKED, Reason.FAILED_BEFORE, attempt=last, note=last.message)
        return self._entry(Action.GENERATE, Reason.FAILED_BEFORE, attempt=last, note=last.message)

    def _kept(self, made: Sequence[Asset], reason: Reason, other: Slot | None = None) -> Entry:
        """Return `keep`, or what is to be done about a file that is gone or was altered."""
        current = tuple(made)
        absent = [a for a in made if self._digest(a) is None]
        gone = [a for a in absent if not self.facts.remote(a)]
        if gone:
            if self._can_restore(gone):
                return self._entry(Action.RESTORE, Reason.FILE_MISSING, current=current)
            way = self._way_back(gone[0])
            note = f"{gone[0].filename} is gone and the provider no longer has it: {way}, or use --force"
            return self._entry(Action.MISSING, Reason.FILE_MISSING, current=current, note=note)
        altered = [a for a in made if a not in absent and a.sha256 and self._digest(a) != a.sha256]
        if altered:
            note = (
                f"{altered[0].filename} was changed by hand: `kiebatch adopt {self.job.slot} FILE` makes it a new "
                "version, --force generates it again"
            )
            return self._entry(Action.ALTERED, Reason.FILE_ALTERED, current=current, note=note)
        note = shorter_than_asked(self.job, made)
        kept = self._entry(Action.KEEP, reason, other=other, current=current, note=note)
        return replace(kept, remote=bool(absent))

    def _way_back(self, gone: Asset) -> str:
        whose = next((a.elsewhere for a in self.there.others if a.task_id == gone.task_id), "")
        return put_back(whose)

    def _digest(self, asset: Asset) -> str | None:
        if asset.filename in self.facts.digests:
            return self.facts.digests[asset.filename]
        return asset.sha256 if self.facts.intact(asset) else None

    def _can_restore(self, gone: Sequence[Asset]) -> bool:
        key = self._entry(Action.RESTORE, Reason.FILE_MISSING).key
        if self.facts.stored and key and stored_key(self.wanted, key, self.facts.stored.has):
            return True
        return all(self.facts.retrievable(a) for a in gone)


def held_elsewhere(attempt: Attempt) -> str:
    return f"{attempt.elsewhere} has it held: it is decided there"


def put_back(whose: str) -> str:
    """Return what brings back a file that is gone; `whose` names the film that paid for it, where that is another one."""
    if not whose:
        return "put it back"
    return f"{whose} has paid for it, copy it from there"


def of_another_film(entry: Entry, attempt: Attempt, facts: Facts) -> Entry:
    """Return what is to happen with a slot whose content another film of the account has, or is about to have."""
    whose = attempt.elsewhere
    if attempt.state == "held":
        note = held_elsewhere(attempt)
        return replace(entry, action=Action.BLOCKED, cause=Reason.HELD, attempt=attempt, note=note)
    if attempt.state != "saved":
        note = f"{whose} is having it made"
        return replace(entry, action=Action.RESTORE, cause=Reason.IN_FLIGHT, attempt=attempt, note=note)
    if facts.collectable(attempt):
        note = f"{whose} has paid for it"
        return replace(entry, action=Action.RESTORE, cause=Reason.PAID, attempt=attempt, note=note)
    note = (
        f"{whose} has paid for it, and the provider no longer has it: copy its file from there and adopt it, or use "
        "--force"
    )
    return replace(entry, action=Action.MISSING, cause=Reason.PAID, attempt=attempt, note=note)


def stored_key(wanted: Wanted, key: Key, has: Callable[[Key], bool]) -> Key | None:
    """Return the key under which a store of results has what is asked for, today's fingerprint first."""
    keys = (replace(key, content=content) for content in wanted.contents)
    return next((one for one in keys if has(one)), None)


def failed_for_good(attempt: Attempt) -> bool:
    """Whether an attempt is over without a result: its task failed, or the provider will never take the job."""
    return attempt.state == "failed" or (attempt.state == "refused" and not attempt.retryable)


def older_version(
    superseded: Iterable[Asset], met_by: Callable[[Asset], bool], facts: Facts
) -> tuple[Asset, ...]:
    """Return the newest superseded version that is asked for, all its outputs, its files whole.

    A prompt that goes back to what it was, or a merge that made the other branch's version current, costs nothing.
    """
    by_version: dict[tuple[int, str], list[Asset]] = {}
    for asset in filter(met_by, _counted(superseded, facts)):
        by_version.setdefault((asset.version, asset.task_id or ""), []).append(asset)
    for version in sorted(by_version, reverse=True):
        outputs = by_version[version]
        if all(map(facts.intact, outputs)):
            return tuple(sorted(outputs, key=lambda a: a.output))
    return ()
