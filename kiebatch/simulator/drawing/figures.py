"""People in a panel: standing, sitting or lying, with hat, beard, white hair or a child's height where the words say so."""

from __future__ import annotations

from dataclasses import dataclass

from kiebatch.media.subjects import Figure, Posture
from kiebatch.simulator.drawing.sheet import Point, Sheet

LINE = 24
_HEADS = 7.5  # a figure is seven and a half heads high, as drawing schools teach
_SEATED = 5.4  # of which a sitting one shows this many above the ground
CHILD = 0.64  # of a grown-up's height


@dataclass(frozen=True, slots=True)
class _Body:
    """Where a body is: `at` places a point by heads from its middle and from its top."""

    x: float
    top: float
    head: float
    lean: float
    grey: int

    def at(self, dx: float, heads: float) -> Point:
        return (self.x + dx * self.head + self.lean * (1 - heads / _HEADS), self.top + heads * self.head)

    @property
    def thick(self) -> float:
        return max(0.003, min(0.009, self.head * 0.05))


def draw(s: Sheet, figure: Figure, x: float, feet: float, tall: float, grey: int) -> None:
    """Draw a person who stands `tall` heights high with the feet at `feet`; how high they are depends on posture."""
    head = tall / _HEADS
    near = tall > 1  # their legs are below the frame, however they hold themselves
    if figure.posture is Posture.LYING and not near:
        _lying(s, figure, x, feet, head, grey)
        return
    sitting = figure.posture is Posture.SITTING and not near
    top = feet - head * (_SEATED if sitting else _HEADS)
    body = _Body(x, top, head, s.chance.uniform(-0.12, 0.12) * head, grey)
    if sitting:
        _seat_and_legs(s, body, feet)
    else:
        _legs(s, body)
    _coat_and_arms(s, body)
    _head(s, figure, *body.at(0, 0.52), body)


def _limb(s: Sheet, points: list[Point], body: _Body, grey: int, wide: float) -> None:
    s.stroke(points, LINE, body.head * wide)
    s.stroke(points, grey, body.head * wide - body.thick * 2)


def _legs(s: Sheet, body: _Body) -> None:
    stride = s.chance.uniform(0.25, 0.6)
    for side in (-1, 1):
        leg = [body.at(0.34 * side, 3.7), body.at(0.4 * side, 5.5), body.at(stride * side, 7.4)]
        _limb(s, leg, body, body.grey - 40, 0.62)


def _seat_and_legs(s: Sheet, body: _Body, feet: float) -> None:
    seat = body.at(0, 4.0)[1]
    wide = body.head * 1.9
    s.area(
        [(body.x - wide, seat), (body.x + wide, seat), (body.x + wide, seat + body.head * 0.4),
         (body.x - wide, seat + body.head * 0.4)],
        92, LINE,
    )  # fmt: skip
    for side in (-0.8, 0.8):
        s.line(body.x + wide * side, seat, body.x + wide * side, feet, LINE + 20, body.head * 0.2)
    for side in (-1, 1):
        knee = (body.x + body.head * (0.5 * side + 0.5), seat + body.head * 0.1)
        foot = (knee[0] + body.head * 0.1, feet)
        _limb(s, [body.at(0.34 * side, 3.7), knee, foot], body, body.grey - 40, 0.62)


def _coat_and_arms(s: Sheet, body: _Body) -> None:
    swing = s.chance.uniform(-0.3, 0.4)
    for side in (-1, 1):
        hand = body.at((1.1 + swing * (side > 0)) * side, 4.0)
        _limb(s, [body.at(0.92 * side, 1.75), body.at(1.25 * side, 2.9), hand], body, body.grey - 26, 0.5)
    shape = [
        (-0.98, 1.6),
        (-0.3, 1.35),
        (0.3, 1.35),
        (0.98, 1.6),
        (0.78, 3.0),
        (0.9, 4.3),
        (-0.9, 4.3),
        (-0.78, 3.0),
    ]
    coat = [body.at(*point) for point in shape]
    s.area(coat, body.grey - 14)
    s.stroke([*coat, coat[0]], LINE, body.thick)
    s.area([body.at(-0.22, 1.0), body.at(0.22, 1.0), body.at(0.26, 1.5), body.at(-0.26, 1.5)], body.grey)


