"""The retry table: what an answer to an operation means, and what to do next.

One place for all of it, from protocol sections 1.6 and 11.  A submission creates a task and charges for it, and
there is no idempotency key, so it is sent again only where it certainly cost nothing; everything else is free to
repeat.

| answer | submit | read |
| --- | --- | --- |
| a task id that the job's family reads | accepted | - |
| any other answer that names a task | unknown | as below |
| request never left: name, connection, TLS or proxy failed | later | retry |
| 429, 430, 455, 550; 405 that says "too fast"; 422 that says "high demand" | later | retry |
| 401, 403, 402, 433; 500 or 429 that says credits are insufficient | stop | fail |
| 400, 404, 405, 409, 413, 422, 451, 505 and the like | refused | fail (a poll: ask the family) |
| 500 without data whose text shows that the input was judged | refused | retry |
| code 200 without a task id | unknown | - |
| 408, 501, 531, other 500, 5xx, no JSON, nothing, cut or too late after sending | unknown | retry (408, 501, 531 on a poll: ask the family) |

The service refuses most inputs with HTTP 200, `code` 500, `data: null` and a sentence, and makes no task.  A list of
known sentences would hold every job whose sentence is new, so `sentences.judged` looks for evidence instead.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from kiebatch.errors import plain
from kiebatch.model import JSON, Reply, Request
from kiebatch.provider import sentences

LONGEST_WAIT_S = 120.0  # the longest `Retry-After` that is honoured

Operation = Literal["poll", "upload", "download", "balance", "download-url", "models"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """No answer that could be read.  `sent` is False only where the request certainly never left."""

    sent: bool
    reason: str


Answer = Reply | NoReply
ReadKind = Literal["ok", "retry", "fail"]
SubmitKind = Literal["accepted", "later", "refused", "stop", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitVerdict:
    """What one attempt to submit came to.

    - accepted: charged; `task_id` names the task
    - later: certainly free; may be sent again after a wait
    - refused: certainly free; this job can never succeed as it is
    - stop: certainly free; no job of this run can (key, credits, the key's own cap)
    - unknown: perhaps charged; held, never sent again by itself

    `named` is the task that an answer names although it does not say that the job was accepted.
    """

    kind: SubmitKind
    code: str
    message: str = ""
    task_id: str | None = None
    retry_after_s: float | None = None
    too_fast: bool = False  # every submission must pause, not this one alone
    reply: Reply | None = None
    named: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same job may be taken at another time."""
        passing = self.code in ("405", "505") or sentences.says_paused(self.message)
        return self.kind in ("later", "stop") or passing or self.could_not_fetch

    @property
    def could_not_fetch(self) -> bool:
        """Whether the job was refused because the provider could not fetch one of its files."""
        return self.kind == "refused" and could_not_fetch(self.code, self.message)

    @property
    def held_because(self) -> str:
        """Why it is not known whether the job was charged, in words that quote the answer if there was one."""
        if self.reply is None:
            return (
                f"the submission got no answer ({plain(self.message) or self.code}); it may have been charged"
            )
        said = f"the provider answered {self.code}: {plain(self.message, 200)}"
        if self.named:
            return f"{said}, and named task {plain(self.named, 80)}; it may have been charged"
        return f"{said}; that does not say whether a task was made"


_NAMES_TASK = re.compile(r", and named task (\S{8,80}); it may have been charged\Z")


def task_named_in(reason: str) -> str | None:
    """Return the task that a `held_because` names."""
    found = _NAMES_TASK.search(reason)
    return found.group(1) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVerdict:
    """What to do with the answer to a call that costs nothing."""

    kind: ReadKind
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None
    too_fast: bool = False  # every read should slow down, not this one alone


_TOO_FAST = frozenset({429, 430})
_BUSY = frozenset({455, 550})
STOP = frozenset({401, 402, 403, 433})
_REFUSED = frozenset({400, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 451, 505})
_TASK_OVER = frozenset({408, 501, 531})


def submit(answer: Answer, task_id: str | None = None, request: Request | None = None) -> SubmitVerdict:
    """Judge the answer to a submission.  `task_id` is what the job's family found in the reply, if anything.

    A task id beats every code: where there is one, a task exists and somebody paid for it.  `request` is what was
    sent: the names of its fields are evidence in a refusal, and a task that it names itself is not a new one.
    """
    if isinstance(answer, NoReply):
        if answer.sent:
            return SubmitVerdict(kind="unknown", code="no-answer", message=answer.reason)
        return SubmitVerdict(kind="later", code="not-sent", message=answer.reason)
    named = None if task_id else _named_task(answer, request)
    kind = _submit_kind(answer, task_id, named, request)
    return SubmitVerdict(
        kind=kind,
        code=_code(answer),
        message=_message(answer) if kind != "accepted" else answer.message,
        task_id=task_id,
        retry_after_s=_asked(answer),
        too_fast=kind == "later" and _is_too_fast(answer),
        reply=answer,
        named=named,
    )


def could_not_fetch(code: str, message: str) -> bool:
    """Whether a refusal or a failed task is about a file that the provider could not fetch.

    Its uploads are worth nothing any more: whoever tries again uploads again.
    """
    return code == "451" or sentences.says_unfetched(message)


def _submit_kind(reply: Reply, task_id: str | None, named: str | None, request: Request | None) -> SubmitKind:
    code, text = reply.code, reply.message
    if task_id:
        return "accepted"
    if named:
        return "unknown"
    if code in STOP or (code in (429, 500) and sentences.says_no_credits(text)):
        return "stop"
    if _is_too_fast(reply) or code in _BUSY or (code == 422 and sentences.says_later(text)):
        return "later"
    if code in _REFUSED or (code == 500 and _input_was_judged(reply, request)):
        return "refused"
    return "unknown"


def _is_too_fast(reply: Reply) -> bool:
    return reply.code in _TOO_FAST or (reply.code == 405 and sentences.says_too_fast(reply.message))


def _input_was_judged(reply: Reply, request: Request | None) -> bool:
    # A page of the proxy in front has no code of its own; whatever it says, the input was not looked at.
    # A text under `data` that is not a task (`_named_task`) says nothing; details in an object may be half an answer.
    nothing = not reply.data or isinstance(reply.data, str)
    return reply.has_code and nothing and sentences.judged(reply.message, _fields_of(request))


def _fields_of(request: Request | None) -> frozenset[str]:
    if request is None:
        return frozenset()
    body = request.body or {}
    job_input = body.get("input")
    return (
        frozenset(body)
        | frozenset(request.query)
        | frozenset(job_input if isinstance(job_input, dict) else ())
    )


_TASK_KEYS = frozenset({"taskid", "recordid", "jobid"})
_TASK_LIKE = re.compile(r"(?=.*\d)[\w-]{8,}")


def _named_task(reply: Reply, request: Request | None) -> str | None:
    """Return the task that an answer names anywhere in its body, unless the request named it first."""
    sent = set(_texts((request.body or {}, dict(request.query)))) if request else set()
    found: list[JSON] = []
    if isinstance(reply.data, str) and _TASK_LIKE.fullmatch(reply.data.strip()):
        found.append(reply.data)
    found += _task_values(reply.data if reply.body is None else reply.body)
    texts = (str(value).strip() for value in found)
    return next((text for text in texts if text and text not in sent), None)


def _task_values(value: JSON) -> list[JSON]:
    if isinstance(value, list):
        return [found for one in value for found in _task_values(one)]
    if not isinstance(value, Mapping):
        return []
    found: list[JSON] = []
    for key, one in value.items():
        if (
            key.replace("_", "").lower() in _TASK_KEYS
            and isinstance(one, str | int)
            and not isinstance(one, bool)
        ):
            found.append(one)
        else:
            found += _task_values(one)
    return found


def _texts(value: JSON) -> list[str]:
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [str(value).strip()]


def read(operation: Operation, answer: Answer) -> ReadVerdict:
    """Judge the answer to a call that may be repeated at will.

    A poll is `ok` whenever its answer says something about the task: the family then tells a fresh or unknown
    task from a failed one.  A download is judged by its HTTP status alone.
    """
    if isinstance(answer, NoReply):
        return ReadVerdict(kind="retry", code="no-answer", message=answer.reason)
    code = answer.code
    kind = _read_kind(operation, answer)
    return ReadVerdict(
        kind=kind,
        code=_code(answer),
        message=_message(answer),
        retry_after_s=_asked(answer),
        too_fast=kind == "retry" and (code in _TOO_FAST or code == 405),
    )


def _read_kind(operation: Operation, answer: Reply) -> ReadKind:
    code = answer.code
    # A page of the proxy in front, without a code of the API, says little about the key.
    page = not answer.has_code and (operation == "poll" or code == 403)
    if code in STOP and not page:
        return "fail"
    if _is_too_fast(answer) or code in _BUSY:
        return "retry"
    if operation == "download":
        return _download_kind(code)
    if operation == "poll" and _says_something(answer):
        return "ok"
    if code == 200:
        return "ok" if answer.has_code else "retry"  # a page instead of an answer: a proxy in between
    return "fail" if code in _REFUSED else "retry"


def _download_kind(code: int) -> ReadKind:
    if code in (200, 206):
        return "ok"
    # 416: what we hold of the file does not fit; the caller begins it again.
    return "retry" if code >= 500 or code in (408, 416, 425) else "fail"


def _says_something(answer: Reply) -> bool:
    """Whether the answer to a poll says something about the task.  A missing record may be a bare HTTP 404."""
    if not answer.has_code:
        return answer.code == 404
    return answer.code in _TASK_OVER or answer.code == 505 or answer.code < 500


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
        return reply.message or "an answer that is not JSON"
    return reply.message or f"{_code(reply)} without a text"


def _asked(reply: Reply) -> float | None:
    return None if reply.retry_after_s is None else min(max(reply.retry_after_s, 0.0), LONGEST_WAIT_S)
