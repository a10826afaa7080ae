"""The contract of every queue of units: each is executed once, the most urgent first, and its end is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from kiebatch.units import Failed, Made
from support import unit_queues
from support.unit_queues import Stage

Open = Callable[[], AbstractAsyncContextManager[Stage]]


@pytest.fixture(params=["local", pytest.param("team", marks=pytest.mark.needs("postgres"))])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    database = request.getfixturevalue("team_url") if request.param == "team" else ""
    return lambda: unit_queues.STAGES[request.param](tmp_path / "shelf", database)


def test_a_unit_is_executed_and_its_end_is_told(stage: Open) -> None:
    async def scenario() -> None:
        async with stage() as on, on.working():
            ended = await on.queue.result(on.order(1))

            assert isinstance(ended, Made)
            assert ended.value["sha256"] == unit_queues.digest(1)
            assert ended.value["facts"]["media_type"] == "image/png"
            assert on.fetched == ["1"]

    asyncio.run(scenario())


def test_a_unit_that_many_ask_for_is_executed_once(stage: Open) -> None:
    async def scenario() -> None:
        async with stage() as on, on.working():
            await on.queue.defer([on.order(1), on.order(1)])
            ended = await asyncio.gather(*(on.queue.result(on.order(1)) for _ in range(5)))

            assert len({one.value["sha256"] for one in ended if isinstance(one, Made)}) == 1
            assert all(isinstance(one, Made) for one in ended)
            assert on.fetched == ["1"]

    asyncio.run(scenario())


def test_the_link_that_dies_next_is_fetched_first(stage: Open) -> None:
    async def scenario() -> None:
        async with stage() as on:
            await on.queue.defer(
                [on.order(1, dies_at=9e5), on.order(2, dies_at=3e5), on.order(3, dies_at=6e5)]
            )
            async with on.working(jobs=1):
                await on.emptied()

            assert on.fetched == ["2", "3", "1"]

    asyncio.run(scenario())


def test_a_dead_link_is_told_and_another_address_heals_it(stage: Open) -> None:
    async def scenario() -> None:
        async with stage() as on, on.working():
            on.dead.add("1")
            first = await on.queue.result(on.order(1))
            second = await on.queue.result(on.order(1, at="1-renewed"))

            assert isinstance(first, Failed)
            assert first.code == "gone"
            assert isinstance(second, Made)
            assert second.value["sha256"] == unit_queues.digest(1)

    asyncio.run(scenario())


def test_what_waits_is_counted_by_kind_and_drained_work_takes_no_more(stage: Open) -> None:
    async def scenario() -> None:
        async with stage() as on:
            await on.queue.defer([on.order(n) for n in (1, 2, 3)])
            waiting = await on.queue.depth()
            async with on.working():
                await asyncio.gather(*(on.queue.result(on.order(n)) for n in (1, 2, 3)))
            after = await on.queue.depth()
            await on.queue.defer([on.order(4)])

            assert waiting == {"download": 3}
            assert after == {}
            assert await on.queue.depth() == {"download": 1}
            assert sorted(on.fetched) == ["1", "2", "3"]

    asyncio.run(scenario())


def test_a_unit_whose_bytes_are_gone_is_executed_once_more(stage: Open) -> None:
    async def scenario() -> None:
        async with stage() as on, on.working():
            await on.queue.result(on.order(1))
            await on.queue.forget(on.order(1))
            ended = await on.queue.result(on.order(1))

            assert isinstance(ended, Made)
            assert on.fetched == ["1", "1"]

    asyncio.run(scenario())
