"""`kiebatch worker` as a process: it stores what is wanted, drains, is started once more, and needs no key."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from pathlib import Path

import pytest

from bench.buckets import Buckets
from bench.farm import Farm, check_stored, deferred, picture, wanted
from bench.waiting import until
from kiebatch.cli.app import exit_code
from kiebatch.record.store import layout, open_store
from kiebatch.team import schema
from support import farms

pytestmark = pytest.mark.needs("postgres")


def at_work(farm: Farm) -> int:
    (row,) = farm.ask("SELECT count(*) AS many FROM units WHERE state = 'open' AND worker IS NOT NULL")
    return int(row["many"])


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


@pytest.mark.slow
def test_a_worker_goes_on_while_a_newer_version_is_rolled_out(team_url: str, tmp_path: Path) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        orders = farm.prepare(2)
        farm.ask(f"UPDATE about SET value = '{schema.VERSION + 1}' WHERE name = 'before' RETURNING 1")
        farm.start()
        until(lambda: farm.alive() == 1, "the worker's life")
        asyncio.run(wanted(farm.database, orders, farm.store, tmp_path / "asking"))

        assert check_stored(farm, [picture(n) for n in range(2)]) == []
        assert farm.workers[0].poll() is None


@pytest.mark.slow
def test_a_worker_that_is_newer_than_the_ledger_takes_nothing(team_url: str, tmp_path: Path) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        (order,) = farm.prepare(1)
        asyncio.run(deferred(farm, [order]))
        farm.ask(f"UPDATE about SET value = '{schema.VERSION - 1}' WHERE name = 'before' RETURNING 1")
        farm.start()

        assert farm.workers[0].wait(30) == 2
        assert "team init" in (tmp_path / "said.txt").read_text()
        assert farm.ask("SELECT started FROM units") == [{"started": 0}]


@pytest.mark.slow
def test_what_a_frozen_worker_had_is_done_by_another_and_its_late_word_harms_nothing(
    team_url: str, tmp_path: Path
) -> None:
    with farms.farm(team_url, tmp_path, delay_s=1.0) as farm:
        orders = farm.prepare(10)
        farm.start(jobs=3)
        asyncio.run(deferred(farm, orders[:8]))
        until(lambda: at_work(farm) == 3, "the units of the first worker")
        assert farm.kill(0, signal.SIGSTOP)
        farm.start(jobs=3)
        until(lambda: farm.stored() >= 8, "the units of both workers, by the second")
        assert farm.kill(0, signal.SIGCONT)
        asyncio.run(wanted(farm.database, orders[8:], farm.store, tmp_path / "asking"))
        until(lambda: at_work(farm) == 0, "the end of what the frozen one does late")

        assert check_stored(farm, [picture(n) for n in range(10)]) == []
        assert farm.ask("SELECT DISTINCT state FROM units") == [{"state": "made"}]
        (counts,) = farm.ask("SELECT sum(started) AS started FROM units")
        assert counts["started"] <= 10 + 3 + 3
        assert [worker.poll() for worker in farm.workers] == [None, None]


@pytest.mark.slow
def test_workers_keep_results_in_a_bucket(team_url: str, tmp_path: Path, s3: Buckets) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        farm.bucket = s3.make("farm")
        orders = farm.prepare(6)
        for _ in range(2):
            farm.start(jobs=2)
        until(lambda: farm.alive() == 2, "the workers' lives")
        asyncio.run(wanted(farm.database, orders, farm.bucket, tmp_path / "asking"))
        farm.workers[0].terminate()

        assert farm.workers[0].wait(30) == 0
        assert farm.stored() == 6
        store = open_store(farm.bucket).objects
        for number in range(6):
            made = picture(number)
            assert store.read(layout.blob(hashlib.sha256(made).hexdigest()), 1 << 20) == made


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
