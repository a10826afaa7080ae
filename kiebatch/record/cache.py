"""A shared folder of paid results (`--cache`): bytes by their digest, entries by what was paid for.

    blobs/1f/1f3a…            the bytes, named by their sha256
    entries/9c/9c2e…-t1-n1.json   one finished task: content (fingerprint), take and twin

An entry is created once, after its bytes, in one step: of two processes that finish the same job the first one wins.
An entry that cannot be used counts as absent, and the next result replaces it.  The folder of version 0.1 (one folder
a result) is read, and never written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from kiebatch import files
from kiebatch.model import JSON, Asset
from kiebatch.record.journal import asset_to
from kiebatch.record.ledger import Key

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored asset: what its manifest entry said, and its file in the store."""

    asset: Asset
    path: Path


class ResultCache:
    """Results that were paid for, here or elsewhere; a run fills it and takes from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: Key) -> bool:
        """Whether a key's result is there, by its entry and the sizes of its files."""
        return bool(self._listed(key))

    def digests(self, key: Key) -> Mapping[int, str]:
        """Return output number -> sha256 of a stored result; nothing where it is not whole."""
        return {stored.asset.output: stored.asset.sha256 or "" for stored in self._listed(key)}

    def get(self, key: Key) -> list[Stored]:
        """Return a task's stored assets by output, their bytes checked; nothing where one of them is damaged."""
        found = self._listed(key)
        return found if all(_intact(stored) for stored in found) else []

    def put(self, key: Key, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        """Keep one task's assets; `paths` maps their `filename` to the file.  Drafts are not kept.

        A whole entry that is there already stays; one that cannot be used is replaced.
        """
        if not assets or any(a.draft or not a.sha256 for a in assets) or self.get(key):
            return
        try:
            for asset in assets:
                self._put_blob(paths[asset.filename], asset.sha256 or "")
            text = json.dumps(
                {"kiebatch-result": 1, "outputs": [asset_to(a) for a in assets]}, indent=2, ensure_ascii=False
            )
            self._put_entry(self._entry(key), text + "\n", key)
        except OSError as error:
            raise files.unwritable(self.folder, error) from None

    # -- reading

    def _listed(self, key: Key) -> list[Stored]:
        found = self._read(self._entry(key), lambda asset: self._blob(asset.sha256 or ""))
        if not found and key.twin == 1:
            old = self._old_folder(key)
            found = self._read(
                old / "entry.json", lambda asset: old / f"{asset.output}{Path(asset.filename).suffix}"
            )
        return found

    def _read(self, entry: Path, path_of: Callable[[Asset], Path]) -> list[Stored]:
        try:
            value = json.loads(entry.read_text(encoding="utf-8"))
            outputs = value["outputs"] if isinstance(value, dict) else value
            found = [Stored(asset, path_of(asset)) for asset in map(_asset, outputs)]
            if all(stored.path.stat().st_size == (stored.asset.bytes or 0) for stored in found):
                return found
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return []

    # -- writing

    def _put_blob(self, source: Path, sha256: str) -> None:
        target = self._blob(sha256)
        if target.is_file() and files.sha256(target) == sha256:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(target) as temporary:
            shutil.copyfile(source, temporary)
            if files.sha256(temporary) != sha256:
                raise OSError(f"{files.shown(source)} is not what the manifest says of it")
            os.replace(temporary, target)

    def _put_entry(self, target: Path, text: str, key: Key) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
            try:
                os.link(temporary, target)
            except FileExistsError:
                if not self.get(key):  # damaged: nobody could use it
                    os.replace(temporary, target)
            except OSError:  # a file system without hard links
                if not target.exists() or not self.get(key):
                    os.replace(temporary, target)

    def _entry(self, key: Key) -> Path:
        digest = _digest(key)
        return self.folder / "entries" / digest[:2] / f"{digest}-t{key.take}-n{key.twin}.json"

    def _blob(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a digest")
        return self.folder / "blobs" / sha256[:2] / sha256

    def _old_folder(self, key: Key) -> Path:
        digest = _digest(key)
        return self.folder / digest[:2] / f"{digest}-t{key.take}"


def _digest(key: Key) -> str:
    digest = key.content.removeprefix("sha256:")
    return digest if _SHA256.fullmatch(digest) else "0" * 64


def _intact(stored: Stored) -> bool:
    with contextlib.suppress(OSError):
        return files.sha256(stored.path) == stored.asset.sha256
    return False


_KNOWN = {field.name for field in fields(Asset)}


def _asset(entry: Mapping[str, JSON]) -> Asset:
    """Return a stored asset.  Keys that a later version wrote are left out; KeyError or TypeError where it is none."""
    known = {name: value for name, value in entry.items() if name in _KNOWN}
    asset = Asset(**{**known, "made_from": tuple(known.get("made_from") or ())})
    if not isinstance(asset.output, int) or not isinstance(asset.filename, str) or "\0" in asset.filename:
        raise TypeError("not an asset")
    if not isinstance(asset.sha256, str) or not _SHA256.fullmatch(asset.sha256):
        raise TypeError("not an asset")
    return asset


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:32]}.", dir=target.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
