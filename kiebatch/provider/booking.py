"""How places are taken in the book of one account's starts, or of one key's reads; where the book lies is a `Page`'s.

Protocol 2.1: 20 submissions in any 10 s per account, the surplus refused and not queued; reads have a limit of
their own, per key.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kiebatch.model import Rate
from kiebatch.provider import quota, share
from kiebatch.provider.gate import Booking, Kind
from kiebatch.provider.quota import Start
from kiebatch.provider.share import Share

# Nobody books further ahead; what lies beyond was written before the clock was set back.
FARTHEST_S = 600.0
_KEPT = 2.1  # windows for which a start stays in the book: enough to know the usual round trip
_LOOK = (
    0.1  # of the time until an answer is late: how often to look for the answer to another process's probe
)

Row = tuple[int, float, float | None, int, int]  # id, sent at, answered at, whether a probe, whether refused


class Page(Protocol):
    """One kind of request in a book, while nobody else writes in it.  Times in seconds, on the book's clock."""

    now: float

    def rows(self, limit: int) -> list[Row]:
        """Return the newest places, the latest first."""
        ...

    def share(self) -> Share | None: ...

    def keep_share(self, learnt: Share) -> None: ...

    def add(self, at: float, *, probe: bool) -> int: ...

    def move(self, place: int, at: float, *, probe: bool) -> None: ...

    def remove(self, place: int) -> None: ...

    def answered(self, place: int, at: float, *, refused: bool) -> None: ...

    def ours(self, window_s: float, *, pending: bool) -> int:
        """Return how many of our starts are in the window now; with `pending`, those that wait for their answer too."""
        ...

    def newest(self) -> float | None: ...

    def forget(self, before: float, beyond: float) -> None:
        """Remove the places before a moment, and bring those that lie beyond another one back to now."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the book: `at` may lie in the future, `wait_s` from now; `look` says that an answer may move it."""

    id: int
    at: float
    wait_s: float = 0.0
    probe: bool = False
    look: bool = False


def book(page: Page, kind: Kind, rate: Rate, *, fresh: bool) -> Place:
    """Take the next free place; it may be now.  `fresh` tidies the book first."""
    if fresh:
        _forget(page, kind, rate)
    rows, believed = _rows(page, rate), _share(page, kind, rate)
    place = _next(rows, believed, kind, rate, page.now)
    if place.look and place.at > page.now:
        # Whoever waits for a later place may sleep through the answer that made room for a probe now.
        place = _probe_now(rows, believed, kind, rate, page.now) or place
    return dataclasses.replace(
        place, id=page.add(place.at, probe=place.probe), wait_s=max(0.0, place.at - page.now)
    )


def confirm(page: Page, kind: Kind, rate: Rate, mine: Place) -> Place:
    """Start on the booked place, or take a later one when it is no longer good."""
    rows = [row for row in _rows(page, rate) if row[0] != mine.id]
    believed = _share(page, kind, rate)
    # Places after now belong to waiters behind us; they count us when they confirm.
    place = _next([row for row in rows if row[1] <= page.now], believed, kind, rate, page.now)
    if place.at > page.now:
        place = _next(rows, believed, kind, rate, page.now)
    page.move(mine.id, place.at, probe=place.probe)
    return dataclasses.replace(place, id=mine.id, wait_s=max(0.0, place.at - page.now))


def more(page: Page, kind: Kind, rate: Rate, most: int) -> list[Place]:
    """Take up to `most` places that are free now."""
    found: list[Place] = []
    while len(found) < most:
        place = _next(_rows(page, rate), _share(page, kind, rate), kind, rate, page.now)
        if place.at > page.now:
            break
        found.append(dataclasses.replace(place, id=page.add(place.at, probe=place.probe)))
    return found


