"""Reads prompts from JSON: a list of texts or of objects, or an object that holds one such list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Document, Path, as_list, as_mapping, as_text
from kiebatch.scenefile import document as yaml_document
from kiebatch.scenefile.durations import seconds
from kiebatch.scenefile.intake.reading import Taken
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.pictures import ratio

_LISTS = (
    *("scenes", "shots", "prompts", "frames", "clips", "items", "images", "videos", "data", "storyboard"),
    *("panels", "beats", "entries", "list"),
)
_PROMPTS = ("prompt", "image_prompt", "video_prompt", "visual")
_MORE_PROMPTS = {"text", "description", "positiveprompt", "prompttext", "input", "content", "caption"}
_IDS = (
    "id",
    "scene",
    "sceneid",
    "scenenumber",
    "shot",
    "shotid",
    "number",
    "nr",
    "index",
    "key",
    "slot",
    "name",
)
_SCENE = ("scene", "sceneid", "scenenumber", "sceneno")
_SHOT = ("shot", "shotid", "shotnumber", "shotno")
_TEXTS = (
    *(
        "title",
        "notes",
        "camera",
        "text_overlay",
        "transition",
        "dialogue",
        "action",
        "location",
        "time_of_day",
    ),
    *("shot_size", "lens", "voice", "output", "fallback", "style", "group"),
)
_LISTED = ("model", "negative_prompt", "characters", "references", "tags")
# The types of value that a key takes as they are.
_HELD: Mapping[str, type | tuple[type, ...]] = {
    "params": dict,
    "takes": int,
    "seed": int,
    "duration": (int, float),
    **dict.fromkeys((*_TEXTS, *_LISTED), str),
    **dict.fromkeys(("voiceover", "music", "sound_effects"), str),
    **dict.fromkeys(("start_frame", "end_frame", "mask", "source"), str),
}
_TYPES = ("image", "video", "audio")


def looks_like(text: str) -> bool:
    """Whether a text is JSON that is not a scene file of ours already (those are YAML, too)."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) or (isinstance(value, dict) and "kiebatch" not in value)


def read(text: str, file: str) -> Taken:
    """Return the scene file that a JSON text describes; what none of its keys can hold becomes a note, and is said."""
    reader = _Reader(file, _places(text, file))
    value = reader.root(json.loads(text))
    return Taken(
        document=Document(value=value, places=reader.places, file=file),
        problems=tuple(reader.problems),
        said=tuple(reader.told()),
    )


def _places(text: str, file: str) -> Mapping[Path, Where]:
    """Return where each value is.  JSON is YAML but for rare escapes; without places a problem names the file."""
    try:
        return yaml_document.read(text.replace("\t", " "), file).places
    except Invalid:
        return {}


