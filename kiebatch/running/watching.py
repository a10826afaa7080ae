"""Reads a task's record until it is over, within the poll budget that all tasks share."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from kiebatch.errors import Refused
from kiebatch.model import Absent, Done, Job, Running, Status
from kiebatch.provider import CallFailed, Reads, Wait, WaitLimits, is_of, polling
from kiebatch.provider import Ended as Ended
from kiebatch.provider import GaveUp as GaveUp
from kiebatch.provider.families import Endpoint
from kiebatch.running.events import Event, Noticed, Waiting

_EARLY = 1000  # so many hints about tasks that nobody waits for are remembered
_GOLDEN = 0.6180339887  # its multiples spread evenly between the whole numbers
_EMPTY = "the provider says that it is finished and names no output; it is read again for half a minute: task"
_TICK = 0.25  # of the shortest time between two reads of a task
_FEW = 3  # so many tasks left are the tail of a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what, in seconds."""

    interval_s: float = 2.0  # the shortest time between two reads of one task
    unseen_s: float = 90.0  # a fresh task may be invisible for so long (protocol 3.4)
    empty_s: float = 30.0  # a finished task may name no output for so long (3.5)
    timeout_s: Mapping[str, float] = field(
        default_factory=lambda: {"image": 600.0, "video": 3600.0, "audio": 1200.0, "text": 1200.0}
    )


