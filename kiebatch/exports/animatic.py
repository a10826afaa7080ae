"""The animatic: the film as MP4 with stills held under their camera move, clips, voices, music, words and chapters.

Each shot is encoded as a piece of exactly its frames; the pieces are then joined without encoding again, so that a
long film needs no more memory than a short one.

A clip longer than its shot is cut at its end.  A shorter one is slowed to fill the shot, at most to half its speed;
what is still missing then is its last frame, held.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageOps

from kiebatch import files, media
from kiebatch.errors import Invalid
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options
from kiebatch.media import framing, lettering
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

Transition = Literal["cut", "black", "white", "dissolve", "wipeleft", "wiperight", "wipeup", "wipedown"]
LONG_SIDE = 1280  # pixels, where no size was asked for
SLOWEST = 2.0  # times a clip's own length
_TRANSITION_S = 0.5
_TIMEOUT_S = 900.0
_LOUDNESS = {"vo": 1.0, "music": 0.3, "sfx": 0.6, "shot": 0.7, "mixed": 1.0}
_AT_ONCE = 48  # sounds that one run of ffmpeg mixes: each is an open file and a piece of the command line


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the MP4: H.264 in yuv420p, AAC where there is any sound, one chapter per scene.

    `Invalid` with the way to install it when there is no ffmpeg.
    """
    if media.find_ffmpeg() is None:
        raise Invalid(
            "an animatic needs ffmpeg",
            hint="install ffmpeg, or its bundled kind: pip install 'kiebatch[video]'",
        )
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that moving it there at the end is one step.
    with tempfile.TemporaryDirectory(prefix=".animatic-", dir=options.output.parent) as folder:
        made = _Animatic(film, workspace, options, Path(folder)).make()
        os.replace(made, options.output)
    return [options.output]


def transition(text: str) -> Transition:
    """Return what the words of a `transition` mean for the end of a shot; what is not known is a cut."""
    said = text.lower()
    wiped = re.search(r"wipe(?:[ -](?:to[ -])?(left|right|up|down))?", said)
    if wiped:
        return f"wipe{wiped[1] or 'left'}"  # type: ignore[return-value]
    if re.search(r"dissolve|cross|x-?fade|mix|blend|morph", said):
        return "dissolve"
    if re.search(r"white|flash", said):
        return "white"
    if re.search(r"fade|dip|black", said):
        return "black"
    return "cut"


def fitting(have_s: float, want_s: float) -> tuple[float, float]:
    """Return how a clip fills its shot: the factor it is slowed by, and the seconds its last frame is held."""
    if have_s <= 0:
        return 1.0, want_s
    slowed = min(SLOWEST, max(1.0, want_s / have_s))
    return slowed, max(0.0, want_s - have_s * slowed)


@dataclass(frozen=True, slots=True)
class _Sound:
    path: Path
    start_s: float
    length_s: float  # how long it may sound
    kind: str
    tempo: float = 1.0


