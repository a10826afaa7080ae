"""Groups assets into lines of versions and into slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kiebatch.model import Asset, Slot
from kiebatch.record.manifest.keys import place, sort_key

# --- lines of versions, and mending them ---------------------------------------------------------------


def lines(assets: Iterable[Asset]) -> list[tuple[Asset, ...]]:
    """Return the lines of versions: entries joined by `superseded_by`, each line from old to new.

    The outputs of one task stand side by side in one line when they superseded, or were superseded by, the
    same version.
    """
    by_id = {asset.id: asset for asset in assets}
    ends: dict[str, str] = {}

    def end(id: str) -> str:
        seen = []
        while id not in ends:
            seen.append(id)
            link = by_id[id].superseded_by
            ends[id] = id  # also what ends a loop
            if link is None or link not in by_id:
                break
            id = link
        found = ends[id]
        while ends[found] != found:
            found = ends[found]
        for each in seen:
            ends[each] = found
        return found

    grouped: dict[str, list[Asset]] = {}
    for id, asset in by_id.items():
        grouped.setdefault(end(id), []).append(asset)
    return [_oldest_first(line) for line in grouped.values()]


def slots(assets: Sequence[Asset]) -> dict[Slot, tuple[Asset, ...]]:
    """Return all versions by slot, in the record's order, each from old to new.

    A take whose current assets are of several models has one slot for each; else its slot names no model,
    whatever models came before.  An entry without a scene is a slot of its own, named by its file.
    """
    takes: dict[tuple[str | None, str | None, int], list[Asset]] = {}
    result: dict[Slot, tuple[Asset, ...]] = {}
    for asset in assets:
        if asset.scene_id is None:
            result[Slot(asset.filename)] = (asset,)
        else:
            takes.setdefault(place(asset), []).append(asset)
    for found in takes.values():
        result |= _of_take(found)
    return result


def _of_take(found: Sequence[Asset]) -> dict[Slot, tuple[Asset, ...]]:
    """Return the slots of all versions of one take."""
    first = found[0]
    assert first.scene_id is not None
    slot = Slot(first.scene_id, first.shot, None, first.take)
    if len(found) == 1:
        return {slot: tuple(found)}
    if len({asset.model for asset in found if asset.current}) <= 1:
        return {slot: _oldest_first(found)}
    by_model: dict[str, list[Asset]] = {}
    for line in lines(found):
        by_model.setdefault(line[-1].model, []).extend(line)
    return {replace(slot, model=model): _oldest_first(versions) for model, versions in by_model.items()}


def _oldest_first(assets: Iterable[Asset]) -> tuple[Asset, ...]:
    return tuple(sorted(assets, key=lambda a: (a.version, a.output, sort_key(a))))
