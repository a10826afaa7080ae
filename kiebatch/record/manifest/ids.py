"""Asset ids: gapless for each type, unique after a merge."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kiebatch.model import Asset
from kiebatch.record.manifest.keys import revised, sort_key

PREFIXES: Mapping[str, str] = {"image": "img", "video": "vid", "audio": "aud", "text": "txt"}


def id_prefix(type: str) -> str:
    return PREFIXES.get(type) or re.sub(r"[^a-z]", "", type.lower())[:3] or "ast"


def gapless(assets: Iterable[Asset]) -> dict[str, int]:
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for asset in assets:
        prefix, dash, number = asset.id.partition("-")
        if dash:
            numbers[prefix].add(number)
    return {
        prefix: len(found)
        for prefix, found in numbers.items()
        if all(f"{n:03d}" in found for n in range(1, len(found) + 1))
    }


def mentioned(assets: Iterable[Asset]) -> set[str]:
    """Every id that is in use or that some link still names: a new entry must not become its target."""
    found: set[str] = set()
    for asset in assets:
        found.add(asset.id)
        found.update(asset.made_from)
        if asset.superseded_by:
            found.add(asset.superseded_by)
    return found


def free_id(prefix: str, taken: set[str]) -> str:
    number = 1
    while f"{prefix}-{number:03d}" in taken:
        number += 1
    return f"{prefix}-{number:03d}"


def _numbers(assets: Iterable[Asset]) -> dict[str, set[int]]:
    """Return the numbers of the ids of our form, by prefix."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for asset in assets:
        prefix, _, number = asset.id.rpartition("-")
        if prefix and number.isascii() and number.isdecimal() and asset.id == f"{prefix}-{int(number):03d}":
            found[prefix].add(int(number))
    return found


def renumbered(assets: Sequence[Asset]) -> tuple[tuple[Asset, ...], dict[str, str]]:
    """Return the entries with gapless ids per type, and the new id of each that changed.

    As few as possible change: the highest numbers move into the gaps.  Links inside the record follow.  Ids that
    are not of our form stay.
    """
    names: dict[str, str] = {}
    for prefix, numbers in _numbers(assets).items():
        gaps = [number for number in range(1, len(numbers) + 1) if number not in numbers]
        high = sorted(number for number in numbers if number > len(numbers))
        names |= {f"{prefix}-{old:03d}": f"{prefix}-{new:03d}" for old, new in zip(high, gaps, strict=True)}
    if not names:
        return tuple(assets), {}
    moved = [
        revised(
            asset,
            id=names.get(asset.id, asset.id),
            superseded_by=names.get(asset.superseded_by or "", asset.superseded_by),
            made_from=tuple(names.get(id, id) for id in asset.made_from),
        )
        for asset in assets
    ]
    return tuple(sorted(moved, key=sort_key)), names
