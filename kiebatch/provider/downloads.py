"""Fetches results: goes on where it stopped, checks lengths, and enters nobody's own network.

Protocol 2.2 (links die), 1.2 (never a key) and 11.11.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx

from kiebatch import addresses
from kiebatch.errors import CallFailed, plain
from kiebatch.model import Reply
from kiebatch.provider import bodies, network, policy
from kiebatch.provider.conduct import Conduct, traced
from kiebatch.provider.parts import Origin, Part
from kiebatch.provider.transport import Connections, connect

# It is given up when nothing more comes for so many times `stall_s`; sooner where other results came meanwhile, for then
# it is not the network.  The task is kept, and the next run tries again.
_HOPELESS = 12
_HOPELESS_ALONE = 3
_PAUSES_S = (0.5, 2.0, 6.0, 15.0, 30.0)  # after so many attempts in a row that brought nothing
_REDIRECTS = 5
# A connection is opened to an address that was checked for one host name; another name that lives at the same
# address must not get it.
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFacts:
    """What came: the size of the whole file, and what the server calls it (the bytes decide, not this)."""

    size_bytes: int
    media_type: str
    resumed: bool = False


class Downloads:
    """The connections to the hosts that serve results.  They have no key, and no base URL.

    `named` are the hosts with their ports that the user named: only they may be at a private address, and on
    loopback speak plain http.  The conduct's `trusted_hosts` are those that the user's config allows in the same way, as `host`
    (on any port) or `host:port`.  Its transport replaces the network, and then no address is looked up.
    """

    def __init__(
        self,
        named: Collection[tuple[str, int]],
        conduct: Conduct,
        *,
        at_once: int = 8,
    ) -> None:
        self._named = frozenset(named)
        self._trusted = frozenset(host.lower() for host in conduct.trusted_hosts)
        self._transport = conduct.media_transport or conduct.transport
        self._conduct = conduct
        self._times = conduct.times
        self._timeout = httpx.Timeout(connect=self._times.connect_s, read=None, write=60, pool=None)
        self._turns = asyncio.Semaphore(at_once)
        self._came_at = 0.0  # the loop's time at which the last result was whole
        self._opened: dict[tuple[bool, str | None], Connections] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        opened, self._opened = list(self._opened.values()), {}
        for connections in opened:
            await connections.aclose()

    async def fetch(
        self,
        url: str,
        part_path: Path,
        *,
        cap_bytes: int,
        limit_s: float,
        progress: Callable[[int], object] = lambda size_bytes: None,
    ) -> DownloadFacts:
        """Stream a result into `part_path`; see `Client.download`."""
        async with self._turns:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._try_on(url, part_path, cap_bytes, progress)
            except TimeoutError as error:
                raise CallFailed(
                    "no-answer", f"the download took over {limit_s:g} s", retryable=True
                ) from error

    async def _try_on(
        self, url: str, part_path: Path, cap_bytes: int, progress: Callable[[int], object]
    ) -> DownloadFacts:
        loop = asyncio.get_running_loop()
        attempt, idle_s, progressed_at = 0, 0.0, loop.time()
        while True:
            held, began = _size(part_path), loop.time()
            try:
                facts = await self._once(url, part_path, cap_bytes, progress)
                self._came_at = loop.time()
                return facts
            except CallFailed as failure:
                # Attempts are counted while nothing more arrives: a slow link that gets on is not a failure.
                if _size(part_path) > held:
                    attempt, idle_s, progressed_at = 0, 0.0, loop.time()
                else:
                    idle_s += loop.time() - began
                attempt += 1
                hopeless = attempt > 1 and idle_s > self._patience_s(progressed_at)
                if not failure.retryable or attempt >= self._conduct.attempts or hopeless:
                    raise
                pause_s = self._pause_s(attempt, failure.retry_after_s)
            idle_s += pause_s
            await self._conduct.sleep(pause_s)

    def _patience_s(self, progressed_at: float) -> float:
        """Return how long nothing may come for a result that last progressed then."""
        others_came = self._came_at > progressed_at
        return self._times.stall_s * (_HOPELESS_ALONE if others_came else _HOPELESS)

    def _pause_s(self, attempt: int, asked_s: float | None) -> float:
        """Return how long to wait after a failed attempt; what the host asked for is never undercut."""
        usual_s = _PAUSES_S[min(attempt, len(_PAUSES_S)) - 1] * self._conduct.rng.uniform(0.75, 1.25)
        return max(usual_s, min(asked_s or 0.0, policy.LONGEST_WAIT_S) * self._conduct.rng.uniform(1.0, 1.1))

    async def _once(
        self, url: str, part_path: Path, cap_bytes: int, progress: Callable[[int], object]
    ) -> DownloadFacts:
        part = Part(part_path, url)
        origin, have = part.origin(), part.size
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "kiebatch"}
        if origin is not None:
            headers |= origin.headers(have)
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._times.first_byte_s) as patience,
                self._follow(url, headers) as response,
            ):
                if response.status_code == 416 and have:
                    if _total(response) == have:
                        part.finish()
                        return DownloadFacts(size_bytes=have, media_type="", resumed=True)
                    part.drop()
                _expect_media(response)

                def arrived(size_bytes: int) -> None:
                    patience.reschedule(loop.time() + self._times.stall_s)
                    progress(size_bytes)

                facts = await _keep(response, part, origin, cap_bytes, arrived)
                part.finish()
                self._conduct.hook("request.download:after")
                return facts
        except TimeoutError as error:
            raise CallFailed("no-answer", "nothing came for several seconds", retryable=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CallFailed("no-answer", policy.reason(error), retryable=True) from error

    @contextlib.asynccontextmanager
    async def _follow(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """Yield the response at the end of the redirects, every hop of them checked."""
        for _ in range(_REDIRECTS + 1):
            response = await self._open(url, headers)
            try:
                if response.status_code not in (301, 302, 303, 307, 308):
                    yield response
                    return
                url = _joined(url, response.headers.get("location", ""))
            finally:
                await response.aclose()
        raise CallFailed("bad-redirect", "the result's host redirects without end", retryable=False)

    async def _open(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        parts = addresses.split(url)
        if parts is None:
            raise _bad_address("a result's address is not a URL")
        host, port = (parts.hostname or "").lower(), addresses.port_of(parts)
        named = self._is_named(host, port)
        local = named and addresses.is_loopback(host)
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise _bad_address(f"a result must come over https, found {parts.scheme}://{host}")
        if parts.username is not None or parts.password is not None:
            raise _bad_address("a result's address carries a user name")
        if self._transport or local:
            return await self._send(url, headers, proxy=None)
        proxy = network.proxy_for(url)
        if named:
            return await self._send(url, headers, proxy=proxy)
        if proxy:
            # The proxy looks the name up; what we can see of it must be public all the same.
            await self._checked(host, port, unknown_is_fine=True)
            return await self._send(url, headers, proxy=proxy)
        return await self._send_to_checked(url, {**headers, "Host": parts.netloc}, host, port)

    async def _send_to_checked(
        self, url: str, headers: Mapping[str, str], host: str, port: int
    ) -> httpx.Response:
        """Connect to the very address that was checked: a second look-up could give another one."""
        failure: httpx.HTTPError | None = None
        for address in await self._checked(host, port):
            target = str(httpx.URL(url).copy_with(host=address))
            try:
                return await self._send(target, headers, proxy=None, name=host)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or CallFailed("no-answer", f"the host {host} has no address", retryable=True)

    async def _send(
        self, url: str, headers: Mapping[str, str], *, proxy: str | None, name: str | None = None
    ) -> httpx.Response:
        """Send one GET, through `proxy` where one is named; `name` is what the certificate must say."""
        secure = url.startswith("https:") or proxy is not None
        key = (secure, proxy)
        if key not in self._opened:
            self._opened[key] = connect(
                inner=self._transport,
                secure=secure,
                proxy=proxy,
                limits=_LIMITS,
                timeout=self._timeout,
            )
        connections = self._opened[key]
        request = connections.request("GET", url, headers=headers)
        request.extensions |= traced(self._conduct.hook, "request.download")
        self._conduct.hook("request.download:before")
        if name:
            request.extensions["sni_hostname"] = name
        return await connections.send(request)

    def _is_named(self, host: str, port: int) -> bool:
        shown = f"[{host}]" if ":" in host else host
        return (host, port) in self._named or shown in self._trusted or f"{shown}:{port}" in self._trusted

    async def _checked(self, host: str, port: int, *, unknown_is_fine: bool = False) -> list[str]:
        """Return the addresses of a host, all of them public; CallFailed where one is not."""
        try:
            entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if unknown_is_fine:
                return []
            raise CallFailed("no-answer", f"the host {host} is not known", retryable=True) from error
        found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        for address in found:
            if not addresses.is_public(address.partition("%")[0]):
                raise CallFailed(
                    "forbidden-address",
                    f"the result's host {host} is at {address}, inside your own network; it is not fetched",
                    retryable=False,
                )
        return found


def _joined(url: str, location: str) -> str:
    """Return where a redirect leads; as it was written where that is not an address, which is refused by whoever opens it."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _bad_address(message: str) -> CallFailed:
    return CallFailed("bad-redirect", message, retryable=False)


