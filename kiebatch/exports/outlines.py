"""Turns a font with PostScript outlines into one with TrueType outlines, cut down to the signs that are needed.

A PDF may hold either, but many readers get the text of the first kind wrong.  Needs fontTools, which comes with fpdf2.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MOST_ERROR = 1.0  # units of the font that a curve may be off


def as_truetype(face: str, characters: Iterable[str], folder: Path) -> str:
    """Return a font file with TrueType outlines for `characters`: `face` itself, or one made in `folder`."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    with TTFont(face, fontNumber=0, lazy=True, recalcTimestamp=False) as font:
        if "glyf" in font or "CFF " not in font:
            return face
        options = subset.Options(layout_features=[], notdef_outline=True, hinting=False)
        options.drop_tables += ["VORG", "GSUB", "GPOS", "GDEF", "BASE", "vhea", "vmtx", "DSIG"]
        cut_down = subset.Subsetter(options)
        cut_down.populate(unicodes=[ord(c) for c in characters] + [ord(" ")])
        cut_down.subset(font)
        _convert(font)
        target = folder / f"{Path(face).stem}.ttf"
        font.save(target)
        return str(target)


def _convert(font: Any) -> None:
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.ttLib import newTable

    glyphs = font.getGlyphSet()
    order = font.getGlyphOrder()
    drawn = {}
    for name in order:
        pen = TTGlyphPen(None)
        glyphs[name].draw(Cu2QuPen(pen, _MOST_ERROR, reverse_direction=True))
        drawn[name] = pen.glyph()
    outlines = newTable("glyf")
    outlines.glyphOrder, outlines.glyphs = order, drawn
    font["loca"], font["glyf"] = newTable("loca"), outlines
    del font["CFF "]
    _describe(font, len(order))


def _describe(font: Any, count: int) -> None:
    """Fill in the tables that TrueType outlines need (OpenType specification, `maxp` version 1.0)."""
    limits = font["maxp"]
    limits.tableVersion = 0x00010000
    for name, value in {
        "maxZones": 1, "maxTwilightPoints": 0, "maxStorage": 0, "maxFunctionDefs": 0, "maxInstructionDefs": 0,
        "maxStackElements": 0, "maxSizeOfInstructions": 0, "maxComponentElements": 0, "numGlyphs": count,
    }.items():  # fmt: skip
        setattr(limits, name, value)
    names = font["post"]
    names.formatType = 3.0
    font.sfntVersion = "\0\1\0\0"
