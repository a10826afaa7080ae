"""Writes into the team's ledger: one transaction each, between two points of the journal's hook."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from kiebatch.record import Hook
from kiebatch.team.connection import Connection, Cursor

T = TypeVar("T")


class Writer:
    """The one way into the ledger.  Used by one thread at a time."""

    def __init__(self, connection: Connection, hook: Hook) -> None:
        self.connection = connection
        self.hook = hook
        self._gathering: list[str] | None = None

    def write(
        self,
        point: str,
        work: Callable[[Cursor], T],
        *,
        while_away: Callable[[], object] = lambda: None,
        at_once: bool = False,
    ) -> T:
        """Do some work as `Connection.transact` does; `point` is its name for the hook."""
        self.hook(f"journal.{point}:before")
        done = self.connection.transact(work, while_away=while_away, at_once=at_once)
        if self._gathering is None:
            self.hook(f"journal.{point}:after")
        else:
            self._gathering.append(point)
        return done

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Gather the writes inside into one transaction."""
        points: list[str] = []
        self._gathering = points
        try:
            with self.connection.together():
                yield
        finally:
            self._gathering = None
        for point in points:
            self.hook(f"journal.{point}:after")
