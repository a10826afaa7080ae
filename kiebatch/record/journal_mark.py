"""`journal.mark`: a small file beside the journal that says which journal it was and how far it had come.

A journal that was deleted, emptied, or taken back to an earlier copy looks like a fresh one, and a run would pay
again for what is in flight.  The mark tells them apart.  Without a mark and without a journal it is a fresh clone.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from kiebatch import files
from kiebatch._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """The identity of a journal, and its highest attempt at some time: a lower bound."""

    journal: str
    attempts: int
    written_at: float = 0.0  # seconds since the epoch


def path_of(journal: Path) -> Path:
    return journal.with_suffix(".mark")


def read(journal: Path) -> Mark | None:
    """Return the mark beside a journal; None where there is none or it cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path_of(journal).read_text(encoding="utf-8"))
        return Mark(str(found["journal"]), int(found["attempts"]), float(found.get("written_at", 0.0)))
    return None


def write(journal: Path, mark: Mark) -> None:
    text = json.dumps(
        {"journal": mark.journal, "attempts": mark.attempts, "written_at": round(mark.written_at, 3)}
    )
    files.replace(path_of(journal), text + "\n")
