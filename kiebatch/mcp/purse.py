"""What all runs of one server may reserve together, and what one run has reserved, judged from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiebatch.mcp.process import Event

# A run that ends with one of these has said what became of each of its jobs.
_ORDERLY = frozenset({0, 1, 2, 3, 4, 5, 130})
_FREE = frozenset({2, 4})  # refused as a whole, unless its events say otherwise


@dataclass(slots=True)
class Purse:
    """Credits for the life of a server.  What a run has reserved never comes back, whatever became of its tasks."""

    cap: float
    reserved: float = 0.0

    @property
    def left(self) -> float:
        return max(0.0, self.cap - self.reserved)

    def take(self, credits: float) -> None:
        self.reserved += credits


def reserved_by(
    events: Sequence[Event],
    prices: Mapping[str, float],
    *,
    allowance: float,
    exit_code: int,
) -> float:
    """Return how many credits a run has reserved, in doubt too many.

    `prices` say for each slot that it planned to submit what a cap puts aside for it.  A job that is held counts, since
    it may have been charged, and so does one of which the run said nothing.  A run that crashed counts with all
    that it was allowed.
    """
    if exit_code not in _ORDERLY:
        return allowance
    charged: dict[str, float] = defaultdict(float)
    over: set[str] = set()
    for event in events:
        slot = str(event.get("slot"))
        if event.get("event") == "submitted":
            charged[slot] += event.get("credits") or 0.0
        elif event.get("event") in ("saved", "failed", "skipped"):
            over.add(slot)
    silent = set() if exit_code in _FREE and not events else prices.keys() - over
    counted = charged.keys() | silent
    return sum(max(charged.get(slot, 0.0), prices.get(slot, 0.0)) for slot in counted)
