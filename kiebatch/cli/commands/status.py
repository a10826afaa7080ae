"""`kiebatch status`"""

from __future__ import annotations

import typer

from kiebatch.ci import announce
from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import plain
from kiebatch.model import JSON
from kiebatch.planning import statuses
from kiebatch.project import opening
from kiebatch.running import holding
from kiebatch.settings import settings
from kiebatch.workspace import Workspace

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def status(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
) -> None:
    """Show what is done, in flight, held or failed, and what expires soon.

    Example: kiebatch status
    """
    found = statuses.status(scene_file, **given.where, settings=settings(given.flags, {}, {}))
    value = {"slots": _told(found, opening.located(scene_file, **given.where)), "counts": found.counts}

    def text() -> str:
        rows = [
            [s.slot, s.state, s.asset or s.task_id or "", console.short(plain(s.message), 70)]
            for s in found.slots
            if s.state != "done"
        ]
        counts = ", ".join(f"{n} {state}" for state, n in found.counts.items()) or "nothing yet"
        parts = [counts]
        if rows:
            parts.insert(0, console.table(rows, ["slot", "state", "asset or task", "what"]))
        parts += found.warnings
        return "\n".join(parts)

    announce.problems([{"severity": "warning", "message": warning} for warning in found.warnings])
    console.answer(value, text, as_json=given.as_json)


def _told(found: statuses.ProjectStatus, workspace: Workspace) -> list[dict[str, JSON]]:
    """Return the slots, those that are held with what the balance says of them."""
    slots = [slot.as_json() for slot in found.slots]
    held = {one["slot"]: one for one in holding.told(workspace, [s for s in slots if s["state"] == "held"])}
    return [held.get(slot["slot"], slot) for slot in slots]
