"""What a clip or a sound is like, by the filters of ffmpeg: one run for all checks of a file.

The filters write what they find as metadata of frames, `key=value` lines in a file: the same in all versions, which
the log is not.
"""

from __future__ import annotations

import functools
import math
import re
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiebatch.media import ffmpeg
from kiebatch.media.checks import still, words
from kiebatch.media.checks.judging import Measured
from kiebatch.model import MediaFacts

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_TIMEOUT_S = 120.0
_LONGEST_NOTES = 64 << 20  # bytes of what the filters wrote: an hour of film has a tenth of it
_WIDE = 480  # pixels: nothing that is looked for is smaller, and noise is
_SAMPLES = 8  # frames in which bars are looked for
_LEAST_CUT = 1.5  # of scdet's scores from 0 to 100: a cut between two scenes at night
_CUT = 4.0  # times as much as the frames beside it
_BESIDE_S = 0.3
_APART = 3  # frames between two that are compared: in one frame a slow pan moves too little
_STILL = 10  # levels of 255 that a codec may change in a pixel that stands still
_SOUND = ("silence", "loudness", "clipping")
_PICTURE = ("cuts", "black", "freeze")
_SAMPLED = ("bars", "text")
# Below these a part is none: a frame that is sent twice, a pause between two words.
_SHORTEST_S = {"black": 0.05, "freeze": 0.2, "silence": 0.1}
_SILENT_LUFS = -70.0  # where EBU R 128 stops listening
_FULL_DB = -0.05  # decibels below full scale, from which a peak counts as clipped


def measure(path: Path, facts: MediaFacts, checks: Collection[str]) -> dict[str, Measured]:
    """Return what some checks find in a clip or sound.  `Undecodable` where it is none, `Invalid` without ffmpeg."""
    with tempfile.TemporaryDirectory(prefix="kiebatch-checks-") as name:
        folder = Path(name)
        asked = _Asked(path, facts, frozenset(checks))
        sound = asked.wants(_SOUND) and (facts.kind == "audio" or ffmpeg.has_sound(path))
        arguments = asked.arguments(sound=sound)
        if arguments:
            ffmpeg.run_ffmpeg(arguments, timeout_s=_TIMEOUT_S, folder=folder)
        found = _pictures(folder, facts, checks)
        if asked.wants(_SOUND):
            found |= _sounds(folder, facts) if sound else _no_sound(facts)
        return {check: found[check] for check in checks if check in found}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which filters a file needs, and the arguments that run them."""

    path: Path
    facts: MediaFacts
    checks: frozenset[str]

    def wants(self, some: Collection[str]) -> bool:
        return not self.checks.isdisjoint(some)

    def arguments(self, *, sound: bool) -> list[str]:
        graph, outputs = [], []
        if self.facts.kind == "video" and self.wants(_PICTURE):
            graph += _seen()
            outputs += ["-map", "[seen]", "-f", "null", "-", "-map", "[moved]", "-f", "null", "-"]
        if self.facts.kind == "video" and self.wants(_SAMPLED):
            graph.append(f"[0:v:0]fps=fps={self._sample_rate():.6f}:start_time=0:round=up[sampled]")
            outputs += ["-map", "[sampled]", "-frames:v", str(_SAMPLES), "-c:v", "pgm", "-pix_fmt", "gray"]
            outputs += ["-f", "image2", "sample-%03d.pgm"]
        if sound:
            graph.append(f"[0:a:0]{_heard()}[heard]")
            outputs += ["-map", "[heard]", "-f", "null", "-"]
        source = [*ffmpeg.UNTRUSTED, "-i", f"file:{self.path.absolute()}"]
        return ["-v", "error", *source, "-filter_complex", ";".join(graph), *outputs] if graph else []

    def _sample_rate(self) -> float:
        """Return the frames a second that give the samples, spread over the whole clip."""
        return _SAMPLES / max(self.facts.duration_s or _SAMPLES / 2, 0.1)


def _seen() -> list[str]:
    """Return the filters that look at each frame, and those that compare it with one a moment before.

    `freezedetect` takes the mean of a difference: a bird in a still sky is less than what a codec changes in a picture
    that stands still.  The largest difference of any pixel tells the two apart.
    """
    black = f"blackdetect=d={_SHORTEST_S['black']}:pic_th=0.98:pix_th=0.10"
    most = "metadata=mode=print:key=lavfi.signalstats.YMAX:file=moves.txt"
    return [
        f"[0:v:0]scale=w='min({_WIDE},iw)':h=-2:flags=area,format=yuv420p,split=2[whole][copy]",
        f"[whole]{black},scdet=t=100,metadata=mode=print:file=pictures.txt[seen]",
        "[copy]format=gray,split=2[now][then]",
        f"[then]tpad=start={_APART}:start_mode=clone[before]",
        f"[now][before]blend=all_mode=difference:shortest=1,signalstats,{most}[moved]",
    ]


def _heard() -> str:
    overall = "Peak_level+Flat_factor+Peak_count"
    filters = [f"silencedetect=n=-50dB:d={_SHORTEST_S['silence']}", "ametadata=mode=print:file=silence.txt"]
    # In 16 bits, as it is played: what a lossy codec makes too loud is clipped there.
    filters += ["aformat=sample_fmts=s16"]
    filters += [f"astats=metadata=1:reset=0:measure_perchannel=none:measure_overall={overall}"]
    filters += ["ametadata=mode=print:file=levels.txt"]
    filters += ["ebur128=metadata=1", "ametadata=mode=print:key=lavfi.r128.I:file=loudness.txt"]
    return ",".join(filters)


# --- what the filters wrote ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Note:
    """One thing that a filter said of a frame: the frame's time, a key, and its value."""

    at: float
    key: str
    value: float


