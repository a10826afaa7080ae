"""The storyboard as a PDF: panels with dialogue, camera and notes, one, four or six to a page; its text can be copied."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options
from kiebatch.media import lettering
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

LAYOUTS = {1: (1, 1), 4: (2, 2), 6: (3, 2)}  # columns and rows of a page in landscape
_MARGIN, _GAP, _HEAD, _FOOT = 34.0, 18.0, 30.0, 20.0
_INK, _SOFT, _ACCENT = (0.1, 0.1, 0.12), (0.42, 0.41, 0.38), (0.8, 0.24, 0.12)
_SHARP = 2.6  # pixels of a picture per point of paper, some 190 dpi
_FINE = 4.0  # pixels of a drawn letter per point, some 290 dpi
# Faces that every PDF reader brings along, for scripts whose installed fonts cannot be embedded.
_ASIAN = (
    ("HYSMyeongJo-Medium", (0xAC00, 0xD7A3)),
    ("HeiseiKakuGo-W5", (0x3040, 0x30FF)),
    ("STSong-Light", (0x2E80, 0x9FFF)),
    ("STSong-Light", (0xF900, 0xFFEF)),
)

_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff](?:.*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff])?"
)


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the PDF.  `Invalid` with the way to install it when the extra `pdf` is missing."""
    try:
        from reportlab.lib import pagesizes
        from reportlab.pdfgen import canvas
    except ImportError:
        raise cut.missing_extra("pdf") from None
    if options.layout not in LAYOUTS:
        raise Invalid(f"a page holds 1, 4 or 6 panels, found {options.layout}")
    film = cut.chosen(project, manifest, picks, workspace, options)
    paper = pagesizes.landscape(pagesizes.letter if options.paper == "letter" else pagesizes.A4)
    out = io.BytesIO()
    sheet = canvas.Canvas(out, pagesize=paper, pageCompression=1, invariant=1)
    sheet.setTitle(film.title)
    sheet.setSubject("Storyboard")
    sheet.setCreator("kiebatch")
    book = _Book(sheet, film, workspace, options, paper)
    for number, shot in enumerate(film.shots):
        book.panel(number, shot)
        options.progress(number + 1, len(film.shots))
    sheet.showPage()
    sheet.save()
    files.replace(options.output, out.getvalue())
    return [options.output]


@dataclass(slots=True)
class _Column:
    """Where the next line of a panel's words goes, and how low it may get."""

    x: float
    y: float
    wide: float
    low: float


