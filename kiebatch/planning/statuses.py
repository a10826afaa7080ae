"""The state of each slot of a project: done, in flight, held, failed, missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files
from kiebatch.model import JSON, Attempt, stamp
from kiebatch.planning.planning import plan
from kiebatch.planning.plans import Entry
from kiebatch.project import load, peek
from kiebatch.provider import lifetimes


@dataclass(frozen=True, kw_only=True)
class SlotStatus:
    """Where one slot stands."""

    slot: str
    state: str  # done, queued, in-flight, held, failed, missing, blocked
    asset: str | None = None
    task_id: str | None = None
    expires_at: str | None = None
    message: str = ""

    def as_json(self) -> dict[str, JSON]:
        return {name: getattr(self, name) or None for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """Where a project stands; `warnings` say what is unsaved and expires."""

    slots: tuple[SlotStatus, ...]
    counts: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def status(
    path: str | Path | None = None,
    *,
    project: Path | None = None,
    assets: Path | None = None,
    state: Path | None = None,
    draft: bool = False,
    now: Callable[[], float] = time.time,
) -> ProjectStatus:
    """Return what is done, in flight, held or failed.  Sends nothing."""
    opened = load(path, project=project, assets=assets, state=state, draft=draft, allow=None)
    todo = plan(opened, now=now)
    with peek(opened.workspace) as journal:
        attempts = journal.attempts() if journal else []
    slots: list[SlotStatus] = []
    links = opened.workspace.links().items()
    warnings = [f"{files.shown(folder)} is a link to {target}" for folder, target in links]
    mentioned: set[int] = set()
    for entry in todo.entries:
        if entry.action == "orphan" and opened.workspace.scene_file is not None:
            continue
        attempt = entry.attempt
        if attempt:
            mentioned.add(attempt.id)
        slots.append(_slot_status(entry, attempt, now()))
    for attempt in (*todo.collect, *(a for a in attempts if a.undecided or a.state == "lost")):
        if attempt.id not in mentioned:
            mentioned.add(attempt.id)
            slots.append(
                SlotStatus(
                    slot=str(attempt.slot),
                    state="held" if attempt.undecided else "in-flight",
                    task_id=attempt.task_id,
                    expires_at=_expires(attempt),
                    message=attempt.message or "paid for, not yet collected",
                )
            )
    unsaved = [a for a in attempts if a.open and a.submitted_at is not None]
    if unsaved:
        oldest = min(a.submitted_at or 0.0 for a in unsaved)
        age = now() - oldest
        left = max(0.0, lifetimes.RESULT_LINK.kept_s - age)
        when = (
            f"links may expire in {left / 3600:.0f} h"
            if left
            else f"links may have expired; media live {lifetimes.RESULT.kept_s / lifetimes.DAY_S:.0f} days"
        )
        warnings.append(
            f"{len(unsaved)} paid task(s) are not yet saved ({when}): `kiebatch run` collects them"
        )
    counts: dict[str, int] = {}
    for one in slots:
        counts[one.state] = counts.get(one.state, 0) + 1
    return ProjectStatus(slots=tuple(slots), counts=counts, warnings=tuple(warnings))


def _expires(attempt: Attempt) -> str | None:
    return stamp(attempt.submitted_at + lifetimes.RESULT.kept_s) if attempt.submitted_at else None


def _slot_status(entry: Entry, attempt: Attempt | None, moment: float) -> SlotStatus:
    asset = entry.current[0].id if entry.current else None
    if entry.action in ("keep", "altered", "orphan"):
        return SlotStatus(slot=str(entry.slot), state="done", asset=asset, message=entry.note)
    if entry.reason == "held":
        return SlotStatus(slot=str(entry.slot), state="held", asset=asset, message=entry.note)
    if entry.action == "restore" and attempt:
        return SlotStatus(
            slot=str(entry.slot),
            state="in-flight",
            asset=asset,
            task_id=attempt.task_id,
            expires_at=_expires(attempt),
            message=attempt.message or "paid for, not yet collected",
        )
    if entry.action in ("missing", "restore"):
        return SlotStatus(
            slot=str(entry.slot), state="missing", asset=asset, message=entry.note or entry.reason
        )
    if entry.reason == "failed before" and attempt:
        return SlotStatus(
            slot=str(entry.slot),
            state="failed",
            asset=asset,
            task_id=attempt.task_id,
            message=f"{attempt.code} {attempt.message}".strip(),
        )
    if entry.action == "blocked":
        return SlotStatus(slot=str(entry.slot), state="blocked", asset=asset, message=entry.reason)
    return SlotStatus(slot=str(entry.slot), state="queued", asset=asset, message=entry.reason)
