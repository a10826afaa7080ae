"""One prompt preset: the instruction that a chat model gets with an author's prompt.

    ---
    key: clip-from-still
    label: A clip that begins with a picture
    version: 1
    models: [kling*]            # ids, `*` for any letters; none: every model
    modalities: [video]
    input_patterns: [single_image]
    rules: [Say what moves and how fast.]
    status: current
    ---
    Rewrite this for {{model_key}}: {{user_prompt}}

A preset is never sent to a media model.  Text in, values out; `preset_files` reads the folders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar, get_args

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Problems, Where, did_you_mean
from kiebatch.model import JSON, Document, Modality
from kiebatch.scenefile import document

VARIABLES: Mapping[str, str] = {
    "user_prompt": "the author's prompt, after styles, characters and variables",
    "model_key": "the model's id",
    "task_mode": "what the model does, such as text-to-video",
    "input_pattern": "what goes in beside words, such as single_image",
    "image_count": "how many pictures go in",
    "video_count": "how many clips go in",
    "audio_count": "how many sounds go in",
    "scene_title": "the scene's title",
    "camera": "the shot's camera, else the scene's",
    "style": "the style of the shot",
    "characters": "the people in it",
}
_VARIABLE = re.compile(r"\{\{([^{}\n]*)\}\}")
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
_KEYS = ("key", "label", "version", "models", "modalities", "input_patterns", "rules", "notes", "status")
_MODALITIES: tuple[Modality, ...] = get_args(Modality)
_Known = TypeVar("_Known", bound=str)
_LAST = "Answer with the prompt alone: no heading, no quotes, no explanation."


class InputPattern(StrEnum):
    """What goes into a job beside its words."""

    PROMPT_ONLY = "prompt_only"
    SINGLE_IMAGE = "single_image"
    FIRST_LAST_FRAMES = "first_last_frames"
    IMAGE_EDIT = "image_edit"
    MULTI_REFERENCE = "multi_reference"
    MOTION_CONTROL = "motion_control"


class Status(StrEnum):
    """Whether a preset is taken by itself: a draft or a retired one is only taken by its key."""

    CURRENT = "current"
    DRAFT = "draft"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One preset as its file says it.  `origin` is `project`, `user` or `shipped`."""

    key: str
    template: str
    label: str = ""
    version: int = 1
    models: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = ()
    input_patterns: tuple[InputPattern, ...] = ()
    rules: tuple[str, ...] = ()
    notes: str = ""
    status: Status = Status.CURRENT
    file: str = ""
    origin: str = "project"

    def as_json(self) -> dict[str, JSON]:
        return {
            "key": self.key,
            "label": self.label,
            "version": self.version,
            "models": list(self.models),
            "modalities": list(self.modalities),
            "input_patterns": [str(pattern) for pattern in self.input_patterns],
            "rules": list(self.rules),
            "notes": self.notes,
            "status": str(self.status),
            "file": self.file,
            "origin": self.origin,
            "template": self.template,
        }


def parse(text: str, file: str, *, origin: str = "project") -> Preset:
    """Return the preset that a file holds.  `Invalid` with everything that is wrong, each at its place."""
    head, body, first = _split(text, file)
    read = document.read(head, file, line_offset=1)
    reader = _Reader(read, file)
    preset = reader.preset(body.strip(), origin)
    _check_template(body, file, first, reader.problems)
    reader.problems.raise_if_errors()
    return preset


