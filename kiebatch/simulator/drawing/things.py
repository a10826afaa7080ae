"""The props and vehicles that a panel can draw; all others are shapes with their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kiebatch.media import lettering
from kiebatch.simulator.drawing.sheet import Sheet


def _lighthouse(s: Sheet, x: float, y: float, h: float) -> None:
    s.area([(x - h * 0.4, y), (x - h * 0.2, y - h * 0.1), (x + h * 0.25, y - h * 0.1), (x + h * 0.45, y)], 70)
    body = [
        (x - h * 0.13, y - h * 0.08),
        (x - h * 0.08, y - h * 0.78),
        (x + h * 0.08, y - h * 0.78),
        (x + h * 0.13, y - h * 0.08),
    ]
    s.area(body, 235, 30)
    for n in (0.2, 0.5):
        a, b = 0.13 - 0.05 * n, 0.13 - 0.05 * (n + 0.15)
        s.area(
            [
                (x - h * a, y - h * n),
                (x + h * a, y - h * n),
                (x + h * b, y - h * (n + 0.15)),
                (x - h * b, y - h * (n + 0.15)),
            ],
            110,
        )
    if s.said.light in ("night", "dusk", "dawn") or s.said.weather != "clear":
        for side in (-1, 1):
            s.area(
                [(x, y - h * 0.85), (x + side * h * 1.6, y - h * 1.05), (x + side * h * 1.6, y - h * 0.7)],
                232,
            )
    s.area(
        [
            (x - h * 0.1, y - h * 0.78),
            (x + h * 0.1, y - h * 0.78),
            (x + h * 0.07, y - h * 0.92),
            (x - h * 0.07, y - h * 0.92),
        ],
        250,
        30,
    )
    s.area([(x - h * 0.1, y - h * 0.92), (x + h * 0.1, y - h * 0.92), (x, y - h)], 60, 20)


def _boat(s: Sheet, x: float, y: float, h: float) -> None:
    h *= 0.7
    s.area(
        [(x - h * 0.6, y - h * 0.2), (x + h * 0.6, y - h * 0.22), (x + h * 0.4, y), (x - h * 0.42, y)], 80, 20
    )
    s.line(x, y - h * 0.2, x, y - h, 30, 0.006)
    s.area([(x + h * 0.03, y - h * 0.95), (x + h * 0.45, y - h * 0.3), (x + h * 0.03, y - h * 0.3)], 235, 40)
    for n in range(3):
        s.line(
            x - h * (0.7 - 0.1 * n),
            y + 0.012 * n + 0.005,
            x + h * (0.7 - 0.15 * n),
            y + 0.012 * n + 0.005,
            220,
            0.003,
        )


def _ship(s: Sheet, x: float, y: float, h: float) -> None:
    s.area(
        [(x - h * 0.6, y - h * 0.26), (x + h * 0.7, y - h * 0.26), (x + h * 0.45, y), (x - h * 0.48, y)],
        58,
        16,
    )
    for n, mast in enumerate((-0.3, 0.05, 0.36)):
        s.line(x + h * mast, y - h * 0.24, x + h * mast, y - h, 24, 0.006)
        for level in range(3):
            top, wide = 0.92 - level * 0.22, 0.12 + 0.03 * level + 0.01 * n
            s.area(
                [
                    (x + h * (mast - wide), y - h * top),
                    (x + h * (mast + wide), y - h * top),
                    (x + h * (mast + wide * 1.15), y - h * (top - 0.17)),
                    (x + h * (mast - wide * 1.15), y - h * (top - 0.17)),
                ],
                228,
                60,
            )


def _door(s: Sheet, x: float, y: float, h: float) -> None:
    w = h * 0.26
    s.area([(x - w - 0.015, y), (x - w - 0.015, y - h), (x + w + 0.015, y - h), (x + w + 0.015, y)], 70, 20)
    s.area([(x - w, y), (x - w, y - h * 0.98), (x + w, y - h * 0.98), (x + w, y)], 130, 24)
    for n in range(1, 4):
        s.line(x - w + w * n / 2, y, x - w + w * n / 2, y - h * 0.98, 90, 0.004)
    s.disc(x + w * 0.75, y - h * 0.45, 0.012, 0.012, 235, 20)


def _window(s: Sheet, x: float, y: float, h: float) -> None:
    w, top = h * 0.42, y - h
    s.area([(x - w, top), (x + w, top), (x + w, top + h * 0.8), (x - w, top + h * 0.8)], 245, 30)
    s.line(x, top, x, top + h * 0.8, 40, 0.012)
    s.line(x - w, top + h * 0.4, x + w, top + h * 0.4, 40, 0.012)
    for n in range(4):
        s.line(x - w * 0.8 + n * 0.04, top + h * 0.3, x - w * 0.5 + n * 0.04, top + h * 0.08, 200, 0.003)


def _stairs(s: Sheet, x: float, y: float, h: float) -> None:
    w = max(0.5, h * 0.8)
    for n in range(9):
        left, top = x - w / 2 + n * w / 9, y - n * h / 9
        s.area([(left, top - h / 9), (x + w / 2, top - h / 9), (x + w / 2, y), (left, y)], 190 - n * 12, 50)


def _book(s: Sheet, x: float, y: float, h: float) -> None:
    w, y = h * 0.75, min(0.9, y)
    for side in (-1, 1):
        s.area(
            [(x, y - h * 0.55), (x + side * w, y - h * 0.62), (x + side * w * 1.12, y - h * 0.05), (x, y)],
            240,
            30,
        )
        for n in range(8):
            line = y - h * (0.5 - 0.058 * n)
            s.line(
                x + side * w * 0.12,
                line,
                x + side * w * s.chance.uniform(0.6, 0.95),
                line - h * 0.04,
                110,
                0.003,
            )


def _lamp(s: Sheet, x: float, y: float, h: float) -> None:
    h *= 0.7
    for n in range(6, 0, -1):
        s.disc(x, y - h * 0.45, h * 0.16 * n, h * 0.16 * n, 150 + (6 - n) * 18)
    s.area(
        [(x - h * 0.2, y), (x + h * 0.2, y), (x + h * 0.15, y - h * 0.12), (x - h * 0.15, y - h * 0.12)], 40
    )
    s.area(
        [
            (x - h * 0.14, y - h * 0.12),
            (x + h * 0.14, y - h * 0.12),
            (x + h * 0.11, y - h * 0.68),
            (x - h * 0.11, y - h * 0.68),
        ],
        252,
        30,
    )
    s.area([(x - h * 0.17, y - h * 0.68), (x + h * 0.17, y - h * 0.68), (x, y - h * 0.86)], 40)
    s.disc(x, y - h * 0.92, h * 0.06, h * 0.06, 200, 30)


def _car(s: Sheet, x: float, y: float, h: float) -> None:
    h *= 0.6
    w = h * 1.1
    s.area(
        [(x - w, y - h * 0.12), (x - w, y - h * 0.42), (x + w, y - h * 0.42), (x + w, y - h * 0.12)], 120, 20
    )
    s.area(
        [
            (x - w * 0.6, y - h * 0.42),
            (x - w * 0.36, y - h * 0.75),
            (x + w * 0.36, y - h * 0.75),
            (x + w * 0.66, y - h * 0.42),
        ],
        215,
        20,
    )
    for side in (-0.55, 0.55):
        s.disc(x + w * side, y - h * 0.12, h * 0.15, h * 0.15, 30, 200)


def _house(s: Sheet, x: float, y: float, h: float) -> None:
    w = h * 0.55
    s.area([(x - w, y), (x - w, y - h * 0.55), (x + w, y - h * 0.55), (x + w, y)], 190, 24)
    s.area([(x - w * 1.15, y - h * 0.55), (x, y - h), (x + w * 1.15, y - h * 0.55)], 90, 20)
    lit = 250 if s.said.light in ("night", "dusk") else 120
    for side in (-0.55, 0.4):
        s.area(
            [
                (x + w * side, y - h * 0.4),
                (x + w * (side + 0.25), y - h * 0.4),
                (x + w * (side + 0.25), y - h * 0.2),
                (x + w * side, y - h * 0.2),
            ],
            lit,
            24,
        )
    s.area(
        [(x - w * 0.12, y), (x - w * 0.12, y - h * 0.3), (x + w * 0.16, y - h * 0.3), (x + w * 0.16, y)],
        70,
        20,
    )


def _tree(s: Sheet, x: float, y: float, h: float) -> None:
    s.line(x, y, x, y - h * 0.55, 50, max(0.01, h * 0.07))
    for _ in range(14):
        dx, dy = s.chance.uniform(-0.28, 0.28) * h, s.chance.uniform(0.45, 0.95) * h
        s.disc(x + dx, y - dy, h * 0.14, h * 0.12, 100 + s.chance.randrange(0, 40))


def _table(s: Sheet, x: float, y: float, h: float) -> None:
    h *= 0.6
    w = h * 0.95
    for side in (-0.85, 0.85):
        s.line(x + w * side, y, x + w * side, y - h * 0.5, 60, 0.016)
    s.area(
        [
            (x - w, y - h * 0.5),
            (x + w, y - h * 0.5),
            (x + w * 0.82, y - h * 0.68),
            (x - w * 0.82, y - h * 0.68),
        ],
        160,
        30,
    )


def _train(s: Sheet, x: float, y: float, h: float) -> None:
    h *= 0.6
    for n in range(-2, 3):
        left = x + n * h * 0.95
        s.area(
            [
                (left - h * 0.45, y - h * 0.1),
                (left - h * 0.45, y - h * 0.7),
                (left + h * 0.45, y - h * 0.7),
                (left + h * 0.45, y - h * 0.1),
            ],
            100,
            18,
        )
        for m in (-0.28, 0.0, 0.28):
            s.area(
                [
                    (left + h * (m - 0.09), y - h * 0.58),
                    (left + h * (m + 0.09), y - h * 0.58),
                    (left + h * (m + 0.09), y - h * 0.38),
                    (left + h * (m - 0.09), y - h * 0.38),
                ],
                235,
            )
        for m in (-0.25, 0.25):
            s.disc(left + h * m, y - h * 0.08, h * 0.08, h * 0.08, 25, 160)
    s.line(0, y, s.ratio, y, 40, 0.008)


def _vehicle(s: Sheet, x: float, y: float, h: float, *, long: float, windows: int) -> None:
    """Draw a box on wheels: `long` heights in length, with a row of windows behind the driver's."""
    h *= 0.62
    half = h * long / 2
    top, floor = y - h * 0.85, y - h * 0.14
    s.area([(x - half, top), (x + half, top), (x + half, floor), (x - half, floor)], 165, 20)
    s.area(
        [(x + half * 0.82, top + h * 0.1), (x + half * 0.97, top + h * 0.1), (x + half * 0.97, y - h * 0.42),
         (x + half * 0.82, y - h * 0.42)],
        238, 30,
    )  # fmt: skip
    for n in range(windows):
        left = x - half * 0.92 + n * half * 1.66 / max(1, windows)
        right = left + half * 1.3 / max(1, windows)
        s.area(
            [(left, top + h * 0.1), (right, top + h * 0.1), (right, y - h * 0.48), (left, y - h * 0.48)],
            238,
            30,
        )
    for side in (-0.62, 0.62):
        s.disc(x + half * side, floor, h * 0.15, h * 0.15, 28, 190)


