"""How long each shot of a scene lasts: the one answer that the board and every export use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from kiebatch.model import Scene, Shot, ShotId

STILL_S = 3.0  # a still that nobody gave a length
_WORDS_PER_S = 2.5  # calm speech, 150 words a minute
_SIGNS_PER_S = 5.0  # of scripts that are written without spaces
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def lengths(
    scene: Scene, clips_s: Mapping[ShotId, float], voices_s: Mapping[ShotId, float]
) -> dict[ShotId, Fraction]:
    """Return the seconds of each shot that is in the picture, in the scene's order.

    `clips_s` holds the lengths of the clips that are shown, `voices_s` those of the voices that are made.  A written
    `duration` counts, also one that follows the voice; the shots of a scene that have none share what its own `duration` leaves; else a clip takes its
    own length, and a still as long as its words, at least `STILL_S`.  A scene of sounds alone is one card
    (`None`), as long as it says or as its words take.
    """
    scene = _led(scene, voices_s)
    shots = [shot for shot in scene.shots if shot.kind == "shot" and not shot.skip]
    spoken = _spoken_s(scene, voices_s)
    if not shots:
        return _card(scene, spoken)
    share = _share_s(scene, shots)
    found: dict[ShotId, Fraction] = {}
    for shot in shots:
        seconds = shot.duration_s or share or clips_s.get(shot.id)
        talk = _talk_s(scene, shot, first=shot is shots[0])
        found[shot.id] = _exact(seconds or max(STILL_S, spoken / len(shots), talk))
    return found


def _card(scene: Scene, spoken_s: float) -> dict[ShotId, Fraction]:
    """Return the length of a scene of sounds alone; nothing where it has none of them either."""
    if all(shot.skip for shot in scene.shots):
        return {}
    return {None: _exact(scene.duration_s or max(STILL_S, spoken_s))}


def _led(scene: Scene, voices_s: Mapping[ShotId, float]) -> Scene:
    """Return a scene in which the lengths that follow the voice are numbers: by the voice, else by its estimate."""
    voice = next((shot for shot in scene.shots if shot.kind == "vo" and not shot.skip), None)
    if voice is None:
        return scene
    seconds = voice.file_s or voices_s.get(voice.id)
    shots = (replace(s, duration_s=s.led.seconds(seconds)) if s.led else s for s in scene.shots)
    own = scene.led.seconds(seconds) if scene.led else scene.duration_s
    return replace(scene, shots=tuple(shots), duration_s=own)


def voice_begins_s(scene: Scene, timed: Mapping[ShotId, Fraction]) -> Fraction:
    """Return how many seconds after its scene a voice that leads the picture begins."""
    if scene.led:
        return _exact(scene.led.head_s)
    before = Fraction(0)
    for shot in scene.shots:
        if shot.led:
            return before + _exact(shot.led.head_s)
        before += timed.get(shot.id, Fraction(0))
    return Fraction(0)


def speaking_s(text: str) -> float:
    """Return how long a text takes to say, in seconds, by its count of words (or signs, where words have no spaces)."""
    signs = len(_WIDE.findall(text))
    words = len(re.findall(r"\w+(?:['’]\w+)*", _WIDE.sub(" ", text)))
    return signs / _SIGNS_PER_S + words / _WORDS_PER_S


def _spoken_s(scene: Scene, voices_s: Mapping[ShotId, float]) -> float:
    voices = [shot for shot in scene.shots if shot.kind == "vo" and not shot.skip]
    return sum(voice.file_s or voices_s.get(voice.id) or speaking_s(voice.prompt) for voice in voices)


def _talk_s(scene: Scene, shot: Shot, *, first: bool) -> float:
    """Return how long the dialogue of a shot takes; the scene's belongs to its first shot."""
    lines = shot.lines or (scene.lines if first else ())
    return sum(speaking_s(line.words) for line in lines)


def _share_s(scene: Scene, shots: Sequence[Shot]) -> float | None:
    """Return what the scene's length leaves for each shot that has none of its own; None where that is nothing."""
    if not scene.duration_s:
        return None
    open_ones = sum(1 for shot in shots if not shot.duration_s)
    left = scene.duration_s - sum(shot.duration_s or 0.0 for shot in shots)
    return left / open_ones if open_ones and left > 0 else None


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(100_000)
