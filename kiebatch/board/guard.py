"""Checks every request to the review before it is answered."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiebatch.board import page as pages
from kiebatch.board.access import Access, Role, Sessions

COOKIE = "kiebatch-review"
MAX_NAME = 60  # characters
_MAX_FORM = 4000  # bytes

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Guard:
    """Lets in who has the address (and the password), under a host name of ours, from a page of ours.

    The token is in the address once, then in a cookie that other sites' requests do not carry.  What changes something
    also needs an Origin of our own.  Whoever came in is `request.state.visitor`.
    """

    def __init__(self, app: ASGIApp, access: Access, sessions: Sessions) -> None:
        self.app = app
        self.access = access
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                more = [(name, value) for name, value in _HEADERS if name not in given]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        answer = self._refused(request) or await self._entrance(request)
        await (answer or self.app)(scope, receive, safe)

    def _refused(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self.access.hosts and host not in self.access.hosts:
            return PlainTextResponse(
                "unknown host name: open the address printed by `kiebatch review`\n", status_code=421
            )
        if self.sessions.expired():
            return PlainTextResponse("this address has expired; ask for a new one\n", status_code=410)
        if request.method not in ("GET", "HEAD"):
            return self._foreign(request, host)
        return None

    def _foreign(self, request: Request, host: str) -> Response | None:
        """Refuse what another site's page sends in the name of somebody who is signed in here."""
        origin = request.headers.get("origin", "")
        site = request.headers.get("sec-fetch-site")
        if urlsplit(origin).netloc != host or site not in (None, "same-origin"):
            return JSONResponse({"message": "this came from another page"}, status_code=403)
        expected = "application/x-www-form-urlencoded" if request.url.path == "/enter" else "application/json"
        if request.headers.get("content-type", "").partition(";")[0] != expected:
            return JSONResponse({"message": "expected JSON"}, status_code=415)
        return None

    async def _entrance(self, request: Request) -> Response | None:
        """Return what somebody gets who is not in yet; None for who is, whom it names in the request."""
        token = request.query_params.get("token")
        if token is not None and request.method == "GET" and request.url.path == "/":
            return self._begin(request, token)
        cookie = request.cookies.get(_cookie_name(request), "")
        if not self.sessions.known(cookie):
            return _not_signed_in()
        visitor = self.sessions.visitor(cookie)
        if request.url.path == "/enter" and request.method == "POST":
            return await self._enter(request, cookie)
        if visitor is None:
            return self._form() if request.url.path == "/" else _not_signed_in()
        request.state.visitor = visitor
        return None

    def _begin(self, request: Request, token: str) -> Response:
        cookie = self.sessions.begin(token)
        if cookie is None:
            return _not_signed_in()
        response = Response(status_code=303, headers={"location": "/"})
        response.set_cookie(
            _cookie_name(request),
            cookie,
            httponly=True,
            samesite="lax",
            secure=_https(request),
            max_age=30 * 86400,
        )
        return response

    async def _enter(self, request: Request, cookie: str) -> Response:
        form = await _form_of(request)
        name = " ".join(form.get("name", "").split())[:MAX_NAME]
        if self.access.role is Role.GUEST and not name:
            return self._form("Please give your name.")
        if self.sessions.enter(cookie, form.get("password", ""), name):
            return Response(status_code=303, headers={"location": "/"})
        if self.sessions.locked():
            return self._form("Too many wrong passwords. Try again in five minutes.", status=429)
        return self._form("This password is not right.")

    def _form(self, problem: str = "", status: int = 0) -> Response:
        text, policy = pages.entrance(
            problem, asks_name=self.access.role is Role.GUEST, asks_password=bool(self.access.password)
        )
        headers = {
            "content-security-policy": policy,
            "cache-control": "no-store",
            # With `no-referrer` a browser sends the form with the Origin `null`, which we could not tell from others.
            "referrer-policy": "same-origin",
        }
        return HTMLResponse(text, status_code=status or (403 if problem else 200), headers=headers)


async def _form_of(request: Request) -> dict[str, str]:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MAX_FORM:
            return {}
    return {key: values[0] for key, values in parse_qs(raw.decode("utf-8", "replace")).items()}


def _cookie_name(request: Request) -> str:
    # Cookies know no ports: two reviews on one machine must not sign each other out.
    host = request.headers.get("host", "")
    return f"{COOKIE}-{urlsplit(f'//{host}').port or 80}"


def _https(request: Request) -> bool:
    """Whether the browser speaks https, perhaps to a tunnel in front of us."""
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"


def _not_signed_in() -> Response:
    return PlainTextResponse(
        "open the review by the address that `kiebatch review` printed: it ends in a token\n", status_code=403
    )
