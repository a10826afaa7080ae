"""Places, sky and ground of a panel: only those that the words name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from kiebatch.media.framing import Framing
from kiebatch.simulator.drawing.sheet import Point, Sheet, gradient

FARTHEST = ("space", "mountains", "city", "field", "sea", "forest", "room")


# Grey at the top of the sky and at the horizon, by the light.
_SKIES = {"night": (70, 130), "dusk": (120, 240), "dawn": (165, 248), "lamplight": (60, 150)}


def shown(said: Framing) -> tuple[str, ...]:
    """Return the places to draw, the farthest first: a room is all there is, the sea lies before the hills.

    None where the words name none: a wrong place is worse than none.
    """
    if said.places[:1] == ("room",) or (not said.places and said.light == "lamplight"):
        return ("room",)
    outside = [place for place in said.places if place != "room"][:2]
    return tuple(sorted(outside, key=FARTHEST.index))


def sky(s: Sheet) -> None:
    top, low = _SKIES.get(s.said.light, (205, 240))
    if s.said.weather in ("storm", "rain"):
        top, low = int(top * 0.7), int(low * 0.82)
    ramp = gradient(*s.image.size)
    s.image.paste(ramp.point([round(top + (low - top) * level / 255) for level in range(256)]))
    if s.place in ("", "room", "space"):
        return
    x = s.chance.uniform(0.15, 0.85) * s.ratio
    if s.said.light == "night":
        _night(s, x, top)
    elif s.said.weather in ("clear", "snow"):
        y = s.horizon - 0.05 if s.said.light in ("dusk", "dawn") else 0.18
        s.disc(x, y, 0.075, 0.075, 255)
    if s.said.weather != "clear" or s.chance.random() < 0.5:
        grey = max(20, top - 35) if s.said.weather == "storm" else top + 22
        _clouds(s, 4 if s.said.weather == "clear" else 9, grey)


def _night(s: Sheet, x: float, top: int) -> None:
    """Draw stars, and the moon at `x` where no cloud hides it."""
    for _ in range(40):
        sx, sy, r = s.chance.uniform(0, s.ratio), s.chance.uniform(0, max(0.1, s.horizon)), 0.0022
        s.disc(sx, sy, r, r, 230)
    if s.said.weather == "clear":
        s.disc(x, 0.17, 0.06, 0.06, 245)
        s.disc(x + 0.025, 0.16, 0.055, 0.055, top + 12)


def _clouds(s: Sheet, count: int, grey: int) -> None:
    for _ in range(count):
        cx, cy = s.chance.uniform(0, s.ratio), s.chance.uniform(0.02, max(0.1, s.horizon * 0.5))
        for n in range(5):
            r = s.chance.uniform(0.03, 0.075)
            s.disc(cx + n * 0.06, cy + s.chance.uniform(-0.02, 0.02), r * 1.5, r * 0.7, grey)


def ground(s: Sheet) -> None:
    if s.place in ("sea", "room", "space"):
        return
    grey = {"night": 62, "lamplight": 70, "dusk": 110}.get(s.said.light, 178)
    s.area([(0, s.horizon), (s.ratio, s.horizon), (s.ratio, 1), (0, 1)], grey)
    s.line(0, s.horizon, s.ratio, s.horizon, 50, 0.004)
    if s.said.angle == "overhead":
        for n in range(9):
            x = s.ratio * n / 8
            s.line(x, 0, x, 1, 120, 0.003)
            s.line(0, n / 8, s.ratio, n / 8, 120, 0.003)


def _sea(s: Sheet) -> None:
    base = {"night": 52, "lamplight": 70, "dusk": 105}.get(s.said.light, 150)
    y0 = max(0.0, s.horizon)
    s.area([(0, y0), (s.ratio, y0), (s.ratio, 1), (0, 1)], base)
    rough = {"storm": 0.02, "rain": 0.012}.get(s.said.weather, 0.006)
    y, step = y0 + 0.02, 0.02
    while y < 1.02:
        depth = (y - y0) / max(0.05, 1 - y0)
        start = s.chance.uniform(-0.2, 0)
        while start < s.ratio:
            length = s.chance.uniform(0.08, 0.3) * (0.4 + depth)
            height = rough * (0.4 + 2 * depth)
            points = [(start + length * n / 10, y - height * math.sin(math.pi * n / 10)) for n in range(11)]
            s.stroke(points, base + (60 if s.chance.random() < 0.6 else -38), 0.002 + 0.004 * depth)
            start += length + s.chance.uniform(0.02, 0.25)
        y += step
        step *= 1.22


def _mountains(s: Sheet) -> None:
    for layer in range(3):
        grey = {"night": 48, "dusk": 95}.get(s.said.light, 150) + (2 - layer) * 24
        base = max(0.15, s.horizon) + 0.02 * layer
        points: list[Point] = [(0, base)]
        x = -0.1
        while x < s.ratio + 0.2:
            peak = base - s.chance.uniform(0.08, 0.36 - 0.09 * layer)
            points += [(x, base - 0.04), (x + 0.14, peak), (x + 0.2, peak + 0.05)]
            x += s.chance.uniform(0.25, 0.45)
        points += [(s.ratio + 0.1, base), (s.ratio, base)]
        s.area(points, grey)
        s.stroke(points[1:-2], max(20, grey - 60), 0.004)


def _city(s: Sheet) -> None:
    lit = 245 if s.said.light in ("night", "dusk", "lamplight") else 215
    x = -0.05
    while x < s.ratio:
        wide, top = s.chance.uniform(0.1, 0.22), s.horizon - s.chance.uniform(0.18, 0.5)
        grey = {"night": 40, "dusk": 80}.get(s.said.light, 150) + s.chance.randrange(-14, 24)
        base = s.horizon + 0.01
        s.area([(x, top), (x + wide, top), (x + wide, base), (x, base)], grey, max(14, grey - 45))
        rows, columns = int((base - top) / 0.06), max(1, int(wide / 0.045))
        for row in range(rows):
            for column in range(columns):
                if s.chance.random() < 0.55:
                    wx, wy = x + 0.015 + column * 0.045, top + 0.02 + row * 0.06
                    s.area([(wx, wy), (wx + 0.018, wy), (wx + 0.018, wy + 0.03), (wx, wy + 0.03)], lit)
        x += wide + s.chance.uniform(0, 0.03)
    middle = s.ratio * s.chance.uniform(0.4, 0.6)
    for end in (-0.35, 0.35):
        s.line(middle, s.horizon, middle + end * s.ratio * 1.6, 1.02, 90, 0.006)


def _forest(s: Sheet) -> None:
    base = max(0.3, s.horizon)
    for layer in range(2):
        grey = {"night": 34, "dusk": 70}.get(s.said.light, 120) - layer * 22
        for _ in range(16):
            x, tall = s.chance.uniform(-0.05, s.ratio), s.chance.uniform(0.2, 0.42) * (1 + layer * 0.5)
            foot = base + 0.05 * layer + s.chance.uniform(0, 0.04)
            s.line(x, foot, x, foot - tall * 0.3, 40, 0.012)
            for n in range(3):
                y = foot - tall * (0.15 + 0.25 * n)
                half = tall * (0.26 - 0.06 * n)
                s.area([(x - half, y), (x + half, y), (x, y - tall * 0.42)], grey + 6 * n)


def _field(s: Sheet) -> None:
    vanish = s.ratio * s.chance.uniform(0.35, 0.65)
    for n in range(-8, 9):
        s.line(vanish + n * 0.03, s.horizon + 0.01, vanish + n * 0.42, 1.02, 120, 0.003)
    for _ in range(30):
        x, y = s.chance.uniform(0, s.ratio), s.chance.uniform(s.horizon + 0.1, 1)
        tall = 0.05 * (y - s.horizon)
        s.line(x, y, x + tall * 0.4, y - tall - 0.01, 70, 0.003)


def _room(s: Sheet) -> None:
    wall = {"night": 92, "lamplight": 120}.get(s.said.light, 205)
    left, right = s.ratio * s.chance.uniform(0.2, 0.28), s.ratio * s.chance.uniform(0.72, 0.8)
    lift = {"low": -0.1, "high": 0.12, "overhead": 0.15}.get(s.said.angle, 0.0)
    top, floor = 0.16 - lift * 0.6, 0.7 - lift
    s.area([(0, 0), (s.ratio, 0), (s.ratio, 1), (0, 1)], wall - 22)
    s.area([(left, top), (right, top), (right, floor), (left, floor)], wall + 18, 70)
    s.area([(left, floor), (right, floor), (s.ratio, 1), (0, 1)], wall - 52, 70)
    s.area([(left, top), (right, top), (s.ratio, 0), (0, 0)], wall + 2, 70)
    for n in range(1, 9):
        x = n / 9
        s.line(left + (right - left) * x, floor, s.ratio * x, 1, wall - 74, 0.003)
    if not {"door", "window", "stairs"} & set(s.said.things):
        wx = left + (right - left) * s.chance.choice((0.14, 0.62))
        glass = 60 if s.said.light in ("night", "lamplight") else 250
        high = floor - top
        box = [
            (wx, top + high * 0.2),
            (wx + 0.2, top + high * 0.2),
            (wx + 0.2, top + high * 0.62),
            (wx, top + high * 0.62),
        ]
        s.area(box, glass, 50)
        s.line(wx + 0.1, top + high * 0.2, wx + 0.1, top + high * 0.62, 50)


def _space(s: Sheet) -> None:
    s.image.paste(18, (0, 0, *s.image.size))
    for _ in range(160):
        r = s.chance.choice((0.0012, 0.002, 0.0035))
        s.disc(s.chance.uniform(0, s.ratio), s.chance.uniform(0, 1), r, r, s.chance.randrange(120, 255))
    x, y, r = s.chance.uniform(0.2, 0.8) * s.ratio, s.chance.uniform(0.6, 1.1), s.chance.uniform(0.3, 0.6)
    s.disc(x, y, r, r, 120, 220)
    for n in range(5):
        s.disc(x + r * 0.1 * n, y + r * 0.03 * n, r * (0.9 - 0.12 * n), r * (0.9 - 0.12 * n), 118 - 12 * n)


PLACES: Mapping[str, Callable[[Sheet], None]] = {
    "sea": _sea,
    "city": _city,
    "forest": _forest,
    "mountains": _mountains,
    "field": _field,
    "room": _room,
    "space": _space,
}
