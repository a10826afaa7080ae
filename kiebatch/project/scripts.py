"""A project's script on the disk: the draft that it was made from, and the one before it."""

from __future__ import annotations

import re
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.git import Repository
from kiebatch.scenefile import screenplay, screenplay_update
from kiebatch.scenefile.screenplay import Script
from kiebatch.scenefile.screenplay_update import Update


def read(path: Path) -> Script:
    """Return the script that a file holds; `Invalid` with the places where it cannot be read."""
    if not path.is_file():
        raise Invalid(f"there is no file {files.shown(path)}")
    return screenplay.read(path, files.read_text(path))


def kept(folder: Path, source: Path) -> Path:
    """Return where a project keeps the draft it was made from: `script.fountain` beside its scene file."""
    return folder / f"script{source.suffix.lower()}"


def before(folder: Path, source: Path) -> Script | None:
    """Return the draft that the project had before `source`; None where nobody knows.

    A writer who edits the project's own copy has the draft before in git.
    """
    own = kept(folder, source)
    if not own.is_file():
        return None
    if own.resolve() != source.resolve():
        return read(own)
    repository = Repository.around(folder)
    name = repository.name_of(own) if repository else None
    commit = repository.commit("HEAD") if repository else None
    found = repository.read(commit, name) if repository and commit and name else None
    return screenplay.read(own, found.decode("utf-8", "replace")) if found else None


def update(scene_file: Path, source: Path) -> tuple[Update, list[str]]:
    """Return the scene file with the next draft in it, and who speaks in that for the first time.  Writes nothing."""
    script = read(source)
    changed = screenplay_update.update(
        scene_file.read_bytes().decode("utf-8"),
        files.shown(scene_file),
        script,
        before(scene_file.parent, source),
    )
    known = changed.text.lower()
    strangers = [
        key
        for key, _ in screenplay.cast(script)
        if not re.search(rf"^  {re.escape(key.lower())}\s*:", known, re.M)
    ]
    return changed, strangers
