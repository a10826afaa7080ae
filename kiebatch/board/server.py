"""The review as an ASGI application: its routes, its runs, and the watch over the disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kiebatch.board import replies
from kiebatch.board.access import Access, Role, Sessions
from kiebatch.board.actions import WHOLE_FILM, Action, Kind, Proposal
from kiebatch.board.broadcast import Broadcast
from kiebatch.board.deciding import Deciding
from kiebatch.board.guard import Guard
from kiebatch.board.page import Review
from kiebatch.board.session import ReviewSession
from kiebatch.errors import Invalid, KieBatchError, plain
from kiebatch.media import Kind as Derivative
from kiebatch.record.picks import written

log = logging.getLogger(__name__)

_MAX_PROPOSALS = 200
_SMALL = {".webp": "image/webp", ".mp4": "video/mp4", ".m4a": "audio/mp4", ".json": "application/json"}


def application(session: ReviewSession, access: Access) -> Starlette:
    """Return the review as an ASGI application, which lets in whom `access` describes."""
    return _Review(session, access).application()


class _Review:
    def __init__(self, session: ReviewSession, access: Access) -> None:
        self.session = session
        self.access = access
        self.visitors = Sessions(access)
        self.live = session.live
        self.broadcast = Broadcast()
        self.deciding = Deciding(session, lambda: self._soon(self._look()))
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
            Route("/own/{shot}", self.own),
            Route("/events", self.events),
            Route("/decide", self.deciding.decide, methods=["POST"]),
            Route("/note", self.deciding.note, methods=["POST"]),
            Route("/note/change", self.deciding.change_note, methods=["POST"]),
            Route("/status", self.deciding.status, methods=["POST"]),
            Route("/prompt", self.prompt, methods=["POST"]),
            Route("/plan", self.plan, methods=["POST"]),
            Route("/run", self.start, methods=["POST"]),
            Route("/stop", self.stop, methods=["POST"]),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, access=self.access, sessions=self.visitors)],
            lifespan=self.lifespan,
            exception_handlers={KieBatchError: replies.refused, ValueError: replies.refused},
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

    def _view(self, request: Request) -> Review:
        visitor = replies.visitor(request)
        if visitor.role is Role.GUEST:
            return self.session.guest_view(visitor.name)
        return self.session.owner_view

    async def page(self, request: Request) -> Response:
        text = await run_in_threadpool(self.live.page, self._view(request))
        headers = {"content-security-policy": self.live.policy(), "cache-control": "no-store"}
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    async def shots(self, request: Request) -> Response:
        names = request.query_params.getlist("name")[:2000]
        return JSONResponse(await run_in_threadpool(self.live.panels, names, self._view(request)))

    async def media(self, request: Request) -> Response:
        return _file_or_gone(self.live.file(request.path_params["id"]))

    async def own(self, request: Request) -> Response:
        return _file_or_gone(self.live.own(request.path_params["shot"]))

    async def small(self, request: Request) -> Response:
        kinds: dict[str, Derivative] = {"thumb": "thumb", "poster": "poster", "web": "web"}
        kind = kinds.get(request.path_params["kind"])
        if kind is None:
            return _no_preview()
        path = await run_in_threadpool(self.live.small, request.path_params["id"], kind)
        if path is None:
            return _no_preview()
        return replies.file(path, _SMALL[path.suffix])

    async def events(self, request: Request) -> Response:
        # What goes wrong names files and lines of the project, which are not a guest's business.
        without = ("problem",) if replies.visitor(request).role is Role.GUEST else ()
        first = ("run", self.session.making.progress())
        return StreamingResponse(
            self.broadcast.stream(request, first, self.visitors.expired, without),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    # -- making

    async def prompt(self, request: Request) -> Response:
        replies.only_owner(request)
        slot = replies.text(await replies.body(request), "slot", 400)
        return JSONResponse(await run_in_threadpool(self.session.proposals.prompt, written(slot)))

    async def plan(self, request: Request) -> Response:
        replies.only_owner(request)
        body = await replies.body(request)
        kind = replies.text(body, "kind", 20)
        if kind not in tuple(Kind):
            raise Invalid(f"unknown action `{plain(kind)}`")
        action = Action(
            kind=Kind(kind),
            slot="" if kind in WHOLE_FILM else written(replies.text(body, "slot", 400)),
            prompt=replies.text_if_there(body, "prompt", 20000) or "",
        )
        proposal = await run_in_threadpool(self.session.proposals.propose, action)
        id = secrets.token_hex(8)
        if len(self.proposals) > _MAX_PROPOSALS:
            self.proposals.clear()
        self.proposals[id] = proposal
        return JSONResponse({"id": id, **proposal.as_json()})

    async def start(self, request: Request) -> Response:
        replies.only_owner(request)
        body = await replies.body(request)
        proposal = self.proposals.pop(replies.text(body, "plan", 40), None)
        if proposal is None or not proposal.may:
            raise Invalid("this plan is not there any more; make a new one")
        async with self.starting:  # two browsers may confirm at once
            if self.run and not self.run.done():
                return JSONResponse({"message": "a run is under way; wait until it ends"}, status_code=409)
            await run_in_threadpool(self.session.proposals.apply, proposal)
            if not proposal.makes:
                self._soon(self._look())
            else:
                self.run = asyncio.create_task(self._carry_out(proposal))
        return JSONResponse({"ok": True})

    async def stop(self, request: Request) -> Response:
        replies.only_owner(request)
        if self.run:
            self.run.cancel()
        return JSONResponse({"ok": True})

    async def _carry_out(self, proposal: Proposal) -> None:
        making = self.session.making
        try:
            await making.run(proposal, lambda: self.broadcast.send("run", making.progress()))
        except KieBatchError as error:
            self.broadcast.send("problem", plain(error.message))
        except Exception:  # the review goes on; what went wrong is in the terminal
            log.exception("a bug in kiebatch, sorry; please report it")
            self.broadcast.send("problem", "The run ended by a bug in kiebatch; the terminal says more")
        finally:
            self._soon(self._look())

    # -- following the disk

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _look(self) -> None:
        """Look at the project again and say to every page what has changed."""
        async with self.looking:
            try:
                changed = await run_in_threadpool(self.live.look)
            except KieBatchError as error:
                self.broadcast.send("problem", plain(error.message))
                return
        self.broadcast.send("run", self.session.making.progress())
        if changed.reload:
            self.broadcast.send("reload", True)
        elif changed.shots:
            self.broadcast.send("shots", sorted(changed.shots))

    async def _watch(self) -> None:
        """Notice what others do to the project: a run in a terminal, an editor, git."""
        while True:
            await asyncio.sleep(self.session.every_s)
            if await run_in_threadpool(self.live.moved):
                await self._look()


def _file_or_gone(found: tuple[Path, str] | None) -> Response:
    if found is None:
        return PlainTextResponse("gone\n", status_code=404)
    return replies.file(*found)


def _no_preview() -> Response:
    return PlainTextResponse("no preview\n", status_code=404)
