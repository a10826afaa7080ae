"""`kiebatch accept`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.running import decisions

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def accept(
    given: shared.Given,
    slots: Annotated[list[str], typer.Argument(help="slots, as the plan writes them")],
    scene_file: Annotated[Path | None, typer.Option("--file", help="the scene file")] = None,
) -> None:
    """Keep the asset there is, although the plan calls it changed.

    Example: kiebatch accept 2b
    """
    opened = options.looked_at(given, scene_file)
    done = decisions.accept(opened, slots)
    value = {"accepted": [str(s) for s in done]}
    console.answer(value, f"accepted: {', '.join(map(str, done))}", as_json=given.as_json)
