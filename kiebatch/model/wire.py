"""The wire: requests, replies, and what a reply says of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from kiebatch._dataclass import dataclass
from kiebatch.model.words import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to the API.  `path` begins with `/`; `host` says which of the two documented hosts serves it."""

    method: Literal["GET", "POST"]
    path: str
    body: Mapping[str, JSON] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of the API, read as protocol section 1.4 says.

    `code` is the body's own code where there is one, else the HTTP status; `has_code` tells which.
    `data` is whatever stood under `data`.  `body` is the whole parsed body, or None when it was no JSON object.
    """

    http_status: int
    code: int
    message: str = ""
    data: JSON = None
    body: JSON = None
    has_code: bool = True
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One result of a finished task, numbered from 1: a media URL, or a text."""

    number: int
    url: str | None = None
    text: str | None = None
    label: str = ""  # what the provider calls it, where one task gives unlike things (`vocal`, `last_frame`)
    id: str = (
        ""  # the provider's own id, where it has one that later calls ask for (a Suno track's `audioId`)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Not over.  `state` is the provider's own word, also when we do not know it."""

    state: str = ""
    progress: float | None = None  # 0 to 1
    words: str = ""  # the prompt that the record repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Over, with its outputs; `outputs` is empty when the provider named none (re-read for a while)."""

    outputs: tuple[Output, ...] = ()
    credits: float | None = None
    words: str = ""  # the prompt that the record repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """Over, without outputs.  `refunded` is None where the provider did not say."""

    code: str
    message: str
    retryable: bool = False
    refunded: bool | None = None
    credits: float | None = None
    words: str = ""  # the prompt that the record repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The provider shows no such record: normal for some seconds after a submission, later an error."""

    message: str = ""


Status = Running | Done | TaskFailed | Absent
