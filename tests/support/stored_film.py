"""A finished film whose files are in a store, with all the small copies that a farm's workers make of them."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiebatch.farm import StoreShelf
from kiebatch.media import Kind
from kiebatch.project import Opened
from kiebatch.record.store import open_store
from kiebatch.units import Context, LocalQueue, NoRows, Order, derive
from support import made_film

KINDS: tuple[Kind, ...] = ("thumb", "poster", "web", "peaks")


@dataclass(frozen=True)
class StoredFilm:
    root: Path
    store: Path

    def open(self) -> Opened:
        return made_film.open_(self.root)

    def without_files(self) -> StoredFilm:
        """Have the film as a colleague has it: its files are in the store alone, and nothing was made of them here."""
        for path in (self.root / "assets").glob("*/*"):
            path.unlink()
        return self

    def derived(self, kind: Kind) -> list[Path]:
        return sorted((self.store / "derived").glob(f"*-{kind}-*"))


def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StoredFilm:
    film = StoredFilm(folder / "lighthouse", folder / "store")
    made_film.make(film.root)
    shutil.copytree(_store(), film.store)
    manifest = film.root / "assets" / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**told, "store": film.store.as_uri()}), encoding="utf-8")
    monkeypatch.setenv("KIEBATCH_STORE", film.store.as_uri())
    return film


@functools.cache
def _store() -> Path:
    """Make the store once per session: the film's files have the same bytes in all its tests."""
    folder = Path(tempfile.mkdtemp(prefix="kiebatch-store-"))
    (folder / "store").mkdir()
    asyncio.run(_fill(made_film.make(folder / "film"), folder / "store"))
    return folder / "store"


async def _fill(opened: Opened, store: Path) -> None:
    shelf = StoreShelf(open_store(store.as_uri()), store.parent / "worker")
    queue = LocalQueue(Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread))
    for asset in opened.manifest.assets:
        await shelf.lend(f"sha256/{asset.sha256}", opened.workspace.asset_path(asset.filename))
        for kind in KINDS:
            unit = derive(asset.sha256 or "", asset.type, kind)
            if unit is not None:
                await queue.result(Order(unit=unit))
