"""`kiebatch push`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import options, shared, transferring
from kiebatch.cli.panels import Command
from kiebatch.running import transfers
from kiebatch.settings import settings

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def push(
    given: shared.Given,
    slots: Annotated[
        list[str] | None, typer.Argument(help="slots, as the plan writes them [default: all]")
    ] = None,
    scene_file: Annotated[Path | None, typer.Option("--file", help="the scene file")] = None,
) -> None:
    """Take the files that are here to the store that KIEBATCH_STORE names.

    When all of them are there, the manifest names the store, and git can do without the media.

    Example: kiebatch push
    """
    opened = options.looked_at(given, scene_file)
    with transferring.bar(as_json=given.as_json) as done:
        found = transfers.push(opened, settings({}, os.environ, {}), slots or (), done=done)
    transferring.answer(found, "pushed", as_json=given.as_json)
