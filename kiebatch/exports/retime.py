"""Writes an edited timeline's lengths and order into a YAML scene file, by editing its text in place.

Comments, quotes and blank lines stay: a length is replaced where it stands or put behind the `id`, and whole entries
of a list are moved with the comments above them.  The result is read again and must say exactly what was meant.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.exports.cut import Film
from kiebatch.exports.otio import Edit
from kiebatch.model import JSON, Document, Path, SceneId, ShotId, Slot, as_list, as_mapping, row_of, tidy
from kiebatch.scenefile import document, yaml_text

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_DURATION = re.compile(r"[\"']?duration[\"']?\s*:\s*(&\S+\s+)?([^\s,}\]]+)")
_ID = re.compile(r"[\"']?id[\"']?\s*:\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,}\]]+)")
_FLOW = re.compile(r"(?:[&!]\S+\s+)*\{")
_Change = tuple[int, int, str]  # start and end of what is replaced, and the new text
_BY_HAND = "change it by hand, then import again"


def apply(text: str, file: str, film: Film, edit: Edit) -> str:
    """Return the scene file's text with the lengths and the order of an edited timeline.

    `film` is what the text says now.  Shots that the timeline dropped stay where they are.  `Invalid`, with the place,
    where the text cannot be edited without touching something else.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    read = document.read(text, file)
    expected = copy.deepcopy(read.value)
    scenes = _scenes(read.value)
    places = _places(scenes)
    wanted = _lengths(scenes, film, edit, places)
    edits = []
    uses = Counter(read.places.values())
    for path, seconds in wanted.items():
        if uses[read.places[path]] > 1:
            raise yaml_text.refused(
                read.places[path], "an anchor or alias stands for this shot in several places"
            )
        edits.append(_set_duration(text, read, path, seconds))
        entry = _at(expected, path)
        assert isinstance(entry, dict)
        entry["duration"] = seconds
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    for path, order in _orders(scenes, edit, places, file):
        text = yaml_text.reordered(text, document.read(text, file), path, order)
        whole = _at(expected, path)
        assert isinstance(whole, list)
        whole[:] = [whole[n] for n in order]
    try:
        written = document.read(text, file).value
    except Invalid:
        written = None
    if written != expected:
        raise Invalid(f"{file} cannot be edited without touching something else", hint=_BY_HAND)
    return mark + text


# --- lengths -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A scene as the file has it; `shots` is None where it is one shot itself."""

    id: SceneId
    shots: tuple[ShotId, ...] | None
    has_length: bool  # of its own, which its shots share


def _scenes(value: JSON) -> list[_Scene]:
    """Return the scenes of a scene file, which was found valid before."""
    found = []
    for scene in map(row_of, row_of(value).list("scenes")):
        shots = None
        if "shots" in scene.values:
            shots = tuple(row_of(shot).id("id") for shot in as_list(scene.values["shots"]))
        id, has_length = scene.id("id"), "duration" in scene.values
        found.append(_Scene(id=id, shots=shots, has_length=has_length))
    return found


def _places(scenes: Sequence[_Scene]) -> dict[str, Path]:
    """Return where each shot stands, by its name."""
    found: dict[str, Path] = {}
    for n, scene in enumerate(scenes):
        if scene.shots is None:
            found[Slot(scene.id).shot_name] = ("scenes", n)
        for m, shot in enumerate(scene.shots or ()):
            found[Slot(scene.id, shot).shot_name] = ("scenes", n, "shots", m)
    return found


def _lengths(
    scenes: Sequence[_Scene], film: Film, edit: Edit, places: Mapping[str, Path]
) -> dict[Path, float]:
    changed = {c.shot: c.new_s for c in edit.changes if c.what == "duration" and c.new_s is not None}
    wanted: dict[Path, float] = {}
    for name, seconds in changed.items():
        wanted[places[name]] = tidy(seconds, 3)
        scene_path = places[name][:2]
        # A scene's own length is shared by the shots that have none: let it grow with them, or they would shrink.
        if len(places[name]) > 2 and scenes[int(scene_path[1])].has_length:
            total = sum(
                changed.get(shot.name, film.seconds(shot.frames))
                for shot in film.shots
                if places.get(shot.name, ())[:2] == scene_path
            )
            wanted[scene_path] = tidy(total, 3)
    return wanted


