"""Lists of what to avoid, to start from: what can go wrong in any picture, with people, and in a photograph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from kiebatch.catalogue.reading import head

RULES = (
    "be specific: name what really went wrong (`fused fingers`), not `bad quality`",
    "stack two or three synonyms for what matters most",
    "10 to 15 terms at most; nothing that the prompt asks for, and no `no`",
)


@lru_cache(maxsize=1)
def starters() -> Mapping[str, tuple[str, ...]]:
    """Return the terms of each list by its name: universal, people, photorealism."""
    return {name: tuple(map(str, terms)) for name, terms in head()["negative_starters"].items()}