class _Animatic:
    def __init__(self, film: Film, workspace: Workspace, options: Options, folder: Path) -> None:
        self.film = film
        self.state = workspace.state
        self.options = options
        self.folder = folder
        self.size = options.size or _size(film.shape)
        self.rate = f"{film.fps.numerator}/{film.fps.denominator}"
        self.done = 0

    def make(self) -> Path:
        shots = self.film.shots
        ends: list[Transition] = [transition(shot.transition) for shot in shots]
        begins: list[Transition] = ["cut", *ends[:-1]]
        # What blends out of the shot before needs that one's last frame, so those come second, in their order.
        blended = {n for n, kind in enumerate(begins) if kind not in ("cut", "black", "white")}
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            first = [n for n in range(len(shots)) if n not in blended]
            for _ in pool.map(lambda n: self._piece(n, begins[n], ends[n], None), first):
                self._tick()
        for n in sorted(blended):
            last = self.folder / f"last-{n}.png"
            media.frame(self._path(n - 1), "last", last)
            self._piece(n, begins[n], ends[n], last)
            self._tick()
        return self._joined()

    def _tick(self) -> None:
        self.done += 1
        self.options.progress(self.done, len(self.film.shots) + 1)

    def _path(self, number: int) -> Path:
        return self.folder / f"piece-{number:05d}.mp4"

    # -- one shot

    def _piece(self, number: int, begin: Transition, end: Transition, last: Path | None) -> None:
        shot = self.film.shots[number]
        wide, high = self.size
        inputs, picture = self._picture(number, shot)
        chain = [f"[0:v]{picture},fps={self.rate},setsar=1,format=yuv420p[p0]"]
        at = "p0"
        overlay = self._overlay(number, shot)
        if overlay:
            chain.append(f"[{at}][{len(inputs)}:v]overlay=0:0:eof_action=repeat,format=yuv420p[p1]")
            inputs.append(["-i", f"file:{overlay}"])
            at = "p1"
        length = self._blend(shot)
        seconds = float(Fraction(length) / self.film.fps)
        if last is not None:
            still = ["-loop", "1", "-framerate", self.rate, "-t", f"{seconds:.6f}", "-i", f"file:{last}"]
            before = f"[{len(inputs)}:v]scale={wide}:{high},setsar=1,format=yuv420p,settb=1/90000[b]"
            name = {"dissolve": "fade"}.get(begin, begin)
            chain += [
                before,
                f"[{at}]settb=1/90000[c]",
                f"[b][c]xfade=transition={name}:duration={seconds:.6f}:offset=0,fps={self.rate}[p2]",
            ]
            inputs.append(still)
            at = "p2"
        fades = []
        if begin in ("black", "white"):
            fades.append(f"fade=t=in:s=0:n={length}:c={begin}")
        if end in ("black", "white"):
            fades.append(f"fade=t=out:s={shot.frames - length}:n={length}:c={end}")
        chain.append(f"[{at}]{','.join([*fades, f'tpad=stop_mode=clone:stop={shot.frames}'])}[v]")
        media.run_ffmpeg(
            [
                *("-v", "error"),
                *(argument for given in inputs for argument in given),
                *("-filter_complex", ";".join(chain), "-map", "[v]", "-frames:v", str(shot.frames)),
                *("-r", self.rate, "-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-bf", "0"),
                *(
                    "-pix_fmt",
                    "yuv420p",
                    "-video_track_timescale",
                    "90000",
                    "-an",
                    f"file:{self._path(number)}",
                ),
            ],
            timeout_s=_TIMEOUT_S,
        )

    def _blend(self, shot: Cut) -> int:
        """Return how many frames a transition takes: half a second, or half of a short shot."""
        return max(1, min(round(_TRANSITION_S * self.film.fps), shot.frames // 2))

    def _picture(self, number: int, shot: Cut) -> tuple[list[list[str]], str]:
        """Return the input of a shot, and the filters that make it fill the frame for its length or longer."""
        wide, high = self.size
        take = shot.shown
        fit = f"scale={wide}:{high}:force_original_aspect_ratio=decrease:force_divisible_by=2"
        pad = f"pad={wide}:{high}:(ow-iw)/2:(oh-ih)/2:black"
        if take is not None and take.path is not None and take.asset.type == "video":
            slowed, _ = fitting(_seconds(take.path, take.asset.duration), self.film.seconds(shot.frames))
            pace = f"setpts={slowed:.6f}*(PTS-STARTPTS)," if slowed > 1 else ""
            return [[*media.UNTRUSTED, "-i", f"file:{take.path}"]], f"{pace}{fit},{pad}"
        if take is not None and take.path is not None and take.asset.type == "image":
            path = take.path
        else:
            path = self._card(number, shot)
        still = self._flat(number, path)
        move = framing.move(shot.camera) if take is not None else None
        if move is None or move == "static":
            # Decoded and fitted once, then repeated: with `-loop` it would be for every frame.
            held = f"loop=loop={shot.frames}:size=1,setpts=N/({self.rate})/TB"
            return [["-framerate", self.rate, "-i", f"file:{still}"]], f"{fit},{pad},{held}"
        with Image.open(still) as opened:
            ratio = min(wide / opened.width, high / opened.height)
            inner = (_even(opened.width * ratio), _even(opened.height * ratio))
        # Moved over at twice the size: the steps of zoompan are whole pixels, and show.
        moved = media.motion(move, shot.frames, inner, self.rate)
        return [["-i", f"file:{still}"]], f"scale={inner[0] * 2}:{inner[1] * 2},{moved},{pad}"

    def _flat(self, number: int, path: Path) -> Path:
        """Return a still as ffmpeg shall see it: turned upright, in RGB, no larger than is of use."""
        target = self.folder / f"still-{number}.png"
        try:
            with Image.open(path) as opened:
                picture = ImageOps.exif_transpose(opened)
                if picture.mode in ("RGBA", "LA", "PA", "P"):
                    ground = Image.new("RGBA", picture.size, (0, 0, 0, 255))
                    picture = Image.alpha_composite(ground, picture.convert("RGBA"))
                picture = picture.convert("RGB")
                picture.thumbnail((self.size[0] * 2, self.size[1] * 2), Image.Resampling.LANCZOS)
                picture.save(target, compress_level=1)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise Invalid(f"{files.shown(path)} cannot be used: {error}") from None
        return target

    def _card(self, number: int, shot: Cut) -> Path:
        """Draw what stands for a shot that is not made yet: its name and what it shall show."""
        wide, high = self.size
        picture = Image.new("RGB", self.size, (30, 30, 34))
        pen = ImageDraw.Draw(picture)
        size = high / 22
        left, room = wide * 0.12, wide * 0.76
        lettering.draw(pen, (left, high * 0.3), shot.name, size * 1.8, (226, 74, 42))
        text = shot.title or shot.prompt or shot.scene_title
        for n, line in enumerate(lettering.wrap(" ".join(text.split()), size, room, 6)):
            lettering.draw(pen, (left, high * 0.3 + size * (2 + 1.4 * n)), line, size, (226, 222, 212))
        target = self.folder / f"card-{number}.png"
        picture.save(target, compress_level=1)
        return target

    def _overlay(self, number: int, shot: Cut) -> Path | None:
        """Return the words that lie over a shot as a transparent picture; None where there are none."""
        if not shot.text_overlay and not self.options.slate:
            return None
        wide, high = self.size
        picture = Image.new("RGBA", self.size, (0, 0, 0, 0))
        pen = ImageDraw.Draw(picture)
        if shot.text_overlay:
            size = high / 17
            lines = lettering.wrap(shot.text_overlay, size, wide * 0.8, 3)
            y = high * 0.86 - size * 1.3 * (len(lines) - 1)
            for n, line in enumerate(lines):
                half = lettering.width(line, size) / 2 + size * 0.5
                base = y + size * 1.3 * n
                pen.rectangle(
                    (wide / 2 - half, base - size * 1.02, wide / 2 + half, base + size * 0.36),
                    fill=(0, 0, 0, 150),
                )
            for n, line in enumerate(lines):
                lettering.draw(
                    pen, (wide / 2, y + size * 1.3 * n), line, size, (255, 255, 255, 255), anchor="m"
                )
        if self.options.slate:
            take = shot.shown
            said = [shot.name, f"take {take.number}   {take.model}" if take else "not made yet"]
            said += [self.film.timecode(shot.start), f"{self.film.seconds(shot.frames):g} s"]
            line = "   ".join(part for part in said if part)
            size = high / 34
            size *= min(1.0, wide / (lettering.width(line, size) + size * 1.6))  # a tall frame is narrow
            reach = lettering.width(line, size) + size * 1.6
            pen.rectangle((0, 0, reach, size * 1.9), fill=(0, 0, 0, 170))
            lettering.draw(pen, (size * 0.8, size * 1.3), line, size, (255, 255, 255, 255))
        target = self.folder / f"words-{number}.png"
        picture.save(target, compress_level=1)
        return target

    # -- the whole

    def _joined(self) -> Path:
        names = "".join(f"file '{self._path(n).name}'\n" for n in range(len(self.film.shots)))
        (self.folder / "pieces.txt").write_text("ffconcat version 1.0\n" + names, encoding="utf-8")
        (self.folder / "chapters.txt").write_text(chapters(self.film), encoding="utf-8")
        sounds = self._premixed(self._sounds())
        arguments = ["-v", "error", "-protocol_whitelist", "file,pipe", "-f", "concat"]
        arguments += ["-i", f"file:{self.folder / 'pieces.txt'}"]
        arguments += ["-f", "ffmetadata", "-i", f"file:{self.folder / 'chapters.txt'}"]
        if sounds:
            total = self.film.seconds(self.film.length)
            # Padded to a length, not for ever: newer ffmpeg does not always stop what pads without end.
            ending = f"alimiter=limit=0.95,apad=whole_dur={total:.6f},atrim=end={total:.6f}"
            arguments += [*_inputs(sounds), "-filter_complex", _mix(sounds, 2, ending), "-map", "[mix]"]
            arguments += ["-c:a", "aac", "-b:a", "160k", "-ar", "48000"]
        target = self.folder / "film.mp4"
        arguments += ["-map", "0:v", "-c:v", "copy", "-map_metadata", "1", "-map_chapters", "1"]
        media.run_ffmpeg([*arguments, "-movflags", "+faststart", f"file:{target}"], timeout_s=_TIMEOUT_S)
        self._tick()
        return target

    def _sounds(self) -> list[_Sound]:
        film = self.film
        total = film.seconds(film.length)
        found = []
        for shot in film.shots:
            take = shot.shown
            if (
                take is None
                or take.path is None
                or take.asset.type != "video"
                or not media.has_sound(take.path)
            ):
                continue
            want = film.seconds(shot.frames)
            slowed, _ = fitting(_seconds(take.path, take.asset.duration), want)
            found.append(_Sound(take.path, film.seconds(shot.start), want, "shot", 1 / slowed))
        for sound in film.sounds:
            take = sound.shown
            if take is None or take.path is None or take.asset.type not in ("audio", "video"):
                continue
            start = film.seconds(sound.start)
            # A voice may run into the next scene, as it does in a cutting room; music ends with its scene.
            room = total - start if sound.kind == "vo" else film.seconds(sound.frames)
            if room > 0:
                found.append(_Sound(take.path, start, room, sound.kind))
        return found

    def _premixed(self, sounds: Sequence[_Sound], level: int = 0) -> Sequence[_Sound]:
        """Return few enough sounds to be mixed at once: the many of a long film are mixed in groups before."""
        if len(sounds) <= _AT_ONCE:
            return sounds
        total = self.film.seconds(self.film.length)
        mixed = []
        for number in range(0, len(sounds), _AT_ONCE):
            group = sounds[number : number + _AT_ONCE]
            target = self.folder / f"mix-{level}-{number}.flac"
            mixing = ["-filter_complex", _mix(group, 0, f"atrim=end={total:.6f}"), "-map", "[mix]"]
            media.run_ffmpeg(
                ["-v", "error", *_inputs(group), *mixing, f"file:{target}"], timeout_s=_TIMEOUT_S
            )
            mixed.append(_Sound(target, 0.0, total, "mixed"))
        return self._premixed(mixed, level + 1)


def _inputs(sounds: Sequence[_Sound]) -> list[str]:
    return [argument for sound in sounds for argument in (*media.UNTRUSTED, "-i", f"file:{sound.path}")]


def _mix(sounds: Sequence[_Sound], first: int, ending: str) -> str:
    """Return the ffmpeg filters that put sounds in their places; they are inputs number `first` and on."""
    lines = []
    for number, sound in enumerate(sounds):
        filters = ["aresample=48000", "aformat=sample_fmts=fltp:channel_layouts=stereo"]
        if sound.tempo < 1:
            filters.append(f"atempo={sound.tempo:.6f}")
        filters.append(f"atrim=end={sound.length_s:.6f}")
        if sound.kind == "music" and sound.length_s > 2:
            filters.append(f"afade=t=out:st={sound.length_s - 1:.6f}:d=1")
        filters.append(f"volume={_LOUDNESS[sound.kind]}")
        filters.append(f"adelay={round(sound.start_s * 1000)}:all=1")
        lines.append(f"[{number + first}:a:0]{','.join(filters)}[s{number}]")
    names = "".join(f"[s{n}]" for n in range(len(sounds)))
    mixed = f"{names}amix=inputs={len(sounds)}:normalize=0:duration=longest," if len(sounds) > 1 else names
    return ";".join([*lines, f"{mixed}{ending}[mix]"])


def chapters(film: Film) -> str:
    """Return the scenes as chapters in ffmpeg's metadata format, times in milliseconds."""
    lines = [";FFMETADATA1", f"title={_escaped(film.title)}"]
    starts = [film.shots[0], *(b for a, b in pairwise(film.shots) if a.scene != b.scene)]
    ends = [*(shot.start for shot in starts[1:]), film.length]
    for shot, end in zip(starts, ends, strict=True):
        title = f"{shot.scene} {shot.scene_title}".strip()
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={round(film.seconds(shot.start) * 1000)}"]
        lines += [f"END={round(film.seconds(end) * 1000)}", f"title={_escaped(title)}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\])", r"\\\1", " ".join(text.split()))


def _seconds(path: Path, known: float | None) -> float:
    if known:
        return known
    return media.facts(path).duration_s or 0.0


def _size(shape: tuple[int, int]) -> tuple[int, int]:
    factor = LONG_SIDE / max(shape)
    return _even(shape[0] * factor), _even(shape[1] * factor)


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