def note_answer(
    page: Page,
    booking: Booking,
    *,
    refused: bool,
    retry_after_s: float | None,
    rng: random.Random,
    ago_s: float = 0.0,
) -> None:
    """Note an answer that came `ago_s` ago; see `Gate.answered`."""
    kind, rate, now = booking.kind, booking.rate, page.now
    believed = _share(page, kind, rate)
    if kind == "read":
        if refused:
            learnt = share.slower(believed, rate, now)
            page.keep_share(share.paused(learnt, retry_after_s, now, rng))
        return
    page.answered(booking.id, now - ago_s, refused=refused)
    if refused:
        ours = page.ours(rate.window_s, pending=True)
        learnt = share.refused(believed, ours, rate, booking.at, now)
        page.keep_share(share.paused(learnt, retry_after_s, now, rng))
        return
    learnt = share.accepted(believed, page.ours(rate.window_s, pending=False), rate, now)
    if learnt != believed:
        page.keep_share(learnt)


def _probe_now(rows: Sequence[Row], believed: Share, kind: Kind, rate: Rate, now: float) -> Place | None:
    """Return a probe that may leave now, places that others wait for aside; None where there is none."""
    # A place in the future that was answered is a start that left before the clock was set back.
    taken = [row for row in rows if row[1] <= now or row[2] is not None]
    place = _next(taken, believed, kind, rate, now)
    return place if place.probe and place.at <= now else None


def _next(rows: Sequence[Row], believed: Share, kind: Kind, rate: Rate, now: float) -> Place:
    """Return the next free place, its number not yet known."""
    starts = [Start(sent_at, answered_at) for _, sent_at, answered_at, _, _ in rows]
    if kind == "read":
        # Nobody waits for the answer to count a read; the guard is enough, since its limit has a reserve.
        late = [Start(start.sent_at, start.sent_at + 2 * rate.window_s) for start in starts]
        seen = quota.transit((), rate.window_s)
        at = quota.next_start(late, now, believed.starts, rate.window_s, seen)
        return Place(0, max(at, believed.paused_until))
    seen = quota.transit(starts, rate.window_s)
    earliest = max(now, believed.paused_until)
    # What was refused counts for the limit that the user set, but not for our share of what the provider counts.
    earliest = quota.next_start(starts, earliest, rate.starts, rate.window_s, seen)
    taken = [Start(sent_at, answered_at) for _, sent_at, answered_at, _, refused in rows if not refused]
    at = quota.next_start(taken, earliest, believed.starts, rate.window_s, seen)
    if at <= earliest or believed.starts >= rate.starts:
        return Place(0, at)
    probe_at = max(earliest, believed.probe_after)
    probe_at = quota.next_start(taken, probe_at, believed.starts + 1, rate.window_s, seen)
    waits = any(
        probe and answered_at is None and now - sent_at <= seen.late_s
        for _, sent_at, answered_at, probe, _ in rows
    )
    if waits:
        probe_at = max(probe_at, now + seen.late_s * _LOOK)
    if probe_at >= at:
        return Place(0, at, look=True)
    return Place(0, probe_at, probe=True, look=True)


def _forget(page: Page, kind: Kind, rate: Rate) -> None:
    """Remove what is over, and what was learnt before a long rest."""
    newest = page.newest()
    if kind == "submit" and (newest is None or page.now - newest > share.STALE * rate.window_s):
        believed = _believable(page)
        if believed is not None:
            page.keep_share(dataclasses.replace(share.first(rate), paused_until=believed.paused_until))
    page.forget(page.now - _KEPT * rate.window_s - 1, page.now + FARTHEST_S)


def _rows(page: Page, rate: Rate) -> list[Row]:
    """Return the newest places in the book, more than any window holds."""
    return page.rows(2 * rate.starts + 2)


def _share(page: Page, kind: Kind, rate: Rate) -> Share:
    """Return what is believed to be ours of a window now."""
    believed = _believable(page)
    if kind == "read":
        return share.regained(believed, rate, page.now)
    return share.current(believed, rate)


def _believable(page: Page) -> Share | None:
    """Return what is in the book, unless it was written before the clock was set back."""
    found = page.share()
    if found and max(found.probe_after, found.refused_at, found.paused_until) > page.now + FARTHEST_S:
        return None
    return found
