"""Reads go where an answer is likely: few per task, and soon after its end."""

from __future__ import annotations

import random
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from kiebatch.provider import polling


def test_a_model_that_was_seen_before_is_read_rarely_and_noticed_soon() -> None:
    lot = random.Random(1)
    usual_s = 90.0

    first, *later = _batches(lot, usual_s, estimate_s=40.0, count=10)

    assert mean(b.reads for b in later) <= 4
    assert mean(b.delay_s for b in later) <= 0.1 * usual_s + 2.0
    assert later[-1].reads < first.reads


def test_ten_batches_do_not_drift_later_and_later() -> None:
    batches = _batches(random.Random(2), 60.0, estimate_s=60.0, count=10)

    assert mean(b.delay_s for b in batches[7:]) < 1.5 * mean(b.delay_s for b in batches[1:4])


@given(
    expected_s=st.floats(0.1, 1000),
    past_s=st.lists(st.floats(0.01, 4000), max_size=80).map(sorted),
    interval_s=st.floats(0.01, 10),
)
def test_reads_of_one_task_are_never_closer_than_the_interval_and_never_end(
    expected_s: float, past_s: list[float], interval_s: float
) -> None:
    ages = polling.read_times(expected_s, past_s)

    age = 0.0
    for _ in range(60):
        later = polling.next_read(age, ages, interval_s)
        assert later >= age + interval_s * (1 - 1e-9)
        age = later
    assert ages == sorted(ages)


class _Batch:
    def __init__(self) -> None:
        self.reads = 0.0
        self.delay_s = 0.0


def _batches(lot: random.Random, usual_s: float, *, estimate_s: float, count: int) -> list[_Batch]:
    """Read batches of 40 tasks that scatter by a quarter, learning from each as a run does."""
    past: list[float] = []
    found = []
    for _ in range(count):
        ages = polling.read_times(estimate_s, sorted(past[-64:]))
        batch, learnt = _Batch(), []
        for _ in range(40):
            ends_s = usual_s * lot.lognormvariate(0.0, 0.22)
            age, running = 0.0, 0.0
            while age < ends_s:
                running, age = age, polling.next_read(age, ages, 2.0)
                batch.reads += 1 / 40
            batch.delay_s += (age - ends_s) / 40
            learnt.append(polling.took(running, age, lot.random()))
        past += learnt
        found.append(batch)
    return found
