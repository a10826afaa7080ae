"""Says the catalogue's values in words: numbers, options, the nearest of them, lists."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from kiebatch.model import JSON

_MOST_OPTIONS = 24  # in one hint


def say(value: JSON) -> str:
    """Return a value as a scene file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)[:80]


def bare(word: str) -> str:
    """Return a word without its `params.`."""
    return word.removeprefix("params.")


def around(before: str, text: str | None, after: str = "") -> str:
    """Return a text between two others; nothing where there is no text."""
    return f"{before}{text}{after}" if text else ""


def any_of(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    listed = list(words)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} or {listed[-1]}"


def options_hint(options: Sequence[JSON], found: JSON = None) -> str:
    """Say what is allowed, and which of it is nearest to what was found."""
    if not options:
        return ""
    listed = "it takes " + any_of(f"`{say(option)}`" for option in options[:_MOST_OPTIONS])
    if len(options) > _MOST_OPTIONS:
        listed += " and more"
    if found is None or len(options) == 1:
        return listed
    near = nearest(options, found)
    if near is None:
        return listed
    return f"{listed}; the nearest is `{say(near)}`"


def nearest(options: Sequence[JSON], found: JSON) -> JSON:
    """Return the option nearest to `found`, by size where both have one, else by spelling; None for no likeness."""
    size = _size(found)
    sized = [(abs(math.log(n / size)), i) for i, o in enumerate(options) for n in [_size(o)] if n and size]
    if sized:
        return options[min(sized)[1]]
    close = get_close_matches(str(found).lower(), [str(o).lower() for o in options], n=1, cutoff=0.5)
    return next((o for o in options if close and str(o).lower() == close[0]), None)


def _size(value: JSON) -> float | None:
    """Return a shape, a resolution or a number as one number that can be compared."""
    text = str(value).lower()
    ratio = re.fullmatch(r"(\d{1,12}(?:\.\d+)?)[:x/](\d{1,12}(?:\.\d+)?)", text)
    if ratio:
        width, height = float(ratio[1]), float(ratio[2])
        return width / height if width and height else None
    lines = re.fullmatch(r"(\d{1,12}(?:\.\d+)?)(k|p|s)?", text)
    if lines and float(lines[1]) > 0:
        return float(lines[1]) * (1000 if lines[2] == "k" else 1)
    return None


def as_number(value: JSON) -> float | None:
    """Return a number, or text that reads as one, as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_given(value: JSON) -> bool:
    """Whether a field was given anything: not null, and neither an empty text, list nor mapping."""
    return value not in (None, "", [], {})


def size_of(value: JSON) -> int:
    """Return how many characters a text or how many parts a list has; 0 for what has no size."""
    return len(value) if isinstance(value, str | list | dict) else 0


def values_at(value: JSON, path: str) -> list[JSON]:
    """Return what is at a path such as `text` or `dialogue[].text`, for each item of a list."""
    found = [value]
    for step in path.split("."):
        name, is_list = step.removesuffix("[]"), step.endswith("[]")
        found = [v[name] for v in found if isinstance(v, Mapping) and name in v]
        if is_list:
            found = [item for v in found if isinstance(v, list) for item in v]
    return found


def quoted(message: str) -> str:
    """Return the first quoted word of a message of the JSON Schema library."""
    found = re.match(r"'([^']*)'", message)
    return found[1] if found else message


def top(path: str) -> str:
    return path.split(".")[0].removesuffix("[]")


A_KIND = {"image": "a picture", "video": "a clip", "audio": "sound", "task": "the task of another shot"}


def listing(words: Iterable[str]) -> str:
    """Return words in code marks, each once."""
    return ", ".join(f"`{w}`" for w in dict.fromkeys(words))
