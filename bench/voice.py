"""How well a voice's length is estimated, and whether the picture holds it: eight languages, and a film of 45 shots.

    python -m bench.voice

The simulator's voices and those of espeak-ng, a synthesiser that knows nothing of us, say the texts of `bench/narration.py`: half
of them teach the rate, as a manifest does, and the other half are estimated.  Then a draft of 15 scenes (a still, a clip and a voice
each) is made, and its cut compared with the voices as they were measured.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bench.narration import TEXTS
from kiebatch import api, media
from kiebatch.exports import cut
from kiebatch.scenefile import speech
from kiebatch.scenefile.speech import Spoken
from kiebatch.simulator.asked import reading_s

FPS = Fraction(24)
_HEAD, _TAIL = 0.5, 0.75
Say = Callable[[str, str], float]  # language and text -> seconds


def by_the_simulator(_language: str, text: str) -> float:
    return reading_s(text, "Rachel")


def by_espeak(language: str, text: str) -> float:
    """Return how long espeak-ng takes to say a text, by the samples that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["espeak-ng", "-v", language, "-w", str(path), "--", text], check=True)
        return media.facts(path).duration_s or 0.0


def errors(language: str, say: Say) -> list[float]:
    """Return the relative errors for the second half of a language's texts, after the first half was heard."""
    heard, then = TEXTS[language][:4], TEXTS[language][4:]
    rates = speech.learned(Spoken("a model", "a voice", text, say(language, text)) for text in heard)
    said = {text: say(language, text) for text in then}
    return [
        rates.seconds(text, "a model", "a voice", language) / seconds - 1 for text, seconds in said.items()
    ]


@dataclass(frozen=True)
class Fit:
    """What came of a film: its shots and voices, those that were cut, and the largest miss of a scene in frames."""

    shots: int
    voices: int
    cut: int
    worst_frames: int


def film_text(languages: Mapping[str, int]) -> str:
    """Return a scene file with so many scenes in each language, each a still, a clip and a voice."""
    lines = [
        "kiebatch: 1",
        "defaults: {model: z-image, audio: {model: elevenlabs/text-to-speech-multilingual-v2}}",
        "scenes:",
    ]
    number = 0
    for language, count in languages.items():
        for text in TEXTS[language][:count]:
            number += 1
            lines += [
                f"  - id: {number}",
                "    duration: voice",
                f"    head: {_HEAD}",
                f"    tail: {_TAIL}",
                f'    voiceover: {{text: "{text}", voice: Rachel}}',
                "    shots:",
                "      - {id: a, prompt: The lighthouse}",
                "      - {id: b, model: kling-3.0/video, prompt: He climbs the stairs}",
            ]
    return "\n".join(lines) + "\n"


def fit(scene_file: Path, assets: Path) -> Fit:
    """Return how the cut of a film that was made stands to its voices."""
    opened = api.load(scene_file, assets=assets)
    film = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace, FPS)
    ends = {shot.scene: shot.end for shot in film.shots}
    begins = {shot.scene: shot.start for shot in reversed(film.shots)}
    lost, worst = 0, 0
    for voice in film.sounds:
        assert voice.shown is not None
        assert voice.shown.path is not None
        seconds = media.facts(voice.shown.path).duration_s or 0.0
        lost += voice.start + math.floor(seconds * FPS) > ends[voice.scene]
        wanted = round((_HEAD + seconds + _TAIL) * FPS)
        worst = max(worst, abs(ends[voice.scene] - begins[voice.scene] - wanted))
    for shot in film.shots:
        if shot.modality == "video" and shot.shown and shot.shown.path:
            made = media.facts(shot.shown.path).duration_s or 0.0
            lost += math.floor(made * FPS) + 1 < shot.frames
    return Fit(len(film.shots) + len(film.sounds), len(film.sounds), lost, worst)


def main() -> None:
    for name, say in (("simulator", by_the_simulator), ("espeak-ng", by_espeak)):
        for language in TEXTS:
            found = errors(language, say)
            shown = ", ".join(f"{100 * error:+.1f} %" for error in found)
            print(f"{name:<10} {language}  worst {100 * max(map(abs, found)):.1f} %   {shown}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenes.yaml"
        path.write_text(film_text({"en": 8, "de": 7}), encoding="utf-8")
        subprocess.run(
            ["kiebatch", "run", str(path), "--draft", "--assets", f"{folder}/assets"],
            check=True,
            capture_output=True,
        )
        found_fit = fit(path, Path(folder) / "assets")
    print(
        f"{found_fit.shots} shots, {found_fit.voices} voices: {found_fit.cut} cut, the worst scene "
        f"{found_fit.worst_frames} frames off"
    )


if __name__ == "__main__":
    main()
