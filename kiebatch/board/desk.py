"""One project under review: how it stands, what a wish would do and cost, and doing it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from kiebatch import files, media
from kiebatch.board import edits, publish
from kiebatch.board import page as pages
from kiebatch.board.film import Film, Panel
from kiebatch.board.page import Review, Shown
from kiebatch.errors import Invalid
from kiebatch.media import Derivatives, Kind, wanted
from kiebatch.model import JSON, Asset, Job, Slot
from kiebatch.planning import Entry, Plan, planning, saved
from kiebatch.project import Opened, opening
from kiebatch.record.picks import written
from kiebatch.running.events import Event, JobFailed, JobHeld, Saved, Skipped, Submitted
from kiebatch.scenefile import document

_MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".aac": "audio/aac",
    ".txt": "text/plain; charset=utf-8",
    ".srt": "text/plain; charset=utf-8",
    ".json": "text/plain; charset=utf-8",
}


class Runner(Protocol):
    """Carries out a plan that somebody has confirmed, and tells what happens."""

    def __call__(
        self,
        opened: Opened,
        *,
        only: Sequence[str],
        force: bool,
        bound: Mapping[str, JSON],
        emit: Callable[[Event], object],
    ) -> Awaitable[object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks of one take: `make`, `retry`, `again`, `another` (take) or `prompt` (with its words).

    Or of the whole film: `all` that is missing or changed, and what `failed`; these name no slot.
    """

    kind: str
    slot: str = ""
    prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a wish would do: its jobs and price, and the scene file's change where it needs one.

    `before` and `after` are the scene file's whole text; both None where it stays.  `may` says whether the page can
    do it; if not, `note` says how else.
    """

    title: str
    does: str
    only: tuple[str, ...]
    force: bool
    bound: Mapping[str, JSON]
    jobs: tuple[Mapping[str, JSON], ...]
    total: str
    may: bool
    note: str = ""
    difference: str = ""
    before: str | None = None
    after: str | None = None

    def as_json(self) -> dict[str, JSON]:
        return {
            "title": self.title,
            "does": self.does,
            "jobs": list(self.jobs),
            "total": self.total,
            "may": self.may,
            "note": self.note,
            "diff": self.difference,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What is new since the last look: shots by name, or so much that the page must load anew."""

    shots: frozenset[str] = frozenset()
    reload: bool = False


@dataclass(slots=True)
class _Progress:
    total: int = 0
    done: int = 0
    flying: set[str] = field(default_factory=set)
    failed: int = 0
    running: bool = False


