"""Reads from words who and what a picture is about: people with their age, hat, beard and posture, or an object.

English sentences as film people write them; of what is not understood nothing is claimed.  Draft panels are drawn by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

_MOST = 5  # figures in one picture
_ALONE = (
    r"man|woman|girl|boy|child|kid|toddler|baby|teenager|person|figure|keeper|actor|actress|hero|heroine|soldier|doctor|"
    r"detective|captain|sailor|king|queen|knight|robot|astronaut|chef|dancer|mother|father|son|daughter|friend|lady|"
    r"gentleman|guy|somebody|someone|walker|rider|driver|teacher|student|player|singer|grandmother|grandfather|granny|"
    r"grandpa|sister|brother|nurse|officer|guard|waiter|waitress|passenger|fisherman|farmer|worker|clerk|stranger|"
    r"princess|prince|witch|monk|priest|engineer|pilot|conductor|neighbou?r|husband|wife|uncle|aunt"
)
_SEVERAL = (
    r"people|men|women|girls|boys|children|kids|soldiers|villagers|passengers|dancers|friends|sisters|brothers|workers|"
    r"sailors|students|players|children|twins|couple|fishermen|guards|strangers|robots|parents"
)
_MANY = r"crowds?|army|audience|team|band|choir|mob|crew|family"
_PERSON = re.compile(
    rf"\b(?:(?P<alone>{_ALONE})|(?P<several>{_SEVERAL})|(?P<many>{_MANY}))\b(?!['’]s? )", re.I
)
_PRONOUN = re.compile(r"\b(?:(?P<one>he|she|him|her|his|i)|(?P<two>they|them|both|we))\b", re.I)
_CHILDREN = re.compile(r"\b(?:girls?|boys?|child(?:ren)?|kids?|toddler|baby)\b", re.I)
_ELDERS = re.compile(r"\b(?:grandmother|grandfather|granny|grandpa)\b", re.I)
_NUMBERS = {
    w: n
    for n, w in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
        ]
    )
}
_COUNT = re.compile(r"\b(two|three|four|five|six|both|[2-6])\s+(?:[\w-]+\s+){0,2}$", re.I)
_AGE = re.compile(
    r"\b(?:(?P<a>\d{1,3}|[a-z]+)[- ]years?[- ]old|(?:of|aged?)\s+(?P<b>\d{1,3}|[a-z]+)\b|in (?:his|her) (?P<c>\w+ies))",
    re.I,
)
_OLD_AGES = {"sixty", "seventy", "eighty", "ninety", "sixties", "seventies", "eighties", "nineties"}
_OLD_BEFORE = re.compile(
    r"\b(?:old|elderly|aged|ageing|aging|ancient|gr[ae]y-haired|white-haired|wrinkled)\b", re.I
)
_OLD = re.compile(
    r"^,\s+(?:an?|the)\s+old\b|\b(?:elderly|gr[ae]y[- ]hair(?:ed)?|white[- ]hair(?:ed)?|wrinkled)\b", re.I
)
_HAT = re.compile(r"\b(?:hats?|caps?|beanie|helmet|hood|bonnet|beret|sou'?wester|fedora|bowler)\b", re.I)
_BEARD = re.compile(r"\b(?:[\w-]*beard(?:ed)?|moustached?|mustache|whiskers)\b", re.I)
_SITTING = re.compile(
    r"\b(?:sit(?:s|ting)?|sat|seated|crouch(?:es|ing)?|kneel(?:s|ing)?|squat(?:s|ting)?)\b", re.I
)
_LYING = re.compile(
    r"\b(?:lying|lies (?:on|in|down|back|there|asleep|awake|still)|lay(?:s|ing)? (?:on|in|down)|in (?:his |her )?bed)\b",
    re.I,
)
_ASLEEP = re.compile(r"\b(?:asleep|sleep(?:s|ing)?|dozing|dozes|unconscious|eyes closed)\b", re.I)
_BACK = re.compile(
    r"\b(?:over[- ]the[- ]shoulder|ots|from behind|back to (?:us|camera)|turns? away|walks? away|from the back)\b",
    re.I,
)
_JOINED = re.compile(r"(?:\s+(?:of|in|with)\s+[\w\s-]+?)?,?\s+and\s*", re.I)
_NOBODY = re.compile(r"\b(?:no|without|empty of|nobody|no one)\s+(?:[\w-]+\s+){0,1}$", re.I)


class Posture(StrEnum):
    """How somebody holds themselves."""

    STANDING = "standing"
    SITTING = "sitting"
    LYING = "lying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One person in the picture, as far as the words describe them."""

    child: bool = False
    old: bool = False
    hat: bool = False
    beard: bool = False
    asleep: bool = False
    back: bool = False
    posture: Posture = Posture.STANDING


