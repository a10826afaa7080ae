"""What a result should be, as a person wrote it."""

from __future__ import annotations

from dataclasses import field

from kiebatch._dataclass import dataclass
from kiebatch.errors import Where
from kiebatch.model.refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A measured number lies from `low` to `high`; None sets no limit.

    `below` leaves `high` itself out, and `above` leaves `low` out.  With `share` the number is the percentage of the
    whole length that adds up.
    """

    low: float | None = None
    high: float | None = None
    below: bool = False
    above: bool = False
    share: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Pixels: exactly these, or give or take `tolerance`; without them an aspect `ratio`, width to height."""

    width: int = 0
    height: int = 0
    tolerance: int = 0
    ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """It looks like another picture: at most `within` of the 64 bits of their perceptual hashes differ."""

    ref: Ref
    within: int


@dataclass(frozen=True, slots=True)
class Passes:
    """A command of the author's own ends with 0; `{file}` in its words stands for the result."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a result should be in one respect (`size`, `cuts`, `silence`, ...).  It does not enter the fingerprint.

    `text` is what the author wrote; `by_default` those that nobody wrote.
    """

    check: str
    text: str
    want: Within | Sized | Alike | Passes
    by_default: bool = False
    where: Where = field(compare=False, default=Where())
