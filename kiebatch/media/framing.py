"""Reads from words what a picture shows: shot size, angle, camera move, light, weather, place, figures.

Storyboard panels and animatics are drawn by it.  The words are those that film people write; what is not said is
left to whoever draws.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from kiebatch.media import subjects
from kiebatch.media.subjects import Figure

Size = Literal["extreme wide", "wide", "full", "medium", "medium close", "close", "extreme close"]
Move = Literal[
    "static",
    "push in",
    "pull out",
    "pan left",
    "pan right",
    "tilt up",
    "tilt down",
    "track left",
    "track right",
    "crane up",
    "crane down",
    "orbit",
    "handheld",
]
Light = Literal["day", "night", "dusk", "dawn", "lamplight"]
Weather = Literal["clear", "rain", "storm", "snow", "fog"]
_Name = TypeVar("_Name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What the words say.  `size` and `move` are None where they say nothing;

    `things` and `places` are the names that panels have a drawing for, in the order of the words.  `subject` is the noun
    phrase of what it is about, and `insert` whether that is an object close by: no place then, and nobody's face.
    """

    size: Size | None = None
    angle: Literal["eye", "low", "high", "overhead", "tilted"] = "eye"
    move: Move | None = None
    light: Light = "day"
    weather: Weather = "clear"
    places: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    people: tuple[Figure, ...] = ()
    subject: str = ""
    insert: bool = False


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w])", re.IGNORECASE)


