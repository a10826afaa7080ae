"""Reads a shot list that a spreadsheet saved: one row per shot, columns known by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON
from kiebatch.scenefile import separated
from kiebatch.scenefile.durations import seconds_in_a_time_column
from kiebatch.scenefile.screenplay import Beat, Script, ScriptScene

# The key of a scene file for what people call a column.
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "scene": ("scene", "scene number", "scene no", "sc", "scene #", "szene"),
    "id": ("shot", "shot number", "shot no", "shot #", "setup", "einstellung"),
    "scene_title": ("scene title", "scene name"),
    "group": ("act", "sequence", "group"),
    "title": ("title", "name", "shot title"),
    "location": ("location", "set", "place", "slugline", "ort"),
    "time_of_day": ("time of day", "day night", "d n", "time", "tageszeit"),
    "action": ("action", "description", "what happens", "content", "beschreibung"),
    "dialogue": ("dialogue", "dialog", "lines"),
    "shot_size": ("shot size", "size", "framing", "shot type", "type"),
    "lens": ("lens", "focal length", "mm"),
    "camera": ("camera", "movement", "camera movement", "move", "camera move", "angle"),
    "transition": ("transition",),
    "text_overlay": ("text overlay", "caption", "title card"),
    "duration": ("duration", "dur", "seconds", "length", "secs", "sec", "dauer"),
    "prompt": ("prompt",),
    "model": ("model",),
    "notes": ("notes", "note", "comments", "comment", "remarks", "scene notes"),
}
_OF_SCENE = ("scene", "scene_title", "group", "location", "time_of_day")
# What our own shot list has beside these: it says what was made, and nothing that is asked for.
_OURS = {"slot", "take", "start", "voice over", "sfx", "music", "pick", "file", "credits"}
_FORMULA = re.compile(r"^'(?='*[=+\-@\t\r])")
_LONGEST_S = 3600  # what a scene file takes


def parse(text: str, file: str) -> Script:
    """Return the script.  `Invalid` with every row whose length is not a number, or when there is no column `scene`."""
    head, *rows = separated.rows(text, file) or [separated.Row(1, [])]
    keys = [_key(name) for name in head.cells]
    if "scene" not in keys:
        hint = "the first row names the columns: scene, shot, action, dialogue, duration, camera, …"
        raise _refused(file, 1, "this list has no column `scene`", hint)
    unread = [name for name, key in zip(head.cells, keys, strict=True) if not key and _is_foreign(name)]
    return Script(scenes=tuple(_scenes(keys, rows, file)), unread=tuple(unread))


def _scenes(keys: Sequence[str], rows: Sequence[separated.Row], file: str) -> list[ScriptScene]:
    problems: list[Problem] = []
    scenes: dict[str, _Rows] = {}
    number = ""  # a row without one belongs to the scene above it
    for line, row in rows:
        cells = {key: _cell(cell) for key, cell in zip(keys, row, strict=False) if key and cell.strip()}
        number = cells.get("scene") or number
        if not cells or not number:
            continue
        beat = _beat(cells, file, line, problems)
        scenes.setdefault(number, _Rows(cells, line)).add(beat)
    if problems:
        raise Invalid(problems)
    return [_scene(number, rows) for number, rows in scenes.items()]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one scene: the cells of the first, which say what the scene is, and a beat for each."""

    first: Mapping[str, str]
    line: int
    beats: list[Beat] = field(default_factory=list)

    def add(self, beat: Beat) -> None:
        if beat.keys:
            self.beats.append(beat)


def _plain(name: str) -> str:
    return re.sub(r"[\s_/.-]+", " ", name).strip().lower()


def _key(name: str) -> str:
    """Return the key of a scene file that a column holds; nothing for a column that is not read.

    A unit in brackets is not part of the name: `Dur. (s)`.
    """
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", name)
    return next((key for key, names in _COLUMNS.items() if {_plain(name), _plain(bare)} & {*names}), "")


def _is_foreign(name: str) -> bool:
    return bool(name.strip()) and _plain(name) not in _OURS


def _cell(text: str) -> str:
    return _FORMULA.sub("", text).replace("\r\n", "\n").strip()


def _beat(cells: Mapping[str, str], file: str, line: int, problems: list[Problem]) -> Beat:
    keys: dict[str, JSON] = {key: cells[key] for key in _COLUMNS if key in cells and key not in _OF_SCENE}
    if "id" in keys:
        keys["id"] = _id(str(keys["id"]))
    if "duration" in keys:
        seconds = seconds_in_a_time_column(str(keys["duration"]))
        if not seconds or seconds > _LONGEST_S:
            message = f"`duration` must be seconds, found `{keys['duration']}`"
            problems.append(Problem(where=Where(file, line), message=message))
        keys["duration"] = seconds
    return Beat(keys=keys)


def _id(text: str) -> int | str:
    if re.fullmatch(r"[1-9]\d{0,17}", text):
        return int(text)
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")


def _scene(number: str, rows: _Rows) -> ScriptScene:
    said = {key: rows.first.get(key, "") for key in _OF_SCENE}
    return ScriptScene(
        number=number,
        title=said["scene_title"],
        group=said["group"],
        location=said["location"],
        time_of_day=said["time_of_day"],
        beats=tuple(rows.beats),
        line=rows.line,
    )


def _refused(file: str, line: int, message: str, hint: str = "") -> Invalid:
    return Invalid([Problem(where=Where(file, line), message=message, hint=hint)])
