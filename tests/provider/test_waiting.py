from __future__ import annotations

import pytest

from kiebatch.model import Absent, Done, Output, Running, Status, TaskFailed
from kiebatch.provider import GaveUp, Wait, WaitLimits

LIMITS = WaitLimits(interval_s=2.0, unseen_s=90.0, empty_s=30.0, timeout_s=600.0)
RUNNING = Running(state="generating")


def started(*ages: float, age_s: float = 0.0) -> Wait:
    return Wait(ages, LIMITS, 1000.0, age_s)


@pytest.mark.parametrize(
    "status",
    [Done(outputs=(Output(number=1, url="https://a.example/1.png"),)), TaskFailed(code="500", message="no")],
)
def test_a_task_that_is_over_ends_the_wait(status: Done | TaskFailed) -> None:
    assert started().note(status, 1010.0) == status


@pytest.mark.parametrize(
    ("status", "patience_s", "code"), [(Done(), 30.0, "no-output"), (Absent(message="x"), 90.0, "not-found")]
)
def test_what_tells_nothing_is_borne_for_a_while_counted_from_the_first(
    status: Status, patience_s: float, code: str
) -> None:
    wait = started()

    assert wait.note(status, 1100.0) is None
    assert wait.note(status, 1100.0 + patience_s - 1) is None
    ended = wait.note(status, 1100.0 + patience_s)

    assert isinstance(ended, GaveUp)
    assert ended.code == code


def test_a_task_that_was_seen_running_may_vanish_for_as_long_again() -> None:
    wait = started()
    wait.note(Absent(message=""), 1000.0)
    wait.note(RUNNING, 1050.0)

    assert wait.note(Absent(message=""), 1100.0) is None
    assert wait.note(Absent(message=""), 1180.0) is None
    assert wait.running_until == 50.0


def test_the_limit_counts_from_the_beginning_of_the_wait_and_not_of_the_task() -> None:
    wait = started(age_s=5000.0)

    assert wait.note(RUNNING, 1599.0) is None
    assert wait.note(RUNNING, 1600.0) == GaveUp("timeout", "not over after 600 s", "generating")


def test_reads_that_tell_nothing_come_at_growing_intervals() -> None:
    wait = started(500.0)
    found = []
    for n in range(5):
        wait.note(None, 1000.0 + n)
        found.append(wait.due_s(1000.0 + n))

    assert found == [2.0, 3.0, 4.5, 6.75, 10.125]


def test_with_few_tasks_left_a_task_is_read_more_often_from_its_first_likely_end_on() -> None:
    wait = started(30.0, 90.0, 200.0)

    assert wait.due_s(1010.0, tail=True) == 20.0  # nobody is over so early
    assert wait.due_s(1040.0) == 50.0
    assert wait.due_s(1040.0, tail=True) == 2.0
    assert wait.due_s(1100.0, tail=True) == 5.0


def test_with_a_callback_to_come_reads_are_far_apart_and_never_beyond_the_limit() -> None:
    wait = started(30.0)

    assert wait.due_s(1000.0, net_s=60.0) == 60.0
    assert wait.due_s(1590.0, net_s=60.0) == 10.0
