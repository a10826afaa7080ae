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

import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack
from urllib.parse import urlsplit

from kiebatch import addresses
from kiebatch.errors import CallFailed, Invalid, plain
from kiebatch.model import Done, Reply, Request, Status, TaskFailed, as_number
from kiebatch.provider import families, policy
from kiebatch.provider.conduct import Conduct, ConductOptions
from kiebatch.provider.downloads import DownloadFacts, Downloads
from kiebatch.provider.policy import Operation, SubmitVerdict
from kiebatch.provider.reply import read_reply
from kiebatch.provider.uploads import Uploads, is_web
from kiebatch.provider.waiting import GaveUp, Wait, WaitLimits
from kiebatch.provider.wire import Wire, is_loopback, nothing, unheard

__all__ = ["API_URL", "UPLOAD_URL", "CallFailed", "Client", "DownloadFacts", "SubmitVerdict", "read_reply"]

API_URL = "https://api.kie.ai"
UPLOAD_URL = "https://kieai.redpandaai.co"
BALANCE_PATHS = ("/api/v1/chat/credit", "/api/v1/user/credits")


class Client:
    """The API of one account.

    `base_url` may be plain http on a loopback host alone.  `upload_url` is the documented upload host, or the base
    URL when that is loopback.  `transport` and `media_transport` replace the network (by an `httpx.ASGITransport`,
    for instance); then no address is looked up.  `rng` and `sleep` make the waits repeatable.  `times` bounds one
    attempt of one call, `attempts` how often a call that costs nothing is tried.  Uploads are filed in
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
        **options: Unpack[ConductOptions],
    ) -> None:
        conduct = Conduct(**options)
        self.base_url = _host_url(base_url)
        self.upload_url = _host_url(upload_url or (self.base_url if is_loopback(base_url) else UPLOAD_URL))
        self._sleep = conduct.sleep
        self._exchange = conduct.exchange
        self._wire = Wire(api_key.strip(), self.base_url, conduct)
        self._uploads = Uploads(self._wire, self.upload_url, conduct.upload_folder)
        self._downloads = Downloads({_named(url) for url in (self.base_url, self.upload_url)}, conduct)

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
        await self._wire.aclose()
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
        answer = await self._wire.once(request, paid=True)
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
        before: Callable[[], Awaitable[object]] = nothing,
        too_fast: Callable[[float | None], Awaitable[object]] = unheard,
    ) -> Reply:
        """Send a request that costs nothing, again and again by the table, and return its reply.

        `before` is awaited before every attempt: the place to book a read.  `too_fast` is told of every 429, with
        what the server asked for: the place to slow all reads down.  `Refused` where the key is not accepted;
        `CallFailed` where the attempts are used up or the answer will not change.
        """
        reply = await self._wire.repeat(
            operation, lambda: self._wire.read_once(request, before), attempts, before, too_fast
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
        waited_s = 0.0
        wait = Wait((), WaitLimits(interval_s=interval_s, timeout_s=timeout_s), 0.0)
        while True:
            status = await self.status(family, task_id, endpoint)
            on_status(status)
            match wait.note(status, waited_s):
                case GaveUp(code="no-output"):
                    return Done()
                case GaveUp() as gave_up:
                    raise CallFailed(
                        gave_up.code,
                        f"task {task_id}: {gave_up.message}",
                        retryable=gave_up.code == "timeout",
                        hint="it goes on at the provider and can be collected later",
                    )
                case Done() | TaskFailed() as ended:
                    return ended
            pause_s = wait.due_s(waited_s)
            await self._sleep(pause_s)
            waited_s += pause_s

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
        found = None if isinstance(data, bool) else as_number(data)
        if found is None or not math.isfinite(found):
            raise _NoBalance
        return found

    # --- files in ------------------------------------------------------------------------------------------

    async def upload(self, source: Path | bytes, name: str, media_type: str) -> str:
        """Send a file and return the URL under which the provider can read it (`lifetimes.UPLOAD`).

        It is stored under a name made from its content: the same path and name would overwrite, and caches
        may keep serving the old bytes (protocol 6).  Of `name` only the ending is used.
        """
        return await self._uploads.send(source, name, media_type)

    async def upload_base64(self, data_url: str, name: str) -> str:
        """Send a file given as base64 or as a `data:` URL, of 10 MB at most, and return its URL."""
        return await self._uploads.send_base64(data_url, name)

    async def upload_from_url(self, url: str, name: str = "") -> str:
        """Have the provider copy a public file, of 100 MB at most, and return the copy's URL."""
        return await self._uploads.copy(url, name)

    # --- files out -----------------------------------------------------------------------------------------

    async def fresh_url(self, url: str, request: Request | None = None) -> str:
        """Return a link that lives for 20 minutes for a result's dead one.  Protocol 7.2.

        `request` is the family's own call for it (`Endpoint.fresh_link`); by default the one for all families.
        """
        request = request or families.get("jobs").fresh_link("", url)
        reply = await self.read(request, operation="download-url")
        if isinstance(reply.data, str) and is_web(reply.data):
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

        `part_path` is for this one result: what it holds already is gone on with when the server offers ranges and
        still has the same content there; a part whose origin is not written beside it is not used.  The length is checked where the server tells it, a web page is refused.  No key is sent.
        Only https is fetched, and no address inside the user's network; a host that the user named as `base_url` or
        `upload_url` is exempt, with plain http where that is loopback.  Every redirect is checked alike.

        `CallFailed` with code `gone` (403, 404, 410) asks for `fresh_url`; with `too-big`, `forbidden-address` or
        `bad-redirect` it will not change; after `truncated`, `not-media` or `no-answer` it may.
        """
        return await self._downloads.fetch(
            url,
            part_path,
            cap_bytes=cap_bytes,
            limit_s=limit_s or self._wire.times.download_s,
            progress=progress,
        )


class _NoBalance(Exception):
    """A path answered, and its answer holds no balance."""


def _named(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), addresses.port_of(parts)


def _host_url(url: str) -> str:
    parts = addresses.split(url.strip())
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise Invalid(f"`{plain(url)}` is not an address of an API", hint="write it as `https://api.kie.ai`")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid("the API's address must have no user name, query or fragment")
    if parts.scheme == "http" and not is_loopback(url.strip()):
        raise Invalid(
            f"`{plain(url)}`: plain http would show the key to everyone on the way",
            hint="use https; http is taken for this machine only",
        )
    return url.strip().rstrip("/")
