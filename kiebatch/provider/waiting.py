"""One task's wait: fed with what its reads tell, it says when to read next and when the wait is over.

No clock and no network: whoever waits passes the time in and makes the reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiebatch.model import Absent, Done, Running, Status, TaskFailed
from kiebatch.provider import polling

_SLOWER = 1.5  # the time to the next read after each that told nothing
_SLOWEST = 6
_TAIL = 0.05  # of a task's age: between two reads, where a batch waits for few tasks only


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimits:
    """How long to wait for what, in seconds."""

    interval_s: float = 2.0  # the shortest time between two reads of one task
    unseen_s: float = 90.0  # a fresh task may be invisible for so long (protocol 3.4)
    empty_s: float = 30.0  # a finished task may name no output for so long (3.5)
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The wait ended, the task did not: it can be collected later.

    `code` is timeout, not-found, no-output, or refused where the key is not accepted any more.
    """

    code: str
    message: str
    state: str = ""  # what the provider said last


Ended = Done | TaskFailed | GaveUp
_EMPTY = GaveUp("no-output", "the task finished without naming an output")


class Wait:
    """The wait for one task that was `age_s` old at `now`; `ages` are those at which it is best read."""

    def __init__(self, ages: Sequence[float], limits: WaitLimits, now: float, age_s: float = 0.0) -> None:
        self._ages = ages
        self._limits = limits
        self._began = now
        self._born = now - age_s
        self._empty_since: float | None = None
        self._unseen_since: float | None = None
        self._state = ""  # what the provider said last
        self._fruitless = 0  # reads in a row that told nothing: no answer, no record, no output
        self.running_until: float | None = None  # the age at which the task surely ran

    def age_s(self, now: float) -> float:
        return now - self._born

    def due_s(self, now: float, *, net_s: float | None = None, tail: bool = False) -> float:
        """Return in how many seconds to read.

        With `net_s` a callback is to tell of the end, and reads are a safety net, this far apart.  `tail` says that
        few tasks are left, so that reads are not scarce.
        """
        age_s, interval_s = self.age_s(now), self._limits.interval_s
        due_s = polling.next_read(age_s, self._ages, interval_s) - age_s
        if self._fruitless:
            due_s = min(due_s, interval_s * _SLOWER ** min(self._fruitless - 1, _SLOWEST))
        elif net_s is not None:
            due_s = max(due_s, net_s)
        elif tail and self._ages and age_s >= self._ages[0]:
            due_s = min(due_s, max(interval_s, _TAIL * age_s))
        left_s = self._limits.timeout_s - (now - self._began)
        return min(due_s, max(left_s, 0.0))

    def note(self, status: Status | None, now: float) -> Ended | None:
        """Note what a read told (None: no readable answer), and return how the wait ended, if it did."""
        self._fruitless = 0 if isinstance(status, Running) else self._fruitless + 1
        match status:
            case TaskFailed():
                return status
            case Done():
                if status.outputs:
                    return status
                ended = self._without_output(now)
            case Absent():
                ended = self._absent(status, now)
            case Running():
                self._unseen_since = None
                self._state = status.state
                self.running_until = self.age_s(now)
                ended = None
            case _:
                ended = None
        return ended or self._too_late(now)

    def _without_output(self, now: float) -> GaveUp | None:
        if self._empty_since is None:
            self._empty_since = now
        if now - self._empty_since < self._limits.empty_s:
            return None
        return _EMPTY

    def _absent(self, status: Absent, now: float) -> GaveUp | None:
        if self._unseen_since is None:
            self._unseen_since = now
        if now - self._unseen_since < self._limits.unseen_s:
            return None
        return GaveUp("not-found", f"the provider does not know the task: {status.message}")

    def _too_late(self, now: float) -> GaveUp | None:
        limit_s = self._limits.timeout_s
        if now - self._began < limit_s:
            return None
        if self._empty_since is not None:
            return _EMPTY
        waited = f"not over after {limit_s:g} s" if limit_s else "still not over"
        return GaveUp("timeout", waited, self._state)
