"""Reads how long something lasts, as people write it: `5`, `5s`, `0:05`, `0:05-0:13`, `5-13s`, `1m30s`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from kiebatch.model import tidy

_UNITS = (
    r"s|sec|secs|second|seconds|sek|sekunden|sekunde|seconde|seconden|seconds|secondes?|segundos?|seg|秒|秒钟|초"
    r"|\"|″|''"
)
_TO = r"(?:-|–|—|−|~|〜|→|->|to|bis|tot|à|a)"
_CLOCK = r"(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:[.,]\d+)?)"
_NUMBER = r"(\d+(?:[.,]\d+)?)"
# Texts, which `re` compiles when the first length is read as one: most files give numbers, and `status` would wait.
_SPAN_OF_CLOCKS = rf"{_CLOCK}\s*{_TO}\s*{_CLOCK}"
_SPAN = rf"{_NUMBER}\s*(?:{_UNITS})?\s*{_TO}\s*{_NUMBER}\s*(?P<unit>{_UNITS})?"
_ONE = rf"{_NUMBER}\s*(?:{_UNITS})?"
_MINUTES = rf"(\d+)\s*(?:m|min|minutes?|minuten?|minutos?|分|분)\s*(?:(\d+)\s*(?:{_UNITS})?)?"
# At a heading's end a bare number is part of the title: `Take 5`, `Studio 54`.
_MARKED = rf"(?:{_UNITS})\.?$|\d:\d\d"
_LONGEST = 60  # characters of a length


def seconds(text: str) -> float | None:
    """Return a length in seconds, None when the text is not one.

    `0:05-0:13` and `5-13s` run from one time to another: eight seconds.
    """
    text = _plain(text)
    if match := re.fullmatch(_CLOCK, text):
        return tidy(_clock(match.groups()), 6)
    if match := re.fullmatch(_SPAN_OF_CLOCKS, text):
        return _positive(_clock(match.groups()[3:]) - _clock(match.groups()[:3]))
    if match := re.fullmatch(_ONE, text):
        return tidy(_decimal(match.group(1)), 6)
    if match := re.fullmatch(_MINUTES, text):
        return int(match.group(1)) * 60 + int(match.group(2) or 0)
    match = re.fullmatch(_SPAN, text)
    return _length_of(match) if match and match["unit"] else None


def seconds_in_a_time_column(text: str) -> float | None:
    """Return the length in a cell whose column says that it holds times, where `8.1-12.4` needs no unit."""
    found = seconds(text)
    match = re.fullmatch(_SPAN, _plain(text))
    return _length_of(match) if found is None and match else found


def _length_of(span: re.Match[str]) -> float | None:
    return _positive(_decimal(span.group(2)) - _decimal(span.group(1)))


def is_marked(text: str) -> bool:
    """Whether a length says that it is one: by a unit, or as a clock does."""
    return seconds(text) is not None and bool(re.search(_MARKED, _plain(text)))


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text[:_LONGEST]).strip().casefold()
    text = re.sub(r"(?<=\d)\s*\([^()]*\)\s*$|(?<=[a-z秒초])\s*\([^()]*\)\s*$", "", text).strip()
    return re.sub(r"^(?:~|≈|∼|ca\.?|c\.|about|approx\.?|circa|around|env\.?)\s*", "", text).rstrip(".")


def _clock(groups: Sequence[str | None]) -> float:
    hours, minutes, rest = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + _decimal(rest or "0")


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))


def _positive(value: float) -> float | None:
    return tidy(value, 6) if value > 0 else None