@dataclass(frozen=True, slots=True)
class _Mention:
    """A person's noun, and the stretch of words that describes it: from `start` over the noun to `end`."""

    noun: re.Match[str]
    start: int
    end: int = 0
    count: int = 1


def people(words: str) -> tuple[Figure, ...]:
    """Return the people whom the words put into the picture, in their order; none where nobody is named."""
    mentions = list(_mentions(words))
    if not mentions:
        pronouns = list(_PRONOUN.finditer(words))
        if not pronouns:
            return ()
        count = 2 if any(p["two"] for p in pronouns) else 1
        return (_described("", words, words),) * count
    figures: list[Figure] = []
    together: Figure | None = None
    for mention in reversed(mentions):
        before, after = words[mention.start : mention.noun.end()], words[mention.noun.end() : mention.end]
        figure = _described(before, after, words)
        if together and _JOINED.fullmatch(after):  # what `a woman and a girl` do, both do
            figure = replace(figure, posture=together.posture, asleep=together.asleep)
        figures = [figure] * mention.count + figures
        together = figure
    return tuple(figures[:_MOST])


def _mentions(words: str) -> Iterator[_Mention]:
    found: list[_Mention] = []
    for noun in _PERSON.finditer(words):
        if _NOBODY.search(words[: noun.start()]) or _same(found, noun, words):
            continue
        count = _count(noun, words[: noun.start()])
        found.append(_Mention(noun, _begin(words, noun.start(), found), count=count))
    ends = [mention.start for mention in found[1:]] + [len(words)] * bool(found)
    for mention, end in zip(found, ends, strict=True):
        yield replace(mention, end=end)


def _begin(words: str, at: int, before: Sequence[_Mention]) -> int:
    """Return where a person's description begins: behind the person before, `and`, a comma or the sentence's end."""
    first = before[-1].noun.end() if before else 0
    marks = [first, *(m.end() for m in re.finditer(r"[.;:!?,\n]|\b(?:and|with|beside|behind)\b", words[:at]))]
    return max(marks)


def _same(found: Sequence[_Mention], noun: re.Match[str], words: str) -> bool:
    """Whether a noun is somebody who was named before: the same noun, or `the keeper, an old man`."""
    named = {mention.noun[0].lower() for mention in found}
    if noun[0].lower() in named:
        return not re.search(r"\b(?:another|second|other)\s+(?:[\w-]+\s+)?$", words[: noun.start()], re.I)
    if not found:
        return False
    between = words[found[-1].noun.end() : noun.start()]
    return bool(re.fullmatch(r",\s+(?:an?|the)\s+(?:[\w-]+\s+){0,3}", between))


def _count(noun: re.Match[str], before: str) -> int:
    if noun["many"]:
        return _MOST
    number = _COUNT.search(before)
    if number:
        said = number[1].lower()
        return {"both": 2}.get(said) or _NUMBERS.get(said) or int(said)
    if noun["several"] and noun[0].lower() in ("people", "passengers", "soldiers", "villagers", "dancers"):
        return _MOST
    return 2 if noun["several"] else 1


def _described(before: str, after: str, words: str) -> Figure:
    both = f"{before} {after}"
    age = _age(both)
    sitting = bool(_SITTING.search(after))
    asleep = bool(_ASLEEP.search(after))
    posture = Posture.STANDING
    if sitting:
        posture = Posture.SITTING
    elif asleep or _LYING.search(after):
        posture = Posture.LYING
    return Figure(
        child=bool(_CHILDREN.search(before)) or (age is not None and age <= 12),
        old=bool(_OLD_BEFORE.search(before) or _OLD.search(after) or _ELDERS.search(before))
        or (age is not None and age >= 60),
        hat=bool(_HAT.search(both)),
        beard=bool(_BEARD.search(both)),
        asleep=asleep,
        back=bool(_BACK.search(words)),
        posture=posture,
    )


