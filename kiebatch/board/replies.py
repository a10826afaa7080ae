"""Reads what a page sends, and writes the answers: small functions that every route of the review shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from kiebatch.board.access import Role, Visitor
from kiebatch.errors import Invalid, KieBatchError, plain
from kiebatch.model import JSON

_MAX_BODY = 200_000  # bytes


def visitor(request: Request) -> Visitor:
    """Return who sends a request; the guard has put it there."""
    found = request.state.visitor
    assert isinstance(found, Visitor)
    return found


def only_owner(request: Request) -> None:
    """Raise `Forbidden` for a guest."""
    if visitor(request).role is not Role.OWNER:
        raise Forbidden("this address is for notes alone")


class Forbidden(KieBatchError):
    """The visitor may not do this."""


async def body(request: Request) -> Mapping[str, JSON]:
    """Return the JSON object that was sent; `Invalid` for anything else, or for too much of it."""
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


def text(sent: Mapping[str, JSON], key: str, longest: int) -> str:
    """Return a text of the body; `Invalid` where it is missing or longer than `longest` characters."""
    found = sent.get(key)
    if not isinstance(found, str) or len(found) > longest:
        raise Invalid(f"`{key}` must be a text of at most {longest} characters")
    return found


def text_if_there(sent: Mapping[str, JSON], key: str, longest: int) -> str | None:
    """Return a text of the body, None where the body does not have the key; `Invalid` as for `text`."""
    return text(sent, key, longest) if key in sent else None


def text_if_any(sent: Mapping[str, JSON], key: str, longest: int) -> str | None:
    """Return a text of the body, None where it is empty, null or missing; `Invalid` as for `text`."""
    return text(sent, key, longest) if sent.get(key) else None


def flag(sent: Mapping[str, JSON], key: str) -> bool | None:
    """Return true, false, or None where the body says nothing."""
    found = sent.get(key)
    if found is not None and not isinstance(found, bool):
        raise Invalid(f"`{key}` is true or false")
    return found


async def refused(_request: Request, error: Exception) -> Response:
    message, hint = str(error), ""
    if isinstance(error, KieBatchError):
        message, hint = error.message, error.hint
    status = 403 if isinstance(error, Forbidden) else 400
    kind = type(error).__name__
    return JSONResponse({"message": plain(message), "hint": plain(hint), "kind": kind}, status_code=status)


def file(path: Path, media_type: str) -> Response:
    # A medium is shown, never run: an SVG or HTML that calls itself a picture gets no script.
    headers = {
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": f"inline; filename*=utf-8''{quote(path.name)}",
        "cache-control": "private, no-cache",
    }
    return FileResponse(path, media_type=media_type, headers=headers)
