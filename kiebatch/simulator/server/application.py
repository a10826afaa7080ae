"""The simulator as an ASGI application: bytes in, bytes out, and the ways in which bytes fail to come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
import zlib
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import replace

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from kiebatch.model import JSON
from kiebatch.simulator.drawing import drawing
from kiebatch.simulator.families import callbacks
from kiebatch.simulator.server import control, service
from kiebatch.simulator.state import Simulator
from kiebatch.simulator.wire import Answer, Call, Cut, SentFile, html

MAX_BODY = 256 * 2**20
_CHUNK = 64 * 1024


class Application:
    """Serves one simulator.  With a pool, media are drawn in it; without, at once and in one thread."""

    def __init__(self, simulator: Simulator, pool: Executor | None = None) -> None:
        self.simulator = simulator
        self.pool = pool
        self.start_settings = simulator.settings
        self._woken: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            with contextlib.suppress(ClientDisconnect):
                await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if service.hangs_up(self.simulator, method, path):
            self.simulator.requests["cut"] += 1
            raise Cut
        call = await _read(scope, receive)
        if path.startswith(control.PREFIX):
            reply = control.answer(self.simulator, call, self.start_settings)
        else:
            reply = self._answer(call)
        if self._woken is not None and method == "POST":
            self._woken.set()
        if reply.wanted is not None:
            reply = await self._drawn(reply)
        if path.startswith("/media/"):
            reply = service.part(reply, call.headers.get("range"), call.headers.get("if-range"))
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        await _write(reply, call, receive, send)

    def _answer(self, call: Call) -> Answer:
        try:
            return service.answer(self.simulator, call)
        except Exception:  # a bug of ours must not pass for one of the provider's moods
            self.simulator.bugs.append(traceback.format_exc())
            return html(500)

    async def _drawn(self, reply: Answer) -> Answer:
        """Return an answer with the bytes that it asks for."""
        assert reply.wanted is not None
        try:
            if self.pool is not None:
                with contextlib.suppress(BrokenExecutor):
                    loop = asyncio.get_running_loop()
                    return replace(
                        reply, body=await loop.run_in_executor(self.pool, drawing.draw, reply.wanted)
                    )
                self.pool = None  # its process was killed; go on without
            return replace(reply, body=drawing.draw(reply.wanted))
        except Exception:
            self.simulator.bugs.append(traceback.format_exc())
            return html(500)

    async def _live(self, receive: Receive, send: Send) -> None:
        sender: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                sender = asyncio.create_task(self.send_callbacks())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if sender is not None:
                    sender.cancel()
                if self.pool is not None:
                    self.pool.shutdown(wait=False, cancel_futures=True)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def send_callbacks(self) -> None:
        """Send callbacks as they fall due, until cancelled; a server's lifespan does this by itself."""
        self._woken = asyncio.Event()
        await callbacks.deliver_all(self.simulator, self._woken)


def application(simulator: Simulator, pool: Executor | None = None) -> Application:
    """Return the ASGI application around a simulator, for uvicorn or for an in-process transport.

    Where a fault cuts the connection, `Cut` is raised for whoever serves the application to act on.
    """
    return Application(simulator, pool)


async def _read(scope: Scope, receive: Receive) -> Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    call = Call(
        method=scope["method"],
        path=scope["path"],
        headers=headers,
        origin=f"{scope['scheme']}://{headers.get('host', 'localhost')}",
    )
    request = Request(scope, receive)
    if scope["query_string"]:
        call.query = dict(request.query_params)
    if call.method != "POST":
        return call
    if headers.get("content-type", "").startswith("multipart/form-data"):
        await _read_form(request, call)
        return call
    raw = await request.body()
    try:
        call.body = json.loads(raw or b"null")
    except (ValueError, RecursionError):
        call.malformed = True
    return call


async def _read_form(request: Request, call: Call) -> None:
    try:
        async with request.form() as form:
            texts: dict[str, JSON] = {}
            files: dict[str, SentFile] = {}
            for name, value in form.items():
                if isinstance(value, str):
                    texts[name] = value
                else:
                    files[name] = SentFile(
                        data=await value.read(),
                        name=value.filename or "",
                        media_type=value.content_type or "",
                    )
            call.body, call.files = texts, files
    except Exception as error:  # whatever a multipart parser makes of a broken body
        call.malformed = True
        call.body = {"error": str(error)}


async def _write(reply: Answer, call: Call, receive: Receive, send: Send) -> None:
    if reply.cut_share == 0.0:
        raise Cut
    headers, body = _packed(reply, call)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await _write_body(reply, body, send)
    if reply.stall_share is not None:
        while (await receive())["type"] != "http.disconnect":
            pass
    if reply.cut_share is not None:
        raise Cut


async def _write_body(reply: Answer, body: bytes, send: Send) -> None:
    """Send a body, or the share of it after which the connection is cut or stalls."""
    shares = [share for share in (reply.cut_share, reply.stall_share) if share is not None]
    stop = int(len(body) * min(shares, default=1))
    for start in range(0, max(stop, 1), _CHUNK):
        end = min(stop, start + _CHUNK)
        more = end < stop or bool(shares)
        await send({"type": "http.response.body", "body": body[start:end], "more_body": more})


def _packed(reply: Answer, call: Call) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the headers and the body that are sent: JSON is compressed for a client that takes it so."""
    # The server itself says that it sends chunks.
    plain = [("content-type", reply.media_type)]
    plain += [(name, value) for name, value in reply.headers if name != "transfer-encoding"]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in plain]
    body = b"" if call.method == "HEAD" else reply.body
    if reply.media_type.startswith("application/json") and "gzip" in call.headers.get("accept-encoding", ""):
        # As the proxy in front of the API does it: no length, so the server sends chunks (protocol 1.1).
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = packer.compress(body) + packer.flush()
        headers.append((b"content-encoding", b"gzip"))
    elif "transfer-encoding" not in dict(reply.headers):
        headers.append((b"content-length", str(len(reply.body)).encode()))
    return headers, body
