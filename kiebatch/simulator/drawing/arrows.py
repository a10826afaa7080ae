"""The camera move as arrows in a finished picture, in the red that storyboards use for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from PIL import Image, ImageDraw

from kiebatch.simulator.drawing.sheet import Point

ACCENT = (226, 74, 42)
_MOST = 1_300_000  # pixels up to which they are drawn at twice the size


class _Layer:
    """A mask to draw on; places are shares of its width and height."""

    def __init__(self, wide: int, high: int) -> None:
        self.image = Image.new("L", (wide, high), 0)
        self.pen = ImageDraw.Draw(self.image)
        self.size = (wide, high)
        self.unit = min(wide, high)
        self.thick = max(2, round(self.unit * 0.016))
        self.thin = max(1, self.thick // 2)

    def at(self, x: float, y: float) -> Point:
        return x * self.size[0], y * self.size[1]

    def line(self, *points: Point, thin: bool = False) -> None:
        self.pen.line([self.at(*p) for p in points], fill=255, width=self.thin if thin else self.thick)

    def frame(self, left: float, top: float, right: float, bottom: float) -> None:
        self.pen.rectangle((*self.at(left, top), *self.at(right, bottom)), outline=255, width=self.thin)

    def arrow(self, start: Point, end: Point) -> None:
        (x0, y0), (x1, y1) = self.at(*start), self.at(*end)
        angle = math.atan2(y1 - y0, x1 - x0)
        barb = self.unit * 0.06
        shaft = (x1 - math.cos(angle) * barb * 0.7, y1 - math.sin(angle) * barb * 0.7)
        self.pen.line((x0, y0, *shaft), fill=255, width=self.thick)
        sides = [
            (x1 + barb * math.cos(angle + turn), y1 + barb * math.sin(angle + turn)) for turn in (2.65, -2.65)
        ]
        self.pen.polygon([(x1, y1), *sides], fill=255)


def draw(art: Image.Image, move: str) -> None:
    """Draw a camera move into a picture; a move that is not known is the frame of a camera that is held."""
    scale = 2 if art.width * art.height <= _MOST else 1
    layer = _Layer(art.width * scale, art.height * scale)
    _MOVES.get(move, _held)(layer)
    mask = layer.image.reduce(2) if scale > 1 else layer.image
    art.paste(ACCENT, (0, 0), mask)


def _zoom(layer: _Layer, *, inward: bool) -> None:
    layer.frame(0.24, 0.24, 0.76, 0.76)
    wide, high = layer.size
    margin_x, margin_y = 0.05 * layer.unit / wide, 0.05 * layer.unit / high
    for x in (0, 1):
        for y in (0, 1):
            outer = (abs(x - margin_x), abs(y - margin_y))
            inner = (0.24 + 0.52 * x, 0.24 + 0.52 * y)
            layer.arrow(*_turned(outer, inner, inward))


def _pan(layer: _Layer, *, right: bool) -> None:
    layer.arrow(*_turned((0.2, 0.1), (0.8, 0.1), right))


def _track(layer: _Layer, *, right: bool) -> None:
    layer.arrow(*_turned((0.2, 0.9), (0.8, 0.9), right))
    for n in range(7):  # the rails
        layer.line((0.2 + n * 0.1, 0.93), (0.2 + n * 0.1, 0.97), thin=True)
    layer.line((0.2, 0.95), (0.8, 0.95), thin=True)


def _tilt(layer: _Layer, *, down: bool) -> None:
    layer.arrow(*_turned((0.92, 0.18), (0.92, 0.82), down))


def _crane(layer: _Layer, *, down: bool) -> None:
    for x in (0.06, 0.94):
        layer.arrow(*_turned((x, 0.15), (x, 0.85), down))


def _turned(a: Point, b: Point, forward: bool) -> tuple[Point, Point]:
    return (a, b) if forward else (b, a)


def _orbit(layer: _Layer) -> None:
    layer.pen.arc((*layer.at(0.18, 0.68), *layer.at(0.82, 0.95)), 10, 170, fill=255, width=layer.thick)
    layer.arrow((0.2, 0.87), (0.175, 0.79))


def _handheld(layer: _Layer) -> None:
    for shift in (-0.012, 0.012):
        layer.frame(0.07 + shift, 0.08 - shift, 0.93 + shift, 0.92 - shift)


def _held(layer: _Layer) -> None:
    """Draw the corner marks of a viewfinder that stays."""
    wide, high = layer.size
    long_x, long_y = 0.09 * layer.unit / wide, 0.09 * layer.unit / high
    for x in (0.06, 0.94):
        for y in (0.08, 0.92):
            dx, dy = math.copysign(long_x, 0.5 - x), math.copysign(long_y, 0.5 - y)
            layer.line((x + dx, y), (x, y), (x, y + dy), thin=True)


_MOVES: Mapping[str, Callable[[_Layer], None]] = {
    "push in": partial(_zoom, inward=True),
    "pull out": partial(_zoom, inward=False),
    "pan left": partial(_pan, right=False),
    "pan right": partial(_pan, right=True),
    "track left": partial(_track, right=False),
    "track right": partial(_track, right=True),
    "tilt up": partial(_tilt, down=False),
    "tilt down": partial(_tilt, down=True),
    "crane up": partial(_crane, down=False),
    "crane down": partial(_crane, down=True),
    "orbit": _orbit,
    "handheld": _handheld,
}
