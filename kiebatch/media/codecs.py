"""Which codec a clip or a sound is in, as ffmpeg calls it, read from the head of its file."""

from __future__ import annotations

import re
from typing import BinaryIO

_LONGEST_INDEX = 8 << 20  # bytes of an MP4's index that are looked through
# Sample entries (ISO/IEC 14496-12, "stsd"): the pictures' first, since a clip is called by its pictures.
_PICTURES = {
    b"avc1": "h264",
    b"avc3": "h264",
    b"hvc1": "hevc",
    b"hev1": "hevc",
    b"av01": "av1",
    b"vp09": "vp9",
    b"vp08": "vp8",
    b"mp4v": "mpeg4",
    b"apcn": "prores",
    b"apch": "prores",
    b"ap4h": "prores",
}
_SOUNDS = {
    b"mp4a": "aac",
    b"Opus": "opus",
    b"alac": "alac",
    b"fLaC": "flac",
    b"ac-3": "ac3",
    b"sowt": "pcm_s16le",
}
_WAVES = {1: "pcm_s{bits}le", 3: "pcm_f{bits}le", 6: "pcm_alaw", 7: "pcm_mulaw"}
_EXTENSIBLE = 0xFFFE  # the form follows the fields that every wave has
# What the container says already.
_BY_TYPE = {"audio/mpeg": "mp3", "audio/flac": "flac", "audio/aac": "aac"}


def codec(stream: BinaryIO, media_type: str) -> str | None:
    """Return the codec of a clip's pictures, or of a sound; None where nothing here reads it."""
    if media_type in _BY_TYPE:
        return _BY_TYPE[media_type]
    if media_type == "audio/wav":
        return _wave(stream)
    if media_type in ("video/mp4", "video/quicktime", "audio/mp4"):
        return _mp4(stream)
    return None


def _mp4(stream: BinaryIO) -> str | None:
    moov = _index(stream)
    # A box's name, version and flags, the number of entries, and the first entry's length, before its name.
    entries = [found.group(1) for found in re.finditer(rb"stsd.{12}(.{4})", moov, re.DOTALL)]
    named = [known[entry] for known in (_PICTURES, _SOUNDS) for entry in entries if entry in known]
    return named[0] if named else None


def _index(stream: BinaryIO) -> bytes:
    """Return the box that describes the tracks, `moov`; nothing where there is none."""
    at = 0
    while True:
        stream.seek(at)
        head = stream.read(16)
        if len(head) < 8:
            return b""
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if head[4:8] == b"moov":
            stream.seek(at)
            return stream.read(min(length or _LONGEST_INDEX, _LONGEST_INDEX))
        if length < 8:
            return b""
        at += length


def _wave(stream: BinaryIO) -> str | None:
    stream.seek(0)
    head = stream.read(4096)
    at = head.find(b"fmt ")
    if at < 0 or len(head) < at + 24:
        return None
    form = int.from_bytes(head[at + 8 : at + 10], "little")
    if form == _EXTENSIBLE:
        form = int.from_bytes(head[at + 32 : at + 34], "little")
    bits = int.from_bytes(head[at + 22 : at + 24], "little")
    return _WAVES[form].format(bits=bits) if form in _WAVES else None