class _Book:
    def __init__(
        self, sheet: Any, film: Film, workspace: Workspace, options: Options, paper: tuple[float, float]
    ) -> None:
        self.sheet = sheet
        self.film = film
        self.state = workspace.state
        self.paper = paper
        self.columns, self.rows = LAYOUTS[options.layout]
        self.per_page = self.columns * self.rows
        self.pages = -(-len(film.shots) // self.per_page)
        self.size = {1: 11.0, 4: 8.2, 6: 7.6}[options.layout]

    def panel(self, number: int, shot: Cut) -> None:
        place = number % self.per_page
        if place == 0:
            if number:
                self.sheet.showPage()
            self._page(number // self.per_page + 1)
        wide = (self.paper[0] - 2 * _MARGIN - _GAP * (self.columns - 1)) / self.columns
        high = (self.paper[1] - 2 * _MARGIN - _HEAD - _FOOT - _GAP * (self.rows - 1)) / self.rows
        x = _MARGIN + place % self.columns * (wide + _GAP)
        top = self.paper[1] - _MARGIN - _HEAD - place // self.columns * (high + _GAP)
        share = 0.74 if self.per_page == 1 else 0.64
        picture_high = min(high * share, wide * min(1.2, self.film.shape[1] / self.film.shape[0]))
        self._picture(shot, x, top - picture_high, wide, picture_high)
        column = _Column(x, top - picture_high - self.size * 1.5, wide, top - high)
        self._words(column, shot)

    def _page(self, number: int) -> None:
        film, (wide, high) = self.film, self.paper
        base = high - _MARGIN - 10
        self._text(_MARGIN, base, film.title, 14, _INK)
        self._text(wide - _MARGIN, base, film.timecode(film.length), 9, _SOFT, right=True)
        self._text(wide - _MARGIN, _MARGIN - 6, f"{number} / {self.pages}", 8, _SOFT, right=True)
        self.sheet.setStrokeColorRGB(0.84, 0.82, 0.78)
        self.sheet.setLineWidth(0.6)
        self.sheet.line(_MARGIN, base - 8, wide - _MARGIN, base - 8)

    def _words(self, column: _Column, shot: Cut) -> None:
        film, size = self.film, self.size
        right = f"{film.seconds(shot.frames):g} s   {film.timecode(shot.start)}"
        self._text(column.x + column.wide, column.y, right, size * 0.9, _SOFT, right=True)
        taken = self._text(column.x, column.y, shot.name, size * 1.25, _ACCENT) + size
        title = shot.title or (shot.scene_title if self._begins(shot) else "")
        room = column.wide - taken - self._width(right, size * 0.9) - size
        for line in self._wrap(title, size, room)[:1]:
            self._text(column.x + taken, column.y, line, size, _INK)
        column.y -= size * 1.55
        take = shot.shown
        self._field(column, "", f"“{shot.voice_over}”" if shot.voice_over else "", _INK)
        self._field(column, "Camera", shot.camera, _INK)
        self._field(column, "Text", shot.text_overlay, _INK)
        self._field(column, "Ends", shot.transition, _INK)
        self._field(column, "Note", take.standing.note if take else "", _ACCENT)
        self._field(column, "Notes", shot.notes, _INK)
        self._field(column, "", shot.prompt, _SOFT)
        if take:
            facts = [
                f"take {take.number}" + (" of " + str(len(shot.takes)) if len(shot.takes) > 1 else ""),
                take.model,
            ]
            facts += ["picked"] if take.standing.choice == "pick" else []
            self._field(column, "", "   ".join(facts), _SOFT)

    def _begins(self, shot: Cut) -> bool:
        return next(other for other in self.film.shots if other.scene == shot.scene) is shot

    def _field(self, column: _Column, label: str, text: str, colour: tuple[float, float, float]) -> None:
        if not text.strip():
            return
        size = self.size
        indent = self._width(f"{label} ", size * 0.9) + 2 if label else 0.0
        lines = self._wrap(text, size, column.wide - indent)
        for number, line in enumerate(lines):
            if column.y < column.low:
                return
            if column.y - size * 1.25 < column.low and number + 1 < len(lines):
                line = line.rstrip(" ,;") + "…"
            if label and number == 0:
                self._text(column.x, column.y, label, size * 0.9, _SOFT)
            self._text(column.x + indent, column.y, line, size, colour)
            column.y -= size * 1.25
        column.y -= size * 0.2

    def _picture(self, shot: Cut, x: float, y: float, wide: float, high: float) -> None:
        from reportlab.lib.utils import ImageReader

        source = cut.poster(shot.shown, self.state)
        picture = _small(source, wide, high) if source else None
        self.sheet.setStrokeColorRGB(0.7, 0.68, 0.64)
        self.sheet.setLineWidth(0.6)
        if picture is None:
            self.sheet.setFillColorRGB(0.94, 0.93, 0.9)
            self.sheet.rect(x, y, wide, high, fill=1)
            said = (
                "not made yet"
                if shot.shown is None
                else "its file is gone"
                if not shot.shown.path
                else "no picture"
            )
            self._text(x + wide / 2 - self._width(said, self.size) / 2, y + high / 2, said, self.size, _SOFT)
            return
        shown_wide = min(wide, high * picture.width / picture.height)
        shown_high = shown_wide * picture.height / picture.width
        box = (x, y + high - shown_high, shown_wide, shown_high)
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=86)
        packed.seek(0)
        self.sheet.drawImage(ImageReader(packed), *box)
        self.sheet.rect(*box, fill=0)

    # -- text, run by run in a face that has it

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: tuple[float, float, float],
        *,
        right: bool = False,
    ) -> float:
        runs = _runs(text)
        total = self._width(text, size)
        x -= total if right else 0.0
        self.sheet.saveState()
        self.sheet.setFillColorRGB(*colour)
        line = self.sheet.beginText(x, y)
        if _shaped(text):
            self._drawn(x, y, text, size, colour)
            # Seen by who selects and searches alone, who takes what stands from right to left for turned already.
            line.setTextRenderMode(3)
            runs = _runs(_RIGHT_TO_LEFT.sub(lambda found: found[0][::-1], text))
        for face, run in runs:
            line.setFont(face, size)
            line.textOut(run)
        self.sheet.drawText(line)
        self.sheet.restoreState()
        return float(total)

    def _width(self, text: str, size: float) -> float:
        if _shaped(text):
            return lettering.width(text, size * _FINE) / _FINE
        return float(sum(_measure(run, face, size) for face, run in _runs(text)))

    def _drawn(self, x: float, y: float, text: str, size: float, colour: tuple[float, float, float]) -> None:
        """Put a line there as a picture, because its letters join, or run from right to left."""
        from reportlab.lib.utils import ImageReader

        wide, up, down = (round(n * _FINE) + 1 for n in (self._width(text, size), size * 1.3, size * 0.5))
        ink = tuple(round(part * 255) for part in colour)
        picture = Image.new("RGBA", (wide, up + down), (*ink, 0))
        lettering.draw(ImageDraw.Draw(picture), (0, up), text, size * _FINE, (*ink, 255))
        where = (x, y - down / _FINE, wide / _FINE, (up + down) / _FINE)
        self.sheet.drawImage(ImageReader(picture), *where, mask="auto")

    def _wrap(self, text: str, size: float, room: float) -> list[str]:
        lines: list[str] = []
        for paragraph in text.split("\n"):
            line = ""
            for word in lettering.words(paragraph):
                if line and self._width((line + word).rstrip(), size) > room:
                    lines.append(line.rstrip())
                    line = ""
                while self._width(word.rstrip(), size) > room and len(word) > 1:
                    fits = max(
                        1,
                        next(
                            n
                            for n in range(len(word), 0, -1)
                            if n == 1 or self._width(word[:n], size) <= room
                        ),
                    )
                    lines.append(word[:fits])
                    word = word[fits:]
                line += word
            if line.strip():
                lines.append(line.rstrip())
        return lines


