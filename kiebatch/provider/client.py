"""A small typed async client of the kie.ai media API, of use on its own.

    async with Client(key) as client:
        jobs = families.get("jobs")
        verdict = await client.submit(jobs.request("z-image", {"prompt": "a boat", "aspect_ratio": "16:9"}))
        done = await client.wait("jobs", verdict.task_id)
        await client.download(done.outputs[0].url, Path("boat.part"))

It sends requests with key, retries and time limits, uploads, downloads, and maps what comes back to values.
Protocol sections 1 (hosts, key, envelope), 2.3 (balance), 6 (uploads), 7 (download-url) and 11.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import random
import re
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from kiebatch import addresses
from kiebatch.errors import CallFailed, Invalid, Refused, plain
from kiebatch.model import Absent, Done, Reply, Request, Running, Status, TaskFailed
from kiebatch.provider import bodies, families, network, policy
from kiebatch.provider.downloads import DownloadFacts, Downloads, no_hook, traced
from kiebatch.provider.latency import Latency
from kiebatch.provider.policy import Answer, NoReply, Operation, SubmitVerdict
from kiebatch.provider.reply import read_reply
from kiebatch.provider.times import Times
from kiebatch.provider.transport import open_client

__all__ = ["API_URL", "UPLOAD_URL", "CallFailed", "Client", "DownloadFacts", "SubmitVerdict", "read_reply"]

API_URL = "https://api.kie.ai"
UPLOAD_URL = "https://kieai.redpandaai.co"
BALANCE_PATHS = ("/api/v1/chat/credit", "/api/v1/user/credits")

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


async def _nothing() -> None:
    return None


async def _unheard(_retry_after_s: float | None) -> None:
    return None


Exchange = Callable[[Request, Answer, str | None], object]


class Client:
    """The API of one account.

    `base_url` may be plain http on a loopback host alone.  `upload_url` is the documented upload host, or the base
    URL when that is loopback.  `transport` and `media_transport` replace the network (by an `httpx.ASGITransport`,
    for instance); then no address is looked up.  `rng` and `sleep` make the waits repeatable.  `times` bounds one
    attempt of one call, `timeout_s` its whole alone, `attempts` how often a call that costs nothing is tried.  Uploads are filed in
    `upload_folder`.  `trusted_hosts` may serve results as the API's own host may.  `hook` is told of every request
    before it leaves, when it has left, and when its answer is whole (`request.createTask:sent`).  `exchange` is told of
    every submission and every status read with its answer, and of the task id of a submission that was accepted.

    The key goes to the API and the upload host alone, and into no repr, log or error.
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
        timeout_s: float | None = None,
        times: Times | None = None,
        upload_folder: str = "kiebatch",
        trusted_hosts: Collection[str] = (),
        attempts: int = 5,
        hook: Callable[[str], None] = no_hook,
        exchange: Exchange = lambda request, answer, task_id: None,
    ) -> None:
        self.base_url = _host_url(base_url)
        self.upload_url = _host_url(upload_url or (self.base_url if _is_loopback(base_url) else UPLOAD_URL))
        self._bearer = _Bearer(api_key.strip())
        self._transport = transport
        self._rng = rng or random.Random()
        self._sleep = sleep
        limits = times or Times()
        self._times = replace(limits, call_s=timeout_s) if timeout_s else limits
        self._upload_folder = upload_folder
        self._attempts = attempts
        self._hook = hook
        self._exchange = exchange
        self._clients: dict[tuple[bool, bool, str | None], httpx.AsyncClient] = {}
        # Who waits, waits here and not in the pool, whose queue costs quadratic time.
        self._turns = asyncio.Semaphore(20)
        self._upload_turns = asyncio.Semaphore(4)
        self._latency = Latency()
        self._downloads = Downloads(
            {_named(url) for url in (self.base_url, self.upload_url)},
            trusted_hosts=trusted_hosts,
            transport=media_transport or transport,
            rng=self._rng,
            sleep=sleep,
            attempts=attempts,
            times=self._times,
            hook=hook,
        )

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
        await self._downloads.aclose()

    # --- tasks ---------------------------------------------------------------------------------------------

    async def submit(
        self, request: Request, task: Callable[[Reply], str | None] | None = None
    ) -> SubmitVerdict:
        """Send one paid request: exactly one attempt, never repeated inside.

        `task` finds the task id in the reply (`Endpoint.task` of the job's family); by default that of the Market
        API.  The verdict tells a request that never left from one whose outcome is unknown.  A cancelled call has
        an unknown outcome.
        """
        answer = await self._once(request, paid=True)
        find = task or families.get("jobs").task
        verdict = policy.submit(answer, find(answer) if isinstance(answer, Reply) else None, request)
        self._exchange(request, answer, verdict.task_id)
        return verdict

    async def read(
        self,
        request: Request,
        *,
        operation: Operation = "poll",
        attempts: int | None = None,
        before: Callable[[], Awaitable[object]] = _nothing,
        too_fast: Callable[[float | None], Awaitable[object]] = _unheard,
    ) -> Reply:
        """Send a request that costs nothing, again and again by the table, and return its reply.

        `before` is awaited before every attempt: the place to book a read.  `too_fast` is told of every 429, with
        what the server asked for: the place to slow all reads down.  `Refused` where the key is not accepted;
        `CallFailed` where the attempts are used up or the answer will not change.
        """
        reply = await self._repeat(
            operation, lambda: self._read_once(request, before), attempts, before, too_fast
        )
        if operation == "poll":
            self._exchange(request, reply, None)
        return reply

    async def status(self, family: str, task_id: str, endpoint: str = "") -> Status:
        """Read one task's record and say what it means."""
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
        """Read a task's record at growing intervals until the task is over; for those who run no batch.

        `CallFailed` with code `timeout` ends the wait, never the task: its result can still be collected.  A
        record that is not visible is looked for during 90 s (protocol 3.4); outputs that a finished task does not
        name, during 30 s (3.5).
        """
        waited = absent_s = empty_s = 0.0
        pause = interval_s
        while True:
            status = await self.status(family, task_id, endpoint)
            on_status(status)
            match status:
                case TaskFailed():
                    return status
                case Done():
                    if status.outputs or empty_s >= 30:
                        return status
                    empty_s += pause
                case Absent():
                    if absent_s >= 90:
                        raise CallFailed(
                            "not-found", f"task {task_id} is not found: {status.message}", retryable=False
                        )
                    absent_s += pause
                case Running():
                    absent_s, pause = 0.0, min(pause * 1.3, 15.0)
            if waited >= timeout_s:
                raise CallFailed(
                    "timeout",
                    f"task {task_id} is not over after {timeout_s:g} s",
                    retryable=True,
                    hint="it goes on at the provider and can be collected later",
                )
            await self._sleep(pause)
            waited += pause

    # --- the account ---------------------------------------------------------------------------------------

    async def balance(self, *, attempts: int | None = None) -> float:
        """Return the account's credits, which have fractions.  Protocol 2.3.

        A second path is asked where the first is gone.  `CallFailed` with code `no-balance` where neither tells it:
        the API can be reached, and the account's credits are not known.
        """
        for path in BALANCE_PATHS:
            with contextlib.suppress(_NoBalance):
                return await self._balance_at(path, attempts)
        raise CallFailed(
            "no-balance", f"neither {' nor '.join(BALANCE_PATHS)} tells the balance", retryable=True
        )

    async def _balance_at(self, path: str, attempts: int | None) -> float:
        """Return the balance that one path tells; `_NoBalance` where it answers and tells none."""
        request = Request(method="GET", path=path)
        try:
            reply = await self.read(request, operation="balance", attempts=attempts)
        except CallFailed as failure:
            if failure.retryable:  # nobody answered: another path would not be heard either
                raise
            raise _NoBalance from failure
        data = reply.data
        if isinstance(data, Mapping):
            data = next((data[key] for key in ("credits", "balance", "credit") if key in data), None)
        try:
            found = math.nan if isinstance(data, bool) else float(data)
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found):
            raise _NoBalance
        return found

    # --- files in ------------------------------------------------------------------------------------------

    async def upload(self, source: Path | bytes, name: str, media_type: str) -> str:
        """Send a file and return the URL under which the provider can read it (`lifetimes.UPLOAD`).

        It is stored under a name made from its content: the same path and name would overwrite, and caches
        may keep serving the old bytes (protocol 6).  Of `name` only the ending is used.
        """
        stored = stored_name(_digest(source), name)

        async def once() -> Answer:
            body = source.open("rb") if isinstance(source, Path) else source
            try:
                return await self._upload_once(
                    "/api/file-stream-upload",
                    files={"file": (stored, body, media_type)},
                    data={"uploadPath": self._upload_folder, "fileName": stored},
                )
            finally:
                if not isinstance(body, bytes):
                    body.close()

        return await self._uploaded(once)

    async def upload_base64(self, data_url: str, name: str) -> str:
        """Send a file given as base64 or as a `data:` URL, of 10 MB at most, and return its URL."""
        stored = stored_name(_digest(data_url.encode()), name)
        body = {"base64Data": data_url, "uploadPath": self._upload_folder, "fileName": stored}
        return await self._uploaded(lambda: self._upload_once("/api/file-base64-upload", json=body))

    async def upload_from_url(self, url: str, name: str = "") -> str:
        """Have the provider copy a public file, of 100 MB at most, and return the copy's URL."""
        stored = stored_name(_digest(url.encode()), name or urlsplit(url).path)
        body = {"fileUrl": url, "uploadPath": self._upload_folder, "fileName": stored}
        return await self._uploaded(lambda: self._upload_once("/api/file-url-upload", json=body))

    async def _upload_once(self, path: str, **content: Any) -> Answer:
        return await self._send("POST", self.upload_url + path, content, timeout_s=10 * self._times.call_s)

    async def _uploaded(self, once: Callable[[], Awaitable[Answer]]) -> str:
        async with self._upload_turns:
            reply = await self._repeat("upload", once)
        for key in ("downloadUrl", "fileUrl"):
            url = reply.data.get(key) if isinstance(reply.data, Mapping) else None
            if isinstance(url, str) and _is_web(url):
                return url
        raise CallFailed("no-url", "the upload was accepted without a URL", retryable=True)

    # --- files out -----------------------------------------------------------------------------------------

    async def fresh_url(self, url: str, request: Request | None = None) -> str:
        """Return a link that lives for 20 minutes for a result's dead one.  Protocol 7.2.

        `request` is the family's own call for it (`Endpoint.fresh_link`); by default the one for all families.
        """
        request = request or families.get("jobs").fresh_link("", url)
        reply = await self.read(request, operation="download-url")
        if isinstance(reply.data, str) and _is_web(reply.data):
            return reply.data
        raise CallFailed("no-url", "the answer about a fresh link holds no URL", retryable=True)

    async def download(
        self,
        url: str,
        part_path: Path,
        *,
        cap_bytes: int = 2 * 2**30,
        limit_s: float | None = None,
        progress: Callable[[int], object] = lambda size_bytes: None,
    ) -> DownloadFacts:
        """Stream a result into `part_path`, going on where an earlier attempt stopped.

        `part_path` is for this one result: what it holds already is taken for its beginning, when the server
        offers ranges.  The length is checked where the server tells it, a web page is refused.  No key is sent.
        Only https is fetched, and no address inside the user's network; a host that the user named as `base_url` or
        `upload_url` is exempt, with plain http where that is loopback.  Every redirect is checked alike.

        `CallFailed` with code `gone` (403, 404, 410) asks for `fresh_url`; with `too-big`, `forbidden-address` or
        `bad-redirect` it will not change; after `truncated`, `not-media` or `no-answer` it may.
        """
        return await self._downloads.fetch(
            url,
            part_path,
            cap_bytes=cap_bytes,
            limit_s=limit_s or self._times.download_s,
            progress=progress,
        )

    # --- the wire ------------------------------------------------------------------------------------------

    async def _once(self, request: Request, *, paid: bool = False, limit_s: float | None = None) -> Answer:
        content: dict[str, Any] = {}
        if request.query:
            content["params"] = dict(request.query)
        if request.body is not None:
            content["json"] = dict(request.body)
        url = self.base_url + request.path
        return await self._send(request.method, url, content, paid=paid, timeout_s=limit_s)

    async def _read_once(self, request: Request, before: Callable[[], Awaitable[object]]) -> Answer:
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
            answer = await self._once(request, limit_s=min(self._latency.limit_s, self._times.call_s))
        if isinstance(answer, NoReply):
            self._latency.note_failure()
        else:
            self._latency.note(loop.time() - began)
        return answer

    async def _send(
        self,
        method: str,
        url: str,
        content: dict[str, Any],
        *,
        paid: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """Make one attempt; every answer and every failure is a value."""
        client = self._client(url, reuse=not paid)
        try:
            request = client.build_request(method, url, **content)
        except (TypeError, ValueError, httpx.InvalidURL) as error:
            return NoReply(sent=False, reason=policy.reason(error))
        point = f"request.{url.rsplit('/', 1)[-1]}"
        request.extensions |= traced(self._hook, point)
        self._hook(f"{point}:before")
        try:
            async with asyncio.timeout(timeout_s or self._times.call_s):
                response = await client.send(request, auth=self._bearer, stream=True)
                try:
                    body = await _whole(response)
                finally:
                    await response.aclose()
        except _NEVER_LEFT as error:
            return NoReply(sent=False, reason=policy.reason(error))
        except (httpx.HTTPError, TimeoutError, CallFailed) as error:
            return NoReply(sent=True, reason=policy.reason(error))
        self._hook(f"{point}:after")
        return read_reply(response.status_code, body, response.headers)

    async def _repeat(
        self,
        operation: Operation,
        once: Callable[[], Awaitable[Answer]],
        attempts: int | None = None,
        before: Callable[[], Awaitable[object]] = _nothing,
        too_fast: Callable[[float | None], Awaitable[object]] = _unheard,
    ) -> Reply:
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
                    raise Refused(f"kie.ai refuses: {plain(verdict.message)}", hint=_KEY_HINT)
            if verdict.kind == "fail" or attempt >= (attempts or self._attempts):
                raise CallFailed(
                    verdict.code,
                    f"{operation}: {verdict.message}",
                    retryable=verdict.kind == "retry",
                    retry_after_s=verdict.retry_after_s,
                    hint=network.hint(verdict.message),
                )
            await self._sleep(policy.wait_s(attempt, self._rng, verdict.retry_after_s))

    def _timeout(self) -> httpx.Timeout:
        read_s = self._times.read_s
        return httpx.Timeout(connect=self._times.connect_s, read=read_s, write=read_s, pool=None)

    def _client(self, url: str, *, reuse: bool) -> httpx.AsyncClient:
        """Return connections for a URL, through a company's proxy where the environment names one.

        Loopback never takes a proxy, and plain http on it reads no certificates.
        """
        direct = _is_loopback(url) or self._transport is not None
        proxy = None if direct else network.proxy_for(url)
        secure = url.startswith("https:")
        key = (reuse, secure, proxy)
        if key not in self._clients:
            self._clients[key] = open_client(
                inner=self._transport,
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
        return self._clients[key]


class _NoBalance(Exception):
    """A path answered, and its answer holds no balance."""


class _Bearer(httpx.Auth):
    """Puts the key into one header at the last moment, so that no client and no repr holds it."""

    def __init__(self, api_key: str) -> None:
        if not re.fullmatch(r"[!-~]*", api_key):
            raise Invalid("the API key holds blanks or signs that no key has", hint="copy it again")
        self._api_key = api_key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._api_key:
            request.headers["Authorization"] = f"Bearer {self._api_key}"
        yield request


async def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in bodies.pieces(response):
        body += chunk
        if len(body) > _LONGEST_REPLY:
            raise CallFailed("too-big", "the answer is longer than 32 MiB", retryable=True)
    return bytes(body)


def stored_name(digest: str, name: str) -> str:
    """Return the name an upload is stored under: from its content, with a plain ending taken from `name`."""
    ending = PurePath(name).suffix.lower()
    return digest[:32] + (ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else "")


def _digest(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _is_loopback(url: str) -> bool:
    return addresses.is_loopback(urlsplit(url).hostname or "")


def _named(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), addresses.port_of(parts)


def _host_url(url: str) -> str:
    parts = addresses.split(url.strip())
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise Invalid(f"`{plain(url)}` is not an address of an API", hint="write it as `https://api.kie.ai`")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid("the API's address must have no user name, query or fragment")
    if parts.scheme == "http" and not _is_loopback(url.strip()):
        raise Invalid(
            f"`{plain(url)}`: plain http would show the key to everyone on the way",
            hint="use https; http is taken for this machine only",
        )
    return url.strip().rstrip("/")
