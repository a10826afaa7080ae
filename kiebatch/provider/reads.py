"""Reads of task records, each let through by the account's gate and paid from the budget for retries."""

from __future__ import annotations

from kiebatch.errors import CallFailed
from kiebatch.model import Rate, Reply, Request
from kiebatch.provider.client import Client
from kiebatch.provider.gate import Booking, Gate
from kiebatch.provider.retry_budget import RetryBudget


class Reads:
    """Reads that share one key's limit; a refused one slows all of them down."""

    def __init__(self, client: Client, gate: Gate, rate: Rate, budget: RetryBudget | None = None) -> None:
        self._client = client
        self._gate = gate
        self._rate = rate
        self._budget = budget or RetryBudget()

    async def read(self, request: Request, *, attempts: int | None = None) -> Reply:
        """Return the reply; raises as `Client.read` does."""
        looks = await self._budget.admit()
        try:
            return await self._counted(request, attempts)
        finally:
            if looks:
                self._budget.ended()

    async def _counted(self, request: Request, attempts: int | None) -> Reply:
        last: list[Booking] = []

        async def book() -> None:
            last[:] = [await self._gate.read(self._rate)]

        async def too_fast(retry_after_s: float | None) -> None:
            await self._gate.answered(last[0], refused=True, retry_after_s=retry_after_s)

        try:
            reply = await self._client.read(request, attempts=attempts, before=book, too_fast=too_fast)
        except CallFailed as failure:
            if failure.retryable:
                self._budget.failed(throttled=failure.code in ("429", "430"))
            raise
        self._budget.succeeded()
        return reply
