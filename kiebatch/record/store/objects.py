"""What a store is built on: whole objects by name, which know nothing of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from kiebatch._dataclass import dataclass
from kiebatch.errors import Refused


class StoreFailed(Refused):
    """A store could not be asked, or did not take something.  Nothing that is here is lost by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTimes:
    """How long a store may take, in seconds.

    `whole_s` bounds one transfer, `again_s` all tries of one call; `waits_s` are the pauses before an entry that
    another process is writing is tried once more.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    whole_s: float = 3600.0
    again_s: float = 60.0
    retries: int = 4
    waits_s: tuple[float, ...] = (0.2, 0.5, 1.0)


class Objects(Protocol):
    """Objects by name.  Names are of our own making; an object is read whole or not at all.

    Every method may raise `StoreFailed`.  All may be called from several threads.
    """

    at_hand: bool  # whether it is read without a network

    def names(self, folder: str) -> Sequence[str]:
        """Return the names of the objects in a folder, without the folder; none where it is not there."""

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes; None where it is not there."""

    def path(self, name: str) -> Path | None:
        """Return where an object lies as a file; None where there are no files."""

    def read(self, name: str, longest: int) -> bytes | None:
        """Return a small object; None where it is not there or has more than `longest` bytes."""

    def fetch(self, name: str, target: Path) -> bool:
        """Write an object into a file that is nobody's yet; False where it is not there."""

    def put(self, name: str, source: Path) -> None:
        """Place a file's content under a name, in one step, whatever is there."""

    def write(self, name: str, content: bytes) -> None:
        """Place a small object under a name, in one step, whatever is there."""

    def create(self, name: str, content: bytes) -> bool:
        """Place a small object under a name that is free; False where it is taken.  Of two at once one wins."""
