"""Thumbnails, web sizes and poster frames, cached by content under `.kiebatch/`.

Five kinds, each made once for the same bytes, never larger than what they are made from:

- `thumb`: WebP within 384 x 384 pixels; of a clip its first frame
- `poster`: the same within 1280 x 1280, for a player
- `web`: a picture as WebP within 1600 x 1600, a clip as H.264 MP4 within 1280 x 1280 that plays while it loads, sound
  as AAC; what a page that is mailed carries inside
- `peaks`: sound as JSON, a list of `PEAKS` loudness values from 0 to 100

Clips and sound need ffmpeg; without it, and for what cannot be read, there is no derivative.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from PIL import Image, ImageOps

from kiebatch import files
from kiebatch.errors import KieBatchError
from kiebatch.media import ffmpeg
from kiebatch.model import Asset

Kind = Literal["thumb", "poster", "web", "peaks"]
SIDES: Mapping[str, int] = {"thumb": 384, "poster": 1280, "web": 1600}
VIDEO_SIDE = 1280
PEAKS = 120
MAX_PIXELS = 120_000_000  # a picture that claims more is refused before it is decoded
RECIPE = 1  # goes up when the same content shall give other bytes
TIMEOUT_S = 300.0
_WORKERS = min(8, os.cpu_count() or 2)
_CALLS = 16  # side by side, where others are asked; what is made takes turns all the same
_AT_ONCE = threading.BoundedSemaphore(
    _WORKERS
)  # a page asks for many at once, and each may be a large picture
_ENDINGS: Mapping[tuple[str, Kind], str] = {
    ("image", "thumb"): ".webp",
    ("image", "poster"): ".webp",
    ("image", "web"): ".webp",
    ("video", "thumb"): ".webp",
    ("video", "poster"): ".webp",
    ("video", "web"): ".mp4",
    ("audio", "web"): ".m4a",
    ("audio", "peaks"): ".json",
}
# What Pillow raises over a file that it cannot read.
_UNREADABLE = (Image.DecompressionBombError, ValueError, SyntaxError, EOFError, MemoryError, OSError)
_NOWHERE = Path()
# Containers alone: a playlist names other files.
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORMATS = "mov,matroska,webm,avi,gif,mp3,wav,ogg,flac,aac,mpegts"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One derivative of one file.  `sha256` is that of the file's content.

    `side` is the longest side of a picture or clip in pixels, where it is not the usual one.
    """

    path: Path = field(compare=False)
    sha256: str
    modality: str
    kind: Kind
    side: int | None = None

    @property
    def most(self) -> int:
        """The longest side that it may have."""
        usual = VIDEO_SIDE if (self.modality, self.kind) == ("video", "web") else SIDES.get(self.kind, 0)
        return self.side or usual

    @property
    def is_here(self) -> bool:
        """Whether there is a file to make it from."""
        return self.path != _NOWHERE

    @property
    def name(self) -> str:
        """What it is called wherever it is kept: by content, kind and recipe."""
        return f"{self.sha256}-{self.kind}{self.side or ''}-{RECIPE}{_ENDINGS[self.modality, self.kind]}"


class Unmakeable(Exception):
    """There is no such derivative of this file: not readable, too large, or a tool is missing."""


def wanted(asset: Asset, path: Path | None, kind: Kind, side: int | None = None) -> Wanted | None:
    """Return the wish for an asset's derivative; None where its file is gone or its type has no such kind.

    Without a `path` the file is not here: others may have made the derivative, of the digest that the entry names.
    """
    if not exists(asset.type, kind):
        return None
    if path is None:
        digest = asset.sha256 or ""
        return Wanted(_NOWHERE, digest, asset.type, kind, side) if _SHA256.fullmatch(digest) else None
    try:
        size = path.stat().st_size
        known = asset.sha256 if asset.sha256 and size == asset.bytes else None
        return Wanted(path, known or files.sha256(path), asset.type, kind, side)
    except OSError:
        return None


def exists(modality: str, kind: Kind) -> bool:
    """Whether files of a modality have a derivative of a kind."""
    return (modality, kind) in _ENDINGS


