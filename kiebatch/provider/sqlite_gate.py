"""Books starts and reads in one SQLite file per account, so that all processes of a machine share its limits.

Protocol 2.1: 20 submissions in any 10 s per account, the surplus refused and not queued; reads have a limit of
their own, per key.  A waiter books its place, sleeps until then, and confirms it: nobody polls, and a pause that began
meanwhile, or a machine that slept, moves it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from kiebatch import files
from kiebatch.model import Rate
from kiebatch.provider import quota, share
from kiebatch.provider.gate import Booking, Kind
from kiebatch.provider.quota import Start
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
# Nobody books further ahead; what lies beyond was written before the clock was set back.
_FARTHEST_S = 600.0
_KEPT = 2.1  # windows for which a start stays in the book: enough to know the usual round trip
_LOOK = (
    0.1  # of the time until an answer is late: how often to look for the answer to another process's probe
)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in the book: `at` may lie in the future; `look` says that an answer may move it forward."""

    id: int
    at: float
    probe: bool = False
    look: bool = False


class SqliteGate:
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
        self._now = now
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._turns: dict[Kind, asyncio.Lock] = {"submit": asyncio.Lock(), "read": asyncio.Lock()}
        self._news = asyncio.Event()
        self._tidied: dict[Kind, float] = {}
        starts = _Book(path)
        reads = starts if reads_path in (None, path) else _Book(reads_path or path)
        self._books: dict[Kind, _Book] = {"submit": starts, "read": reads}

    @property
    def shared(self) -> bool:
        return all(book.shared for book in self._books.values())

    def close(self) -> None:
        """Close the files."""
        for book in self._books.values():
            book.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def start(self, rate: Rate) -> Booking:
        """Return when one more submission may be sent, having booked it.  First come, first served."""
        return await self._pass("submit", rate)

    async def read(self, rate: Rate) -> Booking:
        """Return when one more status read may be sent, having booked it."""
        return await self._pass("read", rate)

    async def answered(self, booking: Booking, *, refused: bool, retry_after_s: float | None = None) -> None:
        """Note an answer; see `Gate.answered`."""
        now, rate, kind = self._now(), booking.rate, booking.kind
        work: Callable[[sqlite3.Connection], object]
        if kind == "read":
            if not refused:
                return

            def work(db: sqlite3.Connection) -> None:
                learnt = share.slower(_share(db, kind, rate, now), rate, now)
                _keep_share(db, kind, share.paused(learnt, retry_after_s, now, self._rng))

        elif refused:

            def work(db: sqlite3.Connection) -> None:
                db.execute("UPDATE starts SET answered_at = ?, refused = 1 WHERE id = ?", (now, booking.id))
                ours = _ours(db, now, rate.window_s, pending=True)
                learnt = share.refused(_share(db, kind, rate, now), ours, rate, booking.at, now)
                _keep_share(db, kind, share.paused(learnt, retry_after_s, now, self._rng))

        else:

            def work(db: sqlite3.Connection) -> None:
                db.execute("UPDATE starts SET answered_at = ? WHERE id = ?", (now, booking.id))
                believed = _share(db, kind, rate, now)
                learnt = share.accepted(believed, _ours(db, now, rate.window_s, pending=False))
                if learnt != believed:
                    _keep_share(db, kind, learnt)

        self._books[kind].transact(work)
        self._news.set()

    # One waiter of a process is in the book at a time, the others queue behind it in memory: so processes take
    # turns, and one that dies leaves a single place empty.
    async def _pass(self, kind: Kind, rate: Rate) -> Booking:
        async with self._turns[kind]:
            book = self._books[kind]
            self._news.clear()
            fresh = abs(self._now() - self._tidied.get(kind, 0.0)) > rate.window_s / 2
            if fresh:
                self._tidied[kind] = self._now()
            place = book.transact(lambda db: _book(db, kind, rate, self._now(), fresh=fresh))
            try:
                while (wait_s := place.at - self._now()) > 0:
                    await self._wait(wait_s, look=place.look)
                    self._news.clear()
                    place = book.transact(
                        lambda db, mine=place: _confirm(db, kind, rate, self._now(), mine)  # type: ignore[misc]
                    )
            except BaseException:
                book.transact(lambda db: db.execute("DELETE FROM starts WHERE id = ?", (place.id,)))
                raise
            return Booking(id=place.id, kind=kind, rate=rate, at=place.at, probe=place.probe)

    async def _wait(self, wait_s: float, *, look: bool) -> None:
        """Sleep, or until there is news where that may help."""
        if not look:
            await self._sleep(wait_s)
            return
        sleeping = asyncio.ensure_future(self._sleep(wait_s))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({sleeping, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            news.cancel()


class _Book:
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


# --- the book ------------------------------------------------------------------------------------------


def _book(db: sqlite3.Connection, kind: Kind, rate: Rate, now: float, *, fresh: bool) -> _Place:
    """Take the next free place; it may be now.  `fresh` tidies the book first."""
    if fresh:
        _forget(db, kind, rate, now)
    place = _next(_rows(db, kind, rate), _share(db, kind, rate, now), kind, rate, now)
    cursor = db.execute(
        "INSERT INTO starts (kind, sent_at, probe) VALUES (?, ?, ?)", (kind, place.at, place.probe)
    )
    assert cursor.lastrowid is not None
    return dataclasses.replace(place, id=cursor.lastrowid)


def _confirm(db: sqlite3.Connection, kind: Kind, rate: Rate, now: float, mine: _Place) -> _Place:
    """Start on the booked place, or take a later one when it is no longer good."""
    rows = [row for row in _rows(db, kind, rate) if row[0] != mine.id]
    believed = _share(db, kind, rate, now)
    # Places after now belong to waiters behind us; they count us when they confirm.
    place = _next([row for row in rows if row[1] <= now], believed, kind, rate, now)
    if place.at > now:
        place = _next(rows, believed, kind, rate, now)
    db.execute("UPDATE starts SET sent_at = ?, probe = ? WHERE id = ?", (place.at, place.probe, mine.id))
    return dataclasses.replace(place, id=mine.id)


_Row = tuple[int, float, float | None, int, int]


def _next(rows: list[_Row], believed: Share, kind: Kind, rate: Rate, now: float) -> _Place:
    """Return the next free place, its number not yet known."""
    starts = [Start(sent_at, answered_at) for _, sent_at, answered_at, _, _ in rows]
    if kind == "read":
        # Nobody waits for the answer to count a read; the guard is enough, since its limit has a reserve.
        late = [Start(start.sent_at, start.sent_at + 2 * rate.window_s) for start in starts]
        seen = quota.transit((), rate.window_s)
        at = quota.next_start(late, now, believed.starts, rate.window_s, seen)
        return _Place(0, max(at, believed.paused_until))
    seen = quota.transit(starts, rate.window_s)
    earliest = max(now, believed.paused_until)
    # What was refused counts for the limit that the user set, but not for our share of what the provider counts.
    earliest = quota.next_start(starts, earliest, rate.starts, rate.window_s, seen)
    taken = [Start(sent_at, answered_at) for _, sent_at, answered_at, _, refused in rows if not refused]
    at = quota.next_start(taken, earliest, believed.starts, rate.window_s, seen)
    if at <= earliest or believed.starts >= rate.starts:
        return _Place(0, at)
    probe_at = max(earliest, believed.probe_after)
    probe_at = quota.next_start(taken, probe_at, believed.starts + 1, rate.window_s, seen)
    waits = any(
        probe and answered_at is None and now - sent_at <= seen.late_s
        for _, sent_at, answered_at, probe, _ in rows
    )
    if waits:
        probe_at = max(probe_at, now + seen.late_s * _LOOK)
    if probe_at >= at:
        return _Place(0, at, look=True)
    return _Place(0, probe_at, probe=True, look=True)


def _forget(db: sqlite3.Connection, kind: Kind, rate: Rate, now: float) -> None:
    """Remove what is over, and what was learnt before a long rest."""
    newest = db.execute("SELECT max(sent_at) FROM starts WHERE kind = ?", (kind,)).fetchone()[0]
    if kind == "submit" and (newest is None or now - newest > share.STALE * rate.window_s):
        believed = _read_share(db, kind, now)
        if believed is not None:
            kept = dataclasses.replace(share.first(rate), paused_until=believed.paused_until)
            _keep_share(db, kind, kept)
    db.execute("DELETE FROM starts WHERE kind = ? AND sent_at < ?", (kind, now - _KEPT * rate.window_s - 1))
    db.execute("UPDATE starts SET sent_at = ? WHERE kind = ? AND sent_at > ?", (now, kind, now + _FARTHEST_S))


def _rows(db: sqlite3.Connection, kind: Kind, rate: Rate) -> list[_Row]:
    """Return the newest places in the book, more than any window holds."""
    return db.execute(
        "SELECT id, sent_at, answered_at, probe, refused FROM starts WHERE kind = ? ORDER BY sent_at DESC LIMIT ?",
        (kind, 2 * rate.starts + 2),
    ).fetchall()


def _ours(db: sqlite3.Connection, now: float, window_s: float, *, pending: bool) -> int:
    """Return how many of our starts are in the window now; with `pending`, those that wait for their answer too."""
    unanswered = "OR answered_at IS NULL" if pending else ""
    found = db.execute(
        f"SELECT count(*) FROM starts WHERE kind = 'submit' AND NOT refused AND sent_at BETWEEN ? AND ? "
        f"AND (answered_at > ? {unanswered})",
        (now - 2 * window_s, now, now - window_s),
    )
    return int(found.fetchone()[0])


def _share(db: sqlite3.Connection, kind: Kind, rate: Rate, now: float) -> Share:
    """Return what is believed to be ours of a window now."""
    believed = _read_share(db, kind, now)
    return share.regained(believed, rate, now) if kind == "read" else share.current(believed, rate)


def _read_share(db: sqlite3.Connection, kind: Kind, now: float) -> Share | None:
    row = db.execute(
        "SELECT starts, probe_after, hold_s, before_s, refused_at, paused_until, strikes "
        "FROM shares WHERE kind = ?",
        (kind,),
    ).fetchone()
    if row is None:
        return None
    found = Share(*row)
    if max(found.probe_after, found.refused_at, found.paused_until) > now + _FARTHEST_S:
        return None
    return found


def _keep_share(db: sqlite3.Connection, kind: Kind, learnt: Share) -> None:
    db.execute(
        "INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (kind, *dataclasses.astuple(learnt))
    )