def _small(path: Path, wide: float, high: float) -> Image.Image | None:
    try:
        with Image.open(path) as opened:
            most = (round(wide * _SHARP), round(high * _SHARP))
            opened.draft("RGB", most)
            picture = ImageOps.exif_transpose(opened).convert("RGB")
            picture.thumbnail(most, Image.Resampling.LANCZOS)
            return picture
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


@cache
def _shaped(text: str) -> bool:
    """Whether letters of a text take their shape or place from their neighbours, which a PDF's text line does not do."""
    return any(
        unicodedata.bidirectional(c) in ("R", "AL") or "\u0900" <= c <= "\u109f" or "\u1780" <= c <= "\u17ff"
        for c in text
    )


def _measure(run: str, face: str, size: float) -> float:
    from reportlab.pdfbase import pdfmetrics

    return float(pdfmetrics.stringWidth(run, face, size))


@cache
def _embeddable() -> tuple[str, ...]:
    """Return the installed font files that can be embedded: those with TrueType outlines, plain faces first."""
    from reportlab.pdfbase import ttfonts

    found = []
    for path in lettering.faces():
        try:
            ttfonts.TTFontFile(path, subfontIndex=0)
        except (ttfonts.TTFError, OSError, ValueError, KeyError, IndexError):
            continue
        found.append(path)
        if len(found) >= 24:
            break
    return tuple(found)


@cache
def _registered(path: str) -> str:
    from reportlab.pdfbase import pdfmetrics, ttfonts

    name = f"face{len(path)}-{Path(path).stem}"
    pdfmetrics.registerFont(ttfonts.TTFont(name, path))
    return name


@cache
def _asian(character: str) -> str | None:
    from reportlab.pdfbase import cidfonts, pdfmetrics

    for name, (first, last) in _ASIAN:
        if first <= ord(character) <= last:
            if name not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(cidfonts.UnicodeCIDFont(name))
            return name
    return None


@cache
def _runs(text: str) -> tuple[tuple[str, str], ...]:
    """Return text as runs of (font name, text)."""
    found: list[tuple[str, str]] = []

    def add(face: str, run: str) -> None:
        if found and found[-1][0] == face:
            found[-1] = (face, found[-1][1] + run)
        else:
            found.append((face, run))

    for character in text:
        asian = _asian(character)
        if asian and not any(lettering.covers(path, character) for path in _embeddable()):
            add(asian, character)
            continue
        for face, run in lettering.pieces(character, _embeddable()):
            if face:
                add(_registered(face), run)
            else:  # what every reader knows: Helvetica in the Windows code page
                add("Helvetica", run.encode("cp1252", "replace").decode("cp1252"))
    return tuple(found)
