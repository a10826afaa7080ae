from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.provider.quota import Start, Transit, counted_by, next_start, transit

WINDOW = 10.0
AT_ONCE = Transit(late_s=1.0, guard_s=0.5)
# One submission: how long its sender was busy before, its way there, the answer's way back.
TRIPS = st.tuples(st.floats(0, 4), st.floats(0, 0.5), st.floats(0, 0.5))


def at_the_service(trips: list[tuple[float, float, float]], limit: int) -> list[float]:
    """Send as early as allowed; return when the service counted each start, in the order of sending."""
    starts: list[tuple[Start, float]] = []  # as if answered, and when it was counted
    now = 0.0
    for busy_s, there_s, back_s in trips:
        now += busy_s
        while True:
            seen = [
                Start(
                    s.sent_at, s.answered_at if s.answered_at is not None and s.answered_at <= now else None
                )
                for s, _ in starts
            ]
            at = next_start(seen, now, limit, WINDOW, AT_ONCE)
            if at <= now:
                break
            now = at
        starts.append((Start(now, now + there_s + back_s), now + there_s))
    return [counted_at for _, counted_at in starts]


@given(st.lists(TRIPS, max_size=60), st.integers(1, 20))
def test_no_window_of_the_service_holds_more_than_the_limit_whatever_the_transit(
    trips: list[tuple[float, float, float]], limit: int
) -> None:
    counted = sorted(at_the_service(trips, limit))

    assert all(b - a >= WINDOW - 1e-9 for a, b in zip(counted, counted[limit:], strict=False))


@given(st.lists(st.tuples(st.floats(0.1, 0.3), st.floats(0.1, 0.3)), min_size=25, max_size=60))
def test_with_long_ways_half_of_the_smallest_round_trip_comes_back_and_the_window_still_holds(
    ways: list[tuple[float, float]],
) -> None:
    starts = [Start(float(n), n + there_s + back_s) for n, (there_s, back_s) in enumerate(ways)]
    seen = transit(starts, WINDOW)

    assert seen.back_s == pytest.approx(min(sum(pair) for pair in ways) / 2)
    for start, (there_s, _) in zip(starts, ways, strict=True):
        shortest_way_s = 0.1
        next_counted_at = counted_by(start, seen) + WINDOW + shortest_way_s
        assert next_counted_at >= start.sent_at + there_s + WINDOW - 1e-9


def test_starts_are_free_until_the_window_is_full_and_then_wait_for_the_answer_to_the_oldest() -> None:
    first, second = Start(1.0, 1.2), Start(4.0, 4.3)

    assert next_start([], 5.0, 2, WINDOW, AT_ONCE) == 5.0
    assert next_start([first], 5.0, 2, WINDOW, AT_ONCE) == 5.0
    assert next_start([first, second], 5.0, 2, WINDOW, AT_ONCE) == 11.2
    assert next_start([first, second], 50.0, 2, WINDOW, AT_ONCE) == 50.0


def test_a_start_that_waits_for_its_answer_counts_until_it_comes_or_is_overdue() -> None:
    waiting = Start(1.0)

    assert next_start([waiting], 1.5, 1, WINDOW, AT_ONCE) == 11.0  # no earlier in any case: look again then
    assert next_start([Start(1.0, 1.9)], 11.0, 1, WINDOW, AT_ONCE) == 11.9
    assert next_start([waiting], 11.0, 1, WINDOW, AT_ONCE) == 11.5  # sent, plus the guard


def test_a_late_answer_says_nothing_about_when_its_start_was_counted() -> None:
    assert counted_by(Start(1.0, 9.0), AT_ONCE) == 1.5


def test_the_guard_is_learnt_from_the_prompt_answers() -> None:
    usual = [Start(float(n), n + 0.1) for n in range(5)]

    assert transit([], WINDOW).guard_s == 0.5
    assert transit(usual, WINDOW).guard_s == 0.5
    assert transit([*usual, Start(9.0, 9.8)], WINDOW).guard_s == pytest.approx(0.8)
    assert transit([*usual, Start(9.0, 30.0)], WINDOW).guard_s == 0.5


@given(st.lists(st.floats(0, 3), min_size=2, max_size=50), st.integers(1, 20))
def test_a_later_look_never_finds_an_earlier_time(gaps: list[float], limit: int) -> None:
    starts = [Start(sum(gaps[:n]), sum(gaps[:n]) + 0.1) for n in range(len(gaps))]
    looks = [next_start(starts, float(now), limit, WINDOW, AT_ONCE) for now in range(0, 200, 5)]

    assert all(a <= b for a, b in pairwise(looks))
