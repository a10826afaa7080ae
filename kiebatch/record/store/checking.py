"""Compares a store with the manifest: does it have every file, and are the bytes those that were saved?"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kiebatch.model import Asset
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest
from kiebatch.record.store.results import AT_ONCE, Results
from kiebatch.record.verification import Damage


def check(
    recorded: Manifest,
    store: Results,
    *,
    share: float,
    rng: random.Random,
    done: Callable[[], object] = lambda: None,
) -> list[Damage]:
    """Return what the store lacks, by sizes, and what is damaged in a random share of its files, by their bytes.

    `share` is from 0 to 1: those files are brought here and dropped again.  `done` is called after each file.
    """
    slots = {a.id: str(slot) for slot, line in manifest.slots(recorded.assets).items() for a in line}
    wanted = [a for a in recorded.assets if a.sha256 and not a.draft]
    sampled = {a.id for a in rng.sample(wanted, _count(share, len(wanted)))}

    def look(asset: Asset) -> Damage | None:
        message = _wrong(store, asset, read=asset.id in sampled)
        done()
        if not message:
            return None
        return Damage(
            kind="unstored", slot=slots[asset.id], asset=asset.id, file=asset.filename, message=message
        )

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return [damage for damage in pool.map(look, wanted) if damage is not None]


def _count(share: float, files: int) -> int:
    """Return how many files a share is: at least one of any, unless it is none."""
    return min(files, max(1, round(share * files))) if share > 0 else 0


def _wrong(store: Results, asset: Asset, *, read: bool) -> str:
    if not store.holds(asset):
        return f"{asset.filename} is not in the store, or has another size there"
    if not read:
        return ""
    with tempfile.TemporaryDirectory(prefix="kiebatch-") as folder:
        whole = store.fetch(asset, Path(folder) / "file")
    return "" if whole else f"{asset.filename} has other bytes in the store than those that were saved"