# The first that matches wins, so the narrower words stand first.
_SIZES: Sequence[tuple[Size, re.Pattern[str]]] = (
    ("extreme close", _pattern(r"extreme close[- ]?ups?|ecu|xcu|macro|detail shot|insert(?: shot)?")),
    ("medium close", _pattern(r"medium close[- ]?ups?|mcu|head and shoulders|bust shot")),
    ("close", _pattern(r"close[- ]?ups?|closeups?|cu|tight shot|portrait of|choker")),
    (
        "extreme wide",
        _pattern(r"extreme wide|extreme long|ews|els|establishing|aerial|drone shot|bird'?s[- ]eye|panorama"),
    ),
    ("full", _pattern(r"full shot|full[- ]body|full[- ]length|cowboy shot|medium wide|medium long")),
    (
        "medium",
        _pattern(r"medium(?: \w+)? shot|medium two[- ]shot|mid[- ]shot|two[- ]shot|waist[- ]up|medium|ms"),
    ),
    ("wide", _pattern(r"wide(?: \w+)? shots?|wide[- ]angle|wide|long shot|ws|landscape shot|master shot")),
)
_TO = r"(?:ning|ned|s)?(?:[- ](?:shot|slowly|gently|across))?(?: \w+){0,2}?"
_MOVES: Sequence[tuple[Move, re.Pattern[str]]] = (
    (
        "push in",
        _pattern(
            r"push(?:es|ing)?[- ]?in|doll(?:y|ies)[- ]?in|zoom(?:s|ing)?[- ]?in|track(?:s|ing)?[- ]?in|moves? in|creeps? in|push toward"
        ),
    ),
    (
        "pull out",
        _pattern(
            r"pull(?:s|ing)?[- ]?(?:out|back|away)|doll(?:y|ies)[- ]?(?:out|back)|zoom(?:s|ing)?[- ]?out|track(?:s|ing)?[- ]?(?:out|back)|draws? back"
        ),
    ),
    ("crane up", _pattern(r"(?:crane|boom|jib|pedestal|rise|rising)s?(?:ing)?[- ]?up|crane shot|crane")),
    ("crane down", _pattern(r"(?:crane|boom|jib|pedestal)s?(?:ing)?[- ]?down")),
    ("tilt up", _pattern(r"tilt(?:s|ing)?[- ]?(?:slowly )?up(?:wards?)?")),
    ("tilt down", _pattern(r"tilt(?:s|ing)?[- ]?(?:slowly )?down(?:wards?)?")),
    ("pan left", _pattern(r"(?:whip[- ])?pan" + _TO + r"[- ]left|left pan")),
    ("pan right", _pattern(r"(?:whip[- ])?pan" + _TO + r"[- ]right|right pan")),
    (
        "track left",
        _pattern(r"(?:track|truck|slide|doll(?:y|ie)|follow|pass)(?:s|ing)?(?: \w+){0,2}?[- ]left"),
    ),
    (
        "track right",
        _pattern(r"(?:track|truck|slide|doll(?:y|ie)|follow|pass)(?:s|ing)?(?: \w+){0,2}?[- ]right"),
    ),
    ("orbit", _pattern(r"orbit(?:s|ing)?|arc shot|arcs? around|circl(?:es|ing) around|360")),
    ("handheld", _pattern(r"hand[- ]?held|shaky(?: cam)?|camera shake")),
    (
        "track right",
        _pattern(
            r"track(?:s|ing)?(?: shot)?|dolly(?: shot)?|steadicam|follow(?:s|ing)? (?:shot|him|her|them)|truck(?:s|ing)?"
        ),
    ),
    (
        "pan right",
        _pattern(r"(?:whip[- ])?pan(?:s|ning)?(?: shot)?(?= across| over| to| along| the|[,.;:]|$)"),
    ),
    ("tilt up", _pattern(r"tilt(?:s|ing)?")),
    (
        "static",
        _pattern(r"static|locked[- ]?off|locked[- ]down|hold|tripod|still camera|fixed camera|no movement"),
    ),
)
_LIGHTS: Sequence[tuple[Light, re.Pattern[str]]] = (
    ("lamplight", _pattern(r"lamp-?light|candle-?light|lantern|firelight|by the fire|candles?|torch-?light")),
    ("night", _pattern(r"night|midnight|moonlight|moonlit|moon|stars|starry|darkness|neon|nocturnal")),
    ("dusk", _pattern(r"dusk|sunset|twilight|evening|golden hour|blue hour")),
    ("dawn", _pattern(r"dawn|sunrise|first light|daybreak|early morning|morning")),
)
_WEATHERS: Sequence[tuple[Weather, re.Pattern[str]]] = (
    ("storm", _pattern(r"storm\w*|thunder\w*|lightning|gale|hurricane|tempest")),
    ("rain", _pattern(r"rain\w*|drizzl\w+|downpour|shower of")),
    ("snow", _pattern(r"snow\w*|blizzard|frost\w*|icy")),
    ("fog", _pattern(r"fog\w*|mist\w*|haz[ey]|smok[ey]\w*|steam\w*")),
)
_ANGLES: Sequence[tuple[Literal["low", "high", "overhead", "tilted"], re.Pattern[str]]] = (
    ("overhead", _pattern(r"overhead|top[- ]down|bird'?s[- ]eye|god'?s[- ]eye|from above")),
    ("low", _pattern(r"low[- ]angle|worm'?s[- ]eye|from below|looking up")),
    ("high", _pattern(r"high[- ]angle|aerial|drone|looking down")),
    ("tilted", _pattern(r"dutch(?: angle)?|canted|tilted frame")),
)
_PLACES: Mapping[str, re.Pattern[str]] = {
    "sea": _pattern(
        r"sea|ocean|waves?|harbou?r|coast|shore|beach|lake|river|open water|boats?|ships?|lighthouse(?! keepers?)|bay|island"
    ),
    "city": _pattern(
        r"city|streets?(?![- ]?(?:lamp|light)s?)|town|alley|skyline|skyscrapers?|buildings?|rooftops?|market|downtown|avenue"
    ),
    "forest": _pattern(r"forest|woods|trees?|jungle|pines?|grove|garden|park"),
    "mountains": _pattern(r"mountains?|hills?|peaks?|cliffs?|rocks?|valley|canyon|alps"),
    "field": _pattern(
        r"fields?|meadow|desert|plains?|prairie|dunes?|steppe|roads?|highway|farm|marsh(?:es)?|dykes?|dikes?|moor"
    ),
    "room": _pattern(
        r"room|kitchen|office|stairs?|staircase|corridor|hall(?:way)?|door|window|interior|int\.|indoors?|inside|bed(?:room)?|"
        r"stove|caf[eé]|bar|restaurant|library|classroom|lab(?:oratory)?|cabin|attic|cellar|desk|studio|cockpit"
    ),
    "space": _pattern(r"space|planets?|galaxy|orbit of|asteroid|nebula|spaceship"),
}
# `bus stop` and `truck driver` are not vehicles.
_ALONE = r"(?![- ](?:stop(?!s)|seats?|drivers?|stations?|tickets?|shelters?|lanes?|doors?|windows?|rides?))"
_THINGS: Mapping[str, re.Pattern[str]] = {
    "lighthouse": _pattern(r"lighthouse(?! keepers?)|beacon tower"),
    "ship": _pattern(r"tall ship|ships?|frigate|sailing ship|galleon|vessel"),
    "boat": _pattern(r"(?:small |rowing |fishing |sail)?boats?|dinghy|canoe|yacht"),
    "door": _pattern(r"doors?|doorway|gate"),
    "window": _pattern(r"windows?|window glass|windowsill"),
    "stairs": _pattern(r"stairs?|stairway|staircase|steps|spiral stair"),
    "book": _pattern(r"books?|log book|diary|journal|page|newspaper"),
    "lamp": _pattern(r"lamps?|lantern|candles?|torch|light bulb|great lamp"),
    "car": _pattern(r"cars?|taxi|automobile"),
    "bus": _pattern(r"(?:bus(?:es)?|coach|tram)" + _ALONE),
    "truck": _pattern(r"(?:trucks?|lorry|lorries|van)" + _ALONE),
    "house": _pattern(r"house|cottage|cabin|hut|barn|church|castle"),
    "tree": _pattern(r"(?:a|the|lone|single|old|oak|apple) tree"),
    "table": _pattern(r"table(?!t)|desk|stove|counter"),
    "bench": _pattern(r"bench(?:es)?"),
    "bird": _pattern(r"birds?|gulls?|seagulls?|crows?|ravens?|eagle|doves?"),
    "train": _pattern(r"trains?|locomotive|tram"),
}


