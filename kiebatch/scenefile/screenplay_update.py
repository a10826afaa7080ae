"""Puts a writer's next draft into a scene file: only what changed in the script changes there.

Scenes are found again by their number, heading and words, and keep their ids, prompts and shots.  What somebody changed in
the scene file stays: where the script changed the same text too, it is said and left alone.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kiebatch.errors import Invalid
from kiebatch.model import JSON, Document, SceneId, as_list, as_mapping, under
from kiebatch.scenefile import document, yaml_text
from kiebatch.scenefile.screenplay import Script, ScriptScene, scene_id, scene_value

GONE = "no longer in the script"
_ORDER = (
    *(
        "id",
        "title",
        "group",
        "notes",
        "duration",
        "camera",
        "transition",
        "location",
        "time_of_day",
        "action",
        "dialogue",
    ),
)
_ALIKE = 0.45  # of 1: a scene with the same heading or half its words is the same scene


class What(StrEnum):
    """What a new draft does to a scene."""

    CHANGED = "changed"
    ADDED = "added"
    GONE = "gone"
    BACK = "back"
    MOVED = "moved"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between the scene file and the new draft; `key` is set where one text of a scene is meant."""

    what: What
    scene: SceneId
    key: str = ""

    def __str__(self) -> str:
        said = {
            What.CHANGED: f"{self.key} changed",
            What.ADDED: "is new",
            What.GONE: f"is {GONE}; it stays, with `skip`",
            What.BACK: "is back in the script",
            What.MOVED: "has another place in the script",
            What.KEPT: f"{self.key} changed in the script and here; yours is kept",
        }
        return f"scene {self.scene}: {said[self.what]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The scene file's text with the new draft in it, and what that changed."""

    text: str
    changes: tuple[Change, ...] = ()


def update(text: str, file: str, new: Script, old: Script | None = None) -> Update:
    """Return the scene file with a new draft in it.  `old` is the draft that it had before, where that is known.

    `Invalid` where the text cannot be edited without touching something else.
    """
    read = document.read(text, file)
    scenes = [dict(as_mapping(scene)) for scene in as_list(under(read.value, "scenes"))]
    found = _aligned(
        [_words_of(scene) for scene in scenes], [_words(s) for s in new.scenes], _numbers(scenes, new)
    )
    before = _before(old, new)
    editor = _Editor(text, file, scenes)
    placed: list[int] = []
    for number, scene in enumerate(new.scenes):
        at = found.get(number)
        if at is None:
            placed.append(editor.add(scene, behind=placed[-1] if placed else -1))
        else:
            editor.change(at, scene, before.get(number))
            placed.append(at)
    there = set(placed)
    for at, raw in enumerate(scenes):
        if at not in there and _is_scripted(raw, old):
            editor.drop(at)
    editor.order(placed)
    return editor.finished()


# --- which scene is which ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    heading: str
    words: frozenset[str]


def _words(scene: ScriptScene) -> _Words:
    said = " ".join(
        [scene.action, scene.dialogue, *(str(v) for beat in scene.beats for v in beat.keys.values())]
    )
    return _Words(_bare(f"{scene.location} {scene.time_of_day}"), _bag(said))


