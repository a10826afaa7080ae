"""`kiebatch assets`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from kiebatch.cli import asked, console, options
from kiebatch.project import finding
from kiebatch.record import manifest, queries
from kiebatch.record.queries import Result, Standing

app = typer.Typer()


@app.command()
def assets(
    model: asked.Model = "",
    status: Annotated[
        Standing | None,
        typer.Option("--status", help="current, superseded, picked or rejected", show_default=False),
    ] = None,
    tag: asked.Tag = "",
    run: asked.Run = "",
    since: asked.Since = None,
    until: asked.Until = None,
    latest: Annotated[
        Literal["slot", "model", "tag"] | None,
        typer.Option("--latest", help="only the newest of each slot, model or tag", show_default=False),
    ] = None,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """List results by model, tag, run and time; the latest of each.

    Example: kiebatch assets --latest slot --model 'kling*'
    """
    workspace = finding.find(project=project, draft=draft, assets=assets, state=state)
    wanted = asked.wanted(since, until, model=model, tag=tag, run=run, status=str(status or ""))
    found = queries.results(asked.results(workspace), wanted)
    if latest:
        found = queries.latest(found, latest)
    value = {
        "assets": [
            {"slot": one.slot, "status": str(one.standing), **manifest.entry(one.asset)} for one in found
        ]
    }
    console.answer(value, lambda: _table(found), as_json=as_json)


def _table(found: Sequence[Result]) -> str:
    if not found:
        return "no results"
    rows = [
        [
            one.slot,
            one.asset.id,
            str(one.standing),
            one.asset.created_at[:16].replace("T", " "),
            one.asset.model,
            console.number(one.asset.credits),
            ", ".join(queries.tags_of(one.asset)),
            one.asset.filename,
        ]
        for one in found
    ]
    head = ["slot", "asset", "status", "made", "model", "credits", "tags", "file"]
    return console.table(rows, head, right=(5,))
