"""What every part of a run needs: its edges and its limits.  Nothing here changes while the run goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from kiebatch.planning import Approval
from kiebatch.provider import Client, Gate, Reads
from kiebatch.record import Ledger, Offload, ResultStore, Whereabouts
from kiebatch.running.balances import Balances
from kiebatch.running.events import Event
from kiebatch.running.outcome import Limits
from kiebatch.running.recording import Recording
from kiebatch.units import Parts, WorkQueue
from kiebatch.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The edges of one run.  Only edges go in here; what changes has an owner of its own."""

    run_id: str
    workspace: Workspace
    client: Client
    gate: Gate
    reads: Reads
    ledger: Ledger
    balances: Balances
    manifest: Recording
    results: ResultStore | None
    whereabouts: Whereabouts
    queue: WorkQueue  # who fetches results and uploads references
    shelf: Parts  # where their files are
    limits: Limits
    now: Callable[[], float]
    offload: Offload
    emit: Callable[[Event], object]
    rng: random.Random
    tags: tuple[str, ...] = ()  # kept with every asset of this run
    approval: Approval | None = None  # what this run may buy, where a person approved a plan
    # Whether a web address of the scene file is copied to the upload host before it is sent.
    copies_first: Callable[[str], bool] = lambda _url: False
