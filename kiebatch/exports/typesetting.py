"""Sets text into a PDF: every script in a font of this machine or of the extra `fonts`, embedded; never the reader's."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kiebatch.exports import outlines
from kiebatch.media import lettering

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.fonts import TTFFont

Colour = tuple[int, int, int]


class Typesetter:
    """Writes lines onto the pages of an `fpdf.FPDF` whose unit is the point; places are those of baselines.

    `texts` is all that will be written: its characters decide which fonts are embedded.  `folder` is for fonts that must be
    converted, and is needed until the file is written.
    """

    def __init__(self, pdf: FPDF, texts: Iterable[str], folder: Path) -> None:
        self.pdf = pdf
        self._widths: dict[tuple[str, float], float] = {}
        self._colours = _Colours(pdf)
        seen = "".join(sorted({character for text in texts for character in text}))
        needed: dict[str, str] = {}
        for piece in lettering.pieces(seen):
            if piece.face:
                needed[piece.face] = needed.get(piece.face, "") + piece.text
        names = [self._embed(outlines.as_truetype(face, signs, folder)) for face, signs in needed.items()]
        self._missing = {c for c in seen if self._colours.has(c) and not _covered(c)}
        if self._missing:
            names.append(self._colours.name)
        # Helvetica is in no file; it is there for machines without any font, in Latin letters alone.
        self.main = names[0] if names else "helvetica"
        pdf.set_fallback_fonts(names[1:], exact_match=False)
        pdf.set_font(self.main, size=10)

    def _embed(self, face: str) -> str:
        name = Path(face).stem
        self.pdf.add_font(name, "", face)
        return name

    def line(
        self, x: float, y: float, text: str, size: float, colour: Colour, *, right: bool = False
    ) -> float:
        """Write one line with its baseline at `y`, from `x` on or up to `x`; return its width."""
        shown = self._shown(text)
        wide = self.width(text, size)
        if not shown:
            return 0.0
        self._prepare(shown, size)
        self.pdf.set_text_color(*colour)
        # `cell` chooses a font for each sign; its baseline is 0.3 of the size below the middle.
        self.pdf.set_xy(x - (wide if right else 0.0), y - size * 0.8)
        self.pdf.cell(w=wide, h=size, text=shown)
        return wide

    def width(self, text: str, size: float) -> float:
        """Return how many points a line takes."""
        key = (text, size)
        if key not in self._widths:
            shown = self._shown(text)
            self._prepare(shown, size)
            self._widths[key] = float(self.pdf.get_string_width(shown)) if shown else 0.0
        return self._widths[key]

    def wrap(self, text: str, size: float, room: float) -> list[str]:
        """Return a text as lines no wider than `room`, broken at spaces and between signs written without them."""
        lines: list[str] = []
        for paragraph in text.split("\n"):
            line, taken = "", 0.0
            for word in self._fitting(paragraph, size, room):
                wide = self.width(word.rstrip(), size)
                if line and taken + wide > room:
                    lines.append(line.rstrip())
                    line, taken = "", 0.0
                line += word
                taken += self.width(word, size)
            if line.strip():
                lines.append(line.rstrip())
        return lines

    def _fitting(self, paragraph: str, size: float, room: float) -> Iterable[str]:
        """Yield the words of a paragraph; one that is wider than the room in pieces."""
        for word in lettering.words(paragraph):
            while len(word) > 1 and self.width(word.rstrip(), size) > room:
                share = max(1, int(len(word) * room / self.width(word.rstrip(), size)))
                yield word[:share]
                word = word[share:]
            yield word

    def _prepare(self, text: str, size: float) -> None:
        self.pdf.set_font(self.main, size=size)
        self.pdf.set_text_shaping(use_shaping_engine=_is_shaped(text))

    def _shown(self, text: str) -> str:
        """Return a text with what no font has in other words, or as a mark."""
        kept = "".join(c if c in self._missing else _plain(c) for c in unicodedata.normalize("NFC", text))
        return kept if self.main != "helvetica" else kept.encode("latin-1", "replace").decode("latin-1")


class _Colours:
    """The colour font of emoji that this machine has, which Pillow cannot draw at every size and a PDF can hold."""

    name = "colours"

    def __init__(self, pdf: FPDF) -> None:
        self.pdf = pdf
        self.font: TTFFont | None = None
        self.looked = False

    def has(self, character: str) -> bool:
        if ord(character) < 0x2190 or _covered(character):
            return False
        if not self.looked:
            self.looked = True
            self._load()
        return self.font is not None and ord(character) in self.font.cmap

    def _load(self) -> None:
        path = next((face for face in lettering.faces() if "coloremoji" in Path(face).stem.lower()), None)
        if path is None:
            return
        from fpdf.fonts import TTFFont  # loaded with the page that is written on

        self.pdf.add_font(self.name, "", path)
        found = self.pdf.fonts[self.name]
        if isinstance(found, TTFFont):
            self.font = found


@cache
def _covered(character: str) -> bool:
    return "".join(piece.text for piece in lettering.pieces(character)) == character


@cache
def _plain(character: str) -> str:
    return "".join(piece.text for piece in lettering.pieces(character))


@cache
def _is_shaped(text: str) -> bool:
    """Whether letters of a text take their shape or place from their neighbours."""
    return any(
        unicodedata.bidirectional(c) in ("R", "AL") or "\u0900" <= c <= "\u109f" or "\u1780" <= c <= "\u17ff"
        for c in text
    )
