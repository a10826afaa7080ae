"""Numbers as people write them."""

from __future__ import annotations


def tidy(number: float, digits: int | None = None) -> float:
    """Return a number as a whole one where it is whole, `5` for `5.0`; rounded to `digits` before."""
    rounded = number if digits is None else round(number, digits)
    return int(rounded) if rounded == int(rounded) else rounded
