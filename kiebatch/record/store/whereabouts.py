"""Where an asset's file is, by what is written here: in the store, although it is not on this disk.

A manifest that names a store says of all its entries that their files are there.  What was seen to be otherwise on this
machine is written in a file of the state folder: results that the store did not take, files that it did not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from kiebatch import files
from kiebatch.model import Asset
from kiebatch.record.manifest.manifest import Manifest

NAME = "store.jsonl"


class Whereabouts:
    """What is known of one manifest's files without asking the store."""

    def __init__(self, manifest: Manifest, state: Path) -> None:
        self._store = manifest.store
        self._path = state / NAME
        self._absent = _absent(self._path)

    @property
    def store(self) -> str | None:
        """The store that the manifest names."""
        return self._store

    def remote(self, asset: Asset) -> bool:
        """Whether an asset's file, where it is not here, is in the store that the manifest names."""
        return bool(self._store) and bool(asset.sha256) and not asset.draft and not self.absent(asset)

    def absent(self, asset: Asset) -> bool:
        """Whether the store was seen to lack an asset's file."""
        return asset.sha256 in self._absent

    def note(self, digests: Iterable[str], *, there: bool) -> None:
        """Write down that the store has the bytes of these digests, or lacks them."""
        changed = [digest for digest in digests if (digest in self._absent) is there]
        if not changed:
            return
        files.state_folder(self._path.parent)
        with self._path.open("a", encoding="utf-8") as stream:
            # Each line begins with the line break, so that one that was cut off does not spoil the next.
            stream.writelines("\n" + json.dumps({"sha256": digest, "there": there}) for digest in changed)
        self._absent ^= set(changed)


def _absent(path: Path) -> set[str]:
    found: set[str] = set()
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        digest, there = _line(line)
        if there:
            found.discard(digest)
        else:
            found.add(digest)
    return found - {""}


def _line(text: str) -> tuple[str, bool]:
    """Return what one line says; nothing for a line that a run was killed in."""
    try:
        value = json.loads(text)
        return str(value["sha256"]), bool(value["there"])
    except (ValueError, KeyError, TypeError):
        return "", False
