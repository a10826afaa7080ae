"""What every family has in common: the `Endpoint`, and careful reading of what the provider wrote.

Protocol sections 1.4, 1.6, 3.3 to 3.5, 4 and 11.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from kiebatch import formats
from kiebatch.model import (
    JSON,
    Absent,
    Done,
    Output,
    Reply,
    Request,
    Running,
    Status,
    TaskFailed,
    as_number,
    under,
)
from kiebatch.provider import sentences
from kiebatch.provider.families import local_paths

# Reserved by RFC 2606: nobody can own this host, and results are posted to the address we name.
PLACEHOLDER_CALLBACK = "https://example.com/kiebatch-callback"

Record = Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record names a result: keys from `data` down, parted by dots.  `label` as in `Output`."""

    path: str
    label: str = ""


def places(*paths: str) -> tuple[Place, ...]:
    """Return places without labels."""
    return tuple(Place(path=path) for path in paths)


def labelled(under: str, labels: Mapping[str, str]) -> tuple[Place, ...]:
    """Return places `under` a key, for results that are unlike each other: keys with the label of each."""
    return tuple(Place(path=f"{under}.{key}", label=label) for key, label in labels.items())


# Protocol 5.4: what a separation gives.  Those that were not asked for are null.
STEMS: Mapping[str, str] = {
    "vocalUrl": "vocal",
    "instrumentalUrl": "instrumental",
    "backingVocalsUrl": "backing_vocals",
    "drumsUrl": "drums",
    "bassUrl": "bass",
    "guitarUrl": "guitar",
    "pianoUrl": "piano",
    "keyboardUrl": "keyboard",
    "percussionUrl": "percussion",
    "stringsUrl": "strings",
    "synthUrl": "synth",
    "fxUrl": "fx",
    "brassUrl": "brass",
    "woodwindsUrl": "woodwinds",
}


# --- finding the task in the answer to a submission ----------------------------------------------------


def task_id_of(reply: Reply, _input: Mapping[str, JSON]) -> str | None:
    """Return the task id of an accepted submission: `taskId`, or one of its other spellings."""
    return first_text(reply.data, "taskId", "task_id", "recordId") if reply.code == 200 else None


def existing_task(reply: Reply, _input: Mapping[str, JSON]) -> str | None:
    """As `task_id_of`, also where the thing exists already and the refusal names the task that made it."""
    return first_text(reply.data, "taskId", "task_id") if reply.code in (200, 400, 409) else None


def made_at_once(reply: Reply, _input: Mapping[str, JSON]) -> str | None:
    """Return a name for a task that is over with its submission: the provider's, or one from the answer."""
    if reply.code != 200 or not isinstance(reply.data, Mapping) or not reply.data:
        return None
    text = json.dumps(reply.data, sort_keys=True, default=str)
    return task_id_of(reply, {}) or f"at-once-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


# --- the endpoint --------------------------------------------------------------------------------------


def by_record(endpoint: Endpoint, reply: Reply) -> Status:
    """Return what a reply says by its record, and by the envelope where that alone speaks.

    A failure may be told by the envelope's code with no record (501, 408, 531: protocol 3.3); no record under
    any other code means that the task is not visible (3.4).
    """
    seen = endpoint.parse(endpoint, reply.data) if isinstance(reply.data, Mapping) and reply.data else None
    if isinstance(seen, Running | Done | TaskFailed):
        seen = replace(seen, words=prompt_in(reply.data))
    if isinstance(seen, Done | TaskFailed):
        return seen
    if reply.code in (408, 501, 531):
        return TaskFailed(
            code=str(reply.code),
            message=reply.message or "the provider gives no reason",
            retryable=transient(reply.code, reply.message),
            refunded=True if reply.code == 531 else None,
        )
    if seen is not None and reply.code == 200:
        return seen
    return Absent(message=reply.message)


def answered_at_once(endpoint: Endpoint, reply: Reply) -> Status:
    """Return what the answer to a submission says where that is the result."""
    if reply.code == 200 and isinstance(reply.data, Mapping) and reply.data:
        return endpoint.parse(endpoint, reply.data)
    return Absent(message=reply.message)


