"""Which preset a job gets, and why.  Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.errors import Invalid, did_you_mean
from kiebatch.model import LocalFile, Media, RoleMedia, ShotOutput
from kiebatch.prompts.presets import InputPattern, Preset, Status

_ENDINGS = {
    "video": (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v"),
    "audio": (".mp3", ".wav", ".m4a", ".aac", ".ogg", ".flac"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The preset of a job, None where none fits, and why in words."""

    preset: Preset | None
    why: str


@dataclass(frozen=True, slots=True)
class Presets:
    """Every preset there is, by key."""

    all: tuple[Preset, ...] = ()

    def __getitem__(self, key: str) -> Preset:
        """Return the preset of a key; `Invalid` with the nearest one where there is none."""
        for preset in self.all:
            if preset.key == key:
                return preset
        near = did_you_mean(key, [preset.key for preset in self.all])
        raise Invalid(f"there is no preset `{key}`", hint=near or "`kiebatch presets` lists them")

    def choose(self, model: Model, pattern: InputPattern, key: str = "") -> Choice:
        """Return the preset that a job gets: the one that is named, else the model's for such an input, else the model's.

        One that names the model goes before one that is for every model.  `Invalid` for a key that is not there.
        """
        if key:
            return Choice(self[key], f"`{key}` is named")
        fitting = [preset for preset in self.all if _fits(preset, model, pattern)]
        if not fitting:
            return Choice(None, f"no preset is for `{model.id}` with {pattern}")
        best = max(fitting, key=lambda preset: _rank(preset))
        what = f"`{model.id}`" if best.models else f"every {model.modality} model"
        return Choice(best, f"it is for {what}{f' with {pattern}' if best.input_patterns else ''}")


def _fits(preset: Preset, model: Model, pattern: InputPattern) -> bool:
    if preset.status is not Status.CURRENT:
        return False
    if preset.modalities and model.modality not in preset.modalities:
        return False
    if preset.models and not any(fnmatch.fnmatchcase(model.id, wanted) for wanted in preset.models):
        return False
    return not preset.input_patterns or pattern in preset.input_patterns


def _rank(preset: Preset) -> tuple[bool, bool, bool, int, str]:
    exact = any("*" not in wanted for wanted in preset.models)
    origin = ("shipped", "user", "project").index(preset.origin)
    return bool(preset.models), bool(preset.input_patterns), exact, origin, preset.key


def pattern_of(model: Model, media: Sequence[Media | RoleMedia]) -> InputPattern:
    """Return what goes into a job beside its words."""
    roles = {medium.role for medium in media}
    images, videos, _ = counts(media)
    moves_a_picture = bool(videos and images and "source" in roles)
    edits = model.modality == "image" and bool(roles & {"source", "mask"})
    ways = (
        (moves_a_picture or "motion" in model.id or "motion" in model.task, InputPattern.MOTION_CONTROL),
        ({"start_frame", "end_frame"} <= roles, InputPattern.FIRST_LAST_FRAMES),
        (edits, InputPattern.IMAGE_EDIT),
        (images > 1 or videos > 0, InputPattern.MULTI_REFERENCE),
        (images == 1, InputPattern.SINGLE_IMAGE),
    )
    return next((pattern for applies, pattern in ways if applies), InputPattern.PROMPT_ONLY)


def counts(media: Sequence[Media | RoleMedia]) -> tuple[int, int, int]:
    """Return how many pictures, clips and sounds go in, as their names and roles tell."""
    kinds = [_kind(medium) for medium in media]
    return kinds.count("image"), kinds.count("video"), kinds.count("audio")


def _kind(medium: Media | RoleMedia) -> str:
    if isinstance(medium, RoleMedia) and medium.kind:
        return medium.kind
    ref = medium.ref
    if isinstance(ref, ShotOutput):
        return "image" if ref.frame or not ref.as_task else "task"
    name = (ref.path if isinstance(ref, LocalFile) else ref.url.partition("?")[0]).lower()
    return next((kind for kind, endings in _ENDINGS.items() if name.endswith(endings)), "image")
