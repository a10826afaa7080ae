"""What a unit needs of the machine that executes it.  Each part has one kind for a run and one for a worker."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kiebatch.record import Offload
from kiebatch.units.unit import Ended, Order, Unit


class Fetch(Protocol):
    """Streams an address into a file, with every check of an address and of a length: `Client.download`."""

    def __call__(self, url: str, part_path: Path, /, *, cap_bytes: int) -> Awaitable[object]: ...


class Send(Protocol):
    """Uploads a file for the provider and returns its address: `Client.upload`."""

    def __call__(self, source: Path, name: str, media_type: str, /) -> Awaitable[str]: ...


class Shelf(Protocol):
    """Where the bytes are that units read and write.

    A name is `sha256/<digest>` for bytes as they came, else the key of the unit that made them with an ending.
    """

    def scratch(self, unit: Unit) -> Path:
        """Return the file in which a unit's bytes grow on this machine: the same at every attempt."""
        ...

    async def get(self, name: str) -> Path | None:
        """Return a file with these bytes, which stays where it is; None where there are none."""
        ...

    async def put(self, name: str, path: Path) -> None:
        """Keep the bytes of a scratch file under a name."""
        ...


class Parts(Shelf, Protocol):
    """The shelf of whoever asks for units: it knows the files of this machine, and hands out what was made."""

    def point(self, name: str, path: Path) -> None:
        """Say where bytes lie that this machine's units read."""
        ...

    async def lend(self, name: str, path: Path) -> None:
        """Let whoever executes a unit read these bytes, on whatever machine."""
        ...

    async def take(self, unit: Unit, name: str) -> Path | None:
        """Return a file with bytes that a unit made; it is the caller's now, to move.  None where they are not there."""
        ...


class Rows(Protocol):
    """What is written down of units."""

    async def begin(self, order: Order) -> Ended | None:
        """Write down that a unit is at work; return how it ended where it is done."""
        ...

    async def end(self, order: Order, ended: Ended) -> None:
        """Write down how a unit ended."""
        ...


class NoRows:
    """Nothing is written down: whoever asked for a unit waits for it, and a file that is there is not made again."""

    async def begin(self, order: Order) -> Ended | None:
        return None

    async def end(self, order: Order, ended: Ended) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The edges of whoever executes units.  `fetch` and `send` are None where such units are not taken."""

    shelf: Shelf
    rows: Rows
    offload: Offload
    fetch: Fetch | None = None
    send: Send | None = None
