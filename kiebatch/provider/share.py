"""What we believe to be our share of the account's window, learnt from refusals and acceptances.

A refusal says that the window is full now, of our starts and of starts that we do not know (another machine, another
program).  So what we had in the window when it came is our share.  Beyond the share, one start at a time is
a probe: each that is accepted raises the share, and the next one follows, at once where none was refused before, so
that a full window is reached within seconds.  A refusal puts the next probe off, the longer the more often probes fail,
and the longer the fuller our window was: a refusal at 2 of 20 starts says that the provider was busy, one at 15 that
somebody works there.  Probes that are accepted after one follow each other at pauses that halve: somebody who is
still there is not run over, and of one who has left the window is ours again soon.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from kiebatch.model import Rate
from kiebatch.provider import policy

# Found by simulation: against a neighbour who takes a quarter of the window at random, all of the rest at some 2 %
# refusals; a single refusal without a neighbour costs three starts, and a calm start two of them.
_FIRST = 2 / 3  # of the window, that is taken unseen; the rest is probed, which costs a round trip each
_HOLD = 6.0  # windows until the next probe, where our window was full
_GROWTH = 2.0  # of that, with every probe that fails
_LONGEST = 6.0  # windows
_STEP = 0.3  # of how long the last probe was put off: the pause between two probes that are accepted
_SHORTEST = 0.05  # of a window
_REGAIN = 3.0  # windows without a refused read until one more is tried
STALE = 6.0  # windows without a start, and what was learnt says little


@dataclass(frozen=True, slots=True)
class Share:
    """Times in seconds, on the clock of the book.

    - `starts`: so many of a window are ours; one more is a probe
    - `probe_after`: no probe before; `hold_s` is how long that was put off, `before_s` how long the time before
    - `refused_at`: the last refusal that was answered; those of starts that were sent earlier belong to it
    - `paused_until`: no start at all before; `strikes` counts the pauses in a row
    """

    starts: int
    probe_after: float = 0.0
    hold_s: float = 0.0
    before_s: float = 0.0
    refused_at: float = 0.0
    paused_until: float = 0.0
    strikes: int = 0


def first(rate: Rate) -> Share:
    """Return what is believed of an account that nobody asked for a while."""
    return Share(starts=max(1, int(rate.starts * _FIRST)))


def current(believed: Share | None, rate: Rate) -> Share:
    """Return what is believed now, at most the whole window."""
    if believed is None:
        return first(rate)
    return replace(believed, starts=min(believed.starts, rate.starts))


def accepted(share: Share, ours: int, rate: Rate, now: float) -> Share:
    """Note an answer that was not a refusal; `ours` of our starts are in the window, this one included."""
    if ours >= rate.starts:
        return replace(share, starts=ours, hold_s=0.0, before_s=0.0, strikes=0)
    if ours > share.starts:
        pause_s, hold_s = share.hold_s * _STEP, share.hold_s / 2
        return replace(share, starts=ours, probe_after=now + pause_s, hold_s=hold_s, strikes=0)
    return replace(share, strikes=0) if share.strikes else share


def refused(share: Share, ours: int, rate: Rate, sent_at: float, now: float) -> Share:
    """Note a refusal of a start that was sent at `sent_at`; `ours` others of ours are in the window.

    The refusals of one burst, all sent before the first was answered, count as one.
    """
    window_s = rate.window_s
    before_s, refused_at = share.before_s, share.refused_at
    strikes, paused_until = share.strikes, share.paused_until
    if sent_at > share.refused_at:
        before_s, refused_at = share.hold_s, now
        if ours == 0:
            # With nothing of ours in the window, no share is small enough: leave the provider in peace for a moment.
            strikes += 1
            paused_until = max(paused_until, now + min(window_s, window_s * _SHORTEST * 2.0**strikes))
    hold_s = max(_SHORTEST, _HOLD * (ours / rate.starts) ** 2) * window_s
    if share.starts == rate.starts and not share.hold_s:
        # The whole window was ours until now: likely a moment, so look again at once.
        hold_s = _SHORTEST * window_s
    if before_s:
        hold_s = max(hold_s, min(_LONGEST * window_s, before_s * _GROWTH))
    return Share(
        starts=max(1, min(share.starts, ours)),
        probe_after=now + hold_s,
        hold_s=hold_s,
        before_s=before_s,
        refused_at=refused_at,
        paused_until=paused_until,
        strikes=strikes,
    )


def slower(share: Share, rate: Rate, now: float) -> Share:
    """Note a refused read: half as many from now on, after a pause of one window; a burst counts as one."""
    if now < share.paused_until:
        return share
    return Share(starts=max(1, share.starts // 2), refused_at=now, paused_until=now + rate.window_s)


def regained(believed: Share | None, rate: Rate, now: float) -> Share:
    """Return the reads of a window that are believed to be ours: one more for every few windows without a refusal."""
    if believed is None:
        return Share(starts=rate.starts)
    more = int(max(0.0, now - believed.refused_at) / (_REGAIN * rate.window_s))
    return replace(believed, starts=min(rate.starts, believed.starts + more))


def paused(share: Share, retry_after_s: float | None, now: float, rng: random.Random) -> Share:
    """Note what the provider asked for: no start for so long, up to two minutes, and a little scattered."""
    if not retry_after_s or retry_after_s <= 0:
        return share
    asked_s = min(retry_after_s, policy.LONGEST_WAIT_S) * rng.uniform(1.0, 1.1)
    return replace(share, paused_until=max(share.paused_until, now + asked_s))
