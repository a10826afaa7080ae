"""What this run may still spend, what it has spent, and what the provider says of it."""

from __future__ import annotations

import math

from kiebatch.running.events import JobFailed
from kiebatch.running.outcome import Outcome
from kiebatch.running.stop import Stop, StopCause, Unsent

_ABSURD = 1_000_000.0  # credits for one task: 5,000 dollars


ROUNDING = 0.01  # credits: what two sums may differ by and still agree


def unbelievable(credits: float) -> bool:
    """Whether no task can have cost that."""
    return not math.isfinite(credits) or credits < 0 or credits > _ABSURD


class Spending:
    """The cap of a run and its account.

    Room under the cap comes back only for a submission that certainly made no task.  What a record says later (a cost
    of 0, a refund) changes what was spent and the totals, never the room: the provider's word is evidence.
    """

    def __init__(self, outcome: Outcome, stop: Stop, *, cap: float | None, balance: float | None) -> None:
        self.balance = balance
        self.fell_back: list[JobFailed] = []  # failures in whose place a fallback was sent
        self._outcome = outcome
        self._stop = stop
        self._cap = cap
        self._ours: dict[str, float] = {}  # tasks of this run, with what they cost

    def reserve(self, price: float | None) -> None:
        """Take a price out of the cap before the job is sent.  `Unsent` where the room does not suffice."""
        if self._cap is not None and self._outcome.reserved + (price or 0.0) > self._cap + 1e-9:
            self._stop.submitting(StopCause.BUDGET, f"the cap of {self._cap:g} credits is reached")
            raise Unsent(self._stop.words)
        self._outcome.reserved += price or 0.0

    def release(self, price: float | None) -> None:
        """Give a price back: the submission certainly made no task."""
        self._outcome.reserved -= price or 0.0

    @property
    def expected_balance(self) -> float | None:
        return None if self.balance is None else self.balance - self._outcome.spent

    def charged(self, task_id: str, price: float | None) -> None:
        """Note that the provider took a job of this run."""
        self._outcome.spent += price or 0.0
        self._ours[task_id] = price or 0.0

    @property
    def paid(self) -> bool:
        """Whether this run has paid for anything."""
        return bool(self._ours)

    def is_ours(self, task_id: str) -> bool:
        return task_id in self._ours

    def learned(self, task_id: str, credits: float) -> None:
        """Take what a record says that a task cost."""
        before = self._ours.get(task_id)
        if before is not None:
            self._outcome.spent += credits - before
            self._ours[task_id] = credits

    def failed(self, task_id: str, *, billed: bool | None) -> None:
        """Note that a task is over without a result; `billed` None where nobody says whether it was refunded."""
        cost = self._ours.get(task_id)
        if cost is None:
            return
        if billed is False:
            self._outcome.spent -= cost
        else:
            self._outcome.billed_for_failures += cost

    def beyond(self, balance: float) -> float:
        """Return what the account lost beside this run's jobs, by the balance after them; 0 where it does not tell."""
        if self.balance is None:
            return 0.0
        beyond = self.balance - balance - self._outcome.spent
        return round(beyond, 4) if beyond > ROUNDING else 0.0

    def unsure(self) -> list[JobFailed]:
        """Return failures of this run of which nobody has said whether they were refunded."""
        failures = (*self._outcome.failures, *self.fell_back)
        return [f for f in failures if f.task_id in self._ours and f.billed is None]

    def settled_by(self, balance: float) -> bool | None:
        """Return whether the unsure failures were billed, by the balance after them; None where it does not tell."""
        amount = sum(self._ours[f.task_id or ""] for f in self.unsure())
        if self.balance is None or not amount:
            return None
        gone = self.balance - balance
        if abs(gone - (self._outcome.spent - amount)) < 0.005:
            self._outcome.spent -= amount
            self._outcome.billed_for_failures -= amount
            return False
        return True if abs(gone - self._outcome.spent) < 0.005 else None
