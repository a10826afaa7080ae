"""The rows of units: what is true of them, whatever the queue says."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kiebatch.farm.database import Database, Db
from kiebatch.media import Kind as Derivative
from kiebatch.units import Ended, Failed, Made, Order, Unit, derive

_DERIVED: tuple[Derivative, ...] = ("thumb", "poster", "peaks", "web")
_PARKED = Failed("parked", "it ended one worker after the other, so none takes it any more", retryable=False)

_GONE = Failed("not-stored", "the store does not have its bytes any more", retryable=True)

# New, or failed before: it is to be queued.  What is made, parked or on its way stays as it is.
_ASK = """
INSERT INTO units (key, kind, unit, attempt, number, address, dies_at, priority)
SELECT * FROM unnest(%(keys)s::text[], %(kinds)s::text[], %(units)s::json[], %(attempts)s::bigint[], %(numbers)s::int[],
                     %(addresses)s::text[], %(deaths)s::double precision[], %(priorities)s::int[])
ON CONFLICT (key) DO UPDATE SET state = 'open', address = excluded.address, dies_at = excluded.dies_at,
  ended = NULL, ended_at = NULL, asked_at = clock_timestamp()
  WHERE units.state = 'failed'
RETURNING key, kind, priority
"""


class UnitRows:
    """Units in PostgreSQL.  `worker` is the id under which this process executes them.

    `derives` says whether thumbnails and the like are queued as soon as a download is stored.
    """

    def __init__(self, database: Database, *, derives: bool = True, dead_s: float = 20.0) -> None:
        self._database = database
        self._dead_s = dead_s
        self._derives = derives
        self._served: Collection[str] = ()
        self._served_until = 0.0
        self.worker: int | None = None
        self.alone = False

    # -- asking

    async def ask(self, orders: Sequence[Order]) -> None:
        """Write down that units are wanted, and queue those that are new, in one transaction."""
        wanted = list({order.unit.key: order for order in orders}.values())

        async def work(db: Db) -> None:
            await self.ask_in(db, wanted)

        await self._database.transact(work)

    async def ask_in(self, db: Db, orders: Sequence[Order]) -> None:
        """The same in the transaction that `db` is in."""
        if not orders:
            return
        cursor = await db.execute(_ASK, _columns(orders))
        new = await cursor.fetchall()
        await self._database.enqueue(db, [(row["key"], row["kind"], row["priority"]) for row in new])

    async def ended_of(self, keys: Sequence[str]) -> Mapping[str, Ended]:
        """Return how units ended, of those that did."""
        rows = await self._database.rows(
            "SELECT key, state, ended FROM units WHERE key = ANY(%s) AND state <> 'open'", list(keys)
        )
        return {row["key"]: _ended(row) for row in rows}

    async def forget(self, key: str) -> None:
        """Take a unit that is made for one that came to nothing, so that it can be asked for once more."""
        await self._database.rows(
            "UPDATE units SET state = %s, ended = %s WHERE key = %s AND state = 'made' RETURNING key",
            *(*_told(_GONE), key),
        )

    # -- executing

    async def order(self, key: str) -> tuple[Order, bool] | None:
        """Return the order of an open unit, and whether it is a suspect; None where it is done, or gone."""
        found = await self._database.rows(
            "SELECT unit, attempt, number, address, dies_at, suspect FROM units WHERE key = %s AND state = 'open'",
            key,
        )
        if not found:
            return None
        (row,) = found
        output = None if row["attempt"] is None else (int(row["attempt"]), int(row["number"]))
        unit = Unit.from_json(row["unit"])
        return Order(unit=unit, address=row["address"], dies_at=row["dies_at"], output=output), row["suspect"]

    async def begin(self, order: Order) -> Ended | None:
        begun = await self._database.rows(
            "UPDATE units SET started = started + 1, solo = solo + %s::int, worker = %s, alone = %s"
            " WHERE key = %s AND state = 'open' RETURNING key",
            *(self.alone, self.worker, self.alone, order.unit.key),
        )
        if begun:
            return None
        found = await self._database.rows(
            "SELECT key, state, ended FROM units WHERE key = %s", order.unit.key
        )
        return _ended(found[0]) if found and found[0]["state"] != "open" else None

    async def end(self, order: Order, ended: Ended) -> None:
        """Write down how a unit ended, where its output's bytes are, and what is to be made from them: all at once."""
        follow = await self._follow(order, ended)

        async def work(db: Db) -> None:
            await db.execute(
                "UPDATE units SET state = %s, ended = %s, ended_at = clock_timestamp(), worker = NULL"
                " WHERE key = %s AND state = 'open'",
                (*_told(ended), order.unit.key),
            )
            if isinstance(ended, Made) and order.unit.kind == "download":
                await self._stored(db, order, ended)
            await self.ask_in(db, follow)

        await self._database.transact(work)

    async def _stored(self, db: Db, order: Order, made: Made) -> None:
        if order.output is None:
            return
        facts = made.value["facts"]
        await db.execute(
            "UPDATE outputs SET sha256 = %s, bytes = %s, facts = %s, stored_at = clock_timestamp()"
            " WHERE attempt = %s AND number = %s AND stored_at IS NULL",
            (made.value["sha256"], facts["size_bytes"], json.dumps(facts), *order.output),
        )

    async def _follow(self, order: Order, ended: Ended) -> list[Order]:
        """Return what is to be made from a download, of the kinds that somebody takes: else it is made where it is shown."""
        if not self._derives or not isinstance(ended, Made) or order.unit.kind != "download":
            return []
        if self._served_until < time.monotonic():
            self._served = await kinds_served(self._database, self._dead_s)
            self._served_until = time.monotonic() + self._dead_s / 4
        sha256, modality = ended.value["sha256"], ended.value["facts"]["kind"]
        units = [derive(sha256, modality, kind) for kind in _DERIVED if kind in self._served]
        return [Order(unit=unit) for unit in units if unit is not None]


async def kinds_served(database: Database, dead_s: float) -> Collection[str]:
    """Return the kinds of units that somebody takes now: a worker without a sign of life for `dead_s` does not."""
    rows = await database.rows(
        "SELECT DISTINCT unnest(kinds) AS kind FROM workers WHERE ended IS NULL"
        " AND beat > clock_timestamp() - make_interval(secs => %s)"
        " AND NOT EXISTS (SELECT 1 FROM about WHERE name = 'drained')",
        dead_s,
    )
    return {row["kind"] for row in rows}


def _columns(orders: Sequence[Order]) -> dict[str, list[Any]]:
    outputs = [order.output or (None, None) for order in orders]
    return {
        "keys": [order.unit.key for order in orders],
        "kinds": [order.unit.kind for order in orders],
        "units": [order.unit.to_json() for order in orders],
        "attempts": [attempt for attempt, _ in outputs],
        "numbers": [number for _, number in outputs],
        "addresses": [order.address for order in orders],
        "deaths": [order.dies_at for order in orders],
        "priorities": [order.priority for order in orders],
    }


def _told(ended: Ended) -> tuple[str, str]:
    if isinstance(ended, Made):
        return "made", json.dumps(dict(ended.value))
    told = {"code": ended.code, "message": ended.message, "retryable": ended.retryable}
    return "failed", json.dumps(told)


def _ended(row: Mapping[str, Any]) -> Ended:
    if row["state"] == "parked":
        return _PARKED
    if row["state"] == "made":
        return Made(row["ended"])
    return Failed(**row["ended"])
