"""The first job of a large batch of one model goes alone: a broken model fails once, not a hundred times."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from kiebatch.model import Slot


class Canaries:
    """Which slot goes first for each model, whether it has landed, and what it brought."""

    def __init__(self) -> None:
        self._first: dict[str, Slot | None] = {}  # None until the first job of the model is started
        self._landed: set[str] = set()
        self._broken: dict[str, str] = {}
        self._events: dict[str, asyncio.Event] = {}

    def choose(self, models: Iterable[str], least: int, known_good: Callable[[str], bool]) -> None:
        """Ask for a canary for each model with at least `least` jobs that has never brought a result here."""
        for model, count in Counter(models).items():
            if count >= least and not known_good(model):
                self._first[model] = None

    def take(self, slot: Slot, model: str) -> bool:
        """Make a slot its model's canary if it is the first one; return whether it is."""
        if model in self._first and self._first[model] is None:
            self._first[model] = slot
            return True
        return False

    def holds_back(self, model: str) -> bool:
        """Whether a model's other jobs wait for its canary."""
        return self._first.get(model) is not None and model not in self._landed

    def landing(self, model: str) -> asyncio.Event:
        """Return the event that is set when a model's canary lands."""
        return self._events.setdefault(model, asyncio.Event())

    def release(self, model: str) -> None:
        """Let the others go: the canary has been waited for long enough."""
        self._landed.add(model)
        self.landing(model).set()

    def land(self, slot: Slot, model: str, broken: str = "") -> None:
        """Note that a job is over.  Where it was the canary the others go; with `broken` they stay unsent."""
        if self._first.get(model) != slot or model in self._landed:
            return
        if broken:
            self._broken[model] = broken
        self.release(model)

    def paused(self, model: str) -> str:
        """Return why a model's jobs are not sent; nothing where they are."""
        broken = self._broken.get(model)
        return f"the first job of {model} failed: {broken}" if broken else ""
