"""`kiebatch pull`"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from kiebatch.cli import options, transferring
from kiebatch.project import snapshots
from kiebatch.running import transfers
from kiebatch.settings import settings

app = typer.Typer()


@app.command()
def pull(
    slots: Annotated[
        list[str] | None, typer.Argument(help="slots, as the plan writes them [default: all]")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="older versions too")] = False,
    project: options.Project = None,
    assets: options.Assets = None,
    as_json: options.Json = False,
) -> None:
    """Bring files that are not here from the store that KIEBATCH_STORE names.

    Example: kiebatch pull 2b
    """
    workspace = snapshots.project(folder=project, assets=assets)
    with transferring.bar(as_json=as_json) as done:
        found = transfers.pull(workspace, settings({}, os.environ, {}), slots or (), every=every, done=done)
    transferring.answer(found, "pulled", as_json=as_json)
