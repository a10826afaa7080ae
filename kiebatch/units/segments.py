"""The unit that encodes one segment of an animatic: exactly the frames of one shot.

A segment's piece says all that it shows: the bytes of its picture, its move, words, length and transitions.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageOps

from kiebatch import files, media
from kiebatch.errors import Invalid
from kiebatch.media import clean_art, lettering
from kiebatch.model import JSON
from kiebatch.units.context import Context
from kiebatch.units.unit import Ended, Failed, Made, Order, Unit

Transition = Literal["cut", "black", "white", "dissolve", "wipeleft", "wiperight", "wipeup", "wipedown"]
SLOWEST = 2.0  # times a clip's own length
_RECIPE = 1  # goes up when the same content shall give other frames
# Segments are joined without encoding: one of another encoder might not play among the others.
_OTHER_TOOLS = Failed(
    "other-tools", "a machine with another ffmpeg, kiebatch or fonts took it", retryable=False
)
_TRANSITION_S = 0.5
_TIMEOUT_S = 900.0
# Segments are joined without encoding, so all have the same settings.
_ENCODING = (
    *("-c:v", "libx264", "-preset", "superfast", "-crf", "22", "-bf", "0"),
    *("-pix_fmt", "yuv420p", "-video_track_timescale", "90000", "-an"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One caption.  Times are seconds of the film, or of the shot in a piece."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """All that decides what a shot's frames show.  `source` is the digest of its picture; `words` those of a card.

    `tools` are those of the machine that asks for it: ffmpeg, and the fonts of its words.
    """

    size: tuple[int, int]
    rate: str
    frames: int
    begin: Transition
    end: Transition
    source: str = ""
    move: str = ""
    words: tuple[str, str] = ("", "")
    overlay: str = ""
    slate: str = ""
    captions: tuple[Cue, ...] = ()
    before: str = ""  # the piece whose last frame it blends out of
    tools: tuple[str, ...] = ()
    recipe: int = _RECIPE

    @property
    def key(self) -> str:
        told = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def texts(self) -> tuple[str, ...]:
        return (*self.words, self.overlay, self.slate, *(cue.text for cue in self.captions))

    @property
    def blended(self) -> bool:
        return self.begin not in ("cut", "black", "white")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a piece's picture is: the kind of its file, and the length of a clip."""

    kind: Literal["image", "video", ""] = ""
    length_s: float = 0.0


def segment(piece: Piece, source: Source) -> Unit:
    """Return the unit that encodes a piece."""
    inputs = {"source": piece.source, "before": piece.before}
    params: dict[str, JSON] = {"piece": json.loads(json.dumps(asdict(piece))), "source": asdict(source)}
    return Unit.of(
        "segment", inputs, params, recipe=piece.recipe, needs=("ffmpeg",), timeout_s=2 * _TIMEOUT_S
    )


def tools(piece: Piece) -> tuple[str, ...]:
    """Return what decides on this machine how a piece's frames look."""
    return (media.ffmpeg_version(), *lettering.fonts(piece.texts))


async def encoded(order: Order, context: Context) -> Ended:
    """Encode the piece; it is then on the shelf as `<key of the piece>.mp4`."""
    try:
        piece, source = _read(order.unit.params)
    except (KeyError, TypeError):
        # A program asked for it that says more of a piece than this one knows.
        return _OTHER_TOOLS
    if (piece.recipe, piece.tools) != (_RECIPE, await context.offload(tools, piece)):
        return _OTHER_TOOLS
    if await context.shelf.get(f"{piece.key}.mp4") is not None:
        return Made({"name": f"{piece.key}.mp4"})
    picture = await context.shelf.get(f"sha256/{piece.source}") if piece.source else None
    before = await context.shelf.get(f"{piece.before}.mp4") if piece.before else None
    if (piece.source and picture is None) or (piece.before and before is None):
        return Failed("no-input", "a file that it starts from is not stored yet", retryable=True)
    target = context.shelf.scratch(order.unit)
    try:
        await context.offload(_encode, piece, source, picture, before, target)
    except (media.Undecodable, Invalid) as error:
        target.unlink(missing_ok=True)
        return Failed("unmakeable", str(error), retryable=False)
    await context.shelf.put(f"{piece.key}.mp4", target)
    return Made({"name": f"{piece.key}.mp4"})


def _read(params: Mapping[str, Any]) -> tuple[Piece, Source]:
    told = dict(params["piece"])
    told |= {
        "size": tuple(told["size"]),
        "words": tuple(told["words"]),
        "tools": tuple(told["tools"]),
        "captions": tuple(Cue(**cue) for cue in told["captions"]),
    }
    return Piece(**told), Source(**params["source"])


