"""The shelf of one machine: a folder, and the files elsewhere that somebody pointed at."""

from __future__ import annotations

import os
from pathlib import Path

from kiebatch import files
from kiebatch.units.unit import Unit


class Folder:
    """Made files by their names in one folder; what was fetched stays where it grew, for whoever takes it."""

    def __init__(self, folder: Path, *, ending: str = ".part") -> None:
        self._folder = folder
        self._ending = ending
        self._elsewhere: dict[str, Path] = {}

    def point(self, name: str, path: Path) -> None:
        self._elsewhere[name] = path

    def scratch(self, unit: Unit) -> Path:
        files.private_folder(self._folder)
        return self._folder / f"{unit.key}{self._ending}"

    async def lend(self, name: str, path: Path) -> None:
        self.point(name, path)

    async def take(self, unit: Unit, name: str) -> Path | None:
        path = self.scratch(unit) if name.startswith("sha256/") else self._folder / name
        return path if path.is_file() else None

    async def get(self, name: str) -> Path | None:
        path = self._elsewhere.get(name, self._folder / name)
        return path if path.is_file() else None

    async def put(self, name: str, path: Path) -> None:
        if name.startswith("sha256/"):
            return
        target = self._folder / name
        files.private_folder(target.parent)
        os.replace(path, target)
