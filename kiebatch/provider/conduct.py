"""How a client behaves: its time limits, its edges (network, chance, waiting), and who hears of its requests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import httpx

from kiebatch.model import Request
from kiebatch.provider.policy import Answer
from kiebatch.provider.times import Times


def no_hook(_point: str) -> None:
    """Hear nothing of the requests."""


def traced(
    hook: Callable[[str], None], point: str
) -> dict[str, Callable[[str, Mapping[str, object]], Awaitable[None]]]:
    """Return the extension of httpx that tells `hook` when a request has left whole; nothing where none listens."""
    if hook is no_hook:
        return {}

    async def trace(event: str, _facts: Mapping[str, object]) -> None:
        if event.endswith("send_request_body.complete"):
            hook(f"{point}:sent")

    return {"trace": trace}


Exchange = Callable[[Request, Answer, str | None], object]


def no_exchange(_request: Request, _answer: Answer, _task_id: str | None) -> None:
    """Hear nothing of requests and answers."""


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How a client behaves; see `Client`."""

    transport: httpx.AsyncBaseTransport | None = None
    media_transport: httpx.AsyncBaseTransport | None = None
    rng: random.Random = field(default_factory=random.Random)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    times: Times = field(default_factory=Times)
    upload_folder: str = "kiebatch"
    trusted_hosts: Collection[str] = ()
    attempts: int = 5
    hook: Callable[[str], None] = no_hook
    exchange: Exchange = no_exchange


class ConductOptions(TypedDict, total=False):
    """The fields of `Conduct`, as keywords."""

    transport: httpx.AsyncBaseTransport | None
    media_transport: httpx.AsyncBaseTransport | None
    rng: random.Random
    sleep: Callable[[float], Awaitable[None]]
    times: Times
    upload_folder: str
    trusted_hosts: Collection[str]
    attempts: int
    hook: Callable[[str], None]
    exchange: Exchange
