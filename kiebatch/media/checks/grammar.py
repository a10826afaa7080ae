"""The checks there are, and what an author's words for one mean: `none`, `< 0.5s`, `-23 ±2 LUFS`, `16:9`, `like 2a`."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Mapping

from kiebatch._dataclass import dataclass
from kiebatch.model import JSON, Sized, Within

SAME_LOOK = 12  # bits of 64 that may differ between two pictures that look alike
_RATIO_SLACK = 0.05  # models make 1344 x 768 where 16:9 is asked
_STILL, _CLIP, _SOUND = "image", "video", "audio"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be expected of results of some kinds.

    `unit` is that of its number.  `spans` are parts of the length: they add up, so a percentage can be expected.
    `within` is what a number alone allows on either side, None where a number alone says nothing.  `example` is how
    it is written.
    """

    kinds: tuple[str, ...]
    example: str
    unit: str = ""
    spans: bool = False
    within: float | None = None
    number: bool = True


CHECKS: Mapping[str, Check] = {
    "size": Check((_STILL, _CLIP), "1280x720", number=False),
    "length": Check((_CLIP, _SOUND), "±0.1s", unit="s", within=0.1),
    "blank": Check((_STILL,), "none", unit="%"),
    "bars": Check((_STILL, _CLIP), "none", unit="px"),
    "cuts": Check((_CLIP,), "0", within=0.0),
    "black": Check((_CLIP,), "none", unit="s", spans=True),
    "freeze": Check((_CLIP,), "< 0.5s", unit="s", spans=True),
    "silence": Check((_CLIP, _SOUND), "< 1s", unit="s", spans=True),
    "loudness": Check((_CLIP, _SOUND), "-23 ±2 LUFS", unit="LUFS", within=1.0),
    "clipping": Check((_CLIP, _SOUND), "none"),
    "text": Check((_STILL, _CLIP), "none"),
    "like": Check((_STILL,), "refs/keeper.png", number=False),
    "first_frame": Check((_CLIP,), "like 2a", number=False),
    "last_frame": Check((_CLIP,), "like 3a", number=False),
    "command": Check((_STILL, _CLIP, _SOUND), "./check.sh {file}", number=False),
}
LIKENESSES = ("like", "first_frame", "last_frame")
_BLANK = Within(high=99.5, below=True)  # percent of a still in one colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of the model: a size as text (`16:9`, `1024x1024`), seconds, and whether sound was paid for."""

    size: str = ""
    length_s: float | None = None
    sound: bool = False


class Unreadable(ValueError):
    """An expectation that says nothing; `hint` shows how it is written."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def by_default(kind: str, asked: Asked) -> Mapping[str, str]:
    """Return what is expected of every result of a kind, although nobody wrote it, as an author would write it."""
    found: dict[str, str] = {}
    if kind in (_STILL, _CLIP):
        if asked.size and _size_of(asked.size):
            found["size"] = asked.size
        found["bars"] = "none"
    if kind == _STILL:
        found["blank"] = "none"
    if kind == _CLIP:
        found["black"] = "< 90%"
    if kind == _SOUND or asked.sound:
        found["silence"] = "< 90%"
    return found


def read(name: str, value: JSON, asked: Asked) -> Within | Sized:
    """Return what an author's words for a check of numbers or pixels mean.  `Unreadable` where they mean nothing."""
    check = CHECKS[name]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable(f"`{name}` must be a text or a number", _example(name))
    text = _plain(str(value))
    if not check.number:
        found = _size_of(text)
        if found is None:
            raise Unreadable(
                f"`{name}` takes pixels or a ratio, found `{value}`",
                "as in `1280x720`, `1920x1080 ±8` or `16:9`",
            )
        return found
    return _within(name, text, str(value), asked)


@functools.lru_cache(maxsize=1024)
def _within(name: str, text: str, written: str, asked: Asked) -> Within:
    """Read the words of a check of a number; a film says the same ones for thousands of shots."""
    return _Reader(name, CHECKS[name], text, written, asked).within()


def read_alike(name: str, value: JSON) -> tuple[str, int]:
    """Return what a likeness is compared with, by its name, and the bits that may differ.  `Unreadable` for neither."""
    match = re.fullmatch(r"(?:like\s+)?(\S.*?)(?:\s+within\s+(\d{1,2}))?", str(value).strip())
    if not isinstance(value, str | int) or isinstance(value, bool) or match is None:
        raise Unreadable(f"`{name}` names a shot or a picture", _example(name))
    within = SAME_LOOK if match[2] is None else int(match[2])
    if within > 64:
        raise Unreadable(f"`{name}`: of a picture's 64 bits at most 64 can differ, found {within}")
    return match[1], within


def read_command(value: JSON) -> tuple[str, ...]:
    """Return the words of a command, split as a shell would and never given to one.  `Unreadable` where it is none."""
    try:
        argv = tuple(shlex.split(value)) if isinstance(value, str) else ()
    except ValueError as error:
        raise Unreadable(f"`command` cannot be split into words: {error}", _example("command")) from None
    if not argv:
        raise Unreadable("`command` is a program and its words", _example("command"))
    if not any("{file}" in word for word in argv[1:]):
        raise Unreadable(
            "`command` does not say where the result goes",
            "`{file}` stands for it, as in `./check.sh {file}`",
        )
    return argv


