"""Says when the next start is allowed in a sliding window that the provider counts, and we only see from outside.

A start that was sent at s and answered at r was counted somewhere between.  So a start that is sent at or after
`r + window` can never share a window with it, whatever the transit: no guard is needed, and the price is one
round trip per window.  Proof for any `limit + 1` starts: look at the one that was sent last.  When it was sent, fewer
than `limit` of the others had not been answered for a whole window, so at least one had; that one was counted
before its answer, and the last one after it was sent, so the two are a window apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LATE_S = 1.0  # an answer that takes longer says nothing about when its start was counted
_GUARD = 0.05  # of the window, for starts without a prompt answer; enough for transits of 20 to 120 ms
_LONG = 0.01  # of the window: round trips from here on are worth taking a part back
_MANY = 20  # so many round trips are enough to know the smallest


class Start(NamedTuple):
    """One start, in seconds on one clock.  `answered_at` is None while its answer is not there.

    A tuple, since each look at the book makes one for every row of two windows.
    """

    sent_at: float
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Transit:
    """What the round trips of late tell, in seconds.

    - `late_s`: an answer that took longer says nothing; its start counts from when it was sent plus `guard_s`
    - `smallest_s`: the smallest round trip, 0 while none is known
    - `back_s`: what may be taken off an answer's time, because it was on its way back for at least so long
    """

    late_s: float
    guard_s: float
    smallest_s: float = 0.0
    back_s: float = 0.0


def transit(starts: Iterable[Start], window_s: float) -> Transit:
    """Learn from the starts in the book.

    Half of the smallest round trip is taken back where transits are long: the answer's way back and the next
    start's way there each have a shortest time, and together they make at least half of what any trip took.
    """
    late_s = min(LATE_S, window_s / 2)
    trips = [
        trip
        for start in starts
        if start.answered_at is not None and 0 <= (trip := start.answered_at - start.sent_at) <= late_s
    ]
    if not trips:
        return Transit(late_s=late_s, guard_s=min(window_s * _GUARD, late_s))
    smallest_s = min(trips)
    long = len(trips) >= _MANY and smallest_s >= window_s * _LONG
    return Transit(
        late_s=late_s,
        guard_s=min(max(window_s * _GUARD, max(trips)), late_s),
        smallest_s=smallest_s,
        back_s=smallest_s / 2 if long else 0.0,
    )


def counted_by(start: Start, seen: Transit) -> float:
    """Return the latest time at which a start was counted, as well as its answer tells.

    For a start that still waits for its answer this is the earliest time that the answer could allow; look again
    then.  The moment never moves back.
    """
    answered_at = start.answered_at
    if answered_at is None:
        return start.sent_at
    trip_s = answered_at - start.sent_at
    if trip_s > seen.late_s:
        return start.sent_at + seen.guard_s
    return answered_at - min(seen.back_s, max(trip_s, 0.0))


def overdue(start: Start, seen: Transit, now: float) -> Start:
    """Return a start whose answer is overdue as one that was answered late; any other as it is."""
    if start.answered_at is None and now - start.sent_at > seen.late_s:
        return Start(start.sent_at, now)
    return start


def next_start(starts: Sequence[Start], now: float, limit: int, window_s: float, seen: Transit) -> float:
    """Return when one more start is allowed; `now` if it is at once.

    `starts` in any order; they may lie in the future.  A time after `now` is the earliest possible one: ask again
    then, since answers that came meanwhile move it.  Protocol 2.1: 20 starts in any 10 s, surplus is refused and not
    queued.
    """
    if len(starts) < limit:
        return now
    counted = sorted(counted_by(overdue(start, seen, now), seen) for start in starts)
    return max(now, counted[-limit] + window_s)
