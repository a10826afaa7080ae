"""The storyboard as a PDF: panels with scene headings, dialogue, sound, camera and notes; its text can be copied.

The author's words are printed, not the prompt as it is sent: styles and characters stand once, on the first page.
"""

from __future__ import annotations

import datetime as dt
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from kiebatch import files
from kiebatch.errors import Invalid, plain
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options
from kiebatch.exports.typesetting import Colour, Typesetter
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

if TYPE_CHECKING:
    from fpdf import FPDF

MOST_PANELS = 12
# How a number of panels is laid out in landscape, columns and rows; portrait turns it.
GRIDS = {
    1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2), 5: (3, 2), 6: (3, 2), 7: (4, 2), 8: (4, 2), 9: (3, 3), 10: (5, 2),
    11: (4, 3), 12: (4, 3),
}  # fmt: skip
# What can be printed beside a panel, by the name that `--fields` takes; the label is empty where the text says itself.
FIELDS = {
    "action": "Action",
    "dialogue": "",
    "voice_over": "Voice",
    "camera": "Camera",
    "text_overlay": "Text",
    "sfx": "Sound",
    "music": "Music",
    "transition": "Transition",
    "notes": "Notes",
    "review": "Note",
    "prompt": "",
    "take": "",
}
_PAPERS = {"a4": (841.89, 595.28), "letter": (792.0, 612.0)}  # points, landscape
_MARGIN, _GAP, _HEAD, _FOOT = 34.0, 16.0, 26.0, 20.0
_INK: Colour = (26, 26, 31)
_SOFT: Colour = (107, 105, 97)
_ACCENT: Colour = (204, 61, 31)
_LINE: Colour = (214, 209, 199)
_SHARP = 2.6  # pixels of a picture per point of paper, some 190 dpi
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the PDF.  `Invalid` for a grid or a field that there is not, or when the extra `pdf` is missing."""
    try:
        from fpdf import FPDF
    except ImportError:
        raise cut.missing_extra("pdf") from None
    columns, rows = options.grid
    if not 1 <= columns * rows <= MOST_PANELS:
        shown = f"{columns} x {rows}" if columns > 1 and rows > 1 else str(columns * rows)
        raise Invalid(f"a page holds 1 to {MOST_PANELS} panels, found {shown}")
    unknown = [name for name in options.fields if name not in FIELDS]
    if unknown:
        raise Invalid(f"there is no field `{plain(unknown[0])}`", hint=f"fields are {', '.join(FIELDS)}")
    film = cut.chosen(project, manifest, picks, workspace, options)
    wide, high = _PAPERS[options.paper]
    pdf = FPDF(unit="pt", format=(high, wide) if options.portrait else (wide, high))
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    _describe(pdf, film, options)
    with tempfile.TemporaryDirectory(prefix="kiebatch-fonts-") as folder:
        _Book(pdf, film, project, workspace, options, Path(folder)).write()
        written = bytes(pdf.output())
    files.replace(options.output, written)
    return [options.output]


def _describe(pdf: FPDF, film: Film, options: Options) -> None:
    pdf.set_title(film.title)
    pdf.set_subject("Storyboard")
    pdf.set_creator("kiebatch")
    if options.author:
        pdf.set_author(options.author)
    # The same film on the same day gives the same bytes.
    day = dt.date.fromisoformat(options.date) if options.date else None
    pdf.set_creation_date(dt.datetime.combine(day, dt.time(), dt.UTC) if day else _EPOCH)


@dataclass(slots=True)
class _Column:
    """Where the next line of words goes, and how low it may get; y counts down from the top of the page."""

    x: float
    y: float
    wide: float
    low: float

    @property
    def full(self) -> bool:
        return self.y > self.low


@dataclass(frozen=True, slots=True)
class _Text:
    """A paragraph beside a panel or on the first page."""

    label: str
    text: str
    colour: Colour = _INK


class _Book:
    def __init__(
        self, pdf: FPDF, film: Film, project: Project, workspace: Workspace, options: Options, fonts: Path
    ) -> None:
        self.pdf = pdf
        self.film = film
        self.project = project
        self.workspace = workspace
        self.options = options
        self.columns, self.rows = options.grid
        self.per_page = self.columns * self.rows
        self.size = {1: 11.0, 2: 9.4, 3: 8.6}.get(max(self.columns, self.rows), 7.4)
        self.foreword = list(self._foreword())
        self.pages = -(-len(film.shots) // self.per_page) + bool(self.foreword)
        self.firsts = {film.shots[0].name, *(b.name for a, b in pairwise(film.shots) if a.scene != b.scene)}
        self.type = Typesetter(pdf, self._everything(), fonts)

    def write(self) -> None:
        if self.foreword:
            self._page(1)
            self._front()
        for number, shot in enumerate(self.film.shots):
            place = number % self.per_page
            if place == 0:
                self._page(number // self.per_page + 1 + bool(self.foreword))
            self._panel(place, shot)
            self.options.progress(number + 1, len(self.film.shots))

    def _everything(self) -> Iterator[str]:
        """Yield all that is written, by which fonts are chosen."""
        yield f"{self.film.title} Draft Scene of {self.options.author} {self.options.mark} 0123456789:./·…“”"
        for text in self.foreword:
            yield text.label + text.text
        for shot in self.film.shots:
            yield from (shot.name, shot.group, shot.scene_title, shot.title, shot.slugline)
            for text in self._texts(shot):
                yield text.label + text.text

    # -- pages

    def _page(self, number: int) -> None:
        self.pdf.add_page()
        wide, high = self.pdf.w, self.pdf.h
        base = _MARGIN + 8
        right = wide - _MARGIN
        right -= self.type.line(right, base, self.film.timecode(self.film.length), 9, _SOFT, right=True) + 10
        if self.workspace.draft:
            right -= self.type.line(right, base, "Draft", 11, _ACCENT, right=True) + 10
        self.type.line(_MARGIN, base, self._one_line(self.film.title, 13, right - _MARGIN), 13, _INK)
        self._rule(base + 7)
        foot = high - _MARGIN + 8
        said = "   ".join(
            part for part in (self.options.author, self.options.date, self.options.mark) if part
        )
        self.type.line(_MARGIN, foot, said, 8, _SOFT)
        self.type.line(wide - _MARGIN, foot, f"{number} / {self.pages}", 8, _SOFT, right=True)

    def _rule(self, y: float) -> None:
        self.pdf.set_draw_color(*_LINE)
        self.pdf.set_line_width(0.6)
        self.pdf.line(_MARGIN, y, self.pdf.w - _MARGIN, y)

    def _foreword(self) -> Iterator[_Text]:
        """Yield what is said once: the film's notes, and the characters and styles that its shots name."""
        if self.project.notes:
            yield _Text("", self.project.notes)
        shown = {(shot.scene, shot.shot) for shot in self.film.shots}
        shots = [
            shot for scene in self.project.scenes for shot in scene.shots if (scene.id, shot.id) in shown
        ]
        for name in _named(shot.characters for shot in shots):
            yield _Text(name, self.project.characters[name].text)
        for name in _named(shot.styles for shot in shots):
            words = self.project.styles.get(name, "")
            yield _Text(name if words else "Style", words or name, _SOFT)

    def _front(self) -> None:
        size = 10.0
        column = _Column(
            _MARGIN, _MARGIN + _HEAD + 16, self.pdf.w - 2 * _MARGIN, self.pdf.h - _MARGIN - _FOOT
        )
        indent = max([self.type.width(text.label, size) for text in self.foreword if text.label], default=0.0)
        for text in self.foreword:
            self._paragraph(
                column, text, size, indent=min(indent + 12, column.wide / 3) if text.label else 0.0
            )
            column.y += size * 0.7

    # -- panels

    def _panel(self, place: int, shot: Cut) -> None:
        pdf = self.pdf
        wide = (pdf.w - 2 * _MARGIN - _GAP * (self.columns - 1)) / self.columns
        high = (pdf.h - 2 * _MARGIN - _HEAD - _FOOT - _GAP * (self.rows - 1)) / self.rows
        x = _MARGIN + place % self.columns * (wide + _GAP)
        top = _MARGIN + _HEAD + place // self.columns * (high + _GAP)
        head = self.size * 1.7
        self._heading(shot, x, top + self.size, wide)
        beside, picture = self._picture_width(wide, high - head)
        self._picture(shot, x, top + head, picture, picture * self._ratio)
        if beside:
            left = picture + self.size
            column = _Column(x + left, top + head + self.size, wide - left, top + high)
        else:
            column = _Column(x, top + head + picture * self._ratio + self.size * 1.4, wide, top + high)
        self._words(column, shot)

    @property
    def _ratio(self) -> float:
        return self.film.shape[1] / self.film.shape[0]

    def _picture_width(self, wide: float, room: float) -> tuple[bool, float]:
        """Return whether the words go beside the picture, and its width: whichever way makes it larger.

        Above its words a picture leaves room for eight lines; beside them, two fifths of the panel.
        """
        above = min(wide, (room - self.size * 1.25 * 8) / self._ratio)
        beside = min(wide * 0.6, room / self._ratio)
        return (True, beside) if beside > above else (False, above)

    def _one_line(self, text: str, size: float, room: float) -> str:
        """Return what of a text fits one line, with `…` where that is not all."""
        lines = self.type.wrap(text, size, room)
        return lines[0].rstrip(" ,;-") + "…" if len(lines) > 1 else "".join(lines)

    def _heading(self, shot: Cut, x: float, y: float, wide: float) -> None:
        """Name act and scene over the scene's first panel."""
        if shot.name not in self.firsts:
            return
        title = " ".join(part for part in (str(shot.scene), shot.scene_title) if part)
        said = "   ".join(part for part in (shot.group, title, shot.slugline) if part)
        self.type.line(x, y, self._one_line(said, self.size * 1.05, wide), self.size * 1.05, _INK)
        self.pdf.set_draw_color(*_LINE)
        self.pdf.set_line_width(0.6)
        self.pdf.line(x, y + self.size * 0.4, x + wide, y + self.size * 0.4)

    def _words(self, column: _Column, shot: Cut) -> None:
        film, size = self.film, self.size
        right = f"{film.seconds(shot.frames):g} s   {film.timecode(shot.start)}"
        taken = self.type.line(column.x, column.y, shot.name, size * 1.25, _ACCENT) + size
        free = column.wide - taken - self.type.width(right, size * 0.9) - size
        if free < 0:  # a narrow column has the time on a line of its own
            column.y += size * 1.3
            free = 0.0
        self.type.line(column.x + column.wide, column.y, right, size * 0.9, _SOFT, right=True)
        if free > size * 3:
            self.type.line(column.x + taken, column.y, self._one_line(shot.title, size, free), size, _INK)
        column.y += size * 1.5
        for text in self._texts(shot):
            self._paragraph(column, text, size)
            column.y += size * 0.2

    def _texts(self, shot: Cut) -> list[_Text]:
        take = shot.shown
        camera = ", ".join(part for part in (shot.shot_size, shot.lens, shot.camera) if part)
        facts: list[str] = []
        if take:
            among = f" of {len(shot.takes)}" if len(shot.takes) > 1 else ""
            facts += [f"take {take.number}{among}", take.model]
        if shot.is_picked:
            facts.append("picked")
        said = {
            "action": (shot.action, _INK),
            "dialogue": (shot.dialogue, _INK),
            "voice_over": (f"“{shot.voice_over}”" if shot.voice_over else "", _INK),
            "camera": (camera, _INK),
            "text_overlay": (shot.text_overlay, _INK),
            "sfx": (shot.sfx, _INK),
            "music": (shot.music, _INK),
            "transition": (shot.transition, _INK),
            "notes": (shot.notes, _INK),
            "review": ("\n".join(_review(shot)), _ACCENT),
            "prompt": (shot.words, _SOFT),
            "take": ("   ".join(facts), _SOFT),
        }
        wanted = self.options.fields or tuple(FIELDS)
        return [
            _Text(FIELDS[name], *said[name]) for name in FIELDS if name in wanted and said[name][0].strip()
        ]

    def _paragraph(self, column: _Column, text: _Text, size: float, *, indent: float | None = None) -> None:
        if indent is None:
            indent = self.type.width(text.label, size * 0.9) + size * 0.5 if text.label else 0.0
        lines = self.type.wrap(text.text, size, column.wide - indent) or [""]
        for number, line in enumerate(lines):
            if column.full:
                return
            more = number + 1 < len(lines)
            if more and column.y + size * 1.25 > column.low:
                line = line.rstrip(" ,;") + "…"
            if text.label and number == 0:
                self.type.line(column.x, column.y, text.label, size * 0.9, _SOFT)
            self.type.line(column.x + indent, column.y, line, size, text.colour)
            column.y += size * 1.25

    def _picture(self, shot: Cut, x: float, y: float, wide: float, high: float) -> None:
        source = cut.poster(shot.shown, self.workspace.state, self.options.derivatives)
        picture = _small(source, wide, high) if source else None
        self.pdf.set_draw_color(*_LINE)
        self.pdf.set_line_width(0.6)
        if picture is None:
            self.pdf.set_fill_color(240, 237, 230)
            self.pdf.rect(x, y, wide, high, style="DF")
            said = cut.why_empty(shot.shown)
            left = x + (wide - self.type.width(said, self.size)) / 2
            self.type.line(left, y + high / 2, said, self.size, _SOFT)
            return
        shown = min(wide, high * picture.width / picture.height)
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=86)
        packed.seek(0)
        box = (x + (wide - shown) / 2, y, shown, shown * picture.height / picture.width)
        self.pdf.image(packed, *box)
        self.pdf.rect(*box)


def _review(shot: Cut) -> Iterator[str]:
    """Yield what the review says of the shown take and of the shot, where it is not done."""
    if shot.shown and shot.shown.standing.note:
        yield shot.shown.standing.note
    for thread in shot.threads:
        if not thread.first.done:
            yield f"{thread.first.author}: {thread.first.text}".removeprefix(": ")
            yield from (f"{reply.author}: {reply.text}".removeprefix(": ") for reply in thread.replies)


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


def _named(names: Iterable[Sequence[str]]) -> Iterable[str]:
    """Return all names, each once, in the order of the shots."""
    return dict.fromkeys(chain.from_iterable(names))