def _example(name: str) -> str:
    return f"for example `{name}: {CHECKS[name].example}`"


def _plain(text: str) -> str:
    """Return words with one spelling for what is written in several ways."""
    for spelt, meant in (("+/-", "±"), ("+-", "±"), ("−", "-"), ("≤", "<="), ("≥", ">="), ("×", "x")):
        text = text.replace(spelt, meant)
    return " ".join(text.split())


def _size_of(text: str) -> Sized | None:
    ratio = re.fullmatch(r"(\d{1,5}(?:\.\d+)?):(\d{1,5}(?:\.\d+)?)", text)
    if ratio and float(ratio[1]) and float(ratio[2]):
        return Sized(ratio=float(ratio[1]) / float(ratio[2]))
    pixels = re.fullmatch(r"(\d{1,6}) ?[x*] ?(\d{1,6})(?: ?± ?(\d{1,4})(?: ?px)?)?", _plain(text))
    if pixels and int(pixels[1]) and int(pixels[2]):
        return Sized(width=int(pixels[1]), height=int(pixels[2]), tolerance=int(pixels[3] or 0))
    return None


def fits_ratio(width: int, height: int, ratio: float) -> bool:
    """Whether pixels have an aspect ratio, as near as models come to one."""
    return bool(height) and abs(width / height / ratio - 1) <= _RATIO_SLACK


_NUMBER = r"([+-]?\d+(?:\.\d+)?)"
_UNIT = r" ?(s|ms|%|px|LUFS|lufs)?"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the words of one check of a number."""

    name: str
    check: Check
    text: str
    written: str
    asked: Asked

    def within(self) -> Within:
        forms: tuple[tuple[str, Callable[[re.Match[str]], Within]], ...] = (
            (r"none", self._none),
            (rf"(<=?|>=?) ?{_NUMBER}{_UNIT}", self._bound),
            (rf"(?:{_NUMBER}{_UNIT} ?)?± ?{_NUMBER}{_UNIT}", self._around),
            (rf"{_NUMBER}{_UNIT} to {_NUMBER}{_UNIT}", self._between),
            (rf"{_NUMBER}{_UNIT}", self._alone),
        )
        for pattern, reader in forms:
            match = re.fullmatch(pattern, self.text)
            if match:
                return reader(match)
        raise self._wrong()

    def _none(self, _match: re.Match[str]) -> Within:
        if self.name == "blank":
            return _BLANK
        if self.check.within is not None and self.name != "cuts":
            raise self._wrong()  # no length, no loudness: that is not what anybody wants
        return Within(high=0.0)

    def _bound(self, match: re.Match[str]) -> Within:
        sign, number, unit = match[1], float(match[2]), match[3]
        share = self._is_share(unit)
        value = self._possible(number, unit) if share else self._number(number, unit)
        strict = "=" not in sign
        if sign.startswith("<"):
            return Within(high=value, below=strict, share=share)
        return Within(low=value, above=strict, share=share)

    def _around(self, match: re.Match[str]) -> Within:
        slack = self._number(float(match[3]), match[4])
        if match[1] is not None:
            # The unit is written once, behind the slack: `-23 ±2 LUFS`.
            middle = self._number(float(match[1]), match[2] or match[4])
        elif self.name == "length" and self.asked.length_s is not None:
            middle = self.asked.length_s
        elif self.name == "length":
            raise Unreadable(
                f"`length: {self.written}` is around the length that was asked for, and none is",
                "give the shot a `duration`, or write `5 ±0.1s`",
            )
        else:
            raise self._wrong()
        return Within(low=middle - slack, high=middle + slack)

    def _between(self, match: re.Match[str]) -> Within:
        low, high = (
            self._number(float(match[1]), match[2] or match[4]),
            self._number(float(match[3]), match[4]),
        )
        if low > high:
            raise Unreadable(f"`{self.name}`: {match[1]} is more than {match[3]}")
        return Within(low=low, high=high)

    def _alone(self, match: re.Match[str]) -> Within:
        slack = self.check.within
        if slack is None:
            hint = f"say whether it may be less or more: `{self.name}: < {self.text}`"
            raise Unreadable(f"`{self.name}: {self.written}` says nothing", hint)
        value = self._number(float(match[1]), match[2])
        return Within(low=value - slack, high=value + slack)

    def _is_share(self, unit: str | None) -> bool:
        return unit == "%" and self.check.spans

    def _number(self, number: float, unit: str | None) -> float:
        """Return a number in the check's own unit."""
        if unit == "ms" and self.check.unit == "s":
            return self._possible(number, "s") / 1000
        if unit and unit.upper() != self.check.unit.upper():
            raise self._wrong()
        return self._possible(number, self.check.unit)

    def _possible(self, number: float, unit: str | None) -> float:
        """Return a number that a measurement can have; of loudness alone it can be less than 0."""
        if (number < 0 and unit != "LUFS") or (number > 100 and unit == "%"):
            range_ = "from 0 to 100 %" if unit == "%" else "0 or more"
            raise Unreadable(f"`{self.name}` cannot be `{self.written}`: it is {range_}", _example(self.name))
        return number

    def _wrong(self) -> Unreadable:
        return Unreadable(f"`{self.name}` cannot be `{self.written}`", _example(self.name))
