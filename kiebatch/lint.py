"""Warns about prompts that a model is known to handle badly."""

from __future__ import annotations

from kiebatch.catalogue import Model
from kiebatch.inputs import Finding
from kiebatch.model import Ask


def check(model: Model, ask: Ask, shot_duration: float | None = None) -> tuple[Finding, ...]:
    """Return warnings about the words of one job; none stops it, each can be silenced by its code."""
    return ()