def values_of(endpoint: Endpoint, record: Record) -> Status:
    """Take the whole answer for the result: a persona, the times of words, an id."""
    return Done(outputs=(Output(number=1, text=json_text(dict(record))),), credits=credits_of(record))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One paid call of a family, and how to read what comes back.

    - `parse` turns the record under `data` into a status; `judge` the whole reply
    - `main` lists the places of the results; the first that names any wins.  `extra` adds labelled ones
    - `record_path` is None where the answer to the submission is the result itself
    - `current` is the model that replaced a dedicated endpoint, named when it answers 404 or 505
    - `link_path` is the family's own call for fresh links, where it has one
    - `callback_models` are refused without a callback URL although the endpoint takes others without
    - `body` makes the request's body of the model and its input
    - `find_task` finds the task id in a reply to a submission, `find_record` makes the request that reads it
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
    callback_models: frozenset[str] = frozenset()
    current: str = ""
    link_path: str = ""
    find_task: Callable[[Reply, Mapping[str, JSON]], str | None] = task_id_of
    find_record: Callable[[Endpoint, str], Request] | None = None
    judge: Callable[[Endpoint, Reply], Status] = by_record

    @property
    def reads(self) -> tuple[str, ...]:
        """Every place of the record where results are looked for; nothing else is ever taken for one."""
        return tuple(place.path for place in (*self.main, *self.extra))

    @property
    def at_once(self) -> bool:
        """Whether the answer to the submission already is the result: `status` reads it, there is no record."""
        return self.record_path is None

    def request(self, model: str, job_input: Mapping[str, JSON], callback_url: str | None = None) -> Request:
        """Return the submission of one job.

        Where the API refuses a job without a callback URL, a harmless one on a reserved domain is sent.  `Invalid` where
        a path of this machine is sent for an address.
        """
        body = self.body(model, job_input)
        local_paths.refuse(body)
        if self.callback == "required" or model in self.callback_models:
            callback_url = callback_url or PLACEHOLDER_CALLBACK
        if callback_url and self.callback != "none":
            body[self.callback_field] = callback_url
        if self.method == "GET":
            query = {
                key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()
            }
            return Request(method="GET", path=self.path, query=query)
        return Request(method="POST", path=self.path, body=body)

    def task(self, reply: Reply, job_input: Mapping[str, JSON] | None = None) -> str | None:
        """Return the task id in the answer to a submission, or None.  Task ids are opaque text.

        `job_input` is needed where the task is one that the job itself named (Veo upgrades).
        """
        return self.find_task(reply, job_input or {})

    def record(self, task_id: str) -> Request:
        """Return the request that reads a task's record.  ValueError where there is none (`at_once`)."""
        if self.record_path is None:
            raise ValueError(f"{self.path} answers at once; there is no record to read")
        if self.find_record:
            return self.find_record(self, task_id)
        return Request(method="GET", path=self.record_path, query={"taskId": task_id})

    def fresh_link(self, task_id: str, url: str) -> Request:
        """Return the request for a link that lives, in place of a result's dead one (protocol 4.1, 7.2)."""
        if self.link_path:
            return Request(method="POST", path=self.link_path, body={"taskId": task_id, "url": url})
        return Request(method="POST", path="/api/v1/common/download-url", body={"url": url})

    def status(self, reply: Reply) -> Status:
        """Return what a reply says about the task.  Never raises, whatever the reply holds."""
        return self.judge(self, reply)

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


def identified(status: Status, tracks: JSON, *keys: str) -> Status:
    """Return a status whose outputs bear the ids of `tracks`, a list of records that name a URL under `keys`."""
    if not isinstance(status, Done) or not isinstance(tracks, list):
        return status
    ids: dict[str, str] = {}
    for track in tracks:
        for key in keys:
            for url in urls(at(track, key)):
                ids.setdefault(url, first_text(track, "id") or "")
    return replace(status, outputs=tuple(replace(o, id=ids.get(o.url or "", "")) for o in status.outputs))


