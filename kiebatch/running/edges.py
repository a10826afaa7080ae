"""Where a run touches the world: time, chance, threads, disk and network, as values that tests replace."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import httpx

from kiebatch.media import checks
from kiebatch.model import Request
from kiebatch.provider import callbacks, no_hook
from kiebatch.provider.policy import Answer
from kiebatch.record import Hook, Offload, SqliteJournal, open_journal
from kiebatch.running.checking import Measure
from kiebatch.team import Team

T = TypeVar("T")
P = ParamSpec("P")


async def _in_a_thread(work: Callable[P, T], /, *args: P.args, **named: P.kwargs) -> T:
    return await asyncio.to_thread(work, *args, **named)


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Time, chance and the network, as values: tests give their own."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.Random)
    transport: httpx.AsyncBaseTransport | None = None
    media_transport: httpx.AsyncBaseTransport | None = None
    offload: Offload = _in_a_thread
    hook: Hook = no_hook
    measure: Measure = checks.measure
    open_journal: Callable[..., SqliteJournal] = open_journal
    team: Team | None = None  # else the one that the environment names
    gate_path: Path | str | None = None
    listening: Callable[..., AbstractAsyncContextManager[str]] = callbacks.listening
    exchange: Callable[[Request, Answer, str | None], object] = lambda request, answer, task_id: None

    def new_run_id(self) -> str:
        """Return a name for a run that no other has; under a clock of its own, one that chance decides alone."""
        return secrets.token_hex(4) if self.now is time.time else f"{self.rng.getrandbits(32):08x}"
