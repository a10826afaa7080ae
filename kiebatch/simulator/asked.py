"""Reads from a request what its outputs look like: kind, format, pixels, seconds."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping

from kiebatch.catalogue import Model
from kiebatch.model import JSON, Modality
from kiebatch.simulator.drawing.wanted import Wanted

_SHAPES = {"square": "1:1", "square_hd": "1:1", "portrait": "3:4", "landscape": "4:3"}
_LONG = {
    "480p": 854,
    "540p": 960,
    "580p": 1032,
    "720p": 1280,
    "768p": 1366,
    "1080p": 1920,
    "2k": 2560,
    "4k": 3840,
}
_STILL = {"0.5k": 512, "1k": 1024, "2k": 2048, "3k": 3072, "4k": 4096}
_FORMATS: Mapping[Modality, tuple[str, ...]] = {
    "image": ("png", "jpeg", "jpg", "webp"),
    "video": ("mp4", "mov"),
    "audio": ("mp3", "wav", "pcm", "ulaw", "alaw", "opus"),
}
_PROMPTS = ("prompt", "text", "input_text", "lyrics", "script", "content", "title", "tags")
_VOWELS = re.compile("[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýÿœаеёиоуыэюя]+")
_SIGNS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def digest(model: str, given: JSON) -> str:
    """Return a digest of a request: the same for the same one, whatever the order of its keys."""
    text = json.dumps([model, given], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def prompt_of(given: Mapping[str, JSON]) -> str:
    """Return the words that were asked for."""
    for key in _PROMPTS:
        value = given.get(key)
        if isinstance(value, str) and value.strip():
            return value
    lines = given.get("dialogue") or given.get("multi_prompt")
    if isinstance(lines, list):
        said = (
            line if isinstance(line, str) else prompt_of(line)
            for line in lines
            if isinstance(line, str | dict)
        )
        return " ".join(said)
    return ""


def ratio_of(given: Mapping[str, JSON], default: str) -> tuple[float, float]:
    """Return width and height as small numbers: `aspect_ratio`, or one of its other spellings."""
    for key in ("aspect_ratio", "aspectRatio", "image_size", "size", "ratio", "video_size", "orientation"):
        value = str(given.get(key, "")).lower()
        base = value.split("_")[0] if value.startswith(("portrait", "landscape")) else value
        found = re.search(r"(\d+(?:\.\d+)?)\s*[:_x*/]\s*(\d+(?:\.\d+)?)", value)
        if found and float(found[1]) > 0 and float(found[2]) > 0:
            wide, high = float(found[1]), float(found[2])
            if base == "portrait" and wide > high:
                wide, high = high, wide
            return wide, high
        if base in _SHAPES:
            default = _SHAPES[base]
            break
    return float(default.split(":")[0]), float(default.split(":")[1])


def pixels_of(given: Mapping[str, JSON], modality: str, scale: float) -> tuple[int, int]:
    """Return the pixels of a still or clip, even numbers: the ratio asked for, in the resolution asked for.

    A still of `1K` has about a million pixels whatever its ratio; a clip of `720p` has a short side of 720.
    An explicit size of pixels (`1024x1536`, `1024*1536`) is taken as it is.
    """
    for key in ("size", "image_size", "resolution"):
        found = re.fullmatch(r"(\d{3,4})\s*[x*]\s*(\d{3,4})", str(given.get(key, "")))
        if found:
            return _even(int(found[1]) * scale), _even(int(found[2]) * scale)
    wide, high = ratio_of(given, "1:1" if modality == "image" else "16:9")
    resolution = str(
        given.get("resolution") or given.get("image_resolution") or given.get("quality") or ""
    ).lower()
    if modality == "image":
        side = _STILL.get(resolution, 1024) * scale
        width = side * math.sqrt(wide / high)
        return _even(width), _even(width * high / wide)
    short = _LONG.get(resolution, 1280) * 9 / 16 * scale
    factor = short / min(wide, high)
    return _even(wide * factor), _even(high * factor)


def kind_of(known: Model) -> Modality:
    """Return what a model makes: by the formats of its outputs, else by its modality."""
    first = (known.outputs.get("formats") or [""])[0]
    if not first:
        return known.modality
    return next((kind for kind, formats in _FORMATS.items() if first in formats), "text")


def format_of(known: Model, given: Mapping[str, JSON]) -> str:
    """Return the format of an output by the provider's name of it (`jpeg`, never `jpg`)."""
    kind = kind_of(known)
    formats = known.outputs.get("formats") or [""]
    asked = str(given.get("output_format") or given.get("outputFormat") or given.get("format") or "").lower()
    asked = asked.split("_")[0] or formats[0]
    asked = {"jpg": "jpeg", "pcm": "wav"}.get(asked, asked)
    drawn = {"image": ("png", "jpeg", "webp"), "video": ("mp4",), "audio": ("mp3", "wav"), "text": ("",)}[
        kind
    ]
    return asked if asked in drawn else drawn[0]


