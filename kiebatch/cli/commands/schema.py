"""`kiebatch schema`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from kiebatch import files, formats
from kiebatch.cli import streams
from kiebatch.errors import Invalid

app = typer.Typer()


@app.command()
def schema(
    which: Annotated[
        Literal["scenes", "manifest", "model", "events"], typer.Argument(help="which file's schema")
    ] = "scenes",
    scene_file: Annotated[
        Path | None,
        typer.Option("--for", help="with the styles, characters, references and slots of this scene file"),
    ] = None,
) -> None:
    """Print the scene file's JSON schema, for editors, with every model's inputs; or another file's.

    Example: kiebatch schema --for scenes.yaml > scenes.schema.json
    """
    text = formats.path(which).read_text(encoding="utf-8")
    if scene_file is None:
        streams.document(text)
        return
    if which != "scenes":
        raise Invalid(f"--for goes with the schema of scene files, not with that of `{which}`")
    from kiebatch.scenefile import document, editor_names  # what the other schemas do not need

    value = document.read(files.read_text(scene_file), files.shown(scene_file)).value
    streams.document(json.dumps(editor_names.with_names(json.loads(text), value), ensure_ascii=False) + "\n")