def _encode(piece: Piece, source: Source, picture: Path | None, before: Path | None, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="segment-", dir=target.parent) as folder:
        _Maker(piece, source, picture, Path(folder)).run(before, target)


def fitting(have_s: float, want_s: float) -> tuple[float, float]:
    """Return how a clip fills its shot: the factor it is slowed by, and the seconds its last frame is held."""
    if have_s <= 0:
        return 1.0, want_s
    slowed = min(SLOWEST, max(1.0, want_s / have_s))
    return slowed, max(0.0, want_s - have_s * slowed)


class _Maker:
    def __init__(self, piece: Piece, source: Source, picture: Path | None, folder: Path) -> None:
        self.piece = piece
        self.source = source
        self.picture = picture
        self.fps = Fraction(piece.rate)
        self.folder = folder
        self.inputs: list[list[str]] = []
        self.chain: list[str] = []
        self.at = ""

    def run(self, before: Path | None, target: Path) -> None:
        rate = self.piece.rate
        given, picture = self._picture()
        self.inputs.append(given)
        self._then(f"[0:v]{picture},fps={rate},setsar=1,format=yuv420p")
        self._overlays()
        if before is not None:
            self._blend(before)
        self._fades()
        media.run_ffmpeg(
            [
                *("-v", "error"),
                *(argument for given in self.inputs for argument in given),
                *("-filter_complex", ";".join(self.chain), "-map", f"[{self.at}]"),
                *("-frames:v", str(self.piece.frames), "-r", rate, *_ENCODING, "-f", "mp4", f"file:{target}"),
            ],
            timeout_s=_TIMEOUT_S,
        )

    def _then(self, filters: str) -> None:
        self.at = f"p{len(self.chain)}"
        self.chain.append(f"{filters}[{self.at}]")

    def _add(self, *arguments: str) -> int:
        """Add an input, and return its number."""
        self.inputs.append([*arguments])
        return len(self.inputs) - 1

    @property
    def _blend_frames(self) -> int:
        """How many frames a transition takes: half a second, or half of a short shot."""
        return max(1, min(round(_TRANSITION_S * self.fps), self.piece.frames // 2))

    def _blend(self, before: Path) -> None:
        wide, high = self.piece.size
        last = self.folder / "last.png"
        media.frame(before, "last", last)
        length = f"{float(Fraction(self._blend_frames) / self.fps):.6f}"
        number = self._add("-loop", "1", "-framerate", self.piece.rate, "-t", length, "-i", f"file:{last}")
        kind = {"dissolve": "fade"}.get(self.piece.begin, self.piece.begin)
        self.chain.append(f"[{number}:v]scale={wide}:{high},setsar=1,format=yuv420p,settb=1/90000[b]")
        self.chain.append(f"[{self.at}]settb=1/90000[c]")
        self._then(f"[b][c]xfade=transition={kind}:duration={length}:offset=0,fps={self.piece.rate}")

    def _fades(self) -> None:
        length, frames = self._blend_frames, self.piece.frames
        filters = []
        if self.piece.begin in ("black", "white"):
            filters.append(f"fade=t=in:s=0:n={length}:c={self.piece.begin}")
        if self.piece.end in ("black", "white"):
            filters.append(f"fade=t=out:s={frames - length}:n={length}:c={self.piece.end}")
        self._then(f"[{self.at}]{','.join([*filters, f'tpad=stop_mode=clone:stop={frames}'])}")

    # -- the picture

    def _picture(self) -> tuple[list[str], str]:
        """Return the input of a shot, and the filters that make it fill the frame for its length or longer."""
        wide, high = self.piece.size
        fit = f"scale={wide}:{high}:force_original_aspect_ratio=decrease:force_divisible_by=2"
        pad = f"pad={wide}:{high}:(ow-iw)/2:(oh-ih)/2:black"
        if self.picture is not None and self.source.kind == "video":
            slowed, _ = fitting(self.source.length_s, float(self.piece.frames / self.fps))
            pace = f"setpts={slowed:.6f}*(PTS-STARTPTS)," if slowed > 1 else ""
            return [*media.UNTRUSTED, "-i", f"file:{self.picture}"], f"{pace}{fit},{pad}"
        moves = self.piece.move not in ("", "static")
        still = self._still(moves)
        rate = self.piece.rate
        if not moves:
            # Decoded and fitted once, then repeated: with `-loop` it would be for every frame.
            held = f"format=yuv420p,loop=loop={self.piece.frames}:size=1,setpts=N/({rate})/TB"
            return ["-framerate", rate, "-i", f"file:{still}"], f"{fit},{pad},{held}"
        with Image.open(still) as opened:
            ratio = min(wide / opened.width, high / opened.height)
            inner = (even(opened.width * ratio), even(opened.height * ratio))
        # Moved over at twice the size: the steps of zoompan are whole pixels, and show.
        moved = media.motion(self.piece.move, self.piece.frames, inner, rate)
        return ["-i", f"file:{still}"], f"scale={inner[0] * 2}:{inner[1] * 2},format=yuv420p,{moved},{pad}"

    def _still(self, moves: bool) -> Path:
        """Return a still as ffmpeg shall see it: turned upright, in RGB, no larger than is of use."""
        target = self.folder / "still.png"
        if self.picture is None:
            self._card().save(target, compress_level=1)
            return target
        # A move over a draft's panel would cut through its slate and arrows.
        art = clean_art.read(self.picture) if moves else None
        picture = art or _upright(self.picture)
        picture.thumbnail((self.piece.size[0] * 2, self.piece.size[1] * 2), Image.Resampling.LANCZOS)
        picture.save(target, compress_level=1)
        return target

    def _card(self) -> Image.Image:
        """Draw what is shown for a shot that is not made yet: its name and what it will show."""
        wide, high = self.piece.size
        name, text = self.piece.words
        picture = Image.new("RGB", self.piece.size, (30, 30, 34))
        pen = ImageDraw.Draw(picture)
        size = high / 22
        left, room = wide * 0.12, wide * 0.76
        lettering.draw(pen, (left, high * 0.3), name, size * 1.8, (226, 74, 42))
        for n, line in enumerate(lettering.wrap(" ".join(text.split()), size, room, 6)):
            lettering.draw(pen, (left, high * 0.3 + size * (2 + 1.4 * n)), line, size, (226, 222, 212))
        return picture

    # -- words over the picture

    def _overlays(self) -> None:
        if self.piece.overlay or self.piece.slate:
            picture = Image.new("RGBA", self.piece.size, (0, 0, 0, 0))
            if self.piece.overlay:
                # Captions have the lowest place, so an overlay moves up for them.
                _boxed(picture, self.piece.overlay, 0.7 if self.piece.captions else 0.86)
            if self.piece.slate:
                _slate(picture, self.piece.slate)
            self._lay(picture, "words", "")
        for number, cue in enumerate(self.piece.captions):
            picture = Image.new("RGBA", self.piece.size, (0, 0, 0, 0))
            _boxed(picture, cue.text, 0.94, share=24)
            shown = f":enable='between(t,{cue.start_s:.3f},{cue.end_s:.3f})'"
            self._lay(picture, f"caption-{number}", shown)

    def _lay(self, picture: Image.Image, name: str, when: str) -> None:
        target = self.folder / f"{name}.png"
        picture.save(target, compress_level=1)
        number = self._add("-i", f"file:{target}")
        self._then(f"[{self.at}][{number}:v]overlay=0:0:eof_action=repeat{when},format=yuv420p")


def _upright(path: Path) -> Image.Image:
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode in ("RGBA", "LA", "PA", "P"):
                ground = Image.new("RGBA", picture.size, (0, 0, 0, 255))
                picture = Image.alpha_composite(ground, picture.convert("RGBA"))
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Invalid(f"{files.shown(path)} cannot be used: {error}") from None


def _boxed(picture: Image.Image, text: str, low: float, *, share: int = 17) -> None:
    """Write a text in the middle on a dark ground, its last line at `low` of the height; `share` of it is its size."""
    wide, high = picture.size
    pen = ImageDraw.Draw(picture)
    size = high / share
    lines = lettering.wrap(text, size, wide * 0.8, 3)
    y = high * low - size * 1.3 * (len(lines) - 1)
    for n, line in enumerate(lines):
        half = lettering.width(line, size) / 2 + size * 0.5
        base = y + size * 1.3 * n
        box = (wide / 2 - half, base - size * 1.02, wide / 2 + half, base + size * 0.36)
        pen.rectangle(box, fill=(0, 0, 0, 150))
    for n, line in enumerate(lines):
        lettering.draw(pen, (wide / 2, y + size * 1.3 * n), line, size, (255, 255, 255, 255), anchor="m")


def _slate(picture: Image.Image, line: str) -> None:
    wide, high = picture.size
    pen = ImageDraw.Draw(picture)
    size = high / 34
    size *= min(1.0, wide / (lettering.width(line, size) + size * 1.6))  # a tall frame is narrow
    reach = lettering.width(line, size) + size * 1.6
    pen.rectangle((0, 0, reach, size * 1.9), fill=(0, 0, 0, 170))
    lettering.draw(pen, (size * 0.8, size * 1.3), line, size, (255, 255, 255, 255))


def even(value: float) -> int:
    """Return the nearest even number, at least 2: what H.264 takes as a side."""
    return max(2, round(value / 2) * 2)
