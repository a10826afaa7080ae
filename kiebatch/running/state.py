"""What all parts of one run share."""

from __future__ import annotations

from dataclasses import dataclass

from kiebatch.running.canaries import Canaries
from kiebatch.running.context import RunContext
from kiebatch.running.outcome import Outcome
from kiebatch.running.slots import SlotBook
from kiebatch.running.spending import Spending
from kiebatch.running.stop import Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a run works with, and what it has come to so far; each part changes its own share of it.

    - `context`: where it reads and writes
    - `outcome`: what it reports in the end; `slots`: where each slot stands
    - `spending`: what is reserved and spent; `canaries`: the first job of each model
    - `stop`: whether, and why, nothing more is submitted
    """

    context: RunContext
    outcome: Outcome
    slots: SlotBook
    spending: Spending
    stop: Stop
    canaries: Canaries
