"""Says when a running task is worth its next read.

Reads are scarce (8 a second for all tasks together), so they go where an answer is likely: at the quantiles of
how long the model took before, and after those at growing steps.
"""

from __future__ import annotations

from collections.abc import Sequence

# Without experience: the spread around the catalogue's estimate that the recordings show (12 to 112 s for stills
# of a usual 40 s, 56 to 313 s for clips of a usual 150 s); before it, a few reads in case the estimate is far off.
_SPREAD = (0.35, 0.6, 0.8, 1.0, 1.25, 1.6, 2.1, 2.8)
_EARLY = (0.05, 0.1, 0.2)
_ENOUGH = 4  # so many past durations say more than the estimate
_CELLS = 4
_TRIM = 0.03  # the fastest and the slowest few say little about the next task
_GROWTH = 1.25
_SURELY = 0.75  # a task that nobody saw run surely ran for so much of the time before its first read


def read_times(expected_s: float, past_s: Sequence[float] = ()) -> list[float]:
    """Return the ages, in seconds after the submission, at which a task is best read; ascending.

    `past_s` are durations of the same model, ascending.  Half by how likely an end is between two reads, which
    saves reads, and half by how long that is, which saves time: measured with durations that scatter by a
    quarter, 2.5 reads a task and 10 % of its time until it is noticed.
    """
    if len(past_s) < _ENOUGH:
        return [expected_s * factor for factor in (*_EARLY, *_SPREAD)]
    low, high = _quantile(past_s, _TRIM), _quantile(past_s, 1 - _TRIM)
    ages = []
    for cell in range(1, _CELLS + 1):
        share = cell / _CELLS
        ages.append((_quantile(past_s, min(share, 1 - _TRIM)) + low + (high - low) * share) / 2)
    return sorted(set(ages))


def _quantile(ascending: Sequence[float], share: float) -> float:
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)


def took(running_at_s: float, noticed_at_s: float, share: float) -> float:
    """Return a likely duration of a task that ran at one age (0: never seen so) and was over at another.

    `share` (0 to 1, spread evenly over tasks) says where between the two.  The age at which it was noticed would
    be too long, and each batch would be read later than the one before; the middle would heap them up.
    """
    earliest = running_at_s or noticed_at_s * _SURELY
    return earliest + share * (noticed_at_s - earliest)


def next_read(age_s: float, ages: Sequence[float], interval_s: float) -> float:
    """Return the age at which to read next, at least `interval_s` after now (`age_s`)."""
    earliest = age_s + interval_s
    for age in ages:
        if age >= earliest:
            return age
    last = ages[-1] if ages else interval_s
    return max(earliest, min(age_s * _GROWTH, age_s + max(60.0, last / 2)))
