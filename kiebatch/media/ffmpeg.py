"""Finds and runs ffmpeg: frames cut from clips, lengths, sound, camera moves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Literal

from kiebatch.errors import Invalid, install_hint

_FFMPEG_S = 60.0


class Undecodable(ValueError):
    """A file is not the medium it should be: unknown, truncated, or a decompression bomb."""


# --- ffmpeg --------------------------------------------------------------------------------------------


# How a file that came from outside is opened: no network, and containers alone, as a playlist names other files.
UNTRUSTED = (
    *("-protocol_whitelist", "file,pipe"),
    *("-format_whitelist", "mov,matroska,webm,avi,gif,mp3,wav,ogg,flac,aac,mpegts,mpeg"),
)


@cache
def find_ffmpeg() -> str | None:
    """Return where ffmpeg is: KIEBATCH_FFMPEG, then the PATH, then the extra `kiebatch[video]`; else None."""
    named = os.environ.get("KIEBATCH_FFMPEG")
    if named:
        return named
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


@cache
def ffmpeg_version() -> str:
    """Return what ffmpeg calls itself: `ffmpeg version 5.1.9`; `Invalid` where there is none."""
    program = find_ffmpeg()
    if program is None:
        raise Invalid("this needs ffmpeg", hint=f"install it, or: {install_hint('video')}")
    said = subprocess.run(
        [program, "-version"], capture_output=True, text=True, errors="replace", check=False
    )
    return " ".join(said.stdout.split("\n", 1)[0].split()[:3])


def run_ffmpeg(arguments: list[str], *, timeout_s: float = _FFMPEG_S, folder: Path | None = None) -> str:
    """Run ffmpeg on local files alone and return what it says; `Undecodable` when it fails.

    Files that its arguments name without a folder lie in `folder`, by default the current one.
    """
    program = find_ffmpeg()
    if program is None:
        raise Invalid("this needs ffmpeg", hint=f"install it, or: {install_hint('video')}")
    command = [program, "-hide_banner", "-nostdin", "-y", *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        raise Undecodable(f"ffmpeg took longer than {timeout_s:g} s") from None
    except OSError as error:
        raise Invalid(f"ffmpeg cannot be started: {error.strerror}") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Undecodable(f"ffmpeg: {last[0][:300]}")
    return done.stderr


def probed(path: Path) -> tuple[tuple[int, int] | None, float | None]:
    """Ask ffmpeg about a container that is not read by hand; without ffmpeg the sniffed type must do."""
    if find_ffmpeg() is None:
        return None, None
    said = run_ffmpeg([*UNTRUSTED, "-i", f"file:{path}", "-map", "0", "-c", "copy", "-f", "null", "-"])
    if re.search(r"(?i)ended prematurely|truncat|invalid data found", said):
        raise Undecodable("the file is cut off")
    length = re.search(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)", said)
    seconds = None
    if length:
        hours, minutes, rest = length.groups()
        seconds = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    size = re.search(r"Video:.*?\b(\d{2,5})x(\d{2,5})\b", said)
    return (int(size[1]), int(size[2])) if size else None, seconds


def frame(clip: Path, which: Literal["first", "last"], target: Path) -> None:
    """Cut the first or the last frame of a clip into a PNG file."""
    part = target.with_name(f"{target.stem}.part.png")
    if which == "first":
        run_ffmpeg([*UNTRUSTED, "-i", f"file:{clip}", "-frames:v", "1", f"file:{part}"])
    else:
        # The last frame is the one that every later frame overwrites: read the last seconds, keep one picture.
        run_ffmpeg([*UNTRUSTED, "-sseof", "-3", "-i", f"file:{clip}", "-update", "1", f"file:{part}"])
    if not part.exists():
        raise Undecodable(f"the clip has no {which} frame")
    os.replace(part, target)


def has_sound(clip: Path) -> bool:
    """Whether a clip has a sound track that ffmpeg can read."""
    try:
        run_ffmpeg(
            ["-v", "error", *UNTRUSTED, "-i", f"file:{clip}", "-map", "0:a:0", "-t", "0.1", "-f", "null", "-"]
        )
    except Undecodable:
        return False
    return True


def motion(move: str, frames: int, size: tuple[int, int], fps: int | str) -> str:
    """Return the ffmpeg filter that moves over a still as a camera would, `frames` long, `size` pixels."""
    wide, high = size
    t = f"(on/{max(1, frames - 1)})"
    centre_x, centre_y = "(iw-iw/zoom)/2", "(ih-ih/zoom)/2"
    far_x, far_y = "(iw-iw/zoom)", "(ih-ih/zoom)"
    zoom, x, y = "1.15", centre_x, centre_y
    match move:
        case "push in":
            zoom = f"1+0.2*{t}"
        case "pull out":
            zoom = f"1.2-0.2*{t}"
        case "pan left" | "track left":
            x = f"{far_x}*(1-{t})"
        case "pan right" | "track right" | "orbit":
            x = f"{far_x}*{t}"
        case "tilt up" | "crane up":
            y = f"{far_y}*(1-{t})"
        case "tilt down" | "crane down":
            y = f"{far_y}*{t}"
        case "handheld":
            x = f"{centre_x}*(1+0.5*sin(on/7))"
            y = f"{centre_y}*(1+0.5*cos(on/9))"
        case _:
            zoom = "1"
    return f"zoompan=z='{zoom}':x='{x}':y='{y}':d={frames}:s={wide}x{high}:fps={fps}"
