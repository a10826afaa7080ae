"""Why and when a run submits no more."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import TypeVar

from kiebatch.running.events import Event, Noticed

T = TypeVar("T")


class StopCause(StrEnum):
    """Why nothing more is submitted; what is paid for is collected all the same."""

    INTERRUPTED = "interrupted"
    CREDITS = "credits"
    KEY = "key"
    BUDGET = "budget"
    QUOTA = "quota"
    TROUBLE = "trouble"
    OVERCHARGE = "overcharge"


class Unsent(Exception):
    """A job that was not sent, and why; its dependants are told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Lacking(Unsent):
    """A job that was not sent because a file that it starts from is not there."""


class Stop:
    """The one switch that ends submitting.  The first cause stays, but for an interruption by the user."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.cause: StopCause | None = None
        self.because = ""
        self._changed = changed
        self._now = asyncio.Event()

    def submitting(self, cause: StopCause, because: str = "") -> None:
        """Send nothing more.  At the cap of the budget, what has its price reserved is still sent."""
        if self.cause is None:
            self.cause = cause
            self.because = because
        if cause is not StopCause.BUDGET:
            self._now.set()
        self._changed()

    def interrupt(self) -> None:
        """Stop by the user's word, whatever stopped it before."""
        self.cause = StopCause.INTERRUPTED
        self.because = "interrupted"
        self._now.set()
        self._changed()

    @property
    def words(self) -> str:
        """Why jobs are not sent; nothing while they are."""
        return self.because or (self.cause.value if self.cause else "")

    async def or_stopped(self, work: Awaitable[T]) -> T:
        """Wait for `work`, but no longer than until the run stops: then raises `Unsent`."""
        doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._now.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self._now.is_set():
                raise Unsent(self.words)
            return doing.result()
        finally:
            doing.cancel()
            stopping.cancel()


@contextlib.contextmanager
def stopped_by_signals(stop: Stop, emit: Callable[[Event], object]) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a graceful stop, and the second into leaving at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def caught() -> None:
        if stop.cause is StopCause.INTERRUPTED and task:
            task.cancel()
            return
        stop.interrupt()
        emit(
            Noticed(
                message="stopping: nothing more is sent; what is paid for is still collected, which may take "
                "minutes. Press Ctrl-C again to leave now; `kiebatch run` collects the rest later",
                level="warning",
            )
        )

    numbers = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not on Windows, and not outside the main thread: there Ctrl-C ends the program, resumable.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, caught)
            numbers.append(number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
