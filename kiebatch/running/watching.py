"""Reads a task's record until it is over, within the poll budget that all tasks share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kiebatch.errors import Refused
from kiebatch.model import Absent, Done, Job, Running, Status, TaskFailed
from kiebatch.provider import CallFailed, Reads, polling
from kiebatch.provider.families import Endpoint
from kiebatch.running.events import Event, Waiting

_EARLY = 1000  # so many hints about tasks that nobody waits for are remembered
_GOLDEN = 0.6180339887  # its multiples spread evenly between the whole numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what, in seconds."""

    interval_s: float = 2.0  # the shortest time between two reads of one task
    unseen_s: float = 90.0  # a fresh task may be invisible for so long (protocol 3.4)
    empty_s: float = 30.0  # a finished task may name no output for so long (3.5)
    timeout_s: Mapping[str, float] = field(
        default_factory=lambda: {"image": 600.0, "video": 3600.0, "audio": 1200.0, "text": 1200.0}
    )


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The wait ended, the task did not: it can be collected later.

    `code` is timeout, not-found, no-output, or refused where the key is not accepted any more.
    """

    code: str
    message: str
    state: str = ""  # what the provider said last


Ended = Done | TaskFailed | GaveUp


class Watch:
    """Watches all running tasks of a run.

    `past` gives the durations learnt of a model, ascending; `scale` shortens the catalogue's estimates for a server that is faster than the
    provider.
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
        self._took: dict[str, float] = {}
        self._seen = 0
        self._early: dict[str, None] = {}  # tasks of which something was heard before anyone waits for them

    def nudge(self, task_id: str) -> None:
        """Read a task now: something said that it is over.  Unknown ids and repeats are harmless."""
        if task_id in self._nudged:
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
        born = loop.time() - age_s
        patience = self._patience
        limit_s = patience.timeout_s[job.modality] if limit_s is None else limit_s
        began = loop.time()
        ages = polling.read_times(job.expected_s * self._scale, self._past(job.model))
        nudged = self._nudged.setdefault(task_id, asyncio.Event())
        if task_id in self._early:
            del self._early[task_id]
            nudged.set()
        last_read: float | None = None
        empty_since: float | None = None
        unseen_since: float | None = None
        fruitless = 0  # reads in a row that told nothing: no answer, no record, no output
        running_until: float | None = None if read_first else 0.0  # the age at which it surely ran
        try:
            while True:
                age = loop.time() - born
                if not read_first:
                    due = polling.next_read(age, ages, patience.interval_s) - age
                    if fruitless:
                        due = min(due, patience.interval_s * 1.5 ** min(fruitless - 1, 6))
                    elif net_s is not None:
                        due = max(due, net_s)
                    left = limit_s - (loop.time() - began)
                    await _sleep(min(due, max(left, 0.0)), nudged)
                    if last_read is not None:  # however often it is nudged
                        await asyncio.sleep(last_read + patience.interval_s - loop.time())
                read_first = False
                last_read = loop.time()
                told = nudged.is_set()
                nudged.clear()
                try:
                    status = await self._read(endpoint, task_id)
                except Refused as refusal:
                    return GaveUp("refused", refusal.message)
                fruitless = 0 if isinstance(status, Running) else fruitless + 1
                now = loop.time()
                if isinstance(status, TaskFailed) or (isinstance(status, Done) and status.outputs):
                    if isinstance(status, Done) and running_until is not None:
                        self._took[task_id] = (
                            now - born if told else self._duration(running_until, now - born)
                        )
                    return status
                if isinstance(status, Done):
                    empty_since = empty_since if empty_since is not None else now
                    if now - empty_since >= patience.empty_s:
                        return GaveUp("no-output", "the task finished without naming an output")
                elif isinstance(status, Absent):
                    unseen_since = unseen_since if unseen_since is not None else now
                    if now - unseen_since >= patience.unseen_s:
                        return GaveUp("not-found", f"the provider does not know the task: {status.message}")
                elif isinstance(status, Running):
                    unseen_since = None
                    running_until = now - born
                    self._emit(
                        Waiting(slot=job.slot, task_id=task_id, state=status.state, progress=status.progress)
                    )
                if now - began >= limit_s:
                    waited = f"not over after {limit_s:g} s" if limit_s else "still not over"
                    return GaveUp("timeout", f"{waited}; the next run collects it at no cost")
        finally:
            self._nudged.pop(task_id, None)

    def _duration(self, running_at_s: float, noticed_at_s: float) -> float:
        self._seen += 1
        return polling.took(running_at_s, noticed_at_s, self._seen * _GOLDEN % 1)

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
        return endpoint.status(reply)


async def _sleep(seconds: float, nudged: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await nudged.wait()
    except TimeoutError:
        return
