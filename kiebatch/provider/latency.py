"""How long reads take, learnt as they come: when one hangs, and when a second one is worth its while.

A read costs nothing, so one that takes much longer than the others is given up, and asked again on another
connection.  Submissions have nothing to do with this: they are sent once.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

_KEPT = 200  # of the last reads
_ENOUGH = 20  # so many say more than the defaults
_UNKNOWN_S = 10.0  # the limit while nothing is known
_SHORTEST_S = 2.0  # no limit is shorter
_TIMES = 4.0  # the 99th percentile
_HEDGE_S = 0.25  # no second read is sent earlier
_HEDGED = 0.02  # of all reads, at most


class Latency:
    """The last reads of one client, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque()
        self._sorted: list[float] = []
        self._reads = 0
        self._hedges = 0

    def note(self, took_s: float) -> None:
        """Note how long a read took until its answer was whole."""
        self._reads += 1
        self._last.append(took_s)
        insort(self._sorted, took_s)
        if len(self._last) > _KEPT:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]

    def note_failure(self) -> None:
        """Note a read without an answer; how long it took says nothing."""
        self._reads += 1

    def note_hedge(self) -> None:
        """Note that a second read was sent beside one that hangs."""
        self._hedges += 1

    @property
    def limit_s(self) -> float:
        """For how long to wait for an answer."""
        if len(self._sorted) < _ENOUGH:
            return _UNKNOWN_S
        return max(_SHORTEST_S, _TIMES * self._slowest)

    @property
    def hedge_after_s(self) -> float | None:
        """After how long to send a second read beside the first; None while that is not worth it or used up."""
        if len(self._sorted) < _ENOUGH or self._hedges + 1 > _HEDGED * (self._reads + 1):
            return None
        return max(_HEDGE_S, 1.5 * self._slowest)

    @property
    def _slowest(self) -> float:
        return self._sorted[min(int(len(self._sorted) * 0.99), len(self._sorted) - 1)]
