"""The clean art of a draft's panel: without slate and arrows, carried in its file for who moves a camera over it.

A small JPEG picture in a place that other programs skip: a private chunk of a PNG file (PNG specification, "Chunk naming
conventions"), application segments of a JPEG file (ITU T.81, B.2.4.6), the metadata of a WebP file.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_CHUNK = b"kbCa"  # ancillary, private, and of no meaning when the pixels were edited
_SEGMENT = "APP9"
_MOST = 65_000  # bytes of one segment, whose length is told in two
_QUALITY = 82


def carrying(art: Image.Image, format: str) -> dict[str, Any]:
    """Return what `Image.save` takes beside the format (`PNG`, `JPEG`, `WEBP`) for a file that carries `art`."""
    out = io.BytesIO()
    art.save(out, "JPEG", quality=_QUALITY)
    data = out.getvalue()
    if format == "PNG":
        info = PngInfo()
        info.add(_CHUNK, data)
        return {"pnginfo": info}
    if format == "WEBP":
        return {"xmp": _CHUNK + data}
    pieces = [data[n : n + _MOST] for n in range(0, len(data), _MOST)]
    return {"extra": b"".join(_segment(piece) for piece in pieces)}


def _segment(piece: bytes) -> bytes:
    body = _CHUNK + piece
    return b"\xff\xe9" + (len(body) + 2).to_bytes(2, "big") + body


def read(path: Path) -> Image.Image | None:
    """Return the clean art that a picture's file carries, in RGB; None for every other picture."""
    try:
        with Image.open(path) as opened:
            found = _found(opened)
        if not found:
            return None
        with Image.open(io.BytesIO(found), formats=["JPEG"]) as art:
            return art.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _found(opened: Image.Image) -> bytes:
    if opened.format == "PNG":
        chunks = getattr(opened, "private_chunks", [])
        return next((bytes(chunk[1]) for chunk in chunks if chunk[0] == _CHUNK), b"")
    if opened.format == "JPEG":
        segments = [data for name, data in getattr(opened, "applist", []) if name == _SEGMENT]
        return b"".join(data.removeprefix(_CHUNK) for data in segments if data.startswith(_CHUNK))
    told = opened.info.get("xmp", b"") if opened.format == "WEBP" else b""
    return told.removeprefix(_CHUNK) if isinstance(told, bytes) and told.startswith(_CHUNK) else b""
