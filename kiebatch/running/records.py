"""Reads single records of tasks: is a task there, and what did it make?"""

from __future__ import annotations

from kiebatch.errors import Refused
from kiebatch.model import Absent, Done, Job, Status, same_words
from kiebatch.provider import CallFailed, families, is_of
from kiebatch.running.context import RunContext


class TaskRecords:
    """One read of a record within the poll budget, outside the watching of running tasks."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    async def again(self, job: Job, task_id: str) -> Done | None:
        """Read a finished task's record once more; None when it brings nothing."""
        status = await self._status(job, task_id)
        return status if isinstance(status, Done) and status.outputs else None

    async def shows(self, job: Job, task_id: str) -> bool:
        """Whether the provider shows a task, and as this job's where its record repeats the words that were sent."""
        status = await self._status(job, task_id)
        if status is None or isinstance(status, Absent):
            return False
        sent = (job.prompt, job.input.get("prompt"), job.input.get("text"))
        return not status.words or any(same_words(status.words, t) for t in sent if isinstance(t, str))

    async def _status(self, job: Job, task_id: str) -> Status | None:
        endpoint = families.get(job.family, job.endpoint)
        if endpoint.at_once:
            return None
        try:
            reply = await self._context.reads.read(endpoint.record(task_id))
        except (CallFailed, Refused):
            return None
        return endpoint.status(reply) if is_of(reply, task_id) else None