class Desk:
    """Holds a project in memory and notices when it changes on the disk.  Its methods may run in several threads."""

    def __init__(
        self,
        load: Callable[[], Opened],
        *,
        author: str = "",
        may_write: bool = False,
        runner: Runner | None = None,
        every_s: float = 0.7,
    ) -> None:
        self.load = load
        self.author = author
        self.every_s = every_s
        self._runner = runner
        self._may_write = may_write
        self._review = Review(author=author, may_write=may_write, may_run=runner is not None)
        self._lock = threading.RLock()
        self._progress = _Progress()
        self._rest_until = 0.0
        self._peaks: dict[tuple[str, str | None], tuple[int, ...]] = {}
        self._has_ffmpeg = media.find_ffmpeg() is not None
        self._opened = load()
        self.workspace = self._opened.workspace
        self._derivatives = Derivatives(self.workspace.state)
        self._seen = self._signature()
        self._film, self._assets, self._shown = self._read(self._opened)

    # -- how it stands

    def _read(self, opened: Opened) -> tuple[Film, dict[str, Asset], dict[str, Shown]]:
        film = publish.film_of(opened)
        assets = {a.id: a for p in film.panels for t in p.takes for v in t.versions for a in v.assets}
        return film, assets, self._addresses(assets.values())

    def _addresses(self, assets: Iterable[Asset]) -> dict[str, Shown]:
        assets = list(assets)
        paths = {a.id: publish.path_of(self.workspace, a) for a in assets}
        sounds = [
            ((a.id, a.sha256), wish)
            for a in assets
            if a.type == "audio"
            and (path := paths[a.id])
            and (wish := wanted(a, path, "peaks"))
            and (a.id, a.sha256) not in self._peaks
        ]
        made = self._derivatives.make(wish for _, wish in sounds)
        for key, wish in sounds:
            self._peaks[key] = publish.read_peaks(made.get(wish))
        found = {}
        for asset in assets:
            if paths[asset.id] is None:
                continue
            mark = f"{asset.id}?{(asset.sha256 or '')[:12]}"
            wide = (asset.width or 0) >= (asset.height or 0)  # else the small picture is not 384 wide
            pictured = asset.type == "image" or (asset.type == "video" and self._has_ffmpeg)
            found[asset.id] = Shown(
                thumb=f"small/thumb/{mark}" if pictured else "",
                media=f"media/{mark}",
                poster=f"small/poster/{mark}" if pictured and (wide or asset.type == "video") else "",
                text=publish.read_words(asset, paths[asset.id]),
                peaks=self._peaks.get((asset.id, asset.sha256), ()),
            )
        return found

    def page(self) -> str:
        with self._lock:
            film, shown = self._film, self._shown
        return pages.page(film, shown, review=self._review)

    def policy(self) -> str:
        return pages.policy(self._film, served=True) + "; frame-ancestors 'none'"

    def panels(self, names: Sequence[str]) -> dict[str, str]:
        """Return shots of the page anew, by name, and the film's sums under the empty one."""
        with self._lock:
            film, shown = self._film, self._shown
        return pages.panels(film, set(names), shown, review=self._review)

    def slots(self) -> set[str]:
        return {t.slot for p in self._film.panels for t in p.takes}

    def file(self, id: str) -> tuple[Path, str] | None:
        """Return an asset's file and its media type, by the asset's id alone."""
        asset = self._assets.get(id)
        path = publish.path_of(self.workspace, asset) if asset else None
        return (path, _MEDIA.get(path.suffix.lower(), "application/octet-stream")) if path else None

    def small(self, id: str, kind: Kind) -> Path | None:
        asset = self._assets.get(id)
        path = publish.path_of(self.workspace, asset) if asset else None
        wish = wanted(asset, path, kind) if asset and path else None
        return self._derivatives.get(wish) if wish else None

    # -- noticing

    def _signature(self) -> tuple[object, ...]:
        workspace = self.workspace
        journal = workspace.journal_path
        watched = [
            workspace.manifest_path,
            workspace.picks_path,
            journal,
            journal.with_name(journal.name + "-wal"),
        ]
        if workspace.scene_file:
            watched.append(workspace.scene_file)
        found: list[object] = []
        for path in watched:
            try:
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size))
            except OSError:
                found.append(None)
        return tuple(found)

    def moved(self) -> bool:
        """Whether something on the disk is new.  A large film, which is slow to read, is read less often."""
        return time.monotonic() >= self._rest_until and self._signature() != self._seen

    def look(self) -> Changed:
        """Read the project again; `Invalid` when the scene file cannot be read just now, and all stays as it was."""
        with self._lock:
            began = time.monotonic()
            seen = self._signature()
            try:
                opened = self.load()
                before = self._film
                film, assets, shown = self._read(opened)
            finally:
                # What cannot be read is not read again until it changes.
                self._seen = seen
                self._rest_until = time.monotonic() + 4 * (time.monotonic() - began)
            old_shown = self._shown
            self._opened, self._film, self._assets, self._shown = opened, film, assets, shown
        if _frame(before) != _frame(film):
            return Changed(reload=True)
        old = {p.name: p for p in before.panels}
        changed = {
            p.name for p in film.panels if old[p.name] != p or _links(p, old_shown) != _links(p, shown)
        }
        return Changed(shots=frozenset(changed))

    def progress(self) -> dict[str, JSON]:
        """Return what there is to say of a run, ours or another's: `line` is empty when there is none."""
        now = self._progress
        if now.running:
            parts = [f"{now.done} of {now.total} made"]
            if now.flying:
                parts.append(f"{len(now.flying)} in flight")
            if now.failed:
                parts.append(f"{now.failed} failed")
            return {
                "running": True,
                "done": now.done + now.failed,
                "total": now.total,
                "line": ", ".join(parts),
            }
        flying = sum(1 for p in self._film.panels for t in p.takes if t.state == "in-flight")
        line = f"{flying} in flight" if flying else ""
        return {"running": False, "done": 0, "total": 0, "line": line}

    # -- wishes

    def prompt(self, slot: str) -> str:
        """Return a take's prompt as the author wrote it."""
        job = self._job(self._opened, slot)
        return edits.prompt_of(self._opened.document.value, job.slot.scene, job.slot.shot)

    def propose(self, wish: Wish) -> Proposal:
        """Return what a wish would do and cost; nothing is changed."""
        opened = self.load()
        if wish.kind == "all":
            return self._proposal(opened, "Make what is missing or changed")
        if wish.kind == "failed":
            return self._proposal(opened, "Try again what failed", only=("failed",))
        slot = self._job(opened, wish.slot).slot
        match wish.kind:
            case "make":
                return self._proposal(opened, f"Make {slot}", slot)
            case "retry":
                return self._proposal(opened, f"Try {slot} again", slot, force=True)
            case "again":
                return self._proposal(opened, f"A new version of {slot}", slot, force=True)
            case "another":
                takes = sum(1 for j in opened.project.jobs if _line(j.slot) == _line(slot)) + 1
                before, shown = self._yaml(opened)
                after = edits.with_takes(before, shown, slot.scene, slot.shot, takes)
                new = replace(slot, take=takes)
                return self._proposal(opened, f"Another take of {slot.shot_name}", new, edit=(before, after))
            case "prompt":
                words = (wish.prompt or "").strip()
                if not words:
                    raise Invalid("a prompt cannot be empty")
                before, shown = self._yaml(opened)
                if words == edits.prompt_of(opened.document.value, slot.scene, slot.shot).strip():
                    raise Invalid(
                        "the prompt is the same", hint="a new version of the same prompt is `New version`"
                    )
                after = edits.with_prompt(before, shown, slot.scene, slot.shot, words)
                return self._proposal(opened, f"{slot} with another prompt", slot, edit=(before, after))
        raise Invalid(f"there is no wish `{wish.kind}`")

    def _job(self, opened: Opened, slot: str) -> Job:
        for job in opened.project.jobs:
            if written(job.slot) == slot:
                return job
        raise Invalid(f"`{slot}` does not stand in the scene file")

    def _yaml(self, opened: Opened) -> tuple[str, str]:
        path = opened.workspace.scene_file
        if path is None or opened.document.form != "yaml":
            raise Invalid(
                "this film is written in Markdown, which the review does not edit",
                hint="change it in your editor; the page follows",
            )
        return path.read_bytes().decode(), files.shown(path)

    def _proposal(
        self,
        opened: Opened,
        title: str,
        slot: Slot | None = None,
        *,
        only: tuple[str, ...] = (),
        force: bool = False,
        edit: tuple[str, str] | None = None,
    ) -> Proposal:
        note = ""
        if edit:
            name = opened.document.file
            read = document.read(edit[1].removeprefix("\ufeff"), name)
            opened = opening.open_project(
                opened.workspace, options=opened.options, document_read=(read, []), allow=opened.allow
            )
        only = (_selector(slot),) if slot else only
        todo = planning.plan(opened, only=only, force=force)
        work = todo.generate
        also = [e for e in todo.entries if not e.selected and _stale(e, slot)] if edit and slot else []
        if also:
            names = ", ".join(str(e.slot) for e in also)
            note = f"The other takes ({names}) keep what they have, and count as changed from then on."
        may = bool(todo.work) and self._runner is not None
        if edit and not self._may_write:
            may = False
            note = "This page may not write the scene file. Start it with `kiebatch review --write`, or make this change yourself."
        elif not todo.work:
            blocked = next((e for e in todo.entries if e.selected and e.action == "blocked"), None)
            note = f"It cannot be made now: {blocked.note or blocked.reason}." if blocked else note
        elif self._runner is None:
            note = "This page only looks: run it with `kiebatch run`."
        return Proposal(
            title=title,
            does=f"Change the file and make {_jobs(len(todo.work))}"
            if edit
            else f"Make {_jobs(len(todo.work))}",
            only=only,
            force=force,
            bound=saved.save_plan(opened, todo, only=only, force=force),
            jobs=tuple(_job_said(e, draft=self.workspace.draft) for e in work),
            total=self._total(todo),
            may=may,
            note=note,
            difference=edits.diff(*edit, name=opened.document.file) if edit else "",
            before=edit[0] if edit else None,
            after=edit[1] if edit else None,
        )

    def _total(self, todo: Plan) -> str:
        if self.workspace.draft:
            return "A draft: no credits"
        bound = any(e.job and e.job.price.kind == "bound" for e in todo.generate)
        text = f"{'up to ' if bound else ''}{todo.credits():g} credits"
        return f"{text}, and {todo.unpriced()} without a known price" if todo.unpriced() else text

    def apply(self, proposal: Proposal) -> None:
        """Write the scene file's change of a proposal; `Invalid` when somebody else changed the file since."""
        if proposal.after is None or proposal.before is None:
            return
        path = self.workspace.scene_file
        if not self._may_write or path is None:
            raise Invalid("this page may not write the scene file")
        with self._lock:
            if path.read_bytes().decode() != proposal.before:
                raise Invalid("the scene file has changed meanwhile; ask again")
            files.replace(path, proposal.after)

    async def run(self, proposal: Proposal, told: Callable[[], object]) -> None:
        """Carry out a proposal; `told` is called whenever `progress` has something new to say."""
        if self._runner is None:
            raise Invalid("this page cannot run anything")
        loop = asyncio.get_running_loop()
        now = self._progress = _Progress(total=len(proposal.bound.get("jobs", [])), running=True)

        def emit(event: Event) -> None:
            match event:
                case Submitted():
                    now.flying.add(str(event.slot))
                case Saved() if event.asset.output == 1:
                    now.flying.discard(str(event.slot))
                    now.done += 1
                case JobFailed() | JobHeld() | Skipped():
                    now.flying.discard(str(event.slot))
                    now.failed += 1
                case _:
                    return
            loop.call_soon_threadsafe(told)

        told()
        try:
            opened = await asyncio.to_thread(self.load)
            await self._runner(
                opened, only=proposal.only, force=proposal.force, bound=proposal.bound, emit=emit
            )
        finally:
            now.running = False


