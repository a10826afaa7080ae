"""What carries the requests: whichever it is, a request that may have been received is never taken for unsent."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import httpx
import pytest

from kiebatch.model import Reply, Request
from kiebatch.provider import Client, Times
from kiebatch.provider.policy import SubmitVerdict
from kiebatch.provider.transport import AiohttpTransport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PAID = Request(
    method="POST", path="/api/v1/jobs/createTask", body={"model": "z-image", "input": {"a": "b" * 9000}}
)
TIMES = Times(connect_s=1.0, read_s=0.3, call_s=5.0)


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def whole(reader: asyncio.StreamReader) -> bytes:
    """Read one request to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(length)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST."""
    found = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# --- what a server may do to a paid request ------------------------------------------------------------


async def closes_unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def resets_unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def resets_half_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    reset(writer)


async def closes_when_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await whole(reader)


async def resets_when_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await whole(reader)
    reset(writer)


async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await whole(reader)
    await asyncio.sleep(3)


def says(answer: bytes, *, then_hang: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole(reader)
        writer.write(answer)
        await writer.drain()
        if then_hang:
            await asyncio.sleep(3)

    return serve


AFTER_SENDING = {
    "closes without reading": closes_unread,
    "resets without reading": resets_unread,
    "resets half-way": resets_half_read,
    "closes when it has read all": closes_when_read,
    "resets when it has read all": resets_when_read,
    "never answers": never_answers,
    "half a status line": says(b"HTTP/1.1 20"),
    "half of the headers": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half a body": says(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"code":'),
    "half a body, then silence": says(
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"code":', then_hang=True
    ),
    "a broken chunk": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n"),
    "another protocol": says(b"220 mail.example ESMTP\r\n"),
    "a broken length": says(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
}


def carriers() -> dict[str, Callable[[], httpx.AsyncBaseTransport]]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return {
        "aiohttp": lambda: AiohttpTransport(aiohttp, ssl.create_default_context(), limits),
        "httpx": lambda: httpx.AsyncHTTPTransport(limits=limits),
    }


def submitted(base_url: str, carrier: httpx.AsyncBaseTransport) -> SubmitVerdict:
    async def work() -> SubmitVerdict:
        try:
            async with Client("k", base_url, transport=carrier, times=TIMES) as client:
                return await client.submit(PAID)
        finally:
            await carrier.aclose()

    return asyncio.run(work())


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
@pytest.mark.parametrize("fault", AFTER_SENDING)
def test_what_breaks_after_the_connection_was_made_has_an_unknown_outcome(fault: str, carrier: str) -> None:
    async def work() -> SubmitVerdict:
        chosen = carriers()[carrier]()
        try:
            async with (
                serving(AFTER_SENDING[fault]) as url,
                Client("k", url, transport=chosen, times=TIMES) as client,
            ):
                return await client.submit(PAID)
        finally:
            await chosen.aclose()

    verdict = asyncio.run(work())

    assert (verdict.kind, verdict.code) == ("unknown", "no-answer")


def a_closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
def test_what_has_no_connection_certainly_never_left(carrier: str) -> None:
    port = a_closed_port()

    refused = submitted(f"http://127.0.0.1:{port}", carriers()[carrier]())
    unknown_name = submitted("https://no-such-host.invalid", carriers()[carrier]())

    assert [(v.kind, v.code) for v in (refused, unknown_name)] == [("later", "not-sent")] * 2


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
def test_a_server_that_cannot_speak_tls_was_sent_nothing(carrier: str) -> None:
    async def plain_text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def work() -> SubmitVerdict:
        chosen = carriers()[carrier]()
        try:
            async with (
                serving(plain_text) as url,
                Client("k", url.replace("http:", "https:"), transport=chosen, times=TIMES) as client,
            ):
                return await client.submit(PAID)
        finally:
            await chosen.aclose()

    assert asyncio.run(work()).code == "not-sent"


@pytest.mark.slow
@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
def test_a_connection_that_takes_too_long_to_make_never_left(carrier: str) -> None:
    async def work() -> SubmitVerdict:
        chosen = carriers()[carrier]()
        # A full queue of connections: the next one is not answered.
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for waiting in (first, second):
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            try:
                async with Client("k", url, transport=chosen, times=TIMES) as client:
                    return await client.submit(PAID)
            finally:
                await chosen.aclose()

    assert asyncio.run(work()).code == "not-sent"


def test_a_request_arrives_as_it_was_written_and_the_hook_sees_it_leave() -> None:
    came: list[bytes] = []
    points: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await whole(reader))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"code":200,"data":{"taskId":"abc1234"}}')
        await writer.drain()

    async def work() -> SubmitVerdict:
        async with serving(serve) as url, Client("secret", url, hook=points.append) as client:
            await client.submit(Request(method="GET", path="/a", query={"q": "x y%2F+"}))
            return await client.submit(PAID)

    verdict = asyncio.run(work())

    assert verdict.task_id == "abc1234"
    assert points == [
        f"request.{name}:{step}" for name in ("a", "createTask") for step in ("before", "sent", "after")
    ]
    head, _, body = came[1].partition(b"\r\n\r\n")
    assert body == httpx.Request("POST", "http://x", json=dict(PAID.body or {})).content
    lines = head.lower().split(b"\r\n")
    assert len(lines) == len({line.partition(b":")[0] for line in lines})
    assert {
        b"authorization: bearer secret",
        b"user-agent: kiebatch",
        b"content-type: application/json",
    } <= set(lines)
    assert came[0].startswith(b"GET /a?q=x+y%252F%2B HTTP/1.1")


@pytest.mark.slow
def test_a_kept_connection_that_the_server_closed_is_no_failed_read() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"code":200}')
        await writer.drain()

    async def work() -> list[Reply]:
        async with serving(serve) as url, Client("k", url, rng=random.Random(1), attempts=2) as client:
            return [await client.read(Request(method="GET", path="/a")) for _ in range(4)]

    assert [reply.code for reply in asyncio.run(work())] == [200] * 4


def test_a_large_upload_is_sent_from_the_disk_in_pieces(tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(random.Random(1).randbytes(3 * 2**20))
    came: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await whole(reader))
        answer = b'{"code":200,"data":{"downloadUrl":"https://files.example/big.bin"}}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
        await writer.drain()

    async def work() -> str:
        async with serving(serve) as url, Client("k", url) as client:
            return await client.upload(source, "big.bin", "application/octet-stream")

    assert asyncio.run(work()) == "https://files.example/big.bin"
    assert source.read_bytes() in came[0]
    assert b"transfer-encoding" not in came[0][:600].lower()
