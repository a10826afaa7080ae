"""`kiebatch worker` as a process: it stores what is wanted, drains, is started once more, and needs no key."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from bench.farm import check_stored, picture, wanted
from bench.waiting import until
from kiebatch.cli.app import exit_code
from kiebatch.team import schema
from support import farms

pytestmark = pytest.mark.needs("postgres")


@pytest.mark.slow
def test_workers_store_what_a_run_asks_for_and_finish_what_they_began(team_url: str, tmp_path: Path) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        orders = farm.prepare(12)
        farm.start(jobs=3)
        until(lambda: farm.alive() == 1, "the worker's life")
        asyncio.run(wanted(farm.database, orders, farm.store, tmp_path / "asking"))
        farm.workers[0].terminate()

        assert farm.workers[0].wait(30) == 0
        assert check_stored(farm, [picture(n) for n in range(12)]) == []
        assert farm.alive() == 0


@pytest.mark.slow
def test_a_worker_that_is_killed_is_started_once_more_and_loses_nothing(
    team_url: str, tmp_path: Path
) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        orders = farm.prepare(6)
        farm.start(jobs=2)
        until(lambda: farm.alive() == 1, "the worker's life")
        assert farm.kill(0)
        asyncio.run(wanted(farm.database, orders, farm.store, tmp_path / "asking"))

        assert check_stored(farm, [picture(n) for n in range(6)]) == []
        assert farm.workers[0].poll() is None


@pytest.mark.slow
def test_a_worker_ends_with_its_parent(team_url: str, tmp_path: Path) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        farm.prepare(1)
        farm.start()
        until(lambda: farm.alive() == 1, "the worker's life")
        farm.workers[0].send_signal(signal.SIGKILL)

        until(lambda: farm.alive() == 0, "the end of its child")


@pytest.mark.slow
def test_a_worker_ends_cleanly_where_the_schema_is_newer(team_url: str, tmp_path: Path) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        farm.prepare(1)
        farm.start()
        until(lambda: farm.alive() == 1, "the worker's life")
        farm.ask(
            f"UPDATE about SET value = '{schema.VERSION + 1}' WHERE name IN ('before', 'after') RETURNING 1"
        )

        assert farm.workers[0].wait(30) == 2
        assert "update kiebatch" in (tmp_path / "said.txt").read_text()


@pytest.mark.parametrize(
    ("environ", "arguments", "said"),
    [
        ({}, [], "needs KIEBATCH_TEAM and KIEBATCH_STORE"),
        (
            {"KIEBATCH_TEAM": "postgresql:///x", "KIEBATCH_STORE": "file:///x"},
            ["--kinds", "dig"],
            "not a kind",
        ),
        ({"KIEBATCH_TEAM": "postgresql:///x", "KIEBATCH_STORE": "file:///x"}, ["--kinds", "upload"], "key"),
    ],
)
def test_what_a_worker_cannot_do_is_said_before_it_starts(
    environ: dict[str, str],
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert exit_code(["worker", *arguments]) == 2
    assert said in capsys.readouterr().err
