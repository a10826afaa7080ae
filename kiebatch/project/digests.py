"""Digests of files, remembered in the journal by size, time and inode."""

from __future__ import annotations

import re
import time
from pathlib import Path

from kiebatch import files
from kiebatch.record import Journal


class Digests:
    """The sha256 of files, remembered by size, time and inode, so that a plan reads only what changed."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._known = journal.notebook.digests() if journal else {}
        self._new: dict[str, tuple[int, int, int, str]] = {}

    def __call__(self, path: Path) -> str:
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        key = str(path)
        known = self._known.get(key)
        if known and known[:3] == stamp:
            return known[3]
        if files.is_lfs_pointer(path):
            return _pointed_at(path)
        digest = files.sha256(path)
        # A file of this very second may change again without its time changing.
        if time.time_ns() - stat.st_mtime_ns > 2_000_000_000:
            self._new[key] = (*stamp, digest)
        return digest

    def remember(self) -> None:
        """Keep what was computed for the next time."""
        if self._journal:
            self._journal.notebook.remember_digests(self._new)
        self._new = {}


def _pointed_at(path: Path) -> str:
    """Return the digest of the content that a Git LFS pointer stands for."""
    match = re.search(r"(?m)^oid sha256:([0-9a-f]{64})$", path.read_text(encoding="ascii", errors="replace"))
    return match.group(1) if match else ""
