"""Brings a finished task's outputs onto the disk and into the record; nothing that was paid for is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kiebatch import files, units
from kiebatch.model import JSON, Asset, Done, Job, MediaFacts, Output, stamp
from kiebatch.provider import CallFailed, families, lifetimes
from kiebatch.record import Key, SavedOutput, asset_to
from kiebatch.record.manifest import names, version_after
from kiebatch.running.context import RunContext
from kiebatch.running.events import Downloaded, Saved
from kiebatch.running.keeping import Keeper
from kiebatch.running.paid import PaidTask
from kiebatch.running.records import TaskRecords
from kiebatch.running.slots import SlotBook
from kiebatch.units import Made, Order, Unit
from kiebatch.workspace import Workspace

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Lost:
    """A finished task's result could not be had this time.  The task can be collected again."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _Fetched:
    """One output's checked file, not yet in its place."""

    output: Output
    part: Path
    facts: MediaFacts
    sha256: str


class Collector:
    """Downloads, checks, names, places and records the outputs of tasks."""

    def __init__(self, context: RunContext, slots: SlotBook, records: TaskRecords, keeper: Keeper) -> None:
        self._context = context
        self._keeper = keeper
        self._slots = slots
        self._records = records
        self._names = asyncio.Lock()

    async def collect(self, task: PaidTask, done: Done) -> tuple[Asset, ...] | Lost:
        """Bring a task's outputs home: onto the disk, into the ledger and into the manifest, in that order."""
        known = [] if task.borrowed else await self._known(task, done)
        kept = {asset.output: asset for asset in await self.in_place(known)}
        seen = {s.output.number: s.seen_at for s in known}
        fetched: list[_Fetched] = []
        for output in done.outputs:
            if output.number in kept:
                continue
            order = self._order(str(task.attempt), task.job, task.task_id, output)
            seen_at = seen.get(output.number, self._context.now())
            dies_at = seen_at + lifetimes.RESULT_LINK.kept_s
            named = None if task.borrowed else (task.attempt, output.number)
            order = replace(order, dies_at=dies_at, output=named)
            one = await self._fetch(order, task.job, task.task_id, output)
            if isinstance(one, Lost):
                if not task.borrowed:
                    await self._context.ledger.lost(task.attempt, one.code, one.message)
                return one
            fetched.append(one)
            size = one.facts.size_bytes
            self._context.emit(Downloaded(slot=task.slot, task_id=task.task_id, size_bytes=size))
        entered = await self._enter(task, done, kept, fetched)
        for asset in entered:
            self._context.emit(Saved(slot=task.slot, task_id=task.task_id, asset=asset))
        self.keep(task, entered)
        return entered

    async def in_place(self, known: Iterable[SavedOutput]) -> list[Asset]:
        """Return the assets of outputs that a run which was killed had put in their places."""
        placed = [saved.asset for saved in known if saved.asset]
        return await self._context.offload(_in_place, self._context.workspace, placed) if placed else []

    async def _known(self, task: PaidTask, done: Done) -> list[SavedOutput]:
        """Write down where a task's outputs lie; return all that is known of them."""
        return await self._context.ledger.outputs(task.attempt, done.outputs, done.credits)

    def keep(self, task: PaidTask, entered: Sequence[Asset]) -> None:
        """Begin to store a task's assets, whose files are here."""
        self._keeper.keep(Key(task.fingerprint, task.slot.take, task.twin, task.edition), entered)

    async def _enter(
        self, task: PaidTask, done: Done, kept: Mapping[int, Asset], fetched: Sequence[_Fetched]
    ) -> tuple[Asset, ...]:
        """Give fetched files their names and enter the task's assets.

        What they take the place of is asked at the last moment: a person may have adopted a file meanwhile.
        """
        async with self._names:
            superseded = self._slots[task.slot].line
            version = version_after(superseded)
            assets = dict(kept)
            for one in fetched:
                filename = await self._context.offload(self._place, task.job, one, version)
                assets[one.output.number] = self._asset(task, done, one, filename)
            in_order = [assets[n] for n in sorted(assets)]
            if task.borrowed:
                return await self._context.manifest.enter(task.slot, in_order, superseded)
            await self._context.ledger.saved(
                task.attempt, {number: asset_to(asset) for number, asset in assets.items()}
            )
            behind = task.standing == "behind"
            return await self._context.manifest.enter(
                task.slot, in_order, superseded, task.attempt, behind=behind
            )

    def _asset(self, task: PaidTask, done: Done, one: _Fetched, filename: str) -> Asset:
        job, first = task.job, done.outputs[0].number
        cost = task.credits if done.credits is None or task.borrowed else done.credits
        extra: dict[str, JSON] = {
            "output_id": one.output.id,
            "fallback_for": job.fallback_for,
            "codec": one.facts.codec,
            "run": task.run_id or self._context.run_id,
            "tags": list(dict.fromkeys((*job.tags, *self._context.tags))),
            "prompt_raw": job.prompt_raw if job.enhanced else "",
        }
        return Asset(
            id="",
            type=one.facts.kind,
            filename=filename,
            prompt=job.prompt,
            model=job.model,
            parameters=parameters(job),
            created_at=stamp(self._context.now()),
            scene_id=job.slot.scene,
            shot=job.slot.shot,
            take=job.slot.take,
            output=one.output.number,
            task_id=task.task_id,
            fingerprint=task.fingerprint,
            sha256=one.sha256,
            bytes=one.facts.size_bytes,
            media_type=one.facts.media_type,
            width=one.facts.width,
            height=one.facts.height,
            duration=None if one.facts.duration_s is None else round(one.facts.duration_s, 3),
            credits=cost if one.output.number == first else None,
            draft=self._context.workspace.draft,
            made_from=tuple(task.made_from),
            extra={key: value for key, value in extra.items() if value},
        )

    async def fetch_again(self, job: Job, asset: Asset, done: Done) -> Lost | None:
        """Bring a missing file of an asset back from the provider, when that still has the very same bytes."""
        output = next((o for o in done.outputs if o.number == asset.output), None)
        if output is None:
            return Lost("gone", "the provider names no such output any more")
        task_id = asset.task_id or ""
        one = await self._fetch(self._order(f"again-{asset.id}", job, task_id, output), job, task_id, output)
        if isinstance(one, Lost):
            return one
        if asset.sha256 and one.sha256 != asset.sha256:
            one.part.unlink(missing_ok=True)
            return Lost("other-content", "the provider now gives other bytes than those that were recorded")
        if not files.place(one.part, self._context.workspace.asset_path(asset.filename)):
            one.part.unlink(missing_ok=True)
        return None

    def _place(self, job: Job, one: _Fetched, version: int) -> str:
        """Move a checked file to its name, which nothing else may have; return it as the manifest writes it."""
        recorded = {a.filename for a in self._context.manifest.manifest.assets}

        def taken(name: str) -> bool:
            path = self._context.workspace.place(name)
            if self._context.workspace.name_of(path) in recorded:
                return True
            return path.exists() and files.sha256(path) != one.sha256  # the same: placed before a crash

        name = names.asset_name(
            job,
            output=one.output.number,
            version=version,
            sha256=one.sha256,
            extension=one.facts.extension,
            taken=taken,
            kind=one.facts.kind,
        )
        target = self._context.workspace.place(name)
        while not files.place(one.part, target):
            if files.sha256(target) == one.sha256:
                one.part.unlink(missing_ok=True)  # placed before a crash
                break
            target = target.with_name(f"{target.stem}-{one.sha256[8:16]}{target.suffix}")
        return self._context.workspace.name_of(target)

    # -- one output

    def _order(self, origin: str, job: Job, task_id: str, output: Output) -> Order:
        limit_s = self._context.limits.download_s
        unit = units.download(origin, task_id, output, job.modality, timeout_s=limit_s)
        return Order(unit=unit, address=output.url or "")

    async def _fetch(self, order: Order, job: Job, task_id: str, output: Output) -> _Fetched | Lost:
        if output.url is None:
            return await self._written(order.unit, output)
        lost = Lost("no-url", "the task names no address")
        for number in range(_TRIES):
            ended = await self._context.queue.result(order)
            if isinstance(ended, Made):
                fetched = await self._taken(order.unit, output, ended)
                if fetched is not None:
                    return fetched
                lost = Lost("not-stored", "the store does not have its bytes any more")
                await self._context.queue.forget(order)
                continue
            lost = Lost(ended.code, ended.message)
            if ended.code == "gone":
                fresh = await self._fresh(job, task_id, output, number)
                if fresh is None:
                    break
                order = replace(order, address=fresh)
            elif not ended.retryable:
                break
        return lost

    async def _taken(self, unit: Unit, output: Output, made: Made) -> _Fetched | None:
        sha256 = str(made.value["sha256"])
        part = await self._context.shelf.take(unit, f"sha256/{sha256}")
        if part is None:
            return None
        return _Fetched(output, part, MediaFacts(**made.value["facts"]), sha256)

    async def _written(self, unit: Unit, output: Output) -> _Fetched:
        """Write an output that is a text into a part file."""
        text = output.text or ""
        part = self._context.shelf.scratch(unit)
        try:
            part.write_text(text, encoding="utf-8")
            sha256 = await self._context.offload(files.sha256, part)
        except OSError as error:
            raise files.unwritable(part, error) from None
        size = part.stat().st_size
        facts = MediaFacts(kind="text", media_type="text/plain", extension=".txt", size_bytes=size)
        if text.lstrip().startswith(("{", "[")):
            facts = replace(facts, media_type="application/json", extension=".json")
        return _Fetched(output, part, facts, sha256)

    async def _fresh(self, job: Job, task_id: str, output: Output, attempt_number: int) -> str | None:
        """Return another address for a dead one: the record's own first, then the download-url call's."""
        if attempt_number == 0:
            done = await self._records.again(job, task_id)
            again = next((o.url for o in done.outputs if o.number == output.number), None) if done else None
            if again and again != output.url:
                return again
        try:
            url = output.url or ""
            endpoint = families.get(job.family, job.endpoint)
            return await self._context.client.fresh_url(url, endpoint.fresh_link(task_id, url))
        except CallFailed:
            return None


def _in_place(workspace: Workspace, assets: Sequence[Asset]) -> list[Asset]:
    """Return the assets whose file is here with its content; another file may have the name, and the size."""
    paths = [(asset, workspace.asset_path(asset.filename)) for asset in assets]
    return [asset for asset, path in paths if path.is_file() and files.sha256(path) == asset.sha256]


def parameters(job: Job) -> dict[str, JSON]:
    """Return a manifest entry's `parameters`: what was sent, with local files and shots by name, never links."""
    size = next(
        (
            job.input[k]
            for k in ("aspect_ratio", "image_size", "size", "aspectRatio")
            if isinstance(job.input.get(k), str)
        ),
        None,
    )
    found: dict[str, JSON] = {} if size is None else {"size": size}
    return found | {"endpoint": job.endpoint, "input": dict(job.input)}
