"""The team's queue for a command that wants units of one kind made, and makes them itself where nobody does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from kiebatch.farm.queue import TeamQueue
from kiebatch.farm.shelf import StoreShelf
from kiebatch.record.store import Results
from kiebatch.units import Context, Kind, NoRows, Parts, WorkQueue


@contextlib.asynccontextmanager
async def asking(
    url: str, results: Results, kind: Kind, at_once: int, folder: Path
) -> AsyncIterator[tuple[WorkQueue, Parts] | None]:
    """Open the queue at `url` where a worker takes units of a kind; None where none does.

    `folder` is for files on their way.  Where the workers die, this process executes `at_once` units.  `Away` where the
    database cannot be reached.
    """
    shelf = StoreShelf(results, folder)
    context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread)
    async with TeamQueue.opened(url, context, at_once={kind: at_once}) as queue:
        yield (queue, shelf) if await queue.serves(kind) else None
