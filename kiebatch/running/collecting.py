"""Brings a finished task's outputs onto the disk and into the record; nothing that was paid for is dropped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from kiebatch import files, media
from kiebatch.model import Asset, Done, Job, MediaFacts, Modality, Output, stamp
from kiebatch.provider import CallFailed, Client, families
from kiebatch.record import Journal, ManifestWriter, ResultCache, asset_to
from kiebatch.record.manifest import names, version_after
from kiebatch.running.events import Downloaded, Event, Saved
from kiebatch.workspace import Workspace

CAP_BYTES: Mapping[str, int] = {"image": 200 << 20, "video": 4 << 30, "audio": 1 << 30, "text": 16 << 20}
_TRIES = 3


class Offload(Protocol):
    """Runs slow work (decoding, hashing) away from the loop; in simulated time it runs it in place."""

    async def __call__(self, work: Callable[..., Any], /, *args: Any) -> Any: ...


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

    def __init__(
        self,
        *,
        workspace: Workspace,
        client: Client,
        journal: Journal,
        record: ManifestWriter,
        store: ResultCache | None,
        emit: Callable[[Event], object],
        now: Callable[[], float],
        offload: Offload,
        ask_again: Callable[[Job, str], Awaitable[Done | None]],
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._journal = journal
        self._record = record
        self._store = store
        self._emit = emit
        self._now = now
        self._offload = offload
        self._ask_again = ask_again
        self._names = asyncio.Lock()

    async def collect(
        self,
        attempt: int,
        job: Job,
        fingerprint: str,
        task_id: str,
        done: Done,
        *,
        replaces: Callable[[], Sequence[Asset]],
        made_from: Sequence[str],
        credits: float | None,
        behind: bool = False,
    ) -> tuple[Asset, ...] | Lost:
        """Bring a task's outputs home.

        `replaces` is asked at the last moment what they take the place of, or stand `behind` as older versions.
        """
        self._journal.outputs(attempt, done.outputs, done.credits)
        fetched: list[_Fetched] = []
        kept: dict[int, Asset] = {
            saved.output.number: saved.asset
            for saved in self._journal.outputs_of(attempt)
            if saved.asset and self._in_place(saved.asset)
        }
        for output in done.outputs:
            if output.number in kept:
                continue
            one = await self._fetch(attempt, job, task_id, output)
            if isinstance(one, Lost):
                self._journal.lost(attempt, one.code, one.message)
                return one
            fetched.append(one)
            self._emit(Downloaded(slot=job.slot, task_id=task_id, size_bytes=one.facts.size_bytes))
        async with self._names:
            superseded = tuple(replaces())
            version = version_after(superseded)
            cost = done.credits if done.credits is not None else credits
            assets = dict(kept)
            for one in fetched:
                filename = self._place(job, one, version)
                asset = Asset(
                    id="",
                    type=one.facts.kind,
                    filename=filename,
                    prompt=job.prompt,
                    model=job.model,
                    parameters=parameters(job),
                    created_at=stamp(self._now()),
                    scene_id=job.slot.scene,
                    shot=job.slot.shot,
                    take=job.slot.take,
                    output=one.output.number,
                    task_id=task_id,
                    fingerprint=fingerprint,
                    sha256=one.sha256,
                    bytes=one.facts.size_bytes,
                    media_type=one.facts.media_type,
                    width=one.facts.width,
                    height=one.facts.height,
                    duration=None if one.facts.duration_s is None else round(one.facts.duration_s, 3),
                    credits=cost if one.output.number == done.outputs[0].number else None,
                    draft=self._workspace.draft,
                    made_from=tuple(made_from),
                    extra={
                        key: value
                        for key, value in (("output_id", one.output.id), ("fallback_for", job.fallback_for))
                        if value
                    },
                )
                self._journal.asset(attempt, one.output.number, asset_to(asset))
                assets[one.output.number] = asset
            self._journal.saved(attempt)
            entered = self._record.enter(
                [assets[n] for n in sorted(assets)], superseded, attempt, behind=behind
            )
        for asset in entered:
            self._emit(Saved(slot=job.slot, task_id=task_id, asset=asset))
        if self._store:
            paths = {a.filename: self._workspace.asset_path(a.filename) for a in entered}
            await self._offload(self._store.put, entered, paths)
        return entered

    async def fetch_again(self, job: Job, asset: Asset, done: Done) -> Lost | None:
        """Bring a missing file of an asset back from the provider, when that still has the very same bytes."""
        output = next((o for o in done.outputs if o.number == asset.output), None)
        if output is None:
            return Lost("gone", "the provider names no such output any more")
        one = await self._fetch(
            f"again-{re.sub(r'[^0-9A-Za-z-]', '-', asset.id)}", job, asset.task_id or "", output
        )
        if isinstance(one, Lost):
            return one
        if asset.sha256 and one.sha256 != asset.sha256:
            one.part.unlink(missing_ok=True)
            return Lost("other-content", "the provider now gives other bytes than those that were recorded")
        if not files.place(one.part, self._workspace.asset_path(asset.filename)):
            one.part.unlink(missing_ok=True)
        return None

    def _in_place(self, asset: Asset) -> bool:
        path = self._workspace.asset_path(asset.filename)
        return path.is_file() and path.stat().st_size == asset.bytes

    def _place(self, job: Job, one: _Fetched, version: int) -> str:
        """Move a checked file to its name, which nothing else may have; return it as the manifest writes it."""
        recorded = {a.filename for a in self._record.manifest.assets}

        def taken(name: str) -> bool:
            path = self._workspace.place(name)
            if self._workspace.name_of(path) in recorded:
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
        target = self._workspace.place(name)
        while not files.place(one.part, target):
            if files.sha256(target) == one.sha256:
                one.part.unlink(missing_ok=True)  # placed before a crash
                break
            target = target.with_name(f"{target.stem}-{one.sha256[8:16]}{target.suffix}")
        return self._workspace.name_of(target)

    # -- one output

    async def _fetch(self, attempt: int | str, job: Job, task_id: str, output: Output) -> _Fetched | Lost:
        part = self._workspace.state / "parts" / f"{attempt}-{output.number}.part"
        try:
            files.private_folder(part.parent)
            if output.url is None:
                text = output.text or ""
                part.write_text(text, encoding="utf-8")
                return await self._check(job, output, part, text=True)
        except OSError as error:
            raise files.unwritable(part, error) from None
        lost = Lost("no-url", "the task names no address")
        urls = [output.url]
        for attempt_number in range(_TRIES):
            url = urls[-1]
            try:
                await self._client.download(url, part, cap_bytes=CAP_BYTES[job.modality])
                return await self._check(job, output, part)
            except CallFailed as failure:
                lost = Lost(failure.code, failure.message)
                if not failure.retryable and failure.code != "gone":
                    break
                if failure.code == "gone":
                    fresh = await self._fresh(job, task_id, output, attempt_number)
                    if fresh is None:
                        break
                    urls.append(fresh)
            except media.Undecodable as error:
                part.unlink(missing_ok=True)
                lost = Lost("not-media", str(error))
            except OSError as error:
                raise files.unwritable(part, error) from None
        return lost

    async def _fresh(self, job: Job, task_id: str, output: Output, attempt_number: int) -> str | None:
        """Return another address for a dead one: the record's own first, then the download-url call's."""
        if attempt_number == 0:
            done = await self._ask_again(job, task_id)
            again = next((o.url for o in done.outputs if o.number == output.number), None) if done else None
            if again and again != output.url:
                return again
        try:
            url = output.url or ""
            endpoint = families.get(job.family, job.endpoint)
            return await self._client.fresh_url(url, endpoint.fresh_link(task_id, url))
        except CallFailed:
            return None

    async def _check(self, job: Job, output: Output, part: Path, *, text: bool = False) -> _Fetched:
        """Return a part file's facts.  `media.Undecodable` when it is no medium, or not what the model makes."""
        if text:
            facts = MediaFacts(
                kind="text", media_type="text/plain", extension=".txt", size_bytes=part.stat().st_size
            )
            if (output.text or "").lstrip().startswith(("{", "[")):
                facts = replace(facts, media_type="application/json", extension=".json")
        else:
            facts = await self._offload(media.facts, part)
            allowed = _kinds(job.modality)
            if not output.label and facts.kind not in allowed:
                raise media.Undecodable(f"{facts.media_type} came where the model makes {job.modality}")
        return _Fetched(output, part, facts, await self._offload(files.sha256, part))


def _kinds(modality: Modality) -> set[str]:
    # Suno's tree gives music videos and MIDI from an audio model; a transcription may come as a file.
    return {"audio": {"audio", "video", "text", "image"}, "text": {"text", "audio"}}.get(modality, {modality})


def parameters(job: Job) -> dict[str, Any]:
    """Return a manifest entry's `parameters`: what was sent, with local files and shots by name, never links."""
    size = next(
        (
            job.input[k]
            for k in ("aspect_ratio", "image_size", "size", "aspectRatio")
            if isinstance(job.input.get(k), str)
        ),
        None,
    )
    found: dict[str, Any] = {} if size is None else {"size": size}
    return found | {"endpoint": job.endpoint, "input": dict(job.input)}
