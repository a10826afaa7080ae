"""Carries out what somebody has confirmed, and says how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kiebatch.board.actions import Proposal
from kiebatch.board.live import LiveFilm
from kiebatch.errors import Invalid
from kiebatch.model import JSON, as_list
from kiebatch.project import Opened
from kiebatch.running.events import Event, JobFailed, JobHeld, Saved, Skipped, Submitted


class Runner(Protocol):
    """Carries out a plan that somebody has confirmed, and reports what happens."""

    def __call__(
        self,
        opened: Opened,
        *,
        only: Sequence[str],
        force: bool,
        bound: Mapping[str, JSON],
        emit: Callable[[Event], object],
    ) -> Awaitable[object]: ...


@dataclass(slots=True)
class _Progress:
    total: int = 0
    done: int = 0
    flying: set[str] = field(default_factory=set)
    failed: int = 0
    running: bool = False

    def add(self, event: Event) -> bool:
        """Count an event in; False for one that changes nothing."""
        match event:
            case Submitted():
                self.flying.add(str(event.slot))
            case Saved() if event.asset.output == 1:
                self.flying.discard(str(event.slot))
                self.done += 1
            case JobFailed() | JobHeld() | Skipped():
                self.flying.discard(str(event.slot))
                self.failed += 1
            case _:
                return False
        return True

    def line(self) -> str:
        parts = [f"{self.done} of {self.total} made"]
        if self.flying:
            parts.append(f"{len(self.flying)} in flight")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)


class Making:
    """Runs one proposal at a time.  `runner` is None where the page only looks."""

    def __init__(self, live: LiveFilm, runner: Runner | None) -> None:
        self._live = live
        self._runner = runner
        self._progress = _Progress()

    def progress(self) -> dict[str, JSON]:
        """Return how far a run is, ours or another's: `line` is empty when there is none."""
        now = self._progress
        if now.running:
            return {"running": True, "done": now.done + now.failed, "total": now.total, "line": now.line()}
        flying = sum(1 for p in self._live.film.panels for t in p.takes if t.state == "in-flight")
        line = f"{flying} in flight" if flying else ""
        return {"running": False, "done": 0, "total": 0, "line": line}

    async def run(self, proposal: Proposal, changed: Callable[[], object]) -> None:
        """Carry out a proposal; `changed` is called whenever `progress` has something new to say."""
        if self._runner is None:
            raise Invalid("this page cannot run anything")
        loop = asyncio.get_running_loop()
        now = self._progress = _Progress(total=len(as_list(proposal.bound.get("jobs"))), running=True)

        def emit(event: Event) -> None:
            if now.add(event):
                loop.call_soon_threadsafe(changed)

        changed()
        try:
            opened = await asyncio.to_thread(self._live.load)
            await self._runner(
                opened, only=proposal.only, force=proposal.force, bound=proposal.bound, emit=emit
            )
        finally:
            now.running = False
