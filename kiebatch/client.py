"""A small typed async client of the kie.ai media API, of use on its own.

    async with Client(key) as client:
        verdict = await client.submit(request)        # one attempt, never repeated inside
        done = await client.wait("jobs", verdict.task_id)
        await client.download(done.outputs[0].url, Path("picture.part"))

It sends requests with key, retries and time limits, uploads, downloads with resume, and maps what comes back to
values.  Protocol sections 1 (envelope, hosts, key), 2.3 (balance), 6 (uploads), 7 (download-url) and 11.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import re
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

from kiebatch import addresses, families, policy
from kiebatch.errors import Invalid, KieBatchError, Refused, plain
from kiebatch.model import JSON, Absent, Done, Reply, Request, Running, Status, TaskFailed
from kiebatch.policy import Answer, NoReply, SubmitVerdict

API_URL = "https://api.kie.ai"
UPLOAD_URL = "https://kieai.redpandaai.co"

_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=30)
# A submission never reuses an idle connection: when the server closes that in the same moment, nobody can tell
# whether the request was read, and the job would be held.  A media connection is opened to a checked address
# and must not be shared between host names that live at one address.
_NO_REUSE = httpx.Limits(max_connections=32, max_keepalive_connections=0)
_API_TIMES = httpx.Timeout(connect=10, read=60, write=60, pool=None)
_MEDIA_TIMES = httpx.Timeout(connect=10, read=120, write=60, pool=None)

_LONGEST_REPLY = 32 * 2**20
_CHUNK = 65536
_REDIRECTS = 5
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class CallFailed(KieBatchError):
    """One call came to nothing.  What it was about can be tried again later when `retryable`.

    `code` is the provider's, or one of ours: `no-answer`, `gone` (the link is dead), `too-big`, `truncated`,
    `not-media`, `forbidden-address`, `bad-redirect`.
    """

    status = "failed"

    def __init__(self, code: str, message: str, *, retryable: bool, hint: str = "") -> None:
        super().__init__(plain(message), hint=hint)
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFacts:
    """What came: the size of the whole file, and what the server calls it (the bytes decide, not this)."""

    size_bytes: int
    media_type: str
    resumed: bool = False


class Client:
    """The API of one account.

    `base_url` may be plain http on a loopback host alone.  `upload_url` is the documented upload host, or the base
    URL when that is loopback.  `transport` and `media_transport` replace the network (an `httpx.ASGITransport`,
    for instance); then no address is looked up.  `rng` and `sleep` make waits repeatable.

    The key goes to the API and upload hosts alone, and into no repr, log or error.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = API_URL,
        upload_url: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        media_transport: httpx.AsyncBaseTransport | None = None,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout_s: float = 90.0,
        attempts: int = 5,
    ) -> None:
        self.base_url = _host_url(base_url)
        self.upload_url = _host_url(upload_url or (base_url if _is_loopback(base_url) else UPLOAD_URL))
        self._named_hosts = {urlsplit(url).hostname for url in (self.base_url, self.upload_url)}
        self._rng = rng or random.Random()
        self._sleep = sleep
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._bearer = _Bearer(api_key.strip())
        self._transport = transport
        self._media_transport = media_transport or transport
        self._clients: dict[tuple[str, bool], httpx.AsyncClient] = {}
        self._tls: ssl.SSLContext | None = None
        self._api_turns = asyncio.Semaphore(20)
        self._upload_turns = asyncio.Semaphore(4)
        self._download_turns = asyncio.Semaphore(8)

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    # --- calls ---------------------------------------------------------------------------------------------

    async def submit(
        self,
        request: Request,
        task: Callable[[Reply], str | None] | None = None,
    ) -> SubmitVerdict:
        """Send one paid request: exactly one attempt, never repeated inside.

        `task` finds the task id in the reply (`families.get(...).task`); by default that of the Market API.
        The verdict tells a request that never left from one whose outcome is unknown.  Cancelling leaves the
        outcome unknown.
        """
        find = task or (lambda reply: families.get("jobs").task(reply))
        answer = await self._once("submit", request)
        return policy.submit(answer, find(answer) if isinstance(answer, Reply) else None)

    async def read(
        self,
        request: Request,
        *,
        operation: policy.Operation = "poll",
        attempts: int | None = None,
        before: Callable[[], Awaitable[object]] | None = None,
    ) -> Reply:
        """Send a request that costs nothing, again and again by the table, and return its reply.

        `before` is awaited before every attempt: the place to book a read.  `Refused` where the key is not
        accepted, `CallFailed` where attempts are used up or the answer will not change.
        """
        return await self._repeat(operation, lambda: self._once("api", request), attempts, before)

    async def balance(self) -> float:
        """Return the account's credits, which have fractions.  Protocol 2.3."""
        reply = await self.read(Request(method="GET", path="/api/v1/chat/credit"), operation="balance")
        data = reply.data
        if isinstance(data, Mapping):
            data = next((data[key] for key in ("credits", "balance", "credit") if key in data), None)
        try:
            found = math.nan if isinstance(data, bool) else float(data)
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found):
            raise CallFailed(
                "no-balance", "the answer to the balance request holds no number", retryable=True
            )
        return found

    async def status(self, family: str, task_id: str, endpoint: str = "") -> Status:
        """Read one task's record."""
        shape = families.get(family, endpoint)
        return shape.status(await self.read(shape.record(task_id)))

    async def wait(
        self,
        family: str,
        task_id: str,
        endpoint: str = "",
        *,
        timeout_s: float = 600.0,
        interval_s: float = 2.0,
        on_status: Callable[[Status], object] = lambda status: None,
    ) -> Done | TaskFailed:
        """Read a task's record until it is over, at growing intervals, for one who does not run batches.

        `CallFailed` with code `timeout` ends the wait, never the task: its result can still be collected.
        A record that is not visible is waited for during 90 s (protocol 3.4), outputs that a finished task does
        not name during 30 s more (3.5).
        """
        waited = empty_s = 0.0
        pause = interval_s
        while True:
            status = await self.status(family, task_id, endpoint)
            on_status(status)
            if isinstance(status, TaskFailed) or (
                isinstance(status, Done) and (status.outputs or empty_s >= 30)
            ):
                return status
            if isinstance(status, Absent) and waited >= 90:
                raise CallFailed(
                    "not-found", f"task {task_id} is not found: {status.message}", retryable=False
                )
            if waited >= timeout_s:
                raise CallFailed(
                    "timeout",
                    f"task {task_id} is not over after {timeout_s:g} s",
                    retryable=True,
                    hint="it goes on at the provider and can be collected later",
                )
            if isinstance(status, Done):
                empty_s += pause
            await self._sleep(pause)
            waited += pause
            pause = min(pause * 1.3, 15.0) if isinstance(status, Running) else interval_s

    # --- files in ------------------------------------------------------------------------------------------

    async def upload(self, source: Path | bytes, name: str, media_type: str) -> str:
        """Send a file and return the URL under which the provider can read it, for three days.

        It is stored under a name made from its content: the same path and name would overwrite, and caches
        may keep serving the old bytes (protocol 6).  Of `name` only the ending is used.
        """
        digest = _digest(source)
        stored = stored_name(digest, name)

        async def once() -> Answer:
            body = source.open("rb") if isinstance(source, Path) else source
            try:
                files = {"file": (stored, body, media_type)}
                fields = {"uploadPath": "kiebatch", "fileName": stored}
                return await self._send(
                    "upload", "POST", f"{self.upload_url}/api/file-stream-upload", files=files, data=fields
                )
            finally:
                if not isinstance(body, bytes):
                    body.close()

        return await self._uploaded(once)

    async def upload_base64(self, data_url: str, name: str) -> str:
        """Send a file given as base64 or as a `data:` URL, up to 10 MB, and return its URL."""
        digest = hashlib.sha256(data_url.encode()).hexdigest()
        return await self._upload_json("/api/file-base64-upload", {"base64Data": data_url}, digest, name)

    async def upload_from_url(self, url: str, name: str = "") -> str:
        """Have the provider copy a public file, up to 100 MB, and return the copy's URL."""
        digest = hashlib.sha256(url.encode()).hexdigest()
        return await self._upload_json(
            "/api/file-url-upload", {"fileUrl": url}, digest, name or urlsplit(url).path
        )

    async def _upload_json(self, path: str, body: dict[str, JSON], digest: str, name: str) -> str:
        body |= {"uploadPath": "kiebatch", "fileName": stored_name(digest, name)}
        return await self._uploaded(lambda: self._send("upload", "POST", self.upload_url + path, json=body))

    async def _uploaded(self, once: Callable[[], Awaitable[Answer]]) -> str:
        async with self._upload_turns:
            reply = await self._repeat("upload", once)
        data = reply.data if isinstance(reply.data, Mapping) else {}
        for key in ("downloadUrl", "fileUrl"):
            url = data.get(key)
            if isinstance(url, str) and re.match(r"https?://", url):
                return url
        raise CallFailed("no-url", "the upload was accepted without a URL", retryable=True)

    # --- files out -----------------------------------------------------------------------------------------

    async def fresh_url(self, url: str) -> str:
        """Return a link that lives 20 minutes for a result link that is dead.  Protocol 7.2."""
        request = Request(method="POST", path="/api/v1/common/download-url", body={"url": url})
        reply = await self.read(request, operation="download-url")
        if isinstance(reply.data, str) and re.match(r"https?://", reply.data):
            return reply.data
        raise CallFailed("no-url", "the answer to the download-url request holds no URL", retryable=True)

    async def download(
        self,
        url: str,
        part_path: Path,
        *,
        cap_bytes: int = 2 * 2**30,
        limit_s: float = 3600.0,
        progress: Callable[[int], object] = lambda size_bytes: None,
    ) -> DownloadFacts:
        """Stream a result into `part_path`, going on where an earlier attempt stopped.

        `part_path` is for this one result: what it holds already is taken for the beginning of it, when the
        server offers ranges.  The length is checked when the server tells it.  No key is sent.  Only https is
        fetched, and no address inside the user's network; a host that the user named as `base_url` is exempt,
        http included where that is loopback.  Every redirect is checked alike.

        `CallFailed` with code `gone` (403, 404, 410) asks for `fresh_url`; `too-big`, `forbidden-address` and
        `bad-redirect` will not change; `truncated`, `not-media` and `no-answer` may.
        """
        async with self._download_turns:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._download_on(url, part_path, cap_bytes, progress)
            except TimeoutError as error:
                raise CallFailed(
                    "no-answer", f"the download took over {limit_s:g} s", retryable=True
                ) from error

    async def _download_on(
        self, url: str, part_path: Path, cap_bytes: int, progress: Callable[[int], object]
    ) -> DownloadFacts:
        attempt = 0
        while True:
            held = _size(part_path)
            try:
                return await self._download_once(url, part_path, cap_bytes, progress)
            except CallFailed as failure:
                # Attempts are counted while nothing more arrives: a slow link that gets on is no failure.
                attempt = 1 if _size(part_path) > held else attempt + 1
                if not failure.retryable or attempt >= self._attempts:
                    raise
            await self._sleep(policy.wait_s(attempt, self._rng))

    async def _download_once(
        self, url: str, part_path: Path, cap_bytes: int, progress: Callable[[int], object]
    ) -> DownloadFacts:
        have = _size(part_path)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            async with self._follow(url, headers) as response:
                verdict = policy.read(
                    "download",
                    Reply(http_status=response.status_code, code=response.status_code, has_code=False),
                )
                if response.status_code == 416:
                    if have and _total(response.headers.get("content-range", "")) == have:
                        return DownloadFacts(size_bytes=have, media_type="", resumed=True)
                    _drop(part_path)
                if verdict.kind != "ok":
                    gone = response.status_code in (403, 404, 410)
                    raise CallFailed(
                        "gone" if gone else str(response.status_code),
                        f"the result's host answers HTTP {response.status_code}",
                        retryable=verdict.kind == "retry",
                    )
                return await _keep(response, part_path, have, cap_bytes, progress)
        except httpx.HTTPError as error:
            raise CallFailed("no-answer", _reason(error), retryable=True) from error

    @asynccontextmanager
    async def _follow(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """Yield the response at the end of the redirects, every hop of them checked."""
        for _ in range(_REDIRECTS + 1):
            response = await self._open(url, headers)
            try:
                if response.status_code not in (301, 302, 303, 307, 308):
                    yield response
                    return
                url = urljoin(url, response.headers.get("location", ""))
            finally:
                await response.aclose()
        raise CallFailed("bad-redirect", "the result's host redirects without end", retryable=False)

    async def _open(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        parts = urlsplit(url)
        host = parts.hostname or ""
        named = host in self._named_hosts
        if parts.scheme != "https" and not (parts.scheme == "http" and named and _is_loopback(url)):
            raise CallFailed(
                "bad-redirect",
                f"a result must come over https, found {parts.scheme}://{host}",
                retryable=False,
            )
        if parts.username or parts.password:
            raise CallFailed("bad-redirect", "a result's address must not carry a user name", retryable=False)
        if self._media_transport:
            client = self._client("media", env=False)
            return await client.send(client.build_request("GET", url, headers=headers), stream=True)
        if named or _proxied(url):
            if not named:
                await self._addresses(host, parts.port or 443, unknown_is_fine=True)
            client = self._client("media", env=not _is_loopback(url))
            return await client.send(client.build_request("GET", url, headers=headers), stream=True)
        # Connect to the very address that was checked; a second look-up could give another one.
        client = self._client("media", env=False)
        found = await self._addresses(host, parts.port or 443)
        for n, address in enumerate(found, 1):
            target = httpx.URL(url).copy_with(host=address)
            request = client.build_request("GET", target, headers={**headers, "Host": parts.netloc})
            request.extensions["sni_hostname"] = host
            try:
                return await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if n == len(found):
                    raise
        raise AssertionError("a host has at least one address")  # pragma: no cover

    async def _addresses(self, host: str, port: int, *, unknown_is_fine: bool = False) -> list[str]:
        """Return the addresses of a host, all of them public; CallFailed where one is not."""
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if unknown_is_fine:  # behind a company proxy, names outside are often the proxy's business
                return []
            raise CallFailed("no-answer", f"the host {host} is not known: {error}", retryable=True) from error
        named = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in named:
            if not addresses.is_public(address.partition("%")[0]):
                raise CallFailed(
                    "forbidden-address",
                    f"the result's host {host} is at {address}, inside the local network; it is not fetched",
                    retryable=False,
                )
        return named

    # --- the wire ------------------------------------------------------------------------------------------

    async def _once(self, purpose: str, request: Request) -> Answer:
        async with self._api_turns:
            return await self._send(
                purpose,
                request.method,
                self.base_url + request.path,
                params=dict(request.query) or None,
                json=None if request.body is None else dict(request.body),
            )

    async def _send(self, purpose: str, method: str, url: str, **content: Any) -> Answer:
        """Make one attempt; every answer and every failure is a value."""
        client = self._client(purpose, env=not _is_loopback(url))
        content = {key: value for key, value in content.items() if value is not None}
        try:
            request = client.build_request(method, url, **content)
        except (TypeError, ValueError, httpx.InvalidURL) as error:
            return NoReply(sent=False, reason=_reason(error))
        try:
            async with asyncio.timeout(self._timeout_s * (10 if purpose == "upload" else 1)):
                response = await client.send(request, auth=self._bearer, stream=True)
                try:
                    body = await _whole(response)
                finally:
                    await response.aclose()
        except _NEVER_LEFT as error:
            return NoReply(sent=False, reason=_reason(error))
        except (httpx.HTTPError, TimeoutError, CallFailed) as error:
            return NoReply(sent=True, reason=_reason(error))
        return read_reply(response.status_code, body, response.headers)

    async def _repeat(
        self,
        operation: policy.Operation,
        once: Callable[[], Awaitable[Answer]],
        attempts: int | None = None,
        before: Callable[[], Awaitable[object]] | None = None,
    ) -> Reply:
        attempt = 0
        while True:
            attempt += 1
            if before:
                await before()
            answer = await once()
            verdict = policy.read(operation, answer)
            if verdict.kind == "ok" and isinstance(answer, Reply):
                return answer
            if verdict.kind == "fail" and isinstance(answer, Reply) and answer.code in (401, 402, 403, 433):
                raise Refused(f"kie.ai refuses the {operation}: {plain(verdict.message)}", hint=_KEY_HINT)
            if verdict.kind == "fail" or attempt >= (attempts or self._attempts):
                raise CallFailed(
                    verdict.code,
                    f"{operation}: {verdict.message}",
                    retryable=verdict.kind == "retry",
                )
            await self._sleep(policy.wait_s(attempt, self._rng, verdict.retry_after_s))

    def _client(self, purpose: str, *, env: bool) -> httpx.AsyncClient:
        """Return the connections for a purpose.  `env` takes proxies from the environment, never for loopback."""
        kind = purpose if purpose in ("submit", "media") else "api"
        transport = self._media_transport if kind == "media" else self._transport
        key = (kind, env and transport is None)
        if key not in self._clients:
            if transport is None and self._tls is None:
                self._tls = httpx.create_ssl_context()  # SSL_CERT_FILE and SSL_CERT_DIR are honoured here
            self._clients[key] = httpx.AsyncClient(
                transport=_Shared(transport) if transport else None,
                verify=self._tls or True,
                trust_env=key[1],
                http2=False,
                follow_redirects=False,
                limits=_LIMITS if kind == "api" else _NO_REUSE,
                timeout=_MEDIA_TIMES if kind == "media" else _API_TIMES,
                headers={"User-Agent": "kiebatch"},
            )
        return self._clients[key]


_KEY_HINT = "check the key and the credits at https://kie.ai/api-key"


class _Bearer(httpx.Auth):
    """Puts the key into one header at the last moment, so that no client, request repr or log holds it."""

    def __init__(self, api_key: str) -> None:
        if not re.fullmatch(r"[!-~]*", api_key):
            raise Invalid("the API key holds blanks or characters that no key has", hint="paste it again")
        self._key = api_key

    def auth_flow(self, request: httpx.Request) -> Any:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request

    def __repr__(self) -> str:
        return "_Bearer(…)"


class _Shared(httpx.AsyncBaseTransport):
    """A transport that was passed in: used by several clients, closed by whoever made it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


# --- reading -------------------------------------------------------------------------------------------


def read_reply(http_status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Read an answer as protocol 1.4 says: the body's own code decides, the HTTP status only where there is none.

    An HTTP error with the body code 200 counts as that error; so does `success: false` with code 200.
    """
    retry_after_s = _retry_after((headers or {}).get("retry-after"), (headers or {}).get("date"))
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    code = _int(parsed.get("code")) if isinstance(parsed, dict) else None
    if code is None:
        return Reply(
            http_status=http_status,
            code=http_status,
            message=_said(parsed, body),
            body=parsed if isinstance(parsed, dict) else None,
            has_code=False,
            retry_after_s=retry_after_s,
        )
    if code == 200 and http_status >= 400:
        code = http_status
    if code == 200 and parsed.get("success") is False:
        code = 500
    return Reply(
        http_status=http_status,
        code=code,
        message=_said(parsed, body),
        data=parsed.get("data"),
        body=parsed,
        retry_after_s=retry_after_s,
    )


def _said(parsed: JSON, body: bytes) -> str:
    if isinstance(parsed, dict):
        for key in ("msg", "message", "error"):
            if isinstance(parsed.get(key), str) and parsed[key]:
                return plain(parsed[key])
        return ""
    text = body[:4000].decode("utf-8", "replace")
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    if title:
        return plain(f"a web page: {' '.join(title[1].split())}", 200)
    return plain(" ".join(re.sub(r"(?s)<[^>]*>", " ", text).split()), 200)


def _int(value: JSON) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\d{1,6}", value.strip()):
        return int(value)
    return None


def _retry_after(value: str | None, date: str | None) -> float | None:
    """Read `Retry-After`: seconds, or a date that is compared with the answer's own `Date`."""
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value.strip()):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(date or "")).total_seconds())
    except (TypeError, ValueError):
        return None


