"""How alike two pictures look: the bits of 64 in which their perceptual hashes differ.

A perceptual hash is the sign of the lowest frequencies of a small grey copy.  It hardly changes when a picture is
scaled, compressed or slightly graded, and says nothing of details and colours.  It is computed here in a few lines,
since the libraries for it need SciPy.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kiebatch.media import ffmpeg, probing
from kiebatch.media.checks.judging import Measured
from kiebatch.model import MediaFacts

if TYPE_CHECKING:
    from PIL.Image import Image

Frame = Literal["first", "last"]
_SIDE, _LOW = 32, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The picture that a file is compared with; of a clip its `frame`.  `sha256` is that of the file's content."""

    path: Path
    sha256: str
    frame: Frame | None = None


def compare(path: Path, facts: MediaFacts, check: str, target: Target) -> Measured:
    """Return in how many of 64 bits a still, or the first or last frame of a clip, differs from another picture."""
    frame: Frame | None = None
    if facts.kind == "video":
        frame = "last" if check == "last_frame" else "first"
    ours = look(path, facts.media_type, frame)
    other = probing.facts(target.path)
    if other.kind not in ("image", "video"):
        raise ffmpeg.Undecodable("what it is compared with is not a picture")
    theirs = look(target.path, other.media_type, target.frame or ("last" if other.kind == "video" else None))
    return Measured(value=(ours ^ theirs).bit_count())


def look(path: Path, media_type: str, frame: Frame | None = None) -> int:
    """Return the perceptual hash of a picture, or of one frame of a clip."""
    if frame is None:
        with probing.decoded(path, media_type) as picture:
            return perceptual_hash(picture)
    with tempfile.TemporaryDirectory(prefix="kiebatch-frame-") as folder:
        target = Path(folder) / "frame.png"
        ffmpeg.frame(path, frame, target)
        with probing.decoded(target, "image/png") as picture:
            return perceptual_hash(picture)


def perceptual_hash(picture: Image) -> int:
    """Return 64 bits: which of the lowest 8 x 8 frequencies are stronger than their median."""
    from PIL import Image, ImageOps

    small = ImageOps.exif_transpose(picture).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = small.tobytes()
    rows = [pixels[y * _SIDE : y * _SIDE + _SIDE] for y in range(_SIDE)]
    waves = _waves()
    across = [[sum(p * w for p, w in zip(row, wave, strict=True)) for wave in waves] for row in rows]
    found = [sum(across[y][u] * wave[y] for y in range(_SIDE)) for wave in waves for u in range(_LOW)]
    middle = statistics.median(found)
    return sum(1 << place for place, strength in enumerate(found) if strength > middle)


@cache
def _waves() -> tuple[tuple[float, ...], ...]:
    """Return the lowest frequencies of a discrete cosine transform (type II) over a line of pixels."""
    return tuple(tuple(math.cos(math.pi * (x + 0.5) * u / _SIDE) for x in range(_SIDE)) for u in range(_LOW))