def seconds_of(given: Mapping[str, JSON], modality: str) -> float:
    """Return the length of a clip or a sound."""
    for key in ("duration", "duration_seconds", "length", "n_frames"):
        found = re.match(r"\d+(?:\.\d+)?", str(given.get(key, "")))
        if found and float(found[0]) > 0:
            return float(found[0])
    if modality == "audio":
        return min(600.0, max(1.0, reading_s(prompt_of(given), str(given.get("voice") or ""))))
    return 5.0


def reading_s(text: str, voice: str = "") -> float:
    """Return how long a text is read aloud: syllables, longer in languages with many consonants, and pauses.

    Each voice has a pace of its own, up to a tenth slower or faster.
    """
    syllables = len(_VOWELS.findall(text.lower())) + len(_SIGNS.findall(text))
    letters = sum(1 for c in text if c.isalpha())
    numbers = 0.35 * sum(1 for c in text if c.isdigit())
    spoken = syllables * 0.1 + letters * 0.032 + numbers
    pauses = 0.22 * len(re.findall("[,;:–—、，]", text)) + 0.5 * len(re.findall("[.!?…。！？]+", text))
    pace = 0.9 + 0.2 * hashlib.sha256(voice.encode()).digest()[0] / 255 if voice else 1.0
    return (spoken + pauses) * pace


def count_of(known: Model, given: Mapping[str, JSON]) -> int:
    """Return how many outputs a request makes: what the catalogue says, a field of the request, else one."""
    spec = known.outputs.get("count")
    if isinstance(spec, int):
        return spec
    if not isinstance(spec, Mapping):
        counts = (_count(given.get(key)) for key in ("num_images", "max_images", "n", "nVariants"))
        return next(filter(None, counts), 1)
    asked = _count(given.get(spec.get("field", "")))
    if asked:
        return asked
    for case in spec.get("when", ()):
        if all(given.get(name) == wanted for name, wanted in case["if"].items()):
            return int(case["default"])
    return int(spec.get("default", 1))


def _count(value: JSON) -> int | None:
    """Return a number of outputs that the service would make; None for anything else."""
    text = str(value)
    return int(text) if text.isdecimal() and 1 <= int(text) <= 15 else None


def outputs(known: Model, given: Mapping[str, JSON], *, label: str = "", scale: float = 1.0) -> list[Wanted]:
    """Return what to draw for a request, in the order of its outputs; empty for results that are text."""
    kind = kind_of(known)
    if kind == "text":
        return []
    sent = {**known.defaults, **given}
    width, height = pixels_of(sent, kind, scale)
    return [
        Wanted(
            kind=kind,
            format=format_of(known, sent),
            model=known.id,
            prompt=prompt_of(given),
            key=digest(known.id, given),
            width=width,
            height=height,
            seconds=seconds_of(sent, kind),
            number=number,
            label=label,
        )
        for number in range(1, count_of(known, sent) + 1)
    ]


def text_result(known: Model, given: Mapping[str, JSON]) -> JSON:
    """Return a result that is words or values: what the simulator has in place of a transcript or an id."""
    key = digest(known.id, given)
    first = (known.outputs.get("formats") or ["text"])[0]
    if first.endswith("_id"):
        return {first: f"{first.removesuffix('_id')}_{key[:12]}"}
    return {"text": prompt_of(given) or "He stops, and listens.", "language_code": "eng", "key": key[:12]}


def _even(value: float) -> int:
    return max(16, round(value / 2) * 2)
