"""`kiebatch init`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files, formats
from kiebatch.cli import console
from kiebatch.errors import Invalid, Problem, Where, plain
from kiebatch.model import JSON, Document
from kiebatch.project import finding, opening, scripts
from kiebatch.scenefile import convert, intake, screenplay
from kiebatch.scenefile.intake import TextForm

app = typer.Typer()

SCENES = """\
# yaml-language-server: $schema=scenes.schema.json
kiebatch: 1
title: {title}

defaults:
  model: nano-banana-2
  params: {{aspect_ratio: "16:9", output_format: png}}

styles:
  storm: storm light, 35 mm film, heavy grain

characters:
  keeper: a grey-bearded lighthouse keeper in a yellow oilskin

scenes:
  - id: 1
    title: Arrival
    duration: 5
    prompt: A small boat nears the lighthouse at dusk, wide shot, {{storm}}
  - id: 2
    title: The stairs
    style: storm
    shots:
      - id: a
        takes: 2
        prompt: "{{keeper}} climbs a spiral stair, lantern in hand, low angle"
      - id: b
        prompt: "{{keeper}} stops and listens, close-up"
"""

IGNORE = """\
# kiebatch: the journal and caches, drafts, and the key stay out of git
.kiebatch/
draft/
.env
"""

ENV = """\
# Copy to .env, which git ignores, and put your key there (from kie.ai/api-key).
KIE_API_KEY=
"""


_SCHEMA_LINE = "# yaml-language-server: $schema=scenes.schema.json\n"


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="the new project's folder")] = Path(),
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="a file to start from: Markdown, Fountain, Final Draft (.fdx), a table (CSV, TSV), JSON, a plain text",
            show_default=False,
        ),
    ] = None,
    text_form: Annotated[
        TextForm | None,
        typer.Option(
            "--as", help="of a plain text: each line, or each paragraph, is a prompt", show_default=False
        ),
    ] = None,
    shots: Annotated[
        bool,
        typer.Option("--shots", help="with a script: a shot without a prompt for each paragraph and line"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")] = False,
) -> None:
    """Start a project that runs at once with --draft, or put a script's next draft into one.

    Example: kiebatch init film --from script.fountain
    """
    target = _folder(folder)
    script = source if source is not None and _is_script(source) else None
    if shots and script is None:
        raise Invalid("--shots goes with a script: --from script.fountain")
    there = [name for name in finding.SCENE_FILES if (target / name).exists()]
    if there and script is not None:
        _next_draft(target, target / there[0], script, as_json=as_json)
        return
    if there:
        raise Invalid(
            f"{files.shown(target)} already has a scene file: {', '.join(there)}",
            hint="nothing was changed; `kiebatch run` makes it, `kiebatch validate` checks it",
        )
    scenes = _scenes(target, source, shots=shots, text_form=text_form)
    _begin(target, scenes, script, as_json=as_json)


def _folder(named: Path) -> Path:
    """Return the project's folder, which may be new; `Invalid` for a file."""
    target = named.resolve()
    if target.exists() and not target.is_dir():
        raise Invalid(f"{files.shown(target)} is a file; name a folder")
    return target


def _begin(target: Path, scenes: str, script: Path | None, *, as_json: bool) -> None:
    """Write a new project: its scene file, and what belongs beside it."""
    made = {target / "scenes.yaml": scenes}
    if script is not None:
        made |= _copy_of(target, script)
    made[target / "scenes.schema.json"] = formats.path("scenes").read_text(encoding="utf-8")
    made[target / ".env.example"] = ENV
    made |= _ignored(target / ".gitignore")
    for path, text in made.items():
        files.replace(path, text)
    scene_file = files.shown(target / "scenes.yaml")
    following = f"kiebatch run {scene_file} --draft"
    if script is not None:
        following = f"give its scenes prompts, and see them with kiebatch board {scene_file}"
    value: dict[str, JSON] = {
        "scene_file": str(target / "scenes.yaml"),
        "files": [str(path) for path in made],
    }
    console.answer(value, f"made {scene_file}; next: {following}", as_json=as_json)


def _scenes(target: Path, source: Path | None, *, shots: bool, text_form: TextForm | None) -> str:
    """Return the text of a new scene file."""
    if source is None:
        title = target.name.replace("-", " ").replace("_", " ").title() or "My film"
        return SCENES.format(title=title)
    return _SCHEMA_LINE + convert.to_yaml(document_of(source, shots=shots, text_form=text_form))


def document_of(source: Path, *, shots: bool = False, text_form: TextForm | None = None) -> Document:
    """Return a writer's file as a scene file: a script, Markdown, a table, JSON or a plain text.

    What it was taken for, and what a scene file cannot hold, is said.
    """
    if _is_script(source):
        script = scripts.read(source)
        if script.unread:
            names = ", ".join(f"`{name}`" for name in script.unread)
            message = f"columns that a scene file has no key for were left out: {names}"
            console.warn([Problem(where=Where(files.shown(source), 1), message=message, severity="warning")])
        return screenplay.as_document(script, str(source), shots=shots)
    taken = opening.read_any(finding.find(source).scene_file or source, text_form)
    console.warn(taken.problems)
    for line in taken.said:
        console.say(line)
    return taken.document


def _is_script(source: Path) -> bool:
    """Whether a file is read as a script: a shot list is one, unless it is a table of prompts."""
    if not screenplay.is_script(source):
        return False
    table = source.suffix.lower() == ".csv" and source.is_file()
    return not (table and intake.is_table_of_prompts(opening.text_of(source)))


def _copy_of(target: Path, source: Path) -> dict[Path, str]:
    """Return the project's own copy of a script, by which the next draft is told from this one."""
    own = scripts.kept(target, source)
    same = own.exists() and own.resolve() == source.resolve()
    return {} if same else {own: files.read_text(source)}


def _next_draft(target: Path, scene_file: Path, source: Path, *, as_json: bool) -> None:
    """Put a script's next draft into the project's scene file: only what changed in it changes there."""
    if scene_file.suffix not in (".yaml", ".yml"):
        raise Invalid(
            f"{files.shown(scene_file)} is Markdown, and a next draft is put into YAML",
            hint=f"kiebatch convert {files.shown(scene_file)} --to yaml makes one of it",
        )
    changed, strangers = scripts.update(scene_file, source)
    if changed.changes:
        files.replace(scene_file, changed.text)
    for path, text in _copy_of(target, source).items():
        files.replace(path, text)
    value: dict[str, JSON] = {
        "scene_file": str(scene_file),
        "changes": [{"what": c.what, "scene": c.scene, "key": c.key or None} for c in changed.changes],
        "new_characters": strangers,
    }
    lines = list(map(plain, changed.changes)) or ["the scene file is as the script says"]
    if strangers:
        lines.append(f"who speaks and is not under `characters` yet: {', '.join(map(plain, strangers))}")
    if changed.changes:
        lines.append(f"written to {files.shown(scene_file)}")
    console.answer(value, lambda: "\n".join(lines), as_json=as_json)


def _ignored(path: Path) -> dict[Path, str]:
    """Return the project's `.gitignore` with our lines in it; nothing where it has them all."""
    if not path.exists():
        return {path: IGNORE}
    text = path.read_text(encoding="utf-8")
    missing = [line for line in IGNORE.splitlines() if line not in text.splitlines()]
    return {path: text.rstrip("\n") + "\n" + "\n".join(missing) + "\n"} if missing else {}
