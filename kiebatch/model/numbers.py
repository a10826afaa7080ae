"""Numbers as people write them."""

from __future__ import annotations

from kiebatch.model.words import JSON


def tidy(number: float, digits: int | None = None) -> float:
    """Return a number as a whole one where it is whole, `5` for `5.0`; rounded to `digits` before."""
    rounded = number if digits is None else round(number, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def as_number(value: JSON) -> float | None:
    """Return a number, or what a text says as one; None where the value says none, or one that no float holds."""
    if not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
