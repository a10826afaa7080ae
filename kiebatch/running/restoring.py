"""Brings back what was paid for before: known tasks, results of a store, older versions, files that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kiebatch import files, media
from kiebatch.errors import plain
from kiebatch.model import Asset, Attempt, Done, Job, Ref, Slot
from kiebatch.planning import Entry, NotMade, Reason, Wanted, put_back, stored_key, wanted
from kiebatch.provider import families
from kiebatch.record import Key, ResultStore, Stored, StoreFailed
from kiebatch.record.manifest import names, version_after
from kiebatch.running.binding import Binder
from kiebatch.running.boundary import of_this_task
from kiebatch.running.collecting import Collector, Lost
from kiebatch.running.concluding import Concluder
from kiebatch.running.events import Noticed
from kiebatch.running.paid import PaidTask, Standing, job_for, paid_task
from kiebatch.running.records import TaskRecords
from kiebatch.running.state import RunState
from kiebatch.running.stop import Unsent
from kiebatch.running.watching import Ended, GaveUp, Watch


class Restorer:
    """Everything that a run brings home without a new charge."""

    def __init__(
        self, run: RunState, binder: Binder, watch: Watch, concluder: Concluder, records: TaskRecords
    ) -> None:
        self._context = run.context
        self._outcome = run.outcome
        self._slots = run.slots
        self._binder = binder
        self._watch = watch
        self._concluder = concluder
        self.records = records
        self._storing = asyncio.Lock()
        self._bringing: dict[int, asyncio.Lock] = {}  # by attempt
        self._brought: set[int] = set()  # attempts that were collected in this run
        self._jobs: dict[Slot, Job] = {}  # today's
        self._kept: set[str] = set()  # file names of what today's slots have
        self._earlier: dict[Slot, list[Attempt]] = {}  # to be collected before a slot's new version

    @property
    def collector(self) -> Collector:
        return self._concluder.collector

    def know(self, entries: Sequence[Entry], earlier: dict[Slot, list[Attempt]]) -> None:
        """Take today's jobs, and the tasks that were paid for and that nobody asks for any more."""
        self._jobs = {e.slot: e.job for e in entries if e.job}
        self._kept = {asset.filename for e in entries if e.job for asset in e.current}
        self._earlier = earlier

    async def restore(self, entry: Entry) -> None:
        """Bring back what was paid for: a known task, a store's result, or a file that is gone."""
        try:
            await self.collect_earlier(entry.slot)
            if entry.attempt is not None:
                await self.collect_attempt(entry.attempt, entry.slot, "asked")
            elif entry.older:
                await self._again(entry)
            elif entry.cause is Reason.PAID:
                await self._from_cache(entry)
            else:
                await self._bring_back(entry)
        finally:
            self._slots.settle(entry.slot, "it could not be brought back")

    # -- known tasks

    async def collect_earlier(self, slot: Slot) -> bool:
        """Bring home what was paid for this slot before, so that the new version comes after it."""
        attempts = self._earlier.pop(slot, [])
        if attempts:
            await self.collect_unasked(attempts, slot)
        return bool(attempts)

    def unasked(self) -> dict[Slot, list[Attempt]]:
        return dict(self._earlier)

    async def collect_unasked(self, attempts: Sequence[Attempt], slot: Slot) -> None:
        """Collect tasks that were paid for and that today's file no longer asks for, oldest first.

        Where the slot has what today's file asks for, they are entered behind it as older versions.
        """
        for attempt in attempts:
            state = self._slots[slot]
            if slot in self._jobs:
                has_it = state.made is not None
            else:
                state.line = self._line_of(attempt)
                # A shot that was renamed keeps what this slot had.
                has_it = any(asset.filename in self._kept for asset in state.line)
            standing: Standing = "behind" if has_it else "earlier"
            await self.collect_attempt(attempt, slot, standing)

    def _line_of(self, attempt: Attempt) -> tuple[Asset, ...]:
        """Return what a slot that the file does not have shows: its model's line, else its only one."""
        slot = attempt.slot
        there = self._context.manifest.manifest.current(slot.scene, slot.shot, slot.take)
        same = tuple(a for a in there if a.model == attempt.model)
        if same:
            return same
        return there if slot.model is None and len({a.model for a in there}) == 1 else ()

    async def collect_attempt(self, attempt: Attempt, slot: Slot, standing: Standing) -> None:
        """Bring home the task of an attempt that the ledger knows, once, whoever asks for it."""
        if attempt.task_id is None or not attempt.job:
            return
        async with self._bringing.setdefault(attempt.id, asyncio.Lock()):
            there = self._context.manifest.of_task(attempt.task_id) if attempt.id in self._brought else ()
            if not there:
                await self._collect(attempt, slot, standing)
                self._brought.add(attempt.id)
            elif standing == "asked":
                self._outcome.succeeded += 1
                self._slots.finish(slot, there)

    async def _collect(self, attempt: Attempt, slot: Slot, standing: Standing) -> None:
        task = paid_task(attempt, job_for(attempt, slot, self._jobs.get(slot)), standing)
        if attempt.state == "saved" and await self._enter_saved(task):
            return
        ended = await self._ended(task, attempt)
        failure = await self._concluder.conclude(task, ended)
        if failure and task.asked:
            self._slots.give_up(slot, failure.message)
            self._context.emit(failure)
        elif failure:
            message = f"{slot}: an earlier task failed, which is not asked for any more: {failure.message}"
            self._context.emit(Noticed(message=message))

    async def _ended(self, task: PaidTask, attempt: Attempt) -> Ended:
        endpoint = families.get(task.job.family, task.job.endpoint)
        if endpoint.at_once:
            known = tuple(s.output for s in await self._context.ledger.outputs_of(attempt.id))
            return Done(outputs=known) if known else GaveUp("no-output", "its answer was lost")
        age_s = max(0.0, self._context.now() - (attempt.submitted_at or attempt.intended_at))
        # Superseded tasks get only the remainder of the normal timeout.
        patience_s = self._context.limits.patience.timeout_s[task.job.modality]
        limit_s = None if task.asked else max(0.0, patience_s - age_s)
        return await self._watch.wait(
            task.job, endpoint, task.task_id, age_s, read_first=True, limit_s=limit_s
        )

    async def _enter_saved(self, task: PaidTask) -> bool:
        """Enter assets that lie on the disk and that the manifest lacks; False when a file is gone, or another."""
        known = await self._context.ledger.outputs_of(task.attempt)
        assets = await self.collector.in_place(known)
        if not assets or len(assets) < sum(saved.asset is not None for saved in known):
            return False
        entered = tuple(a for a in self._context.manifest.of_task(task.task_id) if a.current)
        if entered:
            self._context.ledger.recorded([task.attempt])
        else:
            named = [replace(a, scene_id=task.slot.scene, shot=task.slot.shot) for a in assets]
            entered = await self._context.manifest.enter(
                task.slot, named, self._slots[task.slot].line, task.attempt, behind=task.standing == "behind"
            )
            self._outcome.assets.extend(entered)
            self.collector.keep(task, entered)  # a run that was killed may not have come to it
        if task.asked:
            self._outcome.succeeded += 1
            self._slots.finish(task.slot, entered)
        elif task.standing == "earlier":
            self._slots[task.slot].line = entered
        return True

    # -- older versions

    async def _again(self, entry: Entry) -> None:
        """Make a superseded version current again, as a new version of the same files, at no cost."""
        await self._enter(entry.slot, [replace(a, superseded_by=None, credits=0) for a in entry.older])

    async def _enter(self, slot: Slot, assets: Sequence[Asset]) -> None:
        """Record what is there already as a slot's new version, at no cost."""
        entered = await self._context.manifest.enter(slot, assets, self._slots[slot].line)
        self._outcome.assets.extend(entered)
        self._outcome.succeeded += 1
        self._slots.finish(slot, entered)

    # -- a store of results

    async def _from_cache(self, entry: Entry) -> None:
        if not await self.from_stores(entry):
            self._slots.give_up(entry.slot, "its stored result is damaged; run again to make it")

    async def from_stores(self, entry: Entry) -> bool:
        """Take a result that was paid for elsewhere; False where no store has it whole.

        They are brought side by side and entered one after the other, so that a rebuild gives the same ids.
        """
        bringing = asyncio.ensure_future(self._stored(entry))
        async with self._storing:
            stored = await bringing
            if not stored:
                self._note_damage()
                return False
            try:
                assets = [await self._placed(one, entry) for one in stored]
            except Exception as error:
                self._slots.give_up(entry.slot, of_this_task(error).message)
                return True
            await self._enter(entry.slot, assets)
            return True

    def _note_damage(self) -> None:
        """Write down what was seen to be damaged, so that the next run takes it for absent and makes it."""
        for part in self._context.results.parts if self._context.results else ():
            self._context.whereabouts.distrust(part.damaged)

    async def _stored(self, entry: Entry) -> list[Stored]:
        results, job = self._context.results, entry.job
        if results is None or job is None or entry.key is None:
            return []
        want = self._wanted(job, entry)
        spare = self._context.workspace.state / "parts"
        return await self._context.offload(_found, results, want, entry.key, spare)

    def _wanted(self, job: Job, entry: Entry) -> Wanted:
        return wanted(job, self._digest).as_planned(entry.fingerprint)

    def _digest(self, ref: Ref) -> str:
        """Return the content of a medium; `NotMade` where it is a shot whose result is not here yet."""
        try:
            return self._binder.digest(ref)
        except Unsent as missing:
            raise NotMade from missing

    async def _placed(self, stored: Stored, entry: Entry) -> Asset:
        """Copy a stored file to the name that this slot gives it, and return its entry for this slot."""
        job = entry.job
        assert job is not None
        version = version_after(self._slots[entry.slot].line)
        filename: str = await self._context.offload(self._place, stored, job, version)
        made_from = [a.id for a in map(self._binder.upstream_of, job.media) if a]
        by_fallback = stored.asset.fingerprint == self._wanted(job, entry).fallback
        slot = job.slot
        return replace(
            stored.asset,
            id="",
            filename=filename,
            scene_id=slot.scene,
            shot=slot.shot,
            take=slot.take,
            version=1,
            superseded_by=None,
            fingerprint=stored.asset.fingerprint if by_fallback else entry.fingerprint,
            made_from=tuple(dict.fromkeys(made_from)),
        )

    def _place(self, stored: Stored, job: Job, version: int) -> str:
        workspace, digest = self._context.workspace, stored.asset.sha256 or ""
        facts = media.facts(stored.path)
        recorded = {a.filename for a in self._context.manifest.manifest.assets}

        def taken(name: str) -> bool:
            path = workspace.place(name)
            return workspace.name_of(path) in recorded or (path.exists() and files.sha256(path) != digest)

        name = names.asset_name(
            job,
            output=stored.asset.output,
            version=version,
            sha256=digest,
            extension=facts.extension,
            taken=taken,
            kind=facts.kind,
        )
        target = workspace.place(name)
        if not target.exists():
            files.copy(stored.path, target)
        if stored.passing:
            stored.path.unlink(missing_ok=True)
        return workspace.name_of(target)

    # -- files that are gone

    async def _bring_back(self, entry: Entry) -> None:
        """Fetch files that are gone, byte for byte, from the store or from the provider."""
        for asset in entry.current:
            path = self._context.workspace.asset_path(asset.filename)
            if path.exists() or await self._copied_back(entry, asset, path):
                continue
            lost = await self._ask_for_file(entry, asset)
            if lost:
                why = f"{asset.filename} is gone and could not be fetched again ({plain(lost.message)})"
                self.report_missing(entry.slot, f"{why}: {await self._way_back(asset)}, or use --force")
                return
        self._outcome.succeeded += 1
        self._slots.finish(entry.slot, entry.current)

    def report_missing(self, slot: Slot, why: str) -> None:
        """Leave a slot whose file is gone and cannot be had, and say why.  `why` is quoted as it is."""
        self._outcome.missing += 1
        self._slots.give_up(slot, "its file is missing", missing=True)
        self._context.emit(Noticed(message=f"{slot}: {why}", level="warning"))

    async def _way_back(self, asset: Asset) -> str:
        """Return where a lost file can be had from: another film of the account may be whose task it was."""
        attempt = await self._context.ledger.attempt_of_task(asset.task_id or "")
        return put_back(attempt.elsewhere if attempt else "")

    async def _copied_back(self, entry: Entry, asset: Asset, path: Path) -> bool:
        """Bring a file from a store; False where none has it, or none answers: the provider is asked then."""
        results = self._context.results
        if results is None:
            return False
        try:
            if await self._context.offload(results.fetch, asset, path):
                return True
            stored = await self._stored(entry)  # a cache of 0.1 knows no bytes, only results
        except StoreFailed as failed:
            self._context.emit(Noticed(message=plain(failed.message), level="warning"))
            return False
        for one in stored:
            if one.asset.sha256 == asset.sha256:
                await self._context.offload(files.copy, one.path, path)
                return True
        return False

    async def _ask_for_file(self, entry: Entry, asset: Asset) -> Lost | None:
        if not asset.task_id or entry.job is None:
            return Lost("gone", "its task is not known")
        attempt = await self._context.ledger.attempt_of_task(asset.task_id)
        job = job_for(attempt, entry.slot, entry.job) if attempt and attempt.job else entry.job
        done = await self.records.again(replace(job, model=asset.model), asset.task_id)
        if done is None:
            return Lost("gone", "the provider no longer has it")
        return await self.collector.fetch_again(job, asset, done)


def _found(results: ResultStore, want: Wanted, key: Key, spare: Path) -> list[Stored]:
    """Return what a store has of a job, its bytes at hand.  What it did not have when it was asked, it may have now."""
    stored = stored_key(want, key, results.has)
    if stored is None:
        results.expect(replace(key, content=content) for content in want.contents)
        stored = stored_key(want, key, results.has)
    return results.get(stored, spare) if stored else []
