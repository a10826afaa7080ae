"""How long a text takes to say: a table for each language, scaled by what the voices of a project have shown.

A text is counted in units: a letter is one, a group of vowels one more, a comma and the end of a sentence are pauses.  Counted so,
one rate for each language fits texts of a narrator within some percent, whatever the voice's own pace.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field

from kiebatch._dataclass import dataclass

_COMMA, _STOP, _DIGIT, _SIGN = 5.6, 11.2, 6.0, 4.6  # in units
# Seconds of a unit in calm speech, measured with a synthesiser at its usual pace and set 10 % slower.
_RATES: Mapping[str, float] = {
    "en": 0.0477,
    "de": 0.0467,
    "fr": 0.0396,
    "es": 0.0472,
    "it": 0.0467,
    "pt": 0.0483,
    "nl": 0.0512,
    "ru": 0.0461,
    "zh": 0.0467,
    "ja": 0.0320,
    "ko": 0.0360,
}
_USUAL = 0.0467
_SCRIPTS = (
    ("ja", "\u3040-\u30ff"),
    ("ko", "\uac00-\ud7a3"),
    ("zh", "\u3400-\u9fff"),
    ("ru", "\u0400-\u04ff"),
)
_WIDE = "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
_VOWELS = "[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýÿœаеёиоуыэюя]+"
# Short words that are frequent in one language; a word of several counts for each.
_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and of to in was his her he she it that with for on had at not is there they but from who",
        "de": "der die das und nicht ist ein eine er sie es mit von zu den dem war auf im als auch sich nach ihm",
        "fr": "le la les des et est un une il elle dans pour pas que qui sur avec au ne ses l d était plus du",
        "es": "el la los las y en un una que no por con su se lo como del al era había es para otra ella",
        "it": "il lo la gli e di che non un una per con su si del della dello era le al nel sono più lui lei c è ma sul suo sua loro quando mai",
        "pt": "o os as e de que não um uma por com seu sua se do da no na era há ele ela dos mais ao",
        "nl": "de het een en van niet is was hij zij ze met op te dat die in naar voor er aan ook nog toen",
    }.items()
}


def language_of(text: str) -> str:
    """Return the language of a text by its script or its short words: two letters, empty where nothing tells."""
    for language, letters in _SCRIPTS:
        if re.search(f"[{letters}]", text):
            return language
    found = re.findall(r"[^\W\d_]+", text.lower())
    hits = {language: sum(1 for word in found if word in words) for language, words in _WORDS.items()}
    best = max(hits, key=lambda language: hits[language])
    return best if hits[best] else ""


def units(text: str) -> float:
    """Return a text's count of units; digits and signs of scripts without vowel letters count for what is said."""
    signs = len(re.findall(_WIDE, text))
    letters = sum(1 for c in text if c.isalpha()) - signs
    pauses = _COMMA * len(re.findall("[,;:–—、，；：]", text)) + _STOP * len(
        re.findall("[.!?…。！？]+", text)
    )
    said = letters + len(re.findall(_VOWELS, text.lower())) + _SIGN * signs
    return said + _DIGIT * sum(1 for c in text if c.isdigit()) + pauses


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text that was said, and how long it took."""

    model: str
    voice: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rates:
    """How much slower than the table each voice has been, by model (and voice) and language."""

    by_voice: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def seconds(self, text: str, model: str = "", voice: str = "", language: str = "") -> float:
        """Return how long a text takes with a model's voice; its language is guessed where none is given.

        A voice that has said nothing yet is taken for the model's usual one.
        """
        language = language[:2].lower() or language_of(text)
        keys = [(name, spoken) for name in (f"{model} {voice}", model) for spoken in (language, "")]
        pace = next((self.by_voice[key] for key in keys if key in self.by_voice), 1.0)
        return units(text) * _RATES.get(language, _USUAL) * pace


def learned(spoken: Iterable[Spoken]) -> Rates:
    """Return the rates that texts which were said have shown: of each voice and model, in each language and in all."""
    from statistics import (
        median,  # with fractions and decimals, for the few films whose lengths follow a voice
    )

    table = Rates()
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in spoken:
        usual = table.seconds(one.text)
        if usual > 0 and one.seconds > 0:
            for name in (f"{one.model} {one.voice}", one.model):
                for language in (language_of(one.text), ""):
                    found[name, language].append(one.seconds / usual)
    return Rates({key: median(paces) for key, paces in found.items()})
