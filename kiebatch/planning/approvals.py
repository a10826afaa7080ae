"""Approvals in a project: which plan a digest means, where that is at hand, and what a run may then still do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kiebatch import files, formats
from kiebatch.errors import Invalid
from kiebatch.model import JSON, as_number
from kiebatch.planning import effects
from kiebatch.planning.effects import Approval, Effects
from kiebatch.planning.plans import Plan
from kiebatch.project import Opened
from kiebatch.settings import Settings
from kiebatch.workspace import Workspace

_KEPT = 100  # effects that a project remembers, the newest


def effects_of(opened: Opened, todo: Plan) -> Effects:
    """Return what a plan buys.  The cap is the scene file's: one that is typed belongs to a run and not to its plan."""
    return effects.of_plan(todo, cap=_cap(opened))


def approve(
    opened: Opened, todo: Plan, settings: Settings, bound: Mapping[str, JSON] | None = None
) -> tuple[Plan, Approval]:
    """Return what a run may do of a plan under `settings.approved`, and the approval.

    `Invalid` where the plan is not the one that was approved, or where the saved plan `bound` is another one.
    """
    digest = settings.approved
    if settings.partial:
        raise Invalid("--approved buys all of its plan or nothing: leave out --partial")
    then = effects.read_effects((bound or {}).get("effects"))
    if then is not None and then.digest != digest:
        raise Invalid(
            f"the saved plan is not the one that was approved: its digest is {then.digest}",
            hint="name the plan file that was approved, or leave out --plan",
        )
    then = then or recalled(opened.workspace, digest)
    remaining, approval = effects.approved(todo, digest, cap=_cap(opened), then=then)
    remember(opened.workspace, Effects(purchases=approval.purchases, cap=_cap(opened)))
    return remaining, approval


def limited(settings: Settings, todo: Plan) -> Settings:
    """Return the settings of an approved run: it may spend what its plan still needs, and no more."""
    need = todo.reserved()
    cap = settings.max_credits
    return replace(settings, max_credits=need if cap is None else min(cap, need))


def remember(workspace: Workspace, found: Effects) -> None:
    """Keep what a digest means, so that a later refusal can show both plans.  A project without a state folder has none."""
    folder = _folder(workspace)
    path = folder / f"{found.digest.removeprefix('sha256:')}.json"
    if not found.purchases or not workspace.state.is_dir() or path.exists():
        return
    # What cannot be kept is missed by a message alone.
    with contextlib.suppress(OSError):
        files.state_folder(folder)
        files.replace(path, json.dumps(found.as_json(), ensure_ascii=False) + "\n", private=True)
        for old in sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)[:-_KEPT]:
            old.unlink(missing_ok=True)


def recalled(workspace: Workspace, digest: str) -> Effects | None:
    """Return what a digest means; None where it is not known here, or where the file says something else."""
    path = _folder(workspace) / f"{digest.removeprefix('sha256:')}.json"
    try:
        found = effects.read_effects(formats.strict_json(files.read_text(path)))
    except (OSError, ValueError, Invalid):
        return None
    return found if found is not None and found.digest == digest else None


def _cap(opened: Opened) -> float | None:
    return as_number(opened.project.run.get("max_credits"))


def _folder(workspace: Workspace) -> Path:
    return workspace.state / "approved"
