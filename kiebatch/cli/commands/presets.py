"""`kiebatch presets`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch import prompts, workspace
from kiebatch.catalogue import Model
from kiebatch.cli import console, options
from kiebatch.errors import Invalid
from kiebatch.model import JSON
from kiebatch.project import opening
from kiebatch.prompts import InputPattern, Preset, Presets

app = typer.Typer()


@app.command()
def presets(
    key: Annotated[
        str | None, typer.Argument(help="show this one whole [default: list all]", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option("--for", help="which one this model would get, and why", show_default=False)
    ] = None,
    project: options.Project = None,
    as_json: options.Json = False,
) -> None:
    """List and check the prompt presets, show one, or say which one a model gets.

    They lie in the project's prompts/, in the user's config folder and in the program.  A preset is the instruction that
    `kiebatch enhance` gives to a chat model; a run never sends one.

    Example: kiebatch presets --for kling-3.0/video
    """
    root = (project or Path.cwd()).resolve()
    known = prompts.load(root, workspace.config_home())
    if model:
        _show_choices(known, _model(root, model), key, as_json=as_json)
        return
    if key:
        found = known[key]
        console.answer(found.as_json(), lambda: _whole(found), as_json=as_json)
        return
    rows = [_row(preset) for preset in known.all]
    head = ["preset", "version", "for", "input", "from", "label"]
    value: dict[str, JSON] = {"presets": [preset.as_json() for preset in known.all]}
    console.answer(value, lambda: console.table(rows, head), as_json=as_json)


def _model(root: Path, name: str) -> Model:
    place = workspace.Workspace(root=root, assets=root / "assets", state=root / ".kiebatch")
    return opening.load_catalogue(place).resolve(name)


def _row(preset: Preset) -> list[str]:
    media = ", ".join(preset.modalities) or "all"
    models = ", ".join(preset.models)
    patterns = ", ".join(preset.input_patterns) or "any"
    origin = preset.origin
    if preset.status != "current":
        origin += f", {preset.status}"
    return [preset.key, str(preset.version), models or media, patterns, origin, preset.label]


def _whole(preset: Preset) -> str:
    head = console.table([_row(preset)], ["preset", "version", "for", "input", "from", "label"])
    parts = [head, preset.template]
    if preset.rules:
        parts.append("\n- ".join(["Rules:", *preset.rules]))
    if preset.notes:
        parts.append(preset.notes)
    return "\n\n".join(parts)


def _show_choices(known: Presets, model: Model, key: str | None, *, as_json: bool) -> None:
    """Answer which preset a model gets for each kind of input."""
    if key:
        raise Invalid("give a preset or --for MODEL", hint="--for says which one the model gets")
    rows: list[list[str]] = []
    found: list[dict[str, JSON]] = []
    for pattern in InputPattern:
        choice = known.choose(model, pattern)
        name = choice.preset.key if choice.preset else None
        found.append({"input_pattern": str(pattern), "preset": name, "why": choice.why})
        rows.append([str(pattern), name or "none", choice.why])
    value: dict[str, JSON] = {"model": model.id, "choices": found}
    console.answer(value, lambda: console.table(rows, ["input", "preset", "why"]), as_json=as_json)
