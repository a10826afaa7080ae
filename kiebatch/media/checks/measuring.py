"""Measures one file for some checks: the only part of the checks that reads it.  Knows no scene."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from kiebatch.errors import Invalid
from kiebatch.media import probing
from kiebatch.media.checks import clip, likeness, still
from kiebatch.media.checks.grammar import CHECKS, LIKENESSES
from kiebatch.media.checks.judging import Measured
from kiebatch.media.checks.likeness import Target
from kiebatch.media.ffmpeg import Undecodable
from kiebatch.model import MediaFacts

_Values = dict[str, Measured]


def measure(path: Path, checks: Collection[str], targets: Mapping[str, Target] | None = None) -> _Values:
    """Return what each of `checks` finds in a file; those that do not apply to its kind are left out.

    `targets` are the pictures that it is compared with, by check.  What cannot be measured says why; nothing is raised
    for a file or a program that is broken or missing.
    """
    try:
        facts = probing.facts(path)
    except (Undecodable, OSError) as error:
        return {name: Measured(why=_reason(error)) for name in checks}
    asked = [name for name, check in CHECKS.items() if name in checks and facts.kind in check.kinds]
    found = _of_facts(asked, facts)
    rest = [name for name in asked if name not in (*found, *LIKENESSES, "command")]
    if rest:
        found |= _guarded(lambda: _read(path, facts, rest), rest)
    for name, target in (targets or {}).items():
        if name in asked:
            found[name] = replace(_compared(path, facts, name, target), against=target.sha256)
    return found


def _read(path: Path, facts: MediaFacts, checks: Collection[str]) -> _Values:
    if facts.kind == "image":
        return still.measure(path, facts.media_type, checks)
    return clip.measure(path, facts, checks)


def _compared(path: Path, facts: MediaFacts, check: str, target: Target) -> Measured:
    found = _guarded(lambda: {check: likeness.compare(path, facts, check, target)}, [check])
    return found[check]


def _of_facts(asked: Collection[str], facts: MediaFacts) -> _Values:
    found: _Values = {}
    if "size" in asked and facts.width and facts.height:
        found["size"] = Measured(value=f"{facts.width}x{facts.height}")
    if "length" in asked and facts.duration_s is not None:
        found["length"] = Measured(value=round(facts.duration_s, 3))
    return found


def _guarded(reader: Callable[[], _Values], checks: Collection[str]) -> _Values:
    """Return what was measured; where that failed, why, for each check."""
    try:
        return reader()
    except (Undecodable, Invalid, OSError) as error:
        return {name: Measured(why=_reason(error)) for name in checks}


def _reason(error: Exception) -> str:
    if isinstance(error, Invalid):
        return error.message.replace("this needs", "needs")
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or type(error).__name__}"
    return str(error)[:300]