@dataclass(slots=True)
class _Reader:
    file: str
    written: Mapping[Path, Where]
    places: dict[Path, Where] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)  # a key of the file, and what it was taken for
    noted: dict[str, None] = field(default_factory=dict)
    numbered: bool = False

    def root(self, value: JSON) -> dict[str, JSON]:
        top: dict[str, JSON] = {"kiebatch": 1}
        rows, path = self._rows(value, top)
        scenes: list[dict[str, JSON]] = []
        for n, (key, row) in enumerate(rows):
            if not self._take_shot(scenes, row, (*path, key), n):
                scenes += self._row(row, (*path, key), len(scenes))
        top["scenes"] = scenes
        if not rows and not self.problems:
            self._refuse((), "this JSON holds no list of prompts", 'for instance `["a boat", "a quay"]`')
        return top

    def told(self) -> Iterator[str]:
        yield from (f"`{key}` is {what.replace('_', ' ')}" for key, what in self.taken.items())
        if self.noted:
            yield "kept as notes: " + ", ".join(f"`{key}`" for key in self.noted)
        if self.numbered:
            yield "entries without an id are numbered by their place in the list"

    # -- the list

    def _rows(self, value: JSON, top: dict[str, JSON]) -> tuple[list[tuple[str | int, JSON]], Path]:
        if isinstance(value, list):
            return list(enumerate(value)), ()
        return self._rows_of_object(as_mapping(value), top)

    def _rows_of_object(
        self, value: Mapping[str, JSON], top: dict[str, JSON]
    ) -> tuple[list[tuple[str | int, JSON]], Path]:
        lists = _lists_in(value)
        if len(lists) > 1:
            names = ", ".join(f"`{key}`" for key in lists)
            self._refuse((lists[1],), f"several lists may hold the prompts: {names}", "keep one of them")
            return [], ()
        if lists:
            self._take_top(value, lists[0], top)
            inner = value[lists[0]]
            if isinstance(inner, list):
                return list(enumerate(inner)), (lists[0],)
            return list(as_mapping(inner).items()), (lists[0],)
        if self._prompt_key(value):
            return [(0, value)], ()
        if all(isinstance(one, str) for one in value.values()):
            return list(value.items()), ()  # {"1": "a boat", "2": "a quay"}
        return [], ()

    def _take_top(self, value: Mapping[str, JSON], rows: str, top: dict[str, JSON]) -> None:
        defaults: dict[str, JSON] = {}
        notes: list[str] = []
        for name, one in value.items():
            key = _key(name)
            if name == rows:
                continue
            if key in ("title", "notes") and isinstance(one, str):
                top[key] = one
            elif key in ("model", "style", "negative_prompt", "takes", "seed"):
                defaults[key] = one
            elif key == "size" and isinstance(one, str):
                defaults["params"] = {"aspect_ratio": ratio(one)}
            else:
                self.noted[name] = None
                notes.append(f"{name}: {_shown(one)}")
                continue
            self.taken[name] = f"{key}, for all"
        if notes:
            top["notes"] = "\n".join(filter(None, (as_text(top.get("notes")), *notes)))
        if defaults:
            top["defaults"] = defaults

    def _take_shot(self, scenes: list[dict[str, JSON]], row: JSON, path: Path, n: int) -> bool:
        """Put an entry that names a scene and a shot into that scene; False for any other entry."""
        if not isinstance(row, dict):
            return False
        scene, shot = _id_named(row, _SCENE), _id_named(row, _SHOT)
        if scene is None or shot is None:
            return False
        self.taken |= {scene: "the scene", shot: "the shot"}
        rest = {key: value for key, value in row.items() if key not in (scene, shot)}
        entry = self._entry(rest, path, ident=row[shot], n=n)
        self._shots_of(scenes, _id(row[scene]), path).append({**entry, "id": _id(row[shot])})
        return True

    def _shots_of(self, scenes: list[dict[str, JSON]], ident: int | str, path: Path) -> list[JSON]:
        """Return the shots of the scene with an id; of a new one where the shot at `path` is its first."""
        for scene in scenes:
            shots = scene.get("shots")
            if scene["id"] == ident and isinstance(shots, list):
                return shots
        shots = []
        scene = {"id": ident, "shots": shots}
        self._place(("scenes", len(scenes)), self.written.get(path, Where(self.file)), scene)
        scenes.append(scene)
        return shots

    # -- one entry

    def _row(self, row: JSON, path: Path, n: int) -> list[dict[str, JSON]]:
        """Return the scene that an entry of the list is; nothing, with an error, for what is none."""
        where = self.written.get(path, Where(self.file))
        named = path[-1] if path and isinstance(path[-1], str) else None
        if isinstance(row, str):
            scene: dict[str, JSON] = {"id": n + 1 if named is None else _id(named), "prompt": row}
            self.numbered = self.numbered or named is None
        elif isinstance(row, dict):
            scene = self._entry(row, path, ident=named, n=n)
        else:
            self._refuse(path, f"entry {n + 1} is neither a text nor an object", "give it a `prompt`")
            return []
        self._place(("scenes", n), where, scene)
        return [scene]

    def _entry(
        self, row: Mapping[str, JSON], path: Path, *, ident: str | int | None, n: int
    ) -> dict[str, JSON]:
        scene: dict[str, JSON] = {"id": self._ident(row, ident, n)}
        shots = next((k for k in row if labels.canonical(k) in _LISTS and isinstance(row[k], list)), None)
        prompt, id_key = self._prompt_key(row), self._id_key(row)
        said = {name: value for name, value in row.items() if value not in (None, "") and name != id_key}
        notes = [f"{name}: {_shown(said[name])}" for name in self._take_all(scene, said, prompt, shots)]
        if shots is not None:
            scene["shots"] = self._shots(as_list(row[shots]), (*path, shots))
        if notes:
            scene["notes"] = "\n".join(filter(None, (as_text(scene.get("notes")), *notes)))
        return scene

    def _take_all(
        self, scene: dict[str, JSON], said: Mapping[str, JSON], prompt: str, shots: str | None
    ) -> list[str]:
        """Take the values of an entry, and return the names of those that no key can hold."""
        left: list[str] = []
        for name, value in said.items():
            if name == prompt:
                self._take_prompt(scene, name, value)
            elif not self._take(scene, name, value) and name != shots:
                left.append(name)
        self.noted |= dict.fromkeys(left)
        return left

    def _shots(self, rows: Sequence[JSON], path: Path) -> list[JSON]:
        found: list[JSON] = []
        for n, row in enumerate(rows):
            entry = row if isinstance(row, dict) else {"prompt": row}
            found.append(self._entry(entry, (*path, n), ident=None, n=n))
        return found

    def _take_prompt(self, scene: dict[str, JSON], name: str, value: JSON) -> None:
        # A prompt that is an object is sent as it is.
        scene["prompt"] = _shown(value)
        self.taken[name] = "the prompt"
        kind = _key(name).removesuffix("_prompt")
        if kind in _TYPES:
            scene.setdefault("type", kind)

    def _take(self, scene: dict[str, JSON], name: str, value: JSON) -> bool:
        """Take a value for the key that its name means; False when no key can hold it."""
        key = _key(name)
        if key == "size" and isinstance(value, str):
            scene["params"] = {**as_mapping(scene.get("params")), "aspect_ratio": ratio(value)}
            self.taken[name] = "the aspect ratio"
            return True
        taken = _held(key, value)
        if taken is None:
            return False
        scene[key] = taken
        self.taken[name] = key
        return True

    # -- names

    def _prompt_key(self, row: Mapping[str, JSON]) -> str:
        """Return the key that holds the prompt: one that a scene file knows, else one that is usual elsewhere."""
        filled = [name for name, value in row.items() if isinstance(value, str | dict) and value]
        known = {_key(name): name for name in reversed(filled)}
        for prompt in _PROMPTS:
            if prompt in known:
                return known[prompt]
        texts = (name for name, value in row.items() if isinstance(value, str))
        return next((name for name in texts if labels.canonical(name) in _MORE_PROMPTS), "")

    def _id_key(self, row: Mapping[str, JSON]) -> str:
        fitting: dict[str, str] = {}
        for name, value in row.items():
            if _fits(value):
                fitting.setdefault(labels.canonical(name), name)
        return next((fitting[wanted] for wanted in _IDS if wanted in fitting), "")

    def _ident(self, row: Mapping[str, JSON], ident: str | int | None, n: int) -> JSON:
        name = self._id_key(row)
        if name:
            self.taken[name] = "the id"
            return _id(row[name])
        if ident is not None:
            return _id(ident)
        self.numbered = True
        return n + 1

    def _place(self, path: Path, where: Where, scene: Mapping[str, JSON]) -> None:
        self.places[path] = where
        self.places |= {(*path, key): where for key in scene}

    def _refuse(self, path: Path, message: str, hint: str) -> None:
        where = self.written.get(path, Where(self.file))
        self.problems.append(Problem(where=where, message=message, hint=hint, code="ambiguous"))


