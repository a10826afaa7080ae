"""`kiebatch init`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files, formats
from kiebatch.cli import console
from kiebatch.errors import Invalid
from kiebatch.project import finding, opening
from kiebatch.scenefile import convert

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


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="the new project's folder")] = Path(),
    source: Annotated[
        Path | None, typer.Option("--from", help="a writer's Markdown file to start from", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")] = False,
) -> None:
    """Start a project that runs at once with --draft.

    Example: kiebatch init film
    """
    target = folder.resolve()
    if target.exists() and not target.is_dir():
        raise Invalid(f"{files.shown(target)} is a file; name a folder")
    there = [name for name in finding.SCENE_FILES if (target / name).exists()]
    if there:
        raise Invalid(
            f"{files.shown(target)} already has a scene file: {', '.join(there)}",
            hint="nothing was changed; `kiebatch run` makes it, `kiebatch validate` checks it",
        )
    made: dict[Path, str] = {}
    schema_line = "# yaml-language-server: $schema=scenes.schema.json\n"
    if source is None:
        title = target.name.replace("-", " ").replace("_", " ").title() or "My film"
        made[target / "scenes.yaml"] = SCENES.format(title=title)
    else:
        document, problems = opening.read_document(finding.find(source).scene_file or source)
        console.warn(problems)
        if any(p.severity == "error" for p in problems):
            raise Invalid(problems)
        made[target / "scenes.yaml"] = schema_line + convert.to_yaml(document)
    made[target / "scenes.schema.json"] = formats.path("scenes").read_text(encoding="utf-8")
    made[target / ".env.example"] = ENV
    ignore = target / ".gitignore"
    if ignore.exists():
        have = ignore.read_text(encoding="utf-8").splitlines()
        missing = [line for line in IGNORE.splitlines() if line not in have]
        if missing:
            made[ignore] = ignore.read_text(encoding="utf-8").rstrip("\n") + "\n" + "\n".join(missing) + "\n"
    else:
        made[ignore] = IGNORE
    for path, text in made.items():
        files.replace(path, text)
    scene_file = files.shown(target / "scenes.yaml")
    said = f"made {scene_file}; next: kiebatch run {scene_file} --draft"
    console.answer(
        {"scene_file": str(target / "scenes.yaml"), "files": [str(p) for p in made]}, said, as_json=as_json
    )
