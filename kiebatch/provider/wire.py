"""Requests to the hosts that get the key: one attempt at a time, or again and again by the retry table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httpx

from kiebatch import addresses
from kiebatch.errors import CallFailed, Invalid, Refused, plain
from kiebatch.model import Reply, Request
from kiebatch.provider import bodies, network, policy
from kiebatch.provider.conduct import Conduct, traced
from kiebatch.provider.latency import Latency
from kiebatch.provider.policy import Answer, NoReply, Operation
from kiebatch.provider.reply import read_reply
from kiebatch.provider.transport import Connections, Content, connect

_REUSE = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=30)
# A submission never takes up an idle connection: when the server closes that in the same moment, nobody can tell
# whether the request was read, and the job would be held.
# Nor does it wait for a turn: its place in the rate window is booked, and its intent is in the journal.
_NO_REUSE = httpx.Limits(max_connections=None, max_keepalive_connections=0)
# What fails before the first byte of the request is written.
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_LONGEST_REPLY = 32 * 2**20
_KEY_HINT = "see https://kie.ai/api-key for the key, its limits and the credits"


async def nothing() -> None:
    return None


async def unheard(_retry_after_s: float | None) -> None:
    return None


class Wire:
    """The connections of one account."""

    def __init__(self, api_key: str, base_url: str, conduct: Conduct) -> None:
        self.base_url = base_url
        self.times = conduct.times
        self._conduct = conduct
        self._bearer = Bearer(api_key)
        self._opened: dict[tuple[bool, bool, str | None], Connections] = {}
        # Who waits, waits here and not in the pool, whose queue costs quadratic time.
        self._turns = asyncio.Semaphore(20)
        self._latency = Latency()

    async def aclose(self) -> None:
        """Close every connection."""
        opened, self._opened = list(self._opened.values()), {}
        for connections in opened:
            await connections.aclose()

    async def once(self, request: Request, *, paid: bool = False, limit_s: float | None = None) -> Answer:
        """Make one attempt of an API call.  A `paid` one waits for no turn and takes up no idle connection."""
        content: Content = {}
        if request.query:
            content["params"] = dict(request.query)
        if request.body is not None:
            content["json"] = dict(request.body)
        url = self.base_url + request.path
        return await self.send(request.method, url, content, paid=paid, timeout_s=limit_s)

    async def read_once(self, request: Request, before: Callable[[], Awaitable[object]]) -> Answer:
        """Send a read; a second one beside it when it hangs.  The first useful answer counts."""
        hedge_after_s = self._latency.hedge_after_s
        if hedge_after_s is None:
            return await self._timed(request)
        first = asyncio.ensure_future(self._timed(request))
        second: asyncio.Future[Answer] | None = None
        try:
            if not (await asyncio.wait({first}, timeout=hedge_after_s))[0]:
                self._latency.note_hedge()
                second = asyncio.ensure_future(self._booked(request, before))
                await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
            one, other = (first, second) if first.done() or second is None else (second, first)
            if other is not None and isinstance(one.result(), NoReply):
                return await other
            return await one
        finally:
            for sending in (first, second):
                if sending is not None and not sending.done():
                    sending.cancel()

    async def _booked(self, request: Request, before: Callable[[], Awaitable[object]]) -> Answer:
        await before()
        return await self._timed(request)

    async def _timed(self, request: Request) -> Answer:
        """Send a read within the time that reads take, and learn from it."""
        loop = asyncio.get_running_loop()
        async with self._turns:
            began = loop.time()
            answer = await self.once(request, limit_s=min(self._latency.limit_s, self.times.call_s))
        if isinstance(answer, NoReply):
            self._latency.note_failure()
        else:
            self._latency.note(loop.time() - began)
        return answer

    async def send(
        self,
        method: str,
        url: str,
        content: Content,
        *,
        paid: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """Make one attempt; every answer and every failure is a value."""
        connections = self._connections(url, reuse=not paid)
        try:
            request = connections.request(method, url, headers=self._bearer.headers, **content)
        except (TypeError, ValueError, httpx.InvalidURL) as error:
            return NoReply(sent=False, reason=policy.reason(error))
        point = f"request.{url.rsplit('/', 1)[-1]}"
        request.extensions |= traced(self._conduct.hook, point)
        self._conduct.hook(f"{point}:before")
        try:
            async with asyncio.timeout(timeout_s or self.times.call_s):
                response = await connections.send(request)
                try:
                    body = await _whole(response)
                finally:
                    await response.aclose()
        except _NEVER_LEFT as error:
            return NoReply(sent=False, reason=policy.reason(error))
        except (httpx.HTTPError, TimeoutError, CallFailed) as error:
            return NoReply(sent=True, reason=policy.reason(error))
        self._conduct.hook(f"{point}:after")
        return read_reply(response.status_code, body, response.headers)

    async def repeat(
        self,
        operation: Operation,
        once: Callable[[], Awaitable[Answer]],
        attempts: int | None = None,
        before: Callable[[], Awaitable[object]] = nothing,
        too_fast: Callable[[float | None], Awaitable[object]] = unheard,
    ) -> Reply:
        """Make attempts by the table until one has a useful answer; see `Client.read`."""
        attempt = 0
        while True:
            attempt += 1
            await before()
            answer = await once()
            verdict = policy.read(operation, answer)
            if verdict.too_fast:
                await too_fast(verdict.retry_after_s)
            if isinstance(answer, Reply):
                if verdict.kind == "ok":
                    return answer
                if verdict.kind == "fail" and answer.code in policy.STOP:
                    raise Refused(f"kie.ai refuses: {plain(verdict.message)}", hint=_KEY_HINT, code="key")
            if verdict.kind == "fail" or attempt >= (attempts or self._conduct.attempts):
                raise CallFailed(
                    verdict.code,
                    f"{operation}: {verdict.message}",
                    retryable=verdict.kind == "retry",
                    retry_after_s=verdict.retry_after_s,
                    hint=network.hint(verdict.message),
                )
            await self._conduct.sleep(policy.wait_s(attempt, self._conduct.rng, verdict.retry_after_s))

    def _timeout(self) -> httpx.Timeout:
        read_s = self.times.read_s
        return httpx.Timeout(connect=self.times.connect_s, read=read_s, write=read_s, pool=None)

    def _connections(self, url: str, *, reuse: bool) -> Connections:
        """Return connections for a URL, through a company's proxy where the environment names one.

        Loopback never takes a proxy, and plain http on it reads no certificates.
        """
        direct = is_loopback(url) or self._conduct.transport is not None
        proxy = None if direct else network.proxy_for(url)
        secure = url.startswith("https:")
        key = (reuse, secure, proxy)
        if key not in self._opened:
            self._opened[key] = connect(
                inner=self._conduct.transport,
                secure=secure,
                proxy=proxy,
                limits=_REUSE if reuse else _NO_REUSE,
                timeout=self._timeout(),
                headers={
                    "User-Agent": "kiebatch",
                    "Accept": "application/json",
                    "Accept-Encoding": bodies.ACCEPTED,
                },
            )
        return self._opened[key]


class Bearer:
    """Holds the key for the one header that it is sent in; no connection and no repr shows it."""

    def __init__(self, api_key: str) -> None:
        if not re.fullmatch(r"[!-~]*", api_key):
            raise Invalid("the API key holds blanks or signs that no key has", hint="copy it again")
        self._api_key = api_key

    @property
    def headers(self) -> dict[str, str]:
        """The header with the key; none where there is no key."""
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}


async def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in bodies.pieces(response):
        body += chunk
        if len(body) > _LONGEST_REPLY:
            raise CallFailed("too-big", "the answer is longer than 32 MiB", retryable=True)
    return bytes(body)


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    return addresses.is_loopback(urlsplit(url).hostname or "")
