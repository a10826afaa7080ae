"""Studios that are mistreated, in small; `bench/team.py` and `bench/studios.py` do it at length."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bench import lives, postgres, studios, team
from support.any_order import FILM, AnyOrder

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres")]


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with studios.environment():
        yield


def test_killed_coordinators_pay_nothing_twice_and_lose_nothing() -> None:
    team.kills(50, 200, every_s=(0.2, 0.8))


def test_a_database_that_is_stopped_costs_nothing() -> None:
    team.stops(2, 60)


def test_four_coordinators_with_wrong_clocks_keep_one_window() -> None:
    team.clocks(60)


@pytest.mark.parametrize("people", [1, 3])
def test_a_life_by_a_shared_ledger_pays_for_every_key_once(
    postgres_server: postgres.Server, people: int
) -> None:
    url = postgres_server.url
    kind = studios.of(studios.Alone, url) if people == 1 else studios.of(studios.Studio, url, people)

    found = list(lives.lives(range(1), kind=kind))

    assert [f"seed {life.seed}: {error!r}" for life, error in found if error is not None] == []
    assert all(life.charges for life, _ in found)


def test_any_order_of_things_in_a_team(postgres_server: postgres.Server) -> None:
    class InATeam(AnyOrder):
        kind = studios.of(studios.Alone, postgres_server.url)

    with tempfile.TemporaryDirectory() as folder:
        InATeam.film = lives.Film.read(Path(folder), FILM, remade=["From the boat"])
        InATeam.TestCase.settings = settings(
            max_examples=3, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
        )
        InATeam.TestCase().runTest()
