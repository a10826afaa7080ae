"""What a job is given besides words: files, addresses, and what other shots made."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlunsplit

from kiebatch import addresses
from kiebatch._dataclass import dataclass
from kiebatch.errors import Where
from kiebatch.model.slots import Slot
from kiebatch.model.words import Modality


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A picture, clip or sound in the user's project.  `path` is relative to the project folder, or absolute."""

    path: str

    def __str__(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True)
class WebURL:
    """A medium that already has a public address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class ShotOutput:
    """What another slot makes.  `take` None means the pick, else take 1.

    `frame` asks for one frame of a clip; `as_task` passes the provider's task itself, for extend and upscale, and
    with `as_id` the provider's own id of that output in its place.
    """

    slot: Slot
    output: int = 1
    frame: Literal["first", "last"] | None = None
    as_task: bool = False
    as_id: bool = False

    def __str__(self) -> str:
        suffix = f"/{self.output}" if self.output > 1 else ""
        if self.frame:
            suffix += f"/frame:{self.frame}"
        return f"{self._what}:{self.slot}{suffix}"

    @property
    def _what(self) -> str:
        if self.as_id:
            return "id"
        return "task" if self.as_task else "shot"


Ref = LocalFile | WebURL | ShotOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMedia:
    """One medium that a shot gives for a role (`references`, `start_frame`, ...), where the author named it."""

    role: str
    ref: Ref
    where: Where = field(compare=False)
    kind: Modality | None = None  # what it is, where that is known before its bytes are read


def canonical_url(url: str) -> str:
    """Return a URL's text without signature parameters, so that a renewed link is the same picture."""
    parts = addresses.split(url)
    if parts is None:
        return url
    kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _SIGNATURE.match(k)]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))


_SIGNATURE = re.compile(
    r"(?i)^(x-(amz|goog|oss)-.*|awsaccesskeyid|signature|sig|expires|expiry|token|se|sp|sv|sr|st|skoid|sktid|policy|key-pair-id|googleaccessid|ossaccesskeyid|security-token)$"
)
