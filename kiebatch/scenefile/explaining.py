"""Tells what a line of a scene file became, and where each part of a prompt comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kiebatch import catalogue as models
from kiebatch.errors import Where
from kiebatch.model import JSON, ROLES, Document, Path, Project, Slot, as_text, under
from kiebatch.scenefile import gathering, validation
from kiebatch.scenefile.model_choice import ModelChoice
from kiebatch.scenefile.prompts import Origin, words_of
from kiebatch.scenefile.source import Options, Source


class Became(StrEnum):
    """What a line is to kiebatch; the values are what the JSON answer says."""

    PROMPT = "prompt"  # sent as words
    SENT = "sent"  # a field of the model, or what decides which model
    WORDS = "words"  # a style, a character or a variable, sent where a prompt names it
    MEDIA = "media"
    BOARD = "board"  # for people
    SETTING = "setting"  # of kiebatch itself
    EXPECTED = "expected"  # of the result, and judged when it is there
    STRUCTURE = "structure"  # a scene, a shot, a list
    NOTHING = "nothing"  # a comment or an empty line


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one line became.  `path` leads to its value in the document; `slots` are those that it concerns."""

    where: Where
    became: Became
    path: Path = ()
    key: str = ""
    scene: JSON = None
    shot: JSON = None
    value: JSON = None
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A piece of a prompt as it is sent, what it is, and where it is written."""

    text: str
    origin: Origin
    name: str
    where: Where


def parts_by_slot(
    document: Document, catalogue: models.Catalogue, options: Options
) -> Mapping[Slot, tuple[PromptPart, ...]]:
    """Return the parts of every slot's prompt, in order; joined, their texts are the author's prompt."""
    source = Source.read(document, catalogue, options).apart()
    choice = ModelChoice(source)
    found: dict[Slot, tuple[PromptPart, ...]] = {}
    for scene in gathering.gather(source):
        for spec in (choice.resolved(shot) for shot in scene.shots):
            for _, model in spec.models:
                for take in range(1, spec.takes + 1):
                    words = words_of(source, spec, model, take)
                    parts = words.parts if words else ()
                    found[spec.slot(model, take)] = tuple(
                        PromptPart(part.text, part.origin, part.name, source.where(part.path))
                        for part in parts
                    )
    return found


# --- one line ------------------------------------------------------------------------------------------

_BOARD = (
    *("title", "notes", "group", "camera", "text_overlay", "transition", "visual", "skip"),
    *("dialogue", "action", "location", "time_of_day", "shot_size", "lens"),
)
_SETTINGS = ("kiebatch", "run", "assets", "moved", "tags", "ignore_warnings", "labels", "endpoint")
_SENT_AS_WORDS = ("prompt", "text", "negative_prompt")
_SOUNDS = {"voiceover": "vo", "music": "music", "sound_effects": "sfx"}
_WORDS = frozenset(["styles", "characters", "vars"])
_BY_KEY = {
    **dict.fromkeys(_SETTINGS, Became.SETTING),
    **dict.fromkeys(_BOARD, Became.BOARD),
    **dict.fromkeys((*_SENT_AS_WORDS, *_SOUNDS), Became.PROMPT),
    **dict.fromkeys(("scenes", "shots", "id", "defaults"), Became.STRUCTURE),
}


def line(
    document: Document, project: Project, number: int, parts: Mapping[Slot, Sequence[PromptPart]]
) -> Line:
    """Return what line `number` (from 1) of a file became."""
    path = _path_at(document, number)
    where = Where(document.file, number, 1)
    if path is None:
        return Line(where=where, became=Became.NOTHING)
    scene, shot = _owner(document.value, path)
    became = _became(path)
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    slots = tuple(_concerned(project, path, scene, shot, parts))
    return Line(
        where=where,
        became=became,
        path=path,
        key=key,
        scene=scene,
        shot=shot,
        value=validation.value_at(document.value, path),
        slots=slots,
    )


def _path_at(document: Document, number: int) -> Path | None:
    """Return the value that a line belongs to: one that begins there, else the last text that began above."""
    begins = _begins(document)
    here = [path for line, path in begins if line == number]
    if here:
        # Of several values on a line the words that are sent are what a person asks about.
        return max(here, key=lambda path: ("expect" not in path and path[-1] in _SENT_AS_WORDS, len(path)))
    above = [(line, len(path), n) for n, (line, path) in enumerate(begins) if line < number]
    if not above:
        return None
    begun, path = begins[max(above)[2]]
    # A text of several lines goes on; anything else ended on its own line.
    text = as_text(validation.value_at(document.value, path))
    if text is None or number - begun > _lines_of(text):
        return None
    return path


def _begins(document: Document) -> list[tuple[int, Path]]:
    """Return the lines of a file on which its values and their keys begin."""
    places = (*document.places.items(), *document.keys.items())
    return [(where.line, path) for path, where in places if where.file == document.file and path]


def _lines_of(text: str) -> int:
    """Return how many lines a text may take in its file: folded, it may be written shorter than it is read."""
    return max(text.count("\n") + 1, len(text.split()))


def _owner(value: JSON, path: Path) -> tuple[JSON, JSON]:
    """Return the ids of the scene and the shot that a path lies in."""
    scene = validation.value_at(value, path[:2]) if path[:1] == ("scenes",) else None
    shot = validation.value_at(value, path[:4]) if path[2:3] == ("shots",) else None
    return under(scene, "id"), under(shot, "id")


def _became(path: Path) -> Became:
    steps = [step for step in path if isinstance(step, str)] or [""]
    first, last = steps[0], steps[-1]
    if first in _WORDS:
        return Became.MEDIA if "references" in steps else Became.WORDS
    if "expect" in steps:
        return Became.EXPECTED
    if first in _SETTINGS:
        return Became.SETTING
    if last in _BY_KEY:
        return _BY_KEY[last]
    return Became.SENT if set(ROLES).isdisjoint(steps) else Became.MEDIA


def _concerned(
    project: Project,
    path: Path,
    scene: JSON,
    shot: JSON,
    parts: Mapping[Slot, Sequence[PromptPart]],
) -> Iterator[Slot]:
    """Yield the slots that a line has a part in."""
    for job in project.jobs:
        slot = job.slot
        if scene is not None:
            if slot.scene == scene and _is_of_shot(slot, path, shot):
                yield slot
        elif path[0] in _WORDS:
            if len(path) > 1 and any(part.name == path[1] for part in parts.get(slot, ())):
                yield slot
        elif path[0] in ("defaults", "negative_prompt", "references"):
            yield slot


def _is_of_shot(slot: Slot, path: Path, shot: JSON) -> bool:
    """Whether a line of a scene is about a slot of it: one shot, one sound, or all its pictures."""
    key = path[2] if len(path) > 2 else ""
    if shot is not None:
        return bool(slot.shot == shot)
    if key in _SOUNDS:
        return slot.shot == _SOUNDS[str(key)]
    return key in ("", "id", "title", "shots") or slot.shot not in _SOUNDS.values()
