"""Server-sent events: the news that every open page of a review gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection

from starlette.requests import Request

from kiebatch.model import JSON

_BEAT_S = 15.0
_MAX_WAITING = 1000  # messages for a page that reads none


class Broadcast:
    """Sends named values to all pages that listen."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[tuple[str, str]]] = set()

    def send(self, name: str, value: JSON) -> None:
        message = _event(name, value)
        for queue in list(self._listeners):
            if queue.qsize() < _MAX_WAITING:
                queue.put_nowait((name, message))

    async def stream(
        self,
        request: Request,
        first: tuple[str, JSON],
        over: Callable[[], bool],
        without: Collection[str] = (),
    ) -> AsyncIterator[str]:
        """Yield events until the page is gone or the review is `over`, beginning with `first`.

        Events that are called as one of `without` are left out.
        """
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        queue.put_nowait((first[0], _event(*first)))
        self._listeners.add(queue)
        try:
            while not over() and not await request.is_disconnected():
                try:
                    name, message = await asyncio.wait_for(queue.get(), _BEAT_S)
                    if name not in without:
                        yield message
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._listeners.discard(queue)


def _event(name: str, value: JSON) -> str:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"
