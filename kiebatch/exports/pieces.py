"""One shot of an animatic as a piece of video of exactly its frames, made once for the same content.

A piece's name is a digest of all that it shows: the bytes of its picture, its move, words, length and transitions.  So a
scene that was made again costs the time of that scene.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageOps

from kiebatch import files, media
from kiebatch.errors import Invalid
from kiebatch.exports.captions import Cue
from kiebatch.exports.cut import Cut, Film
from kiebatch.exports.soundtrack import fitting, seconds
from kiebatch.media import clean_art, framing, lettering

Transition = Literal["cut", "black", "white", "dissolve", "wipeleft", "wiperight", "wipeup", "wipedown"]
_RECIPE = 1  # goes up when the same content shall give other frames
_TRANSITION_S = 0.5
_TIMEOUT_S = 900.0
_KEPT_S = 30 * 24 * 3600.0  # how long a piece that nobody uses stays
# Pieces are joined without encoding, so all have the same settings.
_ENCODING = (
    *("-c:v", "libx264", "-preset", "superfast", "-crf", "22", "-bf", "0"),
    *("-pix_fmt", "yuv420p", "-video_track_timescale", "90000", "-an"),
)


def transition(text: str) -> Transition:
    """Return what the words of a `transition` mean for the end of a shot; what is not known is a cut."""
    said = text.lower()
    wiped = re.search(r"wipe(?:[ -](?:to[ -])?(left|right|up|down))?", said)
    if wiped:
        return f"wipe{wiped[1] or 'left'}"  # type: ignore[return-value]
    for kind, words in (
        ("dissolve", r"dissolve|cross|x-?fade|mix|blend|morph"),
        ("white", r"white|flash"),
        ("black", r"fade|dip|black"),
    ):
        if re.search(words, said):
            return kind  # type: ignore[return-value]
    return "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """All that decides what a shot's frames show.  `source` is the digest of its picture; `words` those of a card."""

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
    ffmpeg: str = ""
    recipe: int = _RECIPE

    @property
    def key(self) -> str:
        told = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def blended(self) -> bool:
        return self.begin not in ("cut", "black", "white")


class Store:
    """The pieces in a state folder."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "animatic"

    def path(self, piece: Piece) -> Path:
        return self.folder / f"{piece.key}.mp4"

    def has(self, piece: Piece) -> bool:
        """Whether a piece is there; that it was used is noted, so that it stays."""
        try:
            os.utime(self.path(piece))
        except FileNotFoundError:
            return False
        return True

    def clear(self, now: float) -> None:
        """Remove what was not used for a month, counted back from `now` (seconds since the epoch)."""
        for path in self.folder.glob("*.mp4"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < now - _KEPT_S:
                    path.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is the same for all pieces of a film."""

    film: Film
    size: tuple[int, int]
    slate: bool = False

    @property
    def rate(self) -> str:
        return f"{self.film.fps.numerator}/{self.film.fps.denominator}"


def pieces(look: Look, cues: Sequence[Sequence[Cue]]) -> list[Piece]:
    """Return the pieces of a film in order; `cues` are the captions of each shot, none where they are not wanted."""
    found: list[Piece] = []
    begin: Transition = "cut"
    for shot, captions in zip(look.film.shots, cues, strict=True):
        end = transition(shot.transition)
        take = shot.shown
        there = take is not None and take.path is not None and take.asset.type != "audio"
        piece = Piece(
            size=look.size,
            rate=look.rate,
            frames=shot.frames,
            begin=begin,
            end=end,
            source=files.sha256(take.path) if there and take and take.path else "",
            move=(framing.move(shot.camera) or "") if there else "",
            words=("", "")
            if there
            else (shot.name, shot.title or shot.prompt or shot.voice_over or shot.scene_title),
            overlay=shot.text_overlay,
            slate=slate(look.film, shot) if look.slate else "",
            captions=tuple(captions),
            before=found[-1].key if found and begin not in ("cut", "black", "white") else "",
            ffmpeg=media.ffmpeg_version(),
        )
        found.append(piece)
        begin = end
    return found


def slate(film: Film, shot: Cut) -> str:
    """Return the line of a slate: shot, take, model, time and length."""
    take = shot.shown
    said = [shot.name, f"take {take.number}   {take.model}" if take else "not made yet"]
    said += [film.timecode(shot.start), f"{film.seconds(shot.frames):g} s"]
    return "   ".join(part for part in said if part)


def make(piece: Piece, shot: Cut, look: Look, store: Store, before: Path | None, folder: Path) -> None:
    """Encode a piece into the store; `before` is the piece that it blends out of, `folder` is for its parts."""
    maker = _Maker(piece, shot, look, folder)
    part = store.folder / f"{piece.key}.{os.getpid()}.part.mp4"
    files.private_folder(store.folder)
    try:
        maker.run(before, part)
        os.replace(part, store.path(piece))
    finally:
        part.unlink(missing_ok=True)


class _Maker:
    def __init__(self, piece: Piece, shot: Cut, look: Look, folder: Path) -> None:
        self.piece = piece
        self.shot = shot
        self.film = look.film
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
                *("-frames:v", str(self.piece.frames), "-r", rate, *_ENCODING, f"file:{target}"),
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
        return max(1, min(round(_TRANSITION_S * self.film.fps), self.piece.frames // 2))

    def _blend(self, before: Path) -> None:
        wide, high = self.piece.size
        last = self.folder / "last.png"
        media.frame(before, "last", last)
        length = f"{float(Fraction(self._blend_frames) / self.film.fps):.6f}"
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
        take = self.shot.shown
        fit = f"scale={wide}:{high}:force_original_aspect_ratio=decrease:force_divisible_by=2"
        pad = f"pad={wide}:{high}:(ow-iw)/2:(oh-ih)/2:black"
        if take is not None and take.path is not None and take.asset.type == "video":
            have = seconds(take.path, take.asset.duration)
            slowed, _ = fitting(have, self.film.seconds(self.piece.frames))
            pace = f"setpts={slowed:.6f}*(PTS-STARTPTS)," if slowed > 1 else ""
            return [*media.UNTRUSTED, "-i", f"file:{take.path}"], f"{pace}{fit},{pad}"
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
        take = self.shot.shown
        if take is None or take.path is None or take.asset.type != "image":
            self._card().save(target, compress_level=1)
            return target
        # A move over a draft's panel would cut through its slate and arrows.
        art = clean_art.read(take.path) if moves else None
        picture = art or _upright(take.path)
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
        lettering.draw(pen, (left, high * 0.3), name or self.shot.name, size * 1.8, (226, 74, 42))
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
