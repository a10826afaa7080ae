"""File formats: what the first bytes of a medium say it is, the JSON Schemas that ship, and our dialect of YAML."""

from __future__ import annotations

import codecs
import json
import math
import pathlib
import re
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from kiebatch.model import ASSET_FOLDERS, JSON, Modality

if TYPE_CHECKING:
    from yaml import SafeLoader

_PLACES = (pathlib.Path(__file__).parent / "_schemas", pathlib.Path(__file__).parent.parent / "schemas")


def path(name: str) -> pathlib.Path:
    """Return where `NAME.schema.json` lies: in the wheel, or beside the package in a checkout."""
    for folder in _PLACES:
        found = folder / f"{name}.schema.json"
        if found.is_file():
            return found
    raise FileNotFoundError(f"the package has lost its file {name}.schema.json; install it again")


@cache
def load(name: str) -> Mapping[str, JSON]:
    """Return a schema by name: `scenes.base`, `scenes`, `manifest`, `model`."""
    found: Mapping[str, JSON] = json.loads(path(name).read_text(encoding="utf-8"))
    return found


# --- JSON that others wrote ----------------------------------------------------------------------------


def strict_json(text: str | bytes) -> JSON:
    """Return what a JSON text of ours holds.  ValueError for everything else, also for what is nested too deeply.

    NaN, infinite and endless numbers are not JSON, whatever Python's reader makes of them.
    """
    try:
        # Whole numbers are Python's own: a hook would cost a call for each, and it refuses endless ones itself.
        found: JSON = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found


