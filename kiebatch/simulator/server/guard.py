"""Keeps web pages away from a simulator: it listens on this machine, where every page that is open can reach it.

A page may send a form or plain text to any port, under any name that leads to 127.0.0.1.  So a call must name this
machine, and what changes the simulator must be JSON that no other page has sent: a browser asks before it sends that.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kiebatch import addresses
from kiebatch.simulator.server.control import PREFIX


class Guard:
    """Refuses what a web page has sent, before anything of it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = _refused(scope) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)


def _refused(scope: Scope) -> Response | None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "")
    if not _is_here(host):
        return _no(421, f"the host `{host[:80]}` is not this machine; use 127.0.0.1 or localhost")
    if not scope["path"].startswith(PREFIX):
        return None
    if _is_of_another_page(headers, host):
        return _no(403, "this came from a web page of another address")
    if scope["method"] == "POST" and _media_type(headers) != "application/json":
        return _no(415, "expected JSON: send the header `content-type: application/json`")
    return None


def _is_here(host: str) -> bool:
    parts = addresses.split(f"//{host}")
    return parts is not None and addresses.is_loopback(parts.hostname or "")


def _is_of_another_page(headers: Mapping[str, str], host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        parts = addresses.split(origin)
        if parts is None or parts.netloc != host:
            return True
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _no(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)