# --- one response --------------------------------------------------------------------------------------


def _expect_media(response: httpx.Response) -> None:
    status = response.status_code
    answer = Reply(
        http_status=status,
        code=status,
        has_code=False,
        retry_after_s=policy.retry_after_s(response.headers),
    )
    verdict = policy.read("download", answer)
    if verdict.kind != "ok":
        raise CallFailed(
            "gone" if status in (403, 404, 410) else str(status),
            f"the result's host answers HTTP {status}",
            retryable=verdict.kind == "retry",
            retry_after_s=verdict.retry_after_s,
        )


async def _keep(
    response: httpx.Response,
    part: Part,
    origin: Origin | None,
    cap_bytes: int,
    arrived: Callable[[int], object],
) -> DownloadFacts:
    """Write a response to its part file and check its length."""
    start = _start(response, part, origin)
    total = _total(response) if start else _length(response)
    _check_size(total or 0, cap_bytes)
    media_type = plain(response.headers.get("content-type", "").partition(";")[0].strip().lower(), 100)
    # As they come: chunks of a fixed size would be lost half-filled by a cut.
    chunks = bodies.pieces(response)
    head = await anext(chunks, b"")
    if media_type == "text/html" or (not start and _is_page(head)):
        raise CallFailed("not-media", "a web page came instead of the result", retryable=True)
    size = start
    try:
        if not start:
            part.begin(response, total)
        with part.path.open("ab" if start else "wb") as file:
            while head:
                size += len(head)
                _check_size(size, cap_bytes)
                file.write(head)
                arrived(size)
                head = await anext(chunks, b"")
    except BaseException:
        if _encoded(response):
            part.drop()  # a range would count the bytes on the wire, and these are unpacked
        raise
    _check_whole(part, size, total)
    return DownloadFacts(size_bytes=size, media_type=media_type, resumed=start > 0)


