"""What a run of an agent counts against the person's cap: in doubt too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.mcp import Purse
from kiebatch.mcp.process import Event
from kiebatch.mcp.purse import reserved_by

PRICES = {"1": 8.0, "2": 8.0}


def submitted(slot: str, credits: float | None = 8.0) -> Event:
    return {"event": "submitted", "slot": slot, "credits": credits}


def over(slot: str, how: str = "saved") -> Event:
    return {"event": how, "slot": slot}


@pytest.mark.parametrize(
    ("events", "code", "credits"),
    [
        ([submitted("1"), over("1"), submitted("2"), over("2")], 0, 16),
        ([submitted("1"), over("1"), over("2", "skipped")], 4, 8),
        ([], 4, 0),  # refused as a whole
        ([], 2, 0),
        ([submitted("1"), over("1", "failed"), submitted("1", 12.0), over("1"), over("2", "skipped")], 1, 20),
        ([over("1", "held"), over("2", "skipped")], 5, 8),  # it may have been charged
        ([submitted("1"), over("1")], 130, 16),  # nothing was said of the other one
        ([over("1", "failed"), over("2", "failed")], 1, 0),  # refused, so certainly free
        ([submitted("1"), over("1")], 70, 100),
        ([submitted("1"), over("1")], -9, 100),
    ],
)
def test_what_a_run_has_reserved(events: list[Event], code: int, credits: float) -> None:
    assert reserved_by(events, PRICES, allowance=100, exit_code=code) == credits


def test_a_purse_gives_nothing_back() -> None:
    purse = Purse(20)

    purse.take(16)
    purse.take(8)

    assert (purse.left, purse.reserved) == (0, 24)


@pytest.mark.slow
@given(st.lists(st.floats(0, 50), max_size=20), st.floats(0, 100))
def test_what_is_left_is_never_more_than_the_cap_without_what_was_taken(
    taken: list[float], cap: float
) -> None:
    purse = Purse(cap)
    for credits in taken:
        purse.take(credits)

    assert 0 <= purse.left <= max(0.0, cap - sum(taken)) + 1e-9
