"""Gives every medium of a job an address: links that live, uploads, frames cut from clips, tasks passed on."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiebatch import files, media, units
from kiebatch.errors import CallFailed, Refused
from kiebatch.model import JSON, Asset, Job, LocalFile, Media, Ref, ShotOutput, Slot, WebURL, fingerprint
from kiebatch.planning import output_of
from kiebatch.provider import lifetimes
from kiebatch.running.context import RunContext
from kiebatch.running.events import Noticed
from kiebatch.running.slots import SlotBook
from kiebatch.running.stop import Lacking, Unsent
from kiebatch.units import Failed, Order

_UPLOAD_S = 6 * 3600.0  # with all attempts of a file of gigabytes; each call has a limit of its own


@dataclass(frozen=True, slots=True)
class Bound:
    """A job whose media have addresses: what is sent, what it is made from, and its final fingerprint."""

    input: Mapping[str, JSON]
    fingerprint: str
    made_from: tuple[str, ...]
    renewable: tuple[str, ...]  # addresses of files that can be uploaded instead, or again


@dataclass(frozen=True, slots=True)
class References:
    """The local files that the project names: where each lies, and its sha256 (None when it is gone)."""

    path: Callable[[str], Path]
    digest: Callable[[str], str | None]


class Binder:
    """Binds the jobs of one run."""

    def __init__(self, context: RunContext, slots: SlotBook, references: References) -> None:
        self._context = context
        self._slots = slots
        self._references = references
        self._uploads: dict[str, asyncio.Task[str]] = {}
        self._frames: dict[str, asyncio.Task[Path]] = {}
        self._dead: set[str] = set()  # links of results that the provider could not fetch in this run

    @property
    def tasks(self) -> tuple[asyncio.Task[str] | asyncio.Task[Path], ...]:
        """What may still be at work when the run ends."""
        return (*self._uploads.values(), *self._frames.values())

    async def forget_addresses(self, job: Job) -> None:
        """Forget where a job's files lie: the provider could not fetch one and does not say which.

        Whoever asks for such a file from now on uploads it again.  A file that is gone has nothing to forget.
        """
        for medium in job.media:
            try:
                path = await self._file_of(medium)
            except (Unsent, media.Undecodable, OSError):
                continue
            if path is None or not path.exists():
                continue
            digest: str = await self._context.offload(files.sha256, path)
            self._uploads.pop(digest, None)
            known = await self._uploaded(digest, max_age_s=lifetimes.UPLOAD.kept_s)
            if known:
                await self._context.ledger.forget_upload(known)
            if isinstance(medium.ref, ShotOutput) and not medium.ref.frame:
                await self._leave_link(medium.ref, path)

    async def _leave_link(self, ref: ShotOutput, path: Path) -> None:
        """Send a result's link no more.  Its file is uploaded now: the next run goes by that, although the link is young."""
        link = await self._living_link(self.upstream(ref))
        if link is None:
            return
        self._dead.add(link)
        with contextlib.suppress(CallFailed, Refused):
            await self._upload(path)

    async def bind(self, job: Job) -> Bound:
        """Give every medium an address, uploading what must be; return the final request and fingerprint."""
        bound: dict[str, JSON] = copy.deepcopy(dict(job.input))
        made_from: list[str] = []
        renewable: list[str] = []
        for medium in job.media:
            if isinstance(medium.ref, ShotOutput):
                asset = self.upstream(medium.ref)
                made_from.append(asset.id)
        for slot in job.after:
            made_from += [asset.id for asset in self._slots.made(slot) or ()]
        print_ = fingerprint(job, self.digest)
        found = await asyncio.gather(*(self._address(m, renewable) for m in job.media))
        for medium, address in zip(job.media, found, strict=True):
            _put(bound, medium, address)
        return Bound(bound, print_, tuple(dict.fromkeys(made_from)), tuple(renewable))

    def upstream_of(self, medium: Media) -> Asset | None:
        return self.upstream(medium.ref) if isinstance(medium.ref, ShotOutput) else None

    def upstream(self, ref: ShotOutput) -> Asset:
        asset = output_of(self._slots.made(ref.slot) or (), ref)
        if asset is None:
            raise Unsent(f"upstream {ref.slot} has no output {ref.output}")
        return self._context.manifest.as_it_stands(asset)

    def digest(self, ref: Ref) -> str:
        if isinstance(ref, LocalFile):
            digest = self._references.digest(ref.path)
            if digest is None:
                raise Lacking(f"{ref.path} is gone")
            return digest
        assert isinstance(ref, ShotOutput)
        return self.upstream(ref).sha256 or ""

    async def _address(self, medium: Media, renewable: list[str]) -> str:
        ref = medium.ref
        if isinstance(ref, WebURL):
            return await self._copied(ref.url) if self._context.copies_first(ref.url) else ref.url
        if isinstance(ref, ShotOutput):
            known = await self._known_address(ref)
            if known:
                if not (ref.as_id or ref.as_task):
                    renewable.append(known)
                return known
        path = await self._file_of(medium)
        assert path is not None  # only an address, an id and a task have none
        url = await self._upload(path)
        renewable.append(url)
        return url

    async def _copied(self, url: str) -> str:
        """Have the upload host copy a foreign address, once in a run, and return the copy's."""
        if url not in self._uploads:
            self._uploads[url] = asyncio.ensure_future(self._context.client.upload_from_url(url))
        return await asyncio.shield(self._uploads[url])

    async def _known_address(self, ref: ShotOutput) -> str | None:
        """Return what names another shot's output at the provider: its id, its task, or a link that lives."""
        asset = self.upstream(ref)
        if ref.as_id:
            named = asset.extra.get("output_id")
            if not isinstance(named, str):
                raise Unsent(f"the provider named no id of {ref.slot}'s output {ref.output}")
            return named
        if ref.as_task:
            if not asset.task_id:
                raise Unsent(f"the task of {ref.slot} is not known, so it cannot be passed on")
            return asset.task_id
        if ref.frame:
            return None
        known = await self._uploaded(asset.sha256) if asset.sha256 else None
        if known:
            return known
        link = await self._living_link(asset)
        return None if link in self._dead else link

    async def _file_of(self, medium: Media) -> Path | None:
        """Return the file of ours that a medium is; None for an address, a task or the id of an output."""
        ref = medium.ref
        if isinstance(ref, LocalFile):
            return self._references.path(ref.path)
        if not isinstance(ref, ShotOutput) or ref.as_id or ref.as_task:
            return None
        asset = self.upstream(ref)
        await self._bring(asset, ref.slot)
        problem = self._context.workspace.asset_problem(asset.filename, asset.type)
        if problem:
            raise Lacking(problem)
        path = self._context.workspace.asset_path(asset.filename)
        return await self._frame(path, asset.sha256 or "", ref.frame) if ref.frame else path

    async def _bring(self, asset: Asset, slot: Slot) -> None:
        """Bring a file that is in the store and not here: a job is about to start from it."""
        path = self._context.workspace.asset_path(asset.filename)
        if path.exists() or not self._context.whereabouts.remote(asset):
            return
        results = self._context.results
        if results is None or not await self._context.offload(results.fetch, asset, path):
            raise Unsent(
                f"{asset.filename} is in the store and not here: set KIEBATCH_STORE, or `kiebatch pull {slot}`"
            )

    async def _living_link(self, asset: Asset) -> str | None:
        """Return a finished task's own link while that surely lives."""
        known = await self._context.ledger.outputs_of_task(asset.task_id) if asset.task_id else ()
        for saved in known:
            age_s = self._context.now() - saved.seen_at
            young = 0 <= age_s < lifetimes.RESULT_LINK.relied_on_s
            if saved.output.number == asset.output and young:
                return saved.output.url
        return None

    async def _frame(self, clip: Path, digest: str, which: Literal["first", "last"]) -> Path:
        target = self._context.workspace.state / "frames" / f"{digest}-{which}.png"
        if target.exists():
            return target
        key = str(target)
        if key not in self._frames:
            files.private_folder(target.parent)
            self._frames[key] = asyncio.ensure_future(self._cut(clip, which, target))
        return await self._frames[key]

    async def _cut(self, clip: Path, which: Literal["first", "last"], target: Path) -> Path:
        await self._context.offload(media.frame, clip, which, target)
        return target

    async def _upload(self, path: Path) -> str:
        """Upload a file once per content, and remember where it lies."""
        if not path.exists():
            raise Lacking(f"{files.shown(path)} is gone")
        digest: str = await self._context.offload(files.sha256, path)
        known = await self._uploaded(digest)
        if known:
            return known
        if digest not in self._uploads:
            self._uploads[digest] = asyncio.ensure_future(self._send_file(path, digest))
        return await asyncio.shield(self._uploads[digest])

    async def _uploaded(self, digest: str, *, max_age_s: float = lifetimes.UPLOAD.relied_on_s) -> str | None:
        """Return where a content was uploaded, while that surely lives."""
        host = self._context.client.upload_url
        return await self._context.ledger.upload(digest, host, max_age_s=max_age_s)

    async def _send_file(self, path: Path, digest: str) -> str:
        host = self._context.client.upload_url
        self._context.shelf.point(f"sha256/{digest}", path)
        unit = units.upload(digest, host, timeout_s=_UPLOAD_S)
        ended = await self._context.queue.result(Order(unit=unit))
        if isinstance(ended, Failed):
            raise CallFailed(ended.code, ended.message, retryable=ended.retryable)
        url = str(ended.value["url"])
        await self._context.ledger.uploaded(digest, host, url)
        self._context.emit(Noticed(message=f"uploaded {files.shown(path)}", level="debug"))
        return url


def _put(bound: dict[str, JSON], medium: Media, address: str) -> None:
    """Write the address of a medium to its place in a job's input."""
    if medium.index is None:
        bound[medium.field] = address
        return
    places = bound[medium.field]
    assert isinstance(places, list)
    if medium.key is None:
        places[medium.index] = address
        return
    place = places[medium.index]
    assert isinstance(place, dict)
    place[medium.key] = address
