"""The small local server behind `review`: the board's page, and decisions and runs that come back from it."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kiebatch.board.desk import Desk, Proposal, Wish
from kiebatch.errors import Invalid, KieBatchError, plain
from kiebatch.media import Kind
from kiebatch.record.picks import CHOICES, MAX_NOTE, Decision, Picks, written
from kiebatch.record.picks_file import decide

log = logging.getLogger(__name__)

COOKIE = "kiebatch-review"
_MAX_BODY = 200_000
_BEAT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Who may come in: `token` proves it, and the page is known by one of `hosts` (`127.0.0.1:8400`).

    No hosts means any name, for a server that the whole network reaches by addresses we cannot list.
    """

    token: str
    hosts: frozenset[str] = frozenset()


def application(desk: Desk, doors: Doors) -> Starlette:
    """Return the review as an ASGI application.

    Everything needs the token: in the address once, then in a cookie that other sites' requests do not carry.  What
    changes something also needs an Origin of our own.
    """
    return _Review(desk, doors).application()


class _Guard:
    """Lets in who has the token, under a name of ours, from a page of ours."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self.app = app
        self.doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        refused = self._refused(request)
        if refused:
            await refused(scope, receive, send)
            return

        async def safe(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self.app(scope, receive, safe)

    def _refused(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self.doors.hosts and host not in self.doors.hosts:
            return PlainTextResponse("this review goes by another name\n", status_code=421)
        given = request.query_params.get("token")
        if given is not None and request.method == "GET" and request.url.path == "/":
            if not _same(given, self.doors.token):
                return _stranger()
            response = Response(status_code=303, headers={"location": "/"})
            response.set_cookie(
                _cookie(request), self.doors.token, httponly=True, samesite="lax", max_age=30 * 86400
            )
            return response
        if not _same(request.cookies.get(_cookie(request), ""), self.doors.token):
            return _stranger()
        if request.method not in ("GET", "HEAD"):
            origin = request.headers.get("origin", "")
            if urlsplit(origin).netloc != host or request.headers.get("sec-fetch-site") not in (
                None,
                "same-origin",
            ):
                return JSONResponse({"message": "this came from another page"}, status_code=403)
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return JSONResponse({"message": "expected JSON"}, status_code=415)
        return None


_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def _cookie(request: Request) -> str:
    # Cookies know no ports: two reviews on one machine must not sign each other out.
    host = request.headers.get("host", "")
    return f"{COOKIE}-{urlsplit(f'//{host}').port or 80}"


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


def _stranger() -> Response:
    return PlainTextResponse(
        "open the review by the address that `kiebatch review` printed: it ends in a token\n", status_code=403
    )


class _Review:
    def __init__(self, desk: Desk, doors: Doors) -> None:
        self.desk = desk
        self.doors = doors
        self.listeners: set[asyncio.Queue[str]] = set()
        self.proposals: dict[str, Proposal] = {}
        self.run: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.looking = asyncio.Lock()
        self.starting = asyncio.Lock()

    def application(self) -> Starlette:
        routes = [
            Route("/", self.page),
            Route("/shots", self.shots),
            Route("/media/{id}", self.media),
            Route("/small/{kind}/{id}", self.small),
            Route("/events", self.events),
            Route("/decide", self.decide, methods=["POST"]),
            Route("/prompt", self.prompt, methods=["POST"]),
            Route("/plan", self.plan, methods=["POST"]),
            Route("/run", self.start, methods=["POST"]),
            Route("/stop", self.stop, methods=["POST"]),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(_Guard, doors=self.doors)],
            lifespan=self.lifespan,
            exception_handlers={KieBatchError: _said_no, ValueError: _said_no},
        )

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            if self.run:
                self.run.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self.run

    # -- looking

    async def page(self, _request: Request) -> Response:
        text = await run_in_threadpool(self.desk.page)
        headers = {"content-security-policy": self.desk.policy(), "cache-control": "no-store"}
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    async def shots(self, request: Request) -> Response:
        names = request.query_params.getlist("name")[:2000]
        return JSONResponse(await run_in_threadpool(self.desk.panels, names))

    async def media(self, request: Request) -> Response:
        found = self.desk.file(request.path_params["id"])
        return _file(*found) if found else PlainTextResponse("gone\n", status_code=404)

    async def small(self, request: Request) -> Response:
        kind: Kind | None = {"thumb": "thumb", "poster": "poster"}.get(request.path_params["kind"])  # type: ignore[assignment]
        path = await run_in_threadpool(self.desk.small, request.path_params["id"], kind) if kind else None
        if path is None:
            return PlainTextResponse("no preview\n", status_code=404)
        return _file(path, "image/webp")

    async def events(self, request: Request) -> Response:
        queue: asyncio.Queue[str] = asyncio.Queue()
        queue.put_nowait(_event("run", self.desk.progress()))
        self.listeners.add(queue)

        async def stream() -> AsyncIterator[str]:
            try:
                while not await request.is_disconnected():
                    try:
                        yield await asyncio.wait_for(queue.get(), _BEAT_S)
                    except TimeoutError:
                        yield ": still here\n\n"
            finally:
                self.listeners.discard(queue)

        return StreamingResponse(
            stream(), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    # -- deciding

    async def decide(self, request: Request) -> Response:
        body = await _body(request)
        slot = written(_text(body, "slot", 400))
        if slot not in self.desk.slots():
            raise Invalid(f"there is no take `{plain(slot)}`")
        choice = body.get("decision")
        if choice is not None and choice not in CHOICES:
            raise Invalid("`decision` is pick, reject or none")
        star = body.get("star")
        if star is not None and not isinstance(star, bool):
            raise Invalid("`star` is true or false")
        note = _text(body, "note", MAX_NOTE) if "note" in body else None
        if choice is None and star is None and note is None:
            raise Invalid("there is nothing to decide")
        author = _text(body, "author", 120) if body.get("author") else self.desk.author
        new = Decision(slot=slot, choice=choice, note=note, star=star, author=author)
        was = body.get("was")

        def allowed(now: Picks) -> None:
            there = now.decision(slot)
            if note is not None and isinstance(was, str) and there.note not in (was, note):
                raise _Crossed(there.note, there.author)

        try:
            await run_in_threadpool(decide, self.desk.workspace, [new], allowed=allowed)
        except _Crossed as crossed:
            return JSONResponse(
                {"message": str(crossed), "note": crossed.note, "author": crossed.author}, status_code=409
            )
        self._soon(self._look())
        return JSONResponse({"ok": True})

    # -- making

    async def prompt(self, request: Request) -> Response:
        body = await _body(request)
        return JSONResponse({"prompt": await run_in_threadpool(self.desk.prompt, _text(body, "slot", 400))})

    async def plan(self, request: Request) -> Response:
        body = await _body(request)
        wish = Wish(
            kind=_text(body, "kind", 20),
            slot=written(_text(body, "slot", 400)) if "slot" in body else "",
            prompt=_text(body, "prompt", 20000) if "prompt" in body else None,
        )
        proposal = await run_in_threadpool(self.desk.propose, wish)
        id = secrets.token_hex(8)
        if len(self.proposals) > 200:
            self.proposals.clear()
        self.proposals[id] = proposal
        return JSONResponse({"id": id, **proposal.as_json()})

    async def start(self, request: Request) -> Response:
        body = await _body(request)
        proposal = self.proposals.pop(_text(body, "plan", 40), None)
        if proposal is None or not proposal.may:
            raise Invalid("this plan is not there any more; make a new one")
        async with self.starting:  # two browsers may confirm at once
            if self.run and not self.run.done():
                return JSONResponse({"message": "a run is under way; wait until it ends"}, status_code=409)
            await run_in_threadpool(self.desk.apply, proposal)
            self.run = asyncio.create_task(self._carry_out(proposal))
        return JSONResponse({"ok": True})

    async def stop(self, _request: Request) -> Response:
        if self.run:
            self.run.cancel()
        return JSONResponse({"ok": True})

    async def _carry_out(self, proposal: Proposal) -> None:
        try:
            await self.desk.run(proposal, lambda: self._tell("run", self.desk.progress()))
        except KieBatchError as error:
            self._tell("problem", plain(error.message))
        except Exception:  # the review goes on; what went wrong is in the terminal
            log.exception("a bug in kiebatch, sorry; please report it")
            self._tell("problem", "The run ended by a bug of ours; the terminal says more")
        finally:
            self._soon(self._look())

    # -- telling

    def _tell(self, name: str, value: Any) -> None:
        message = _event(name, value)
        for queue in list(self.listeners):
            if queue.qsize() < 1000:
                queue.put_nowait(message)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _look(self) -> None:
        """Look at the project again and tell every page what has changed."""
        async with self.looking:
            try:
                changed = await run_in_threadpool(self.desk.look)
            except KieBatchError as error:
                self._tell("problem", plain(error.message))
                return
        self._tell("run", self.desk.progress())
        if changed.reload:
            self._tell("reload", True)
        elif changed.shots:
            self._tell("shots", sorted(changed.shots))

    async def _watch(self) -> None:
        """Notice what others do to the project: a run in a terminal, an editor, git."""
        while True:
            await asyncio.sleep(self.desk.every_s)
            if await run_in_threadpool(self.desk.moved):
                await self._look()


class _Crossed(Exception):
    def __init__(self, note: str, author: str) -> None:
        super().__init__("somebody changed this note meanwhile")
        self.note = note
        self.author = author


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"


async def _body(request: Request) -> Mapping[str, Any]:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MAX_BODY:
            raise Invalid("that is too much text")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid("expected a JSON object")
    return found


def _text(body: Mapping[str, Any], key: str, longest: int) -> str:
    found = body.get(key)
    if not isinstance(found, str) or len(found) > longest:
        raise Invalid(f"`{key}` must be a text of at most {longest} characters")
    return found


async def _said_no(_request: Request, error: Exception) -> Response:
    message = error.message if isinstance(error, KieBatchError) else str(error)
    hint = error.hint if isinstance(error, KieBatchError) else ""
    return JSONResponse({"message": plain(message), "hint": plain(hint)}, status_code=400)


def _file(path: Path, media_type: str) -> Response:
    # A medium is shown, never run: an SVG or HTML that calls itself a picture gets no script.
    headers = {
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": f"inline; filename*=utf-8''{quote(path.name)}",
        "cache-control": "private, no-cache",
    }
    return FileResponse(path, media_type=media_type, headers=headers)
