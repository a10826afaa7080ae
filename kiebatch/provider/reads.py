"""Reads of task records, each let through by the account's gate."""

from __future__ import annotations

from kiebatch.model import Rate, Reply, Request
from kiebatch.provider.client import Client
from kiebatch.provider.gate import Booking, Gate


class Reads:
    """Reads that share one key's limit; a refused one slows all of them down."""

    def __init__(self, client: Client, gate: Gate, rate: Rate) -> None:
        self._client = client
        self._gate = gate
        self._rate = rate

    async def read(self, request: Request, *, attempts: int | None = None) -> Reply:
        """Return the reply; raises as `Client.read` does."""
        last: list[Booking] = []

        async def book() -> None:
            last[:] = [await self._gate.read(self._rate)]

        async def too_fast(retry_after_s: float | None) -> None:
            await self._gate.answered(last[0], refused=True, retry_after_s=retry_after_s)

        return await self._client.read(request, attempts=attempts, before=book, too_fast=too_fast)
