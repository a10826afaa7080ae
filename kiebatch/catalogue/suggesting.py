"""Suggests models for what somebody wants to make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kiebatch.catalogue.reading import head


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that people want, in their words, with the models to look at first and why."""

    name: str
    words: tuple[str, ...]
    models: Mapping[str, str]


def intents() -> tuple[Intent, ...]:
    """Return what the catalogue can suggest models for."""
    return tuple(Intent(i["name"], tuple(map(str, i["words"])), i["models"]) for i in head()["intents"])


def suggest(wanted: str) -> tuple[Intent, ...]:
    """Return the intents that a text speaks of, the best match first; none where nothing fits."""
    said = set(re.findall(r"[a-z0-9:]+", wanted.lower()))
    scored = []
    for number, intent in enumerate(intents()):
        ways = [set(re.findall(r"[a-z0-9:]+", words.lower())) for words in (intent.name, *intent.words)]
        # A whole phrase counts for each of its words; a single word of the name for little.
        score = sum(len(way) for way in ways if way <= said) + 0.1 * len(ways[0] & said)
        if score >= 1:
            scored.append((-score, number, intent))
    return tuple(intent for _, _, intent in sorted(scored, key=lambda s: s[:2])[:3])
