"""The retry table: what an answer to an operation means, and what to do next.

One place for all of it, from protocol sections 1.6 and 11.  A submission creates a task and charges for it, and
there is no idempotency key, so it is sent again only where it certainly cost nothing; everything else is free to
repeat.

| answer | submit | read |
| --- | --- | --- |
| a task id | accepted | - |
| request never left: name, connection, TLS or proxy failed | later | retry |
| 429, 430, 455, 550; 405 that says "too fast" | later | retry |
| 401, 403, 402, 433; 500 or 429 that says credits are insufficient | stop | fail |
| 400, 404, 405, 409, 413, 422, 451, 505 and the like; 500 that names a bad field | refused | fail (a poll: ask the family) |
| code 200 without a task id | unknown | - |
| 408, 501, 531, other 500, 5xx, no JSON, nothing, cut or too late after sending | unknown | retry (408, 501, 531 on a poll: ask the family) |
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from kiebatch.errors import plain
from kiebatch.model import Reply

LONGEST_WAIT_S = 120.0  # the longest `Retry-After` that is honoured

Operation = Literal["poll", "upload", "download", "balance", "download-url", "models"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """No answer that could be read.  `sent` is False only where the request certainly never left."""

    sent: bool
    reason: str


Answer = Reply | NoReply


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitVerdict:
    """What one attempt to submit came to.

    - accepted: charged; `task_id` names the task
    - later: certainly free; may be sent again after a wait
    - refused: certainly free; this job can never succeed as it is
    - stop: certainly free; no job of this run can (key, credits, the key's own cap)
    - unknown: perhaps charged; held, never sent again by itself
    """

    kind: Literal["accepted", "later", "refused", "stop", "unknown"]
    code: str
    message: str = ""
    task_id: str | None = None
    retry_after_s: float | None = None
    too_fast: bool = False  # every submission must pause, not this one alone
    reply: Reply | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same job may be taken at another time."""
        passing = self.code in ("405", "451", "505") or "paused" in self.message.lower()
        return self.kind in ("later", "stop") or passing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVerdict:
    """What to do with the answer to a call that costs nothing."""

    kind: Literal["ok", "retry", "fail"]
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None
    too_fast: bool = False  # every read should slow down, not this one alone


_TOO_FAST = frozenset({429, 430})
_BUSY = frozenset({455, 550})
STOP = frozenset({401, 402, 403, 433})
_REFUSED = frozenset({400, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 451, 505})
_TASK_OVER = frozenset({408, 501, 531})

_NO_CREDITS = re.compile(r"(?i)(credits?|balance).{0,40}insufficient|insufficient.{0,40}(credits?|balance)")
_REFUSAL_TEXT = re.compile(
    r"(?i)is required|cannot be empty|not supported|does not match|out of range|exceeds|temporarily paused|insufficient"
)
_TOO_FAST_TEXT = re.compile(r"(?i)frequency|rate.?limit|too (fast|many|frequent)")


def submit(answer: Answer, task_id: str | None = None) -> SubmitVerdict:
    """Judge the answer to a submission.  `task_id` is what the job's family found in the reply, if anything.

    A task id beats every code: where there is one, a task exists and somebody paid for it.
    """
    if isinstance(answer, NoReply):
        if answer.sent:
            return SubmitVerdict(kind="unknown", code="no-answer", message=answer.reason)
        return SubmitVerdict(kind="later", code="not-sent", message=answer.reason)
    kind = "accepted" if task_id else _submit_kind(answer)
    return SubmitVerdict(
        kind=kind,
        code=_code(answer),
        message=_message(answer) if kind != "accepted" else answer.message,
        task_id=task_id,
        retry_after_s=_asked(answer),
        too_fast=kind == "later" and answer.code not in _BUSY,
        reply=answer,
    )


def _submit_kind(reply: Reply) -> Literal["later", "refused", "stop", "unknown"]:
    code, text = reply.code, reply.message
    if code in STOP or (code in (429, 500) and _NO_CREDITS.search(text)):
        return "stop"
    if code in _TOO_FAST or code in _BUSY or (code == 405 and _TOO_FAST_TEXT.search(text)):
        return "later"
    if code in _REFUSED or (code == 500 and reply.has_code and _REFUSAL_TEXT.search(text)):
        return "refused"
    return "unknown"


def read(operation: Operation, answer: Answer) -> ReadVerdict:
    """Judge the answer to a call that may be repeated at will.

    A poll is `ok` whenever its answer says something about the task: the family then tells a fresh or unknown
    task from a failed one.  A download is judged by its HTTP status alone.
    """
    if isinstance(answer, NoReply):
        return ReadVerdict(kind="retry", code="no-answer", message=answer.reason)
    kind: Literal["ok", "retry", "fail"]
    code, text = answer.code, answer.message
    # A page of the proxy in front, without a code of the API, says little about the key.
    page = not answer.has_code and (operation == "poll" or code == 403)
    if code in STOP and not page:
        kind = "fail"
    elif code in _TOO_FAST or code in _BUSY or (code == 405 and _TOO_FAST_TEXT.search(text)):
        kind = "retry"
    elif operation == "download":
        # 416: what we hold of the file does not fit; the caller starts it anew.
        kind = "ok" if code in (200, 206) else "retry" if code >= 500 or code in (408, 416, 425) else "fail"
    elif operation == "poll" and answer.has_code and (code in _TASK_OVER or code == 505 or code < 500):
        kind = "ok"
    elif code == 200:
        kind = "ok" if answer.has_code else "retry"  # a page instead of an answer: a proxy in between
    elif code in _REFUSED:
        # A missing record may also come as a bare HTTP 404.
        kind = "ok" if operation == "poll" and code == 404 else "fail"
    else:
        kind = "retry"
    return ReadVerdict(
        kind=kind,
        code=_code(answer),
        message=_message(answer),
        retry_after_s=_asked(answer),
        too_fast=kind == "retry" and (code in _TOO_FAST or code == 405),
    )


def wait_s(attempt: int, rng: random.Random, asked_s: float | None = None) -> float:
    """Return how long to wait after failed attempt number `attempt` (from 1): about 2, 5, 12, 30, 60 s.

    A quarter up or down by chance, so that many waiters do not come back together.  What the server asked for
    is never undercut, up to two minutes.
    """
    steps: Sequence[float] = (2.0, 5.0, 12.0, 30.0, 60.0)
    usual = steps[min(max(attempt, 1), len(steps)) - 1] * rng.uniform(0.75, 1.25)
    if asked_s is None:
        return usual
    asked = min(max(asked_s, 0.0), LONGEST_WAIT_S)
    return max(usual, asked * rng.uniform(1.0, 1.1)) if asked else usual


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return what the `retry-after` header asks for, in seconds; a date counts from the answer's own `date`."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        until, since = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - since).total_seconds())
    except (TypeError, ValueError):
        return None


def reason(error: BaseException) -> str:
    """Return in words why a call got no answer."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    if "timeout" in kind and "connect" not in kind:
        kind = "no answer in time"
    text = plain(str(error), 200)
    return f"{kind}: {text}" if text else kind


def _code(reply: Reply) -> str:
    return str(reply.code) if reply.has_code else f"HTTP {reply.http_status}"


def _message(reply: Reply) -> str:
    if reply.code == 200 and not reply.has_code:
        return reply.message or "an answer that is no JSON"
    return reply.message or f"{_code(reply)} without a text"


def _asked(reply: Reply) -> float | None:
    return None if reply.retry_after_s is None else min(max(reply.retry_after_s, 0.0), LONGEST_WAIT_S)
