"""Books starts and reads in one SQLite file per account, so that all processes share its limits.

Protocol 2.1: 20 submissions in any 10 s per account, the surplus refused and not queued; reads have a limit of
their own.  A waiter books its place, sleeps until then, and confirms it: nobody polls, and a pause that began
meanwhile, or a machine that slept, moves it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal, Self, TypeVar

import platformdirs

from kiebatch.model import Rate
from kiebatch.provider import policy
from kiebatch.provider.quota import GUARD, next_start

Kind = Literal["submit", "read"]
T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS booked (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS booked_at ON booked (kind, at);
CREATE TABLE IF NOT EXISTS slowed (
  kind TEXT PRIMARY KEY, paused_until REAL NOT NULL, halved_until REAL NOT NULL, strikes INTEGER NOT NULL
);
"""
_HALVED_S = 60.0  # for how long after a pause the starts per window are halved
_FORGOTTEN_S = 86400.0
_FARTHEST_S = 600.0  # nobody books further ahead; what lies beyond was written before the clock went back


def path_for(api_key: str, base_url: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file that all processes of an account share, in the user's state folder.

    It is named by a digest of the key, never by the key; `KIEBATCH_STATE_HOME` moves it.
    """
    home = environ.get("KIEBATCH_STATE_HOME")
    folder = Path(home) if home else platformdirs.user_state_path("kiebatch")
    digest = hashlib.sha256(f"kiebatch gate\n{base_url}\n{api_key}".encode()).hexdigest()
    return folder / f"account-{digest[:16]}.sqlite3"


class Gate:
    """The limits of one account.  `path` `:memory:` keeps them in this process alone.

    `now` is the wall clock, the one that processes share.  `shared` is False where the file cannot be used and
    the gate counts for this process alone.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._struck = False  # whether a pause of ours waits for an acceptance to shorten the next
        self._turns: dict[Kind, asyncio.Lock] = {"submit": asyncio.Lock(), "read": asyncio.Lock()}
        self.shared = path != ":memory:"
        self._db = self._open(path)

    def _open(self, path: Path | str) -> sqlite3.Connection:
        if self.shared:
            for _ in range(2):
                try:
                    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def start(self, rate: Rate) -> None:
        """Return when one more submission may be sent, having booked it.  First come, first served."""
        await self._pass("submit", rate)

    async def read(self, rate: Rate) -> None:
        """Return when one more status read may be sent, having booked it."""
        await self._pass("read", rate)

    def penalise(self, retry_after_s: float | None = None, kind: Kind = "submit") -> float:
        """Pause everyone's starts after a 429 and halve them for a while; return the pause in seconds.

        The pause grows with every 429 that comes after the one before was waited out; the many that one burst
        earns count once.
        """
        now = self._now()

        def note(db: sqlite3.Connection) -> float:
            paused_until, halved_until, strikes = _slowed(db, kind, now)
            if now >= paused_until:
                strikes = strikes + 1 if now < halved_until else 1
                paused_until = now + policy.wait_s(strikes, self._rng, retry_after_s)
            elif retry_after_s:
                paused_until = max(paused_until, now + min(retry_after_s, policy.LONGEST_WAIT_S))
            row = (kind, paused_until, paused_until + _HALVED_S, strikes)
            db.execute("INSERT OR REPLACE INTO slowed VALUES (?, ?, ?, ?)", row)
            return paused_until - now

        self._struck = True
        return self._transact(note)

    def accepted(self) -> None:
        """Note that a submission was taken: the next 429 begins with a short pause again."""
        if self._struck:
            self._struck = False
            self._transact(lambda db: db.execute("UPDATE slowed SET strikes = 0 WHERE kind = 'submit'"))

    # One waiter of a process is in the book at a time, the others queue behind it in memory: so processes take
    # turns, and one that dies leaves a single place empty.
    async def _pass(self, kind: Kind, rate: Rate) -> None:
        async with self._turns[kind]:
            booking, at = self._transact(lambda db: _book(db, kind, rate, self._now()))
            try:
                while (wait := at - self._now()) > 0:
                    await self._sleep(wait)
                    booking, at = self._transact(
                        lambda db, mine=booking: _confirm(db, kind, rate, self._now(), mine)  # type: ignore[misc]
                    )
            except BaseException:
                self._transact(lambda db: db.execute("DELETE FROM booked WHERE id = ?", (booking,)))
                raise

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work on the book, whole or not at all; in memory from the day that the file fails.

        A full disk or a folder that went away must not stop a run: the limits then hold for this process alone.
        """
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


def _tidy(mine: Path) -> None:
    """Remove the books of accounts that nobody used for a day; every draft has one of its own."""
    for other in mine.parent.glob("account-*.sqlite3"):
        with contextlib.suppress(OSError):
            if other != mine and time.time() - other.stat().st_mtime > _FORGOTTEN_S:
                other.unlink()


def _book(db: sqlite3.Connection, kind: Kind, rate: Rate, now: float) -> tuple[int, float]:
    """Take the next free place; it may be now.  Return its number and time."""
    db.execute("DELETE FROM booked WHERE kind = ? AND at < ?", (kind, now - 2 * rate.window_s * GUARD))
    db.execute("UPDATE booked SET at = ? WHERE kind = ? AND at > ?", (now, kind, now + _FARTHEST_S))
    paused_until, halved_until, _ = _slowed(db, kind, now)
    limit = _limit(rate, now, halved_until)
    at = max(next_start(_starts(db, kind, limit), now, limit, rate.window_s), paused_until)
    return _insert(db, kind, at), at


def _confirm(db: sqlite3.Connection, kind: Kind, rate: Rate, now: float, booking: int) -> tuple[int, float]:
    """Start on the booked place, or take a later one when it is no longer good."""
    paused_until, halved_until, _ = _slowed(db, kind, now)
    limit = _limit(rate, now, halved_until)
    db.execute("DELETE FROM booked WHERE id = ?", (booking,))
    # Places after now belong to waiters behind us; they will count us when they confirm.
    earlier = _starts(db, kind, limit, before=now)
    if now >= paused_until and next_start(earlier, now, limit, rate.window_s) <= now:
        return _insert(db, kind, now), now
    return _book(db, kind, rate, now)


def _slowed(db: sqlite3.Connection, kind: Kind, now: float) -> tuple[float, float, int]:
    """Return until when starts are paused, until when halved, and the 429s in a row."""
    row = db.execute(
        "SELECT paused_until, halved_until, strikes FROM slowed WHERE kind = ?", (kind,)
    ).fetchone()
    if row is None or row[0] > now + _FARTHEST_S:
        return (0.0, 0.0, 0)
    return (float(row[0]), float(row[1]), int(row[2]))


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


def _limit(rate: Rate, now: float, halved_until: float) -> int:
    return max(1, rate.starts // 2) if now < halved_until else rate.starts


def _starts(db: sqlite3.Connection, kind: Kind, limit: int, before: float = float("inf")) -> list[float]:
    """Return the last `limit` places in the book, ascending."""
    rows = db.execute(
        "SELECT at FROM booked WHERE kind = ? AND at <= ? ORDER BY at DESC LIMIT ?", (kind, before, limit)
    ).fetchall()
    return [float(row[0]) for row in reversed(rows)]


def _insert(db: sqlite3.Connection, kind: Kind, at: float) -> int:
    found = db.execute("INSERT INTO booked (kind, at) VALUES (?, ?)", (kind, at)).lastrowid
    assert found is not None
    return found
