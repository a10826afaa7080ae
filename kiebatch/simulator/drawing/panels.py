"""Draws storyboard panels: what a draft shows in place of a picture or a clip.

The words of the prompt decide: light, weather, place, things, people in the scale of the shot size, and the camera
move as arrows.  A slate line says whose panel it is.  The same `Wanted` gives the same bytes on the same machine;
every panel carries an edge code of its request's digest, so that no two are equal.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

from kiebatch import media
from kiebatch.media import framing, lettering
from kiebatch.media.framing import Framing
from kiebatch.simulator.drawing.wanted import Wanted

FPS = 24
_MOST_FRAMES = 480
ACCENT = (226, 74, 42)
PAPER = (244, 240, 230)
INK = (22, 22, 26)
_MOST = 1_300_000  # pixels the art is drawn at; larger panels are enlarged, their lettering is not
_RAMPS: Mapping[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "day": ((34, 38, 46), (250, 247, 240)),
    "night": (((8, 12, 30)), (148, 170, 208)),
    "dusk": ((38, 24, 46), (252, 202, 158)),
    "dawn": ((52, 48, 68), (255, 232, 208)),
    "lamplight": ((24, 14, 8), (255, 204, 128)),
}
_HEIGHTS: Mapping[str, float] = {  # of a standing figure, in heights of the picture
    "extreme wide": 0.11,
    "wide": 0.3,
    "full": 0.78,
    "medium": 1.45,
    "medium close": 2.1,
    "close": 3.3,
    "extreme close": 6.0,
}
Point = tuple[float, float]


def digest(wanted: Wanted) -> bytes:
    """Return 32 bytes that are the request's own, and its output's."""
    text = f"{wanted.key} {wanted.prompt} {wanted.number} {wanted.part} {wanted.take}"
    return hashlib.sha256(text.encode()).digest()


def still(wanted: Wanted) -> bytes:
    """Return a panel as an encoded picture of `wanted.format`."""
    picture = panel(wanted)
    out = io.BytesIO()
    if wanted.format == "png":
        picture.save(out, "PNG", compress_level=1)
    else:
        picture.save(out, "WEBP" if wanted.format == "webp" else "JPEG", quality=85)
    return out.getvalue()


def panel(wanted: Wanted, *, arrows: bool = True) -> Image.Image:
    """Return a panel as an RGB picture of exactly the pixels wanted."""
    said = framing.read(_camera(wanted.label), wanted.prompt)
    width, height = wanted.width, wanted.height
    slate = _slate_height(width, height)
    picture = Image.new("RGB", (width, height), INK)
    art = _art(wanted, said, width, height - slate)
    if arrows and said.move:
        _arrows(art, said.move)
    picture.paste(art, (0, 0))
    pen = ImageDraw.Draw(picture)
    _slate(pen, wanted, said, height - slate, slate)
    return picture


def clip(wanted: Wanted) -> bytes | None:
    """Return a moving panel as MP4 (H.264, 24 frames a second); None without ffmpeg."""
    if media.find_ffmpeg() is None:
        return None
    said = framing.read(_camera(wanted.label), wanted.prompt)
    width, height = wanted.width, wanted.height
    slate = _slate_height(width, height)
    high = height - slate
    # A music video of minutes moves in steps: nobody waits for thousands of frames of a draft.
    fps = FPS if wanted.seconds * FPS <= _MOST_FRAMES else max(1, int(_MOST_FRAMES / wanted.seconds))
    frames = max(1, round(wanted.seconds * fps))
    with tempfile.TemporaryDirectory(prefix="kiebatch-panel-") as folder:
        room = Path(folder)
        # The art is larger than the frame, so that there is something to move over.
        art = _art(wanted, said, round(width * 1.3), round(high * 1.3))
        art.save(room / "art.png", compress_level=1)
        fixed = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        fixed.paste((*INK, 255), (0, high, width, height))
        _slate(ImageDraw.Draw(fixed), wanted, said, high, slate)
        fixed.save(room / "slate.png", compress_level=1)
        target = room / "clip.mp4"
        moving = f"[0:v]{media.motion(said.move or 'push in', frames, (width, high), fps)},pad={width}:{height}:0:0[m]"
        media.run_ffmpeg(
            [
                *("-v", "error", "-i", f"file:{room / 'art.png'}", "-i", f"file:{room / 'slate.png'}"),
                *("-filter_complex", f"{moving};[m][1:v]overlay=0:0,format=yuv420p[v]", "-map", "[v]"),
                *("-frames:v", str(frames), "-r", str(fps), "-c:v", "libx264", "-preset", "ultrafast"),
                *("-crf", "30", "-g", "48", "-bitexact", "-metadata", f"comment={digest(wanted).hex()}"),
                *("-movflags", "+faststart", f"file:{target}"),
            ]
        )
        return target.read_bytes()


# --- the slate -----------------------------------------------------------------------------------------


def _camera(label: str) -> str:
    """Return what a label says beside the shot's name: `2b, slow push-in`."""
    return label.partition(",")[2]


