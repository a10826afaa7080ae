"""What a worker meets that its units do not cause, and what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.waiting import PATIENCE_S
from kiebatch.errors import Invalid
from kiebatch.farm import doable
from kiebatch.media import ffmpeg_version, find_ffmpeg
from kiebatch.team import Away
from kiebatch.units import Failed, Made
from support import unit_queues
from support.unit_queues import Stage


async def fetched(on: Stage, times: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(on.fetched) < times:  # noqa: ASYNC110 - a server in a thread counts
            await asyncio.sleep(0.005)


@pytest.mark.needs("postgres")
def test_a_unit_waits_while_the_store_is_away_and_is_done_when_it_is_back(
    team_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with unit_queues.team(tmp_path, team_url) as on, on.working():
            (tmp_path / "store").rename(tmp_path / "elsewhere")
            asked = asyncio.create_task(on.queue.result(on.order(1)))
            await fetched(on, 2)
            assert not asked.done()
            (tmp_path / "elsewhere").rename(tmp_path / "store")

            assert isinstance(await asked, Made)

    asyncio.run(scenario())


@pytest.mark.needs("postgres")
def test_a_unit_that_a_bug_ends_has_failed_for_whoever_waits(team_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unit_queues.team(tmp_path, team_url) as on, on.working():
            order = on.order(1)
            ended = await on.queue.result(replace(order, unit=replace(order.unit, params={})))

            assert isinstance(ended, Failed)
            assert (ended.code, ended.retryable) == ("crashed", True)
            assert "KeyError" in ended.message

    asyncio.run(scenario())


@pytest.mark.needs("postgres")
def test_a_database_that_refuses_a_worker_is_named_with_what_it_says(tmp_path: Path, team_url: str) -> None:
    there = team_url.partition("?")[0].rpartition("/")[0]

    async def scenario() -> None:
        async with unit_queues.team(tmp_path, f"{there}/no-such-database"):
            pass

    with pytest.raises(Away, match='"no-such-database" does not exist'):
        asyncio.run(scenario())


@pytest.fixture
def named_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Return the path of the ffmpeg that this process looks for now; nothing is there yet."""
    monkeypatch.setenv("KIEBATCH_FFMPEG", str(tmp_path / "ffmpeg"))
    for remembered in (find_ffmpeg, ffmpeg_version):
        remembered.cache_clear()
    yield tmp_path / "ffmpeg"
    monkeypatch.undo()
    for remembered in (find_ffmpeg, ffmpeg_version):
        remembered.cache_clear()


def test_a_worker_does_not_take_what_its_ffmpeg_cannot_do(named_ffmpeg: Path) -> None:
    with pytest.raises(Invalid, match="does not run"):
        doable(())

    named_ffmpeg.write_text("#!/bin/sh\nexit 1\n")
    named_ffmpeg.chmod(0o755)
    with pytest.raises(Invalid, match="does not say its version"):
        doable(())
