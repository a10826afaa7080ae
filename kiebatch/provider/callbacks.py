"""Verifies and reads the provider's callbacks.

A callback is a hint and nothing more: its body is not signed, may come twice, late or never (protocol 8).  Whoever
gets one reads the task's record before believing anything.

    task_id = callbacks.verify(request.headers, body, key, time.time())
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kiebatch import formats
from kiebatch.errors import Invalid
from kiebatch.model import JSON, under

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

OLDEST_S = 300.0
_LARGEST = 4 * 2**20  # the records that come along echo their prompts and, for MIDI, every note
_PATIENCE_S = 2.0  # for a body, which is small and comes at once
_TOKEN = "kiebatch"


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened to a task.  `token` is what `url_for` put into the address, empty if nothing."""

    task_id: str
    token: str = ""


def verify(headers: Mapping[str, str], body: bytes, key: str, now: float) -> str | None:
    """Return the task id that a callback's signature vouches for, or None where it does not.

    `key` is the account's webhook key (not the API key), `now` Unix seconds.  Refuses what is more than five
    minutes off, in either direction.  Compares in constant time.  The signature is
    base64(HMAC-SHA256(key, task id + "." + timestamp)), so the body's other words are vouched for by nobody.
    """
    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get("x-webhook-timestamp", "").strip()
    signature = given.get("x-webhook-signature", "").strip().encode("utf-8", "replace")
    if not key or not re.fullmatch(r"\d{1,12}", timestamp) or abs(now - int(timestamp)) > OLDEST_S:
        return None
    vouched = None
    for task_id in task_ids(body):
        mac = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256)
        if hmac.compare_digest(base64.b64encode(mac.digest()), signature) and vouched is None:
            vouched = task_id
    return vouched


def task_ids(body: bytes) -> tuple[str, ...]:
    """Return the task ids that a callback names, the likeliest first: families put them in different places."""
    try:
        found: JSON = formats.lenient_json(body)
    except ValueError:
        return ()
    data = under(found, "data")
    named = [
        place.get(key)
        for place, key in ((data, "task_id"), (data, "taskId"), (found, "taskId"), (found, "task_id"))
        if isinstance(place, Mapping)
    ]
    return tuple(dict.fromkeys(name for name in named if isinstance(name, str) and 0 < len(name) <= 200))


def token_for(run_id: str, attempt: int) -> str:
    """Return the token of one attempt to submit; nobody guesses it who does not know the run's id."""
    digest = hashlib.sha256(f"kiebatch callback\n{run_id}\n{attempt}".encode()).hexdigest()
    return f"{attempt}-{digest[:24]}"


def attempt_of(token: str) -> int | None:
    """Return the attempt that a token names; compare it with that attempt's `token_for` before using it."""
    number, _, rest = token.partition("-")
    return int(number) if rest and re.fullmatch(r"[0-9]{1,15}", number) else None


def url_for(base: str, token: str) -> str:
    """Return the address to name for one job, so that its callback tells which attempt it was.

    That is how a submission whose answer was lost finds its task.
    """
    parts = urlsplit(base)
    query = [*parse_qsl(parts.query, keep_blank_values=True), (_TOKEN, token)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def receiver(
    hint: Callable[[Hint], object], *, key: str = "", now: Callable[[], float] = time.time
) -> Starlette:
    """Return an application that takes callbacks on any path and answers at once.

    `hint` is called with each, and must not block: it may know nothing of the task, or know it already.  With a
    `key` only signed callbacks count.
    """
    # Most runs take no callbacks, and a server's libraries would be a tenth of what they import.
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def take(request: Request) -> Response:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                body = await _body(request)
        except ClientDisconnect:
            return PlainTextResponse("gone", 400)
        except TimeoutError:
            return PlainTextResponse("too slow", 408)
        if body is None:
            return PlainTextResponse("too long", 413)
        named = task_ids(body)
        if key:
            vouched = verify(request.headers, body, key, now())
            if vouched is None:
                return PlainTextResponse("not signed", 401)
            named = (vouched,)
        if not named:
            return PlainTextResponse("no task id", 400)
        token = request.query_params.get(_TOKEN, "")
        for task_id in named:
            hint(Hint(task_id, token if re.fullmatch(r"[\w-]{1,64}", token) else ""))
        return PlainTextResponse("ok")

    async def greet(_: Request) -> Response:
        return PlainTextResponse("kiebatch takes callbacks here")

    return Starlette(
        routes=[
            Route("/{path:path}", take, methods=["POST"]),
            Route("/{path:path}", greet, methods=["GET"]),
        ]
    )


@contextlib.asynccontextmanager
async def listening(
    address: str, hint: Callable[[Hint], object], *, key: str = "", now: Callable[[], float] = time.time
) -> AsyncIterator[str]:
    """Take callbacks at `address` (`HOST:PORT`, port 0 for any) until the block ends; yield the real address.

    Invalid where the address cannot be used.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise Invalid(f"`{address}` is not HOST:PORT", hint="for instance `127.0.0.1:8765`")
    host = host.strip("[]") or "127.0.0.1"
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise Invalid(f"cannot listen on `{address}`: {error.strerror or error}") from error
    server = _server(receiver(hint, key=key, now=now))
    task = asyncio.ensure_future(server.serve(sockets=[bound]))
    try:
        yield f"{'[' + host + ']' if ':' in host else host}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        bound.close()


def _server(app: Starlette) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave Ctrl-C to the run."""
            yield

    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=3,  # longer than anybody is waited for
        )
    )


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            return None
    return bytes(body)
