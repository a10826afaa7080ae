"""The shape of a scene file that passed the schema: which keys there are, and what each may hold.

`tests/scenefile/test_shape.py` holds these against the schema.  What the schema refused is taken out before: a key is
missing then, and an item of a list is None, so that the places of the others stay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypedDict

from kiebatch.model import JSON, Enhance, SceneId, as_form

Sound = Literal["voiceover", "music", "sound_effects"]
Names = str | list[str | None]

ShotRef = TypedDict(
    "ShotRef",
    {
        "shot": str | int,
        "take": int,
        "output": int,
        "model": str,
        "frame": Literal["first", "last"],
        "as": Literal["task"],
    },
    total=False,
)
"""What another shot makes."""

Medium = str | ShotRef
MediaValue = Medium | list[Medium | None]


class Take(TypedDict, total=False):
    """The words of one take."""

    prompt: str


class Spoken(TypedDict, total=False):
    """One line of a dialogue."""

    speaker: str
    line: str


class CharacterValues(TypedDict, total=False):
    text: str
    references: MediaValue
    notes: str


class Asked(TypedDict, total=False):
    """What is asked of a model, by a shot or by default."""

    model: Names
    params: Mapping[str, JSON]
    extra_params: Mapping[str, JSON]
    preset: str
    enhance: Enhance
    style: Names
    negative: Names
    negative_prompt: Names
    seed: int | Literal["stable"]
    fallback: str
    expect: Mapping[str, JSON] | Literal["off"]
    # Not every level may have these, and each is asked for them.
    characters: Names
    ignore_warnings: list[str | None]


class DefaultValues(Asked, total=False):
    takes: int


class Defaults(DefaultValues, total=False):
    """`defaults`: those of all shots, and those of one modality."""

    image: DefaultValues
    video: DefaultValues
    audio: DefaultValues


class ShotValues(Asked, total=False):
    """A shot, a sound, or a scene as far as it is a shot itself."""

    id: SceneId
    title: str
    notes: str
    camera: str
    text_overlay: str
    transition: str
    dialogue: str | list[Spoken | None]
    action: str
    location: str
    time_of_day: str
    shot_size: str
    lens: str
    visual: str
    duration: float | Literal["voice"]
    head: float
    tail: float
    skip: str | bool
    type: Literal["image", "video", "audio"]
    prompt: str
    takes: int | list[Take | None]
    voice: str
    output: str
    tags: Names
    references: MediaValue
    source: MediaValue
    start_frame: Medium
    end_frame: Medium
    mask: Medium
    endpoint: str
    # Those of a sound alone.
    text: str
    file: str
    through: SceneId
    language: str


class SceneValues(ShotValues, total=False):
    """A scene; its sounds are words alone, or have keys of their own."""

    group: str
    shots: list[ShotValues | None]
    voiceover: str | ShotValues
    music: str | ShotValues
    sound_effects: str | ShotValues


class FileValues(TypedDict, total=False):
    """A whole scene file."""

    kiebatch: int
    title: str
    notes: str
    defaults: Defaults
    styles: dict[str, str]
    characters: dict[str, str | CharacterValues]
    references: dict[str, MediaValue]
    vars: dict[str, str | float | bool]
    negative: Names
    negative_prompt: Names
    run: Mapping[str, JSON]
    assets: str
    moved: dict[str, str | int]
    tags: Names
    ignore_warnings: list[str | None]
    scenes: list[SceneValues | None]


def media_of(value: MediaValue | None) -> Sequence[Medium | None]:
    """Return the one medium that a value is, or those of its list."""
    return value if isinstance(value, list) else [value]


def picked(values: ShotValues, keys: Collection[str]) -> ShotValues:
    """Return some keys of a scene or shot."""
    return as_form(ShotValues, {key: value for key, value in values.items() if key in keys})
