"""Queues of units over real pictures on a real server, for the contract that every queue keeps."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from kiebatch.model import Output
from kiebatch.provider import Client
from kiebatch.units import KINDS, Context, Folder, LocalQueue, NoRows, Order, WorkQueue, download
from support.raw_server import Say, Seen, Server, serving
from support.waiting import PATIENCE_S


@dataclass
class Stage:
    """A queue, the server that its downloads come from, and the addresses that are dead."""

    queue: WorkQueue
    server: Server
    shelf: Folder
    dead: set[str] = field(default_factory=set)

    def order(self, number: int, *, at: str = "", dies_at: float | None = None) -> Order:
        """Return the order of a picture; `at` is another path than its own."""
        url = f"{self.server.url}/{number}"
        unit = download(str(number), "task", Output(number=number, url=url), "image", timeout_s=30)
        return Order(unit=unit, address=f"{self.server.url}/{at or number}", dies_at=dies_at)

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


def picture(number: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (32, 18), (number * 40 % 256, number // 6 % 256, 60)).save(made, "PNG")
    return made.getvalue()


def digest(number: int) -> str:
    return hashlib.sha256(picture(number)).hexdigest()


@contextlib.asynccontextmanager
async def local(folder: Path) -> AsyncIterator[Stage]:
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


STAGES: dict[str, Callable[[Path], contextlib.AbstractAsyncContextManager[Stage]]] = {"local": local}
