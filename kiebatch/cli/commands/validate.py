"""`kiebatch validate`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Exit, counted
from kiebatch.project import validating as checking
from kiebatch.settings import READING, settings

app = typer.Typer()


_OPTIONS = shared.named("strict", "fold_negative", "allow", "allow_unknown_model", "as_json", *READING)


@app.command(cls=Command)
@shared.takes(_OPTIONS)
def validate(
    given: shared.Given,
    scene_files: Annotated[list[Path], typer.Argument(help="scene files, YAML or Markdown")],
) -> None:
    """Check scene files and lint their prompts; nothing is sent.

    Example: kiebatch validate scenes.yaml
    """
    found = checking.validate(*scene_files, settings=settings(given.flags, {}, {}), allow=())
    console.warn(found.problems)
    code = Exit.INVALID.when(not found.valid)
    console.answer(found.as_json(), _said(found), as_json=given.as_json, code=code)
    console.leave(code)


def _said(found: checking.Validation) -> str:
    """Return in one line what a file holds, or how much is wrong with it."""
    warnings = sum(1 for problem in found.problems if problem.severity == "warning")
    tail = f", {counted(warnings, 'warning')}" if warnings else ""
    if found.valid:
        return f"valid: {counted(found.scenes, 'scene')}, {counted(found.jobs, 'job')}{tail}"
    return f"invalid: {counted(len(found.problems) - warnings, 'error')}{tail}"
