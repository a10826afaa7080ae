"""A writer's script (Fountain, Final Draft, or a shot list) as the scenes of a scene file, without prompts.

Each form has a parser of its own that gives a `Script`; what becomes of it is the same for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from kiebatch.model import JSON, Document, SceneId

ENDINGS: Final = (".fountain", ".spmd", ".fdx", ".csv", ".tsv")
_TIMES = re.compile(
    r"\b(?:DAY|NIGHT|DAWN|DUSK|MORNING|EVENING|AFTERNOON|NOON|MIDNIGHT|SUNSET|SUNRISE|TWILIGHT|LATER|CONTINUOUS|SAME|"
    r"MAGIC HOUR|GOLDEN HOUR|BLUE HOUR)\b",
    re.I,
)
_DASH = re.compile(r"\s+[-–—]{1,2}\s+|\s*[–—]\s*")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SETTING = re.compile(r"^(?:INT\.?\s*/\s*EXT|EXT\.?\s*/\s*INT|I\s*/\s*E|INT|EXT|EST)[. ]+\s*", re.I)
_NOT_IN_NAMES = re.compile(r"[\s{}@#,\"'`:]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One line of dialogue.  `direction` is what the parentheses before the words say."""

    speaker: str
    words: str
    direction: str = ""

    @property
    def text(self) -> str:
        return f"{self.speaker}: {f'({self.direction}) ' if self.direction else ''}{self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What is read without a pause: a paragraph of action, or a speech; or one row of a shot list, with its own keys."""

    action: str = ""
    speech: Speech | None = None
    keys: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptScene:
    """One scene.  `number` is what the script calls it, empty where it numbers nothing; `line` counts from 1."""

    number: str = ""
    location: str = ""
    time_of_day: str = ""
    title: str = ""
    group: str = ""
    notes: str = ""
    transition: str = ""
    beats: tuple[Beat, ...] = ()
    line: int = 1

    @property
    def action(self) -> str:
        return "\n\n".join(beat.action for beat in self.beats if beat.action)

    @property
    def dialogue(self) -> str:
        return "\n".join(beat.speech.text for beat in self.beats if beat.speech)

    @property
    def fields(self) -> dict[str, str]:
        """The keys of a scene that the script decides, empty ones too, in the order of a scene file."""
        return {
            "title": self.title or _title(self.location),
            "group": self.group,
            "notes": self.notes,
            "location": self.location,
            "time_of_day": self.time_of_day,
            "action": self.action,
            "dialogue": self.dialogue,
            "transition": self.transition,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A whole script.  `unread` names what was found and has no place in a scene file, such as columns of a list."""

    title: str = ""
    author: str = ""
    scenes: tuple[ScriptScene, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def cast(self) -> list[str]:
        """Return who speaks, in the order of their first words."""
        spoken = (beat.speech.speaker for scene in self.scenes for beat in scene.beats if beat.speech)
        return list(dict.fromkeys(re.sub(r"\s*\(.*?\)", "", name).strip() for name in spoken))


def heading(text: str) -> tuple[str, str]:
    """Return place and time of a slugline: `INT. BUS - NIGHT` is `INT. BUS` and `NIGHT`."""
    parts = _DASH.split(text.strip())
    times = [n for n, part in enumerate(parts) if n and _TIMES.search(part)]
    if not times:
        return text.strip(), ""
    return " - ".join(parts[: times[0]]), " - ".join(parts[times[0] :])


def scene_id(number: str) -> SceneId:
    """Return what a script calls a scene as its id: `12` is a number, `12A` a word."""
    return int(number) if re.fullmatch(r"[1-9]\d*", number) else number


def _title(location: str) -> str:
    """Return a place as a title: `INT. KITCHEN TABLE` is `Kitchen table`."""
    bare = _SETTING.sub("", location).strip(" .")
    return bare.capitalize() if bare.isupper() else bare


# --- as a scene file -----------------------------------------------------------------------------------


def as_document(script: Script, file: str, *, shots: bool = False) -> Document:
    """Return a script as a scene file; with `shots` each beat of a scene is a shot to be given a prompt."""
    value: dict[str, JSON] = {"kiebatch": 1}
    if script.title:
        value["title"] = script.title
    if script.author:
        value["notes"] = f"Written by {script.author}"
    people = {key: {"text": shown} for key, shown in cast(script)}
    if people:
        value["characters"] = people
    value["scenes"] = [
        scene_value(scene, id, shots=shots) for id, scene in zip(ids(script), script.scenes, strict=True)
    ]
    return Document(value=value, places={}, file=file)


def ids(script: Script) -> list[SceneId]:
    """Return the scenes' ids: the script's own numbers where every scene has one and no two are alike, else 1, 2, 3."""
    numbers = [scene.number for scene in script.scenes]
    usable = all(_ID.fullmatch(number) for number in numbers)
    if usable and len({number.lower() for number in numbers}) == len(numbers):
        return list(map(scene_id, numbers))
    return list(range(1, len(numbers) + 1))


def scene_value(scene: ScriptScene, id: SceneId, *, shots: bool = False) -> dict[str, JSON]:
    """Return one scene as values of a scene file."""
    value: dict[str, JSON] = {"id": id, **{key: text for key, text in scene.fields.items() if text}}
    rows = [beat for beat in scene.beats if beat.keys]
    if rows:
        return _with_rows(value, rows)
    if shots and scene.beats:
        value.pop("action", None)
        value.pop("dialogue", None)
        value["shots"] = [_shot(letter, beat) for letter, beat in zip(_letters(), scene.beats, strict=False)]
    return value


def _with_rows(value: dict[str, JSON], rows: list[Beat]) -> dict[str, JSON]:
    """Return a scene of a shot list: rows that name no shot are the scene itself, when it is the only one."""
    if len(rows) == 1 and "id" not in rows[0].keys:
        return {**value, **rows[0].keys}
    letters = _letters()
    taken = {str(row.keys["id"]).lower() for row in rows if "id" in row.keys}
    value["shots"] = [
        row.keys if "id" in row.keys else {"id": next(n for n in letters if n not in taken), **row.keys}
        for row in rows
    ]
    return value


def _shot(id: str, beat: Beat) -> dict[str, JSON]:
    if beat.speech:
        return {"id": id, "dialogue": beat.speech.text}
    return {"id": id, "action": beat.action}


def _letters() -> Iterator[str]:
    signs = "abcdefghijklmnopqrstuvwxyz"
    yield from signs
    yield from (first + second for first in signs for second in signs)


def cast(script: Script) -> Iterator[tuple[str, str]]:
    """Yield the characters as keys of a scene file, which hold no blanks, with their names."""
    taken: set[str] = set()
    for name in script.cast:
        shown = name.title() if name.isupper() else name
        key = _NOT_IN_NAMES.sub("_", shown).strip("_-")
        if key and key.lower() not in taken:
            taken.add(key.lower())
            yield key, shown


# --- reading -------------------------------------------------------------------------------------------


def is_script(path: Path) -> bool:
    """Whether a file is a script by its ending."""
    return path.suffix.lower() in ENDINGS


def read(path: Path, text: str) -> Script:
    """Return the script that a file holds.  `Invalid`, with the places, where it cannot be read."""
    from kiebatch.scenefile import screenplay_fdx, screenplay_fountain, screenplay_table

    ending = path.suffix.lower()
    if ending == ".fdx":
        script = screenplay_fdx.parse(text, str(path))
    elif ending in (".csv", ".tsv"):
        script = screenplay_table.parse(text, str(path))
    else:
        script = screenplay_fountain.parse(text, str(path))
    return script if script.title else replace(script, title=path.stem.replace("-", " ").replace("_", " "))
