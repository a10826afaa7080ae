"""Reads a shot list that a spreadsheet saved: one row per shot, columns known by their names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Final

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON
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
    "duration": ("duration", "seconds", "length", "secs", "dauer"),
    "prompt": ("prompt",),
    "model": ("model",),
    "notes": ("notes", "note", "comments", "comment", "remarks", "scene notes"),
}
_OF_SCENE = ("scene", "scene_title", "group", "location", "time_of_day")
# What our own shot list has beside these: it says what was made, and nothing that is asked for.
_OURS = {"slot", "take", "start", "voice over", "sfx", "music", "pick", "file", "credits"}
_FORMULA = re.compile(r"^'(?='*[=+\-@\t\r])")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")


def parse(text: str, file: str) -> Script:
    """Return the script.  `Invalid` with every row whose length is not a number, or when there is no column `scene`."""
    rows = _rows(text, file)
    head = [re.sub(r"[\s_/.-]+", " ", name).strip().lower() for name in rows[0]] if rows else []
    keys = [next((key for key, names in _COLUMNS.items() if name in names), "") for name in head]
    if "scene" not in keys:
        hint = "the first row names the columns: scene, shot, action, dialogue, duration, camera, …"
        raise _refused(file, 1, "this list has no column `scene`", hint)
    unread = [
        n
        for n, key, raw in zip(rows[0], keys, head, strict=True)
        if n.strip() and not key and raw not in _OURS
    ]
    problems: list[Problem] = []
    scenes: dict[str, list[Beat]] = {}
    facts: dict[str, dict[str, str]] = {}
    number = ""
    for line, row in enumerate(rows[1:], 2):
        cells = {key: _cell(cell) for key, cell in zip(keys, row, strict=False) if key and cell.strip()}
        number = str(cells.get("scene") or number)
        if not cells or not number:
            continue
        told = facts.setdefault(number, {"line": str(line)})
        for key in _OF_SCENE:
            told.setdefault(key, str(cells.get(key, "")))
        beat = _beat(cells, file, line, problems)
        if beat.keys:
            scenes.setdefault(number, []).append(beat)
    if problems:
        raise Invalid(problems)
    return Script(
        scenes=tuple(_scene(number, told, scenes.get(number, [])) for number, told in facts.items()),
        unread=tuple(unread),
    )


def _rows(text: str, file: str) -> list[list[str]]:
    text = text.removeprefix("\ufeff")
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise _refused(file, 1, f"this is not a list: {error}") from None


def _cell(text: str) -> str:
    return _FORMULA.sub("", text).replace("\r\n", "\n").strip()


def _beat(cells: Mapping[str, str], file: str, line: int, problems: list[Problem]) -> Beat:
    keys: dict[str, JSON] = {key: cells[key] for key in _COLUMNS if key in cells and key not in _OF_SCENE}
    if "id" in keys:
        keys["id"] = _id(str(keys["id"]))
    if "duration" in keys:
        seconds = _seconds(str(keys["duration"]))
        if seconds is None:
            message = f"`duration` must be seconds, found `{keys['duration']}`"
            problems.append(Problem(where=Where(file, line), message=message))
        keys["duration"] = seconds
    return Beat(keys=keys)


def _id(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[1-9]\d*", text) else re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")


def _seconds(text: str) -> float | int | None:
    clock = _CLOCK.fullmatch(text)
    if clock:
        value = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    else:
        found = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*(?:s|sec|secs|seconds)?", text, re.I)
        if not found:
            return None
        value = float(found[1].replace(",", "."))
    if value <= 0:
        return None
    return int(value) if value == int(value) else value


def _scene(number: str, told: Mapping[str, str], beats: list[Beat]) -> ScriptScene:
    return ScriptScene(
        number=number,
        title=told["scene_title"],
        group=told["group"],
        location=told["location"],
        time_of_day=told["time_of_day"],
        beats=tuple(beats),
        line=int(told["line"]),
    )


def _refused(file: str, line: int, message: str, hint: str = "") -> Invalid:
    return Invalid([Problem(where=Where(file, line), message=message, hint=hint)])
