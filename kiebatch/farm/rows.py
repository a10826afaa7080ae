"""The rows of units: what is true of them, whatever the queue says."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kiebatch.farm.database import Database, Db
from kiebatch.media import Kind as Derivative
from kiebatch.units import Ended, Failed, Made, Order, Unit, derive

_DERIVED: tuple[Derivative, ...] = ("thumb", "poster", "peaks", "web")
_PARKED = Failed("parked", "it ended one worker after the other, so none takes it any more", retryable=False)

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

        async def work(db: Db) -> list[dict[str, Any]]:
            cursor = await db.execute(
                "SELECT key, state, ended FROM units WHERE key = ANY(%s) AND state <> 'open'", (list(keys),)
            )
            return await cursor.fetchall()

        return {row["key"]: _ended(row) for row in await self._database.transact(work)}

    # -- executing

    async def order(self, key: str) -> tuple[Order, bool] | None:
        """Return the order of an open unit, and whether it is a suspect; None where it is done, or gone."""

        async def work(db: Db) -> dict[str, Any] | None:
            cursor = await db.execute(
                "SELECT unit, attempt, number, address, dies_at, suspect FROM units WHERE key = %s AND state = 'open'",
                (key,),
            )
            return await cursor.fetchone()

        row = await self._database.transact(work)
        if row is None:
            return None
        output = None if row["attempt"] is None else (int(row["attempt"]), int(row["number"]))
        unit = Unit.from_json(row["unit"])
        return Order(unit=unit, address=row["address"], dies_at=row["dies_at"], output=output), row["suspect"]

    async def begin(self, order: Order) -> Ended | None:
        async def work(db: Db) -> dict[str, Any] | None:
            cursor = await db.execute(
                "UPDATE units SET started = started + 1, solo = solo + %(alone)s::int, worker = %(worker)s,"
                " alone = %(alone)s WHERE key = %(key)s AND state = 'open' RETURNING key",
                {"worker": self.worker, "alone": self.alone, "key": order.unit.key},
            )
            if await cursor.fetchone() is not None:
                return None
            cursor = await db.execute("SELECT key, state, ended FROM units WHERE key = %s", (order.unit.key,))
            return await cursor.fetchone()

        row = await self._database.transact(work)
        return None if row is None else _ended(row)

    async def end(self, order: Order, ended: Ended) -> None:
        """Write down how a unit ended, where its output's bytes are, and what is to be made from them: all at once."""

        async def work(db: Db) -> None:
            await db.execute(
                "UPDATE units SET state = %s, ended = %s, ended_at = clock_timestamp(), worker = NULL"
                " WHERE key = %s AND state = 'open'",
                (*_told(ended), order.unit.key),
            )
            if isinstance(ended, Made) and order.unit.kind == "download":
                await self._stored(db, order, ended)

        await self._database.transact(work)

    async def _stored(self, db: Db, order: Order, made: Made) -> None:
        facts = made.value["facts"]
        if order.output is not None:
            await db.execute(
                "UPDATE outputs SET sha256 = %s, bytes = %s, facts = %s, stored_at = clock_timestamp()"
                " WHERE attempt = %s AND number = %s AND stored_at IS NULL",
                (made.value["sha256"], facts["size_bytes"], json.dumps(facts), *order.output),
            )
        if self._derives:
            served = await kinds_served(db, self._dead_s)
            kinds = [
                kind for kind in _DERIVED if kind in served
            ]  # else they are made where they are looked at
            units = (derive(made.value["sha256"], facts["kind"], kind) for kind in kinds)
            await self.ask_in(db, [Order(unit=unit) for unit in units if unit is not None])


async def kinds_served(db: Db, dead_s: float) -> Collection[str]:
    """Return the kinds of units that somebody takes now: a worker without a sign of life for `dead_s` does not."""
    cursor = await db.execute(
        "SELECT DISTINCT unnest(kinds) AS kind FROM workers WHERE ended IS NULL"
        " AND beat > clock_timestamp() - make_interval(secs => %s)"
        " AND NOT EXISTS (SELECT 1 FROM about WHERE name = 'drained')",
        (dead_s,),
    )
    return {row["kind"] for row in await cursor.fetchall()}


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
