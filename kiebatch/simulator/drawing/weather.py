"""Rain, snow, fog and lightning over a panel, and the pencil's own marks."""

from __future__ import annotations

from PIL import Image, ImageChops

from kiebatch.simulator.drawing.sheet import Point, Sheet, gradient


def weather(s: Sheet) -> None:
    draw = _WEATHERS.get(s.said.weather)
    if draw:
        draw(s)


def _rain(s: Sheet) -> None:
    _drops(s, 150, slant=0.05)


def _storm(s: Sheet) -> None:
    _drops(s, 260, slant=0.11)
    if s.chance.random() < 0.6 and s.place != "room":
        x, y = s.chance.uniform(0.1, 0.9) * s.ratio, 0.0
        bolt: list[Point] = [(x, y)]
        while y < max(0.2, s.horizon) - 0.05:
            x, y = x + s.chance.uniform(-0.05, 0.05), y + s.chance.uniform(0.04, 0.09)
            bolt.append((x, y))
        s.stroke(bolt, 255, 0.007)


def _drops(s: Sheet, count: int, *, slant: float) -> None:
    for _ in range(count):
        x, y = s.chance.uniform(-0.1, s.ratio + 0.1), s.chance.uniform(-0.1, 1)
        long = s.chance.uniform(0.04, 0.11)
        s.line(x, y, x - slant * long * 8, y + long, s.chance.randrange(170, 240), 0.0022)


def _snow(s: Sheet) -> None:
    for _ in range(220):
        r = s.chance.uniform(0.002, 0.007)
        s.disc(s.chance.uniform(0, s.ratio), s.chance.uniform(0, 1), r, r, 252)


def _fog(s: Sheet) -> None:
    wide, high = s.image.size
    veil = gradient(wide, max(1, high // 2))
    both = Image.new("L", (wide, high), 0)
    both.paste(veil, (0, 0))
    both.paste(veil.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, high - veil.height))
    level = max(150, min(235, 120 + round(s.chance.uniform(40, 70))))
    shift = round((min(0.8, max(0.2, s.horizon)) - 0.5) * high)
    mask = ImageChops.offset(both, 0, shift).point([v * 150 // 255 for v in range(256)])
    s.image.paste(level, (0, 0, wide, high), mask)


_WEATHERS = {"rain": _rain, "storm": _storm, "snow": _snow, "fog": _fog}


def pencil(s: Sheet) -> None:
    """Hatch two corners, as a hand would, and frame the picture."""
    for corner in s.chance.sample(range(4), 2):
        right, below = corner % 2, corner // 2
        ox, oy = right * s.ratio, float(below)
        sx, sy = 1 - 2 * right, 1 - 2 * below
        reach = s.chance.uniform(0.16, 0.3)
        for n in range(1, 15):
            d = reach * n / 14 + s.chance.uniform(-0.006, 0.006)
            s.line(
                ox + sx * d,
                oy,
                ox,
                oy + sy * d,
                72 if s.said.light in ("night", "lamplight") else 118,
                0.0025,
            )