def render(wish: Wanted, target: Path) -> None:
    """Make a derivative into a file, which it replaces in one step; `Unmakeable` says why there is none."""
    with _AT_ONCE:
        _MAKERS[wish.modality, wish.kind](wish, target)


class Elsewhere(Protocol):
    """Where others keep derivatives that they made."""

    def has(self, wish: Wanted) -> bool:
        """Whether a derivative is there."""
        ...

    def bring(self, wish: Wanted, target: Path) -> bool:
        """Bring a derivative to its name here, whole and looked at; False where it is not there."""
        ...


class Derivatives:
    """The cache in one state folder.  Safe to use from several threads and processes at once.

    `elsewhere` is asked before a clip or sound is made smaller, and for whatever is made of files that are not here.
    """

    def __init__(self, state: Path, elsewhere: Elsewhere | None = None) -> None:
        self.folder = state / "derivatives"
        self._elsewhere = elsewhere

    def path(self, wish: Wanted) -> Path:
        """Return where a derivative lies once it is made."""
        return self.folder / wish.sha256[:2] / wish.name

    def of(self, asset: Asset, path: Path, kind: Kind) -> Path | None:
        """Return an asset's derivative, made now unless it is there.  `path` is where the asset's file lies.

        None where the file is gone, its type has no such kind, or it cannot be made.
        """
        found = wanted(asset, path, kind)
        return self.get(found) if found else None

    def kept(self, asset: Asset, kind: Kind) -> Path | None:
        """Return the derivative of an asset whose file is not here; None where nobody has it."""
        wish = wanted(asset, None, kind)
        return self.get(wish) if wish else None

    def get(self, wish: Wanted) -> Path | None:
        """Return a derivative, brought or made now unless it is there; None where it cannot be had."""
        target = self.path(wish)
        if target.exists():
            return target
        try:
            files.private_folder(target.parent)
            others = self._others(wish)
            if others and others.bring(wish, target):
                return target
            if wish.is_here:
                render(wish, target)
                return target
        except (Unmakeable, KieBatchError, OSError):
            pass
        return None

    def _others(self, wish: Wanted) -> Elsewhere | None:
        """Return whom to ask for a derivative; None where nobody else keeps such, or keeps it as near."""
        # A picture that is here is made smaller in less time than a store answers.
        quick = wish.is_here and wish.modality == "image"
        return None if wish.side is not None or quick else self._elsewhere

    def there(self, wishes: Iterable[Wanted]) -> set[Wanted]:
        """Return which derivatives can be had without making them."""
        unique = list(dict.fromkeys(wishes))

        def is_there(wish: Wanted) -> bool:
            if self.path(wish).exists():
                return True
            others = self._others(wish)
            return others is not None and others.has(wish)

        with ThreadPoolExecutor(max_workers=self._at_once) as pool:
            return {wish for wish, found in zip(unique, pool.map(is_there, unique), strict=True) if found}

    @property
    def _at_once(self) -> int:
        return _WORKERS if self._elsewhere is None else _CALLS

    def make(self, wishes: Iterable[Wanted], done: Callable[[], object] = lambda: None) -> dict[Wanted, Path]:
        """Return the derivatives that there are for these wishes, those that were missing made in parallel.

        `done` is called after each.  What cannot be made is left out.
        """
        unique = list(dict.fromkeys(wishes))
        found: dict[Wanted, Path] = {}
        with ThreadPoolExecutor(max_workers=self._at_once) as pool:
            for wish, path in zip(unique, pool.map(self.get, unique), strict=True):
                if path:
                    found[wish] = path
                done()
        return found


# --- pictures ------------------------------------------------------------------------------------------


def _picture(wish: Wanted, target: Path) -> None:
    side = wish.most
    try:
        with Image.open(wish.path) as image:
            files.replace(target, _webp(image, side))
    except _UNREADABLE as error:
        raise _unmakeable(wish, error) from None


