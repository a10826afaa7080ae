"""Scenes and shots as a scene file gives them, before their jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.model import JSON, ROLES, Path, SceneId, ShotId, Slot, as_list, as_mapping
from kiebatch.scenefile.shape import SceneValues, ShotValues, Sound

Kind = Literal["shot", "vo", "music", "sfx"]
SOUNDS: Mapping[Sound, Kind] = {"voiceover": "vo", "music": "music", "sound_effects": "sfx"}
INHERITED = (
    *("model", "params", "extra_params", "takes", "seed", "style", "characters"),
    *("negative_prompt", "negative"),
    *("fallback", "type", "preset", "enhance", "tags", "ignore_warnings", "expect"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotSpec:
    """A shot as its scene file gives it, before its jobs.

    `raw` holds its own keys, `inherited` those of a scene with shots.  `models` pairs each name that the author
    wrote with the model that it means; `models` and `takes` are known once every shot was gathered.
    """

    scene: SceneId
    shot: ShotId
    kind: Kind
    path: Path
    raw: ShotValues
    inherited: ShotValues = field(default_factory=ShotValues)
    inherited_path: Path = ()
    scene_raw: SceneValues = field(default_factory=SceneValues)  # of a scene with shots, all its own keys
    models: tuple[tuple[str, Model], ...] = ()
    takes: int = 1
    skip: str = ""

    @property
    def name(self) -> str:
        return str(self.scene) if self.shot is None else Slot(self.scene, self.shot).shot_name

    def made_by(self, models: tuple[tuple[str, Model], ...], takes: int) -> ShotSpec:
        """Return the shot with its models and its number of takes."""
        return ShotSpec(
            scene=self.scene,
            shot=self.shot,
            kind=self.kind,
            path=self.path,
            raw=self.raw,
            inherited=self.inherited,
            inherited_path=self.inherited_path,
            scene_raw=self.scene_raw,
            models=models,
            takes=takes,
            skip=self.skip,
        )

    def slot(self, model: Model, take: int) -> Slot:
        return Slot(self.scene, self.shot, model.id if len(self.models) > 1 else None, take)

    @property
    def seconds(self) -> float | None:
        """Its length on the timeline as a number; None where it has none, or follows the voice."""
        length = length_of(self.raw)
        return None if length is None else float(length)

    @property
    def names_model(self) -> bool:
        """Whether the shot or its scene names a model; those of `defaults` do not count."""
        return "model" in self.raw or "model" in self.inherited

    @property
    def makes(self) -> bool:
        """Whether the shot makes something, and is not a mere card on the board."""
        says = self.names_model or self.has_words or any(role in self.raw for role in ROLES)
        return says and bool(self.models) and not self.raw.get("file")

    @property
    def has_words(self) -> bool:
        """Whether a prompt is written for any of its takes."""
        return bool(self.prompt_path) or any(self.words(take)[1] for take in range(1, self.takes + 1))

    @property
    def prompt_path(self) -> Path:
        """Where its words are, empty where it has none.  A sound may call them `text`."""
        for key in ("prompt", "text"):
            if key in self.raw:
                return (*self.path, key)
        return ()

    @property
    def prompt(self) -> str:
        if "prompt" in self.raw:
            return str(self.raw["prompt"] or "")
        return str(self.raw.get("text") or "")

    def words(self, take: int) -> tuple[str, Path]:
        """Return what one take says and where that is written: its own entry under `takes`, else the shot's."""
        entries = self.raw.get("takes")
        if isinstance(entries, list) and take <= len(entries):
            entry = entries[take - 1]
            if entry is not None and "prompt" in entry:
                return str(entry["prompt"] or ""), (*self.path, "takes", take - 1, "prompt")
        return self.prompt, self.prompt_path


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """A scene with its shots, as the file gives them."""

    raw: SceneValues
    path: Path
    shots: tuple[ShotSpec, ...] = ()


def length_of(values: ShotValues) -> float | None:
    """Return a length in seconds as it is written; None where there is none, or it follows the voice."""
    length = values.get("duration")
    return None if isinstance(length, str) else length


def with_ids(value: JSON) -> Iterator[tuple[SceneId, Mapping[str, JSON]]]:
    """Yield the scenes or shots of a list that have an id, by it; a file that is being written may hold anything."""
    for one in map(as_mapping, as_list(value)):
        ident = one.get("id")
        if isinstance(ident, int | str):
            yield ident, one


def reason(value: JSON) -> str:
    """Return why something is skipped, empty where it is not."""
    if value is True:
        return "skipped"
    return str(value).strip() if value else ""
