"""What every family has in common: the `Endpoint`, and careful reading of what the provider wrote.

Protocol sections 1.4, 1.6, 3.3 to 3.5, 4 and 11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kiebatch.model import JSON, Absent, Done, Output, Reply, Request, Running, Status, TaskFailed

# Reserved by RFC 2606: nobody can own this host, and results are posted to the address we name.
PLACEHOLDER_CALLBACK = "https://example.com/kiebatch-callback"

Record = Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record names a result: keys from `data` down, parted by dots.  `label` as in `Output`."""

    path: str
    label: str = ""


def task_id_of(reply: Reply, _input: Mapping[str, JSON]) -> str | None:
    """Return the task id of an accepted submission: `taskId`, or one of its other spellings."""
    return first_text(reply.data, "taskId", "task_id", "recordId") if reply.code == 200 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One paid call of a family, and how to read what comes back.

    - `parse` turns the record under `data` into a status
    - `main` lists the places of the results; the first that names any wins.  `extra` adds labelled ones
    - `record_path` is None where the answer to the submission is the result itself
    - `current` names the model that replaced this endpoint, for messages
    """

    family: str
    path: str
    parse: Callable[[Endpoint, Record], Status]
    record_path: str | None
    main: tuple[Place, ...] = ()
    extra: tuple[Place, ...] = ()
    method: Literal["GET", "POST"] = "POST"
    body: Callable[[str, Mapping[str, JSON]], dict[str, JSON]] = lambda model, job_input: dict(job_input)
    callback: Literal["optional", "required", "none"] = "optional"
    callback_field: str = "callBackUrl"
    find_task: Callable[[Reply, Mapping[str, JSON]], str | None] = task_id_of
    find_record: Callable[[Endpoint, str], Request] | None = None
    read_early: Callable[[Endpoint, Reply], Status | None] = lambda endpoint, reply: None
    current: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Every place of the record where results are looked for; nothing else is ever taken for one."""
        return tuple(place.path for place in (*self.main, *self.extra))

    @property
    def at_once(self) -> bool:
        """Whether the answer to the submission already is the result: there is no record to read later."""
        return self.record_path is None

    def request(self, model: str, job_input: Mapping[str, JSON], callback_url: str | None = None) -> Request:
        """Return the submission of one job.

        Where the API refuses a job without a callback URL, a harmless one on a reserved domain is sent.
        """
        body = self.body(model, job_input)
        if self.callback == "required" and not callback_url:
            callback_url = PLACEHOLDER_CALLBACK
        if callback_url and self.callback != "none":
            body[self.callback_field] = callback_url
        if self.method == "GET":
            return Request(method="GET", path=self.path, query={k: _query(v) for k, v in body.items()})
        return Request(method="POST", path=self.path, body=body)

    def task(self, reply: Reply, job_input: Mapping[str, JSON] | None = None) -> str | None:
        """Return the task id in the answer to a submission, or None.  Task ids are opaque text."""
        return self.find_task(reply, job_input or {})

    def record(self, task_id: str) -> Request:
        """Return the request that reads a task's record.  ValueError where there is none (`at_once`)."""
        if self.record_path is None:
            raise ValueError(f"{self.path} answers at once; there is no record to read")
        if self.find_record:
            return self.find_record(self, task_id)
        return Request(method="GET", path=self.record_path, query={"taskId": task_id})

    def status(self, reply: Reply) -> Status:
        """Return what a reply says about the task.  Never raises, whatever the reply holds.

        A failure may stand in the record or in the envelope's code alone (501, 408, 531: protocol 3.3); no record
        under code 200, 404 or 422 means that the task is not visible (3.4).
        """
        early = self.read_early(self, reply)
        if early is not None:
            return early
        seen = self.parse(self, reply.data) if isinstance(reply.data, Mapping) and reply.data else None
        if isinstance(seen, Done | TaskFailed):
            return seen
        if reply.code in (408, 501, 531):
            return TaskFailed(
                code=str(reply.code),
                message=reply.message,
                retryable=reply.code in (408, 531) or transient(reply.code, reply.message),
                refunded=True if reply.code == 531 else None,
            )
        if seen is not None and reply.code == 200:
            return seen
        return Absent(message=reply.message)

    def outputs(self, record: Record) -> tuple[Output, ...]:
        """Return the results that the record names, numbered from 1, each URL once."""
        labels: dict[str, str] = {}
        for place in self.main:
            labels = dict.fromkeys(urls(at(record, place.path)), place.label)
            if labels:
                break
        for place in self.extra:
            for url in urls(at(record, place.path)):
                labels.setdefault(url, place.label)
        return tuple(
            Output(number=n, url=url, label=label) for n, (url, label) in enumerate(labels.items(), 1)
        )


