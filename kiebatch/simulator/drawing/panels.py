"""Draws storyboard panels: what a draft shows in place of a picture or a clip.

They say what the words say and no more: light, weather and place where they are named, people as they are described, an
object in a close-up as a card with its name, and what there is no drawing of as a shape with its name.  Camera moves
are arrows, and a slate below says whose panel it is.  The same `Wanted` gives the same bytes on the same machine; hatching
and the digest in a corner make every panel another one.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from kiebatch import media
from kiebatch.media import clean_art, framing
from kiebatch.media.framing import Framing
from kiebatch.media.subjects import Figure, Posture, is_person
from kiebatch.simulator.drawing import arrows, figures, scenery, slate, things
from kiebatch.simulator.drawing.sheet import Sheet
from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.simulator.drawing.weather import pencil, weather

FPS = 24
_MOST_FRAMES = 480
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
_FAR_THINGS = ("lighthouse", "ship", "house")
_SMALL_THINGS = ("lamp", "book")


def digest(wanted: Wanted) -> bytes:
    """Return 32 bytes that are the request's own, and its output's."""
    text = f"{wanted.key} {wanted.prompt} {wanted.number} {wanted.part} {wanted.take_number}"
    return hashlib.sha256(text.encode()).digest()


def still(wanted: Wanted) -> bytes:
    """Return a panel as an encoded picture of `wanted.format`; it carries its art without slate and arrows, too."""
    said = _read(wanted)
    art = _art(wanted, said, wanted.width, wanted.height - slate.height(wanted.width, wanted.height))
    out = io.BytesIO()
    form = {"png": "PNG", "webp": "WEBP"}.get(wanted.format, "JPEG")
    options = {"compress_level": 1} if form == "PNG" else {"quality": 85}
    carried = clean_art.carrying(_cropped(art, wanted), form)
    _finished(wanted, said, art).save(out, form, **options, **carried)
    return out.getvalue()


def panel(wanted: Wanted, *, moves: bool = True) -> Image.Image:
    """Return a panel as an RGB picture of exactly the pixels wanted; without arrows where `moves` is false."""
    said = _read(wanted)
    art = _art(wanted, said, wanted.width, wanted.height - slate.height(wanted.width, wanted.height))
    return _finished(wanted, said, art, moves=moves)


def clip(wanted: Wanted) -> bytes | None:
    """Return a moving panel as MP4 (H.264, 24 frames a second); None without ffmpeg."""
    if media.find_ffmpeg() is None:
        return None
    said = _read(wanted)
    width, height = wanted.width, wanted.height
    low = slate.height(width, height)
    high = height - low
    # A music video of minutes moves in steps: nobody waits for thousands of frames of a draft.
    fps = FPS if wanted.seconds * FPS <= _MOST_FRAMES else max(1, int(_MOST_FRAMES / wanted.seconds))
    frames = max(1, round(wanted.seconds * fps))
    with tempfile.TemporaryDirectory(prefix="kiebatch-panel-") as folder:
        room = Path(folder)
        # The art is larger than the frame, so that there is something to move over.
        art = _art(wanted, said, round(width * 1.3), round(high * 1.3))
        art.save(room / "art.png", compress_level=1)
        fixed = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        fixed.paste((*slate.INK, 255), (0, high, width, height))
        slate.draw(ImageDraw.Draw(fixed), wanted, said, high, low)
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


def _read(wanted: Wanted) -> Framing:
    return framing.read(wanted.camera, wanted.words)


def _finished(wanted: Wanted, said: Framing, art: Image.Image, *, moves: bool = True) -> Image.Image:
    picture = Image.new("RGB", (wanted.width, wanted.height), slate.INK)
    shown = art.copy()
    if moves and said.move:
        arrows.draw(shown, said.move)
    picture.paste(shown, (0, 0))
    low = slate.height(wanted.width, wanted.height)
    slate.draw(ImageDraw.Draw(picture), wanted, said, wanted.height - low, low)
    _mark(picture, digest(wanted))
    return picture


def _mark(picture: Image.Image, bits: bytes) -> None:
    """Write the digest into the last pixels, each a shade or two from the ink: no eye sees it, and no two are equal."""
    for n, level in enumerate(bits[: picture.width]):
        place = (picture.width - 1 - n, picture.height - 1)
        picture.putpixel(place, (20 + level % 5, 20 + level // 5 % 5, 24 + level // 25 % 5))


def _cropped(art: Image.Image, wanted: Wanted) -> Image.Image:
    """Return the art in the shape of the whole picture: its sides are cut by as much as the slate is high."""
    wide = min(art.width, round(art.height * wanted.width / wanted.height))
    left = (art.width - wide) // 2
    return art.crop((left, 0, left + wide, art.height))


# --- the art -------------------------------------------------------------------------------------------


def _art(wanted: Wanted, said: Framing, width: int, height: int) -> Image.Image:
    """Return the drawing without slate and arrows, drawn at twice the size where that is affordable."""
    pixels = max(1, width * height)
    scale = 2.0 if pixels <= _MOST else min(1.4, math.sqrt(_MOST * 2 / pixels))
    wide, high = max(8, round(width * scale)), max(8, round(height * scale))
    chance = random.Random(digest(wanted))
    horizon = {"eye": 0.58, "low": 0.8, "high": 0.26, "overhead": -0.2, "tilted": 0.55}[said.angle]
    horizon += chance.uniform(-0.04, 0.04)
    ground = Image.new("L", (wide, high), 205)
    places = () if said.insert else scenery.shown(said)
    near = places[-1] if places else ""
    sheet = Sheet(ground, ImageDraw.Draw(ground), chance, said, high, wide / high, horizon, near)
    scenery.sky(sheet)
    if said.insert:
        things.labelled(sheet, said.subject, sheet.ratio / 2, 0.78, min(sheet.ratio * 0.7, 1.1), 0.56)
    else:
        scenery.ground(sheet)
        for place in places:
            scenery.PLACES[place](sheet)
        _stage(sheet)
        weather(sheet)
    pencil(sheet)
    return _tinted(_fitted(ground, said, (width, height), scale), said)


def _fitted(ground: Image.Image, said: Framing, size: tuple[int, int], scale: float) -> Image.Image:
    if said.angle == "tilted" and not said.insert:
        wide, high = ground.size
        turned = ground.rotate(9, Image.Resampling.BILINEAR, fillcolor=60)
        inset = 0.12
        ground = turned.crop(
            (int(wide * inset), int(high * inset), int(wide * (1 - inset)), int(high * (1 - inset)))
        )
    if ground.size == (2 * size[0], 2 * size[1]):
        return ground.reduce(2)
    if ground.size == size:
        return ground
    return ground.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.BOX)


def _tinted(grey: Image.Image, said: Framing) -> Image.Image:
    dark, pale = _RAMPS[said.light]
    bands = [
        grey.point([round(low + (high - low) * level / 255) for level in range(256)])
        for low, high in zip(dark, pale, strict=True)
    ]
    return Image.merge("RGB", bands)


# --- people and things ---------------------------------------------------------------------------------


def _stage(s: Sheet) -> None:
    """Draw people and things, those that are far first; what has no drawing is a card with its name."""
    said = s.said
    size = said.size or _usual_size(said)
    tall = _HEIGHTS[size]
    near = tall > 1
    drawn = tuple(name for name in said.things if name != "bench" or not _somebody_sits(said))[:3]
    if near and said.people:
        drawn = ()
    card = _card_of(said, drawn)
    spots = _spots(s, len(said.people) + len(drawn) + bool(card))
    for name, x in zip(drawn, spots, strict=False):
        _thing(s, name, x, tall)
    if card:
        wide = min(s.ratio * 0.42, 0.5)
        things.labelled(s, card, spots[len(drawn)], 0.86, wide, wide * 0.42)
    for figure, x in zip(said.people, spots[len(drawn) + bool(card) :], strict=True):
        _figure(s, figure, x, tall)


def _somebody_sits(said: Framing) -> bool:
    return any(figure.posture is Posture.SITTING for figure in said.people)  # on a seat of their own


def _usual_size(said: Framing) -> str:
    if said.things and not said.people:
        return "wide"
    return "full" if said.places else "medium"


def _card_of(said: Framing, drawn: tuple[str, ...]) -> str:
    """Return the name of what the picture is about where no drawing shows it: neither people, things nor the place."""
    if not said.subject or is_person(said.subject):
        return ""
    of_subject = framing.read("", said.subject)
    shown = set(of_subject.things) & set(drawn) or set(of_subject.places) & set(said.places)
    return "" if shown else said.subject


def _spots(s: Sheet, count: int) -> list[float]:
    """Return where things stand from left to right: one on a third, several spread."""
    if count <= 0:
        return []
    if count == 1:
        return [s.ratio * s.chance.choice((0.36, 0.5, 0.64))]
    step = 0.64 / max(1, count - 1)
    found = [s.ratio * (0.18 + n * step + s.chance.uniform(-0.02, 0.02)) for n in range(count)]
    s.chance.shuffle(found)
    return found


def _thing(s: Sheet, name: str, x: float, tall: float) -> None:
    near = tall > 1
    scale = max(0.12, min(0.85, tall * (1.5 if near else 1.35)))
    if name in _FAR_THINGS:
        scale = min(0.85, scale * 1.5)
    on = s.horizon + 0.06 if name in _FAR_THINGS else min(0.94, s.horizon + 0.1 + scale * 0.4)
    if near:
        scale, on, x = 0.8, 0.94, s.ratio / 2
    if name in _SMALL_THINGS and s.said.people:
        scale = max(0.14, scale * 0.45)
    if name == "bird":
        things.birds(s, x, 0.25)
    else:
        things.THINGS[name](s, x, max(on, scale + 0.04), scale)


def _figure(s: Sheet, figure: Figure, x: float, tall: float) -> None:
    near = tall > 1
    beside_others = len(s.said.people) > 1
    shrunk = tall * (figures.CHILD if figure.child and not near else 1.0) * s.chance.uniform(0.96, 1.03)
    # Where the horizon is, small figures have their feet; large ones are nearer, their feet below the frame.
    top = 0.32 if figure.child and beside_others else 0.1
    feet = min(0.97, s.horizon + 0.12 + 0.4 * tall) if tall < 0.9 else top + shrunk
    if s.said.angle == "low" and tall < 0.9:
        feet = 0.96
    lit = {"night": 105, "lamplight": 215, "dusk": 120}.get(s.said.light, 225)
    figures.draw(s, figure, x, feet, shrunk, lit)