def _bus(s: Sheet, x: float, y: float, h: float) -> None:
    _vehicle(s, x, y, h, long=2.6, windows=5)


def _truck(s: Sheet, x: float, y: float, h: float) -> None:
    _vehicle(s, x, y, h, long=2.1, windows=0)


def _bench(s: Sheet, x: float, y: float, h: float) -> None:
    w = h * 0.7
    for seat in (0.28, 0.44, 0.56):
        s.line(x - w, y - h * seat, x + w, y - h * seat, 70, h * 0.06)
    for side in (-0.8, 0.8):
        s.line(x + w * side, y, x + w * side, y - h * 0.58, 50, h * 0.06)


def birds(s: Sheet, x: float, y: float) -> None:
    for _ in range(5):
        bx, by, w = (
            x + s.chance.uniform(-0.3, 0.3),
            y + s.chance.uniform(-0.15, 0.12),
            s.chance.uniform(0.02, 0.05),
        )
        s.stroke(
            [
                (bx - w, by - w * 0.5),
                (bx - w * 0.4, by - w * 0.75),
                (bx, by),
                (bx + w * 0.4, by - w * 0.75),
                (bx + w, by - w * 0.5),
            ],
            30,
            0.005,
        )


def labelled(s: Sheet, text: str, x: float, y: float, wide: float, high: float) -> None:
    """Draw a card with a name, for what there is no drawing of: its middle at `x`, its foot at `y`."""
    box = [(x - wide / 2, y - high), (x + wide / 2, y - high), (x + wide / 2, y), (x - wide / 2, y)]
    s.area([(px + 0.008, py + 0.01) for px, py in box], 60)
    s.area(box, 246, 26)
    size = min(high * 0.34, wide * 0.2) * s.unit
    lines = lettering.wrap(text, size, wide * 0.88 * s.unit, 3)
    while len(lines) > 1 and len(lines) * size * 1.2 > high * 0.9 * s.unit:
        size *= 0.85
        lines = lettering.wrap(text, size, wide * 0.88 * s.unit, 3)
    first = (y - high / 2) * s.unit - (len(lines) - 1) * size * 0.6 + size * 0.35
    for n, line in enumerate(lines):
        lettering.draw(s.pen, (x * s.unit, first + n * size * 1.2), line, size, 28, anchor="m")


THINGS: Mapping[str, Callable[[Sheet, float, float, float], None]] = {
    "lighthouse": _lighthouse,
    "boat": _boat,
    "ship": _ship,
    "door": _door,
    "window": _window,
    "stairs": _stairs,
    "book": _book,
    "lamp": _lamp,
    "car": _car,
    "house": _house,
    "tree": _tree,
    "table": _table,
    "train": _train,
    "bus": _bus,
    "truck": _truck,
    "bench": _bench,
}
