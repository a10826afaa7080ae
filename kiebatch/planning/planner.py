"""Compares Project, Manifest and file digests; returns a Plan: jobs in order, each with reason and price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from kiebatch.model import Asset, Attempt, Job, LocalFile, Project, Ref, ShotOutput, Slot, under
from kiebatch.planning import expected
from kiebatch.planning import selection as selecting
from kiebatch.planning.contents import NotMade, Wanted, outlasts, wanted
from kiebatch.planning.decision import Asked, There, decide, failed_for_good, fits, unrecorded, whole
from kiebatch.planning.order import levels, output_of
from kiebatch.planning.plans import Action, Entry, Facts, Plan, Reason, Selection
from kiebatch.project import Assignment, Found, claimed_by
from kiebatch.record import Key
from kiebatch.record.manifest import Manifest


def plan(project: Project, manifest: Manifest, facts: Facts, selection: Selection | None = None) -> Plan:
    """Decide for every slot what a run would do, and why."""
    return Planner(project, manifest, facts, selection or Selection()).plan()


class Planner:
    """Decides about the slots of one project, upstream first, so that what a job starts from is known."""

    def __init__(self, project: Project, manifest: Manifest, facts: Facts, selection: Selection) -> None:
        self._facts = facts
        self._selection = selection
        self._scenes = [s.id for s in project.scenes]
        self._recorded = frozenset(a.task_id for a in manifest.assets if a.task_id)
        self._assignment = claimed_by(
            project, manifest, facts.attempts, same_model=facts.same_model, could_be=facts.could_be
        )
        self._jobs = [self._with_kept_seed(job) for job in project.jobs]
        digest = self._digest
        # What these ask for depends on no other job, so that it is worked out once.
        self._of_words = {job.slot: wanted(job, digest) for job in self._jobs if _starts_from_nothing(job)}
        self._twins = self._numbered()
        self._entries: dict[Slot, Entry] = {}

    @property
    def assignment(self) -> Assignment:
        return self._assignment

    def plan(self) -> Plan:
        for level in levels(self._jobs):
            self._decide_level(level)
        states = selecting.States(self._failed, self._unmet)
        chosen = selecting.chosen(self._selection, self._entries, self._scenes, states)
        ordered = [self._entries[job.slot].with_selected(job.slot in chosen) for job in self._jobs]
        orphans = [
            Entry(
                slot=slot,
                action=Action.ORPHAN,
                cause=Reason.ORPHAN,
                current=assets,
                selected=not self._selection.only,
            )
            for slot, assets in self._assignment.orphans()
        ]
        return Plan(
            entries=(*ordered, *orphans),
            collect=tuple(self._unasked()),
            facts=self._facts,
            assignment=self._assignment,
        )

    def _numbered(self) -> dict[Slot, int]:
        """Number the jobs of equal content and take, in file order: each is a purchase of its own.

        Shots that are not made yet are compared by their slots: jobs that start from the same shot in the same way
        will have the same content.
        """

        def named(ref: Ref) -> str:
            if isinstance(ref, LocalFile):
                return self._facts.media.get(ref.path, ref.path)
            return str(ref)

        counts: dict[tuple[str, int], int] = defaultdict(int)
        found = {}
        for job in self._jobs:
            want = self._of_words.get(job.slot) or wanted(replace(job, led=None), named)
            key = (want.content or "", job.slot.take)
            counts[key] += 1
            if counts[key] > 1:
                found[job.slot] = counts[key]
        return found

    def _decide_level(self, jobs: Sequence[Job]) -> None:
        """Decide about jobs that do not start from each other.

        What fits a slot is its own before anybody may look for it by content, and what is found by content
        is gone from the line of the slot whose name it bears.
        """
        jobs = [self._lasting(job) for job in jobs]
        wants = {job.slot: self._wanted(job) for job in jobs}
        self._expect(wants)
        if self._facts.others:
            self._facts.others.prepare(content for want in wants.values() for content in want.contents)
        open_jobs = []
        for job in jobs:
            line = self._assignment.line(job)
            if fits(job, wants[job.slot], line, self._facts):
                self._assignment.keep(job.slot, line)
            else:
                open_jobs.append(job)
        found: dict[Slot, Found] = {}
        for job in open_jobs:
            elsewhere = self._elsewhere(job, wants[job.slot])
            if elsewhere is not None:
                found[job.slot] = elsewhere
        for job in jobs:
            self._entries[job.slot] = self._entry(job, wants[job.slot], found.get(job.slot))

    def _wanted(self, job: Job) -> Wanted:
        return self._of_words.get(job.slot) or wanted(job, self._digest)

    def _expect(self, wants: Mapping[Slot, Wanted]) -> None:
        """Let a store of results look for what a level asks for, all together."""
        if self._facts.stored is not None:
            self._facts.stored.expect(
                Key(content, slot.take, self._twins.get(slot, 1))
                for slot, want in wants.items()
                for content in want.contents
                if not fits(want.job, want, self._assignment.line(want.job), self._facts)
            )

    def _elsewhere(self, job: Job, want: Wanted) -> Found | None:
        """Return the result of another name that a job may take: whole files first, else a task that brings them."""
        if want.content is None or self._assignment.is_empty:
            return None
        if self._forced(job) or self._own_result(job, want):
            return None
        for found in self._assignment.elsewhere(job.slot, want.contents):
            if self._usable(found):
                self._assignment.keep(job.slot, found.assets, found.attempt)
                return found
        return None

    def _own_result(self, job: Job, want: Wanted) -> bool:
        """Whether the slot's own name has what is asked for: on its way, held, or in an older version."""
        attempts = self._assignment.attempts(job.slot)
        if any((a.open or a.undecided) and want.met_by_attempt(a) for a in attempts):
            return True
        return any(want.met_by(a) and self._facts.intact(a) for a in self._assignment.superseded(job.slot))

    def _usable(self, found: Found) -> bool:
        attempt = found.attempt
        if attempt is None:
            return whole(found.assets, self._facts)
        return attempt.undecided or attempt.open or unrecorded(attempt, self._recorded)

    def _entry(self, job: Job, want: Wanted, found: Found | None) -> Entry:
        there = There(
            line=self._assignment.line(job),
            superseded=self._assignment.superseded(job.slot),
            attempts=self._assignment.attempts(job.slot),
            elsewhere=found,
            others=self._facts.others.of(want.contents) if self._facts.others else (),
            recorded=self._recorded,
        )
        asked = Asked(
            forced=self._forced(job),
            failed_too="failed" in self._selection.only,
            blocked=self._blocked_by(job),
            upstream=self._changed_upstream(job, there.line),
        )
        return decide(job, want, there, self._facts, asked, self._twins.get(job.slot, 1))

    def _forced(self, job: Job) -> bool:
        if not self._selection.force:
            return False
        by_name = selecting.names(self._selection, job, self._scenes)
        return by_name or ("unmet" in self._selection.only and self._unmet(job))

    def _unmet(self, job: Job) -> bool:
        """Whether what a slot has is not as expected, by what is kept of it."""
        digest = expected.Digest(self._facts.media, self._line)
        found = expected.judged(job.slot, job.expect, self._assignment.line(job), digest)
        return any(one.unmet for one in found)

    @cached_property
    def _by_slot(self) -> Mapping[Slot, Job]:
        return {job.slot: job for job in self._jobs}

    def _line(self, slot: Slot) -> tuple[Asset, ...]:
        job = self._by_slot.get(slot)
        return self._assignment.line(job) if job else ()

    def _failed(self, job: Job) -> bool:
        attempts = self._assignment.attempts(job.slot)
        return bool(attempts) and failed_for_good(attempts[-1])

    # -- upstream

    def _lasting(self, job: Job) -> Job:
        """Return a job at the length that its voice gives it; as it is while there is no voice, or no length fits."""
        seconds = self._voice_s(job)
        return job if seconds is None else job.lasting(seconds) or job

    def _voice_s(self, job: Job) -> float | None:
        voice = self._entries.get(job.led.slot) if job.led and job.led.slot else None
        if voice is None or not voice.current:
            return None
        there = voice.settled or (voice.action is Action.RESTORE and voice.cause is Reason.FILE_MISSING)
        return voice.current[0].duration if there else None

    def _digest(self, ref: Ref) -> str:
        """Return the content of a medium.  `NotMade` where it has none yet."""
        if isinstance(ref, LocalFile):
            digest = self._facts.media.get(ref.path)
        elif isinstance(ref, ShotOutput):
            digest = self._upstream_digest(ref)
        else:
            raise TypeError(ref)
        if not digest:
            raise NotMade
        return digest

    def _upstream_digest(self, ref: ShotOutput) -> str | None:
        upstream = self._entries.get(ref.slot)
        if upstream is None or upstream.action in (Action.GENERATE, Action.BLOCKED):
            return None
        if upstream.stored and self._facts.stored:
            # A store knows what it will bring: a rebuild is priced along its chains.
            return self._facts.stored.digests(upstream.stored).get(ref.output)
        if upstream.action is Action.RESTORE and upstream.cause is not Reason.FILE_MISSING:
            return None
        asset = output_of(upstream.current, ref)
        return asset.sha256 if asset else None

    def _blocked_by(self, job: Job) -> Entry | None:
        for slot in job.needs:
            upstream = self._entries.get(slot)
            detail = _keeps_back(upstream)
            if detail:
                root = upstream.root if upstream else None
                return _because(job, Reason.UPSTREAM, other=slot, detail=detail, upstream=root)
        seconds = self._voice_s(job)
        if job.led and job.led.slot is None:
            return _because(job, Reason.UPSTREAM, detail=outlasts(job))
        if seconds is not None and job.led and job.lasting(seconds) is None:
            return _because(job, Reason.UPSTREAM, other=job.led.slot, detail=outlasts(job, seconds))
        if self._selection.until_picks and job.unpicked:
            return _because(job, Reason.UNPICKED, detail=", ".join(job.unpicked))
        return None

    def _changed_upstream(self, job: Job, line: Sequence[Asset]) -> tuple[Slot, ...]:
        if not line:
            return ()
        made_from = set(line[0].made_from)
        changed = []
        for slot in job.needs:
            upstream = self._entries.get(slot)
            if upstream is None:
                continue
            coming = upstream.action in (Action.GENERATE, Action.RESTORE)
            if coming or not {a.id for a in upstream.current} & made_from:
                changed.append(slot)
        return tuple(changed)

    # -- the rest

    def _unasked(self) -> Iterable[Attempt]:
        """Yield what was paid for and is not here, and which today's file no longer asks for."""
        asked = {e.attempt.id for e in self._entries.values() if e.attempt and e.action is Action.RESTORE}
        for attempt in self._facts.attempts:
            if attempt.id in asked:
                continue
            lost = attempt.state == "lost" and self._facts.collectable(attempt)
            unrecorded = attempt.state == "saved" and not attempt.recorded
            if attempt.state == "submitted" or lost or (unrecorded and attempt.task_id not in self._recorded):
                yield attempt

    def _with_kept_seed(self, job: Job) -> Job:
        """Return a job with the stable seed that its line was sent with: a rename or a second model keeps it."""
        name = job.stable_seed
        if not name:
            return job
        sent = [a.parameters.get("input") for a in self._assignment.line(job)]
        sent += [a.job.get("input") for a in reversed(self._assignment.attempts(job.slot)) if a.job]
        for values in sent:
            seed = under(values, name)
            if isinstance(seed, int) and not isinstance(seed, bool):
                return replace(job, input={**job.input, name: seed}, authored={**job.authored, name: seed})
        return job


def _keeps_back(upstream: Entry | None) -> str:
    """Return why a shot keeps back what starts from it; empty where it does not."""
    if upstream is None:
        return "it is not in the file"
    if upstream.action is Action.BLOCKED:
        return upstream.reason
    return "its file is missing" if upstream.action is Action.MISSING else ""


def _because(
    job: Job, cause: Reason, *, other: Slot | None = None, detail: str, upstream: Reason | None = None
) -> Entry:
    return Entry(
        slot=job.slot, action=Action.BLOCKED, cause=cause, other=other, detail=detail, upstream=upstream
    )


def _starts_from_nothing(job: Job) -> bool:
    """Whether words and numbers alone make the content of a job, and that of its fallback."""
    spare = job.fallback
    return not job.media and job.led is None and (spare is None or _starts_from_nothing(spare))
