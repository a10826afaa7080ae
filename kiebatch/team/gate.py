"""The rate window of an account in the team's PostgreSQL: by the server's clock, over all machines and keys.

Starts are booked for the account, reads for the key.  Waits are relative: a client sleeps on its own clock.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kiebatch.provider import BookedGate, Page
from kiebatch.provider.booking import Row
from kiebatch.provider.share import Share
from kiebatch.record import Offload
from kiebatch.team.connection import Connection, Cursor
from kiebatch.team.environment import Team

T = TypeVar("T")

_PATIENCE_S = 120.0  # for a database that went away
_BLOCK = 8  # reads that are booked in one transaction


def open_gate(
    team: Team,
    api_key: str,
    *,
    offload: Offload,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    rng: random.Random | None = None,
) -> BookedGate:
    """Return the gate of a team's account.  Its connection is its own: a start must not wait for other writes."""
    connection = Connection(team.url, patience_s=_PATIENCE_S, clock=team.clock)
    key = hashlib.sha256(f"kiebatch reads\n{api_key}".encode()).hexdigest()[:16]
    return BookedGate(
        {
            "submit": _Book(connection, f"submit {team.account}", offload),
            "read": _Book(connection, f"read {team.account} {key}", offload),
        },
        sleep=sleep,
        rng=rng,
        block=_BLOCK,
    )


class _Book:
    def __init__(self, connection: Connection, name: str, offload: Offload) -> None:
        self._connection = connection
        self._name = name
        self._offload = offload

    async def transact(self, work: Callable[[Page], T]) -> T:
        def on_a_page(cursor: Cursor) -> T:
            # The clock is read once the lock is ours.
            found = cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0)), extract(epoch FROM ledger_now())::float8 AS now",
                (self._name,),
            ).fetchone()
            assert found is not None
            return work(_Page(cursor, self._name, float(found["now"])))

        done: T = await self._offload(self._connection.transact, on_a_page)
        return done

    def close(self) -> None:
        self._connection.close()


class _Page:
    """The places of one book, within a transaction that has its lock; see `provider.booking.Page`."""

    def __init__(self, cursor: Cursor, book: str, now: float) -> None:
        self.now = now
        self._cursor = cursor
        self._book = book

    def rows(self, limit: int) -> list[Row]:
        found = self._cursor.execute(
            "SELECT id, sent_at, answered_at, probe, refused FROM booked WHERE book = %s ORDER BY sent_at DESC LIMIT %s",
            (self._book, limit),
        )
        return [
            (row["id"], row["sent_at"], row["answered_at"], int(row["probe"]), int(row["refused"]))
            for row in found
        ]

    def share(self) -> Share | None:
        row = self._cursor.execute(
            "SELECT starts, probe_after, hold_s, before_s, refused_at, paused_until, strikes FROM shares WHERE book = %s",
            (self._book,),
        ).fetchone()
        return None if row is None else Share(**row)

    def keep_share(self, learnt: Share) -> None:
        self._cursor.execute(
            "INSERT INTO shares VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (book) DO UPDATE SET"
            " starts = excluded.starts, probe_after = excluded.probe_after, hold_s = excluded.hold_s,"
            " before_s = excluded.before_s, refused_at = excluded.refused_at, paused_until = excluded.paused_until,"
            " strikes = excluded.strikes",
            (self._book, *dataclasses.astuple(learnt)),
        )

    def add(self, at: float, *, probe: bool) -> int:
        row = self._cursor.execute(
            "INSERT INTO booked (book, sent_at, probe) VALUES (%s, %s, %s) RETURNING id",
            (self._book, at, probe),
        ).fetchone()
        assert row is not None
        return int(row["id"])

    def move(self, place: int, at: float, *, probe: bool) -> None:
        self._cursor.execute("UPDATE booked SET sent_at = %s, probe = %s WHERE id = %s", (at, probe, place))

    def remove(self, place: int) -> None:
        self._cursor.execute("DELETE FROM booked WHERE id = %s", (place,))

    def answered(self, place: int, at: float, *, refused: bool) -> None:
        self._cursor.execute(
            "UPDATE booked SET answered_at = %s, refused = %s WHERE id = %s", (at, refused, place)
        )

    def ours(self, window_s: float, *, pending: bool) -> int:
        row = self._cursor.execute(
            "SELECT count(*) AS ours FROM booked WHERE book = %s AND NOT refused AND sent_at BETWEEN %s AND %s"
            " AND (answered_at > %s OR (%s AND answered_at IS NULL))",
            (self._book, self.now - 2 * window_s, self.now, self.now - window_s, pending),
        ).fetchone()
        return int(row["ours"]) if row else 0

    def newest(self) -> float | None:
        row = self._cursor.execute(
            "SELECT max(sent_at) AS newest FROM booked WHERE book = %s", (self._book,)
        ).fetchone()
        return row["newest"] if row else None

    def forget(self, before: float, beyond: float) -> None:
        self._cursor.execute("DELETE FROM booked WHERE book = %s AND sent_at < %s", (self._book, before))
        self._cursor.execute(
            "UPDATE booked SET sent_at = %s WHERE book = %s AND sent_at > %s", (self.now, self._book, beyond)
        )
