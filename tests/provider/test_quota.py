from __future__ import annotations

from bisect import insort
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from kiebatch.provider.quota import GUARD, next_start


@given(st.lists(st.floats(0, 30), max_size=80))
def test_no_ten_seconds_ever_hold_more_than_twenty_starts(gaps: list[float]) -> None:
    starts: list[float] = []
    for now in accumulate(gaps):
        starts.append(next_start(starts, now, limit=20, window_s=10.0))

    assert all(b - a >= 10.0 for a, b in zip(starts, starts[20:], strict=False))


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 60)), max_size=60), st.integers(1, 5))
def test_the_window_holds_whatever_order_places_are_booked_in(
    bookings: list[tuple[float, float]], limit: int
) -> None:
    # Some are booked late, behind a pause; others then take places before them.
    starts: list[float] = []
    now = 0.0
    for gap, pause in bookings:
        now += gap
        at = max(next_start(starts, now, limit, 10.0), now + (pause if pause > 55 else 0))
        insort(starts, at)

    assert all(b - a >= 10.0 for a, b in zip(starts, starts[limit:], strict=False))


def test_starts_are_free_until_the_window_is_full_and_then_wait_for_the_oldest() -> None:
    assert next_start([], 5.0, limit=2, window_s=10.0) == 5.0
    assert next_start([1.0], 5.0, limit=2, window_s=10.0) == 5.0
    assert next_start([1.0, 4.0], 5.0, limit=2, window_s=10.0) == 1.0 + 10.0 * GUARD
    assert next_start([1.0, 4.0], 50.0, limit=2, window_s=10.0) == 50.0
