"""The simulator without sockets: a transport for httpx that lives on whatever clock its event loop has.

For runs on virtual time: no threads, no I/O, every wait an `asyncio.sleep` of the running loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
from starlette.types import Message, Scope

from kiebatch.simulator.server.application import Application, application
from kiebatch.simulator.state import Simulator
from kiebatch.simulator.wire import Cut


class Transport(httpx.AsyncBaseTransport):
    """Hands requests to a simulator and its answers back, trouble included.

    A cut connection raises `httpx.RemoteProtocolError`, in the body as well; the client's read timeout counts,
    as it does over a socket.  `transit_s` gives the seconds of each way, one call per way.  `before` sees each
    request as it leaves, and may raise.
    """

    def __init__(
        self,
        simulator: Simulator,
        *,
        transit_s: Callable[[], float] = lambda: 0.0,
        before: Callable[[httpx.Request], None] = lambda request: None,
    ) -> None:
        self.application: Application = application(simulator)
        self.transit_s = transit_s
        self.before = before

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.before(request)
        sent = await request.aread()
        await asyncio.sleep(self.transit_s())
        exchange = _Exchange(sent)
        patience_s = request.extensions.get("timeout", {}).get("read")
        exchange.task = asyncio.create_task(exchange.run(self.application, _scope(request)))
        head = await exchange.next(patience_s, request)
        await asyncio.sleep(self.transit_s())
        if head is None:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            )
        return httpx.Response(
            head["status"],
            headers=head["headers"],
            stream=_Body(exchange, patience_s, request),
            request=request,
        )


class _Exchange:
    """One request on its way through the application; messages come out of `next`, None at the end."""

    task: asyncio.Task[None]

    def __init__(self, sent: bytes) -> None:
        self.sent = sent
        self.read = False
        self.cut = False
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue()

    async def run(self, app: Application, scope: Scope) -> None:
        async def receive() -> Message:
            if not self.read:
                self.read = True
                return {"type": "http.request", "body": self.sent, "more_body": False}
            await asyncio.Event().wait()  # the client leaves by cancelling us
            raise AssertionError

        async def send(message: Message) -> None:
            self.messages.put_nowait(message)

        try:
            await app(scope, receive, send)
        except Cut:
            self.cut = True
        finally:
            self.messages.put_nowait(None)

    async def next(self, patience_s: float | None, request: httpx.Request) -> Message | None:
        try:
            message = await asyncio.wait_for(self.messages.get(), patience_s)
        except TimeoutError:
            self.task.cancel()
            raise httpx.ReadTimeout("", request=request) from None
        if message is None and not self.cut:
            await self.task  # raises what went wrong in the application
        return message


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: _Exchange, patience_s: float | None, request: httpx.Request) -> None:
        self.exchange, self.patience_s, self.request = exchange, patience_s, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.exchange.next(self.patience_s, self.request)) is not None:
            if message["body"]:
                yield message["body"]
        if self.exchange.cut:
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=self.request
            )

    async def aclose(self) -> None:
        self.exchange.task.cancel()


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 1),
    }
