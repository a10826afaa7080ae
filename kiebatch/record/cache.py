"""Puts and gets assets by name and sha256: in the assets folder, and in a `--cache` folder of results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files
from kiebatch.model import Asset
from kiebatch.record.journal import asset_from, asset_to


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored asset: what its manifest entry said, and its file in the store."""

    asset: Asset
    path: Path


class ResultCache:
    """A folder of results, addressed by fingerprint and take, that fills itself on every run.

    It may be shared: entries are written whole and never changed, and a result that someone already paid for
    is taken from here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _entry(self, fingerprint: str, take: int) -> Path:
        digest = fingerprint.removeprefix("sha256:")
        return self.folder / digest[:2] / f"{digest}-t{take}"

    def __contains__(self, key: object) -> bool:
        """Whether the result of a (fingerprint, take) pair is whole in the store."""
        if not isinstance(key, tuple) or len(key) != 2 or not key[0]:
            return False
        return (self._entry(str(key[0]), int(key[1])) / "entry.json").is_file()

    def get(self, fingerprint: str, take: int) -> list[Stored]:
        """Return a task's stored assets by output, or nothing when the store lacks one or it was altered."""
        folder = self._entry(fingerprint, take)
        try:
            entries = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        found = []
        for entry in entries:
            asset = asset_from(entry)
            path = folder / f"{asset.output}{Path(asset.filename).suffix}"
            if not path.is_file() or files.sha256(path) != asset.sha256:
                return []
            found.append(Stored(asset, path))
        return found

    def put(self, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        """Keep one task's assets; `paths` maps their `filename` to the file.  Drafts are not kept."""
        if not assets or not assets[0].fingerprint or any(a.draft for a in assets):
            return
        folder = self._entry(assets[0].fingerprint, assets[0].take)
        if (folder / "entry.json").exists():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for asset in assets:
                target = folder / f"{asset.output}{Path(asset.filename).suffix}"
                shutil.copyfile(paths[asset.filename], target)
        except OSError as error:
            raise files.unwritable(folder, error) from None
        files.replace(
            folder / "entry.json",
            json.dumps([asset_to(a) for a in assets], indent=2, ensure_ascii=False) + "\n",
        )
