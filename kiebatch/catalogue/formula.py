"""Which parts of a good prompt are missing: subject, action, place, light, camera, style, colour, mood.

A quiet line, not a warning that counts: only parts that the model's own prompting notes ask for, only English, and never
where a picture shows them already.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from kiebatch.catalogue.english import is_english
from kiebatch.catalogue.models import Model
from kiebatch.errors import Finding
from kiebatch.model import Ask

CODE = "formula"
_LEAST_ASKED = 3  # notes that name fewer parts give no formula

# part -> how notes call it
_ASKED: Mapping[str, str] = {
    "subject": r"subject",
    "action": r"action|motion|movement",
    "place": r"place|setting|location|environment|scene",
    "light": r"light|lighting",
    "camera": r"camera|lens|angle|framing",
    "style": r"style",
    "colour": r"colou?rs?|palette",
    "mood": r"mood|atmosphere|emotion",
}
# part -> words by which a prompt says it
_SAID: Mapping[str, str] = {
    "action": r"\w{3,}ing|\w+s (?:up|down|in|out|over|through|into|along|away)|stands?|sits?|walks?|runs?|looks?|holds?|nears?|"
    r"turns?|waits?|climbs?|falls?|flies|sails?|opens?|listens?|waves?|lies|rests?|moves?|drives?",
    "place": r"in|on|at|under|near|beside|inside|outside|behind|above|below|by|across|through|between|along|over|against",
    "light": r"\w*light\w*|\w*lit|dusk|dawn|noon|night|sun\w*|moon\w*|shadow\w*|glow\w*|neon|lamp\w*|lantern\w*|candle\w*|"
    r"backlit|golden hour|blue hour|overcast|dark|bright|dim|fog\w*|storm\w*|day",
    "camera": r"close-?up|wide|medium|shot|angle|lens|\d+ ?mm|pan\w*|tilt\w*|dolly|track\w*|zoom\w*|push-?in|pull-?out|handheld|"
    r"overhead|aerial|drone|macro|portrait|framing|view|from (?:above|below|behind)|camera|depth of field|static",
    "style": r"style|film|photo\w*|painting|watercolou?r|drawing|sketch|anime|cinematic|documentary|realis\w+|render\w*|"
    r"illustration|grain|vintage|noir|comic|3d|oil|ink|engraving|pixel",
    "colour": r"red|green|blue|yellow|orange|purple|violet|black|white|gr[ea]y|brown|gold\w*|silver|teal|navy|pink|amber|"
    r"colou?r\w*|palette|monochrome|pastel|warm|cold|muted|saturated",
    "mood": r"mood|calm|tense|lonely|melanchol\w+|joyful|happy|sad|eerie|ominous|peaceful|serene|gloomy|quiet|dreamy|"
    r"hopeful|atmosphere|dramatic|mysterious|gentle|bleak|tender|playful",
}


def missing(model: Model, ask: Ask) -> tuple[str, ...]:
    """Return the parts that a model's notes ask for and a prompt lacks, in the order of the formula."""
    shown = any(medium.role != "mask" for medium in ask.media)
    if model.modality not in ("image", "video") or shown or not is_english(ask.prompt):
        return ()
    asked = _asked(model.prompting)
    if len(asked) < _LEAST_ASKED:
        return ()
    said = _found(_SAID, ask.prompt)
    return tuple(part for part in asked if part in _SAID and part not in said)


@functools.lru_cache(maxsize=256)
def _asked(notes: tuple[str, ...]) -> list[str]:
    """Return the parts that the notes of a model ask for: of a film's thousand shots most are on one model."""
    return _found(_ASKED, " ".join(notes))


def _found(parts: Mapping[str, str], text: str) -> list[str]:
    """Return the parts of which a text has one of the words."""
    low = text.lower()
    return [part for part, words in parts.items() if re.search(rf"\b(?:{words})\b", low)]


def finding(model: Model, ask: Ask) -> Finding | None:
    """Return one line about what a prompt lacks; None where it lacks nothing that the model's notes ask for."""
    parts = missing(model, ask)
    if not parts:
        return None
    return Finding(
        field="prompt",
        message=f"the prompt does not say: {', '.join(parts)}",
        hint=f"`kiebatch models {model.id}` shows what it follows",
        severity="warning",
        code=CODE,
    )
