"""`kiebatch board`"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from kiebatch import files
from kiebatch.board import publish
from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.model import JSON
from kiebatch.project import as_known_here

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def board(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="the page to write [default: board.html in the project]"),
    ] = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="put reduced media inside, so that the one file can be mailed")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Write the storyboard as one self-contained HTML page.

    Example: kiebatch board scenes.yaml --embed
    """
    opened = options.looked_at(given, scene_file)
    opened = replace(opened, workspace=as_known_here(opened.workspace, console.say))
    target = output or opened.workspace.root / "board.html"
    # Small pictures of a long film take a while the first time; a bar shows up after a second.
    with tqdm(unit=" previews", delay=1, leave=False, disable=True if given.as_json else None) as bar:
        small = options.derivatives(opened.workspace)
        made = publish.write(opened, target, embed=embed, done=bar.update, derivatives=small)
    value: dict[str, JSON] = {
        "status": "success",
        "file": str(made.path),
        "shots": made.shots,
        "bytes": made.size_bytes,
        "without_preview": made.without_preview,
    }
    size = f"{made.size_bytes / 1e6:.1f} MB" if made.size_bytes >= 1e5 else f"{made.size_bytes / 1e3:.0f} kB"
    if made.without_preview:
        console.say(
            f"{made.without_preview} files have no preview: they cannot be read, or ffmpeg is not installed"
        )
    console.answer(value, f"{files.shown(made.path)}: {made.shots} shots, {size}", as_json=given.as_json)
    if open_:
        typer.launch(made.path.resolve().as_uri())