def _number(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _set_duration(text: str, read: Document, path: Path, seconds: float) -> _Change:
    """Return the change that gives the mapping at `path` its `duration`."""
    place = read.places[path]
    starts = yaml_text.line_starts(text)
    own = yaml_text.offset(starts, place)
    key = read.keys.get((*path, "duration"))
    if key is not None and as_mapping(_at(read.value, path)).get("duration") == "voice":
        raise yaml_text.refused(key, "this length follows the voice: change `head` or `tail`")
    if key is not None and yaml_text.offset(starts, key) >= own:
        return _in_place_of(text, yaml_text.offset(starts, key), key, seconds)
    id_key = read.keys.get((*path, "id"))
    if id_key is None or yaml_text.offset(starts, id_key) < own:
        raise yaml_text.refused(place, "this shot takes its `id` from somewhere else")
    is_flow = _FLOW.match(text, own) is not None
    return _behind(text, yaml_text.offset(starts, id_key), id_key, seconds, is_flow=is_flow)


def _in_place_of(text: str, at: int, key: Where, seconds: float) -> _Change:
    """Return the change of the `duration` that begins at `at`."""
    found = _DURATION.match(text, at)
    if not found or found[1]:
        raise yaml_text.refused(key, "this `duration` is used elsewhere through its anchor")
    return found.start(2), found.end(2), _number(seconds)


def _behind(text: str, at: int, key: Where, seconds: float, *, is_flow: bool) -> _Change:
    """Return the change that puts a `duration` behind the `id` that begins at `at`, in its line or below it."""
    found = _ID.match(text, at)
    if not found:
        raise yaml_text.refused(key, "this `id` is written in an unusual way")
    if is_flow:
        return found.end(), found.end(), f", duration: {_number(seconds)}"
    line_end = _BREAK.search(text, found.end())
    end, newline = (line_end.start(), line_end[0]) if line_end else (len(text), "\n")
    return end, end, f"{newline}{' ' * (key.column - 1)}duration: {_number(seconds)}"


# --- order ---------------------------------------------------------------------------------------------


def _orders(
    scenes: Sequence[_Scene], edit: Edit, places: Mapping[str, Path], file: str
) -> list[tuple[Path, tuple[int, ...]]]:
    """Return the lists to be put into another order: path, and the old positions in their new order."""
    by_scene: dict[int, list[str]] = {}
    previous = None
    for name in edit.order:
        scene = int(places[name][1])
        if scene != previous and scene in by_scene:
            where = Where(file)
            message = f"the timeline shows scene `{scenes[scene].id}` in several pieces"
            raise Invalid([Problem(where=where, message=message, hint="a scene's shots must stand together")])
        by_scene.setdefault(scene, []).append(name)
        previous = scene
    found: list[tuple[Path, tuple[int, ...]]] = []
    for scene, names in by_scene.items():
        positions = [int(places[name][3]) for name in names if len(places[name]) > 2]
        count = len(scenes[scene].shots or ())
        order = _permuted(count, positions)
        if order != tuple(range(count)):
            found.append((("scenes", scene, "shots"), order))
    order = _permuted(len(scenes), list(by_scene))
    if order != tuple(range(len(scenes))):
        found.append((("scenes",), order))
    return found


def _permuted(count: int, shown: Sequence[int]) -> tuple[int, ...]:
    """Put the positions in `shown` into that order among themselves; all others stay where they are."""
    queue = iter(shown)
    there = set(shown)
    return tuple(next(queue) if n in there else n for n in range(count))


# --- values --------------------------------------------------------------------------------------------


def _at(value: JSON, path: Path) -> JSON:
    for step in path:
        value = as_mapping(value)[step] if isinstance(step, str) else as_list(value)[step]
    return value