def _notes(file: Path) -> list[_Note]:
    if not file.exists():
        return []
    if file.stat().st_size > _LONGEST_NOTES:
        raise ffmpeg.Undecodable("it is too long to be measured")
    found: list[_Note] = []
    at = 0.0
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        time = re.match(r"frame:\d+ +pts:\S+ +pts_time:(\S+)", line)
        if time:
            at = _number(time[1])
            continue
        key, equals, value = line.strip().partition("=")
        if equals:
            found.append(_Note(at, key.removeprefix("lavfi."), _number(value)))
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _pictures(folder: Path, facts: MediaFacts, checks: Collection[str]) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    notes = _notes(folder / "pictures.txt")
    if notes:
        end_s = facts.duration_s or notes[-1].at
        cuts = _cuts(notes)
        found["cuts"] = Measured(value=len(cuts), at=cuts[0] if cuts else None)
        found["black"] = _parts(notes, "black_start", "black_end", end_s)
        found["freeze"] = _frozen(_notes(folder / "moves.txt"))
    samples = sorted(folder.glob("sample-*.pgm"))
    if samples:
        found |= _sampled(samples, checks)
    return found


def _cuts(notes: Sequence[_Note]) -> list[float]:
    """Return when the picture changes at once, in seconds.

    A cut is one frame that differs from the frame before far more than its neighbours do from theirs: in a fast pan
    they all differ, and after a flash a second frame differs as much.
    """
    times = [note.at for note in notes if note.key == "scd.mafd"]
    changes = [note.value for note in notes if note.key == "scd.mafd"]
    scores = {note.at: note.value for note in notes if note.key == "scd.score"}
    found = []
    for place, at in enumerate(times):
        if scores.get(at, 0.0) < _LEAST_CUT:
            continue
        first, last = bisect_left(times, at - _BESIDE_S), bisect_right(times, at + _BESIDE_S)
        beside = max((*changes[first:place], *changes[place + 1 : last]), default=0.0)
        if changes[place] >= _CUT * beside:
            found.append(round(at, 2))
    return found


def _frozen(moves: Sequence[_Note]) -> Measured:
    """Return the parts in which no pixel moves: each frame is as the frame `_APART` before it."""
    parts: list[tuple[float, float]] = []
    begun: int | None = None
    for place, move in enumerate([*moves, _Note(0.0, "", math.inf)]):
        still = place >= _APART and move.value <= _STILL
        if still and begun is None:
            begun = place - _APART
        elif not still and begun is not None:
            frame_s = moves[place - 1].at - moves[place - 2].at
            parts.append((moves[begun].at, moves[place - 1].at + frame_s))
            begun = None
    return _measured([part for part in parts if part[1] - part[0] >= _SHORTEST_S["freeze"]])


def _parts(notes: Sequence[_Note], start: str, end: str, end_s: float) -> Measured:
    """Return the parts between two kinds of notes; one that goes on to the end has no second."""
    parts: list[tuple[float, float]] = []
    begun: float | None = None
    for note in notes:
        if note.key == start:
            begun = note.value
        elif note.key == end and begun is not None:
            parts.append((begun, note.value))
            begun = None
    if begun is not None:
        parts.append((begun, max(end_s, begun)))
    return _measured(parts)


def _measured(parts: Sequence[tuple[float, float]]) -> Measured:
    lengths = [last - first for first, last in parts]
    if not lengths:
        return Measured(value=0, total=0)
    return Measured(
        value=round(max(lengths), 2), total=round(sum(lengths), 2), at=round(max(parts[0][0], 0.0), 2)
    )


def _sampled(samples: Sequence[Path], checks: Collection[str]) -> dict[str, Measured]:
    """Return what some frames show: bars are where none of them is ever bright."""
    from PIL import Image, ImageChops

    frames: list[Picture] = []
    for file in samples:
        with Image.open(file, formats=["PPM"]) as opened:
            opened.load()
            frames.append(opened.copy())
    found: dict[str, Measured] = {}
    if "bars" in checks:
        found["bars"] = still.bars(functools.reduce(ImageChops.lighter, frames))
    if "text" in checks:
        found["text"] = words.read(frames[::3])
    return found


def _sounds(folder: Path, facts: MediaFacts) -> dict[str, Measured]:
    loudness = [note.value for note in _notes(folder / "loudness.txt") if note.key == "r128.I"]
    levels = {note.key: note.value for note in _notes(folder / "levels.txt")}
    silent = _notes(folder / "silence.txt")
    end_s = facts.duration_s or max((note.at for note in silent), default=0.0)
    found = {"silence": _parts(silent, "silence_start", "silence_end", end_s)}
    found["loudness"] = Measured(why="it is too short")
    if loudness and math.isfinite(loudness[-1]):
        found["loudness"] = Measured(value=round(max(loudness[-1], _SILENT_LUFS), 1))
    found["clipping"] = Measured(value=_clipped(levels))
    return found


def _clipped(levels: Mapping[str, float]) -> int:
    """Return how often the sound stays at full scale: a peak that only touches it does not count."""
    peak = levels.get("astats.Overall.Peak_level", -math.inf)
    flat = levels.get("astats.Overall.Flat_factor", 0.0)
    if not peak >= _FULL_DB or not flat > 0:
        return 0
    return round(levels.get("astats.Overall.Peak_count", 0.0))


def _no_sound(facts: MediaFacts) -> dict[str, Measured]:
    """A clip without a sound track is silent all through."""
    length = facts.duration_s or 0.0
    return {
        "silence": Measured(value=round(length, 2), total=round(length, 2), at=0, said="no sound track"),
        "loudness": Measured(value=_SILENT_LUFS, said="no sound track"),
        "clipping": Measured(value=0),
    }
