"""What keeps queue and rows in step: the reaper and the reconciler.  Every worker runs both; one at a time does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from procrastinate import exceptions as queue_errors

from kiebatch.farm.database import AT_ONCE, Database, Db
from kiebatch.farm.pace import Pace
from kiebatch.farm.rows import UnitRows
from kiebatch.model import Modality, Output, as_form
from kiebatch.provider import lifetimes
from kiebatch.units import Order, download

_DOWNLOAD_S = 3600.0
# Three deaths while a unit ran alone are its fault, unless workers die of themselves: how many are too many for chance
# follows from how often others died while they ran alone.
_BLAME = """
WITH others AS (
  SELECT coalesce(least(0.5, greatest(0.01, sum(killed)::float / sum(solo))), 0.01) AS rate
  FROM units WHERE solo > 0 AND key <> %(key)s
)
UPDATE units SET suspect = true, worker = NULL, killed = killed + alone::int,
  state = CASE WHEN alone AND killed + 1 >= ceil(ln(0.0000011) / ln(rate)) THEN 'parked' ELSE state END
FROM others WHERE key = %(key)s AND state = 'open' AND worker IS NOT NULL
"""
# A download is of an output that no run has brought home within a minute, and that nobody asked for yet.
_FORGOTTEN = """
SELECT o.attempt, o.number, o.url, o.label, a.task_id, a.job->>'modality' AS modality, extract(epoch FROM o.seen_at) AS seen_at
FROM outputs o JOIN attempts a ON a.id = o.attempt
WHERE o.stored_at IS NULL AND o.entry IS NULL AND o.url IS NOT NULL AND a.task_id IS NOT NULL
  AND o.seen_at < clock_timestamp() - make_interval(secs => %s)
  AND NOT EXISTS (SELECT 1 FROM units u WHERE u.attempt = o.attempt AND u.number = o.number)
LIMIT 500
"""
_NOT_QUEUED = """
SELECT u.key, u.kind, u.priority FROM units u
WHERE u.state = 'open' AND u.asked_at < clock_timestamp() - make_interval(secs => %s)
  AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.queueing_lock = u.key AND j.status IN ('todo', 'doing'))
LIMIT 500
"""
# What failed for lack of its input, or of time, is tried again; a download waits for the run that renews its link.
_RETRYABLE = """
UPDATE units SET state = 'open', ended = NULL, ended_at = NULL
WHERE state = 'failed' AND kind <> 'download' AND (ended->>'retryable')::boolean AND started < 5
  AND ended_at < clock_timestamp() - make_interval(secs => %s)
"""

# The output's own row says where the bytes are; that of its unit is of no use after a week.
_OLD = "DELETE FROM units WHERE state = 'made' AND ended_at < clock_timestamp() - interval '7 days'"


# A dead worker is shown for a day; a machine that was taken down is nobody's trouble then.
_LONG_DEAD = """
UPDATE workers SET ended = clock_timestamp() WHERE ended IS NULL AND beat < clock_timestamp() - interval '1 day'
"""


@dataclass(frozen=True, slots=True)
class Mended:
    """What one look put right."""

    stalled: int = 0
    missing: int = 0


class Upkeep:
    """Looks after the units of a team."""

    def __init__(self, database: Database, rows: UnitRows, pace: Pace) -> None:
        self._database = database
        self._rows = rows
        self._pace = pace

    async def reap(self) -> Mended:
        """Queue the units of dead workers once more; the queue does not do that by itself."""
        manager = self._database.app.job_manager
        stalled = await manager.get_stalled_jobs(seconds_since_heartbeat=self._pace.dead_s)
        count = 0
        for job in stalled:
            key = str(job.task_kwargs.get("key", ""))

            async def blame(db: Db, key: str = key) -> None:
                await db.execute(_BLAME, {"key": key})

            await self._database.transact(blame)
            assert job.id is not None
            try:
                await manager.retry_job_by_id_async(job.id, retry_at=AT_ONCE)
                count += 1
            except queue_errors.ConnectorException:
                continue  # another worker was faster, or it waits in the queue already
        return Mended(stalled=count)

    async def reconcile(self) -> Mended:
        """Queue what the queue does not have although its row says that it is to be done."""

        async def work(db: Db) -> int:
            cursor = await db.execute(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('kiebatch units', 0)) AS mine"
            )
            mine = await cursor.fetchone()
            if mine is None or not mine["mine"]:
                return 0
            await db.execute(_RETRYABLE, (self._pace.reconcile_s,))
            await db.execute(_OLD)
            await db.execute(_LONG_DEAD)
            cursor = await db.execute(_NOT_QUEUED, (self._pace.beat_s,))
            missing = [(row["key"], row["kind"], row["priority"]) for row in await cursor.fetchall()]
            await self._database.enqueue(db, missing)
            return len(missing)

        missing = await self._database.transact(work)
        return Mended(missing=missing + await self._forgotten())

    async def _forgotten(self) -> int:
        async def work(db: Db) -> list[Order]:
            cursor = await db.execute(_FORGOTTEN, (self._pace.reconcile_s,))
            return [_order(row) for row in await cursor.fetchall()]

        orders = await self._database.transact(work)
        await self._rows.ask(orders)
        return len(orders)


class _Forgotten(TypedDict):
    """What `_FORGOTTEN` returns of an output."""

    attempt: int
    number: int
    url: str
    label: str
    task_id: str
    modality: Modality
    seen_at: Decimal


def _order(row: Mapping[str, object]) -> Order:
    found = as_form(_Forgotten, row)
    attempt, number = found["attempt"], found["number"]
    output = Output(number=number, url=found["url"], label=found["label"])
    unit = download(str(attempt), found["task_id"], output, found["modality"], timeout_s=_DOWNLOAD_S)
    dies_at = float(found["seen_at"]) + lifetimes.RESULT_LINK.kept_s
    return Order(unit=unit, address=found["url"], dies_at=dies_at, output=(attempt, number))