def _lying(s: Sheet, figure: Figure, x: float, feet: float, head: float, grey: int) -> None:
    """Draw somebody who lies on their back, the head at the left."""
    y = feet - head * 0.5
    body = _Body(x - head * 3.2, y - head * 0.5, head, 0.0, grey)
    s.area(
        [
            (x - head * 3.9, feet),
            (x + head * 4.1, feet),
            (x + head * 4.1, feet + 0.02),
            (x - head * 3.9, feet + 0.02),
        ],
        96,
    )
    blanket = [(x - head * 2.3, y - head * 0.55), (x + head * 0.6, y - head * 0.8), (x + head * 3.6, y - head * 0.45),
               (x + head * 3.9, feet), (x - head * 2.4, feet)]  # fmt: skip
    s.area(blanket, grey - 20)
    s.stroke([*blanket, blanket[0]], LINE, body.thick)
    s.disc(x - head * 3.2, feet - head * 0.2, head * 0.8, head * 0.25, 226, LINE)  # the pillow
    _head(s, figure, x - head * 2.9, y - head * 0.1, body)


# --- the head ------------------------------------------------------------------------------------------


def _head(s: Sheet, figure: Figure, cx: float, cy: float, body: _Body) -> None:
    head, grey = body.head, body.grey
    hair = 236 if figure.old else LINE + 30
    s.disc(cx, cy, head * 0.4, head * 0.52, grey, LINE)
    if figure.back:
        s.disc(cx, cy - head * 0.03, head * 0.42, head * 0.53, hair - 4)
    else:
        _hair(s, cx, cy, head, hair, grey)
        if figure.beard:
            s.area(
                [(cx - head * 0.33, cy + head * 0.12), (cx, cy + head * 0.2), (cx + head * 0.33, cy + head * 0.12),
                 (cx + head * 0.2, cy + head * 0.58), (cx - head * 0.2, cy + head * 0.58)],
                hair, LINE,
            )  # fmt: skip
        if head * s.unit >= 24:
            _face(s, figure, cx, cy, body)
    if figure.hat:
        brim, crown = cy - head * 0.26, cy - head * 0.72
        s.area(
            [
                (cx - head * 0.36, brim),
                (cx - head * 0.3, crown),
                (cx + head * 0.3, crown),
                (cx + head * 0.36, brim),
            ],
            58,
            LINE,
        )
        s.line(cx - head * 0.62, brim, cx + head * 0.62, brim, 40, head * 0.12)


def _hair(s: Sheet, cx: float, cy: float, head: float, hair: int, grey: int) -> None:
    box = (
        (cx - head * 0.42) * s.unit,
        (cy - head * 0.56) * s.unit,
        max((cx + head * 0.42) * s.unit, (cx - head * 0.42) * s.unit + 1),
        max((cy + head * 0.46) * s.unit, (cy - head * 0.56) * s.unit + 1),
    )
    s.pen.pieslice(box, 180 + s.chance.randrange(0, 14), 360 - s.chance.randrange(0, 14), fill=hair)
    s.disc(cx, cy + head * 0.04, head * 0.33, head * 0.36, grey)


def _face(s: Sheet, figure: Figure, cx: float, cy: float, body: _Body) -> None:
    head, thick = body.head, body.thick
    turn = s.chance.uniform(-0.1, 0.1) * head
    for side in (-1, 1):
        ex, ey = cx + turn + side * head * 0.15, cy - head * 0.02
        if figure.asleep:
            s.stroke([(ex - head * 0.08, ey), (ex, ey + head * 0.03), (ex + head * 0.08, ey)], LINE, thick)
        else:
            s.disc(ex, ey, head * 0.07, head * 0.038, 250, LINE)
            s.disc(ex + turn * 0.2, ey, head * 0.033, head * 0.035, LINE)
        s.stroke([(ex - head * 0.09, ey - head * 0.09), (ex + head * 0.09, ey - head * 0.1)], LINE, thick)
        if figure.old:
            s.stroke(
                [(ex - head * 0.06, ey + head * 0.09), (ex + head * 0.07, ey + head * 0.1)],
                LINE + 60,
                thick * 0.7,
            )
    nose = [(cx + turn, cy), (cx + turn + head * 0.05, cy + head * 0.17), (cx + turn, cy + head * 0.19)]
    s.stroke(nose, LINE, thick)
    low = cy + head * 0.29
    mouth = [(cx + turn - head * 0.11, low), (cx + turn, low + s.chance.uniform(-0.02, 0.04) * head)]
    s.stroke([*mouth, (cx + turn + head * 0.11, low)], LINE, thick)