async def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes(_CHUNK):
        body += chunk
        if len(body) > _LONGEST_REPLY:
            raise CallFailed("too-big", "the answer is longer than 32 MiB", retryable=True)
    return bytes(body)


async def _keep(
    response: httpx.Response, part_path: Path, have: int, cap_bytes: int, progress: Callable[[int], object]
) -> DownloadFacts:
    """Write a media response to its part file and check its length."""
    resumed = response.status_code == 206 and have > 0
    content_range = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    if response.status_code == 206 and (
        not content_range or int(content_range[1]) != (have if resumed else 0)
    ):
        _drop(part_path)
        raise CallFailed("truncated", "the result's host sent another range than asked for", retryable=True)
    start = have if resumed else 0
    total = _total(response.headers.get("content-range", "")) if resumed else None
    if total is None and not response.headers.get("content-encoding"):
        length = _int(response.headers.get("content-length"))
        total = None if length is None else start + length
    if total is not None and total > cap_bytes:
        raise CallFailed("too-big", f"the result has {total} bytes, more than {cap_bytes}", retryable=False)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    size, first = start, True
    with part_path.open("ab" if resumed else "wb") as file:
        async for chunk in response.aiter_bytes(_CHUNK):
            if first and not resumed and (media_type == "text/html" or _is_page(chunk)):
                raise CallFailed("not-media", "a web page came instead of the result", retryable=True)
            first = False
            size += len(chunk)
            if size > cap_bytes:
                raise CallFailed("too-big", f"the result has more than {cap_bytes} bytes", retryable=False)
            file.write(chunk)
            progress(size)
    if (total is not None and size != total) or size == 0:
        if total is not None and size > total:
            _drop(part_path)
        raise CallFailed("truncated", f"{size} of {total or 'some'} bytes came", retryable=True)
    return DownloadFacts(size_bytes=size, media_type=media_type, resumed=resumed)


