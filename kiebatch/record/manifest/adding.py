"""Adds assets to a manifest: a newer asset supersedes the older one of its slot."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Unpack

from kiebatch.model import JSON, Asset
from kiebatch.record.manifest.ids import free_id, id_prefix, mentioned
from kiebatch.record.manifest.keys import Changes, revised, sort_key
from kiebatch.record.manifest.manifest import Manifest

# --- adding --------------------------------------------------------------------------------------------


def version_after(replaces: Iterable[Asset]) -> int:
    """Return the version that an asset gets which takes the place of these; 1 for none."""
    return max((asset.version for asset in replaces), default=0) + 1


def record(
    manifest: Manifest, new: Sequence[Asset], replaces: Sequence[Asset] = ()
) -> tuple[Manifest, tuple[Asset, ...]]:
    """Enter the outputs of one finished task; return the new record and the new entries as it has them.

    Ids (the next free number of the type) and versions (one more than the newest of `replaces`) are given
    here, whatever `new` says.  Each of `replaces` is superseded by the new asset of the same output number,
    an output that has no successor by the first new one.  A `replaces` that the record lacks is an error.
    """
    keys, assets, texts = list(manifest._keys), list(manifest.assets), list(manifest._texts)
    counts = dict(manifest._counts)
    taken: set[str] | None = None
    version = version_after(replaces)
    entered = []
    for asset in new:
        prefix = id_prefix(asset.type)
        if prefix in counts or not any(a.id.startswith(f"{prefix}-") for a in manifest.assets):
            counts[prefix] = counts.get(prefix, 0) + 1
            id = f"{prefix}-{counts[prefix]:03d}"
        else:
            taken = taken if taken is not None else mentioned(manifest.assets)
            id = free_id(prefix, taken)
            taken.add(id)
        entered.append(revised(asset, id=id, version=version, superseded_by=None))
    successors = {asset.output: asset for asset in reversed(entered)}
    for old in replaces if entered else ():
        index = _find(manifest, old)
        successor = successors.get(old.output, entered[0])
        assets[index] = revised(assets[index], superseded_by=successor.id)
        texts[index] = None
    for asset in entered:
        key = sort_key(asset)
        index = bisect_left(keys, key)
        keys.insert(index, key)
        assets.insert(index, asset)
        texts.insert(index, None)
    result = replace(manifest, assets=tuple(assets))
    vars(result).update(_keys=keys, _texts=texts, _counts=counts)
    return result, tuple(entered)


def changed(manifest: Manifest, old: Asset, **changes: Unpack[Changes]) -> Manifest:
    """Return the record with facts of one entry changed (`fingerprint` by accept, `scene_id` by a move)."""
    index = _find(manifest, old)
    assets = [*manifest.assets[:index], *manifest.assets[index + 1 :]]
    insort(assets, revised(manifest.assets[index], **changes), key=sort_key)
    return replace(manifest, assets=tuple(assets))


def annotated(manifest: Manifest, old: Asset, key: str, value: JSON) -> Manifest:
    """Return the record with one more key of an entry, in `Asset.extra`.  The others stay as they are written."""
    index = _find(manifest, old)
    assets, texts = list(manifest.assets), list(manifest._texts)
    assets[index] = replace(assets[index], extra={**assets[index].extra, key: value})
    texts[index] = None
    result = replace(manifest, assets=tuple(assets))
    vars(result).update(_keys=manifest._keys, _texts=texts, _counts=manifest._counts)
    return result


def _find(manifest: Manifest, asset: Asset) -> int:
    index = bisect_left(manifest._keys, sort_key(asset))
    if index < len(manifest.assets) and manifest.assets[index].id == asset.id:
        return index
    for index, other in enumerate(manifest.assets):  # the caller's copy is from before a change of the entry
        if other.id == asset.id:
            return index
    raise ValueError(f"the manifest has no such entry: {asset.id}")
