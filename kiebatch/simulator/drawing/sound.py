"""Makes the sounds of a draft: a murmur as long as the words take, and a quiet bed where music was asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kiebatch import media
from kiebatch.simulator.drawing.panels import digest
from kiebatch.simulator.drawing.wanted import Wanted

_RATE = 16000
_CYCLE_S = 24.0
_MOST_S = 600.0


def speech(wanted: Wanted) -> bytes | None:
    """Return syllable-like tones as MP3, in a pitch that is the request's own; None without ffmpeg."""
    seed = digest(wanted)
    pitch = 95 + seed[0] * 0.55 + seed[1] / 256
    pace = 3.4 + seed[2] / 200
    # A pitch that wanders, three overtones, syllables, and a pause for breath every two to three seconds.
    voice = f"(sin(2*PI*{pitch}*t+3*sin(1.7*t))+0.5*sin(4*PI*{pitch}*t)+0.25*sin(6*PI*{pitch}*t))"
    syllables = f"pow(abs(sin(PI*{pace}*t)),0.7)*(0.6+0.4*sin(2*PI*0.61*{pace}*t))"
    breath = f"gt(mod(t,{2.2 + seed[3] / 256}),0.35)"
    return _mp3(wanted, f"0.16*{voice}*{syllables}*{breath}", "lowpass=f=1800")


def music(wanted: Wanted) -> bytes | None:
    """Return a slow chord as MP3, faded in and out; None without ffmpeg."""
    seed = digest(wanted)
    root = 110 * 2 ** (seed[0] % 12 / 12) * (1 + seed[1] / 4096)
    third = 1.1892 if seed[2] % 2 else 1.2599
    swell = f"(0.65+0.35*sin(2*PI*t/{6 + seed[3] % 5}))"
    tones = "+".join(
        f"sin(2*PI*{root * ratio:.3f}*t)/{n + 2}" for n, ratio in enumerate((0.5, 1, third, 1.4983))
    )
    fade = min(1.0, wanted.seconds / 4)
    ends = f"lowpass=f=1200,afade=t=in:d={fade},afade=t=out:st={max(0.0, _length(wanted) - fade)}:d={fade}"
    return _mp3(wanted, f"0.1*({tones})*{swell}", ends)


def _length(wanted: Wanted) -> float:
    return max(0.3, min(_MOST_S, wanted.seconds))


def _mp3(wanted: Wanted, expression: str, filters: str) -> bytes | None:
    if media.find_ffmpeg() is None:
        return None
    # What is heard is worked out for some seconds and repeated: a song of four minutes shall not take four seconds.
    length = _length(wanted)
    source = f"aevalsrc='{expression}':d={min(length, _CYCLE_S):.3f}:s={_RATE}"
    filters = f"aloop=loop={int(length / _CYCLE_S) + 1}:size={int(_CYCLE_S * _RATE)},atrim=end={length:.3f},{filters}"
    with tempfile.TemporaryDirectory(prefix="kiebatch-sound-") as folder:
        target = Path(folder) / "sound.mp3"
        media.run_ffmpeg(
            [
                *("-v", "error", "-f", "lavfi", "-i", source, "-af", filters, "-ac", "1"),
                *("-c:a", "libmp3lame", "-b:a", "48k", "-bitexact"),
                *("-metadata", f"comment={digest(wanted).hex()}", f"file:{target}"),
            ]
        )
        return target.read_bytes()
