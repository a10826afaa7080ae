"""The shelf of a farm: the team's store of results, with a small part of it on this machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from kiebatch import files
from kiebatch.record import Offload
from kiebatch.record.store import Results, layout
from kiebatch.units import Unit

KEPT = 32  # files that a machine keeps for the units that come next: a clip has a thumbnail, a poster, a web copy


class StoreShelf:
    """Bytes by digest and what is made from them, in the team's store.  `folder` is this machine's own."""

    def __init__(
        self, results: Results, folder: Path, offload: Offload = asyncio.to_thread, *, kept: int = KEPT
    ) -> None:
        """`kept` files stay on this machine: more than the units at work read."""
        self._results = results
        self._most = kept
        self._folder = folder
        self._offload = offload
        self._elsewhere: dict[str, Path] = {}
        self._bringing: dict[str, asyncio.Future[Path | None]] = {}

    def point(self, name: str, path: Path) -> None:
        self._elsewhere[name] = path

    def scratch(self, unit: Unit) -> Path:
        files.private_folder(self._folder)
        return self._folder / f"{unit.key}.part"

    async def lend(self, name: str, path: Path) -> None:
        self.point(name, path)
        await self._offload(self._store, name, path)

    async def take(self, unit: Unit, name: str) -> Path | None:
        """Bring the bytes here, whoever made them."""
        target = self.scratch(unit)
        return target if await self._offload(self._take, name, target) else None

    async def get(self, name: str) -> Path | None:
        path = self._elsewhere.get(name)
        if path is not None:
            return path if path.is_file() else None
        if name not in self._bringing:
            self._bringing[name] = asyncio.ensure_future(self._offload(self._bring, name))
        try:
            return await asyncio.shield(self._bringing[name])
        finally:
            self._bringing.pop(name, None)

    async def put(self, name: str, path: Path) -> None:
        await self._offload(self._keep, name, path)

    # -- in a thread

    def _bring(self, name: str) -> Path | None:
        here = self._here(name)
        if here.is_file():
            os.utime(here)
            return here
        part = here.with_name(f"{here.name}.{os.getpid()}.part")
        if not self._fetched(name, part):
            return None
        os.replace(part, here)
        self._make_room()
        return here

    def _take(self, name: str, target: Path) -> bool:
        # Not by way of what is kept: of many that come at once, the first would make room for the last.
        try:
            os.replace(self._here(name), target)
        except FileNotFoundError:
            return self._fetched(name, target)
        return True

    def _fetched(self, name: str, target: Path) -> bool:
        """Bring bytes from the store, whole and checked, or not at all."""
        if self._results.objects.fetch(_stored(name), target) and _is(name, target):
            return True
        target.unlink(missing_ok=True)
        return False

    def _store(self, name: str, path: Path) -> None:
        stored, shelf = _stored(name), self._results.objects
        if shelf.size(stored) != path.stat().st_size:  # the same bytes, or a file that was cut off
            shelf.put(stored, path)

    def _keep(self, name: str, path: Path) -> None:
        self._store(name, path)
        os.replace(path, self._here(name))
        self._make_room()

    def _here(self, name: str) -> Path:
        files.private_folder(self._folder / "kept")
        return self._folder / "kept" / name.replace("/", "-")

    def _make_room(self) -> None:
        kept = sorted((self._folder / "kept").iterdir(), key=_age)
        for path in kept[: -self._most]:
            path.unlink(missing_ok=True)


def _is(name: str, path: Path) -> bool:
    """Whether a file has the bytes that its name vouches for."""
    return not name.startswith("sha256/") or files.sha256(path) == name.removeprefix("sha256/")


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _stored(name: str) -> str:
    """Return where a name of the shelf lies in the store."""
    folder, _, rest = name.rpartition("/")
    if folder == "sha256":
        return layout.blob(rest)
    if folder == "derived":
        return layout.derived(rest.partition("-")[0], rest)
    return f"segments/{name}"
