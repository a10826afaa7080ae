"""Where a project's files lie: the scene file, the assets folder, the state folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kiebatch.errors import Invalid, Problem, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where one project's things lie.  Every path is absolute."""

    root: Path  # the project folder: the scene file's
    assets: Path
    state: Path  # journal, caches; never in git
    scene_file: Path | None = None
    draft: bool = False

    @property
    def manifest_path(self) -> Path:
        return self.assets / "manifest.json"

    @property
    def picks_path(self) -> Path:
        return self.assets / "picks.yaml"

    @property
    def notes_path(self) -> Path:
        return self.assets / "notes.yaml"

    @property
    def film(self) -> str:
        """The film's name within the project: its assets folder, which decisions and notes belong to."""
        return Path(os.path.relpath(self.assets, self.root)).as_posix()

    @property
    def journal_path(self) -> Path:
        return self.state / "journal.sqlite"

    def asset_path(self, filename: str) -> Path:
        """Return where an entry's `filename` lies: relative to the parent folder of the assets folder.

        Entries are text from a file that others edit, so a name that leaves that folder is refused.
        """
        base = self.assets.parent
        target = Path(os.path.normpath(base / filename))
        if Path(filename).is_absolute() or not target.is_relative_to(base):
            raise Invalid(
                [
                    Problem(
                        where=Where(str(self.manifest_path)),
                        message=f"an entry's file `{filename}` lies outside the project",
                    )
                ]
            )
        return target

    def name_of(self, path: Path) -> str:
        """Return how the manifest writes a path inside the parent folder of the assets folder."""
        return path.relative_to(self.assets.parent).as_posix()
