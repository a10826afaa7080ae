"""One SQLite file with durable transactions, each of which passes a hook that tests use to end the process there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kiebatch.errors import Invalid, plain
from kiebatch.files import private_file, unwritable

Hook = Callable[[str], None]
# What SQLite says of a text that it cannot decode, and of a column whose name was changed.
_SPOILT = ("Could not decode", "no such column")


def no_hook(_point: str) -> None:
    return None


def connect(path: Path | None, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a database file, or one in memory; autocommit, rows by name, patient with other processes."""
    where = ":memory:" if path is None else f"{path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
    if path is not None and not read_only:
        with contextlib.suppress(OSError):  # SQLite says in its own words why a file cannot be opened
            private_file(path)
    # A run uses its connection from one worker thread at a time, never from two at once.
    connection = sqlite3.connect(where, isolation_level=None, timeout=30, uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def read_rows(connection: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
    """Return what a query finds.  `Invalid` where the file holds what we never write."""
    try:
        return connection.execute(query, values).fetchall()
    except UnicodeDecodeError as error:  # also what Python cannot turn into an error's message
        raise spoilt("the journal", error) from None
    except sqlite3.OperationalError as error:
        if not str(error).startswith(_SPOILT):
            raise
        raise spoilt("the journal", error) from None


def spoilt(what: str, error: Exception) -> Invalid:
    """Return the refusal of what a journal holds and we never wrote: nothing is guessed about money."""
    hint = "something else has changed the journal: restore it, or move it away and look at kie.ai/logs first"
    return Invalid(f"{what} cannot be read: {plain(error, 100)}", hint=hint)


class Database:
    """A connection, and the one way to write through it."""

    def __init__(self, connection: sqlite3.Connection, *, path: Path, hook: Hook = no_hook) -> None:
        self.connection = connection
        self.path = path
        self.hook = hook
        self._gathering: list[str] | None = None
        self._afterwards: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def write(self, point: str) -> Iterator[sqlite3.Connection]:
        """One durable transaction, named for the hook.  `Refused` in plain words when the disk does not take it."""
        if self._gathering is not None:
            self.hook(f"journal.{point}:before")
            self._gathering.append(point)
            yield self.connection
            return
        with self._transaction([point]):
            yield self.connection

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Gather the writes inside into one transaction: all of them are durable at the end, or none."""
        points: list[str] = []
        self._afterwards = []
        with self._transaction(points):
            self._gathering = points
            try:
                yield
            finally:
                self._gathering = None
        for work in self._afterwards:
            work()

    def once_durable(self, work: Callable[[], None]) -> None:
        """Do something when what was just written is durable: now, or once at the end of a gathered transaction."""
        if self._gathering is None:
            work()
        elif work not in self._afterwards:
            self._afterwards.append(work)

    @contextlib.contextmanager
    def _transaction(self, points: Sequence[str]) -> Iterator[None]:
        for point in points:
            self.hook(f"journal.{point}:before")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise
        except sqlite3.DatabaseError as error:  # a full disk, a locked or damaged file
            raise unwritable(self.path, OSError(str(error))) from None
        for point in points:
            self.hook(f"journal.{point}:after")