def _is_page(head: bytes) -> bool:
    return bool(re.match(rb"(?i)\s*(<!doctype html|<html)", head.removeprefix(b"\xef\xbb\xbf")[:200]))


def _total(content_range: str) -> int | None:
    found = re.search(r"/(\d{1,15})\s*$", content_range)
    return int(found[1]) if found else None


def _drop(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _reason(error: BaseException) -> str:
    text = plain(str(error), 200)
    kind = {"ReadTimeout": "no answer in time", "TimeoutError": "no answer in time"}.get(
        type(error).__name__, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    )
    return f"{kind}: {text}" if text else kind


# --- names and addresses -------------------------------------------------------------------------------


def stored_name(digest: str, name: str) -> str:
    """Return the name an upload is stored under: from its content, with a plain ending taken from `name`."""
    ending = PurePath(name).suffix.lower()
    return digest[:32] + (ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else "")


def _digest(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_loopback(url: str) -> bool:
    return addresses.is_loopback(urlsplit(url).hostname or "")


def _host_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"`{plain(url)}` is no address of an API", hint="write it as https://api.kie.ai")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid("the API's address must have no user name, query or fragment")
    if parts.scheme == "http" and not _is_loopback(url):
        raise Invalid(
            f"`{plain(url)}`: plain http would show the key to everyone on the way",
            hint="use https; http is taken for this machine only",
        )
    return url.strip().rstrip("/")


def _proxied(url: str) -> bool:
    """Whether the environment sends this URL through a proxy, which then does the look-up of the name."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    return bool(proxies.get(parts.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(
        parts.netloc
    )
