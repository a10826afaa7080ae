"""Reads values: the kind of a medium, addresses and paths inside a value, the lengths that a field takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kiebatch import formats
from kiebatch.catalogue.saying import as_number, say
from kiebatch.catalogue.shapes import Schema
from kiebatch.model import JSON, LocalFile, RoleMedia, ShotOutput, WebURL, canonical_url, one_or_more

ENDINGS = {
    "image": "jpg jpeg jfif pjpeg pjp png webp gif bmp tif tiff avif heic",
    "video": "mp4 mov webm mkv m4v avi",
    "audio": "mp3 wav m4a aac ogg flac opus",
}
_KIND_OF_ENDING = {ending: kind for kind, endings in ENDINGS.items() for ending in endings.split()}


def kind_of(medium: RoleMedia) -> str | None:
    """Return what a medium is (image, video, audio, task), as far as can be told without its bytes."""
    ref = medium.ref
    if isinstance(ref, ShotOutput) and ref.as_task:
        return "task"
    if isinstance(ref, ShotOutput) and ref.frame:
        return "image"
    if medium.kind in ("image", "video", "audio"):
        return medium.kind
    if medium.role == "mask":
        return "image"
    return _KIND_OF_ENDING.get(_ending(ref))


def _ending(ref: object) -> str:
    name = ""
    if isinstance(ref, LocalFile):
        name = ref.path
    elif isinstance(ref, WebURL):
        name = ref.url.split("?")[0].split("#")[0]
    last = name.rsplit("/", 1)[-1]
    return last.rsplit(".", 1)[-1].lower() if "." in last else ""


def is_web(text: str) -> bool:
    return bool(re.match(r"(?i)^https?://[^/\s]+", text))


def lasting(value: JSON) -> JSON:
    """Return a value with its addresses without signatures, so that a renewed link asks for the same thing."""
    if isinstance(value, Mapping):
        return {key: lasting(one) for key, one in value.items()}
    if isinstance(value, list):
        return [lasting(one) for one in value]
    return canonical_url(value) if isinstance(value, str) and is_web(value) else value


def files_in(value: JSON) -> Iterable[str]:
    """Yield the texts in a value that name a file of the user's, by their ending."""
    for text in formats.texts_in(value):
        found = re.fullmatch(r"\S+\.(\w+)", text.strip())
        has_scheme = re.match(r"(?i)^[a-z][a-z0-9+.-]*:", text.strip())
        if found and not has_scheme and found[1].lower() in _KIND_OF_ENDING:
            yield text


def addresses_in(value: JSON) -> Iterable[str]:
    """Yield the texts in a value that are addresses of any scheme: `https://...`, `file:///...`, `data:...`."""
    for text in formats.texts_in(value):
        if re.match(r"(?i)^\s*(?:[a-z][a-z0-9+.-]*://|data:|file:)", text):
            yield text.strip()


def urls_in(value: JSON) -> Iterable[str]:
    """Yield the texts in a nested value whose key names an address."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if re.search(r"(?i)url", str(key)):
                yield from (str(v) for v in one_or_more(one))
            else:
                yield from urls_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from urls_in(one)


def integers_in(value: JSON) -> Iterable[int]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from integers_in(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from integers_in(one)


def coerced(schema: Schema, value: JSON, friendly: bool) -> JSON:
    """Return a value in the type and spelling that the schema has, where there is no doubt about it.

    `5` becomes `"5"` for a field whose numbers are text, `4k` becomes `4K`; anything else is left for the check.
    """
    if isinstance(value, bool):
        return value
    wanted = schema.get("type")
    if wanted == "string":
        return _as_option(schema, _as_text(schema, value, friendly), friendly)
    if wanted in ("integer", "number"):
        return _as_number(value, friendly)
    return value


def _as_text(schema: Schema, value: JSON, friendly: bool) -> JSON:
    if isinstance(value, int | float) and (friendly or schema.get("enum") or "pattern" in schema):
        return say(value)
    return value


def _as_option(schema: Schema, value: JSON, friendly: bool) -> JSON:
    """Return the option that a text means but for case and a unit of seconds."""
    options = schema.get("enum")
    if not isinstance(value, str) or not options or not friendly or value in options:
        return value
    text = value.strip()
    meant = {text.lower(), re.sub(r"^(\d+)s$", r"\1", text).lower()}
    return next((o for o in options if isinstance(o, str) and o.lower() in meant), value)


def _as_number(value: JSON, friendly: bool) -> JSON:
    number = value
    if isinstance(value, str):
        number = as_number(value.strip().removesuffix("s") if friendly else value)
    if number is None:
        return value
    return int(number) if isinstance(number, float) and number == int(number) else number


def lengths(schema: Schema) -> list[float]:
    """Return the lengths in seconds that a duration field takes, ascending."""
    if "enum" in schema:
        numbers = [as_number(value) for value in schema["enum"]]
        return sorted(number for number in numbers if number is not None and number > 0)
    usual = 0.5 if schema.get("type") == "number" else 1.0
    step = float(schema.get("multipleOf", usual))
    parts = (schema, *schema.get("anyOf", ()))
    return sorted(length for part in parts for length in _steps(part, step)) or _matching(schema)


def _matching(schema: Schema) -> list[float]:
    """Return the whole seconds up to a minute that fit a schema's pattern."""
    if "pattern" not in schema:
        return []
    return [float(n) for n in range(1, 61) if re.search(schema["pattern"], str(n))]


def _steps(schema: Schema, step: float) -> list[float]:
    """Return the lengths from a schema's minimum to its maximum; none where it has no maximum."""
    if "maximum" not in schema:
        return []
    low = float(schema.get("minimum", schema.get("exclusiveMinimum", 0)))
    count = round((float(schema["maximum"]) - low) / step)
    return [low + i * step for i in range(count + 1) if low + i * step > 0]
