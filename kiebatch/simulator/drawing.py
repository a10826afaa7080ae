"""The seam to whoever draws: a small honest drawing, and the clips and sounds that ship with the package."""

from __future__ import annotations

import hashlib
import io
import random
import textwrap
import wave
from importlib import resources

from PIL import Image, ImageDraw, ImageFont

from kiebatch.simulator.wanted import Wanted

_MEDIA = resources.files("kiebatch.simulator") / "media"
_SWATCH = 64 * 64  # pixels, up to which a still holds no words


def draw(wanted: Wanted) -> bytes:
    """Return the bytes of one output: the same for the same value."""
    if wanted.kind == "image":
        return _swatch(wanted) if wanted.width * wanted.height <= _SWATCH else _still(wanted)
    if wanted.kind == "video":
        shape = "1x1" if wanted.width == wanted.height else "16x9" if wanted.width > wanted.height else "9x16"
        length = "10s" if wanted.seconds > 7 and shape == "16x9" else "5s"
        return _stamped_mp4((_MEDIA / f"clip-{shape}-{length}.mp4").read_bytes(), wanted)
    if wanted.format == "wav":
        return _wav(wanted)
    length = "2s" if wanted.seconds < 3.5 else "5s" if wanted.seconds < 12 else "20s"
    return _stamped_mp3((_MEDIA / f"sound-{length}.mp3").read_bytes(), wanted)


def _swatch(wanted: Wanted) -> bytes:
    """Return a still too small for words: noise from the digest."""
    noise = random.Random(_digest(wanted)).randbytes(wanted.width * wanted.height * 3)
    return _encoded(Image.frombytes("RGB", (wanted.width, wanted.height), noise), wanted)


def _encoded(image: Image.Image, wanted: Wanted) -> bytes:
    out = io.BytesIO()
    if wanted.format == "png":
        image.save(out, "PNG", compress_level=1)
    else:
        image.save(out, "JPEG" if wanted.format in ("jpeg", "jpg") else "WEBP", quality=85)
    return out.getvalue()


def _digest(wanted: Wanted) -> bytes:
    return hashlib.sha256(f"{wanted.key} {wanted.prompt} {wanted.number} {wanted.part}".encode()).digest()


def _still(wanted: Wanted) -> bytes:
    seed = _digest(wanted)
    width, height = wanted.width, wanted.height
    image = Image.new("RGB", (width, height), (seed[0] // 3, seed[1] // 3, seed[2] // 3))
    pen = ImageDraw.Draw(image)
    # Sixteen blocks along the lower edge spell the digest: two prompts never share their pixels.
    side = max(1, width // 16)
    for n in range(16):
        pen.rectangle(
            (n * side, height - max(2, height // 20), (n + 1) * side, height),
            fill=(seed[n], seed[n + 16], (seed[n] + seed[n + 16]) % 256),
        )
    size = max(8, height // 18)
    font = ImageFont.load_default(size)
    head = " ".join(part for part in (wanted.label, wanted.model, f"#{wanted.number}", wanted.part) if part)
    lines = [head, "", *textwrap.wrap(wanted.prompt, max(8, int(width / (size * 0.55))))[:10]]
    pen.multiline_text((size, size), "\n".join(lines), fill=(235, 232, 220), font=font)
    return _encoded(image, wanted)


def _stamped_mp4(data: bytes, wanted: Wanted) -> bytes:
    """Append a `free` box that holds the digest: players skip it, and no two clips are the same file."""
    payload = _digest(wanted)
    return data + (8 + len(payload)).to_bytes(4, "big") + b"free" + payload


def _stamped_mp3(data: bytes, wanted: Wanted) -> bytes:
    """Put an ID3v2.3 tag with the digest as a private frame before the sound."""
    payload = b"kiebatch\x00" + _digest(wanted)
    frame = b"PRIV" + len(payload).to_bytes(4, "big") + b"\x00\x00" + payload
    start = 10 + int.from_bytes(data[6:10], "big") if data.startswith(b"ID3") else 0
    size = len(frame)
    syncsafe = bytes(((size >> shift) & 0x7F) for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + syncsafe + frame + data[start:]


def _wav(wanted: Wanted) -> bytes:
    seed = _digest(wanted)
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
