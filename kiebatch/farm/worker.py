"""One worker: executes units, shows that it is alive, and keeps queue and rows in step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiebatch.errors import Invalid
from kiebatch.farm.database import AWAY, Database, Db
from kiebatch.farm.pace import Pace
from kiebatch.farm.queue import TeamQueue
from kiebatch.farm.shelf import KEPT, StoreShelf
from kiebatch.farm.upkeep import Upkeep
from kiebatch.provider import Client
from kiebatch.record.store import Results
from kiebatch.team import Away, schema
from kiebatch.units import Context, Kind, NoRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What a worker is started with.  `client` fetches results and has no key."""

    url: str
    results: Results
    client: Client
    folder: Path
    kinds: Collection[Kind]
    jobs: int
    pace: Pace
    say: Callable[[str], object]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what is at work then is finished.

        `Invalid` where the team's schema is newer than this program; `Away` where the database stays away.
        """
        asyncio.get_running_loop().set_exception_handler(_heard)
        # A store that cannot be reached is said before anything is fetched for it.
        await asyncio.to_thread(self.results.objects.size, "entries")
        database = Database(self.url, most=self.jobs + 4)
        shelf = StoreShelf(self.results, self.folder, kept=max(KEPT, 4 * self.jobs))
        context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread, fetch=self.client.download)
        async with database.opened():
            queue = TeamQueue(database, context, pace=self.pace)
            async with self._alive(database) as number:
                queue.rows.worker = number
                self.say(f"working: {', '.join(self.kinds)}; {self.jobs} at once")
                try:
                    await _Shift(self, database, queue, number).run(stop)
                except AWAY as error:
                    raise Away("the connection to the team's database was lost") from error

    @contextlib.asynccontextmanager
    async def _alive(self, database: Database) -> AsyncIterator[int]:
        """Enter this worker among the living, and take it out at the end."""

        async def enter(db: Db) -> int:
            await check(db)
            host, parent = socket.gethostname(), os.getppid()
            await db.execute(
                "UPDATE workers SET ended = clock_timestamp() WHERE host = %s AND parent = %s AND ended IS NULL",
                (host, parent),
            )
            cursor = await db.execute(
                "INSERT INTO workers (host, pid, parent, kinds, jobs) VALUES (%s, %s, %s, %s, %s) RETURNING id",
                (host, os.getpid(), parent, list(self.kinds), self.jobs),
            )
            row = await cursor.fetchone()
            assert row is not None
            return int(row["id"])

        number = await database.transact(enter)
        try:
            yield number
        finally:

            async def leave(db: Db) -> None:
                await db.execute("UPDATE workers SET ended = clock_timestamp() WHERE id = %s", (number,))

            await database.transact(leave, patience_s=5.0)


class _Shift:
    """The work of one worker while it lives."""

    def __init__(self, worker: Worker, database: Database, queue: TeamQueue, number: int) -> None:
        self._worker = worker
        self._database = database
        self._queue = queue
        self._number = number
        self._upkeep = Upkeep(database, queue.rows, worker.pace)
        self._drained = asyncio.Event()
        self._told = ""
        self._ending = False

    async def run(self, stop: asyncio.Event) -> None:
        beating = asyncio.create_task(self._beat())
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([beating, working, stopping], return_when=asyncio.FIRST_COMPLETED)
            self._ending = True
            await self._queue.drain()
            await working  # the units at work end, while the signs of life go on
        finally:
            for task in (beating, working, stopping):
                task.cancel()
            (beat, *_) = await asyncio.gather(beating, working, stopping, return_exceptions=True)
        if isinstance(beat, Exception):
            raise beat  # a newer schema, or a database that went away
        if not stop.is_set():
            raise Away("the queue lost its connection to the team's database")

    async def _work(self) -> None:
        while not self._ending:
            if self._drained.is_set():
                await asyncio.sleep(self._worker.pace.beat_s)
                continue
            await self._queue.work(self._worker.kinds, self._worker.jobs)
            if not self._queue.draining:
                return  # the queue lost its connection; whoever supervises this process starts it once more

    async def _beat(self) -> None:
        """Show a sign of life, and look after what others left behind."""
        pace, loop = self._worker.pace, asyncio.get_running_loop()
        reconciled = loop.time()
        while True:
            await self._database.transact(self._sign_of_life)
            if self._drained.is_set():
                await self._queue.drain()
            await self._upkeep.reap()
            if loop.time() >= reconciled + pace.reconcile_s:
                await self._upkeep.reconcile()
                reconciled = loop.time()
            if self._queue.trouble != self._told:
                self._told = self._queue.trouble
                self._worker.say(self._told)
            await asyncio.sleep(pace.beat_s)

    async def _sign_of_life(self, db: Db) -> None:
        await check(db)
        await db.execute("UPDATE workers SET beat = clock_timestamp() WHERE id = %s", (self._number,))
        cursor = await db.execute("SELECT 1 FROM about WHERE name = 'drained'")
        if await cursor.fetchone() is not None:
            self._drained.set()
        else:
            self._drained.clear()


def _heard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over what the queue says of a job that another worker has by now: its unit's row says how it ended."""
    if not isinstance(context.get("exception"), AWAY):
        loop.default_exception_handler(context)


async def check(db: Db) -> None:
    """`Invalid` where this program cannot work with the team's schema."""
    cursor = await db.execute("SELECT to_regclass('about') AS name")
    row = await cursor.fetchone()
    if row is None or row["name"] is None:
        raise Invalid("the team's database has no ledger yet", hint="`kiebatch team init` makes it")
    cursor = await db.execute("SELECT name, value FROM about WHERE name IN ('before', 'after')")
    parts = {row["name"]: int(row["value"]) for row in await cursor.fetchall()}
    schema.fits(schema.Found(before=parts["before"], after=parts["after"]))
