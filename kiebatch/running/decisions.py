"""What a person decides: held jobs, accepted changes, files made elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kiebatch import files, media
from kiebatch.errors import Invalid
from kiebatch.model import Asset, Slot, parse_slot, stamp
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
        source=workspace.scene_file.name if workspace.scene_file else None,
    ).update(change)


def adopt(opened: Opened, slot: str, file: Path, *, now: Callable[[], float] = time.time) -> Asset:
    """Enter a file made elsewhere as a slot's newest version, at no cost."""
    entry = _only(_entries(plan(opened), [slot]), slot)
    job = entry.job
    assert job is not None
    workspace = opened.workspace
    try:
        facts = media.facts(file)
    except FileNotFoundError:
        raise Invalid(f"there is no file {files.shown(file)}") from None
    except (media.Undecodable, OSError) as error:
        raise Invalid(f"{files.shown(file)} cannot be used: {error}") from None
    if facts.kind != job.modality:
        raise Invalid(f"{files.shown(file)} is {facts.media_type}, and `{entry.slot}` is {job.modality}")
    digest = files.sha256(file)
    current = opened.manifest
    replaces = entry.current
    version = manifest.version_after(replaces)
    inside = file.resolve()
    known = {a.filename for a in current.assets}
    name = None
    if inside.is_relative_to(workspace.assets):
        name = workspace.name_of(inside)
        if name in known and any(a.filename == name and a.sha256 == digest for a in current.assets):
            raise Invalid(f"{files.shown(file)} is already in the manifest")
    if name is None or name in known:
        inner = names.asset_name(
            job,
            output=1,
            version=version,
            sha256=digest,
            extension=facts.extension,
            taken=lambda n: workspace.place(n).exists(),
        )
        files.replace(workspace.place(inner), file.read_bytes())
        name = workspace.name_of(workspace.place(inner))
    asset = Asset(
        id="",
        type=facts.kind,
        filename=name,
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
        draft=workspace.draft,
        extra={"adopted": True} | ({"codec": facts.codec} if facts.codec else {}),
    )
    entered: list[Asset] = []

    def change(recorded: Manifest) -> Manifest:
        # The line as it is at this moment: a run may have made the slot meanwhile.
        ids = {a.id for a in replaces}
        slot, known = job.slot, {a.id for a in current.assets}
        since = [
            a for a in recorded.current(slot.scene, slot.shot, slot.take) if a.id not in known or a.id in ids
        ]
        line = {a.id: a for a in [*since, *(a for a in recorded.assets if a.id in ids and a.current)]}
        recorded, new = manifest.record(recorded, [asset], list(line.values()))
        entered.extend(new)
        return recorded

    _update(workspace, change)
    return entered[0]


def _only(entries: Sequence[Entry], slot: str) -> Entry:
    if len(entries) != 1:
        raise Invalid(
            f"`{slot}` means several slots: {', '.join(str(e.slot) for e in entries)}", hint="name one"
        )
    return entries[0]
