"""The queue that spans machines: its jobs lie in the team's PostgreSQL, and the rows of units are the truth."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from kiebatch.errors import KieBatchError, plain
from kiebatch.farm.database import AWAY, Database
from kiebatch.farm.pace import Pace
from kiebatch.farm.rows import UnitRows, kinds_served
from kiebatch.units import KINDS, Context, Ended, Failed, Kind, LocalQueue, Order, carry_out

ROOM = 2000  # units that wait at most; whoever brings more waits with them
_BLOCK = 200


class TeamQueue:
    """A `WorkQueue` over several machines.

    What needs the account's key, and what no ledger has a row for, is executed by this process; so is a unit for whose
    kind no worker is alive.
    """

    def __init__(
        self,
        database: Database,
        context: Context,
        *,
        pace: Pace | None = None,
        derives: bool = True,
        at_once: Mapping[Kind, int] | None = None,
    ) -> None:
        """`derives` says whether thumbnails and the like are queued as soon as a download is stored.

        `at_once` says how many units of a kind this process executes at the same time where it has to.
        """
        self._database = database
        self._pace = pace or Pace()
        self.rows = UnitRows(database, derives=derives, dead_s=self._pace.dead_s)
        self._context = replace(context, rows=self.rows)
        # What this process does for itself leaves no work for others: there may be nobody to do it.
        self._here = LocalQueue(replace(context, rows=UnitRows(database, derives=False)), at_once)
        self._wanted: dict[str, Order] = {}
        self._asking = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[Ended]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._served: Collection[str] = ()
        self._served_until = 0.0
        self._stop = asyncio.Event()
        self._at_work = _Together()
        self.trouble = ""  # the last unit that raised, for the worker's log

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls,
        url: str,
        context: Context,
        *,
        pace: Pace | None = None,
        derives: bool = True,
        at_once: Mapping[Kind, int] | None = None,
    ) -> AsyncIterator[Self]:
        """Open the queue in the team's database at `url`."""
        database = Database(url)
        async with database.opened():
            queue = cls(database, context, pace=pace, derives=derives, at_once=at_once)
            try:
                yield queue
            finally:
                await queue._close()

    async def _close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # -- asking

    async def defer(self, orders: Sequence[Order]) -> None:
        for first in range(0, len(orders), _BLOCK):
            block = orders[first : first + _BLOCK]
            await self._room({order.unit.kind for order in block})
            await self.rows.ask(block)

    async def _room(self, kinds: Collection[Kind]) -> None:
        """Return once the queue has room for units of these kinds, which other machines make."""
        while True:
            depth = await self.depth()
            if sum(depth.get(kind, 0) for kind in kinds) < ROOM:
                return
            await asyncio.sleep(self._pace.look_s)

    async def result(self, order: Order) -> Ended:
        if not await self._is_for_others(order):
            return await self._here.result(order)
        await self._ask(order)
        ended = self._waiting.setdefault(order.unit.key, asyncio.get_running_loop().create_future())
        while not ended.done():
            looking = self._looking = self._looking_now()
            first: set[asyncio.Future[Any]] = {ended, looking}
            await asyncio.wait(first, timeout=self._pace.dead_s, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done() and looking.done():
                looking.result()  # raises why nobody looks any more
            if not ended.done() and order.unit.kind not in self._served:
                return await self._here.result(order)
        return ended.result()

    async def _ask(self, order: Order) -> None:
        """Ask for a unit.  Those who come while others are being asked for share one transaction."""
        self._wanted[order.unit.key] = order
        async with self._asking:
            block, self._wanted = self._wanted, {}
            try:
                if block:
                    await self.rows.ask(list(block.values()))
            except BaseException:
                self._wanted = {**block, **self._wanted}  # for those who wait for their turn
                raise

    async def forget(self, order: Order) -> None:
        await self.rows.forget(order.unit.key)

    async def serves(self, kind: Kind) -> bool:
        """Whether a worker is alive that takes units of a kind."""
        now = asyncio.get_running_loop().time()
        if now > self._served_until:
            self._served = await kinds_served(self._database, self._pace.dead_s)
            self._served_until = now + self._pace.beat_s
        return kind in self._served

    def _looking_now(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            return asyncio.create_task(self._look())
        return self._looking

    async def _is_for_others(self, order: Order) -> bool:
        if "key" in order.unit.needs or (order.unit.kind == "download" and order.output is None):
            return False
        return await self.serves(order.unit.kind)

    async def depth(self) -> Mapping[Kind, int]:
        rows = await self._database.rows(
            "SELECT kind, count(*) AS many FROM units WHERE state = 'open' GROUP BY kind"
        )
        found = {row["kind"]: int(row["many"]) for row in rows}
        return {kind: found[kind] for kind in KINDS if kind in found}

    async def _look(self) -> None:
        """Tell those who wait how their units ended, until nobody waits."""
        while self._waiting:
            ended = await self.rows.ended_of(list(self._waiting))
            for key, one in ended.items():
                waiting = self._waiting.pop(key, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(one)
            self._served = await kinds_served(self._database, self._pace.dead_s)
            await asyncio.sleep(self._pace.look_s)

    # -- working

    async def work(self, kinds: Collection[Kind], jobs: int) -> None:
        """Execute units until `drain`; returns early where the database went away under the queue."""
        self._stop.clear()
        self._at_work.always_alone = jobs == 1
        self._database.serve(self._execute)
        working = asyncio.create_task(
            self._database.app.run_worker_async(
                queues=list(kinds),
                concurrency=jobs,
                wait=True,
                install_signal_handlers=False,
                delete_jobs="always",
                fetch_job_polling_interval=self._pace.poll_s,
                update_heartbeat_interval=self._pace.beat_s,
                stalled_worker_timeout=self._pace.dead_s,
            )
        )
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            working.cancel()  # it takes no more, and waits for the units at work
            (ended,) = await asyncio.gather(working, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended

    async def drain(self) -> None:
        self._stop.set()
        await self._here.drain()

    @property
    def draining(self) -> bool:
        return self._stop.is_set()

    async def _execute(self, key: str) -> None:
        """Execute one unit of the queue.

        Where a disk is full or a store takes nothing it stays open, and this worker rests: the next unit would meet the
        same.  What a bug of ours ends has failed, so that nobody waits for it for ever.
        """
        try:
            async with self._at_work.entered(alone=False):
                order = await self.rows.take(key, alone=self._at_work.always_alone)
                if order is not None:
                    await carry_out(order, self._context)
                    return
            if not await self.rows.is_suspect(key):
                return  # it is done, or gone
            async with self._at_work.entered(alone=True):
                order = await self.rows.take(key, alone=True)
                if order is not None:
                    await carry_out(order, self._context)
        except AWAY:
            raise
        except KieBatchError as error:
            self.trouble = f"{key}: {plain(error.message)}"
            await self.rows.put_back(key)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._pace.beat_s)
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {plain(str(error))}"
            self.trouble = f"{key}: {said}"
            await self.rows.failed(key, Failed("crashed", said, retryable=True))


class _Together:
    """Units run side by side, and a suspect runs alone: when the worker then dies, it is to blame."""

    def __init__(self) -> None:
        self._count = 0
        self._alone = False
        self._suspects = 0
        self._changed = asyncio.Condition()
        self.always_alone = False

    @contextlib.asynccontextmanager
    async def entered(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._changed:
            self._suspects += alone
            try:
                await self._changed.wait_for(lambda: self._free(alone=alone))
            finally:
                self._suspects -= alone
            self._count += 1
            self._alone = alone
        try:
            yield
        finally:
            async with self._changed:
                self._count -= 1
                self._alone = False
                self._changed.notify_all()

    def _free(self, *, alone: bool) -> bool:
        if alone:
            return self._count == 0
        return not self._alone and not self._suspects
