"""What is said in the film as captions: SubRip (`.srt`) and WebVTT (`.vtt`).

A voice-over is captioned where it is heard; the lines of a dialogue share their shot, each by the time that its words take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kiebatch import files
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options
from kiebatch.media import lettering
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.scenefile.lengths import speaking_s
from kiebatch.units import Cue
from kiebatch.workspace import Workspace

_LINE = 42  # characters of a line, and two lines at a time: what broadcasters ask for
_MOST = 2 * _LINE
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write `<name>.srt` and `<name>.vtt`."""
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    found = cues(film)
    written = beside(options.output, found)
    options.progress(len(found), len(found))
    return written


def beside(output: Path, found: Sequence[Cue]) -> list[Path]:
    """Write both files under the name of `output`, and return them."""
    srt, vtt = output.with_suffix(".srt"), output.with_suffix(".vtt")
    files.replace(srt, as_srt(found))
    files.replace(vtt, as_vtt(found))
    return [srt, vtt]


def cues(film: Film) -> list[Cue]:
    """Return the film's captions by their start; two never show at once."""
    found: list[Cue] = []
    spoken = {sound.scene: sound for sound in film.sounds if sound.kind == "vo"}
    for shot in film.shots:
        start = film.seconds(shot.start)
        if shot.voice_over:
            voice = spoken.get(shot.scene)
            asset = voice.shown.asset if voice and voice.shown else None
            length = asset.duration if asset and asset.duration else speaking_s(shot.voice_over)
            found += _shared(start, length, [shot.voice_over])
        if shot.dialogue:
            found += _shared(start, film.seconds(shot.frames), shot.dialogue.splitlines())
    found.sort(key=lambda cue: cue.start_s)
    return list(_apart(found, film.seconds(film.length)))


def of_shot(shot: Cut, found: Sequence[Cue], film: Film) -> tuple[Cue, ...]:
    """Return what is captioned during a shot, in seconds of the shot."""
    start, end = film.seconds(shot.start), film.seconds(shot.end)
    return tuple(
        Cue(start_s=max(0.0, cue.start_s - start), end_s=min(end, cue.end_s) - start, text=cue.text)
        for cue in found
        if cue.start_s < end - 0.001 and cue.end_s > start + 0.001
    )


def _shared(start_s: float, length_s: float, texts: Sequence[str]) -> Iterator[Cue]:
    parts = [part for text in texts for part in _parts(text)]
    total = sum(max(0.2, speaking_s(part)) for part in parts)
    for part in parts:
        share = length_s * max(0.2, speaking_s(part)) / total
        yield Cue(start_s=start_s, end_s=start_s + share, text=part)
        start_s += share


def _parts(text: str) -> list[str]:
    """Return a text in pieces that fit two lines: whole sentences where they do, else by words."""
    pieces: list[str] = []
    for sentence in _SENTENCE.split(" ".join(text.split())):
        if pieces and len(pieces[-1]) + 1 + len(sentence) <= _LINE:
            pieces[-1] += f" {sentence}"
            continue
        piece = ""
        for word in lettering.words(sentence):
            if piece and len(piece) + len(word.rstrip()) > _MOST:
                pieces.append(piece.strip())
                piece = ""
            piece += word
        if piece.strip():
            pieces.append(piece.strip())
    return pieces


def _apart(found: Sequence[Cue], end_s: float) -> Iterator[Cue]:
    for number, cue in enumerate(found):
        until = found[number + 1].start_s if number + 1 < len(found) else end_s
        end = min(cue.end_s, max(until, cue.start_s + 0.2), end_s)
        if end > cue.start_s:
            yield Cue(start_s=cue.start_s, end_s=end, text=cue.text)


def as_srt(found: Sequence[Cue]) -> str:
    """Return captions as SubRip text."""
    return "\n".join(
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{_lines(cue.text)}\n"
        for number, cue in enumerate(found, 1)
    )


def as_vtt(found: Sequence[Cue]) -> str:
    """Return captions as WebVTT text."""
    marks = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    blocks = [
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{_lines(cue.text).translate(marks)}\n"
        for cue in found
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _lines(text: str) -> str:
    """Break a caption in two near its middle where it is longer than a line."""
    if len(text) <= _LINE:
        return text
    words = list(lettering.words(text))
    lengths = [len("".join(words[:n])) for n in range(1, len(words))]
    if not lengths:
        return text
    best = min(range(len(lengths)), key=lambda n: abs(lengths[n] - len(text) / 2)) + 1
    return f"{''.join(words[:best]).rstrip()}\n{''.join(words[best:])}"


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}{point}{whole % 1000:03d}"
