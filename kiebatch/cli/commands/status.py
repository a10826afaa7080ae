"""`kiebatch status`"""

from __future__ import annotations

import typer

from kiebatch.ci import announce
from kiebatch.cli import console, options
from kiebatch.errors import plain
from kiebatch.planning import statuses

app = typer.Typer()


@app.command()
def status(
    scene_file: options.MaybeSceneFile = None,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Show what is done, in flight, held or failed, and what expires soon.

    Example: kiebatch status
    """
    found = statuses.status(scene_file, project=project, draft=draft, assets=assets, state=state)
    value = {"slots": [s.as_json() for s in found.slots], "counts": found.counts}

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
    console.answer(value, text, as_json=as_json)