class Watch:
    """Watches all running tasks of a run.

    `past` gives the durations learnt of a model, ascending; `scale` shortens the catalogue's estimates for a server
    that is faster than the provider.
    """

    def __init__(
        self,
        reads: Reads,
        *,
        past: Callable[[str], list[float]],
        emit: Callable[[Event], object],
        patience: Patience,
        scale: float = 1.0,
    ) -> None:
        self._reads = reads
        self._past = past
        self._emit = emit
        self._patience = patience
        self._scale = scale
        self._nudged: dict[str, asyncio.Event] = {}
        self._looks_again: set[str] = (
            set()
        )  # tasks that are woken because few are left, not because they are over
        self._empty: set[str] = set()  # tasks that are over and name no output
        self._first_due: float | None = None  # where the ticks begin: other runs have others
        self._took: dict[str, float] = {}
        self._seen = 0
        self._early: dict[str, None] = {}  # tasks of which something was heard before anyone waits for them

    def nudge(self, task_id: str) -> None:
        """Read a task now: something said that it is over.  Unknown ids and repeats are harmless."""
        if task_id in self._nudged:
            self._looks_again.discard(task_id)
            self._nudged[task_id].set()
            return
        self._early[task_id] = None
        if len(self._early) > _EARLY:
            del self._early[next(iter(self._early))]

    def took_s(self, task_id: str) -> float | None:
        """Return how long a task took, as well as its reads can tell.

        Asked once, after `wait`; None for a task of an earlier run, which may have been over for weeks.
        """
        return self._took.pop(task_id, None)

    async def wait(
        self,
        job: Job,
        endpoint: Endpoint,
        task_id: str,
        age_s: float = 0.0,
        *,
        read_first: bool = False,
        limit_s: float | None = None,
        net_s: float | None = None,
    ) -> Ended:
        """Return how a task ended.

        `age_s` is its age now; `read_first` reads at once, as for an old task; `limit_s` is another limit than
        that of the job's modality.  With `net_s` a callback is to tell of the end, and reads are a safety net, this
        far apart.
        """
        loop = asyncio.get_running_loop()
        wait = Wait(self._ages(job), self._limits(job, limit_s, old=read_first), loop.time(), age_s)
        nudged = self._nudged.setdefault(task_id, asyncio.Event())
        if task_id in self._early:
            del self._early[task_id]
            nudged.set()
        last_read_at: float | None = None
        # Else it may have been over for weeks: how long it took is known once it is seen running.
        ours = not read_first
        try:
            while True:
                if not read_first:
                    await self._until_due(task_id, wait, net_s)
                    if last_read_at is not None:  # however often it is nudged
                        await asyncio.sleep(last_read_at + self._patience.interval_s - loop.time())
                read_first, last_read_at = False, loop.time()
                told = nudged.is_set()
                nudged.clear()
                try:
                    status = await self._read(endpoint, task_id)
                except Refused as refusal:
                    return GaveUp("refused", refusal.message)
                ended = wait.note(status, loop.time())
                if ended is None:
                    self._report(job, task_id, status)
                    continue
                if isinstance(ended, Done) and (ours or wait.running_until is not None):
                    self._took[task_id] = self._duration(wait, wait.age_s(loop.time()), told=told)
                return _in_words(ended)
        finally:
            self._nudged.pop(task_id, None)
            self._looks_again.discard(task_id)
            self._wake_the_tail()

    def _ages(self, job: Job) -> list[float]:
        """Return at which ages of its task a job is read."""
        return polling.read_times(job.expected_s * self._scale, self._past(job.model))

    def _limits(self, job: Job, limit_s: float | None, *, old: bool) -> WaitLimits:
        """Return how long to wait for what of a job's task; an old one may have been over for weeks."""
        patience = self._patience
        return WaitLimits(
            interval_s=patience.interval_s,
            unseen_s=patience.unseen_s,
            # What has named no output for weeks will name none half a minute later either.
            empty_s=0.0 if old else patience.empty_s,
            timeout_s=patience.timeout_s[job.modality] if limit_s is None else limit_s,
        )

    def _report(self, job: Job, task_id: str, status: Status | None) -> None:
        """Say what a task that is not over shows; once, that it is finished and names no output."""
        if isinstance(status, Done) and task_id not in self._empty:
            self._empty.add(task_id)
            self._emit(Noticed(message=f"{job.slot}: {_EMPTY} {task_id}", level="warning"))
        if isinstance(status, Running):
            self._emit(Waiting(slot=job.slot, task_id=task_id, state=status.state, progress=status.progress))

    async def _until_due(self, task_id: str, wait: Wait, net_s: float | None) -> None:
        """Sleep until a task's next read; when few tasks are left meanwhile, that is sooner."""
        loop, nudged = asyncio.get_running_loop(), self._nudged[task_id]
        while True:
            tail = len(self._nudged) <= _FEW
            due = loop.time() + wait.due_s(loop.time(), net_s=net_s, tail=tail)
            await _sleep((due if tail else self._in_company(due)) - loop.time(), nudged)
            if task_id not in self._looks_again:
                return
            self._looks_again.discard(task_id)
            nudged.clear()

    def _in_company(self, due: float) -> float:
        """Return when tasks that are due at about this time are read together: a team's gate books them as one."""
        tick_s = self._patience.interval_s * _TICK
        self._first_due = due if self._first_due is None else self._first_due
        later_s = due - self._first_due
        return self._first_due + math.ceil(later_s / tick_s) * tick_s if tick_s else due

    def _wake_the_tail(self) -> None:
        """Let the last few tasks look again when to read: reads are not scarce any more."""
        if len(self._nudged) != _FEW:
            return
        for task_id, nudged in self._nudged.items():
            if not nudged.is_set():
                self._looks_again.add(task_id)
                nudged.set()

    def _duration(self, wait: Wait, age_s: float, *, told: bool) -> float:
        """Return how long a task took that is noticed to be over at this age, at once where somebody told of it."""
        if told:
            return age_s
        self._seen += 1
        return polling.took(wait.running_until or 0.0, age_s, self._seen * _GOLDEN % 1)

    async def _read(self, endpoint: Endpoint, task_id: str) -> Status | None:
        """Return one status; None when no readable answer came, which costs nothing but time.

        `Refused` where the key is not accepted: there is nothing left to ask.
        """
        try:
            reply = await self._reads.read(endpoint.record(task_id), attempts=1)
        except CallFailed as failure:
            if failure.retryable:
                return None
            return Absent(message=failure.message)
        return endpoint.status(reply) if is_of(reply, task_id) else None


def _in_words(ended: Ended) -> Ended:
    if isinstance(ended, GaveUp) and ended.code == "timeout":
        return replace(ended, message=f"{ended.message}; the next run collects it at no cost")
    return ended


async def _sleep(seconds: float, nudged: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await nudged.wait()
    except TimeoutError:
        return
