"""Turns text into numbers, for every reader of a scene file: bounded, and never with an exception.

A number that is longer than these is a text that lost its quotes, or an attack: Python needs quadratic time for long
ones and refuses the longest, and JSON holds whole numbers exactly up to 2^53 alone.
"""

from __future__ import annotations

import math

MOST_DIGITS = 18


def whole(text: str, base: int = 10) -> int | None:
    """Return the whole number that a text is, with a sign or not; None for anything else and for the longest."""
    digits = text.lstrip("+-")
    if len(digits) > MOST_DIGITS + 2 * (base == 0):  # `0x` and `0o` come before the digits
        return None
    try:
        return int(text, base)
    except ValueError:
        return None


def real(text: str) -> float | None:
    """Return the number that a text is; None for anything else, for what is not finite and for what is too large."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