def _check_size(size_bytes: int, cap_bytes: int) -> None:
    if size_bytes > cap_bytes:
        raise CallFailed("too-big", f"the result has more than {cap_bytes} bytes", retryable=False)


def _check_whole(part: Part, size_bytes: int, total: int | None) -> None:
    """Raise `CallFailed` where not everything came; of what is longer than it should be, nothing is kept."""
    if size_bytes and total in (None, size_bytes):
        return
    if total is not None and size_bytes > total:
        part.drop()
    wanted = "the" if total is None else f"{total}"
    raise CallFailed("truncated", f"{size_bytes} of {wanted} bytes came", retryable=True)


def _start(response: httpx.Response, part: Part, origin: Origin | None) -> int:
    """Return where in the file a response begins: at 0, or where the part ends whose rest was asked for."""
    if response.status_code != 206:
        return 0
    first = _first(response)
    if origin is None and first == 0:  # a host that answers every request with a range
        return 0
    if origin is None or first != part.size:
        part.drop()
        raise CallFailed("truncated", "the result's host sent another range than asked for", retryable=True)
    if origin.differs_from(response, _total(response)):
        part.drop()
        raise CallFailed("truncated", "the result's host has another file there by now", retryable=True)
    return first


def _first(response: httpx.Response) -> int:
    found = re.match(r"bytes ([0-9]{1,15})-", response.headers.get("content-range", ""))
    return int(found[1]) if found else -1


def _total(response: httpx.Response) -> int | None:
    found = re.search(r"/([0-9]{1,15})\s*$", response.headers.get("content-range", ""))
    return int(found[1]) if found else None


def _length(response: httpx.Response) -> int | None:
    found = re.fullmatch(r"[0-9]{1,15}", response.headers.get("content-length", ""))
    return int(found[0]) if found and not _encoded(response) else None


def _encoded(response: httpx.Response) -> bool:
    return bodies.coding_of(response) != "identity"


def _is_page(head: bytes) -> bool:
    return bool(re.match(rb"(?i)\s*(<!doctype html|<html)", head.removeprefix(b"\xef\xbb\xbf")[:200]))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
