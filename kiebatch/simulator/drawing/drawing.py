"""The seam to whoever draws: panels and sounds, or what ships with the package where those cannot be made."""

from __future__ import annotations

import io
import random
import wave
from importlib import resources

from PIL import Image

from kiebatch.simulator.drawing import panels, sound
from kiebatch.simulator.drawing.wanted import Wanted

_MEDIA = resources.files("kiebatch.simulator.drawing") / "media"
_SWATCH = 64 * 64  # pixels, up to which a still shows nothing
_SMALL = 320 * 320  # and clips and sounds are not worth a run of ffmpeg


def draw(wanted: Wanted) -> bytes:
    """Return the bytes of one output: the same for the same value.

    Panels and their moving kind; what is too small to show anything, or needs an ffmpeg that is not there, comes from
    the files that ship with the package.
    """
    pixels = wanted.width * wanted.height
    if wanted.kind == "image":
        return _swatch(wanted) if pixels <= _SWATCH else panels.still(wanted)
    if wanted.format == "wav":
        return _wav(wanted)
    if pixels <= _SMALL:
        return _shipped(wanted)
    if wanted.kind == "video":
        return panels.clip(wanted) or _shipped(wanted)
    make = sound.music if _is_music(wanted) else sound.speech
    return make(wanted) or _shipped(wanted)


def _is_music(wanted: Wanted) -> bool:
    return any(word in wanted.model.lower() for word in ("suno", "music", "sound-effect", "lyria"))


def _shape(wanted: Wanted) -> str:
    if wanted.width == wanted.height:
        return "1x1"
    return "16x9" if wanted.width > wanted.height else "9x16"


def _shipped(wanted: Wanted) -> bytes:
    return _shipped_clip(wanted) if wanted.kind == "video" else _shipped_sound(wanted)


def _shipped_clip(wanted: Wanted) -> bytes:
    shape = _shape(wanted)
    length = "10s" if wanted.seconds > 7 and shape == "16x9" else "5s"
    return _stamped_mp4((_MEDIA / f"clip-{shape}-{length}.mp4").read_bytes(), wanted)


def _shipped_sound(wanted: Wanted) -> bytes:
    lengths = ((3.5, "2s"), (12.0, "5s"))
    length = next((name for below, name in lengths if wanted.seconds < below), "20s")
    return _stamped_mp3((_MEDIA / f"sound-{length}.mp3").read_bytes(), wanted)


def _swatch(wanted: Wanted) -> bytes:
    """Return a still too small for words: noise from the digest."""
    noise = random.Random(panels.digest(wanted)).randbytes(wanted.width * wanted.height * 3)
    return _encoded(Image.frombytes("RGB", (wanted.width, wanted.height), noise), wanted)


def _encoded(image: Image.Image, wanted: Wanted) -> bytes:
    out = io.BytesIO()
    if wanted.format == "png":
        image.save(out, "PNG", compress_level=1)
    else:
        image.save(out, "JPEG" if wanted.format in ("jpeg", "jpg") else "WEBP", quality=85)
    return out.getvalue()


def _stamped_mp4(data: bytes, wanted: Wanted) -> bytes:
    """Append a `free` box that holds the digest: players skip it, and no two clips are the same file."""
    payload = panels.digest(wanted)
    return data + (8 + len(payload)).to_bytes(4, "big") + b"free" + payload


def _stamped_mp3(data: bytes, wanted: Wanted) -> bytes:
    """Put an ID3v2.3 tag with the digest as a private frame before the sound."""
    payload = b"kiebatch\x00" + panels.digest(wanted)
    frame = b"PRIV" + len(payload).to_bytes(4, "big") + b"\x00\x00" + payload
    start = 10 + int.from_bytes(data[6:10], "big") if data.startswith(b"ID3") else 0
    size = len(frame)
    syncsafe = bytes(((size >> shift) & 0x7F) for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + syncsafe + frame + data[start:]


def _wav(wanted: Wanted) -> bytes:
    seed = panels.digest(wanted)
    rate, seconds = 8000, min(60.0, wanted.seconds)
    period = rate // (110 + seed[0])
    cycle = bytes(128 + (40 if n < period // 2 else -40) for n in range(period))
    count = int(rate * seconds)
    frames = bytearray((cycle * (count // period + 1))[:count])
    frames[: len(seed)] = seed[: len(frames)]
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate)
        sound.writeframes(bytes(frames))
    return out.getvalue()
