"""Says when a running task is worth its next read.

Reads are scarce (8 a second for all tasks together), so they go where an answer is likely: at the quantiles of
how long the model took before, and after those at growing steps.
"""

from __future__ import annotations

from collections.abc import Sequence

# Without experience: the spread around the catalogue's estimate that the recordings show (12 to 112 s for stills
# of a usual 40 s, 56 to 313 s for clips of a usual 150 s).
_SPREAD = (0.35, 0.6, 0.8, 1.0, 1.25, 1.6, 2.1, 2.8)
_ENOUGH = 4  # so many past durations say more than the estimate
_CELLS = 6  # an answer is about equally likely between two reads
_GROWTH = 1.25


def read_times(expected_s: float, past_s: Sequence[float] = ()) -> list[float]:
    """Return the ages, in seconds after the submission, at which a task is best read; ascending.

    `past_s` are durations of the same model, ascending.  For a spread-out model the average task is read
    about half as often as there are ages, and noticed within half a cell.
    """
    if len(past_s) < _ENOUGH:
        return [expected_s * factor for factor in _SPREAD]
    lowest, highest = past_s[0], past_s[-1]
    ages = []
    for cell in range(1, _CELLS + 1):
        place = cell / _CELLS * (len(past_s) - 1)
        low = int(place)
        high = min(low + 1, len(past_s) - 1)
        ages.append(past_s[low] + (past_s[high] - past_s[low]) * (place - low))
    # A little later than what was seen, so that a task as slow as the slowest is met by one read.
    margin = max((highest - lowest) / (2 * _CELLS), highest * 0.02)
    return sorted({round(age + margin, 6) for age in ages})


def next_read(age_s: float, ages: Sequence[float], interval_s: float) -> float:
    """Return the age at which to read next, at least `interval_s` after now (`age_s`)."""
    earliest = age_s + interval_s
    for age in ages:
        if age >= earliest:
            return age
    last = ages[-1] if ages else interval_s
    return max(earliest, min(age_s * _GROWTH, age_s + max(60.0, last / 2)))
