"""What bytes are, and small pictures made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.media.derivatives import Derivatives as Derivatives
    from kiebatch.media.derivatives import Kind as Kind
    from kiebatch.media.derivatives import Wanted as Wanted
    from kiebatch.media.derivatives import wanted as wanted
    from kiebatch.media.ffmpeg import UNTRUSTED as UNTRUSTED
    from kiebatch.media.ffmpeg import Undecodable as Undecodable
    from kiebatch.media.ffmpeg import ffmpeg_version as ffmpeg_version
    from kiebatch.media.ffmpeg import find_ffmpeg as find_ffmpeg
    from kiebatch.media.ffmpeg import frame as frame
    from kiebatch.media.ffmpeg import has_sound as has_sound
    from kiebatch.media.ffmpeg import motion as motion
    from kiebatch.media.ffmpeg import run_ffmpeg as run_ffmpeg
    from kiebatch.media.probing import MOST_PIXELS as MOST_PIXELS
    from kiebatch.media.probing import facts as facts
    from kiebatch.media.probing import sniff as sniff

__getattr__, __dir__ = face(
    __name__,
    {
        "Derivatives": "derivatives",
        "Kind": "derivatives",
        "MOST_PIXELS": "probing",
        "UNTRUSTED": "ffmpeg",
        "Undecodable": "ffmpeg",
        "Wanted": "derivatives",
        "facts": "probing",
        "ffmpeg_version": "ffmpeg",
        "find_ffmpeg": "ffmpeg",
        "frame": "ffmpeg",
        "has_sound": "ffmpeg",
        "motion": "ffmpeg",
        "run_ffmpeg": "ffmpeg",
        "sniff": "probing",
        "wanted": "derivatives",
    },
)
