"""Who executes the units of a run: this process, or the workers of its team."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kiebatch import units
from kiebatch.provider import Client
from kiebatch.record import Offload, Results, ResultStore
from kiebatch.units import Parts, WorkQueue


async def open_queue(
    stack: contextlib.AsyncExitStack,
    *,
    folder: Path,
    client: Client,
    offload: Offload,
    downloads: int,
    team: str = "",
    results: ResultStore | None = None,
) -> tuple[WorkQueue, Parts]:
    """Return a run's queue of units, and the shelf on which their files are.

    `folder` is for downloads in progress, `downloads` how many this process does at once.  With a team's database (`team`)
    and a store that its machines share, the team's workers execute units; where none is alive, this process does.
    """
    shared = _shared(results)
    if not team or shared is None:
        shelf: Parts = units.Folder(folder)
        return units.LocalQueue(_here(shelf, client, offload), {"download": downloads}), shelf
    from kiebatch.farm import StoreShelf, TeamQueue  # their driver is loaded where there is a team

    shelf = StoreShelf(shared, folder, offload)
    queue = await stack.enter_async_context(
        TeamQueue.opened(team, _here(shelf, client, offload), at_once={"download": downloads})
    )
    return queue, shelf


def _here(shelf: Parts, client: Client, offload: Offload) -> units.Context:
    return units.Context(
        shelf=shelf, rows=units.NoRows(), offload=offload, fetch=client.download, send=client.upload
    )


def _shared(results: ResultStore | None) -> Results | None:
    """Return the store that other machines reach, too; a cache folder is this machine's own."""
    parts = results.parts if results else ()
    return next((store for store in parts if store.shared), None)
