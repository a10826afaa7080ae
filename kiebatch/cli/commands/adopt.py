"""`kiebatch adopt`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.record import manifest
from kiebatch.running import decisions

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def adopt(
    given: shared.Given,
    slot: Annotated[str, typer.Argument(help="the slot, as the plan writes it")],
    file: Annotated[Path, typer.Argument(help="the file made elsewhere")],
    scene_file: Annotated[Path | None, typer.Option("--file", help="the scene file")] = None,
) -> None:
    """Enter a file made elsewhere into the manifest as the slot's newest version, at no cost.

    Example: kiebatch adopt 2b retouched.png
    """
    opened = options.looked_at(given, scene_file)
    asset = decisions.adopt(opened, slot, file)
    console.answer(
        manifest.entry(asset),
        f"{slot}: {asset.filename}, version {asset.version} ({asset.id})",
        as_json=given.as_json,
    )
