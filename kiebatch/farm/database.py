"""The farm's connections to the team's PostgreSQL, and the queue that lies in it.

The driver and the queue's library are extras; nothing imports this module where there is no team.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, LiteralString, TypeVar

from kiebatch.errors import Invalid, KieBatchError, install_hint, plain
from kiebatch.team import Away, conninfo
from kiebatch.team.environment import shown

try:
    import procrastinate
    import psycopg
    import psycopg_pool
    from procrastinate import exceptions as queue_errors
    from procrastinate.jobs import Job
    from procrastinate.retry import BaseRetryStrategy, RetryDecision
    from psycopg.rows import dict_row
except ImportError:  # pragma: no cover - the extra is installed where the tests run
    raise Invalid("a farm needs the extra `team`", hint=install_hint("team")) from None

T = TypeVar("T")
Db = psycopg.AsyncConnection[dict[str, Any]]

TASK = "kiebatch.unit"
# Long ago by any clock: that of a worker may be ahead.
AT_ONCE = datetime.datetime.fromtimestamp(0, datetime.UTC)
_OPEN_S = 5.0
_AGAIN_S = (0.1, 0.5, 1.0, 2.0)
# What a database that goes away or comes back raises, and what the queue makes of it.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    queue_errors.ConnectorException,
)


async def _by_statement(db: Db) -> None:
    """Let one statement be a transaction of its own, which saves two ways to the server for nearly all of them."""
    await db.set_autocommit(True)


class _Again(BaseRetryStrategy):
    """A unit that met what it did not cause, a store that takes nothing say, is tried another time."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        return RetryDecision(retry_at=AT_ONCE) if isinstance(exception, KieBatchError) else None


class Database:
    """A pool of connections; what breaks is opened again by the pool."""

    def __init__(self, url: str, *, most: int = 4) -> None:
        # Of our own making, as theirs asks the server before each use whether a connection still works: a broken one
        # is noticed by what it is used for.
        self._url, self._conninfo = url, conninfo(url)
        self._pool = psycopg_pool.AsyncConnectionPool(
            conninfo=self._conninfo,
            min_size=1,
            max_size=most,
            timeout=_OPEN_S,
            kwargs={"row_factory": dict_row, "prepare_threshold": None},
            configure=_by_statement,
            open=False,
        )
        self.app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        # Their logs name every job and every try to connect; what is to be known is in the rows, or raised.
        for name in ("procrastinate", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._pool.close)
            try:
                # The pool would try again and again, and not say why.
                await (await psycopg.AsyncConnection.connect(self._conninfo)).close()
                await self._pool.open(wait=True, timeout=_OPEN_S)
                await self.app.open_async(self._pool)
            except AWAY as error:
                said = (str(error).strip().splitlines() or ["it went away"])[0]
                raise Away(
                    f"the team's database at {shown(self._url)} cannot be reached: {plain(said, 200)}"
                ) from error
            yield

    async def transact(
        self, work: Callable[[Db], Awaitable[T]], *, patience_s: float = 60.0, at_once: bool = False
    ) -> T:
        """Do some work in one transaction; done again where the database went away, `Away` when it stays away.

        One statement is a transaction by itself: work that is no more than that is done `at_once`.
        """

        async def together(db: Db) -> T:
            async with db.transaction():
                return await work(db)

        return await self._patiently(work if at_once else together, patience_s)

    async def rows(self, sql: LiteralString, *given: Any) -> list[dict[str, Any]]:
        """Return the rows of one statement, with the same patience."""

        async def work(db: Db) -> list[dict[str, Any]]:
            return await (await db.execute(sql, given)).fetchall()

        return await self._patiently(work, 60.0)

    async def _patiently(self, work: Callable[[Db], Awaitable[T]], patience_s: float) -> T:
        loop = asyncio.get_running_loop()
        deadline, tries = loop.time() + patience_s, 0
        while True:
            try:
                async with self._pool.connection() as db:
                    return await work(db)
            except (
                psycopg.errors.DeadlockDetected,
                psycopg.errors.UniqueViolation,
                queue_errors.AlreadyEnqueued,
            ):
                if tries > len(_AGAIN_S):
                    raise
            except AWAY as error:
                if loop.time() >= deadline:
                    raise Away("the team's database cannot be reached; the units stay queued") from error
            await asyncio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
            tries += 1

    def serve(self, work: Callable[[str], Awaitable[None]]) -> None:
        """Have units executed by `work`, which is given their keys."""
        if TASK not in self.app.tasks:
            self.app.task(name=TASK, retry=_Again())(work)

    async def enqueue(self, db: Db, units: Sequence[tuple[str, str, int]]) -> None:
        """Put units into the queue, each as key, kind and priority, in the transaction that `db` is in."""
        if not units:
            return
        jobs = [
            Job(
                queue=kind,
                priority=priority,
                lock=None,
                queueing_lock=key,
                task_name=TASK,
                task_kwargs={"key": key},
            )
            for key, kind, priority in units
        ]
        await self.app.job_manager.batch_defer_jobs_async(jobs=jobs, connection=db)
