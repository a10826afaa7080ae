"""Approvals in races with merges, prices, references, manifests, journals and forced pushes; see `bench/approved.py`."""

from __future__ import annotations

import pytest

from bench import approved


@pytest.mark.slow
def test_no_race_buys_outside_an_approval_or_refuses_an_equal_plan() -> None:
    found = list(approved.races(range(40)))

    assert [line for race in found for line in (*race.outside, *race.needless)] == []
    assert 0 < sum(race.refused for race in found) < sum(race.runs for race in found)
