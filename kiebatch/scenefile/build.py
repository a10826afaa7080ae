"""Builds a Project from a document; reports all problems of a file at once.

The steps, each in its own module: `source` checks the schema, `gathering` finds the scenes and shots, `model_choice`
their models, `prompts` and `references` what they ask for, `jobs` makes the jobs, `checks` looks at the whole.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import TypedDict

from kiebatch import catalogue as models
from kiebatch.catalogue import Model
from kiebatch.errors import Invalid, Problem, Where, did_you_mean
from kiebatch.model import JSON, Document, Line, Project, Scene, Shot, as_mapping
from kiebatch.scenefile import checks, gathering, limits
from kiebatch.scenefile.checks import moved_lines as moved_lines
from kiebatch.scenefile.comments import warn_cut_texts
from kiebatch.scenefile.jobs import Jobs
from kiebatch.scenefile.leading import VOICE, Leading
from kiebatch.scenefile.model_choice import ModelChoice
from kiebatch.scenefile.output_names import output_stem as output_stem
from kiebatch.scenefile.output_names import reserved_name
from kiebatch.scenefile.prompts import is_json_object as is_json_object
from kiebatch.scenefile.prompts import with_variables
from kiebatch.scenefile.references import References
from kiebatch.scenefile.shape import ShotValues
from kiebatch.scenefile.shots import SceneSpec, ShotSpec, length_of, reason
from kiebatch.scenefile.source import Options as Options
from kiebatch.scenefile.source import RawPrompt as RawPrompt
from kiebatch.scenefile.source import Source, listed
from kiebatch.scenefile.wording import characters, wording

FORMAT = 1
EXAMPLE = """kiebatch: 1
scenes:
  - {id: 1, model: nano-banana-2, prompt: A small boat nears the lighthouse at dusk}"""


def build(
    document: Document, catalogue: models.Catalogue, options: Options | None = None
) -> tuple[Project, list[Problem]]:
    """Return the project that a document describes, with every problem found, in file order.

    The project holds only what is whole when there are errors among the problems.  Raises `Invalid` alone
    where the document is not a scene file at all.
    """
    _check_format(document)
    limits.check(document)
    source = Source.read(document, catalogue, options or Options())
    project = _project(source)
    found = dict.fromkeys(source.problems.found)
    return project, sorted(found, key=lambda p: (p.where.file, p.where.line, p.where.column))


def _check_format(document: Document) -> None:
    value = document.value
    if not isinstance(value, dict) or "kiebatch" not in value:
        raise Invalid(
            [
                Problem(
                    where=Where(document.file),
                    message="this is not a kiebatch scene file: it has no line `kiebatch: 1`",
                    hint=f"the smallest one is\n{EXAMPLE}",
                    code="not-ours",
                )
            ]
        )
    version = value["kiebatch"]
    if isinstance(version, int) and version > FORMAT:
        message = f"the file has format {version}, this kiebatch knows {FORMAT}"
        raise Invalid([Problem(where=document.where(("kiebatch",)), message=message, hint="update kiebatch")])


def _project(source: Source) -> Project:
    _check_names(source)
    warn_cut_texts(source)
    project, used = _made(source)
    checks.check_default_params(source, used)
    checks.check_slots(project, source.problems)
    checks.check_sounds(source, project)
    checks.check_cycles(project, source.problems)
    return project


def _made(source: Source) -> tuple[Project, list[Model]]:
    """Return the project with its jobs, and the models that its shots name, each once."""
    choice = ModelChoice(source)
    scenes = deque(_with_models(scene, choice) for scene in gathering.gather(source))
    shots = {shot.name: shot for scene in scenes for shot in scene.shots}
    leading = Leading(source, shots)
    for scene in scenes:
        leading.check(scene.raw, scene.path)
    jobs = Jobs(source, choice, References(source, shots), leading)
    project = Project(
        file=source.document.file,
        title=source.value.get("title") or "",
        notes=source.value.get("notes") or "",
        assets=_assets(source),
        run=source.value.get("run") or {},
        moved=checks.moved(source, shots),
        tags=tuple(dict.fromkeys(listed(source.value.get("tags")))),
        styles={name: with_variables(source, text).strip() for name, text in source.styles.items()},
        characters=characters(source),
        scenes=tuple(_scenes(source, scenes, jobs)),
    )
    used = {model.id: model for shot in shots.values() for _, model in shot.models}
    return project, list(used.values())


def _with_models(scene: SceneSpec, choice: ModelChoice) -> SceneSpec:
    return SceneSpec(raw=scene.raw, path=scene.path, shots=tuple(choice.resolved(s) for s in scene.shots))


def _check_names(source: Source) -> None:
    """Report a file without scenes, and a name that could mean two things in a prompt."""
    if not source.value.get("scenes") and "scenes" not in as_mapping(source.document.value):
        source.error((), "the file has no `scenes`", hint=f"for example\n{EXAMPLE}", code="missing")
    for name in source.characters:
        if name in source.styles:
            message = f"`{name}` is both a style and a character"
            source.error(("characters", name), message, code="duplicate")
    _check_variables(source, source.value.get("vars", {}))


def _check_variables(source: Source, written: Collection[str]) -> None:
    for name in source.options.variables:
        if name not in written and not _is_named(source.plain, name):
            message = f"`--var {name}=...` fills nothing: there is no `{{{name}}}` in the file"
            hint = did_you_mean(name, written)
            source.warning(None, (), message, hint=hint, code="unused-var")
    for name in written:
        if name in source.styles or name in source.characters:
            kind = "style" if name in source.styles else "character"
            source.error(("vars", name), f"`{name}` is both a variable and a {kind}", code="duplicate")


def _is_named(value: JSON, name: str) -> bool:
    """Whether any text in a value holds `{name}`."""
    if isinstance(value, dict):
        return any(_is_named(one, name) for one in value.values())
    if isinstance(value, list):
        return any(_is_named(one, name) for one in value)
    return isinstance(value, str) and bool(re.search(rf"\{{\s*{re.escape(name)}\s*\}}", value))


def _assets(source: Source) -> str:
    text = str(source.value.get("assets") or "assets")
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.name:
        source.error(("assets",), f"`assets` must be a folder inside the project, found `{text}`")
        return "assets"
    taken = reserved_name(path.as_posix())
    if taken:
        message = f"Windows cannot store a folder called `{taken}`"
        source.error(("assets",), message, code="reserved-name")
    return path.as_posix()


# --- scenes and shots ----------------------------------------------------------------------------------


class _PictureText(TypedDict):
    """What the board and the exports show of a picture."""

    camera: str
    text_overlay: str
    transition: str
    action: str
    location: str
    time_of_day: str
    shot_size: str
    lens: str


def _picture_text(raw: ShotValues) -> _PictureText:
    return {
        "camera": raw.get("camera", ""),
        "text_overlay": raw.get("text_overlay", ""),
        "transition": raw.get("transition", ""),
        "action": raw.get("action", ""),
        "location": raw.get("location", ""),
        "time_of_day": raw.get("time_of_day", ""),
        "shot_size": raw.get("shot_size", ""),
        "lens": raw.get("lens", ""),
    }


def _notes(raw: ShotValues) -> str:
    """Return the notes of a scene or shot, and its Visual, which is for people where it is not the prompt."""
    parts = [raw.get("notes", "")]
    if raw.get("visual"):
        parts.append(f"Visual: {raw['visual']}")
    return "\n\n".join(filter(None, parts))


def _scenes(source: Source, specs: deque[SceneSpec], jobs: Jobs) -> Iterator[Scene]:
    """Yield the scenes; what each was made from is let go."""
    while specs:
        yield _scene(source, specs.popleft(), jobs)


def _scene(source: Source, scene: SceneSpec, jobs: Jobs) -> Scene:
    raw = scene.raw
    return Scene(
        id=raw["id"],
        title=raw.get("title") or "",
        notes=_notes(raw),
        group=raw.get("group") or "",
        duration_s=length_of(raw),
        led=jobs.leading.of_scene(raw),
        **_picture_text(raw),
        lines=_lines(raw),
        skip=reason(raw.get("skip")),
        dialogue=_voice_over(raw.get("voiceover", "")),
        shots=tuple(_shot(source, spec, jobs) for spec in scene.shots),
        where=source.where(scene.path),
    )


def _voice_over(voice: str | ShotValues) -> str:
    if isinstance(voice, str):
        return voice
    return str(voice.get("text") or voice.get("prompt") or "")


def _shot(source: Source, spec: ShotSpec, maker: Jobs) -> Shot:
    raw = spec.raw
    jobs = maker.of(spec)
    said = wording(source, spec)
    # Where a scene is its own shot, title, notes and dialogue are the scene's.
    own: ShotValues = {} if spec.shot is None else raw
    return Shot(
        id=spec.shot,
        kind=spec.kind,
        title=own.get("title", ""),
        notes=_notes(own),
        prompt=jobs[0].prompt if jobs else spec.prompt,
        words=said.words,
        described=said.described,
        characters=said.characters,
        styles=said.styles,
        duration_s=spec.seconds,
        led=maker.leading.of(spec) if raw.get("duration") == VOICE else None,
        **_picture_text(raw),
        lines=_lines(own),
        skip=spec.skip,
        takes=spec.takes,
        file=str(raw.get("file") or ""),
        through=raw.get("through"),
        models=() if raw.get("file") else source.alike(m.id for _, m in spec.models),
        jobs=() if spec.skip else tuple(jobs),
        where=source.where(spec.path),
    )


def _lines(raw: ShotValues) -> tuple[Line, ...]:
    """Return the lines of a `dialogue`: a text of lines `NAME: words`, or a list of `{speaker, line}`.

    A line without a name goes on with the words of the line before it.
    """
    value = raw.get("dialogue", "")
    if isinstance(value, list):
        return tuple(Line(one.get("speaker", ""), one["line"]) for one in value if one)
    found: list[Line] = []
    for text in map(str.strip, value.splitlines()):
        speaker, colon, words = text.partition(":")
        if colon and _is_speaker(speaker):
            found.append(Line(speaker.strip(), words.strip()))
        elif text:
            last = found.pop() if found else Line("", "")
            found.append(Line(last.speaker, f"{last.words} {text}".strip()))
    return tuple(found)


def _is_speaker(text: str) -> bool:
    return 0 < len(text.split()) <= 4 and not text.startswith(('"', "“", "'"))
