"""The rows of units are the truth: what the queue lost, or a dead worker left behind, comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from bench.farm import Farm
from kiebatch.farm import Pace
from kiebatch.farm.database import Database, Db
from kiebatch.farm.rows import UnitRows
from kiebatch.farm.upkeep import Upkeep
from kiebatch.units import Ended, Failed, Made, Order

T = TypeVar("T")

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def farm(team_url: str, tmp_path: Path) -> Farm:
    return Farm(team_url, tmp_path, "https://media.example", "image")


def kept(farm: Farm, scenario: Callable[[Database, UnitRows, Upkeep], Awaitable[T]]) -> T:
    """Run a scenario over a farm's rows; its minute has passed at once."""

    async def run() -> T:
        database = Database(farm.database)
        async with database.opened():
            rows = UnitRows(database)
            return await scenario(database, rows, Upkeep(database, rows, Pace(scale=0.0)))

    return asyncio.run(run())


async def taken(database: Database, rows: UnitRows, order: Order, *, alone: bool = True) -> None:
    """Take a unit as a worker does that then dies: its job is at work, and nobody shows a sign of life."""
    manager = database.app.job_manager
    worker = await manager.register_worker()
    assert await manager.fetch_job(queues=None, worker_id=worker)
    rows.worker = worker
    assert await rows.take(order.unit.key, alone=alone)
    await manager.prune_stalled_workers(0.0)


def jobs(farm: Farm) -> list[tuple[str, str]]:
    rows = farm.ask("SELECT queueing_lock, status::text FROM procrastinate_jobs ORDER BY id")
    return [(row["queueing_lock"], row["status"]) for row in rows]


def test_a_unit_whose_job_the_queue_lost_is_queued_once_more(farm: Farm) -> None:
    (order,) = farm.prepare(1)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> tuple[int, int]:
        await rows.ask([order])
        farm.ask("DELETE FROM procrastinate_jobs RETURNING id")
        first = await upkeep.reconcile()
        second = await upkeep.reconcile()
        return first.missing, second.missing

    assert kept(farm, scenario) == (1, 0)
    assert jobs(farm) == [(order.unit.key, "todo")]


def test_an_output_that_no_run_asked_for_is_fetched_by_the_workers(farm: Farm) -> None:
    (order,) = farm.prepare(1)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> int:
        return (await upkeep.reconcile()).missing

    assert kept(farm, scenario) == 1
    assert jobs(farm) == [(order.unit.key, "todo")]


def test_the_unit_of_a_dead_worker_is_queued_once_more(farm: Farm) -> None:
    (order,) = farm.prepare(1)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> int:
        await rows.ask([order])
        await taken(database, rows, order)
        return (await upkeep.reap()).stalled

    assert kept(farm, scenario) == 1
    assert jobs(farm) == [(order.unit.key, "todo")]


@pytest.mark.slow
def test_a_unit_that_ended_three_workers_is_parked_and_told_to_who_waits(farm: Farm) -> None:
    (order,) = farm.prepare(1)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> tuple[Order | None, Ended]:
        await rows.ask([order])
        for _ in range(3):
            await taken(database, rows, order)
            await upkeep.reap()
        found = await rows.take(order.unit.key, alone=True)
        return found, (await rows.ended_of([order.unit.key]))[order.unit.key]

    found, ended = kept(farm, scenario)

    assert found is None
    assert isinstance(ended, Failed)
    assert ended.code == "parked"


@pytest.mark.slow
def test_a_unit_is_not_blamed_for_the_death_of_a_worker_that_did_others_too(farm: Farm) -> None:
    (order,) = farm.prepare(1)

    async def scenario(
        database: Database, rows: UnitRows, upkeep: Upkeep
    ) -> tuple[Order | None, bool, Order | None]:
        await rows.ask([order])
        await taken(database, rows, order, alone=False)
        await upkeep.reap()
        beside = await rows.take(order.unit.key, alone=False)
        return beside, await rows.is_suspect(order.unit.key), await rows.take(order.unit.key, alone=True)

    beside, suspect, alone = kept(farm, scenario)

    assert beside is None
    assert suspect
    assert alone == order
    assert farm.ask("SELECT killed, started FROM units") == [{"killed": 0, "started": 2}]


@pytest.mark.slow
def test_a_unit_is_not_parked_where_workers_die_whatever_they_do(farm: Farm) -> None:
    order, *others = farm.prepare(5)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> Order | None:
        for other in others:
            await rows.ask([other])
            await taken(database, rows, other)
            await upkeep.reap()
            farm.ask("DELETE FROM procrastinate_jobs RETURNING id")
        await rows.ask([order])
        for _ in range(4):
            await taken(database, rows, order)
            await upkeep.reap()
        return await rows.take(order.unit.key, alone=True)

    assert kept(farm, scenario) == order


def test_a_unit_is_queued_with_its_row_or_not_at_all(farm: Farm) -> None:
    (order,) = farm.prepare(1)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> None:
        async def interrupted(db: Db) -> None:
            await rows.ask_in(db, [order])
            raise KeyError("the program ends before the commit")

        with pytest.raises(KeyError):
            await database.transact(interrupted)

    kept(farm, scenario)

    assert farm.ask("SELECT key FROM units") == []
    assert jobs(farm) == []


def test_a_worker_that_wakes_up_late_says_what_it_stored_and_not_what_failed(farm: Farm) -> None:
    late, other = farm.prepare(2)
    failed = Failed("gone", "the link is dead", retryable=True)
    facts = {"kind": "image", "media_type": "image/png", "size_bytes": 3}
    made = Made({"sha256": "a" * 64, "facts": facts})

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> None:
        await rows.ask([late, other])
        frozen, faster = UnitRows(database, derives=False), UnitRows(database, derives=False)
        frozen.worker, faster.worker = 1, 2
        for order in (late, other):
            assert await frozen.take(order.unit.key, alone=True)
            assert await faster.take(order.unit.key, alone=True)  # the reaper had queued it once more
        await frozen.end(late, failed)
        await frozen.end(other, made)
        await faster.end(late, made)
        await faster.end(other, failed)

    kept(farm, scenario)

    assert [row["state"] for row in farm.ask("SELECT state FROM units")] == ["made", "made"]
    stored = farm.ask("SELECT sha256 FROM outputs WHERE stored_at IS NOT NULL")
    assert [row["sha256"] for row in stored] == ["a" * 64, "a" * 64]


def test_a_worker_that_is_dead_for_a_day_is_shown_no_more(farm: Farm) -> None:
    farm.prepare(0)
    farm.ask(
        "INSERT INTO workers (host, pid, kinds, jobs, beat) VALUES ('down', 1, '{}', 1, clock_timestamp() - interval '25 hours'),"
        " ('dead', 2, '{}', 1, clock_timestamp() - interval '1 hour') RETURNING id"
    )

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> None:
        await upkeep.reconcile()

    kept(farm, scenario)

    assert [row["host"] for row in farm.ask("SELECT host FROM workers WHERE ended IS NULL")] == ["dead"]


def test_a_unit_that_failed_and_is_still_queued_can_be_asked_for_beside_others(farm: Farm) -> None:
    failed, other = farm.prepare(2)

    async def scenario(database: Database, rows: UnitRows, upkeep: Upkeep) -> None:
        await rows.ask([failed])
        await rows.failed(failed.unit.key, Failed("timeout", "it took long", retryable=True))
        await rows.ask([failed, other])

    kept(farm, scenario)

    assert [row["state"] for row in farm.ask("SELECT state FROM units")] == ["open", "open"]
    assert jobs(farm) == [(failed.unit.key, "todo"), (other.unit.key, "todo")]
