"""The contact sheet: every shot as a small picture with its name, length and words, on pages of PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from kiebatch import files
from kiebatch.errors import counted
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options, Take
from kiebatch.media import lettering
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

WIDTH = 2400
_MARGIN, _GAP, _HEAD = 60, 36, 110
_PAPER, _INK, _SOFT, _LINE, _ACCENT = (
    (250, 248, 243),
    (28, 28, 32),
    (112, 110, 104),
    (214, 210, 200),
    (206, 62, 30),
)
Cell = tuple[Cut, Take | None]


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the pages: `output`, then `output` with `-2`, `-3`, ... behind its name."""
    film = cut.chosen(project, manifest, picks, workspace, options)
    cells: list[Cell] = []
    for shot in film.shots:
        cells += [(shot, take) for take in shot.told(all_takes=options.all_takes)]
    per_page = options.columns * options.rows
    groups = [cells[n : n + per_page] for n in range(0, len(cells), per_page)]
    written = cut.pages(options.output, len(groups))
    done = 0
    for number, (path, group) in enumerate(zip(written, groups, strict=True), 1):
        page = Page(film, options, workspace, rows=-(-len(group) // options.columns))
        page.head(cut.page_number(number, len(groups)))
        for place, cell in enumerate(group):
            page.cell(place, cell)
            done += 1
            options.progress(done, len(cells))
        out = io.BytesIO()
        page.image.save(out, "PNG", compress_level=6)
        files.replace(path, out.getvalue())
    return written


class Page:
    """One page of small pictures with words below, as a picture to draw on."""

    def __init__(self, film: Film, options: Options, workspace: Workspace, *, rows: int) -> None:
        self.film = film
        self.columns = options.columns
        self.state, self.small = workspace.state, options.derivatives
        self.all_takes = options.all_takes
        self.wide = (WIDTH - 2 * _MARGIN - _GAP * (self.columns - 1)) / self.columns
        shape = film.shape
        # The mat is never higher than it is wide, or tall pictures would make a page of metres.
        self.high = self.wide * min(1.0, shape[1] / shape[0])
        self.size = max(15.0, min(30.0, self.wide * 0.045))
        self.words = self.size * 5.9
        height = _MARGIN * 2 + _HEAD + rows * (self.high + self.words + _GAP) - _GAP
        self.image = Image.new("RGB", (WIDTH, round(height)), _PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def head(self, page: str, *, title: str = "") -> None:
        """Write the title of the film, or another, with how many shots it shows."""
        film = self.film
        shown = lettering.wrap(title or film.title, 46, WIDTH * 0.6, 1)
        lettering.draw(self.pen, (_MARGIN, _MARGIN + 42), shown[0] if shown else "", 46, _INK)
        length = "" if title else film.timecode(film.length)
        said = "   ".join(part for part in (counted(len(film.shots), "shot"), length, page) if part)
        lettering.draw(self.pen, (WIDTH - _MARGIN, _MARGIN + 42), said, 26, _SOFT, anchor="r")
        self.pen.line((_MARGIN, _MARGIN + 68, WIDTH - _MARGIN, _MARGIN + 68), fill=_LINE, width=2)

    def cell(self, place: int, cell: Cell) -> None:
        """Draw one shot: its picture, name, camera, length and words."""
        shot, take = cell
        x, y = self._place(place)
        self._picture(take, x, y)
        name = shot.name + (f"  take {take.number}" if take and (take.number > 1 or self.all_takes) else "")
        choice = {"pick": "picked", "reject": "rejected"}.get(take.standing.choice if take else "", "")
        marks = [choice, shot.camera, f"{self.film.seconds(shot.frames):g} s"]
        self._label(x, y, name, "   ".join(mark for mark in marks if mark))
        said = shot.dialogue or shot.voice_over
        self._lines(
            x, y, [(f"“{said}”" if said else "", _INK, 1), (shot.title, _INK, 1), (shot.words, _SOFT, 3)]
        )

    def reference(self, place: int, source: Path | None, name: str) -> None:
        """Draw a picture that a character comes from."""
        x, y = self._place(place)
        self._shown(source, x, y, "no picture")
        self._label(x, y, "reference", "")
        self._lines(x, y, [(name, _SOFT, 2)])

    def _place(self, number: int) -> tuple[float, float]:
        x = _MARGIN + number % self.columns * (self.wide + _GAP)
        return x, _MARGIN + _HEAD + number // self.columns * (self.high + self.words + _GAP)

    def _label(self, x: float, y: float, name: str, right: str) -> None:
        size, base = self.size, y + self.high
        taken = lettering.draw(self.pen, (x, base + size * 1.45), name, size * 1.15, _ACCENT)
        for line in lettering.wrap(right, size * 0.9, self.wide - taken - size, 1):
            at = (x + self.wide, base + size * 1.45)
            lettering.draw(self.pen, at, line, size * 0.9, _SOFT, anchor="r")

    def _lines(self, x: float, y: float, texts: Sequence[tuple[str, tuple[int, int, int], int]]) -> None:
        """Write texts below the label, three lines in all; each text has a colour and a most of lines."""
        size, base = self.size, y + self.high
        line = 0
        for text, fill, most in texts:
            room = min(most, 3 - line)
            for said in lettering.wrap(" ".join(text.split()), size * 0.9, self.wide, room) if room else ():
                lettering.draw(self.pen, (x, base + size * (2.8 + 1.2 * line)), said, size * 0.9, fill)
                line += 1

    def _picture(self, take: Take | None, x: float, y: float) -> None:
        box = self._shown(cut.poster(take, self.state, self.small), x, y, cut.why_empty(take))
        if take and take.asset.type == "video":
            self._badge(box, f"{take.asset.duration:g} s clip" if take.asset.duration else "clip")
        if take and take.standing.choice == "pick":
            self.pen.rectangle(box, outline=_ACCENT, width=6)

    def _shown(self, source: Path | None, x: float, y: float, missing: str) -> tuple[int, int, int, int]:
        """Draw a picture into its box, or why there is none; return the box."""
        box = (round(x), round(y), round(x + self.wide), round(y + self.high))
        small = _fitted(source, (box[2] - box[0], box[3] - box[1])) if source else None
        if small is None:
            self.pen.rectangle(box, fill=(236, 232, 224), outline=_LINE, width=2)
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            lettering.draw(self.pen, middle, missing, self.size, _SOFT, anchor="m")
            return box
        self.pen.rectangle(box, fill=(32, 32, 36))
        left = box[0] + (box[2] - box[0] - small.width) // 2
        self.image.paste(small, (left, box[1] + (box[3] - box[1] - small.height) // 2))
        return box

    def _badge(self, box: tuple[int, int, int, int], text: str) -> None:
        size = self.size * 0.8
        wide = lettering.width(text, size) + size
        self.pen.rectangle(
            (box[2] - wide - 8, box[1] + 8, box[2] - 8, box[1] + 8 + size * 1.6), fill=(20, 20, 24)
        )
        lettering.draw(
            self.pen, (box[2] - 8 - wide / 2, box[1] + 8 + size * 1.2), text, size, _PAPER, anchor="m"
        )


def _fitted(source: Path, size: tuple[int, int]) -> Image.Image | None:
    try:
        with Image.open(source) as opened:
            opened.draft("RGB", size)
            turned = ImageOps.exif_transpose(opened).convert("RGB")
            return ImageOps.contain(turned, size, Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