def _lists_in(value: Mapping[str, JSON]) -> list[str]:
    """Return the keys of an object that may hold the prompts."""
    return [key for key in value if labels.canonical(key) in _LISTS and isinstance(value[key], list | dict)]


def _id_named(row: Mapping[str, JSON], names: Sequence[str]) -> str | None:
    """Return the first key of a row that goes by one of the names and holds what can be an id."""
    fitting = (name for name, value in row.items() if _fits(value))
    return next((name for name in fitting if labels.canonical(name) in names), None)


def _key(name: str) -> str:
    """Return the key of a scene file that a name means, or nothing."""
    if name == "params":
        return name
    return labels.KEYS.get(labels.canonical(name), "")


def _held(key: str, value: JSON) -> JSON:
    """Return a value as a key of a scene file holds it; None where it cannot."""
    if key == "duration" and not isinstance(value, int | float):
        return seconds(str(value))
    if key == "type":
        return labels.TYPES.get(labels.canonical(str(value)))
    if key in _LISTED and _all_texts(value):
        return value
    return value if isinstance(value, _HELD.get(key, ())) else None


def _id(value: JSON) -> int | str:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else text


def _fits(value: JSON) -> bool:
    """Whether a value can be an id."""
    if not isinstance(value, int | str):
        return False
    text = str(value)
    return bool(text) and len(text) <= 60 and all(c.isascii() and (c.isalnum() or c in "_.-") for c in text)


def _all_texts(value: JSON) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _shown(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
