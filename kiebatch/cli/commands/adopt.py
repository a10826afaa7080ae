"""`kiebatch adopt`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.record import manifest
from kiebatch.running import decisions

app = typer.Typer()


@app.command()
def adopt(
    slot: Annotated[str, typer.Argument(help="the slot, as the plan writes it")],
    file: Annotated[Path, typer.Argument(help="the file made elsewhere")],
    scene_file: Annotated[Path | None, typer.Option("--file", help="the scene file")] = None,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Enter a file made elsewhere into the manifest as the slot's newest version, at no cost.

    Example: kiebatch adopt 2b retouched.png
    """
    opened = options.opened(scene_file, project=project, draft=draft, assets=assets, state=state, allow=None)
    asset = decisions.adopt(opened, slot, file)
    console.answer(
        manifest.entry(asset),
        f"{slot}: {asset.filename}, version {asset.version} ({asset.id})",
        as_json=as_json,
    )
