"""How long tasks take: drawn by lot, seeded, after the durations that protocol 3.3 saw."""

from __future__ import annotations

import math
import random

# Seconds, shortest and longest seen.  Sound was not recorded; these are ours.
SPANS = {"image": (12.0, 112.0), "video": (56.0, 313.0), "audio": (8.0, 60.0), "text": (4.0, 20.0)}


def generation_s(seed: int, model: str, modality: str, nth: int) -> float:
    """Return the seconds that the `nth` task of a model takes.

    Every model has a usual duration of its own, somewhere in its kind's span; its tasks scatter around it
    by about a quarter, within the span.
    """
    low, high = SPANS[modality]
    usual = math.exp(random.Random(f"{seed} {model}").uniform(math.log(low * 1.3), math.log(high * 0.7)))
    drawn = usual * random.Random(f"{seed} {model} {nth}").lognormvariate(0.0, 0.22)
    return min(high, max(low, drawn))