def _line(slot: Slot) -> tuple[object, ...]:
    return (slot.scene, slot.shot, slot.model)


def _selector(slot: Slot) -> str:
    """Return what `--only` calls one slot: `2a#1` is that take, `2a` would be all."""
    return str(slot) if slot.model else written(slot)


def _stale(entry: Entry, slot: Slot) -> bool:
    same = (entry.slot.scene, entry.slot.shot) == (slot.scene, slot.shot)
    return same and entry.slot != slot and entry.action == "generate" and bool(entry.current)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _job_said(entry: Entry, *, draft: bool) -> dict[str, JSON]:
    job = entry.job
    assert job is not None  # a plan generates jobs alone
    price = job.price
    amount = "price unknown" if price.amount is None else f"{price.amount:g}"
    prefix = "up to " if price.kind == "bound" and price.amount is not None else ""
    return {
        "slot": str(entry.slot),
        "model": job.model,
        "reason": entry.reason,
        "credits": "draft" if draft else prefix + amount,
    }


def _frame(film: Film) -> object:
    """Return what a page shows around its shots, with the shots' names: when this changes, all is new."""
    scenes = tuple(replace(s, panels=()) for s in film.scenes)
    names = tuple(p.name for p in film.panels)
    grows = tuple((p.duration_s, p.kind) for p in film.panels)
    return (film.title, film.notes, scenes, names, grows, film.shape)


def _links(panel: Panel, shown: Mapping[str, Shown]) -> list[Shown | None]:
    return [shown.get(a.id) for t in panel.takes for v in t.versions for a in v.assets]