def _query(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# --- careful reading -----------------------------------------------------------------------------------


def at(record: JSON, path: str) -> JSON:
    """Return the value at a dotted path, or None.  A JSON text on the way is read as what it holds."""
    value = record
    for key in path.split("."):
        value = parsed(value)
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def parsed(value: JSON) -> JSON:
    """Return what a JSON text holds; anything else unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def urls(value: JSON) -> list[str]:
    """Return the URLs of a result field: one, a list, a JSON text, or `[http://a, http://b]` without quotes."""
    value = parsed(value)
    if isinstance(value, str):
        value = re.split(r"\s*,\s+|\s*,(?=https?://)", value.strip().removeprefix("[").removesuffix("]"))
    if not isinstance(value, list):
        return []
    texts = (text.strip().strip("\"'") for text in value if isinstance(text, str))
    return [text for text in texts if re.match(r"(?i)https?://[^\s/]", text)]


def first_text(record: JSON, *keys: str) -> str | None:
    """Return the first of `keys` that holds a text or a number, as text."""
    if isinstance(record, Mapping):
        for key in keys:
            value = record.get(key)
            if isinstance(value, str) and value.strip():
                return value.strip()
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
    return None


def number(value: JSON) -> float | None:
    """Return a number or a numeric text as a number, else None."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if abs(found) < 1e15 else None


def word(value: JSON) -> str:
    """Return a state as a lower-case word: `success`, `2`, `text_success`; `` for none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None or isinstance(value, bool | list | dict) else str(value).strip().lower()


def credits_of(record: Record) -> float | None:
    """Return what the provider says the task cost, if it does (protocol 2.4: expect none)."""
    for key in ("creditsConsumed", "consumeCredits", "credits_consumed"):
        found = number(record.get(key))
        if found is not None:
            return found
    return None


def failed(
    record: Record, code_keys: Iterable[str], message_keys: Iterable[str], state: str = ""
) -> TaskFailed:
    """Return the failure that a record tells, with whatever code and words it has."""
    code = first_text(record, *code_keys)
    if code in (None, "0", "200"):
        code = state or "failed"
    message = first_text(record, *message_keys) or state or "the provider gives no reason"
    return TaskFailed(
        code=code,
        message=message,
        retryable=transient(code, message),
        refunded=True if code == "531" or credits_of(record) == 0 else None,
    )


_TRANSIENT_TEXT = re.compile(
    r"(?i)try again later|internal error|concurrent generations|server (error|exception|busy)|timed? ?out|overload"
)
_FINAL_TEXT = re.compile(r"(?i)sensitive|policy|violat|copyright|nsfw|moderat|prohibited|flagged")


def transient(code: object, message: str) -> bool:
    """Whether the same job may well succeed when it is bought again, by the user's choice (protocol 4.4, 9.2)."""
    if _FINAL_TEXT.search(message):
        return False
    return str(code) in ("408", "429", "455", "500", "501", "502", "503", "504", "531") or bool(
        _TRANSIENT_TEXT.search(message)
    )


def fraction(value: JSON) -> float | None:
    """Return progress as 0 to 1, from percents, fractions or their texts.

    `1` alone is ambiguous; a text with a decimal point (`"1.00"`) is a fraction, an integer is a percentage.
    """
    found = number(value)
    if found is None:
        return None
    is_fraction = found <= 1 and (isinstance(value, float) or (isinstance(value, str) and "." in value))
    return min(max(found if is_fraction else found / 100, 0.0), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the words of one state field mean.  A word in no list is running: shown, and bounded by the time limit."""

    done: frozenset[str]
    failed: frozenset[str]
    running: frozenset[str] = field(default=frozenset())

    def read(
        self,
        endpoint: Endpoint,
        record: Record,
        value: JSON,
        *,
        code_keys: Iterable[str] = ("errorCode", "failCode"),
        message_keys: Iterable[str] = ("errorMessage", "failMsg", "errorMsg"),
    ) -> Status:
        """Return the status of a record whose state field holds `value`."""
        state = word(value)
        if state in self.done:
            return Done(outputs=endpoint.outputs(record), credits=credits_of(record))
        if state in self.failed:
            return failed(record, code_keys, message_keys, state)
        return Running(state=state, progress=fraction(record.get("progress")))