# --- what a state field means --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the words and flags of a state field mean, in lower case.

    A word in no list is running: shown, and bounded by the time limit.  With `proof`, results that are there beat
    a word we do not know, for fields whose words have been seen to vary (protocol 5.6, 11.8).
    """

    done: frozenset[str]
    failed: frozenset[str]
    running: frozenset[str]
    proof: bool = True

    def read(self, endpoint: Endpoint, record: Record, *values: JSON) -> Status:
        """Return the status of a record whose state fields hold `values`: over, if one of them says so."""
        states = [state for state in map(word, values) if state]
        outputs = endpoint.outputs(record)
        if any(state in self.done for state in states) or (self.proof and outputs and self._unknown(states)):
            return Done(outputs=outputs, credits=credits_of(record))
        for state in states:
            if state in self.failed:
                return failure(record, state)
        return Running(state=states[0] if states else "", progress=fraction(record.get("progress")))

    def _unknown(self, states: list[str]) -> bool:
        return bool(states) and not any(state in self.running | self.failed for state in states)


def failure(record: Record, state: str = "") -> TaskFailed:
    """Return the failure that a record tells, with whatever code and words it has."""
    code = first_text(record, "errorCode", "failCode")
    if code in (None, "0", "200"):
        code = state if state and not state.isdecimal() else "failed"
    message = first_text(record, "errorMessage", "failMsg", "errorMsg") or "the provider gives no reason"
    return TaskFailed(
        code=code,
        message=message,
        retryable=transient(code, message),
        refunded=True if code == "531" or credits_of(record) == 0 else None,
        credits=credits_of(record),
    )


_TRANSIENT_CODES = frozenset({"408", "429", "455", "500", "501", "502", "503", "504", "531"})


def transient(code: object, message: str) -> bool:
    """Whether the same job may well succeed when it is bought again, by the user's choice (protocol 4.4, 9.2).

    A text that says that the input was wrong beats the code, which is 500 for that too.  A file that could not be
    fetched is uploaded again first.
    """
    if sentences.says_unfetched(message):
        return True
    if sentences.says_final(message):
        return False
    return str(code) in _TRANSIENT_CODES or sentences.says_passing(message)


# --- careful reading -----------------------------------------------------------------------------------


def at(record: JSON, path: str) -> JSON:
    """Return the value at a dotted path, or None; a list of them where the path leads through a list.

    A JSON text on the way is read as what it holds.
    """
    value = record
    for key in path.split("."):
        if value is None:
            return None
        value = parsed(value)
        if isinstance(value, list):
            value = [item.get(key) for item in value if isinstance(item, Mapping)]
        elif isinstance(value, Mapping):
            value = value.get(key)
        else:
            return None
    return value


def parsed(value: JSON) -> JSON:
    """Return what a JSON text holds; anything else unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return formats.lenient_json(value)
        except ValueError:
            return value
    return value


def urls(value: JSON) -> list[str]:
    """Return the URLs of a result field: one, a list, a JSON text, or `[http://a, http://b]` without quotes."""
    value = parsed(value)
    if isinstance(value, str):
        inside = value.strip().removeprefix("[").removesuffix("]")
        value = re.split(r",\s+|,(?=\s*[\"']?https?://)", inside)
    if not isinstance(value, list):
        return []
    texts = (text.strip().strip("\"'") for text in value if isinstance(text, str))
    return [text for text in texts if re.match(r"(?i)https?://[^\s/]", text)]


def json_text(value: JSON) -> str:
    """Return a result that is not media as the text of a file: words as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def first_text(record: JSON, *keys: str) -> str | None:
    """Return the first of `keys` that holds a text or a whole number, as text."""
    if isinstance(record, Mapping):
        for key in keys:
            value = record.get(key)
            if isinstance(value, str) and value.strip():
                return value.strip()
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
    return None


def word(value: JSON) -> str:
    """Return a state as a lower-case word: `success`, `2`, `text_success`; empty for none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None or isinstance(value, bool | list | dict) else str(value).strip().lower()


def amount(value: JSON) -> float | None:
    """Return a number or a numeric text as a number, else None."""
    found = None if isinstance(value, bool) else as_number(value)
    return found if found is not None and abs(found) < 1e15 else None


def credits_of(record: Record) -> float | None:
    """Return what the provider says the task cost, if it does (protocol 2.4: expect nothing)."""
    found = (amount(record.get(key)) for key in ("creditsConsumed", "consumeCredits", "credits_consumed"))
    return next((credits for credits in found if credits is not None), None)


def prompt_in(record: JSON) -> str:
    """Return the prompt that a record repeats of its request; nothing where it repeats none (protocol 3.2)."""
    request = _decoded(under(record, "param") or under(record, "paramJson"))
    inner = _decoded(under(request, "input"))
    return first_text(inner if isinstance(inner, Mapping) else request, "prompt", "text") or ""


def _decoded(value: JSON) -> JSON:
    """Return what a text of JSON holds, and anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        decoded: JSON = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return decoded


def fraction(value: JSON) -> float | None:
    """Return progress as 0 to 1.  A text with a point (`"0.50"`) and a small float are shares, else percents."""
    found = amount(value)
    if found is None:
        return None
    is_share = found <= 1 and (isinstance(value, float) or (isinstance(value, str) and "." in value))
    return min(max(found if is_share else found / 100, 0.0), 1.0)
