"""Compares what was expected with what was measured.  Pure: no file is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from kiebatch._dataclass import dataclass
from kiebatch.media.checks.grammar import CHECKS, fits_ratio
from kiebatch.model import JSON, Alike, Expectation, Passes, Sized, Within

_SLACK = 1e-6  # of binary fractions
_MOST = 1e12  # nothing that is measured is more: a manifest may come from somebody else


class State(StrEnum):
    """`unjudged` is neither: it was not measured, or could not be."""

    MET = "met"
    UNMET = "unmet"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one check found in a file.

    - `value` is a number in the check's unit, or a size `1280x720`; None where it could not be measured, and `why` says why
    - `total` seconds add up to the parts of which `value` is the longest; `at` is where the first begins
    - `said` is what was read or printed
    - `against` is what it was compared with: the sha256 of a picture, or the words of a command
    """

    value: float | str | None = None
    total: float | None = None
    at: float | None = None
    said: str = ""
    against: str = ""
    why: str = ""

    def as_json(self) -> dict[str, JSON]:
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in found.items() if value is not None and value != ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One expectation, judged.  `found` says in words what there is, and why nothing could be judged."""

    check: str
    state: State
    expected: str
    found: str = ""
    by_default: bool = False
    measured: Measured | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Say it in one line: `black: 5.04 s; expected none`."""
        if self.state is State.UNJUDGED:
            return f"{self.check}: not judged: {self.found}"
        return f"{self.check}: {self.found}; expected {self.expected}"

    def as_json(self) -> dict[str, JSON]:
        value = self.measured.value if self.measured else None
        return {
            "check": self.check,
            "verdict": self.state.value,
            "expected": self.expected,
            "value": value,
            "found": self.found,
            "by_default": self.by_default,
        }


def judge(
    expectation: Expectation,
    measured: Measured | None,
    *,
    length_s: float | None = None,
    against: str | None = None,
) -> Verdict:
    """Return the verdict on one expectation.

    `against` is the sha256 of the picture that it compares with today, None where that is not there.
    """
    state, found = _judged(expectation, measured, length_s, against)
    return Verdict(
        check=expectation.check,
        state=state,
        expected=expectation.text,
        found=found,
        by_default=expectation.by_default,
        measured=measured,
    )


def _judged(
    expectation: Expectation, measured: Measured | None, length_s: float | None, against: str | None
) -> tuple[State, str]:
    reason = _not_measured(expectation, measured, against)
    if reason or measured is None:
        return State.UNJUDGED, reason
    met = _meets(expectation.want, measured, length_s)
    if met is None:
        return State.UNJUDGED, "its length is not known"
    return (State.MET if met else State.UNMET), _words(expectation.check, measured)


def _not_measured(expectation: Expectation, measured: Measured | None, against: str | None) -> str:
    """Return why there is nothing to judge; nothing where there is."""
    want = expectation.want
    if isinstance(want, Alike) and not against:
        return "what it is compared with is not there yet"
    if measured is None:
        if isinstance(want, Passes):
            return "it runs only where your config.yaml or --allow-commands lets it"
        return "the next run measures it"
    if measured.value is None:
        return measured.why or "it could not be measured"
    if isinstance(want, Alike) and measured.against != against:
        return "what it was compared with has changed; the next run compares again"
    if isinstance(want, Passes) and measured.against != expectation.text:
        return "the command has changed; the next run runs it"
    return ""


def _meets(want: Within | Sized | Alike | Passes, measured: Measured, length_s: float | None) -> bool | None:
    value = measured.value
    match want:
        case Sized():
            return _is_sized(want, str(value))
        case Alike():
            return _number(value) <= want.within
        case Passes():
            return _number(value) == 0
        case Within(share=True):
            if not length_s:
                return None
            return _is_within(want, 100 * (measured.total or 0.0) / length_s)
        case _:
            return _is_within(want, _number(value))


def _number(value: float | str | None) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _is_within(want: Within, number: float) -> bool:
    if number != number:  # not a number
        return False
    return _is_at_most(want, number) and _is_at_least(want, number)


def _is_at_most(want: Within, number: float) -> bool:
    if want.high is None:
        return True
    return number < want.high - _SLACK if want.below else number <= want.high + _SLACK


def _is_at_least(want: Within, number: float) -> bool:
    if want.low is None:
        return True
    return number > want.low + _SLACK if want.above else number >= want.low - _SLACK


def _is_sized(want: Sized, value: str) -> bool:
    width, _, height = value.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        return False
    if want.ratio:
        return fits_ratio(int(width), int(height), want.ratio)
    return max(abs(int(width) - want.width), abs(int(height) - want.height)) <= want.tolerance


def _words(check: str, measured: Measured) -> str:
    """Say what was measured, as a person reads it."""
    value = measured.value
    if isinstance(value, str):
        return value
    number = f"{value:.6g}"
    if check == "command":
        return f"exit {number}" + (f", {measured.said}" if measured.said else "")
    if check in ("like", "first_frame", "last_frame"):
        return f"{number} of 64 bits differ"
    unit = CHECKS[check].unit
    found = f"{number} {unit}".rstrip() if unit else number
    if check == "clipping":
        found = f"{number} clipped"
    if CHECKS[check].spans and measured.total is not None and measured.total != value:
        found += f" at most, {measured.total:.6g} s in all"
    if measured.at is not None:
        found += f" from {measured.at:.6g} s"
    if measured.said:
        found += f" ({measured.said})"
    return found


def kept(value: JSON) -> dict[str, Measured]:
    """Return what a manifest's entry keeps under `checks`; what is not as we write it is left out."""
    found: dict[str, Measured] = {}
    if not isinstance(value, Mapping):
        return found
    for name, one in value.items():
        if name in CHECKS and isinstance(one, Mapping):
            found[name] = _measured(one)
    return found


def _measured(one: Mapping[str, JSON]) -> Measured:
    def number(name: str) -> float | None:
        given = one.get(name)
        if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) < _MOST:
            return None
        return given

    def text(name: str) -> str:
        given = one.get(name)
        return given if isinstance(given, str) else ""

    value = one.get("value")
    return Measured(
        value=value if isinstance(value, str) else number("value"),
        total=number("total"),
        at=number("at"),
        said=text("said"),
        against=text("against"),
        why=text("why"),
    )
