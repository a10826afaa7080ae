"""Where an asset's file is, by what is written here: in the store, although it is not on this disk.

A manifest that names a store says of all its entries that their files are there.  What was seen to be otherwise on this
machine is written in a file of the state folder: results that the store did not take, files that it did not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.model import JSON, Asset
from kiebatch.record.manifest.manifest import Manifest
from kiebatch.workspace import Workspace

NAME = "store.jsonl"
_SLACK = 2000  # lines that say nothing any more, before the file is written without them


class Whereabouts:
    """What is known of one manifest's files without asking the store."""

    def __init__(self, manifest: Manifest, state: Path) -> None:
        self._store = manifest.store
        self._path = state / NAME
        self._absent, self._damaged, self._lines = _read(self._path)

    @property
    def store(self) -> str | None:
        """The store that the manifest names."""
        return self._store

    def remote(self, asset: Asset) -> bool:
        """Whether an asset's file, where it is not here, is in the store that the manifest names."""
        return bool(self._store) and bool(asset.sha256) and not asset.draft and not self.absent(asset)

    def away(self, asset: Asset, workspace: Workspace) -> bool:
        """Whether nothing lies under an asset's name here, and the store has it."""
        if not self.remote(asset):
            return False
        try:
            return not files.is_there(workspace.asset_path(asset.filename))
        except Invalid:  # the name leads out of the project
            return False

    def absent(self, asset: Asset) -> bool:
        """Whether the store was seen to lack an asset's file."""
        return asset.sha256 in self._absent

    @property
    def damaged(self) -> frozenset[str]:
        """The digests under which a store or a cache was seen to have other bytes."""
        return frozenset(self._damaged)

    def distrust(self, digests: Iterable[str]) -> None:
        """Write down that a store or a cache has other bytes under these digests."""
        found = [digest for digest in digests if digest not in self._damaged]
        self._write([_noted(digest, there=False, damaged=True) for digest in found])
        self._absent |= set(found)
        self._damaged |= set(found)

    def note(self, digests: Iterable[str], *, there: bool) -> None:
        """Write down that the store has the bytes of these digests, or lacks them."""
        changed = [digest for digest in digests if (digest in self._absent) is there]
        self._write([_noted(digest, there=there) for digest in changed])
        self._absent ^= set(changed)
        if there:
            self._damaged -= set(changed)

    def _write(self, lines: Sequence[JSON]) -> None:
        if not lines:
            return
        files.state_folder(self._path.parent)
        # Whoever writes holds the lock, so that no line of another process is lost where the file is written whole.
        with files.lock(self._path.with_suffix(".lock"), wait=True, holder="what the store has"):
            try:
                if self._lines > len(self._absent) + _SLACK:
                    self._tidy()
                with self._path.open("a", encoding="utf-8") as stream:
                    # Each line begins with the line break, so that one that was cut off does not spoil the next.
                    stream.writelines("\n" + json.dumps(line) for line in lines)
            except OSError as error:
                raise files.unwritable(self._path, error) from None
        self._lines += len(lines)

    def _tidy(self) -> None:
        """Write the file without the lines that later ones have made untrue."""
        absent, damaged, _ = _read(self._path)
        told = (_noted(digest, there=False, damaged=digest in damaged) for digest in sorted(absent))
        files.replace(self._path, "".join("\n" + json.dumps(line) for line in told), private=True)
        self._lines = len(absent)


def _noted(digest: str, *, there: bool, damaged: bool = False) -> JSON:
    return {"sha256": digest, "there": there, **({"damaged": True} if damaged else {})}


def _read(path: Path) -> tuple[set[str], set[str], int]:
    """Return the digests that are noted as absent, of these the damaged ones, and the number of lines."""
    absent: set[str] = set()
    damaged: set[str] = set()
    try:
        lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line]
    except OSError:
        return absent, damaged, 0
    for line in lines:
        digest, there, is_damaged = _line(line)
        if there:
            absent.discard(digest)
            damaged.discard(digest)
        elif digest:
            absent.add(digest)
            damaged |= {digest} if is_damaged else set()
    return absent, damaged, len(lines)


def _line(text: str) -> tuple[str, bool, bool]:
    """Return what one line says; nothing for a line that a run was killed in."""
    try:
        value = json.loads(text)
        return str(value["sha256"]), bool(value["there"]), bool(value.get("damaged"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", False, False