def read(*texts: str) -> Framing:
    """Return what the words say; where several texts disagree about size, angle or move, the first counts.

    Give the `camera` key before the prompt: it was written for this.
    """
    words = " \n ".join(texts)
    # What the camera does cannot be seen in the picture.
    shown = " \n ".join(texts[1:]) or words
    size = _size(texts)
    subject = subjects.subject(shown)
    near = size in ("close", "extreme close")
    return Framing(
        size=size,
        angle=next((a for text in texts for a, pattern in _ANGLES if pattern.search(text)), "eye"),
        move=move(*texts),
        light=_light(words),
        weather=_first(_WEATHERS, words) or "clear",
        places=_in_order(_PLACES, words),
        things=_in_order(_THINGS, words),
        people=subjects.people(shown),
        subject=subject,
        insert=near and bool(subject) and not subjects.is_person(subject),
    )


def move(*texts: str) -> Move | None:
    """Return the camera move that the words name; None where they name none."""
    for text in texts:
        found = _first(_MOVES, text)
        if found:
            return found
    return None


def _size(texts: Sequence[str]) -> Size | None:
    for text in texts:
        # The place of the words decides, not our list: `wide shot, then a close-up` begins wide.
        found = [(hit.start(), -hit.end(), size) for size, pattern in _SIZES if (hit := pattern.search(text))]
        if found:
            return min(found)[2]
    return None


def _light(words: str) -> Light:
    found = {light for light, pattern in _LIGHTS if pattern.search(words)}
    if "lamplight" in found and _PLACES["room"].search(words):
        return "lamplight"
    return next((light for light in ("night", "dusk", "dawn", "lamplight") if light in found), "day")


def _in_order(names: Mapping[str, re.Pattern[str]], words: str) -> tuple[str, ...]:
    found = [(hit.start(), name) for name, pattern in names.items() if (hit := pattern.search(words))]
    return tuple(name for _, name in sorted(found))


def _first(table: Sequence[tuple[_Name, re.Pattern[str]]], text: str) -> _Name | None:
    return next((name for name, pattern in table if pattern.search(text)), None)
