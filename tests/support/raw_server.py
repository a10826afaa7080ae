"""A real HTTP server on a loopback port whose answers are written byte by byte, so that it can misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Say:
    """One answer.  `cut` closes the connection after that many bytes of the body; 0 before the status line."""

    body: bytes | Mapping[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    delay_s: float = 0.0


def envelope(data: Any = None, code: int = 200, msg: str = "success") -> Say:
    return Say({"code": code, "msg": msg, "data": data})


@dataclass
class Server:
    """Requests in the order they came, and the address."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0


@contextlib.asynccontextmanager
async def serving(answer: Callable[[Seen], Say]) -> AsyncIterator[Server]:
    """Serve on a loopback port until the block ends."""
    server = Server("")
    writers: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await _exchange(reader, writer):
                pass
        writers.discard(writer)
        writer.close()

    async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(1)
        if first == b"\x16":  # a TLS handshake, which this server does not speak
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        request = Seen(method, parts.path, query, headers, body)
        server.seen.append(request)
        say = answer(request)
        await asyncio.sleep(say.delay_s)
        if say.cut == 0:
            return False
        content = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
        length = {} if "Transfer-Encoding" in say.headers else {"Content-Length": str(len(content))}
        fields = length | say.headers
        lines = [f"HTTP/1.1 {say.status} Said", *(f"{k}: {v}" for k, v in fields.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content[: say.cut])
        await writer.drain()
        return say.cut is None

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for writer in list(writers):
            writer.close()
        await listener.wait_closed()
