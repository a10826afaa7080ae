"""`kiebatch convert`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from kiebatch import files
from kiebatch.cli import console, streams
from kiebatch.cli.commands.init import document_of
from kiebatch.errors import Invalid
from kiebatch.scenefile import convert as conversion
from kiebatch.scenefile.intake import TextForm

app = typer.Typer()


@app.command()
def convert(
    scene_file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="a scene file or its folder; a script (.fountain, .fdx); a table (CSV, TSV), JSON, a plain text",
        ),
    ],
    to: Annotated[Literal["yaml", "md"], typer.Option("--to", help="the form to write")],
    shots: Annotated[
        bool, typer.Option("--shots", help="of a script: a shot without a prompt for each paragraph and line")
    ] = False,
    text_form: Annotated[
        TextForm | None,
        typer.Option(
            "--as", help="of a plain text: each line, or each paragraph, is a prompt", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="the file to write [default: stdout]", show_default=False),
    ] = None,
) -> None:
    """Turn a Markdown scene file or a script into YAML, or YAML into Markdown; both give the same jobs.

    Example: kiebatch convert SCENES.md --to yaml --output scenes.yaml
    """
    document = document_of(scene_file, shots=shots, text_form=text_form)
    text = conversion.to_yaml(document) if to == "yaml" else conversion.to_markdown(document)
    if output is None:
        streams.document(text)
        return
    if output.exists():
        raise Invalid(
            f"{files.shown(output)} is there already",
            hint="nothing was changed; name another file, or move it away",
        )
    files.replace(output, text)
    console.say(f"wrote {files.shown(output)}")
