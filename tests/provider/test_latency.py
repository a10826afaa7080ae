from __future__ import annotations

import random

import pytest

from kiebatch.provider.latency import Latency


def learnt(times_s: list[float]) -> Latency:
    found = Latency()
    for took_s in times_s:
        found.note(took_s)
    return found


def test_while_little_is_known_a_read_gets_ten_seconds_and_no_second_one() -> None:
    found = learnt([0.1] * 19)

    assert (found.limit_s, found.hedge_after_s) == (10.0, None)


@pytest.mark.parametrize(("slowest_s", "limit_s"), [(0.1, 2.0), (1.0, 4.0), (5.0, 20.0)])
def test_the_limit_is_a_few_times_the_slowest_reads_and_never_under_two_seconds(
    slowest_s: float, limit_s: float
) -> None:
    assert learnt([0.05] * 90 + [slowest_s] * 10).limit_s == limit_s


def test_one_slow_read_in_two_hundred_changes_little_and_old_ones_are_forgotten() -> None:
    found = learnt([9.0] * 50 + [0.1] * 199 + [9.0])

    assert found.limit_s == 2.0


def test_second_reads_are_at_most_two_percent_of_all() -> None:
    lot, found, hedges = random.Random(1), learnt([0.1] * 30), 0
    for _ in range(2000):
        if found.hedge_after_s is not None and lot.random() < 0.5:
            found.note_hedge()
            hedges += 1
        found.note(lot.uniform(0.05, 0.2))

    assert 30 < hedges <= 0.02 * 2030
