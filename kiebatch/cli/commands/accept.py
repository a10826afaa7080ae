"""`kiebatch accept`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.running import decisions

app = typer.Typer()


@app.command()
def accept(
    slots: Annotated[list[str], typer.Argument(help="slots, as the plan writes them")],
    scene_file: Annotated[Path | None, typer.Option("--file", help="the scene file")] = None,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Keep the asset there is, although the plan calls it changed.

    Example: kiebatch accept 2b
    """
    opened = options.opened(scene_file, project=project, draft=draft, assets=assets, state=state, allow=None)
    done = decisions.accept(opened, slots)
    value = {"accepted": [str(s) for s in done]}
    console.answer(value, f"accepted: {', '.join(map(str, done))}", as_json=as_json)
