"""`kiebatch validate`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, options, shared
from kiebatch.errors import Exit, Invalid, Problem
from kiebatch.project import OUTSIDE, opening
from kiebatch.settings import Settings

app = typer.Typer()


@app.command()
def validate(
    scene_files: Annotated[list[Path], typer.Argument(help="scene files, YAML or Markdown")],
    strict: options.Strict = False,
    allow: options.Allow = None,
    allow_unknown_model: options.AllowUnknown = False,
    fold_negative: options.FoldNegative = False,
    as_json: options.Json = False,
) -> None:
    """Check scene files and lint their prompts; nothing is sent.

    Example: kiebatch validate scenes.yaml
    """
    problems: list[Problem] = []
    scenes = jobs = 0
    chosen = Settings(allow_unknown_model=allow_unknown_model, fold_negative=fold_negative)
    for scene_file in scene_files:
        try:
            found = opening.load(scene_file, settings=chosen, lint=True, allow=shared.folders(allow) or ())
        except Invalid as invalid:
            problems += invalid.problems
            continue
        problems += found.problems
        scenes += len(found.project.scenes)
        jobs += len(found.project.jobs)
    bad = any(p.severity == "error" for p in problems) or (
        strict and any(p.code != OUTSIDE for p in problems)
    )
    value = {
        "status": "invalid" if bad else "valid",
        "problems": [p.as_json() for p in problems],
        "scenes": scenes,
        "jobs": jobs,
    }
    console.warn(problems)
    warnings = sum(1 for p in problems if p.severity == "warning")
    tail = f", {_count(warnings, 'warning')}" if warnings else ""
    errors = _count(len(problems) - warnings, "error")
    held = f"{_count(scenes, 'scene')}, {_count(jobs, 'job')}"
    said = f"valid: {held}{tail}" if not bad else f"invalid: {errors}{tail}"
    console.answer(value, said, as_json=as_json)
    console.leave(Exit.INVALID if bad else Exit.OK)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
