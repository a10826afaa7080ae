"""What a person decides: held jobs, accepted changes, files made elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kiebatch import files, media
from kiebatch.errors import Invalid
from kiebatch.model import Asset, Job, MediaFacts, Slot, parse_slot, stamp
from kiebatch.planning import Entry, Plan, plan
from kiebatch.project import Opened
from kiebatch.record import ManifestWriter, manifest
from kiebatch.record.manifest import Manifest, names
from kiebatch.workspace import Workspace


def accept(opened: Opened, slots: Sequence[str]) -> list[Slot]:
    """Keep the assets there are, although the plan calls them changed."""
    todo = plan(opened)
    chosen = _entries(todo, slots)
    for entry in chosen:
        if not entry.current or entry.job is None:
            raise Invalid(f"`{entry.slot}` has no asset that could be kept")
        if entry.fingerprint is None:
            raise Invalid(
                f"`{entry.slot}` starts from a shot that is not made yet, so nobody can tell what is accepted",
                hint="accept or run that one first",
            )
    done = []

    def change(current: Manifest) -> Manifest:
        for entry in chosen:
            for asset in entry.current:
                extra = {**asset.extra, "accepted": entry.fingerprint}
                current = manifest.changed(current, current.by_id[asset.id], extra=extra)
        return current

    _update(opened.workspace, change)
    for entry in chosen:
        done.append(entry.slot)
    return done


def _entries(todo: Plan, slots: Sequence[str]) -> list[Entry]:
    chosen: list[Entry] = []
    known = [e.slot for e in todo.entries if e.job]
    for text in slots:
        found = parse_slot(text, known)
        if not found:
            raise Invalid(
                f"there is no slot `{text}`", hint=f"its slots are {', '.join(map(str, known[:12]))}"
            )
        chosen += [e for e in todo.entries if e.slot in found and e not in chosen]
    return chosen


def _update(workspace: Workspace, change: Callable[[Manifest], Manifest]) -> None:
    files.check_writable(workspace.assets)
    ManifestWriter(
        workspace.manifest_path,
        lock=workspace.write_lock,
        now=time.time,
        source=workspace.scene_name or None,
    ).update(change)


def adopt(opened: Opened, slot: str, file: Path, *, now: Callable[[], float] = time.time) -> Asset:
    """Enter a file made elsewhere as a slot's newest version, at no cost."""
    entry = _only(_entries(plan(opened), [slot]), slot)
    job = entry.job
    assert job is not None
    facts = _facts_of(file, job)
    digest = files.sha256(file)
    asset = Asset(
        id="",
        type=facts.kind,
        filename=_brought_in(file, digest, facts, entry, opened),
        prompt=job.prompt,
        model=job.model,
        parameters={"endpoint": "adopted", "input": dict(job.input)},
        created_at=stamp(now()),
        scene_id=job.slot.scene,
        shot=job.slot.shot,
        take=job.slot.take,
        fingerprint=entry.fingerprint,
        sha256=digest,
        bytes=facts.size_bytes,
        media_type=facts.media_type,
        width=facts.width,
        height=facts.height,
        duration=facts.duration_s,
        credits=0,
        draft=opened.workspace.draft,
        extra={"adopted": True} | ({"codec": facts.codec} if facts.codec else {}),
    )
    entered: list[Asset] = []

    def change(recorded: Manifest) -> Manifest:
        recorded, new = manifest.record(recorded, [asset], _line_now(recorded, entry, opened.manifest))
        entered.extend(new)
        return recorded

    _update(opened.workspace, change)
    return entered[0]


def _facts_of(file: Path, job: Job) -> MediaFacts:
    """Return what a file is.  `Invalid` for one that cannot be what a job makes."""
    try:
        facts = media.facts(file)
    except FileNotFoundError:
        raise Invalid(f"there is no file {files.shown(file)}") from None
    except (media.Undecodable, OSError) as error:
        raise Invalid(f"{files.shown(file)} cannot be used: {error}") from None
    if facts.kind != job.modality:
        raise Invalid(f"{files.shown(file)} is {facts.media_type}, and `{job.slot}` is {job.modality}")
    return facts


def _brought_in(file: Path, digest: str, facts: MediaFacts, entry: Entry, opened: Opened) -> str:
    """Return the name of a file in the assets folder; it is copied there unless it lies there under a free name."""
    workspace, assets = opened.workspace, opened.manifest.assets
    inside = file.resolve()
    if inside.is_relative_to(workspace.assets):
        name = workspace.name_of(inside)
        same_name = [a for a in assets if a.filename == name]
        if any(a.sha256 == digest for a in same_name):
            raise Invalid(f"{files.shown(file)} is already in the manifest")
        if not same_name:
            return name
    assert entry.job is not None
    inner = names.asset_name(
        entry.job,
        output=1,
        version=manifest.version_after(entry.current),
        sha256=digest,
        extension=facts.extension,
        taken=lambda n: workspace.place(n).exists(),
    )
    files.replace(workspace.place(inner), file.read_bytes())
    return workspace.name_of(workspace.place(inner))


def _line_now(recorded: Manifest, entry: Entry, read: Manifest) -> list[Asset]:
    """Return what a slot has at this moment: a run may have made it since the manifest was read."""
    planned, known = {a.id for a in entry.current}, {a.id for a in read.assets}
    slot = entry.slot
    current = recorded.current(slot.scene, slot.shot, slot.take)
    line = [a for a in current if a.id in planned or a.id not in known]
    line += [a for a in recorded.assets if a.id in planned and a.current]
    return list({a.id: a for a in line}.values())


def _only(entries: Sequence[Entry], slot: str) -> Entry:
    if len(entries) != 1:
        raise Invalid(
            f"`{slot}` means several slots: {', '.join(str(e.slot) for e in entries)}", hint="name one"
        )
    return entries[0]
