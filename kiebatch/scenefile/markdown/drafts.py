"""What is gathered from a Markdown file before values are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.prose import Placed, one_line

ROLES = ("references", "start_frame", "end_frame", "mask", "source")
PROMPTS = ("prompt", "image_prompt", "video_prompt", "visual")
SOUNDS = ("voiceover", "music", "sound_effects")
SOUND_KEYS = (
    "model",
    "voice",
    "takes",
    "seed",
    "style",
    "negative_prompt",
    "fallback",
    "output",
    "references",
    "source",
    "endpoint",
    "tags",
    "extra_params",
    "expect",
)


@dataclass(slots=True)
class Body:
    """What is written under one heading: fields by their key, the model's own fields, and the rest as notes."""

    where: Where
    fields: dict[str, Placed] = field(default_factory=dict)
    params: dict[str, Placed] = field(default_factory=dict)
    parts: dict[str, Body] = field(default_factory=dict)
    notes: list[tuple[str, bool]] = field(
        default_factory=list
    )  # text, and whether it goes on from the one before
    noted: Where | None = None

    def note(self, text: str, where: Where, *, tight: bool = False) -> None:
        if text.strip():
            self.noted = self.noted or where
            self.notes.append((text, tight))

    @property
    def asks(self) -> bool:
        """Whether it holds a prompt, in itself or in a part."""
        bodies = (self, *self.parts.values())
        return any(key in PROMPTS or key.startswith("tool_") for body in bodies for key in body.fields)

    @property
    def notes_text(self) -> str:
        parts: list[str] = []
        for i, (text, tight) in enumerate(self.notes):
            if i:
                parts.append("\n" if tight and self.notes[i - 1][1] else "\n\n")
            parts.append(text)
        return "".join(parts)


@dataclass(slots=True)
class ShotDraft:
    id: int | str
    body: Body
    where: Where
    title: str = ""
    duration: float | int | None = None
    skip: bool = False
    table_row: bool = False
    exact: bool = False  # the id is meant to the letter


@dataclass(slots=True)
class SceneDraft(ShotDraft):
    group: str = ""
    level: int = 2
    of_shots: bool = False  # its heading says Shot: a shot list without scenes
    of_frames: bool = False  # its heading says Frame or Beat
    by_words: bool = False  # its id comes from the words of a slugline
    shots: list[ShotDraft] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """`Key: value` as found: the value's lines with their places, before anything is made of it."""

    style: str  # bold, plain, code
    label: str
    key: str
    at: Where
    lines: list[tuple[str, Where]]
    first: int
    last: int

    @property
    def raw(self) -> str:
        return one_line(text for text, _ in self.lines)

    @property
    def where(self) -> Where:
        return next((where for text, where in self.lines if text.strip()), self.at)
