"""Says what bytes are: type, extension, pixels, seconds; refuses bombs; finds ffmpeg, cuts frames.

Downloads are untrusted: nothing here believes a name, and ffmpeg gets no network and a time limit.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kiebatch import files
from kiebatch.formats import sniff as sniff
from kiebatch.media import codecs
from kiebatch.media.ffmpeg import Undecodable, probed
from kiebatch.model import MediaFacts

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 200_000_000  # an 8K frame has 33 million; what has more than this is a bomb
_MOST_SECONDS = 86_400.0
_HEAD = 4096


def facts(path: Path) -> MediaFacts:
    """Return what a file is, having decoded it as far as that shows whether it is whole.

    Raises `Undecodable` in plain words, and OSError when it cannot be read.
    """
    with files.open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(_HEAD)
        if not head:
            raise Undecodable("the file is empty")
        found = sniff(head)
        if found is None:
            raise Undecodable("the bytes are not a picture, clip or sound")
        kind, media_type, extension = found
        whole = MediaFacts(kind=kind, media_type=media_type, extension=extension, size_bytes=size)
        if kind == "image":
            width, height = _picture(path, media_type)
            return replace(whole, width=width, height=height)
        if kind == "text":
            return whole
        pixels, seconds, pictures = _stream_facts(stream, path, media_type, size)
        whole = replace(whole, codec=codecs.codec(stream, media_type))
    if media_type == "video/mp4" and not pictures:
        whole = replace(whole, kind="audio", media_type="audio/mp4", extension=".m4a")
    if pixels:
        whole = replace(whole, width=pixels[0], height=pixels[1])
    if seconds is not None and 0 <= seconds <= _MOST_SECONDS:
        # Another length is a broken head: the medium may be whole all the same, and it is paid for.
        whole = replace(whole, duration_s=seconds)
    return whole


def _picture(path: Path, media_type: str) -> tuple[int, int]:
    with decoded(path, media_type) as image:
        width, height = image.size
        if image.getexif().get(0x0112) in (5, 6, 7, 8):  # turned by a quarter
            width, height = height, width
        return width, height


@contextmanager
def decoded(path: Path, media_type: str) -> Iterator[Image]:
    """Yield a picture of a known type, decoded.  `Undecodable` where it is broken, or has too many pixels."""
    from PIL import Image  # half of what a small command would need to start

    # The decoder of what the bytes say they are, and no other: Pillow knows dozens, some of which run programs.
    decoder = media_type.partition("/")[2].upper().replace("HEIC", "HEIF")
    with ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = stack.enter_context(Image.open(path, formats=[decoder]))
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise Undecodable(
                        f"{width} x {height} pixels are refused: it may be a decompression bomb"
                    )
                image.load()
                image.getexif()
        except Undecodable:
            raise
        except Image.DecompressionBombError as error:
            raise Undecodable(f"refused: {error}") from None
        except Exception as error:
            # Pillow raises nearly anything on hostile bytes; all of it means the same here.
            raise Undecodable(f"the picture cannot be decoded: {type(error).__name__}: {error}") from None
        yield image


# Pixels, seconds, and whether there are moving pictures at all.
_Stream = tuple[tuple[int, int] | None, float | None, bool]


def _stream_facts(stream: BinaryIO, path: Path, media_type: str, size: int) -> _Stream:
    """Return pixels, seconds and whether there are pictures.  `Undecodable` for whatever a container breaks off at."""
    try:
        return _read_stream(stream, path, media_type, size)
    except (IndexError, struct.error, ValueError, ArithmeticError) as error:
        raise Undecodable(f"the {media_type} is broken: {error}") from None


def _read_stream(stream: BinaryIO, path: Path, media_type: str, size: int) -> _Stream:
    if media_type in ("video/mp4", "video/quicktime", "audio/mp4"):
        pixels, seconds, pictures = _mp4(stream, size)
        # A film in fragments does not say its length at its head.
        return pixels, seconds or probed(path)[1], pictures
    if media_type == "audio/wav":
        return None, _wav(stream, size), False
    if media_type == "audio/mpeg":
        return None, _mp3(stream, size), False
    return *probed(path), True


# --- containers, read by hand where that is a few lines ------------------------------------------------


def _mp4(stream: BinaryIO, size: int) -> _Stream:
    """Read an MP4's boxes (ISO/IEC 14496-12): pixels of the first picture track, seconds of the movie."""
    pixels: tuple[int, int] | None = None
    seconds: float | None = None
    pictures = True
    names = set()
    at = 0
    while at + 8 <= size:
        stream.seek(at)
        head = stream.read(16)
        length, name = struct.unpack(">I4s", head[:8])
        body = 8
        if length == 1 and len(head) == 16:
            length, body = struct.unpack(">Q", head[8:16])[0], 16
        elif length == 0:
            length = size - at
        if length < body or at + length > size:
            raise Undecodable("the file is cut off")
        names.add(name)
        if name == b"moov":
            if length > 64 << 20:
                raise Undecodable("the file's index is larger than any film's")
            stream.seek(at + body)
            moov = stream.read(length - body)
            seconds = _mvhd(moov)
            pixels = _tkhd(moov)
            # A handler box names its track's kind behind eight bytes (version, flags, and four of zero).
            pictures = bool(re.search(rb"hdlr.{8}vide", moov, re.DOTALL)) or b"hdlr" not in moov
        at += length
    if b"moov" not in names or not names & {b"mdat", b"moof"}:
        raise Undecodable("the file is cut off: its index or its media are missing")
    return pixels, seconds, pictures


