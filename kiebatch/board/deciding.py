"""The review's routes that write decisions and notes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TypeGuard

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kiebatch.board import replies
from kiebatch.board.access import Role
from kiebatch.board.session import ReviewSession
from kiebatch.errors import Invalid, plain
from kiebatch.model import JSON, as_mapping
from kiebatch.record import notes
from kiebatch.record.notes import MAX_TEXT, Change, Note, Notes, Region, Status
from kiebatch.record.picks import CHOICES, MAX_NOTE, Choice, Decision, Picks, written
from kiebatch.record.picks_file import annotate, decide

MAX_AUTHOR = 120  # characters


class Deciding:
    """Writes what people decide; `written` is called when there is something new on the disk."""

    def __init__(self, session: ReviewSession, written: Callable[[], object]) -> None:
        self._session = session
        self._written = written

    async def decide(self, request: Request) -> Response:
        """Pick, reject, star or annotate one take."""
        replies.only_owner(request)
        body = await replies.body(request)
        decision = self._decision(request, body)
        was = body.get("was")

        def allowed(now: Picks) -> None:
            there = now.decision(decision.slot)
            if decision.note is not None and isinstance(was, str) and there.note not in (was, decision.note):
                raise _Crossed(there.note, there.author)

        try:
            await run_in_threadpool(decide, self._session.live.workspace, [decision], allowed=allowed)
        except _Crossed as crossed:
            return JSONResponse(
                {"message": str(crossed), "note": crossed.note, "author": crossed.author}, status_code=409
            )
        self._written()
        return JSONResponse({"ok": True})

    def _decision(self, request: Request, body: Mapping[str, JSON]) -> Decision:
        slot = self._slot(body)
        choice, star = _choice(body.get("decision")), replies.flag(body, "star")
        note = replies.text_if_there(body, "note", MAX_NOTE)
        if choice is None and star is None and note is None:
            raise Invalid("there is nothing to decide")
        return Decision(slot=slot, choice=choice, note=note, star=star, author=self._author(request, body))

    # -- notes

    async def note(self, request: Request) -> Response:
        """Write a note about a take, at a place of it or in answer to another."""
        body = await replies.body(request)
        words = replies.text(body, "text", MAX_TEXT).strip()
        if not words:
            raise Invalid("a note has words")
        change = Change(
            id=f"n-{secrets.token_hex(5)}",
            slot=self._slot(body),
            sha256=(replies.text_if_any(body, "sha256", 64) or "")[:16] or None,
            at=_region(body.get("at")),
            seconds=_seconds(body.get("seconds")),
            reply=replies.text_if_any(body, "reply", 80),
            text=words,
            author=self._author(request, body),
        )

        def allowed(now: Notes) -> None:
            if change.reply is not None and change.reply not in now.by_id:
                raise Invalid("the note that this answers is not there any more")

        await self._write(change, allowed)
        return JSONResponse({"ok": True, "id": change.id})

    async def change_note(self, request: Request) -> Response:
        """Close a thread, or change or delete a note.  A guest may do that with their own notes alone."""
        body = await replies.body(request)
        text = replies.text_if_there(body, "text", MAX_TEXT) or ""
        author = self._author(request, body)
        change = Change(
            id=replies.text(body, "id", 80),
            text=text.strip() or None,
            done=replies.flag(body, "done"),
            deleted=replies.flag(body, "deleted"),
            author=author,
        )
        if change.text is None and change.done is None and change.deleted is None:
            raise Invalid("there is nothing to change")
        guest = replies.visitor(request).role is Role.GUEST

        def allowed(now: Notes) -> None:
            there: Note | None = now.by_id.get(change.id)
            if there is None:
                raise Invalid("this note is not there any more")
            if guest and (there.author != author or change.done is not None):
                raise replies.Forbidden("a guest may change their own notes alone")

        await self._write(change, allowed)
        return JSONResponse({"ok": True})

    async def status(self, request: Request) -> Response:
        """Say how far a shot is."""
        replies.only_owner(request)
        body = await replies.body(request)
        shot, status = replies.text(body, "shot", 400), body.get("status")
        if shot not in self._session.live.shots():
            raise Invalid(f"there is no shot `{plain(shot)}`")
        if not isinstance(status, str) or status not in tuple(Status):
            raise Invalid(f"`status` is one of {', '.join(Status)}")
        author = self._author(request, body)
        await self._write(Change(id=f"status-{shot}", shot=shot, status=Status(status), author=author))
        return JSONResponse({"ok": True})

    async def _write(self, change: Change, allowed: Callable[[Notes], None] = lambda _now: None) -> None:
        await run_in_threadpool(annotate, self._session.live.workspace, [change], allowed=allowed)
        self._written()

    # -- parts of a body

    def _slot(self, body: Mapping[str, JSON]) -> str:
        slot = written(replies.text(body, "slot", 400))
        if slot not in self._session.live.slots():
            raise Invalid(f"there is no take `{plain(slot)}`")
        return slot

    def _author(self, request: Request, body: Mapping[str, JSON]) -> str:
        """Return who writes: a guest by the name they came in with, whatever the page says."""
        visitor = replies.visitor(request)
        if visitor.role is Role.GUEST:
            return f"{visitor.name} (guest)"
        return replies.text_if_any(body, "author", MAX_AUTHOR) or self._session.author


class _Crossed(Exception):
    def __init__(self, note: str, author: str) -> None:
        super().__init__("somebody changed this note meanwhile")
        self.note = note
        self.author = author


def _choice(sent: JSON) -> Choice | None:
    """Return what is decided about a take; None where the body says nothing of it."""
    if sent is None:
        return None
    for choice in CHOICES:
        if choice == sent:
            return choice
    raise Invalid("`decision` is pick, reject or none")


def _is_number(sent: JSON) -> TypeGuard[int | float]:
    return isinstance(sent, int | float) and not isinstance(sent, bool)


def _region(sent: JSON) -> Region | None:
    """Return the place that a page names as `{x, y, w, h}`, shares of the picture."""
    if sent is None:
        return None
    numbers = as_mapping(sent).items()
    region = notes.region_of({key: float(value) for key, value in numbers if _is_number(value)})
    if region is None:
        raise Invalid("`at` is a place inside the picture: x, y and maybe w, h, from 0 to 1")
    return region


def _seconds(sent: JSON) -> float | None:
    if sent is None:
        return None
    if not _is_number(sent) or not 0 <= sent < 1e6:
        raise Invalid("`seconds` is a number of 0 or more")
    return float(sent)
