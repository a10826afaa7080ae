"""What the simulator needs to know of a model: its kind, its inputs, its price.  The one place that asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from kiebatch import catalogue
from kiebatch.catalogue import Model
from kiebatch.model import JSON, Modality

FALLBACK_CREDITS: Mapping[str, float] = {"image": 4.0, "video": 60.0, "audio": 6.0, "text": 1.0}
_KINDS: tuple[tuple[Modality, str], ...] = (
    ("text", r"speech-to-text|recognition|detection|transcri"),
    ("audio", r"eleven|speech|sound|audio|music|suno|tts|lyria|voice"),
    (
        "video",
        r"video|kling|veo|wan/|hailuo|seedance|sora|runway|pixverse|happyhorse|avatar|talk|lip|animate|minimax",
    ),
)


@lru_cache(maxsize=8)
def _catalogue(files: tuple[str, ...]) -> catalogue.Catalogue:
    return catalogue.load([Path(file) for file in files])


@lru_cache(maxsize=1024)
def find(model: str, files: tuple[str, ...] = ()) -> Model | None:
    """Return a Market model by its exact id, or None: `createTask` takes no aliases.

    `files` are a project's own model files.
    """
    found = _catalogue(files).get(model)
    return found if found and found.family == "jobs" else None


@lru_cache(maxsize=256)
def dedicated(model: str, files: tuple[str, ...] = ()) -> Model | None:
    """Return the catalogue's entry of a dedicated endpoint (`veo3_fast`, `suno/generate`), or None."""
    found = _catalogue(files).get(model)
    return found if found and found.family != "jobs" else None


def guess(model: str) -> Model:
    """Return what a model of this name would be, for simulators that take any."""
    image: Modality = "image"
    return catalogue.unknown(model, next((kind for kind, words in _KINDS if re.search(words, model)), image))


def credits(known: Model, given: Mapping[str, JSON], kind: str) -> float:
    """Return what one task costs, in credits: the catalogue's price, else a fixed one for its kind."""
    if known.known:
        amount = catalogue.price(known, given).amount
        if amount is not None:
            return float(amount)
    return FALLBACK_CREDITS[kind]


def listed(files: tuple[str, ...] = ()) -> list[Model]:
    """Return every Market model, for the model listing (protocol 7.3)."""
    return [m for m in _catalogue(files).all() if m.family == "jobs" and m.status != "withdrawn"]
