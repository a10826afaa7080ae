"""The contact sheet: every shot as a small picture with its name, length and words, on pages of PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from kiebatch import files
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
        if options.all_takes and shot.takes:
            cells += [(shot, take) for take in shot.takes]
        else:
            cells.append((shot, shot.shown))
    per_page = options.columns * options.rows
    groups = [cells[n : n + per_page] for n in range(0, len(cells), per_page)]
    written = cut.pages(options.output, len(groups))
    done = 0
    for number, (path, group) in enumerate(zip(written, groups, strict=True), 1):
        page = _Page(film, options, workspace, rows=-(-len(group) // options.columns))
        page.head(f"{number} / {len(groups)}" if len(groups) > 1 else "")
        for place, cell in enumerate(group):
            page.cell(place, cell)
            done += 1
            options.progress(done, len(cells))
        out = io.BytesIO()
        page.image.save(out, "PNG", compress_level=6)
        files.replace(path, out.getvalue())
    return written


class _Page:
    def __init__(self, film: Film, options: Options, workspace: Workspace, *, rows: int) -> None:
        self.film = film
        self.columns = options.columns
        self.state = workspace.state
        self.all_takes = options.all_takes
        self.wide = (WIDTH - 2 * _MARGIN - _GAP * (self.columns - 1)) / self.columns
        shape = film.shape
        # A tall picture is no reason for a page of metres: the mat is never higher than it is wide.
        self.high = self.wide * min(1.0, shape[1] / shape[0])
        self.size = max(15.0, min(30.0, self.wide * 0.045))
        self.words = self.size * 5.9
        height = _MARGIN * 2 + _HEAD + rows * (self.high + self.words + _GAP) - _GAP
        self.image = Image.new("RGB", (WIDTH, round(height)), _PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def head(self, page: str) -> None:
        film = self.film
        shown = lettering.wrap(film.title, 46, WIDTH * 0.6, 1)
        lettering.draw(self.pen, (_MARGIN, _MARGIN + 42), shown[0] if shown else "", 46, _INK)
        count = len(film.shots)
        said = f"{count} shot{'' if count == 1 else 's'}   {film.timecode(film.length)}   {page}".rstrip()
        lettering.draw(self.pen, (WIDTH - _MARGIN, _MARGIN + 42), said, 26, _SOFT, anchor="r")
        self.pen.line((_MARGIN, _MARGIN + 68, WIDTH - _MARGIN, _MARGIN + 68), fill=_LINE, width=2)

    def cell(self, place: int, cell: Cell) -> None:
        shot, take = cell
        x = _MARGIN + place % self.columns * (self.wide + _GAP)
        y = _MARGIN + _HEAD + place // self.columns * (self.high + self.words + _GAP)
        self._picture(take, x, y)
        size, base = self.size, y + self.high
        name = shot.name + (f"  take {take.number}" if take and (take.number > 1 or self.all_takes) else "")
        taken = lettering.draw(self.pen, (x, base + size * 1.45), name, size * 1.15, _ACCENT)
        standing = take.standing if take else None
        marks = [
            "picked" if standing and standing.choice == "pick" else "",
            "rejected" if standing and standing.choice == "reject" else "",
            shot.camera,
            f"{self.film.seconds(shot.frames):g} s",
        ]
        right = "   ".join(mark for mark in marks if mark)
        fitted = lettering.wrap(right, size * 0.9, self.wide - taken - size, 1)
        if fitted:
            lettering.draw(
                self.pen, (x + self.wide, base + size * 1.45), fitted[0], size * 0.9, _SOFT, anchor="r"
            )
        words: Sequence[tuple[str, tuple[int, int, int], int]] = (
            (f"“{shot.dialogue or shot.voice_over}”" if shot.dialogue or shot.voice_over else "", _INK, 1),
            (shot.title if shot.title else "", _INK, 1),
            (shot.prompt, _SOFT, 3),
        )
        line = 0
        for text, fill, most in words:
            for said in lettering.wrap(" ".join(text.split()), size * 0.9, self.wide, min(most, 3 - line)):
                lettering.draw(self.pen, (x, base + size * (2.8 + 1.2 * line)), said, size * 0.9, fill)
                line += 1
            if line >= 3:
                break

    def _picture(self, take: Take | None, x: float, y: float) -> None:
        box = (round(x), round(y), round(x + self.wide), round(y + self.high))
        source = cut.poster(take, self.state)
        if source is not None:
            try:
                with Image.open(source) as opened:
                    opened.draft("RGB", (box[2] - box[0], box[3] - box[1]))
                    turned = ImageOps.exif_transpose(opened).convert("RGB")
                    small = ImageOps.contain(
                        turned, (box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS
                    )
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                source = None
            else:
                self.pen.rectangle(box, fill=(32, 32, 36))
                left = box[0] + (box[2] - box[0] - small.width) // 2
                self.image.paste(small, (left, box[1] + (box[3] - box[1] - small.height) // 2))
        if source is None:
            self.pen.rectangle(box, fill=(236, 232, 224), outline=_LINE, width=2)
            said = (
                "not made yet" if take is None else "its file is gone" if take.path is None else "no picture"
            )
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            lettering.draw(self.pen, middle, said, self.size, _SOFT, anchor="m")
        if take and take.asset.type == "video":
            self._badge(box, f"{take.asset.duration:g} s clip" if take.asset.duration else "clip")
        if take and take.standing.choice == "pick":
            self.pen.rectangle(box, outline=_ACCENT, width=6)

    def _badge(self, box: tuple[int, int, int, int], text: str) -> None:
        size = self.size * 0.8
        wide = lettering.width(text, size) + size
        self.pen.rectangle(
            (box[2] - wide - 8, box[1] + 8, box[2] - 8, box[1] + 8 + size * 1.6), fill=(20, 20, 24)
        )
        lettering.draw(
            self.pen, (box[2] - 8 - wide / 2, box[1] + 8 + size * 1.2), text, size, _PAPER, anchor="m"
        )
