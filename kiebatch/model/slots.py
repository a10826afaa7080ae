"""The identity of one wanted thing, and how it is written and chosen."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

from kiebatch._dataclass import dataclass

SceneId = int | str

ShotId = int | str | None


def natural(text: object) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts 2 before 10 and 12 before 12A."""
    parts = re.findall(r"\d{1,18}|\D+", "" if text is None else str(text))
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)


@dataclass(frozen=True, slots=True)
class Slot:
    """The identity of one wanted thing.

    `shot` is None where the scene itself is the one shot.  `model` is set only where the shot asks for
    several models: a shot with one model is one line of versions, whatever that model was.
    """

    scene: SceneId
    shot: ShotId = None
    model: str | None = None
    take: int = 1

    def __str__(self) -> str:
        """Return the written form: `2b`, `2b#3`, `2b@kling-3.0/video`, `2.vo`, `intro.b`, `2.1`."""
        text = self.shot_name
        if self.model:
            text += f"@{self.model}"
        return f"{text}#{self.take}" if self.take > 1 else text

    @property
    def shot_name(self) -> str:
        """The written form without model and take."""
        scene = str(self.scene)
        if self.shot is None:
            return scene
        shot = str(self.shot)
        joined = len(shot) == 1 and shot.isalpha() and scene[-1:].isdecimal()
        return f"{scene}{shot}" if joined else f"{scene}.{shot}"

    @property
    def sort_key(self) -> tuple[object, ...]:
        return (natural(self.scene), natural(self.shot), self.model or "", self.take)


def parse_slot(text: str, known: Iterable[Slot]) -> list[Slot]:
    """Return the slots among `known` that `text` names, in their order; a shot's name means all of it.

    `2b` names every take and model of shot b, `2b#3` one take, `2b@MODEL` one model's takes, `2` a whole scene.
    """
    base, _, take = text.partition("#")
    base, _, model = base.partition("@")
    found = []
    for slot in known:
        if base not in (slot.shot_name, str(slot.scene)):
            continue
        if model and slot.model != model:
            continue
        if take and str(slot.take) != take:
            continue
        found.append(slot)
    exact = [slot for slot in found if slot.shot_name == base]
    return exact or found


def selects(selector: str, slot: Slot, model: str, scenes: Sequence[SceneId]) -> bool:
    """Whether `2`, `2b`, `2b#3`, `2b@MODEL`, `2-5` or `model:kling*` names a slot that `model` makes.

    `scenes` are the ids of the film's scenes in their order: `2-5` means the scenes between those two.
    """
    if selector.startswith("model:"):
        return fnmatch.fnmatch(model, selector[6:])
    of_model = f"{slot.shot_name}@{slot.model or model}"
    named = (str(slot), str(slot.scene), slot.shot_name, f"{slot.shot_name}#{slot.take}")
    if selector in (*named, of_model, f"{of_model}#{slot.take}"):
        return True
    between = re.fullmatch(r"([^-]+)-([^-]+)", selector)
    return between is not None and _between(slot.scene, between[1], between[2], scenes)


def _between(scene: SceneId, low: str, high: str, scenes: Sequence[SceneId]) -> bool:
    ids = [str(s) for s in scenes]
    if low in ids and high in ids:
        return ids.index(low) <= ids.index(str(scene)) <= ids.index(high)
    return low.isdecimal() and high.isdecimal() and natural(low) <= natural(scene) <= natural(high)