def _mvhd(moov: bytes) -> float | None:
    at = moov.find(b"mvhd")
    if at < 0 or at + 36 > len(moov):
        return None
    if moov[at + 4] == 1:
        scale, length = struct.unpack(">IQ", moov[at + 24 : at + 36])
    else:
        scale, length = struct.unpack(">II", moov[at + 16 : at + 24])
    return length / scale if scale else None


def _tkhd(moov: bytes) -> tuple[int, int] | None:
    at = moov.find(b"tkhd")
    while at >= 0:
        long = at + 4 < len(moov) and moov[at + 4] == 1
        place = at + 4 + (92 if long else 80) - 4
        if place + 8 <= len(moov):
            width, height = struct.unpack(">II", moov[place : place + 8])
            if width and height:
                return width >> 16, height >> 16
        at = moov.find(b"tkhd", at + 4)
    return None


def _wav(stream: BinaryIO, size: int) -> float | None:
    stream.seek(12)
    rate = None
    at = 12
    while at + 8 <= size:
        stream.seek(at)
        name, length = struct.unpack("<4sI", stream.read(8))
        if name == b"fmt " and length >= 16:
            rate = struct.unpack("<HHIIHH", stream.read(16))[3]
        if name == b"data":
            if length not in (0, 0xFFFFFFFF) and at + 8 + length > size:
                raise Undecodable("the sound is cut off")
            if length in (0, 0xFFFFFFFF):  # written to a pipe: whoever wrote it did not know
                length = size - at - 8
            return length / rate if rate else None
        at += 8 + length + length % 2
    raise Undecodable("the sound is cut off: it has no samples")


_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_KBPS = {
    (3, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def _mp3(stream: BinaryIO, size: int) -> float | None:
    """Count the frames of an MP3 (ISO/IEC 11172-3, layer III); `Undecodable` when there is none, or many are missing.

    Tags between frames are stepped over: speech services join MP3 files as they are.
    """
    at, seconds, frames, promised, resyncs = 0, 0.0, 0, 0, 0
    while at + 4 <= size and frames < 2_000_000:
        stream.seek(at)
        head = stream.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            a, b, c, d = head[6:10]
            at += 10 + ((a & 0x7F) << 21 | (b & 0x7F) << 14 | (c & 0x7F) << 7 | d & 0x7F)
            continue
        found = _mp3_frame(head)
        if found is None:
            resyncs += 1
            step = _mp3_sync(stream, at, size) if frames and resyncs < 1000 else None
            if step is None:
                break
            at = step
            continue
        length, lasts = found
        if not frames:
            stream.seek(at)
            told = _mp3_promise(stream.read(min(length, 256)))
            if told is not None:
                promised, lasts = told, 0.0  # this frame tells about the others and sounds of nothing
        at += length
        seconds += lasts
        frames += 1
    if frames < 2:
        raise Undecodable("the sound cannot be decoded: no MP3 frames where they should be")
    if frames < promised * 0.95:
        raise Undecodable("the sound is cut off")
    return seconds


def _mp3_promise(first: bytes) -> int | None:
    """Return how many frames the first one says that there are, 0 where it does not count; None for a frame of sound."""
    mark = max(first.find(b"Xing"), first.find(b"Info"))
    if mark <= 0:
        return None
    counts = len(first) >= mark + 12 and first[mark + 7] & 1
    return int.from_bytes(first[mark + 8 : mark + 12], "big") if counts else 0


def _mp3_frame(word: bytes) -> tuple[int, float] | None:
    """Return a frame's bytes and seconds by its first four bytes; None when those begin no frame."""
    if len(word) < 4 or word[0] != 0xFF or word[1] & 0xE0 != 0xE0:
        return None
    version, layer = word[1] >> 3 & 3, word[1] >> 1 & 3
    index, rate_index = word[2] >> 4, word[2] >> 2 & 3
    if layer != 1 or version not in _MP3_RATES or not 0 < index < 15 or rate_index == 3:
        return None
    rate = _MP3_RATES[version][rate_index]
    samples = 1152 if version == 3 else 576
    kbps = _MP3_KBPS[(3 if version == 3 else 2, 1)][index]
    return samples // 8 * kbps * 1000 // rate + (word[2] >> 1 & 1), samples / rate


def _mp3_sync(stream: BinaryIO, at: int, size: int) -> int | None:
    """Return where the next frame begins within 64 KiB: one that a second frame, a tag or the end follows."""
    stream.seek(at)
    window = stream.read(1 << 16)
    place = window.find(b"\xff", 1)
    while place >= 0:
        found = _mp3_frame(window[place : place + 4])
        if found:
            stream.seek(at + place + found[0])
            after = stream.read(4)
            if _mp3_frame(after) or after[:3] in (b"ID3", b"TAG") or at + place + found[0] == size:
                return at + place
        place = window.find(b"\xff", place + 1)
    tag = window.find(b"ID3", 1)
    return at + tag if tag > 0 else None
