"""Addresses, roles and shapes of pictures, as writers put them."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

_COMMON_RATIOS = (
    (1, 1),
    (16, 9),
    (9, 16),
    (4, 3),
    (3, 4),
    (3, 2),
    (2, 3),
    (21, 9),
    (9, 21),
    (5, 4),
    (4, 5),
    (2, 1),
    (1, 2),
)


def address_of(text: str) -> str:
    """Return a picture's address; a local path without the `%20` that Markdown needs."""
    text = text.strip()
    return text if re.match(r"(?i)^[a-z][a-z0-9+.-]*:", text) else unquote(text)


def role_of(caption: str) -> str:
    word = caption.partition(":")[0].strip().casefold()
    return {
        "start": "start_frame",
        "start frame": "start_frame",
        "end": "end_frame",
        "end frame": "end_frame",
        "mask": "mask",
        "source": "source",
    }.get(word, "references")


def ratio(text: str) -> str:
    """Return `16:9` for `16:9 (wide)`, `16/9`, `1920x1080`; other text as it is."""
    clean = re.sub(r"\s*\([^()]*\)\s*$", "", unicodedata.normalize("NFKC", text)).strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[:/x×∶]\s*(\d+(?:\.\d+)?)(?:\s*px)?", clean, re.I)
    if not match:
        return clean
    wide, high = float(match.group(1)), float(match.group(2))
    if wide > 100 and high > 100:
        near = [f"{w}:{h}" for w, h in _COMMON_RATIOS if abs(wide / high - w / h) < 0.01]
        return near[0] if near else clean
    return f"{match.group(1)}:{match.group(2)}"