def _age(text: str) -> int | None:
    for found in _AGE.finditer(text):
        said = (found["a"] or found["b"] or found["c"]).lower()
        if said.isdecimal():
            return int(said)
        if said in _OLD_AGES:
            return 70
        if said in _NUMBERS:
            return _NUMBERS[said]
    return None


# --- what it is about ----------------------------------------------------------------------------------

_CLOSE = (
    r"(?:(?:extreme |medium |tight )?close[- ]?ups?|closeups?|ecu|xcu|cu|macro|inserts?|detail)(?: shots?)?"
)
_CLOSE_OF = re.compile(rf"\b{_CLOSE}\s*(?:of|on|:|-|–|—)\s*(?P<rest>[^\n]+)", re.I)
_SIZE_WORDS = re.compile(
    rf"\b(?:{_CLOSE}|(?:extreme |very )?(?:wide|long|full|medium|mid|establishing|master|aerial|low[- ]angle|high[- ]angle|"
    r"overhead|two|tracking|static|handheld)[- ]?(?:angle )?(?:shots?|view)|(?:low|high)[- ]angle|birds?'?s?[- ]eye view)\b"
    r"\s*(?:of|on|:)?",
    re.I,
)
_CLAUSE = re.compile(r"[^,.;:!?\n、。，；：！？]+")
_STOPS = re.compile(
    r"\b(?:on|in|at|behind|with|under|over|by|near|beside|into|onto|from|through|across|along|against|around|between|"
    r"where|while|as|who|that|which|is|are|was|were|has|have|lies|lie|lying|sits|stands|standing|hangs|hanging|rests|"
    r"shows|showing|turns|turning|opens|opening|falls|falling|stops|slows|waits|drives|comes|goes|passes|approaches|"
    r"nears|sweeps|shakes|swings|crosses|floats|sails|runs|walks|flies|spins|drifts|leans|rings|looms|shines|lit|held|nears|burns|glows|flickers|moves|rolls|rises|appears|seen|inside|outside|before|after|above|below|toward|towards)\b",
    re.I,
)
_ARTICLE = re.compile(r"^(?:an?|the|his|her|their|its|this|that|one|some|another)\s+", re.I)
_FACE = re.compile(
    r"\b(?<!clock )(?<!watch )(?<!cliff )(?<!rock )(?:faces?|eyes?|lips|mouth|portrait|smile|gaze|profile)\b",
    re.I,
)
_BODY = re.compile(
    r"\b(?:hands?|fingers?|fists?|feet|foot|ears?|hair|arms?|shoes?|boots?|legs?|back|neck)$", re.I
)
_MOST_WORDS = 5
_MOST_SIGNS = 14  # of scripts that are written without spaces


def subject(words: str) -> str:
    """Return the noun phrase of what a picture is about: `old wrist watch`, `two headlights`; empty where none is found.

    What a close-up is said to be `of` comes first, else the first clause counts.
    """
    close = _CLOSE_OF.search(words)
    if close:
        return _noun_phrase(close["rest"])
    for clause in _CLAUSE.findall(_SIZE_WORDS.sub(" ", words)):
        found = _noun_phrase(clause)
        if found:
            return found
    return ""


def _noun_phrase(text: str) -> str:
    clause = _CLAUSE.search(text)
    if clause is None:
        return ""
    rest = clause[0].strip()
    while _ARTICLE.match(rest):
        rest = _ARTICLE.sub("", rest, count=1)
    stop = _STOPS.search(rest)
    if stop and stop.start():
        rest = rest[: stop.start()]
    if not re.search(r"\s", rest.strip()):
        return rest.strip()[: _MOST_SIGNS * 2]
    return " ".join(rest.split()[:_MOST_WORDS]).strip(" -–—'\"“”")


def is_person(phrase: str) -> bool:
    """Whether a noun phrase means a person or their face, so that a face may be drawn for it."""
    if _FACE.search(phrase):
        return True
    if _BODY.search(phrase):
        return False
    if _PERSON.search(phrase) or _PRONOUN.match(phrase):
        return True
    # A name of its own: capitals, and no article in front, which `subject` has taken off.
    return bool(re.fullmatch(r"[A-Z][a-zà-ÿ]+(?: [A-Z][a-zà-ÿ]+)?", phrase))
