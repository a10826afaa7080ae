"""The clean art of a draft's panel: without slate and arrows, carried in the PNG file for who moves a camera over it.

A private chunk (PNG specification, "Chunk naming conventions") that other programs skip: a small JPEG picture.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_CHUNK = b"kbCa"  # ancillary, private, and of no meaning when the pixels were edited
_QUALITY = 82


def attached(art: Image.Image) -> PngInfo:
    """Return what `Image.save(..., pnginfo=)` takes to carry `art` in a PNG file."""
    out = io.BytesIO()
    art.save(out, "JPEG", quality=_QUALITY)
    info = PngInfo()
    info.add(_CHUNK, out.getvalue())
    return info


def read(path: Path) -> Image.Image | None:
    """Return the clean art that a picture's file carries, in RGB; None for every other picture."""
    try:
        with Image.open(path) as opened:
            if opened.format != "PNG":
                return None
            chunks = getattr(opened, "private_chunks", [])
            found = next((chunk[1] for chunk in chunks if chunk[0] == _CHUNK), None)
        if found is None:
            return None
        with Image.open(io.BytesIO(found), formats=["JPEG"]) as art:
            return art.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
