"""One piece of work as a value, and what it came to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import rfc8785

from kiebatch.model import JSON, as_list

Kind = Literal["download", "upload", "thumb", "poster", "web", "peaks", "segment"]
# In the order in which they are taken: a link dies, a reference is waited for by a job, the rest can wait.
KINDS: tuple[Kind, ...] = ("download", "upload", "thumb", "poster", "web", "peaks", "segment")

_MOST_MINUTES = 100_000_000  # since the epoch: seven ranks of it fit the 32 bits of a queue's priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Work that any machine can do, as JSON and without secrets.

    `inputs` name what it is made from: the digest of bytes, or the output of a task.  `params` decide how.  `needs` are
    what a machine must have for it: `ffmpeg`, or the account's `key`.  Equal `key`, equal result: it is the kind with
    a digest of inputs, params and the recipe's version.
    """

    key: str
    kind: Kind
    inputs: Mapping[str, JSON]
    params: Mapping[str, JSON] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    timeout_s: float = 300.0

    @classmethod
    def of(
        cls,
        kind: Kind,
        inputs: Mapping[str, JSON],
        params: Mapping[str, JSON],
        *,
        recipe: int,
        needs: tuple[str, ...] = (),
        timeout_s: float,
    ) -> Self:
        told = rfc8785.dumps([kind, recipe, dict(inputs), dict(params)])
        key = f"{kind}-{hashlib.sha256(told).hexdigest()[:40]}"
        return cls(key=key, kind=kind, inputs=inputs, params=params, needs=needs, timeout_s=timeout_s)

    def to_json(self) -> str:
        told = {
            "key": self.key,
            "kind": self.kind,
            "inputs": dict(self.inputs),
            "params": dict(self.params),
            "needs": list(self.needs),
            "timeout_s": self.timeout_s,
        }
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def from_json(cls, told: Mapping[str, JSON]) -> Self:
        """Return the unit that `to_json` made this of; TypeError for a key that none has."""
        make: Callable[..., Self] = cls
        return make(**{**told, "needs": tuple(as_list(told["needs"]))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A unit that somebody wants, with what is known of it today and may change.

    `address` is where its input can be fetched now, until about `dies_at` (seconds since the epoch; None: for good).
    `output` is what a ledger calls it: the attempt and the number of its output.
    """

    unit: Unit
    address: str = ""
    dies_at: float | None = None
    output: tuple[int, int] | None = None

    @property
    def priority(self) -> int:
        """Which unit goes first, the highest number: by the order of `KINDS`, and of links the one that dies next."""
        rank = (len(KINDS) - KINDS.index(self.unit.kind)) * _MOST_MINUTES
        if self.dies_at is None:
            return rank
        return rank + _MOST_MINUTES - 1 - min(_MOST_MINUTES - 1, max(0, int(self.dies_at // 60)))


@dataclass(frozen=True, slots=True)
class Made:
    """The unit is done.  `value` says what came of it: digest, bytes and facts of a file, or an address."""

    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """The unit came to nothing this time; `gone` asks for another address."""

    code: str
    message: str
    retryable: bool


Ended = Made | Failed
