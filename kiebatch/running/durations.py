"""How long models usually take: read from the journal when a run begins, and learnt while it goes on."""

from __future__ import annotations

import bisect
from collections.abc import Callable

from kiebatch.model import Job


class Durations:
    """Seconds that each model's latest tasks took, ascending."""

    def __init__(self, past: Callable[[str], list[float]]) -> None:
        self._past = past
        self._known: dict[str, list[float]] = {}

    def of(self, model: str) -> list[float]:
        if model not in self._known:
            self._known[model] = self._past(model)
        return self._known[model]

    def learn(self, model: str, seconds: float) -> None:
        bisect.insort(self.of(model), seconds)

    def usual_s(self, job: Job, scale: float = 1.0) -> float:
        """Return the median of a job's model, else what the catalogue expects."""
        past = self.of(job.model)
        return past[len(past) // 2] if past else job.expected_s * scale
