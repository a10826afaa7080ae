"""What a still is like: one colour, black bars, words."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from kiebatch.media import probing
from kiebatch.media.checks import words
from kiebatch.media.checks.judging import Measured

if TYPE_CHECKING:
    from PIL.Image import Image

_ONE_COLOUR = 4  # levels of 255 on either side of the commonest that count as the same
_DARK = 32  # levels of 255 up to which a bar is black
_THINNEST = 0.015  # of the picture's side: less is a dark edge
_UNEVEN = 0.25  # how much the two bars of a pair may differ, of the thicker
_EDGE = 0.6  # of the line inside a bar that must be brighter than the bar
_BAND = 4  # pixels in which that line is looked for


def measure(path: Path, media_type: str, checks: Collection[str]) -> dict[str, Measured]:
    """Return what some checks find in a picture.  `Undecodable` where it is none."""
    found: dict[str, Measured] = {}
    with probing.decoded(path, media_type) as opened:
        picture = _flat(opened)
        if "blank" in checks:
            found["blank"] = Measured(value=one_colour(picture))
        if "bars" in checks:
            found["bars"] = bars(picture.convert("L"))
        if "text" in checks:
            found["text"] = words.read([picture])
    return found


def _flat(picture: Image) -> Image:
    """Return a picture in colour, what is transparent over grey: a cut-out has no bars of its own."""
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(picture)
    if "A" not in turned.getbands() and "transparency" not in turned.info:
        return turned.convert("RGB")
    layered = turned.convert("RGBA")
    ground = Image.new("RGBA", layered.size, (128, 128, 128, 255))
    return Image.alpha_composite(ground, layered).convert("RGB")


def one_colour(picture: Image) -> float:
    """Return which percentage of a picture has its commonest colour, or one that cannot be told from it."""
    counts = picture.histogram()
    total = picture.width * picture.height
    shares = []
    for band in range(len(picture.getbands())):
        levels = counts[band * 256 : band * 256 + 256]
        commonest = levels.index(max(levels))
        near = levels[max(0, commonest - _ONE_COLOUR) : commonest + _ONE_COLOUR + 1]
        shares.append(sum(near) / total)
    return round(100 * min(shares), 2)


def bars(grey: Image) -> Measured:
    """Return how thick the black bars of a picture are in pixels, 0 for none: a pair that mirrors each other.

    What is merely dark at its edges has no bars: along a bar, nearly all of the line beside it is brighter.
    """
    bright = grey.point(_brighter)
    box = bright.getbbox()
    if box is None:
        return Measured(value=0)  # all of it is black, which `blank` and `black` tell
    left, top, right, bottom = box
    width, height = grey.size
    lying = _bar(bright, box, (top, height - bottom), height, lying=True)
    standing = _bar(bright, box, (left, width - right), width, lying=False)
    if not standing and right - left < 0.9 * width:
        lying = 0  # a shape before a black ground
    elif not lying and bottom - top < 0.9 * height:
        standing = 0
    sides = {"above and below": lying, "left and right": standing}
    return Measured(
        value=max(lying, standing), said=", ".join(side for side, thick in sides.items() if thick)
    )


def _bar(
    bright: Image, box: tuple[int, int, int, int], pair: tuple[int, int], side: int, *, lying: bool
) -> int:
    """Return how thick a pair of bars is, 0 where it is none."""
    return max(pair) if _pair(*pair, side) and _sharp(bright, box, lying=lying) else 0


def _brighter(level: int) -> int:
    return 255 if level > _DARK else 0


def _pair(one: int, other: int, side: int) -> bool:
    thicker, thinner = max(one, other), min(one, other)
    return thinner >= max(2, _THINNEST * side) and thicker - thinner <= max(4, _UNEVEN * thicker)


def _sharp(bright: Image, box: tuple[int, int, int, int], *, lying: bool) -> bool:
    left, top, right, bottom = box
    if lying:
        bands = [
            (left, top, right, min(bottom, top + _BAND)),
            (left, max(top, bottom - _BAND), right, bottom),
        ]
    else:
        bands = [
            (left, top, min(right, left + _BAND), bottom),
            (max(left, right - _BAND), top, right, bottom),
        ]
    return all(_lit(bright.crop(band), lying=lying) >= _EDGE for band in bands)


def _lit(band: Image, *, lying: bool) -> float:
    """Return how much of a band's length is bright anywhere across it."""
    from PIL import Image

    long = band.width if lying else band.height
    size = (long, 1) if lying else (1, long)
    across = band.resize(size, Image.Resampling.BOX).point(lambda level: 255 if level else 0)
    return across.histogram()[255] / long