def lenient_json(text: str | bytes) -> JSON:
    """Return what a host's JSON text holds, with null for numbers that cannot be used.  ValueError if it is not JSON.

    An answer that names a task must not be lost for a number beside it.
    """
    try:
        found: JSON = json.loads(
            text, parse_constant=_nothing, parse_float=_finite_or_none, parse_int=_whole_or_none
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found


def texts_in(value: JSON) -> Iterator[str]:
    """Yield the texts in a value, however deep; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)


_MOST_DIGITS = 300


def _refuse(word: str) -> None:
    raise ValueError(f"`{word}` is not a JSON number")


def _nothing(_word: str) -> None:
    return None


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"`{text[:40]}` is too large a number")
    return found


def _finite_or_none(text: str) -> float | None:
    found = float(text)
    return found if math.isfinite(found) else None


def _whole_or_none(text: str) -> int | None:
    return int(text) if len(text) <= _MOST_DIGITS else None


# --- media ---------------------------------------------------------------------------------------------


Sniffed = tuple[Modality, str, str]

# The bytes at some offsets of a file, and what the file is then; the first row that fits counts.
_SIGNATURES: tuple[tuple[Mapping[int, bytes], Sniffed], ...] = (
    ({0: b"\x89PNG\r\n\x1a\n"}, ("image", "image/png", ".png")),
    ({0: b"\xff\xd8\xff"}, ("image", "image/jpeg", ".jpg")),
    ({0: b"RIFF", 8: b"WEBP"}, ("image", "image/webp", ".webp")),
    ({0: b"GIF87a"}, ("image", "image/gif", ".gif")),
    ({0: b"GIF89a"}, ("image", "image/gif", ".gif")),
    ({0: b"II*\x00"}, ("image", "image/tiff", ".tiff")),
    ({0: b"MM\x00*"}, ("image", "image/tiff", ".tiff")),
    ({0: b"BM", 6: b"\0\0\0\0", 26: b""}, ("image", "image/bmp", ".bmp")),
    ({4: b"ftypavif"}, ("image", "image/avif", ".avif")),
    ({4: b"ftypavis"}, ("image", "image/avif", ".avif")),
    ({4: b"ftypheic"}, ("image", "image/heic", ".heic")),
    ({4: b"ftypheix"}, ("image", "image/heic", ".heic")),
    ({4: b"ftypmif1"}, ("image", "image/heic", ".heic")),
    ({4: b"ftypM4A "}, ("audio", "audio/mp4", ".m4a")),
    ({4: b"ftypM4B "}, ("audio", "audio/mp4", ".m4a")),
    ({4: b"ftypqt  "}, ("video", "video/quicktime", ".mov")),
    ({4: b"ftyp"}, ("video", "video/mp4", ".mp4")),
    ({0: b"RIFF", 8: b"WAVE"}, ("audio", "audio/wav", ".wav")),
    ({0: b"RIFF", 8: b"AVI "}, ("video", "video/x-msvideo", ".avi")),
    ({0: b"OggS"}, ("audio", "audio/ogg", ".ogg")),
    ({0: b"fLaC"}, ("audio", "audio/flac", ".flac")),
    ({0: b"ID3"}, ("audio", "audio/mpeg", ".mp3")),
)
_MATROSKA = b"\x1aE\xdf\xa3"


def sniff(head: bytes) -> Sniffed | None:
    """Return kind, media type and extension by the first bytes; None for web pages and what is unknown."""
    for parts, what in _SIGNATURES:
        if all(len(head) > at and head.startswith(bytes_, at) for at, bytes_ in parts.items()):
            return what
    if head.startswith(_MATROSKA):
        is_webm = b"webm" in head[:64]
        return ("video", "video/webm", ".webm") if is_webm else ("video", "video/x-matroska", ".mkv")
    return _frames(head) or _text(head)


def _frames(head: bytes) -> Sniffed | None:
    """Judge a stream of sound frames, which has no header."""
    if len(head) < 3 or head[0] != 0xFF:
        return None
    if head[1] & 0xE6 == 0xE2:
        return "audio", "audio/mpeg", ".mp3"
    if head[1] & 0xF6 == 0xF0:
        return "audio", "audio/aac", ".aac"
    return None


def _text(head: bytes) -> Sniffed | None:
    try:
        # Not final: a character may be cut at the end of the head.
        said = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    said = said.strip()
    if not said or "\0" in said or re.match(r"(?i)<(!doctype|html|head|\?xml|svg)|%PDF", said):
        return None
    if said.startswith(("{", "[")):
        return "text", "application/json", ".json"
    return "text", "text/plain", ".txt"


# Containers of clips that may hold sound alone; only decoding them tells.
_CLIP_OR_SOUND = frozenset({"video/mp4", "video/quicktime", "video/webm", "video/x-matroska"})


def fits(head: bytes, kind: str) -> bool:
    """Whether a file that begins with `head` can be what a manifest entry calls it: image, video, audio, text.

    A kind that we do not know, from another tool, fits every medium, but no text: what is kept in texts besides
    results is settings and keys.
    """
    found = sniff(head)
    if found is None:
        return False
    modality, media_type, _ = found
    if kind == "audio" and media_type in _CLIP_OR_SOUND:
        return True
    if kind in ASSET_FOLDERS:
        return modality == kind
    return modality != "text"


# --- YAML ----------------------------------------------------------------------------------------------

_TAG = "tag:yaml.org,2002:"
# The scalars of YAML 1.2, but a number with a leading zero stays text: `16:9`, `no` and `010` are what they look like.
_SCALARS = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+)$", "-+0123456789"),
    (
        "float",
        r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?"
        r"|(?:0|[1-9][0-9]*)[eE][-+]?[0-9]+)$",
        "-+.0123456789",
    ),
)


@cache
def yaml_loader() -> type[SafeLoader]:
    """Return the one YAML loader of the program, for scene files and for files of models."""
    import yaml  # only what reads YAML waits for it

    fastest: type[SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: type[SafeLoader] = types.new_class("Loader", (fastest,))
    loader.yaml_implicit_resolvers = {}
    for name, pattern, first in _SCALARS:
        loader.add_implicit_resolver(_TAG + name, re.compile(pattern), list(first))
    return loader
