"""Decides what carries the requests: the one place that opens connections.

httpx is the API; below it aiohttp's connector takes a quarter of the processor time of httpx's own.  A proxy goes
through httpx's own transport, and so does everything where aiohttp is not installed.

`httpx-aiohttp` is not used: it reports a connection that breaks after the request was sent as `ConnectTimeout`, which
says "never left", and so would send a paid request twice.  Here only what the connector itself raises, before it
hands over a connection, becomes a `ConnectError` or a `ConnectTimeout`; everything after that means "perhaps received".
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, TypedDict, Unpack

import httpx

from kiebatch.model import JSON
from kiebatch.provider import network

if TYPE_CHECKING:
    import aiohttp

Trace = Callable[[str, Mapping[str, object]], Awaitable[None]]


class Content(TypedDict, total=False):
    """What a request carries, as httpx takes it."""

    params: Mapping[str, str]
    json: Mapping[str, JSON]
    files: Mapping[str, tuple[str, IO[bytes] | bytes, str]]  # name, bytes, media type
    data: Mapping[str, str]


class Connections:
    """Sends requests one at a time: no redirects, no cookies, no credentials, no environment.

    `httpx.AsyncClient` over the same transport takes half as much processor time again for each request, for cookies,
    redirects and addresses that are joined, none of which we want.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, timeout: httpx.Timeout, headers: Mapping[str, str]
    ) -> None:
        self._transport = transport
        self._timeout = timeout.as_dict()
        self._headers = headers

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], **content: Unpack[Content]
    ) -> httpx.Request:
        """Return a request, not yet sent."""
        return httpx.Request(
            method,
            url,
            headers={**self._headers, **headers},
            extensions={"timeout": self._timeout},
            **content,
        )

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, whose body is still to be read; whoever asked closes it."""
        answer = await self._transport.handle_async_request(request)
        answer.request = request
        return answer

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


def connect(
    *,
    inner: httpx.AsyncBaseTransport | None,
    secure: bool,
    proxy: str | None,
    limits: httpx.Limits,
    timeout: httpx.Timeout,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Connections:
    """Return connections.  `inner` replaces the network; `secure` reads the certificates to trust."""
    trusted = network.trusted() if secure else network.untrusting()
    return Connections(_chosen(inner, trusted, proxy, limits), timeout, headers)


def _chosen(
    inner: httpx.AsyncBaseTransport | None, trusted: ssl.SSLContext, proxy: str | None, limits: httpx.Limits
) -> httpx.AsyncBaseTransport:
    if inner is not None:
        return Shared(inner)
    carrier = None if proxy else _aiohttp()
    if carrier:
        return AiohttpTransport(carrier, trusted, limits)
    # HTTP/2 stays off: one GOAWAY would leave every submission in flight with an unknown outcome.
    return httpx.AsyncHTTPTransport(verify=trusted, trust_env=False, http2=False, limits=limits, proxy=proxy)


def _aiohttp() -> ModuleType | None:
    try:
        import aiohttp
    except ImportError:
        return None
    return aiohttp


class Shared(httpx.AsyncBaseTransport):
    """A transport that was passed in: used by several clients, closed by whoever made it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Carries requests of httpx by aiohttp: no redirects, no cookies, no unpacking, addresses byte for byte."""

    def __init__(self, carrier: Any, trusted: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._carrier = carrier
        self._trusted = trusted
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the errors are those of httpx."""
        sent = asyncio.Event()
        with self._translated(request):
            work = self._send(request, sent)
            trace = request.extensions.get("trace")
            answer = await (_traced(work, sent, trace) if trace else work)
        return httpx.Response(
            status_code=answer.status,
            headers=list(answer.raw_headers),
            stream=_Body(answer, lambda: self._translated(request)),
            request=request,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": (answer.reason or "").encode()},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, request: httpx.Request, sent: asyncio.Event) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._open()
        import yarl

        times = request.extensions.get("timeout", {})
        headers = [(key, value) for key, value in request.headers.multi_items() if key != "connection"]
        chosen: dict[str, Any] = {}
        if name := request.extensions.get("sni_hostname"):
            chosen["server_hostname"] = name
        return await self._session.request(
            request.method,
            yarl.URL(str(request.url), encoded=True),  # a signed link must stay as it is
            headers=headers,
            data=_content(request),
            allow_redirects=False,
            # To connect includes the look-up of the name: both end before anything was sent.
            timeout=self._carrier.ClientTimeout(
                total=None, connect=times.get("connect"), sock_read=times.get("read")
            ),
            trace_request_ctx=SimpleNamespace(
                sent=sent, left=int(request.headers.get("content-length", "0"))
            ),
            **chosen,
        )

    def _open(self) -> aiohttp.ClientSession:
        carrier, limits = self._carrier, self._limits
        reuse = limits.max_keepalive_connections != 0
        kept: dict[str, Any] = {"keepalive_timeout": limits.keepalive_expiry} if reuse else {}
        found: aiohttp.ClientSession = carrier.ClientSession(
            connector=carrier.TCPConnector(
                ssl=self._trusted, limit=limits.max_connections or 0, force_close=not reuse, **kept
            ),
            cookie_jar=carrier.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[_trace_config(carrier)],
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=64 * 2**10,
            max_field_size=64 * 2**10,
        )
        # It would send a GET a second time by itself when the connection breaks; every read is booked at the gate.
        found._retry_connection = False
        return found

    @contextlib.contextmanager
    def _translated(self, request: httpx.Request) -> Iterator[None]:
        """Raise errors of aiohttp as those of httpx."""
        found = self._carrier
        try:
            yield
        except (found.ConnectionTimeoutError, found.ClientConnectorError) as error:
            # Raised by the connector alone: there was no connection to send anything on.
            timed_out = isinstance(error, found.ConnectionTimeoutError)
            kind = httpx.ConnectTimeout if timed_out else httpx.ConnectError
            raise kind(str(error), request=request) from error
        except (found.InvalidURL, found.NonHttpUrlClientError) as error:
            raise httpx.UnsupportedProtocol(str(error), request=request) from error
        except found.ServerTimeoutError as error:
            raise httpx.ReadTimeout(str(error), request=request) from error
        except found.ServerDisconnectedError as error:
            message = "Server disconnected without sending a response."
            raise httpx.RemoteProtocolError(message, request=request) from error
        except (found.ClientError, ValueError) as error:
            raise httpx.RemoteProtocolError(str(error), request=request) from error
        except OSError as error:
            raise httpx.ReadError(str(error), request=request) from error


def _content(request: httpx.Request) -> Any:
    """Return a request's body: bytes, or the pieces of a stream, of which none is held twice."""
    try:
        return request.content or None
    except httpx.RequestNotRead:
        return request.stream


def _trace_config(carrier: Any) -> Any:
    """Set a request's `sent` when all of it was handed to the connection."""

    async def headers_sent(_session: Any, context: SimpleNamespace, _facts: Any) -> None:
        if not context.trace_request_ctx.left:
            context.trace_request_ctx.sent.set()

    async def chunk_sent(_session: Any, context: SimpleNamespace, facts: Any) -> None:
        request = context.trace_request_ctx
        request.left -= len(facts.chunk)
        if request.left <= 0:
            request.sent.set()

    config = carrier.TraceConfig()
    config.on_request_headers_sent.append(headers_sent)
    config.on_request_chunk_sent.append(chunk_sent)
    return config


async def _traced(
    work: Awaitable[aiohttp.ClientResponse], sent: asyncio.Event, trace: Trace
) -> aiohttp.ClientResponse:
    """Call `trace` between the request and its answer, as httpx's own transport does."""
    sending, leaving = asyncio.ensure_future(work), asyncio.ensure_future(sent.wait())
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if sent.is_set():
            await trace("http11.send_request_body.complete", {})
        return await sending
    finally:
        leaving.cancel()
        if not sending.done():
            sending.cancel()


class _Body(httpx.AsyncByteStream):
    """The pieces of an answer as they come."""

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        translated: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        self._answer = answer
        self._translated = translated

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._translated():
            async for piece in self._answer.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()
