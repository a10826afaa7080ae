"""Removes what can be made again or is only a memory: run records, unfinished downloads, derivatives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files
from kiebatch.model import JSON
from kiebatch.project import attempts_of
from kiebatch.record import runs as records
from kiebatch.workspace import Workspace

# What lies in the state folder, by the name that a person reads.  The journal is not among it.
_KINDS = {"run records": "runs", "unfinished downloads": "parts", "derivatives": "derivatives"}


@dataclass(frozen=True, slots=True)
class Freed:
    """What was removed of one kind."""

    what: str
    files: int
    bytes: int

    def as_json(self) -> dict[str, JSON]:
        return {"what": self.what, "files": self.files, "bytes": self.bytes}


def clean(workspace: Workspace, before: float | None, *, dry_run: bool = False) -> list[Freed]:
    """Remove what was last changed before a moment (seconds since the epoch), all of it for None; return what went.

    A part of a task that is still open stays: its download goes on there.  `Refused` while a run is at work.
    """
    with files.lock(workspace.state / "run.lock", wait=False, holder="`kiebatch clean`"):
        found = [_freed(what, workspace, folder, before, dry_run=dry_run) for what, folder in _KINDS.items()]
        if not dry_run:
            _shorten_index(workspace.state / "runs")
    return found


def _freed(what: str, workspace: Workspace, folder: str, before: float | None, *, dry_run: bool) -> Freed:
    open_tasks = _open_tasks(workspace) if folder == "parts" else frozenset()
    count = size = 0
    for path in _files(workspace.state / folder):
        if path.name == records.INDEX or any(task in path.name for task in open_tasks):
            continue
        facts = path.stat()
        if before is not None and facts.st_mtime >= before:
            continue
        count, size = count + 1, size + facts.st_size
        if not dry_run:
            path.unlink(missing_ok=True)
    return Freed(what, count, size)


def _open_tasks(workspace: Workspace) -> frozenset[str]:
    return frozenset(a.task_id for a in attempts_of(workspace) if a.open and a.task_id)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _shorten_index(folder: Path) -> None:
    """Leave only those runs in the index whose records are there."""
    if not (folder / records.INDEX).exists():
        return
    kept = [run for run in records.all_runs(folder) if (folder / f"{run.id}.jsonl").exists()]
    with contextlib.suppress(OSError):
        files.replace(folder / records.INDEX, records.index_text(kept))
