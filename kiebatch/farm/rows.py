"""The rows of units: what is true of them, whatever the queue says."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import LiteralString, TypedDict

from kiebatch.farm.database import Database, Db
from kiebatch.media import Kind as Derivative
from kiebatch.model import JSON, Row, as_form
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
RETURNING key, kind, priority,
  EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.queueing_lock = units.key AND j.status = 'todo') AS queued
"""


_TAKE = """
UPDATE units SET started = started + 1, solo = solo + %s::int, worker = %s, alone = %s
WHERE key = %s AND state = 'open' AND (NOT suspect OR %s) RETURNING unit, attempt, number, address, dies_at
"""
# Bytes that are stored are stored, whoever says it; that it came to nothing says only who has the unit still.
_ENDED = """
UPDATE units SET state = %(state)s, ended = %(ended)s, ended_at = clock_timestamp(), worker = NULL
WHERE key = %(key)s AND state = 'open' AND (%(state)s = 'made' OR worker IS NOT DISTINCT FROM %(worker)s)
"""
_STORED: LiteralString = f"""
WITH unit AS ({_ENDED})
UPDATE outputs SET sha256 = %(sha256)s, bytes = %(bytes)s, facts = %(facts)s, stored_at = clock_timestamp()
WHERE attempt = %(attempt)s AND number = %(number)s AND stored_at IS NULL
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
        lacking = [(row["key"], row["kind"], row["priority"]) for row in new if not row["queued"]]
        await self._database.enqueue(db, lacking)

    async def ended_of(self, keys: Sequence[str]) -> Mapping[str, Ended]:
        """Return how units ended, of those that did."""
        rows = await self._database.rows(
            "SELECT key, state, ended FROM units WHERE key = ANY(%s) AND state <> 'open'", list(keys)
        )
        return {row["key"]: _ended(row) for row in rows}

    async def forget(self, key: str) -> None:
        """Take a unit that is made for one that came to nothing, so that it can be asked for once more."""
        await self._database.rows(
            "UPDATE units SET state = 'failed', ended = %s WHERE key = %s AND state = 'made' RETURNING key",
            *(_told(_GONE)["ended"], key),
        )

    # -- executing

    async def take(self, key: str, *, alone: bool) -> Order | None:
        """Write down that a unit is at work, `alone` or beside others, and return its order.

        None where it is done, or gone, or a suspect that is to be alone.
        """
        found = await self._database.rows(_TAKE, alone, self.worker, alone, key, alone)
        return _order(found[0]) if found else None

    async def is_suspect(self, key: str) -> bool:
        """Whether a unit is to be executed alone."""
        found = await self._database.rows(
            "SELECT 1 FROM units WHERE key = %s AND state = 'open' AND suspect", key
        )
        return bool(found)

    async def begin(self, order: Order) -> Ended | None:
        begun = await self._database.rows(_TAKE, False, self.worker, False, order.unit.key, True)
        if begun:
            return None
        found = await self._database.rows(
            "SELECT key, state, ended FROM units WHERE key = %s", order.unit.key
        )
        return _ended(found[0]) if found and found[0]["state"] != "open" else None

    async def end(self, order: Order, ended: Ended) -> None:
        """Write down how a unit ended, where its output's bytes are, and what is to be made from them: all at once."""
        follow = await self._follow(order, ended)
        told = {**_told(ended), "key": order.unit.key, "worker": self.worker}
        if isinstance(ended, Made) and order.output is not None:
            statement, told = _STORED, {**told, **_output(order.output, ended.value)}
        else:
            statement = _ENDED

        async def work(db: Db) -> None:
            await db.execute(statement, told)
            await self.ask_in(db, follow)

        await self._database.transact(work, at_once=not follow)

    async def failed(self, key: str, failed: Failed) -> None:
        """Write down that a unit that is at work here came to nothing."""

        async def work(db: Db) -> None:
            await db.execute(_ENDED, {**_told(failed), "key": key, "worker": self.worker})

        await self._database.transact(work, at_once=True)

    async def put_back(self, key: str) -> None:
        """Write down that a unit that was at work here waits once more."""

        async def work(db: Db) -> None:
            await db.execute(
                "UPDATE units SET worker = NULL WHERE key = %s AND state = 'open' AND worker = %s",
                (key, self.worker),
            )

        await self._database.transact(work, at_once=True)

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


class _OrderRow(TypedDict):
    """What `_TAKE` returns of a unit."""

    unit: Mapping[str, JSON]
    attempt: int | None
    number: int | None
    address: str
    dies_at: float | None


class _EndedRow(TypedDict):
    """How a unit ended: what was made of it, or why it failed."""

    state: str
    ended: Mapping[str, JSON]


class _Told(TypedDict):
    """The state in which a unit ended, and the JSON that its row gets."""

    state: str
    ended: str


class _Stored(TypedDict):
    """What the row of an output gets once its bytes are stored."""

    sha256: str
    bytes: int
    facts: str
    attempt: int
    number: int


def _columns(orders: Sequence[Order]) -> dict[str, Sequence[object]]:
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


def _order(row: Mapping[str, object]) -> Order:
    taken = as_form(_OrderRow, row)
    attempt, number = taken["attempt"], taken["number"]
    output = None if attempt is None or number is None else (attempt, number)
    unit = Unit.from_json(taken["unit"])
    return Order(unit=unit, address=taken["address"], dies_at=taken["dies_at"], output=output)


def _told(ended: Ended) -> _Told:
    if isinstance(ended, Made):
        return {"state": "made", "ended": json.dumps(dict(ended.value))}
    told = {"code": ended.code, "message": ended.message, "retryable": ended.retryable}
    return {"state": "failed", "ended": json.dumps(told)}


def _output(output: tuple[int, int], made: Mapping[str, JSON]) -> _Stored:
    attempt, number = output
    facts = Row(made).mapping("facts")
    return {
        "sha256": Row(made).text("sha256"),
        "bytes": Row(facts).whole("size_bytes"),
        "facts": json.dumps(facts),
        "attempt": attempt,
        "number": number,
    }


def _ended(row: Mapping[str, object]) -> Ended:
    found = as_form(_EndedRow, row)
    if found["state"] == "parked":
        return _PARKED
    if found["state"] == "made":
        return Made(found["ended"])
    told = Row(found["ended"])
    return Failed(code=told.text("code"), message=told.text("message"), retryable=told.flag("retryable"))
