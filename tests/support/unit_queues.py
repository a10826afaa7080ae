"""Queues of units over real pictures on a real server, for the contract that every queue keeps."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from bench.waiting import PATIENCE_S
from kiebatch.farm import Pace, StoreShelf, TeamQueue
from kiebatch.model import Output
from kiebatch.provider import Client
from kiebatch.record.store import open_store
from kiebatch.team import Connection, schema
from kiebatch.units import KINDS, Context, Folder, LocalQueue, NoRows, Order, Shelf, WorkQueue, download
from support.raw_server import Say, Seen, Server, serving


@dataclass
class Stage:
    """A queue, the server that its downloads come from, and the addresses that are dead."""

    queue: WorkQueue
    server: Server
    shelf: Shelf
    dead: set[str] = field(default_factory=set)

    def order(self, number: int, *, at: str = "", dies_at: float | None = None) -> Order:
        """Return the order of a picture; `at` is another path than its own."""
        url = f"{self.server.url}/{number}"
        unit = download(str(number), "task", Output(number=number, url=url), "image", timeout_s=30)
        address = f"{self.server.url}/{at or number}"
        return Order(unit=unit, address=address, dies_at=dies_at, output=(number, 1))

    @property
    def fetched(self) -> list[str]:
        return [seen.path.strip("/") for seen in self.server.seen]

    async def emptied(self) -> None:
        """Return once nothing is queued or at work."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.queue.depth():  # noqa: ASYNC110 - another process may empty it
                await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def working(self, jobs: int = 2) -> AsyncIterator[None]:
        """Have the queue's units executed while the block lasts."""
        task = asyncio.create_task(self.queue.work(KINDS, jobs))
        try:
            yield
        finally:
            await self.queue.drain()
            await task


def prepare(url: str) -> None:
    """Make the team's schema, and enter a worker that never dies, for tests in which this process is the worker."""
    connection = Connection(url)
    schema.migrate(connection)
    connection.transact(
        lambda cursor: cursor.execute(
            "INSERT INTO workers (host, pid, kinds, jobs, beat) VALUES ('here', 1, %s, 1, 'infinity')",
            (list(KINDS),),
        )
    )
    connection.close()


def picture(number: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (32, 18), (number * 40 % 256, number // 6 % 256, 60)).save(made, "PNG")
    return made.getvalue()


def digest(number: int) -> str:
    return hashlib.sha256(picture(number)).hexdigest()


@contextlib.asynccontextmanager
async def team(folder: Path, database: str) -> AsyncIterator[Stage]:
    """A stage with the queue of a team, which this process works, too."""
    (folder / "store").mkdir(parents=True)
    prepare(database)
    pace = Pace(scale=0.02)
    async with _served() as (server, dead), Client("", server.url) as client:
        shelf = StoreShelf(open_store((folder / "store").as_uri()), folder / "here")
        context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread, fetch=client.download)
        async with TeamQueue.opened(database, context, pace=pace, derives=False) as queue:
            yield Stage(queue, server, shelf, dead)


@contextlib.asynccontextmanager
async def local(folder: Path, database: str) -> AsyncIterator[Stage]:
    """A stage with the queue of this process."""
    async with _served() as (server, dead), Client("", server.url) as client:
        shelf = Folder(folder)
        context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread, fetch=client.download)
        yield Stage(LocalQueue(context), server, shelf, dead)


@contextlib.asynccontextmanager
async def _served() -> AsyncIterator[tuple[Server, set[str]]]:
    dead: set[str] = set()

    def answer(seen: Seen) -> Say:
        name = seen.path.strip("/")
        if name in dead:
            return Say(b"gone", status=404)
        return Say(picture(int(name.partition("-")[0])), headers={"content-type": "image/png"})

    async with serving(answer) as server:
        yield server, dead


STAGES = {"local": local, "team": team}
