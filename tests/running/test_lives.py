"""Whole lives of a film on virtual time, from one seed each; see `bench/lives.py`."""

from __future__ import annotations

from functools import partial

import pytest

from bench import lives
from bench.hardships import HardLife, Hardship
from bench.lives import Sabotage


def _broken(seeds: range, **taken_out: bool) -> list[str]:
    found = lives.lives(seeds, sabotage=Sabotage(**taken_out))
    return [f"seed {life.seed}: {error!r}" for life, error in found if error is not None]


@pytest.mark.parametrize("first", range(0, 10, 5))
def test_no_life_pays_twice_or_loses_what_it_paid_for(first: int) -> None:
    assert _broken(range(first, first + 5)) == []


@pytest.mark.slow
@pytest.mark.parametrize("hardship", Hardship)
def test_no_hardship_makes_a_life_pay_twice_or_lose_anything(hardship: Hardship) -> None:
    found = list(lives.lives(range(1), kind=partial(HardLife, hardship=hardship)))

    assert [f"seed {life.seed}: {error!r}" for life, error in found if error is not None] == []
    assert all(life.home_s for life, _ in found)


@pytest.mark.slow
@pytest.mark.parametrize("hardship", Hardship)
def test_more_hardships(hardship: Hardship) -> None:
    found = lives.lives(range(1, 15), kind=partial(HardLife, hardship=hardship))

    assert [f"seed {life.seed}: {error!r}" for life, error in found if error is not None] == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10, 200, 19))
def test_more_lives(first: int) -> None:
    assert _broken(range(first, first + 19)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", ["intents", "quota", "cap"])
def test_taking_out_what_guards_the_money_breaks_a_life(part: str) -> None:
    for first in range(0, 40, 2):
        broken = _broken(range(first, first + 2), **{part: False})
        if broken:
            assert all("Broken" in line for line in broken), broken
            return
    pytest.fail(f"nobody misses the {part}")


@pytest.mark.slow
def test_a_seed_lives_the_same_life_again() -> None:
    seed = 7

    once: list[str] = []
    again: list[str] = []
    for lines in (once, again):
        for life, _ in lives.lives(range(seed, seed + 1), log=lines.append):
            assert life.charges

    assert once == again
