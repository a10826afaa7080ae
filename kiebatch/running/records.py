"""Reads single records of tasks: is a task there, and what did it make?"""

from __future__ import annotations

from kiebatch.errors import Refused
from kiebatch.model import Absent, Done, Job, Status
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
        """Whether the provider shows a task."""
        status = await self._status(job, task_id)
        return status is not None and not isinstance(status, Absent)

    async def _status(self, job: Job, task_id: str) -> Status | None:
        endpoint = families.get(job.family, job.endpoint)
        if endpoint.at_once:
            return None
        try:
            reply = await self._context.reads.read(endpoint.record(task_id))
        except (CallFailed, Refused):
            return None
        return endpoint.status(reply) if is_of(reply, task_id) else None
