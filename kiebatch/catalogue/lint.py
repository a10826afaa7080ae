"""Warns about prompts that a model is known to handle badly.

What is checked is English prose, by words alone; nothing here refuses a job.  The numbers come from the catalogue's
`lint` entries, the general advice from how the models' makers say to write.  Each warning has a code that
`ignore_warnings` silences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kiebatch.catalogue.english import may_be_english, words_of
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.saying import as_number
from kiebatch.errors import Finding, counted
from kiebatch.model import Ask

# code -> what it is about; `docs/catalogue.md` is checked against it
CODES = {
    "prompt-long": "more words than the model follows",
    "prompt-short": "too few words to steer the model",
    "prompt-language": "not English, for a model that wants English",
    "many-edits": "more changes at once than an editing model carries out",
    "drawn-text": "more text to be drawn than the model manages",
    "negative-phrase": "`no ...` or `avoid ...` in a list of things to avoid",
    "negative-contradicts": "a word is in the prompt and among what to avoid",
    "negative-many": "more to avoid than a model keeps in mind",
    "vague-words": "words that say nothing to a model",
    "no-motion": "a clip's prompt in which nothing moves",
    "redescribes-picture": "a prompt that says again what the start frame shows",
    "many-actions": "more actions than the clip has seconds",
    "crop-16-9": "no native 16:9: crop from a wider shape",
    "edits-given-video": "words of editing beside a reference video: the service takes the job for an edit",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MOTION = _set(
    "walk run turn move rise fall fly drive climb jump dance spin swim sail drift float glide sway swing shake nod wave "
    "blow flow pour drip crash burst explode open close lift drop throw catch pull push reach grab point lean sit stand "
    "kneel bow enter leave approach arrive pass cross follow chase flee hide look glance stare blink smile laugh cry "
    "shout whisper speak talk sing breathe sigh pan tilt zoom dolly track orbit crane push-in pull-out pull push hold "
    "tremble shiver flicker glow fade grow shrink melt burn rain snow ripple roll slide slip stumble stop start begin "
    "listen wait pause hurry rush creep crawl step stride march ride row paddle circle hover land land dive sink emerge "
    "appear vanish dissolve unfold spread gather scatter settle raise lower carry hand give take put place set pick "
    "light strike hit break tear cut write draw read type play eat drink cook wash wipe brush comb dress undress "
    "animate transform morph rotate tumble bounce splash spray swirl stir shift"
)
_CAMERA = _set("pan tilt zoom dolly track orbit crane push-in pull-out hold fade glow flicker")
_IRREGULAR = _set(
    "ran rose fell flew drove swam swung shook blew stood knelt left caught threw held spoke sang shrank grew burnt "
    "slid crept rode dove sank took gave struck broke tore wrote drew ate drank camera motion moving movement slowly "
    "quickly timelapse time-lapse slow-motion handheld steadicam"
)
_EDITS = _set(
    "change replace remove add make turn move put recolor recolour color colour swap erase delete insert convert "
    "crop blur sharpen brighten darken extend rotate flip resize enlarge shrink restore give fix clean keep"
)
_KEEPING = {"keep", "give"}
_VIDEO_EDITS = _set(
    "edit replace remove erase delete swap recolor recolour restyle retouch change modify convert"
)
_VAGUE = _set(
    "beautiful nice amazing awesome stunning gorgeous great good cool incredible wonderful lovely pretty perfect "
    "interesting breathtaking fantastic superb magnificent"
)
_VAGUE_PHRASES = (
    "high quality",
    "best quality",
    "masterpiece",
    "award-winning",
    "award winning",
    "very detailed",
)
_DESCRIBING = _set(
    "wearing dressed background foreground hair eyes skin jacket coat shirt dress lighting lit colour color palette "
    "composition style texture photograph photo portrait shot lens bokeh framing standing sitting located surrounded"
)


def check(model: Model, ask: Ask, shot_duration: float | None = None) -> tuple[Finding, ...]:
    """Return warnings about the words of one job, at most one per code.

    `shot_duration` is the shot's length in seconds, used where the job itself does not say how long the clip will be.
    """
    if model.modality not in ("image", "video") or not ask.prompt.strip():
        return ()
    text = ask.prompt.strip()
    found = [
        *_length(model, text, shows_a_picture=any(m.role != "mask" for m in ask.media)),
        *_language(model, text),
        *_edits(model, text),
        *_drawn_text(model, text),
        *_vague(model, text),
    ]
    if "negative_prompt" in model.fields or ask.fold_negative:
        found += _negatives(model, text, ask.negative)
    if model.modality == "video" and may_be_english(text) and model.task not in _NOT_DIRECTED:
        found += _motion(model, ask, text, shot_duration)
    found += _edits_given_video(model, ask)
    found += _shape(model, ask)
    first = {finding.code: finding for finding in reversed(found)}
    return tuple(reversed(first.values()))


def _shape(model: Model, ask: Ask) -> Iterable[Finding]:
    if model.lint.get("crop_16_9") and str(ask.params.get("aspect_ratio", "")) == "16:9":
        yield _finding(
            "params.aspect_ratio",
            f"`{model.id}` has no native 16:9",
            "ask for 3:2 and leave room at the sides for cropping",
            "crop-16-9",
        )


def _edits_given_video(model: Model, ask: Ask) -> Iterable[Finding]:
    """Warn where the service will take a job for an edit of the given video, and refuse a length and a shape."""
    given = any(m.kind == "video" or str(m.ref).lower().endswith((".mp4", ".mov")) for m in ask.media)
    if not model.lint.get("edits_given_video") or not given:
        return
    editing = _verbs(ask.prompt, _VIDEO_EDITS)
    ready = (
        str(ask.params.get("aspect_ratio", "adaptive")) == "adaptive"
        and str(ask.params.get("duration")) == "-1"
    )
    if editing and not ready:
        yield _finding(
            "prompt",
            f"`{editing[0]}` beside a reference video: `{model.id}` may take the job for a video edit and refuse it",
            "an edit needs `params: {aspect_ratio: adaptive, duration: -1}`; else describe the new clip without such words",
            "edits-given-video",
        )


def _finding(field: str, message: str, hint: str, code: str) -> Finding:
    return Finding(field=field, message=message, hint=hint, severity="warning", code=code)


def _counts_words(text: str) -> bool:
    """Whether the text is in a script that puts blanks between words."""
    return not re.search(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]", text)


def _length(model: Model, text: str, *, shows_a_picture: bool) -> Iterable[Finding]:
    least, most = model.lint.get("best_words", (3 if model.modality == "image" else 5, 200))
    if not _counts_words(text):
        return
    count = len(words_of(text))
    if count > most:
        yield _finding(
            "prompt",
            f"the prompt has {count} words; `{model.id}` follows about {most}",
            "the first words weigh most: put what matters there and leave out the rest",
            "prompt-long",
        )
    elif count < least and not shows_a_picture:
        yield _finding(
            "prompt",
            f"the prompt has {counted(count, 'word')}; `{model.id}` will make up the rest",
            "say who or what, what happens, where, in what light, and from where it is seen",
            "prompt-short",
        )


def _language(model: Model, text: str) -> Iterable[Finding]:
    if model.lint.get("english") and (not _counts_words(text) or not may_be_english(text)):
        yield _finding(
            "prompt",
            f"`{model.id}` wants English",
            "other languages are translated first, or misread",
            "prompt-language",
        )


def _verbs(text: str, known: frozenset[str]) -> list[str]:
    """Return the words of `text` that are forms of the verbs in `known`, in order."""
    found = []
    for word in words_of(text):
        if word in known or any(form in known for form in _stems(word)):
            found.append(word)
    return found


def _stems(word: str) -> Iterable[str]:
    for ending in ("s", "es", "ed", "d", "ing", "er"):
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            bare = word[: -len(ending)]
            yield bare
            yield bare + "e"
            if len(bare) > 2 and bare[-1] == bare[-2]:
                yield bare[:-1]
            if bare.endswith("i"):
                yield bare[:-1] + "y"


def _edits(model: Model, text: str) -> Iterable[Finding]:
    most = model.lint.get("max_edits")
    if not most:
        return
    clauses = [
        c for c in re.split(r"[.;\n]|,\s*(?:and|then)?\s*|\band\b|\bthen\b", text.lower()) if c.strip()
    ]
    edits = 0
    for clause in clauses:
        first = words_of(clause)[:3]
        edits += any(w in _EDITS and w not in _KEEPING for w in first)
    if edits > most:
        yield _finding(
            "prompt",
            f"the prompt asks for {edits} changes; `{model.id}` does {most} at a time well",
            "make a chain of shots: each starts from the one before with `source: {shot: ...}`",
            "many-edits",
        )


def _drawn_text(model: Model, text: str) -> Iterable[Finding]:
    most = model.lint.get("max_drawn_text")
    if not most:
        return
    quotes = [q for pair in re.findall(r"\"([^\"]+)\"|\u201c([^\u201d]+)\u201d", text) for q in pair if q]
    longest = max((len(q) for q in quotes), default=0)
    if longest > most:
        yield _finding(
            "prompt",
            f"`{model.id}` draws about {most} characters of text well, found {longest}",
            "use fewer words in the picture, or a model made for lettering (Ideogram, Nano Banana Pro)",
            "drawn-text",
        )
    elif len(quotes) > 3:
        yield _finding(
            "prompt",
            f"`{model.id}` draws two or three phrases well, found {len(quotes)}",
            "spread the text over several pictures",
            "drawn-text",
        )


def _vague(model: Model, text: str) -> Iterable[Finding]:
    words = words_of(text)
    found = [word for word in dict.fromkeys(words) if word in _VAGUE]
    found += [phrase for phrase in _VAGUE_PHRASES if phrase in text.lower()]
    # One such word does no harm; a prompt made of them says nothing.
    if len(found) >= 2 or (found and len(set(words)) <= 6):
        yield _finding(
            "prompt",
            f"{', '.join(f'`{w}`' for w in found[:4])} say nothing to a model",
            "name what makes it so: the light, the material, the lens, the weather",
            "vague-words",
        )


def _negatives(model: Model, text: str, negative: tuple[str, ...]) -> Iterable[Finding]:
    entries = (term.strip() for entry in negative for term in re.split(r"[,;\n]", entry))
    terms = [term for term in entries if term]
    yield from _phrased_as_negative(terms)
    yield from _too_many_to_avoid(model, terms)
    yield from _asked_for_and_avoided(text, terms)


def _phrased_as_negative(terms: Sequence[str]) -> Iterable[Finding]:
    for term in terms:
        if _NEGATION.match(term):
            yield _finding(
                "negative_prompt",
                f"`{term}` is a list of things to avoid already",
                f"write `{re.sub(r'(?i)^(?:no|not|avoid|without|do not|don.t|never)[ ]+', '', term)}`",
                "negative-phrase",
            )
            return


def _too_many_to_avoid(model: Model, terms: Sequence[str]) -> Iterable[Finding]:
    most = model.lint.get("max_negative", 15)
    if len(terms) > most:
        yield _finding(
            "negative_prompt",
            f"{len(terms)} things to avoid are too many; `{model.id}` keeps about {most} in mind",
            "keep what really went wrong",
            "negative-many",
        )


def _asked_for_and_avoided(text: str, terms: Sequence[str]) -> Iterable[Finding]:
    for term in terms:
        bare = " ".join(words_of(re.sub(r"(?i)^(no|avoid|without)\s+", "", term)))
        if bare and _asks_for(text, bare):
            yield _finding(
                "negative_prompt",
                f"`{bare}` is in the prompt and among what to avoid",
                "take it out of one of the two",
                "negative-contradicts",
            )
            return


_NEGATION = re.compile(r"(?i)(no|not|avoid|without|don't|do not|never)\b")


def _asks_for(text: str, term: str) -> bool:
    """Whether a prompt has a term, and not after a `no` or `without`."""
    if f" {term} " not in f" {' '.join(words_of(text))} ":
        return False
    return not re.search(rf"\b(?:no|without|avoid)\W+(?:\w+\W+)?{re.escape(term)}\b", text.lower())


def _seconds(model: Model, ask: Ask, shot_duration: float | None) -> float | None:
    own = model.fields.get("duration")
    field = own.name if own else ""
    said = ask.params.get("duration") or ask.params.get(field)
    lengths = map(as_number, (said, ask.duration_s, shot_duration, model.defaults.get(field)))
    return next((length for length in lengths if length and length > 0), None)


# Tasks whose motion comes from the clip or the voice that is given, not from the prompt.
_NOT_DIRECTED = ("upscale", "analysis", "avatar", "lip-sync", "motion-control", "character")


def _motion(model: Model, ask: Ask, text: str, shot_duration: float | None) -> Iterable[Finding]:
    words = words_of(text)
    moving = _verbs(text, _MOTION) + [word for word in words if word in _IRREGULAR]
    if not moving and len(words) >= 4:
        yield _finding(
            "prompt",
            "nothing moves in this prompt",
            "say what the subject does and what the camera does",
            "no-motion",
        )
    if any(medium.role in ("start_frame", "source") for medium in ask.media):
        yield from _redescribed(words, len(moving))
    yield from _actions(text, _seconds(model, ask, shot_duration))


def _redescribed(words: Sequence[str], moving: int) -> Iterable[Finding]:
    """Warn about a prompt that says more of what the given picture shows than of what moves."""
    static = [word for word in words if word in _DESCRIBING]
    if len(static) >= 4 and len(static) > moving:
        yield _finding(
            "prompt",
            f"the prompt describes what the picture shows already ({', '.join(f'`{w}`' for w in static[:3])})",
            "say only what moves and how; the picture gives the rest",
            "redescribes-picture",
        )


def _actions(text: str, seconds: float | None) -> Iterable[Finding]:
    doing = [w for w in _verbs(text, _MOTION - _CAMERA) if w not in ("light", "place", "hand", "set")]
    if seconds and len(set(doing)) > max(3.0, seconds):
        yield _finding(
            "prompt",
            f"{len(set(doing))} actions in {seconds:g} seconds: {', '.join(dict.fromkeys(doing[:4]))}, ...",
            "one or two actions per clip; split the rest into shots of their own",
            "many-actions",
        )
