"""The money protocol in every order of its steps; see `bench/explore.py`."""

from __future__ import annotations

import pytest

from bench.explore import explore
from bench.protocol import Without


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "processes", "runs", "troubles"), [(2, 2, 1, 1), (1, 2, 2, 2), (1, 1, 3, 2)]
)
def test_no_order_of_steps_pays_twice_or_loses_a_charge(
    jobs: int, processes: int, runs: int, troubles: int
) -> None:
    found = explore(jobs=jobs, processes=processes, runs=runs, troubles=troubles)

    assert found.violations == []
    assert found.complete
    assert found.states > 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guard", "processes", "runs", "troubles"),
    [
        (Without.CLAIM, 2, 2, 0),
        (Without.SEEN, 2, 2, 0),
        (Without.MARK, 1, 2, 2),
        (Without.CONTENT, 1, 2, 1),
        (Without.FORCED, 1, 3, 3),
        (Without.INTENT, 1, 2, 1),
    ],
)
def test_a_guard_that_is_taken_out_is_missed(
    guard: Without, processes: int, runs: int, troubles: int
) -> None:
    found = explore(jobs=1, processes=processes, runs=runs, troubles=troubles, without=guard)

    assert found.violations, f"nobody misses the {guard}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "processes", "runs", "troubles"), [(1, 2, 3, 2), (2, 1, 2, 2), (1, 1, 3, 3)]
)
def test_more_troubles(jobs: int, processes: int, runs: int, troubles: int) -> None:
    found = explore(jobs=jobs, processes=processes, runs=runs, troubles=troubles)

    assert found.violations == []
    assert found.complete
