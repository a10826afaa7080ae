"""What became of each slot in this run: one state a slot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kiebatch.model import Asset, Slot


@dataclass(slots=True)
class SlotState:
    """`line` is what a new version would supersede; `made` what dependants start from, None while it is not there."""

    line: tuple[Asset, ...] = ()
    made: tuple[Asset, ...] | None = None
    why_not: str = ""  # why it will not be made in this run
    missing: bool = False  # its file is gone, or one that it starts from: exit 3


def _nothing(_slot: Slot, _assets: tuple[Asset, ...]) -> None:
    return None


class SlotBook:
    """The states of all slots.  `changed` is set whenever something that others wait for has happened.

    `finished` is told of each slot that has what it asks for.
    """

    def __init__(self, finished: Callable[[Slot, tuple[Asset, ...]], object] = _nothing) -> None:
        self._states: dict[Slot, SlotState] = {}
        self.changed = asyncio.Event()
        self.finished = finished

    def __getitem__(self, slot: Slot) -> SlotState:
        return self._states.setdefault(slot, SlotState())

    def __contains__(self, slot: Slot) -> bool:
        return slot in self._states

    def made(self, slot: Slot) -> tuple[Asset, ...] | None:
        state = self._states.get(slot)
        return state.made if state else None

    def finish(self, slot: Slot, assets: Iterable[Asset]) -> None:
        """Note that a slot has what it asks for."""
        state = self[slot]
        state.line = state.made = tuple(assets)
        state.why_not = ""
        self.changed.set()
        self.finished(slot, state.line)

    def give_up(self, slot: Slot, why: str, *, missing: bool = False) -> None:
        """Note that a slot will not be made in this run, and why; `missing` where that is a file that is gone."""
        self[slot].why_not = why
        self[slot].missing = missing
        self.changed.set()

    def settle(self, slot: Slot, why: str) -> None:
        """Note that work on a slot is over: without a result and a reason, `why` is the reason."""
        state = self[slot]
        if state.made is None and not state.why_not:
            state.why_not = why
        self.changed.set()

    def lacks(self, slots: Iterable[Slot]) -> tuple[Slot, str] | None:
        """Return the first of some slots that will not be made, and why."""
        for slot in slots:
            state = self._states.get(slot)
            if state and state.why_not:
                return slot, state.why_not
        return None

    def waits_for(self, slots: Iterable[Slot]) -> bool:
        return any(self.made(slot) is None for slot in slots)
