"""What goes over the wire, as values: a call that came in, an answer that goes out, the provider's texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kiebatch.model import JSON
from kiebatch.simulator.drawing.wanted import Wanted

# Protocol 1.6: the texts that were seen or documented; where none was, the reading is ours.
TEXTS: Mapping[int, str] = {
    200: "success",
    400: "Bad request",
    401: "You do not have access permissions",
    402: "Credits insufficient",
    403: "Forbidden",
    404: "Not Found",
    405: "Request method not supported",
    408: "Upstream is currently experiencing service issues. No result has been returned for over 10 minutes.",
    422: "Validation Error",
    429: "Your call frequency is too high. Please try again later.",
    430: "Your call frequency is too high. Please try again later.",
    433: "This API key has reached its usage limit",
    451: "Failed to fetch the image. Kindly verify any access limits set by you or your service provider.",
    455: "Service is currently undergoing maintenance. Please try again later.",
    500: "Server exception, please try again later or contact customer service",
    501: "Generation failed",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
    505: "This feature is currently disabled",
    531: "Server exception, the credits have been refunded",
    550: "Connection denied: the job queue is full, please try again later",
}
UNKNOWN_MODEL = "The model name you specified is not supported. Please verify it and try again."


class Cut(BaseException):
    """The connection ends here without (the rest of) an answer.

    Whoever serves the application aborts the connection.  Not an `Exception`, so that no layer between turns
    it into a polite 500.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """One file of a form."""

    data: bytes
    name: str
    media_type: str


@dataclass(slots=True, kw_only=True)
class Call:
    """A request: `origin` is the scheme and host it was sent to, `body` the parsed JSON or the texts of a form."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    body: JSON = None
    files: Mapping[str, SentFile] = field(default_factory=dict)
    malformed: bool = False

    @property
    def fields(self) -> Mapping[str, JSON]:
        """What the body says, by the names of its fields; nothing where it is not an object."""
        return self.body if isinstance(self.body, Mapping) else {}


@dataclass(slots=True, kw_only=True)
class Answer:
    """A reply, with its misbehaviour.  `wanted` asks for bytes that are drawn when sent.

    `cut_share` is the share of the body after which the connection is cut (0: before the status line);
    `stall_share` likewise where the rest never comes.
    """

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    cut_share: float | None = None
    stall_share: float | None = None
    wanted: Wanted | None = None


def as_json(body: JSON, status: int = 200) -> Answer:
    return Answer(
        status=status, body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    )


def ok(data: JSON, msg: str = "success") -> Answer:
    """Return the envelope of protocol 1.4, keys in the recorded order."""
    return as_json({"code": 200, "msg": msg, "data": data})


@dataclass(slots=True)
class Refusal(Exception):
    """A call that is answered with an error code; nothing was made and nothing charged."""

    code: int
    msg: str = ""
    data: JSON = None
    with_data: bool = True

    def answer(self, real_status: bool) -> Answer:
        body: dict[str, JSON] = {"code": self.code, "msg": self.msg or TEXTS.get(self.code, "error")}
        if self.with_data:
            body["data"] = self.data
        return as_json(body, self.code if real_status and 400 <= self.code < 600 else 200)


def html(status: int) -> Answer:
    """Return an error page of the proxy in front of the API (protocol 1.1)."""
    title = TEXTS.get(status, "Web server is returning an unknown error")
    page = (
        f"<!DOCTYPE html>\n<html><head><title>api.kie.ai | {status}: {title}</title></head>\n"
        f"<body><h1>Error {status}</h1><p>{title}</p><hr>cloudflare</body></html>\n"
    )
    return Answer(status=status, body=page.encode(), media_type="text/html; charset=UTF-8")


def millis(at: float) -> int:
    return int(at * 1000)


def blank_separated(at: float) -> str:
    """Return a time as the older families write it: no zone, a blank between date and time (protocol 1.5)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(at: float, *, milliseconds: bool = False) -> str:
    spec = "milliseconds" if milliseconds else "seconds"
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def number(value: JSON, default: float) -> float:
    """Return what may be a number or the text of one; `default` for anything else."""
    try:
        found = float(value) if isinstance(value, int | float | str) else default
    except (ValueError, OverflowError):
        return default
    return found if math.isfinite(found) else default


def compact(value: JSON) -> str:
    """Return a JSON text as the provider nests it inside its records."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
