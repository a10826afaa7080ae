"""Connections to the team's PostgreSQL: fail within seconds, never hang, and come back by themselves.

`conninfo` is how every part of the program connects, the workers' queue included.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from kiebatch.errors import Invalid, Refused, install_hint, plain
from kiebatch.team.environment import shown

try:
    import psycopg
    from psycopg import errors as sql_errors
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.rows import dict_row
except ImportError:  # pragma: no cover - the extra is installed where the tests run
    raise Invalid("KIEBATCH_TEAM needs the PostgreSQL driver", hint=install_hint("team")) from None

T = TypeVar("T")
Row = dict[str, Any]

# A peer that went silent is noticed within 5 seconds; with the defaults a write waits for many minutes.
_LIMITS: Mapping[str, str] = {
    "connect_timeout": "5",
    "tcp_user_timeout": "5000",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "application_name": "kiebatch",
}
_STATEMENT_S = 4.0  # the server gives up first, so that what it says is heard
_SILENCE_S = 5.0
_TRIES = 8  # of a transaction that another one was in the way of
_AGAIN_S = (0.05, 0.2, 0.5, 1.0)  # between tries; the last one from then on


# Of a connection, or of its transaction.
_BROKEN = (psycopg.OperationalError, psycopg.InterfaceError, sql_errors.IdleInTransactionSessionTimeout)


class _Db(psycopg.Connection[Row]):
    """A connection that knows since when it waits for the server; 0 while it does not."""

    waits_since = 0.0

    def cut(self) -> None:
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.fileno())) as wire,
        ):
            wire.shutdown(socket.SHUT_RDWR)


class Cursor(psycopg.Cursor[Row]):
    """A cursor that waits for the server for a bounded time.

    A peer that is frozen, or a proxy that went silent, still acknowledges what it gets: no limit of TCP ends that wait.
    """

    def execute(self, *args: Any, **named: Any) -> Cursor:
        assert isinstance(self.connection, _Db)
        self.connection.waits_since = time.monotonic()
        try:
            super().execute(*args, **named)
        finally:
            self.connection.waits_since = 0.0
        return self


class _Watch:
    """Cuts the connections of this process that wait too long; one thread for them all."""

    def __init__(self) -> None:
        self._connections: weakref.WeakSet[_Db] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def over(self, connection: _Db) -> _Db:
        with self._lock:
            self._connections.add(connection)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._look, daemon=True, name="kiebatch-team")
                self._thread.start()
        return connection

    def _look(self) -> None:
        while True:
            time.sleep(_SILENCE_S / 10)
            with self._lock:
                waiting = [one for one in self._connections if one.waits_since]
            for one in waiting:
                if time.monotonic() - (one.waits_since or time.monotonic()) > _SILENCE_S:
                    one.cut()


_watch = _Watch()


class Away(Refused):
    """The team's database cannot be reached.  Nothing new is sent; what is paid for is kept."""


def conninfo(url: str) -> str:
    """Return how to connect: the address, with time limits for all that it does not say itself.

    `Invalid` where it does not name a PostgreSQL database.  The password may come from PGPASSFILE.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise Invalid(
            "KIEBATCH_TEAM does not name a PostgreSQL database",
            hint="like postgresql://studio@db.example/kiebatch; the password may lie in the file PGPASSFILE names",
        ) from None
    limits = {name: value for name, value in _LIMITS.items() if name not in given}
    # A machine that freezes, or is cut off, within a transaction has locks that the whole account waits for.
    ours = {"statement_timeout": _STATEMENT_S, "idle_in_transaction_session_timeout": _SILENCE_S}
    limited = " ".join(f"-c {name}={int(limit_s * 1000)}" for name, limit_s in ours.items())
    options = f"{given.get('options') or ''} {limited}".strip()
    return make_conninfo(url, **limits, options=options)


def _way_out(said: str) -> str:
    """Return what helps where a server answers and does not let us in, as far as its words are English."""
    if "password" in said:
        return "give the password in a file that PGPASSFILE names, as host:port:database:user:password, readable by you alone"
    if "does not exist" in said:
        return "make the database and its owner first: createuser --pwprompt studio; createdb --owner studio kiebatch"
    return "nothing new is sent without it; run again when it is back"


class Connection:
    """One connection, used by one thread at a time, made when needed and again when it broke.

    `clock` sets the time that the records go by, for tests on simulated time; else it is the server's.
    """

    def __init__(
        self, url: str, *, patience_s: float = 0.0, clock: Callable[[], float] | None = None
    ) -> None:
        self.url = url
        self.patience_s = patience_s
        self._conninfo = conninfo(url)
        self.clock = clock
        self._lock = threading.RLock()
        self._db: _Db | None = None
        self._inside: Cursor | None = None
        self.transactions = 0

    def close(self) -> None:
        with self._lock, contextlib.suppress(psycopg.Error):
            if self._db is not None:
                self._db.close()
            self._db = None

    def transact(
        self,
        work: Callable[[Cursor], T],
        *,
        while_away: Callable[[], object] = lambda: None,
        at_once: bool = False,
    ) -> T:
        """Do some work in one transaction and return what it returns; durable then.

        Where the connection breaks it is done again, so it must be able to come twice.  `while_away` is called once
        before the first wait.  `Away` when the database does not come back within the patience.  Work that changes
        records by one statement at most is done `at_once`: that statement is a transaction by itself, which spares two
        of three round trips and holds its locks for less time.
        """
        if self._inside is not None:
            return work(self._inside)
        deadline, tries = time.monotonic() + self.patience_s, 0
        while True:
            try:
                with self._transaction(at_once=at_once) as cursor:
                    return work(cursor)
            except (sql_errors.DeadlockDetected, sql_errors.SerializationFailure, sql_errors.UniqueViolation):
                if tries > _TRIES:
                    raise
            except _BROKEN as error:
                self.close()
                if tries == 0:
                    while_away()
                if time.monotonic() >= deadline:
                    raise self._away(error) from None
            time.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
            tries += 1

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Gather the transactions inside into one: all of them are durable at the end, or none."""
        try:
            with self._transaction() as cursor:
                self._inside = cursor
                try:
                    yield
                finally:
                    self._inside = None
        except _BROKEN as error:
            self.close()
            raise self._away(error) from None

    @contextlib.contextmanager
    def _transaction(self, *, at_once: bool = False) -> Iterator[Cursor]:
        with self._lock:
            if self._db is None or self._db.closed:
                self._db = self._connected()
            self.transactions += 1
            with self._db.cursor() as plain_cursor:
                cursor = cast(Cursor, plain_cursor)
                if self.clock is not None:
                    cursor.execute("SELECT set_config('kiebatch.now', %s, false)", (repr(self.clock()),))
                if at_once:
                    yield cursor
                    return
                cursor.execute("BEGIN")
                try:
                    yield cursor
                    cursor.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(psycopg.Error):
                        cursor.execute("ROLLBACK")
                    raise

    def _connected(self) -> _Db:
        # Nothing is prepared: a pooler in front may give every transaction another server process.
        made = _Db.connect(
            self._conninfo,
            row_factory=dict_row,
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=Cursor,
        )
        return _watch.over(made)

    def _away(self, error: Exception) -> Away:
        said = plain(str(error).strip().splitlines()[0] if str(error).strip() else "it went away", 200)
        return Away(
            f"the team's ledger at {shown(self.url)} cannot be reached: {said}",
            hint=_way_out(said),
        )
