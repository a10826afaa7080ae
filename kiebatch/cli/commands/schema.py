"""`kiebatch schema`"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kiebatch import formats
from kiebatch.cli import streams

app = typer.Typer()


@app.command()
def schema(
    which: Annotated[
        Literal["scenes", "manifest", "model", "events"], typer.Argument(help="which file's schema")
    ] = "scenes",
) -> None:
    """Print the scene file's JSON schema, for editors, with every model's inputs; or another file's.

    Example: kiebatch schema > scenes.schema.json
    """
    streams.document(formats.path(which).read_text(encoding="utf-8"))