def _words_of(raw: Mapping[str, JSON]) -> _Words:
    parts = [raw, *map(as_mapping, as_list(raw.get("shots")))]
    said = " ".join(str(part.get(key) or "") for part in parts for key in ("action", "dialogue", "title"))
    return _Words(_bare(f"{raw.get('location') or ''} {raw.get('time_of_day') or ''}"), _bag(said))


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _bag(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _likeness(a: _Words, b: _Words) -> float:
    both = a.words | b.words
    shared = len(a.words & b.words) / len(both) if both else 1.0
    return 0.5 * (bool(a.heading) and a.heading == b.heading) + 0.5 * shared


def _numbers(scenes: Sequence[Mapping[str, JSON]], new: Script) -> dict[int, int]:
    """Return the scenes that the script calls by a number that the file knows: place in the script, place in the file."""
    known = {str(scene["id"]).lower(): at for at, scene in enumerate(scenes)}
    return {n: known[s.number.lower()] for n, s in enumerate(new.scenes) if s.number.lower() in known}


def _aligned(there: Sequence[_Words], new: Sequence[_Words], known: Mapping[int, int]) -> dict[int, int]:
    """Return for the new scenes the old ones that they are: by number, then in order, then wherever they went."""
    found = dict(known)
    free_new, free_old = _free(new, found), _free(there, found.values())
    for n, o in _in_order([there[o] for o in free_old], [new[n] for n in free_new]):
        found[free_new[n]] = free_old[o]
    free_new, free_old = _free(new, found), _free(there, found.values())
    pairs = [(-_likeness(there[o], new[n]), n, o) for n in free_new for o in free_old]
    for unlike, n, o in sorted(pairs):
        if -unlike >= _ALIKE and n not in found and o not in found.values():
            found[n] = o
    return found


def _free(scenes: Sequence[_Words], taken: Collection[int]) -> list[int]:
    return [place for place in range(len(scenes)) if place not in taken]


def _in_order(old: Sequence[_Words], new: Sequence[_Words]) -> list[tuple[int, int]]:
    """Return the pairs (new, old) that keep both orders and are most alike together."""
    best = [[0.0] * (len(old) + 1) for _ in range(len(new) + 1)]
    score = [[_likeness(o, n) for o in old] for n in new]
    for n in range(len(new) - 1, -1, -1):
        for o in range(len(old) - 1, -1, -1):
            paired = score[n][o] + best[n + 1][o + 1] if score[n][o] >= _ALIKE else 0.0
            best[n][o] = max(best[n + 1][o], best[n][o + 1], paired)
    pairs: list[tuple[int, int]] = []
    n = o = 0
    while n < len(new) and o < len(old):
        if score[n][o] >= _ALIKE and best[n][o] == score[n][o] + best[n + 1][o + 1]:
            pairs.append((n, o))
            n, o = n + 1, o + 1
        elif best[n][o] == best[n + 1][o]:
            n += 1
        else:
            o += 1
    return pairs


def _before(old: Script | None, new: Script) -> dict[int, ScriptScene]:
    """Return what each new scene was in the draft before."""
    if old is None:
        return {}
    numbers = {scene.number.lower(): at for at, scene in enumerate(old.scenes) if scene.number}
    known = {n: numbers[s.number.lower()] for n, s in enumerate(new.scenes) if s.number.lower() in numbers}
    found = _aligned([_words(s) for s in old.scenes], [_words(s) for s in new.scenes], known)
    return {n: old.scenes[o] for n, o in found.items()}


def _is_scripted(raw: Mapping[str, JSON], old: Script | None) -> bool:
    """Whether a scene came from the script; one that somebody added by hand stays as it is."""
    if not raw.get("location") or raw.get("skip"):
        return False
    if old is None:
        return True
    mine = _words_of(raw)
    return any(_likeness(mine, _words(scene)) >= _ALIKE for scene in old.scenes)


# --- the text ------------------------------------------------------------------------------------------


class _Editor:
    """Changes the text scene by scene; scenes are named by their place in the list as it was read."""

    def __init__(self, text: str, file: str, scenes: Sequence[dict[str, JSON]]) -> None:
        self.text = text
        self.file = file
        self.scenes = copy.deepcopy(list(scenes))
        self.places = list(range(len(scenes)))  # the order of the list now
        self.changes: list[Change] = []

    def change(self, at: int, scene: ScriptScene, before: ScriptScene | None) -> None:
        raw = self.scenes[at]
        if raw.get("skip") == GONE:
            self._remove(at, "skip")
            self.changes.append(Change(what=What.BACK, scene=_ident(raw)))
        wanted = scene.fields
        old: Mapping[str, str] = before.fields if before else {}
        for key, text in wanted.items():
            if "shots" in raw and key in ("action", "dialogue"):
                continue  # the scene's beats are its shots' now
            self._field(at, key, text, old.get(key))

    def _field(self, at: int, key: str, text: str, old: str | None) -> None:
        raw = self.scenes[at]
        mine = raw.get(key) or ""
        if not isinstance(mine, str) or mine.strip() == text.strip():
            return
        if old is None:
            if key in ("title", "notes", "transition"):
                return  # nobody knows whether the script or a person said it
        elif old.strip() == text.strip():
            return
        elif old.strip() != mine.strip():
            self.changes.append(Change(what=What.KEPT, scene=_ident(raw), key=key))
            return
        if text:
            self._set(at, key, text)
        else:
            self._remove(at, key)
        self.changes.append(Change(what=What.CHANGED, scene=_ident(raw), key=key))

    def add(self, scene: ScriptScene, behind: int) -> int:
        """Put a new scene behind the one that is named by its place, -1 for the front; return its own."""
        id = self._new_id(scene, _ident(self.scenes[behind]) if behind >= 0 else None)
        value = scene_value(scene, id)
        index = self.places.index(behind) + 1 if behind >= 0 else 0
        self.text = yaml_text.inserted(self.text, self._read(), ("scenes",), index, value)
        self.scenes.append(value)
        self.places.insert(index, len(self.scenes) - 1)
        self.changes.append(Change(what=What.ADDED, scene=id))
        return len(self.scenes) - 1

    def _new_id(self, scene: ScriptScene, before: SceneId | None) -> SceneId:
        taken = {str(raw["id"]).lower() for raw in self.scenes}
        if scene.number and scene.number.lower() not in taken:
            return scene_id(scene.number)
        if before is None:
            return _between("0", taken)
        base, last = str(before), str(_ident(self.scenes[self.places[-1]]))
        if base == last and base.isdecimal() and str(int(base) + 1) not in taken:
            return int(base) + 1
        return _between(base, taken)

    def drop(self, at: int) -> None:
        self._set(at, "skip", GONE)
        self.changes.append(Change(what=What.GONE, scene=_ident(self.scenes[at])))

    def order(self, placed: Sequence[int]) -> None:
        """Put the scenes into the script's order; what is not in the script stays behind its neighbour."""
        now = [at for at in self.places if at in set(placed)]
        if now == list(placed):
            return
        queue = iter(placed)
        wanted = [next(queue) if at in set(placed) else at for at in self.places]
        order = [self.places.index(at) for at in wanted]
        self.text = yaml_text.reordered(self.text, self._read(), ("scenes",), order)
        stay = set(_longest_common(now, placed))
        self.changes += [
            Change(what=What.MOVED, scene=_ident(self.scenes[at])) for at in placed if at not in stay
        ]
        self.places = wanted

    def finished(self) -> Update:
        try:
            written = under(self._read().value, "scenes")
        except Invalid:
            written = None
        if written != [self.scenes[at] for at in self.places]:
            raise Invalid(
                f"{self.file} cannot be edited without touching something else", hint=yaml_text.BY_HAND
            )
        return Update(text=self.text, changes=tuple(self.changes))

    def _read(self) -> Document:
        return document.read(self.text, self.file)

    def _set(self, at: int, key: str, value: str) -> None:
        path = ("scenes", self.places.index(at))
        self.text = yaml_text.with_key(self.text, self._read(), path, key, value, _ORDER)
        self.scenes[at][key] = value

    def _remove(self, at: int, key: str) -> None:
        path = ("scenes", self.places.index(at))
        self.text = yaml_text.without_key(self.text, self._read(), path, key)
        del self.scenes[at][key]


def _ident(raw: Mapping[str, JSON]) -> SceneId:
    found = raw["id"]
    return found if isinstance(found, int) else str(found)


def _between(base: str, taken: Collection[str]) -> str:
    """Return an id as a production office numbers what comes in between: 3A, 3B, 3AA."""
    return next(f"{base}{suffix}" for suffix in _suffixes() if f"{base}{suffix}".lower() not in taken)


def _suffixes() -> Iterator[str]:
    """Yield A to Z, then AA to ZZ."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    yield from letters
    yield from (f"{first}{second}" for first in letters for second in letters)


def _longest_common(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Return the most scenes that have the same order in both."""
    place = {value: n for n, value in enumerate(a)}
    runs: list[list[int]] = []
    for value in b:
        best = max((run for run in runs if place[run[-1]] < place[value]), key=len, default=[])
        runs.append([*best, value])
    return max(runs, key=len, default=[])
