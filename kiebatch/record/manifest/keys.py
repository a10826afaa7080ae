"""The order of the entries of a manifest, and the keys that it is sorted by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypedDict, Unpack

from kiebatch.model import JSON, Asset, SceneId, ShotId, natural

NaturalKey = tuple[tuple[int, int, str], ...]
# Scene, shot, model, take, output, version, time, digest, file name, id.
SortKey = tuple[NaturalKey, NaturalKey, str, int, int, int, str, str, str, NaturalKey]
natural_key = lru_cache(maxsize=65536)(natural)


def text_or_none(part: object) -> str | None:
    return None if part is None else str(part)


def sort_key(asset: Asset) -> SortKey:
    return (
        natural_key(asset.scene_id),
        natural_key(asset.shot),
        asset.model,
        asset.take,
        asset.output,
        asset.version,
        asset.created_at,
        asset.sha256 or "",
        asset.filename,
        natural_key(asset.id),
    )


class Changes(TypedDict, total=False):
    """What of an entry may change after it was made."""

    id: str
    type: str
    filename: str
    prompt: str
    scene_id: SceneId | None
    shot: ShotId
    version: int
    superseded_by: str | None
    fingerprint: str | None
    made_from: tuple[str, ...]
    extra: Mapping[str, JSON]


def revised(asset: Asset, **changes: Unpack[Changes]) -> Asset:
    """Return an entry with other facts; what another tool wrote under the name of one of them goes."""
    kept = {key: value for key, value in asset.extra.items() if key not in changes}
    changes.setdefault("extra", kept)
    return replace(asset, **changes)


def birth(asset: Asset) -> tuple[JSON, ...]:
    """Return what stays the same when an entry is edited, moved or renumbered."""
    if asset.sha256:
        return (asset.created_at, asset.sha256, asset.task_id, asset.output)
    return (asset.created_at, asset.filename, asset.task_id, asset.output)


def place(asset: Asset) -> tuple[str | None, str | None, int]:
    return (text_or_none(asset.scene_id), text_or_none(asset.shot), asset.take)
