"""What a kind of fuzzing is, and the changes that all kinds share."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

JSON = Any
BIG = "9" * 5000
# Values that some conversion stumbles over: numbers, addresses, paths, signs, shapes.
HOSTILE: tuple[JSON, ...] = (
    None, True, False, 0, -1, 1.5, 2**53, 2**63, -(2**63), 10**30, 1e308, "", " ", "x", "0", "-1", "NaN", "1e400", BIG,
    "a" * 300, "a" * 70_000, "../../x", "/etc/passwd", "~nosuchuser/x", "a\0b", "https://[::1", "https://x:99999/", "http://127.0.0.1/",
    "file:///etc/passwd", "data:text/plain,x", "javascript:alert(1)", "2b#3", "2b@kling-3.0/video#2", "#", "@", "2-5", "{x}", "{{x}}", "{",
    "\x1b[31m", "\u202eabc", "\ud7ff", "\uffff", "é" * 50, "<script>alert(1)</script>", "::error::x", "2026-13-45T99:99:99Z", "1970-01-01",
    "sha256:" + "0" * 64, "CON", "aux.png", ".env", [], {}, [[]], [None], {"x": None}, {"shot": "1"}, {"shot": "1", "take": 10**9}, [1, "a", None],
    {"shot": "1#" + "9" * 30, "frame": "last"}, [{"shot": "1"}] * 20,
)  # fmt: skip


class Verdict(StrEnum):
    """What a reader said to a case."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of input.  `case` makes one from chance in a folder, gives it to the reader, and returns its verdict.

    It raises what the reader must never raise, and AssertionError for an acceptance that makes no sense.
    """

    name: str
    case: Callable[[random.Random, Path], Verdict]


def changed(value: JSON, rng: random.Random, times: int) -> JSON:
    """Return a copy of a JSON value with some of its inner values changed, added or taken away."""
    found = copy.deepcopy(value)
    for _ in range(times):
        places = list(_places(found))
        if not places:
            return found
        holder, key = rng.choice(places)
        _change(holder, key, rng)
    return found


def _places(value: JSON) -> list[tuple[JSON, JSON]]:
    found: list[tuple[JSON, JSON]] = []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found.append((value, key))
        found += _places(one)
    return found


def _change(holder: JSON, key: JSON, rng: random.Random) -> None:
    how = rng.random()
    if how < 0.6:
        holder[key] = copy.deepcopy(rng.choice(HOSTILE))
    elif how < 0.75:
        del holder[key]
    elif how < 0.85 and isinstance(holder, dict):
        holder[str(rng.choice(HOSTILE))[:60]] = holder.pop(key)
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(rng.choice(holder)))
    else:
        holder[key] = [holder[key]]


def few(rng: random.Random) -> int:
    """Return how many values to change: often none or one, so that at least half of the cases stay acceptable."""
    return rng.choice((0, 0, 0, 0, 0, 1, 1, 1, 2))


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few of them changed, cut off or repeated."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(max(1, len(found)))
        how = rng.random()
        if how < 0.6 and found:
            found[at] = rng.randrange(256)
        elif how < 0.75:
            del found[at:]
        elif how < 0.9:
            found[at:at] = rng.randbytes(rng.choice((1, 4, 100)))
        else:
            found[at:at] = found[: rng.randrange(1, 1000)]
    return bytes(found)
