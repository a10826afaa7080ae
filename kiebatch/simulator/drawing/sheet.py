"""The grey sheet that a panel is drawn on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from kiebatch.media.framing import Framing

Point = tuple[float, float]


@dataclass(slots=True)
class Sheet:
    """A grey sheet to draw on, in units of its own height: (0, 0) is the top left, (ratio, 1) the bottom right."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    chance: random.Random
    said: Framing
    unit: float
    ratio: float
    horizon: float
    place: str  # the nearest one drawn

    def at(self, *points: Point) -> list[Point]:
        return [(x * self.unit, y * self.unit) for x, y in points]

    def area(self, points: Sequence[Point], grey: int, line: int | None = None) -> None:
        self.pen.polygon(self.at(*points), fill=grey)
        if line is not None:
            self.stroke([*points, points[0]], line)

    def stroke(self, points: Sequence[Point], grey: int, thick: float = 0.005) -> None:
        wide = max(1, round(thick * self.unit))
        self.pen.line(self.at(*points), fill=grey, width=wide, joint="curve" if wide > 2 else None)

    def disc(self, x: float, y: float, rx: float, ry: float, grey: int, line: int | None = None) -> None:
        box = (
            (x - rx) * self.unit,
            (y - ry) * self.unit,
            max((x - rx) * self.unit, (x + rx) * self.unit),
            max((y - ry) * self.unit, (y + ry) * self.unit),
        )
        self.pen.ellipse(box, fill=grey, outline=line, width=max(1, round(0.004 * self.unit)))

    def line(self, x0: float, y0: float, x1: float, y1: float, grey: int, thick: float = 0.005) -> None:
        self.stroke([(x0, y0), (x1, y1)], grey, thick)


def gradient(width: int, height: int) -> Image.Image:
    """Return grey from black at the top to white below; one column, stretched, as that is ten times as fast."""
    column = Image.linear_gradient("L").resize((1, height))
    return column.resize((width, height), Image.Resampling.NEAREST)