def _unmakeable(wish: Wanted, error: Exception) -> Exception:
    """Return what a decoder's error means; a disk's error stays what it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    return Unmakeable(f"{wish.path.name}: {error}")


def _webp(image: Image.Image, side: int) -> bytes:
    if image.width * image.height > MAX_PIXELS:
        raise Unmakeable(f"{image.width} x {image.height} pixels are too many")
    image.draft("RGB", (side, side))  # a JPEG is decoded at a fraction of its size, which is much faster
    turned = ImageOps.exif_transpose(image)
    if turned.mode not in ("RGB", "RGBA"):
        transparent = "transparency" in turned.info or turned.mode in ("LA", "PA", "La")
        turned = turned.convert("RGBA" if transparent else "RGB")
    turned.thumbnail((side, side), Image.Resampling.LANCZOS)  # never enlarges
    out = io.BytesIO()
    quality = 78 if side <= SIDES["thumb"] else 84
    # No metadata: a page that is mailed shall not carry where a reference photo was taken.
    turned.save(out, "WEBP", quality=quality, method=4, exif=b"", xmp=b"")
    return out.getvalue()


# --- clips and sound -----------------------------------------------------------------------------------


def _frame(wish: Wanted, target: Path) -> None:
    side = wish.most
    picture = _ffmpeg(wish.path, ["-an", "-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-"])
    if not picture:
        raise Unmakeable(f"{wish.path.name} has no picture")
    try:
        with Image.open(io.BytesIO(picture)) as image:
            files.replace(target, _webp(image, side))
    except _UNREADABLE as error:
        raise _unmakeable(wish, error) from None


def _web_video(wish: Wanted, target: Path) -> None:
    fit = (
        f"scale='min({wish.most},iw)':'min({wish.most},ih)':force_original_aspect_ratio=decrease"
        ":force_divisible_by=2"
    )
    video = ["-vf", fit, "-c:v", "libx264", "-preset", "veryfast", "-crf", "27", "-pix_fmt", "yuv420p"]
    sound = ["-c:a", "aac", "-b:a", "112k", "-ac", "2"]
    _to_file(wish, target, [*video, *sound, "-movflags", "+faststart", "-f", "mp4"])


def _web_audio(wish: Wanted, target: Path) -> None:
    _to_file(
        wish,
        target,
        ["-vn", "-c:a", "aac", "-b:a", "112k", "-ac", "2", "-movflags", "+faststart", "-f", "mp4"],
    )


def _peaks(wish: Wanted, target: Path) -> None:
    raw = _ffmpeg(wish.path, ["-vn", "-ac", "1", "-ar", "4000", "-f", "u8", "-c:a", "pcm_u8", "-"])
    if not raw:
        raise Unmakeable(f"{wish.path.name} has no sound")
    size = max(1, len(raw) // PEAKS)
    loudest = [max(abs(sample - 128) for sample in raw[i : i + size]) for i in range(0, len(raw), size)]
    top = max(loudest) or 1
    files.replace(target, json.dumps([round(100 * value / top) for value in loudest[:PEAKS]]))


def _to_file(wish: Wanted, target: Path, arguments: list[str]) -> None:
    handle, name = tempfile.mkstemp(prefix=".", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    try:
        keep = ["-map_metadata", "-1", "-map", "0:v:0?", "-map", "0:a:0?"]
        _ffmpeg(wish.path, ["-y", *keep, *arguments, f"file:{name}"])
        if os.path.getsize(name) == 0:
            raise Unmakeable(f"ffmpeg made nothing of {wish.path.name}")
        os.chmod(name, 0o644)
        os.replace(name, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _ffmpeg(path: Path, arguments: list[str]) -> bytes:
    """Run ffmpeg on one file in a process of its own, with a time limit and no other input."""
    program = ffmpeg.find_ffmpeg()
    if program is None:
        raise Unmakeable("ffmpeg is not installed")
    careful = ["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist", _FORMATS]
    command = [program, *careful, "-i", f"file:{path}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unmakeable(f"ffmpeg took too long over {path.name}") from None
    if done.returncode != 0:
        raise Unmakeable(f"ffmpeg cannot read {path.name}")
    return done.stdout


_MAKERS: Mapping[tuple[str, Kind], Callable[[Wanted, Path], None]] = {
    ("image", "thumb"): _picture,
    ("image", "poster"): _picture,
    ("image", "web"): _picture,
    ("video", "thumb"): _frame,
    ("video", "poster"): _frame,
    ("video", "web"): _web_video,
    ("audio", "web"): _web_audio,
    ("audio", "peaks"): _peaks,
}
