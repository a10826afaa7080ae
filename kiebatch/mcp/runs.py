"""Runs that an agent starts: one at a time, all together under the cap that the person set."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from kiebatch.errors import Refused
from kiebatch.mcp import arguments
from kiebatch.mcp.arguments import Chosen
from kiebatch.mcp.process import Ended, Event, Run
from kiebatch.mcp.purse import Purse, reserved_by
from kiebatch.model import JSON
from kiebatch.planning import plan, plans
from kiebatch.project import load

_ROUNDING = 0.0001  # credits are counted to four places
# Asks the person about a run of so many jobs and credits.
Ask = Callable[[int, float], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a run may do: a draft, or so many credits for slots at these prices."""

    allowance: float | None = None
    prices: Mapping[str, float] | None = None


class Runs:
    """Starts runs in a task group of the server, so that a cancelled call leaves its run collecting."""

    def __init__(self, root: Path, environment: Mapping[str, str], purse: Purse | None) -> None:
        self.purse = purse  # None: drafts only
        self._root = root
        self._environment = environment
        self._turn = anyio.Semaphore(1)
        self._current: Run | None = None
        self._group: anyio.abc.TaskGroup | None = None

    @property
    def left_of_cap(self) -> float:
        """The credits that runs may still reserve: none where the person gave no cap."""
        return self.purse.left if self.purse else 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Let runs begin in the block; at its end the one in progress is stopped, and collects by itself."""
        async with anyio.create_task_group() as self._group:
            try:
                yield
            finally:
                if self._current:
                    self._current.stop()
                self._group.cancel_scope.cancel()

    async def run(
        self, chosen: Chosen, ask: Ask | None, happened: Callable[[Event], Awaitable[None]], *, partial: bool
    ) -> dict[str, JSON]:
        """Carry out a run and return its answer.  `Refused` when the person says no.

        When the call is cancelled nothing more is sent; what is paid for is collected in the background, and the next
        call waits until that is over, since only then it is known what is left of the cap.
        """
        assert self._group is not None
        await self._turn.acquire()
        try:
            permission = await self._permitted(chosen, ask)
        except BaseException:
            self._turn.release()
            raise
        send, receive = anyio.create_memory_object_stream[Event | Ended](float("inf"))
        self._group.start_soon(self._carry_out, chosen, permission, partial, send)
        try:
            return await self._answered(receive, happened)
        except anyio.get_cancelled_exc_class():
            if self._current:
                self._current.stop()
            raise

    async def _permitted(self, chosen: Chosen, ask: Ask | None) -> Permission:
        if chosen.draft or self.purse is None:
            return Permission()
        todo = await anyio.to_thread.run_sync(lambda: plan(load(chosen.path), only=chosen.only))
        prices = {str(e.slot): plans.most(e.job) or 0.0 for e in todo.generate if e.job}
        left = self.purse.left
        if ask is None or not prices:
            return Permission(left, prices)
        # What was agreed to is the cap, also when the film changes in the next moment.
        total = min(left, round(sum(prices.values()) + _ROUNDING, 4))
        if not await ask(len(prices), total):
            raise Refused("the person did not agree; nothing was sent")
        return Permission(total, prices)

    async def _carry_out(
        self,
        chosen: Chosen,
        permission: Permission,
        partial: bool,
        send: MemoryObjectSendStream[Event | Ended],
    ) -> None:
        allowance = permission.allowance
        spending = arguments.draft() if allowance is None else arguments.within(allowance, partial=partial)

        def happened(event: Event) -> None:
            with contextlib.suppress(anyio.BrokenResourceError):  # the call was cancelled
                send.send_nowait(event)

        with tempfile.TemporaryDirectory(prefix="kiebatch-mcp-", ignore_cleanup_errors=True) as room, send:
            try:
                self._current = Run(
                    arguments.run(chosen, spending),
                    Path(room),
                    folder=self._root,
                    environment=self._environment,
                )
                ended = await self._current.wait(happened)
                self._account(self._current, permission, ended)
                with contextlib.suppress(anyio.BrokenResourceError):
                    send.send_nowait(ended)
            finally:
                self._current = None
                self._turn.release()

    def _account(self, run: Run, permission: Permission, ended: Ended) -> None:
        if self.purse is None or permission.allowance is None:
            return
        self.purse.take(
            reserved_by(
                run.events,
                permission.prices or {},
                allowance=permission.allowance,
                exit_code=ended.code,
            )
        )

    async def _answered(
        self,
        receive: MemoryObjectReceiveStream[Event | Ended],
        happened: Callable[[Event], Awaitable[None]],
    ) -> dict[str, JSON]:
        async with receive:
            async for item in receive:
                if isinstance(item, Ended):
                    return {**item.answer, "exit_code": item.code, "left_of_cap": self.left_of_cap}
                await happened(item)
        raise RuntimeError("the run ended without an answer")