def _slate_height(width: int, height: int) -> int:
    return max(10, round(min(height, width * 0.7) * 0.13))


def _slate(pen: ImageDraw.ImageDraw, wanted: Wanted, said: Framing, top: int, high: int) -> None:
    width = wanted.width
    code = min(width // 4, high * 2)
    _edge_code(pen, digest(wanted), (width - code, top, width, top + high))
    size = high * 0.3
    if size < 7:
        return
    left = high * 0.22
    room = width - code - 2 * left
    name = wanted.label.partition(",")[0].strip()
    x = left
    if name:
        x += lettering.draw(pen, (x, top + high * 0.42), name, size * 1.15, ACCENT) + size * 0.8
    facts = [f"take {wanted.take}" if wanted.take > 1 else "", wanted.model, wanted.part]
    if wanted.number > 1:
        facts.append(f"output {wanted.number}")
    if wanted.kind == "video":
        facts.append(f"{wanted.seconds:g} s")
    facts += [said.size or "", said.move or ""]
    line = "   ".join(fact for fact in facts if fact)
    fitted = lettering.wrap(line, size, max(10, room - (x - left)), 1)
    if fitted:
        lettering.draw(pen, (x, top + high * 0.42), fitted[0], size, PAPER)
    for number, words in enumerate(lettering.wrap(" ".join(wanted.prompt.split()), size * 0.86, room, 1)):
        lettering.draw(pen, (left, top + high * (0.82 + 0.3 * number)), words, size * 0.86, (176, 172, 164))


def _edge_code(pen: ImageDraw.ImageDraw, bits: bytes, box: tuple[int, int, int, int]) -> None:
    """Spell 32 bytes as grey cells, two rows of sixteen, like the code at a film's edge."""
    left, top, right, bottom = box
    wide, high = (right - left) / 16, (bottom - top) / 2
    for n, level in enumerate(bits):
        x, y = left + n % 16 * wide, top + n // 16 * high
        grey = 24 + level * 3 // 8
        pen.rectangle((round(x), round(y), round(x + wide) - 1, round(y + high) - 1), fill=(grey, grey, grey))


# --- the art -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sheet:
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


def _art(wanted: Wanted, said: Framing, width: int, height: int) -> Image.Image:
    """Return the drawing without slate and arrows, drawn at twice the size where that is affordable."""
    pixels = max(1, width * height)
    scale = 2.0 if pixels <= _MOST else min(1.4, math.sqrt(_MOST * 2 / pixels))
    wide, high = max(8, round(width * scale)), max(8, round(height * scale))
    chance = random.Random(digest(wanted))
    horizon = {"eye": 0.58, "low": 0.8, "high": 0.26, "overhead": -0.2, "tilted": 0.55}[said.angle]
    horizon += chance.uniform(-0.04, 0.04)
    ground = Image.new("L", (wide, high), 205)
    places = _shown(said, chance)
    sheet = _Sheet(ground, ImageDraw.Draw(ground), chance, said, high, wide / high, horizon, places[-1])
    _sky(sheet)
    _ground(sheet)
    for place in places:
        _PLACES[place](sheet)
    _figures_and_things(sheet)
    _weather(sheet)
    _pencil(sheet)
    if said.angle == "tilted":
        turned = ground.rotate(9, Image.Resampling.BILINEAR, fillcolor=60)
        inset = 0.12
        ground = turned.crop(
            (int(wide * inset), int(high * inset), int(wide * (1 - inset)), int(high * (1 - inset)))
        )
    if ground.size == (2 * width, 2 * height):
        ground = ground.reduce(2)
    elif ground.size != (width, height):
        ground = ground.resize(
            (width, height), Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.BOX
        )
    dark, pale = _RAMPS[said.light]
    return _tinted(ground, dark, pale)


def _gradient(width: int, height: int) -> Image.Image:
    """Return grey from black at the top to white below; one column, stretched, as that is ten times as fast."""
    column = Image.linear_gradient("L").resize((1, height))
    return column.resize((width, height), Image.Resampling.NEAREST)


def _tinted(grey: Image.Image, dark: tuple[int, int, int], pale: tuple[int, int, int]) -> Image.Image:
    bands = [
        grey.point([round(low + (high - low) * level / 255) for level in range(256)])
        for low, high in zip(dark, pale, strict=True)
    ]
    return Image.merge("RGB", bands)


def _shown(said: Framing, chance: random.Random) -> tuple[str, ...]:
    """Return the places to draw, the farthest first: a room is all there is, the sea lies before the hills."""
    if said.places[:1] == ("room",) or (not said.places and said.light == "lamplight"):
        return ("room",)
    outside = [place for place in said.places if place != "room"][:2]
    return tuple(sorted(outside, key=_FARTHEST.index)) or (chance.choice(("field", "mountains", "room")),)


def _sky(s: _Sheet) -> None:
    top, low = {"night": (70, 130), "dusk": (120, 240), "dawn": (165, 248), "lamplight": (60, 150)}.get(
        s.said.light, (205, 240)
    )
    if s.said.weather in ("storm", "rain"):
        top, low = int(top * 0.7), int(low * 0.82)
    ramp = _gradient(*s.image.size)
    s.image.paste(ramp.point([round(top + (low - top) * level / 255) for level in range(256)]))
    if s.place in ("room", "space"):
        return
    x = s.chance.uniform(0.15, 0.85) * s.ratio
    if s.said.light == "night":
        for _ in range(40):
            sx, sy, r = s.chance.uniform(0, s.ratio), s.chance.uniform(0, max(0.1, s.horizon)), 0.0022
            s.disc(sx, sy, r, r, 230)
        if s.said.weather == "clear":
            s.disc(x, 0.17, 0.06, 0.06, 245)
            s.disc(x + 0.025, 0.16, 0.055, 0.055, top + 12)
    elif s.said.weather in ("clear", "snow"):
        y = s.horizon - 0.05 if s.said.light in ("dusk", "dawn") else 0.18
        s.disc(x, y, 0.075, 0.075, 255)
    if s.said.weather != "clear" or s.chance.random() < 0.5:
        grey = top + 22 if s.said.weather != "storm" else max(20, top - 35)
        for _ in range(4 if s.said.weather == "clear" else 9):
            cx, cy = s.chance.uniform(0, s.ratio), s.chance.uniform(0.02, max(0.1, s.horizon * 0.5))
            for n in range(5):
                r = s.chance.uniform(0.03, 0.075)
                s.disc(cx + n * 0.06, cy + s.chance.uniform(-0.02, 0.02), r * 1.5, r * 0.7, grey)


def _ground(s: _Sheet) -> None:
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


_FARTHEST = ("space", "mountains", "city", "field", "sea", "forest", "room")


# --- places --------------------------------------------------------------------------------------------


def _sea(s: _Sheet) -> None:
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


def _mountains(s: _Sheet) -> None:
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


def _city(s: _Sheet) -> None:
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


def _forest(s: _Sheet) -> None:
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


def _field(s: _Sheet) -> None:
    vanish = s.ratio * s.chance.uniform(0.35, 0.65)
    for n in range(-8, 9):
        s.line(vanish + n * 0.03, s.horizon + 0.01, vanish + n * 0.42, 1.02, 120, 0.003)
    for _ in range(30):
        x, y = s.chance.uniform(0, s.ratio), s.chance.uniform(s.horizon + 0.1, 1)
        tall = 0.05 * (y - s.horizon)
        s.line(x, y, x + tall * 0.4, y - tall - 0.01, 70, 0.003)


def _room(s: _Sheet) -> None:
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


def _space(s: _Sheet) -> None:
    s.image.paste(18, (0, 0, *s.image.size))
    for _ in range(160):
        r = s.chance.choice((0.0012, 0.002, 0.0035))
        s.disc(s.chance.uniform(0, s.ratio), s.chance.uniform(0, 1), r, r, s.chance.randrange(120, 255))
    x, y, r = s.chance.uniform(0.2, 0.8) * s.ratio, s.chance.uniform(0.6, 1.1), s.chance.uniform(0.3, 0.6)
    s.disc(x, y, r, r, 120, 220)
    for n in range(5):
        s.disc(x + r * 0.1 * n, y + r * 0.03 * n, r * (0.9 - 0.12 * n), r * (0.9 - 0.12 * n), 118 - 12 * n)


_PLACES: Mapping[str, Callable[[_Sheet], None]] = {
    "sea": _sea,
    "city": _city,
    "forest": _forest,
    "mountains": _mountains,
    "field": _field,
    "room": _room,
    "space": _space,
}


# --- figures and things --------------------------------------------------------------------------------


def _figures_and_things(s: _Sheet) -> None:
    said = s.said
    size = said.size or (
        "wide" if said.things and said.people is None else "full" if said.places else "medium"
    )
    tall = _HEIGHTS[size]
    near = tall > 1
    things = said.things[:3] if not near or said.people is None else ()
    count = said.people if said.people is not None else (0 if things else 1)
    # Where the horizon is, small figures stand on it; large ones stand nearer, their feet below the frame.
    feet = min(0.97, s.horizon + 0.12 + 0.4 * tall) if tall < 0.9 else 0.1 + tall
    if s.said.angle == "low" and tall < 0.9:
        feet = 0.96
    spots = _spots(s, count + len(things))
    for name, x in zip(things, spots, strict=False):
        scale = max(0.12, min(0.85, tall * (1.5 if near else 1.35)))
        if name in ("lighthouse", "house", "ship"):
            scale = min(0.85, scale * 1.5)
        on = (
            s.horizon + 0.06
            if name in ("lighthouse", "ship", "house")
            else min(0.94, s.horizon + 0.1 + scale * 0.4)
        )
        if size == "extreme close" or near:
            scale, on, x = 0.8, 0.94, s.ratio / 2
        if name in ("lamp", "book") and count:
            scale = max(0.14, scale * 0.45)
        if name == "bird":
            _birds(s, x, 0.25)
        else:
            _THINGS[name](s, x, max(on, scale + 0.04), scale)
    for n, x in enumerate(spots[len(things) :]):
        shrunk = tall * (0.72 if said.child and (count == 1 or n == 1) and not near else 1.0)
        shrunk *= s.chance.uniform(0.94, 1.04)
        lit = {"night": 105, "lamplight": 215, "dusk": 120}.get(said.light, 225)
        _figure(s, x, feet if not near else 0.1 + shrunk, shrunk, lit, 24, back=said.back and n == 0)


def _spots(s: _Sheet, count: int) -> list[float]:
    """Return where things stand from left to right: one on a third, several spread."""
    if count <= 0:
        return []
    if count == 1:
        return [s.ratio * s.chance.choice((0.36, 0.5, 0.64))]
    step = 0.64 / max(1, count - 1)
    found = [s.ratio * (0.18 + n * step + s.chance.uniform(-0.02, 0.02)) for n in range(count)]
    s.chance.shuffle(found)
    return found


def _figure(s: _Sheet, x: float, feet: float, tall: float, grey: int, line: int, *, back: bool) -> None:
    """Draw a person `tall` heights high with the feet at `feet`, seven and a half heads as drawing schools teach."""
    head = tall / 7.5
    top = feet - tall
    lean = s.chance.uniform(-0.12, 0.12) * head

    def at(dx: float, heads: float) -> Point:
        return (x + dx * head + lean * (1 - heads / 7.5), top + heads * head)

    wide = 1.0
    stride = s.chance.uniform(0.25, 0.6)
    thick = max(0.003, min(0.009, head * 0.05))
    legs = grey - 40
    for side in (-1, 1):
        hip, knee, foot = at(0.34 * side, 3.7), at(0.4 * side, 5.5), at(stride * side, 7.4)
        s.stroke([hip, knee, foot], line, head * 0.62)
        s.stroke([hip, knee, foot], legs, head * 0.62 - thick * 2)
    coat = [
        at(-0.98 * wide, 1.6),
        at(-0.3, 1.35),
        at(0.3, 1.35),
        at(0.98 * wide, 1.6),
        at(0.78, 3.0),
        at(0.9, 4.3),
        at(-0.9, 4.3),
        at(-0.78, 3.0),
    ]
    swing = s.chance.uniform(-0.3, 0.4)
    for side in (-1, 1):
        arm = [at(0.92 * side, 1.75), at(1.25 * side, 2.9), at((1.1 + swing * (side > 0)) * side, 4.0)]
        s.stroke(arm, line, head * 0.5)
        s.stroke(arm, grey - 26, head * 0.5 - thick * 2)
    s.area(coat, grey - 14)
    s.stroke([*coat, coat[0]], line, thick)
    s.area([at(-0.22, 1.0), at(0.22, 1.0), at(0.26, 1.5), at(-0.26, 1.5)], grey)
    cx, cy = at(0, 0.52)
    s.disc(cx, cy, head * 0.4, head * 0.52, grey, line)
    # Hair, and for a near face its features; looking away there is hair alone.
    box = [
        ((cx - head * 0.42) * s.unit, (cy - head * 0.56) * s.unit),
        ((cx + head * 0.42) * s.unit, (cy + head * 0.46) * s.unit),
    ]
    if back:
        s.disc(cx, cy - head * 0.03, head * 0.42, head * 0.53, line + 26)
        return
    s.pen.pieslice(
        [*box[0], *box[1]], 180 + s.chance.randrange(0, 14), 360 - s.chance.randrange(0, 14), fill=line + 30
    )
    s.disc(cx, cy + head * 0.04, head * 0.33, head * 0.36, grey)
    if head * s.unit < 24:
        return
    turn = s.chance.uniform(-0.1, 0.1) * head
    for side in (-1, 1):
        ex, ey = cx + turn + side * head * 0.15, cy - head * 0.02
        s.disc(ex, ey, head * 0.07, head * 0.038, 250, line)
        s.disc(ex + turn * 0.2, ey, head * 0.033, head * 0.035, line)
        s.stroke([(ex - head * 0.09, ey - head * 0.09), (ex + head * 0.09, ey - head * 0.1)], line, thick)
    s.stroke(
        [(cx + turn, cy), (cx + turn + head * 0.05, cy + head * 0.17), (cx + turn, cy + head * 0.19)],
        line,
        thick,
    )
    smile = s.chance.uniform(-0.02, 0.04) * head
    s.stroke(
        [
            (cx + turn - head * 0.11, cy + head * 0.29),
            (cx + turn, cy + head * 0.29 + smile),
            (cx + turn + head * 0.11, cy + head * 0.29),
        ],
        line,
        thick,
    )


def _lighthouse(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _boat(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _ship(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _door(s: _Sheet, x: float, y: float, h: float) -> None:
    w = h * 0.26
    s.area([(x - w - 0.015, y), (x - w - 0.015, y - h), (x + w + 0.015, y - h), (x + w + 0.015, y)], 70, 20)
    s.area([(x - w, y), (x - w, y - h * 0.98), (x + w, y - h * 0.98), (x + w, y)], 130, 24)
    for n in range(1, 4):
        s.line(x - w + w * n / 2, y, x - w + w * n / 2, y - h * 0.98, 90, 0.004)
    s.disc(x + w * 0.75, y - h * 0.45, 0.012, 0.012, 235, 20)


def _window(s: _Sheet, x: float, y: float, h: float) -> None:
    w, top = h * 0.42, y - h
    s.area([(x - w, top), (x + w, top), (x + w, top + h * 0.8), (x - w, top + h * 0.8)], 245, 30)
    s.line(x, top, x, top + h * 0.8, 40, 0.012)
    s.line(x - w, top + h * 0.4, x + w, top + h * 0.4, 40, 0.012)
    for n in range(4):
        s.line(x - w * 0.8 + n * 0.04, top + h * 0.3, x - w * 0.5 + n * 0.04, top + h * 0.08, 200, 0.003)


def _stairs(s: _Sheet, x: float, y: float, h: float) -> None:
    w = max(0.5, h * 0.8)
    for n in range(9):
        left, top = x - w / 2 + n * w / 9, y - n * h / 9
        s.area([(left, top - h / 9), (x + w / 2, top - h / 9), (x + w / 2, y), (left, y)], 190 - n * 12, 50)


def _book(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _lamp(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _car(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _house(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _tree(s: _Sheet, x: float, y: float, h: float) -> None:
    s.line(x, y, x, y - h * 0.55, 50, max(0.01, h * 0.07))
    for _ in range(14):
        dx, dy = s.chance.uniform(-0.28, 0.28) * h, s.chance.uniform(0.45, 0.95) * h
        s.disc(x + dx, y - dy, h * 0.14, h * 0.12, 100 + s.chance.randrange(0, 40))


def _table(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _train(s: _Sheet, x: float, y: float, h: float) -> None:
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


def _birds(s: _Sheet, x: float, y: float) -> None:
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


_THINGS: Mapping[str, Callable[[_Sheet, float, float, float], None]] = {
    "lighthouse": _lighthouse,
    "ship": _ship,
    "boat": _boat,
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
}


# --- weather, pencil, arrows ---------------------------------------------------------------------------


def _weather(s: _Sheet) -> None:
    match s.said.weather:
        case "rain" | "storm":
            slant = 0.05 if s.said.weather == "rain" else 0.11
            for _ in range(150 if s.said.weather == "rain" else 260):
                x, y, long = (
                    s.chance.uniform(-0.1, s.ratio + 0.1),
                    s.chance.uniform(-0.1, 1),
                    s.chance.uniform(0.04, 0.11),
                )
                s.line(x, y, x - slant * long * 8, y + long, s.chance.randrange(170, 240), 0.0022)
            if s.said.weather == "storm" and s.chance.random() < 0.6 and s.place != "room":
                x, y = s.chance.uniform(0.1, 0.9) * s.ratio, 0.0
                bolt: list[Point] = [(x, y)]
                while y < max(0.2, s.horizon) - 0.05:
                    x, y = x + s.chance.uniform(-0.05, 0.05), y + s.chance.uniform(0.04, 0.09)
                    bolt.append((x, y))
                s.stroke(bolt, 255, 0.007)
        case "snow":
            for _ in range(220):
                r = s.chance.uniform(0.002, 0.007)
                s.disc(s.chance.uniform(0, s.ratio), s.chance.uniform(0, 1), r, r, 252)
        case "fog":
            wide, high = s.image.size
            veil = _gradient(wide, max(1, high // 2))
            both = Image.new("L", (wide, high), 0)
            both.paste(veil, (0, 0))
            both.paste(veil.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, high - veil.height))
            level = max(150, min(235, 120 + round(s.chance.uniform(40, 70))))
            shift = round((min(0.8, max(0.2, s.horizon)) - 0.5) * high)
            mask = ImageChops.offset(both, 0, shift).point([v * 150 // 255 for v in range(256)])
            s.image.paste(level, (0, 0, wide, high), mask)
        case _:
            pass


def _pencil(s: _Sheet) -> None:
    """Hatch two corners, as a hand would, and frame the picture."""
    for corner in s.chance.sample(range(4), 2):
        ox, oy = (0.0 if corner % 2 == 0 else s.ratio), (0.0 if corner < 2 else 1.0)
        sx, sy = (1 if ox == 0 else -1), (1 if oy == 0 else -1)
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


def _arrows(art: Image.Image, move: str) -> None:
    """Draw the camera move into a finished picture, in the red that storyboards use for it."""
    scale = 2 if art.width * art.height <= _MOST else 1
    layer = Image.new("L", (art.width * scale, art.height * scale), 0)
    pen = ImageDraw.Draw(layer)
    wide, high = layer.size
    unit = min(wide, high)
    thick = max(2, round(unit * 0.016))

    def arrow(x0: float, y0: float, x1: float, y1: float) -> None:
        angle = math.atan2(y1 - y0, x1 - x0)
        barb = unit * 0.06
        ex, ey = x1 - math.cos(angle) * barb * 0.7, y1 - math.sin(angle) * barb * 0.7
        pen.line((x0, y0, ex, ey), fill=255, width=thick)
        head = [(x1, y1)]
        for turn in (2.65, -2.65):
            head.append((x1 + barb * math.cos(angle + turn), y1 + barb * math.sin(angle + turn)))
        pen.polygon(head, fill=255)

    def frame(inset: float) -> tuple[float, float, float, float]:
        box = (wide * inset, high * inset, wide * (1 - inset), high * (1 - inset))
        pen.rectangle(box, outline=255, width=max(1, thick // 2))
        return box

    match move:
        case "push in" | "pull out":
            left, top, right, bottom = frame(0.24)
            m = unit * 0.05
            corners = [
                ((m, m), (left, top)),
                ((wide - m, m), (right, top)),
                ((m, high - m), (left, bottom)),
                ((wide - m, high - m), (right, bottom)),
            ]
            for outer, inner in corners:
                a, b = (outer, inner) if move == "push in" else (inner, outer)
                arrow(*a, *b)
        case "pan left" | "pan right":
            x0, x1 = (0.2, 0.8) if move == "pan right" else (0.8, 0.2)
            arrow(wide * x0, high * 0.1, wide * x1, high * 0.1)
        case "track left" | "track right":
            x0, x1 = (0.2, 0.8) if move == "track right" else (0.8, 0.2)
            arrow(wide * x0, high * 0.9, wide * x1, high * 0.9)
            for n in range(7):  # the rails
                x = wide * (0.2 + n * 0.1)
                pen.line((x, high * 0.93, x, high * 0.97), fill=255, width=max(1, thick // 2))
            pen.line((wide * 0.2, high * 0.95, wide * 0.8, high * 0.95), fill=255, width=max(1, thick // 2))
        case "tilt up" | "tilt down":
            y0, y1 = (0.82, 0.18) if move == "tilt up" else (0.18, 0.82)
            arrow(wide * 0.92, high * y0, wide * 0.92, high * y1)
        case "crane up" | "crane down":
            y0, y1 = (0.85, 0.15) if move == "crane up" else (0.15, 0.85)
            for x in (0.06, 0.94):
                arrow(wide * x, high * y0, wide * x, high * y1)
        case "orbit":
            box = (wide * 0.18, high * 0.68, wide * 0.82, high * 0.95)
            pen.arc(box, 10, 170, fill=255, width=thick)
            arrow(wide * 0.2, high * 0.87, wide * 0.175, high * 0.79)
        case "handheld":
            for shift in (-0.012, 0.012):
                pen.rectangle(
                    (
                        wide * (0.07 + shift),
                        high * (0.08 - shift),
                        wide * (0.93 + shift),
                        high * (0.92 - shift),
                    ),
                    outline=255,
                    width=max(1, thick // 2),
                )
        case _:
            # Held: the corner marks of a viewfinder that stays.
            long = unit * 0.09
            for cx, cy in ((0.06, 0.08), (0.94, 0.08), (0.06, 0.92), (0.94, 0.92)):
                x, y = wide * cx, high * cy
                dx, dy = (long if cx < 0.5 else -long), (long if cy < 0.5 else -long)
                pen.line((x + dx, y, x, y, x, y + dy), fill=255, width=max(1, thick // 2))
    if scale > 1:
        layer = layer.reduce(2)
    art.paste(ACCENT, (0, 0), layer)