def _split(text: str, file: str) -> tuple[str, str, int]:
    """Return the front matter, the template, and the line on which the template begins."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    ends = [number for number, line in enumerate(lines) if line.strip() == "---"]
    if len(ends) < 2 or ends[0] != 0:
        raise Invalid(
            [
                Problem(
                    where=Where(file, 1, 1),
                    message="a preset begins with its keys between two lines of `---`",
                    hint="see docs/prompts.md",
                    code="preset",
                )
            ]
        )
    end = ends[1]
    return "\n".join(lines[1:end]) + "\n", "\n".join(lines[end + 1 :]), end + 2


def _check_template(body: str, file: str, first: int, problems: Problems) -> None:
    names = set()
    for number, line in enumerate(body.split("\n")):
        for found in _VARIABLE.finditer(line):
            name = found.group(1).strip()
            names.add(name)
            if name in VARIABLES:
                continue
            problems.error(
                Where(file, first + number, found.start() + 1),
                f"a preset has no variable `{name}`",
                hint=did_you_mean(name, VARIABLES) or f"known: {', '.join(VARIABLES)}",
                code="preset-variable",
            )
    if "user_prompt" not in names:
        problems.error(
            Where(file, first, 1),
            "the template never says `{{user_prompt}}`, so the author's words would be lost",
            code="preset",
        )


class _Reader:
    """Turns the front matter into a `Preset`, and collects what is wrong with it."""

    def __init__(self, read: Document, file: str) -> None:
        self.read = read
        self.file = file
        self.problems = Problems()
        self.value: Mapping[str, JSON] = read.value if isinstance(read.value, dict) else {}

    def preset(self, template: str, origin: str) -> Preset:
        for name in self.value:
            if name not in _KEYS:
                where = self.read.where((name,), key=True)
                hint = did_you_mean(name, _KEYS) or f"known: {', '.join(_KEYS)}"
                self.problems.error(where, f"unknown key `{name}`", hint=hint, code="unknown-key")
        return Preset(
            key=self._key(),
            template=template,
            label=self._text("label"),
            version=self._version(),
            models=self._words("models"),
            modalities=self._among("modalities", _MODALITIES),
            input_patterns=self._among("input_patterns", tuple(InputPattern)),
            rules=self._words("rules"),
            notes=self._text("notes"),
            status=next(iter(self._among("status", tuple(Status))), Status.CURRENT),
            file=self.file,
            origin=origin,
        )

    def _error(self, name: str, message: str, hint: str = "") -> None:
        self.problems.error(self.read.where((name,)), message, hint=hint, code="preset")

    def _key(self) -> str:
        key = str(self.value.get("key") or "")
        if not _KEY.fullmatch(key):
            self._error("key", f"`key` is a word of small letters, digits, `-` and `_`, found `{key}`")
        return key

    def _version(self) -> int:
        version = self.value.get("version", 1)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            self._error("version", f"`version` counts from 1, found `{version}`")
            return 1
        return version

    def _text(self, name: str) -> str:
        value = self.value.get(name)
        if isinstance(value, dict | list):
            self._error(name, f"`{name}` must be text")
            return ""
        return "" if value is None else str(value)

    def _words(self, name: str) -> tuple[str, ...]:
        value = self.value.get(name)
        if value is None:
            return ()
        listed = value if isinstance(value, list) else [value]
        if any(isinstance(one, dict | list) or one is None for one in listed):
            self._error(name, f"`{name}` must be a list of words")
            return ()
        return tuple(str(one) for one in listed)

    def _among(self, name: str, known: Sequence[_Known]) -> tuple[_Known, ...]:
        by_word = {str(word): word for word in known}
        found: list[_Known] = []
        for word in self._words(name):
            if word in by_word:
                found.append(by_word[word])
            else:
                hint = did_you_mean(word, by_word) or f"known: {', '.join(by_word)}"
                self._error(name, f"`{name}` has no value `{word}`", hint)
        return tuple(found)


def instruction(preset: Preset, values: Mapping[str, str]) -> str:
    """Return what the chat model is told.  `values` has the variables; those that are missing are empty."""
    text = _VARIABLE.sub(lambda found: values.get(found.group(1).strip(), ""), preset.template)
    rules = "".join(f"\n- {rule}" for rule in preset.rules)
    return f"{text.strip()}{f'{chr(10)}{chr(10)}Rules:{rules}' if rules else ''}\n\n{_LAST}"
