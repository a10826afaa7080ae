"""The sound of an animatic: clips, voices, effects and music in their places, as inputs and filters of ffmpeg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch import media
from kiebatch.exports.cut import Cut, Film, Take
from kiebatch.units import fitting

_TIMEOUT_S = 900.0
_LOUDNESS = {"vo": 1.0, "music": 0.3, "sfx": 0.6, "shot": 0.7, "mixed": 1.0}
_AT_ONCE = 48  # sounds that one run of ffmpeg mixes: each is an open file and a piece of the command line
_AMBIENCE = re.compile(r"(?i)\b(ambien\w*|atmos\w*|room ?tone|soundscapes?|background|loop\w*|drones?)\b")


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound in its place.  `length_s` is how long it may be heard, `tempo` the factor of its speed."""

    path: Path
    start_s: float
    length_s: float
    kind: str
    tempo: float = 1.0
    looped: bool = False


def seconds(path: Path, known: float | None) -> float:
    """Return a medium's length; read from its file where the manifest does not know it."""
    return known or media.facts(path).duration_s or 0.0


def sounds(film: Film) -> list[Sound]:
    """Return what is heard: the clips' own sound, then voices, music and effects."""
    own = [sound for shot in film.shots if (sound := _of_clip(film, shot))]
    return own + [sound for placed in film.sounds if (sound := _placed(film, placed))]


def _of_clip(film: Film, shot: Cut) -> Sound | None:
    take = shot.shown
    if take is None or take.path is None or take.asset.type != "video" or not media.has_sound(take.path):
        return None
    want = film.seconds(shot.frames)
    slowed, _ = fitting(seconds(take.path, take.asset.duration), want)
    return Sound(take.path, film.seconds(shot.start), want, "shot", 1 / slowed)


def _placed(film: Film, sound: Cut) -> Sound | None:
    take = sound.shown
    if take is None or take.path is None or take.asset.type not in ("audio", "video"):
        return None
    start = film.seconds(sound.start)
    # A voice may run into the next scene, as it does in a cutting room; all else ends with its scene.
    room = film.seconds(film.length) - start if sound.kind == "vo" else film.seconds(sound.frames)
    if room <= 0:
        return None
    looped = _is_looped(sound, take) and seconds(take.path, take.asset.duration) < room
    return Sound(take.path, start, room, sound.kind, looped=looped)


def _is_looped(sound: Cut, take: Take) -> bool:
    """Whether a sound goes on until its scene ends: music does, and ambience, but not the slam of a door."""
    if sound.kind == "music":
        return True
    asked = take.asset.parameters.get("input")
    wants_loop = isinstance(asked, dict) and asked.get("loop") is True
    return sound.kind == "sfx" and (wants_loop or bool(_AMBIENCE.search(sound.prompt)))


def premixed(found: Sequence[Sound], total_s: float, folder: Path, level: int = 0) -> Sequence[Sound]:
    """Return few enough sounds to be mixed at once: the many of a long film are mixed in groups before."""
    if len(found) <= _AT_ONCE:
        return found
    mixed = []
    for number in range(0, len(found), _AT_ONCE):
        group = found[number : number + _AT_ONCE]
        target = folder / f"mix-{level}-{number}.flac"
        mixing = ["-filter_complex", mix(group, 0, f"atrim=end={total_s:.6f}"), "-map", "[mix]"]
        media.run_ffmpeg(["-v", "error", *inputs(group), *mixing, f"file:{target}"], timeout_s=_TIMEOUT_S)
        mixed.append(Sound(target, 0.0, total_s, "mixed"))
    return premixed(mixed, total_s, folder, level + 1)


def inputs(found: Sequence[Sound]) -> list[str]:
    """Return the inputs of ffmpeg for these sounds, in their order."""
    arguments: list[str] = []
    for sound in found:
        looped = ["-stream_loop", "-1"] if sound.looped else []
        arguments += [*media.UNTRUSTED, *looped, "-i", f"file:{sound.path}"]
    return arguments


def mix(found: Sequence[Sound], first: int, ending: str) -> str:
    """Return the filters that put sounds in their places; they are inputs number `first` and on."""
    lines = []
    for number, sound in enumerate(found):
        filters = ["aresample=48000", "aformat=sample_fmts=fltp:channel_layouts=stereo"]
        if sound.tempo < 1:
            filters.append(f"atempo={sound.tempo:.6f}")
        filters.append(f"atrim=end={sound.length_s:.6f}")
        if (sound.kind == "music" or sound.looped) and sound.length_s > 2:
            filters.append(f"afade=t=out:st={sound.length_s - 1:.6f}:d=1")
        filters.append(f"volume={_LOUDNESS[sound.kind]}")
        filters.append(f"adelay={round(sound.start_s * 1000)}:all=1")
        lines.append(f"[{number + first}:a:0]{','.join(filters)}[s{number}]")
    names = "".join(f"[s{n}]" for n in range(len(found)))
    mixed = f"{names}amix=inputs={len(found)}:normalize=0:duration=longest," if len(found) > 1 else names
    return ";".join([*lines, f"{mixed}{ending}[mix]"])
