"""`team status` shows what the farm does, and `team drain` lets its workers finish."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.farm import Farm
from kiebatch.farm import farm_status
from kiebatch.team import Connection, accounts
from support.film import Film
from support.ledgers import ACCOUNT

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def farm(team_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Farm:
    accounts.init(team_url, ACCOUNT, cap=100, lease_s=30)
    monkeypatch.setenv("KIEBATCH_TEAM", team_url)
    monkeypatch.setenv("KIEBATCH_ACCOUNT", ACCOUNT)
    found = Farm(team_url, tmp_path, "https://media.example", "image")
    found.prepare(3)
    found.ask(
        "INSERT INTO units (key, kind, unit, priority, state, asked_at) VALUES"
        " ('download-a', 'download', '{}', 1, 'open', clock_timestamp() - interval '90 s'),"
        " ('download-b', 'download', '{}', 1, 'open', clock_timestamp()),"
        " ('web-c', 'web', '{}', 1, 'parked', clock_timestamp()) RETURNING 1"
    )
    found.ask(
        "INSERT INTO workers (host, pid, kinds, jobs, beat) VALUES"
        " ('render3', 4711, '{download}', 8, clock_timestamp()),"
        " ('render4', 4712, '{download}', 8, clock_timestamp() - interval '1 hour') RETURNING 1"
    )
    return found


@pytest.mark.slow
def test_status_shows_the_queue_by_kind_the_dead_and_the_parked(farm: Farm, film: Film) -> None:
    said = film.command("team", "status")
    found = film.command("team", "status", "--json").json["farm"]

    assert found["units"]["download"]["open"] == 2
    assert found["units"]["download"]["oldest_s"] >= 90
    assert [worker["dead"] for worker in found["workers"]] == [False, True]
    assert [unit["key"] for unit in found["parked"]] == ["web-c"]
    assert "dead: worker 4712 on render4" in said.out
    assert "download: 2 queued" in said.out
    assert "parked: web web-c" in said.out


@pytest.mark.slow
def test_a_drained_farm_says_so_until_it_is_resumed(farm: Farm, film: Film) -> None:
    first = film.command("team", "drain", "--json").json
    shown = film.command("team", "status").out
    film.command("team", "drain", "--resume")
    connection = Connection(farm.database)
    after = farm_status(connection)
    connection.close()

    assert first == {"drained": True, "at_work": 0}
    assert "the farm is drained" in shown
    assert not after.drained
