"""Runs of a team whose workers fetch what it pays for; and without workers, the same by the run itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.farm import Farm
from bench.waiting import until
from kiebatch.running import Outcome
from kiebatch.team import accounts
from support.film import TWO_SHOTS, Film
from support.ledgers import ACCOUNT

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def farm(film: Film, team_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    accounts.init(team_url, ACCOUNT, cap=100, lease_s=30)
    found = Farm(team_url, tmp_path, film.sim.url, "image", scale=0.05)
    found.store.mkdir()
    monkeypatch.setenv("KIEBATCH_TEAM", team_url)
    monkeypatch.setenv("KIEBATCH_ACCOUNT", ACCOUNT)
    monkeypatch.setenv("KIEBATCH_STORE", found.store.as_uri())
    film.write(TWO_SHOTS)
    yield found
    found.stop()


def run(film: Film, farm: Farm) -> Outcome:
    return film.run(store=farm.store.as_uri())


def outputs(farm: Farm) -> list[dict[str, Any]]:
    return farm.ask("SELECT sha256, facts, stored_at FROM outputs ORDER BY attempt")


@pytest.mark.slow
def test_without_a_worker_the_run_fetches_and_stores_for_itself(film: Film, farm: Farm) -> None:
    outcome = run(film, farm)

    assert outcome.status == "success"
    assert [row["sha256"] for row in outputs(farm)] == [entry["sha256"] for entry in film.manifest]
    assert all(row["stored_at"] for row in outputs(farm))
    assert farm.ask("SELECT key FROM units") == []
    assert not list((film.folder / ".kiebatch" / "parts").glob("*.part"))


@pytest.mark.slow
def test_workers_fetch_what_a_run_pays_for_and_derive_from_it(film: Film, farm: Farm) -> None:
    farm.start(kinds="download,derive")
    until(lambda: farm.alive() == 1, "the worker's life")
    film.sim.fault("download@1x2=gone")  # the key that renews a dead link is the run's alone

    outcome = run(film, farm)
    until(lambda: not farm.ask("SELECT key FROM units WHERE state = 'open'"), "the derivatives")

    assert outcome.status == "success"
    assert len(film.sim.charges()) == 2
    assert all((film.folder / entry["filename"]).is_file() for entry in film.manifest)
    assert [row["sha256"] for row in outputs(farm)] == [entry["sha256"] for entry in film.manifest]
    kinds = farm.ask(
        "SELECT kind, count(*) AS many FROM units WHERE state = 'made' GROUP BY kind ORDER BY kind"
    )
    assert [(row["kind"], row["many"]) for row in kinds] == [
        ("download", 2),
        ("poster", 2),
        ("thumb", 2),
        ("web", 2),
    ]
    assert len(list((farm.store / "derived").iterdir())) == 6
