"""Books starts and reads in one SQLite file per account, so that all processes of a machine share its limits."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from kiebatch import files
from kiebatch.provider.booked_gate import BookedGate
from kiebatch.provider.booking import Page, Row
from kiebatch.provider.gate import Kind
from kiebatch.provider.share import Share

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS starts (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, sent_at REAL NOT NULL, answered_at REAL,
  probe INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS starts_sent_at ON starts (kind, sent_at);
CREATE TABLE IF NOT EXISTS shares (
  kind TEXT PRIMARY KEY, starts INTEGER NOT NULL, probe_after REAL NOT NULL, hold_s REAL NOT NULL,
  before_s REAL NOT NULL, refused_at REAL NOT NULL, paused_until REAL NOT NULL, strikes INTEGER NOT NULL
);
"""
_FORGOTTEN_S = 86400.0


class SqliteGate(BookedGate):
    """The limits of one account, as `Gate` says.  `path` `:memory:` keeps them in this process alone.

    `reads_path` is the book of the key's reads, where it is not that of the account.  `now` is the wall clock, the
    one that processes share.  `shared` is False where a file cannot be used and the gate counts for this process alone.
    """

    def __init__(
        self,
        path: Path | str,
        reads_path: Path | str | None = None,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        starts = _File(path)
        reads = starts if reads_path in (None, path) else _File(reads_path or path)
        self._files = (starts, reads)
        super().__init__(
            {"submit": _Book(starts, "submit", now), "read": _Book(reads, "read", now)}, sleep=sleep, rng=rng
        )

    @property
    def shared(self) -> bool:
        return all(file.shared for file in self._files)


class _Book:
    """One kind of request in a file."""

    def __init__(self, file: _File, kind: Kind, now: Callable[[], float]) -> None:
        self._file = file
        self._kind = kind
        self._now = now

    async def transact(self, work: Callable[[Page], T]) -> T:
        return self._file.transact(lambda db: work(_Page(db, self._kind, self._now())))

    def close(self) -> None:
        self._file.close()


class _File:
    """One SQLite file, or memory from the day that the file fails.

    A full disk or a folder that went away must not stop a run: the limits then hold for this process alone.
    """

    def __init__(self, path: Path | str) -> None:
        self.shared = path != ":memory:"
        self._db = self._open(path)

    def _open(self, path: Path | str) -> sqlite3.Connection:
        if self.shared:
            for _ in range(2):
                try:
                    files.own_folder(Path(path).parent)
                    files.private_file(Path(path))
                    db = _connect(path)
                    _tidy(Path(path))
                    return db
                except sqlite3.DatabaseError as error:
                    if isinstance(error, sqlite3.OperationalError):
                        break
                    Path(path).unlink(missing_ok=True)  # damaged; it held nothing but the last seconds
                except OSError:
                    break
            self.shared = False
        return _connect(":memory:")

    def close(self) -> None:
        self._db.close()

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work on the book, whole or not at all."""
        try:
            return self._attempt(work)
        except sqlite3.Error:
            if not self.shared:
                raise
        self._db.close()
        self._db, self.shared = _connect(":memory:"), False
        return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            found = work(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        return found


def _connect(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = TRUNCATE")  # as fast here as WAL, and fit for network folders
        db.execute("PRAGMA synchronous = OFF")  # what a power cut loses here is a few seconds of bookings
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _tidy(mine: Path) -> None:
    """Remove the books of accounts that nobody used for a day; every draft has one of its own."""
    for other in mine.parent.glob("account-*.sqlite3"):
        with contextlib.suppress(OSError):
            if other != mine and time.time() - other.stat().st_mtime > _FORGOTTEN_S:
                other.unlink()


class _Page:
    """One kind's places in a file, within a transaction; see `booking.Page`."""

    def __init__(self, db: sqlite3.Connection, kind: Kind, now: float) -> None:
        self.now = now
        self._db = db
        self._kind = kind

    def rows(self, limit: int) -> list[Row]:
        return self._db.execute(
            "SELECT id, sent_at, answered_at, probe, refused FROM starts WHERE kind = ?"
            " ORDER BY sent_at DESC LIMIT ?",
            (self._kind, limit),
        ).fetchall()

    def share(self) -> Share | None:
        row = self._db.execute(
            "SELECT starts, probe_after, hold_s, before_s, refused_at, paused_until, strikes "
            "FROM shares WHERE kind = ?",
            (self._kind,),
        ).fetchone()
        return None if row is None else Share(*row)

    def keep_share(self, learnt: Share) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._kind, *dataclasses.astuple(learnt)),
        )

    def add(self, at: float, *, probe: bool) -> int:
        cursor = self._db.execute(
            "INSERT INTO starts (kind, sent_at, probe) VALUES (?, ?, ?)", (self._kind, at, probe)
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def move(self, place: int, at: float, *, probe: bool) -> None:
        self._db.execute("UPDATE starts SET sent_at = ?, probe = ? WHERE id = ?", (at, probe, place))

    def remove(self, place: int) -> None:
        self._db.execute("DELETE FROM starts WHERE id = ?", (place,))

    def answered(self, place: int, at: float, *, refused: bool) -> None:
        self._db.execute("UPDATE starts SET answered_at = ?, refused = ? WHERE id = ?", (at, refused, place))

    def ours(self, window_s: float, *, pending: bool) -> int:
        unanswered = "OR answered_at IS NULL" if pending else ""
        found = self._db.execute(
            f"SELECT count(*) FROM starts WHERE kind = ? AND NOT refused AND sent_at BETWEEN ? AND ? "
            f"AND (answered_at > ? {unanswered})",
            (self._kind, self.now - 2 * window_s, self.now, self.now - window_s),
        )
        return int(found.fetchone()[0])

    def newest(self) -> float | None:
        found: float | None = self._db.execute(
            "SELECT max(sent_at) FROM starts WHERE kind = ?", (self._kind,)
        ).fetchone()[0]
        return found

    def forget(self, before: float, beyond: float) -> None:
        self._db.execute("DELETE FROM starts WHERE kind = ? AND sent_at < ?", (self._kind, before))
        self._db.execute(
            "UPDATE starts SET sent_at = ? WHERE kind = ? AND sent_at > ?", (self.now, self._kind, beyond)
        )
