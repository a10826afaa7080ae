"""The film as an OpenTimelineIO timeline, and an edited one read back.

One clip per shot, all its takes as media references with the shown one active; tracks for voices, music and effects;
markers for notes.  Every clip carries `metadata["kiebatch"]["shot"]`, by which it is known again after editing, whatever
an editor made of its name.
"""

from __future__ import annotations

import json
import math
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.exports import apart, cut, fcpxml, markers
from kiebatch.exports.cut import Cut, Film, Options, Take
from kiebatch.model import JSON, Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

KEY = "kiebatch"
_TRACKS = (("vo", "Voice"), ("music", "Music"), ("sfx", "Effects"))


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the timeline; media are named relative to it, so that the project folder can move."""
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    made = timeline(film, options.output.parent, scene_file=Path(project.file).name)
    options.progress(len(film.shots), len(film.shots))
    files.replace(options.output, library().adapters.write_to_string(made, "otio_json") + "\n")
    return [options.output]


def timeline(film: Film, folder: Path, *, scene_file: str = "", absolute: bool = False) -> Any:
    """Return the film as an OpenTimelineIO timeline whose media are named from `folder`, or by `absolute` addresses."""
    otio = library()
    writer = _Writer(otio, film, None if absolute else folder)
    made = otio.schema.Timeline(name=film.title, global_start_time=writer.time(0))
    made.metadata[KEY] = {"scene_file": scene_file, "fps": str(film.fps)}
    picture = otio.schema.Track(name="Picture", kind=otio.schema.TrackKind.Video)
    made.tracks.append(picture)
    for shot in film.shots:
        picture.append(writer.clip(shot, shot.frames))
    for kind, name in _TRACKS:
        for track in writer.sound_tracks(kind, name):
            made.tracks.append(track)
    return made


def adapter(name: str) -> Any:
    """Return the library's adapter for a format such as `fcp_xml`; `Invalid` with the way to install it."""
    otio = library()
    if name not in otio.adapters.available_adapter_names():
        raise cut.missing_extra("otio")
    return otio.adapters.from_name(name)


def library() -> Any:
    """Return the module `opentimelineio`; `Invalid` with the way to install it."""
    try:
        import opentimelineio
    except ImportError:
        raise cut.missing_extra("otio") from None
    return opentimelineio


class _Writer:
    def __init__(self, otio: Any, film: Film, folder: Path | None) -> None:
        self.otio = otio
        self.film = film
        self.folder = folder
        self.rate = float(film.fps)

    def time(self, frames: int) -> Any:
        return self.otio.opentime.RationalTime(frames, self.rate)

    def range(self, frames: int) -> Any:
        return self.otio.opentime.TimeRange(self.time(0), self.time(frames))

    def clip(self, shot: Cut, frames: int) -> Any:
        schema = self.otio.schema
        clip = schema.Clip(name=shot.name, source_range=self.range(frames))
        references = {take.slot: self.reference(take, frames) for take in shot.takes}
        if references and shot.shown:
            clip.set_media_references(references, shot.shown.slot)
        elif references:
            clip.set_media_references(references, next(iter(references)))
        else:
            clip.media_reference = schema.MissingReference(name=shot.name)
        told = {
            "shot": shot.name,
            "scene": str(shot.scene),
            "kind": shot.kind,
            "title": shot.title or shot.scene_title,
            "prompt": shot.prompt,
            "dialogue": shot.dialogue,
            "voice_over": shot.voice_over,
            "camera": shot.camera,
            "transition": shot.transition,
            "text_overlay": shot.text_overlay,
        }
        clip.metadata[KEY] = {key: value for key, value in told.items() if value}
        for note in markers.of_shot(shot, self.film.fps):
            at = self.otio.opentime.TimeRange(self.time(note.offset), self.time(1))
            colour = getattr(schema.MarkerColor, note.colour.upper())
            marker = schema.Marker(name=f"{note.name}: {note.text}"[:80], marked_range=at, color=colour)
            marker.comment = note.text
            marker.metadata[KEY] = {"note": note.text}
            clip.markers.append(marker)
        return clip

    def reference(self, take: Take, frames: int) -> Any:
        """Return a take's file.  A still is available for as long as anybody may hold it: an hour."""
        asset = take.asset
        length = round(asset.duration * self.film.fps) if asset.duration else int(3600 * self.film.fps)
        told = {"slot": take.slot, "model": take.model, "prompt": asset.prompt, "sha256": asset.sha256 or ""}
        metadata = {KEY: {**told, "picked": take.standing.choice == "pick"}}
        if take.path is None:
            return self.otio.schema.MissingReference(
                name=asset.filename, available_range=self.range(length), metadata=metadata
            )
        target = take.path.resolve().as_uri()
        if self.folder is not None:
            target = quote(os.path.relpath(take.path, self.folder).replace(os.sep, "/"))
        reference = self.otio.schema.ExternalReference(
            target_url=target, available_range=self.range(length), metadata=metadata
        )
        reference.name = take.path.name
        return reference

    def frames_of(self, sound: Cut) -> int:
        """Return how long a sound is heard: music ends with its scene, a voice is never cut."""
        known = sound.shown.asset.duration if sound.shown else None
        frames = round(known * self.film.fps) if known else sound.frames
        return min(frames, sound.frames) if sound.kind == "music" else frames

    def sound_tracks(self, kind: str, name: str) -> list[Any]:
        """Return as many tracks as it takes for sounds that lie over each other."""
        schema = self.otio.schema
        tracks: list[Any] = []
        ends: list[int] = []
        heard = [(sound, self.frames_of(sound)) for sound in self.film.sounds if sound.kind == kind]
        for sound, frames in heard:
            if frames <= 0:
                continue
            place = next((n for n, end in enumerate(ends) if end <= sound.start), None)
            if place is None:
                number = f" {len(tracks) + 1}" if tracks else ""
                tracks.append(schema.Track(name=name + number, kind=schema.TrackKind.Audio))
                ends.append(0)
                place = len(tracks) - 1
            if sound.start > ends[place]:
                tracks[place].append(schema.Gap(source_range=self.range(sound.start - ends[place])))
            tracks[place].append(self.clip(sound, frames))
            ends[place] = sound.start + frames
        return tracks


# --- reading an edited timeline back -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between the scene file and a timeline.  Seconds are None where the side has no such shot."""

    what: str  # `duration`, `order`, `dropped`, `repeated`, `unknown`
    shot: str
    old_s: float | None = None
    new_s: float | None = None
    after: str = ""  # order: the shot it follows now; empty for the first

    def __str__(self) -> str:
        match self.what:
            case "duration":
                return f"{self.shot}: {_number(self.old_s)} s -> {_number(self.new_s)} s"
            case "order":
                return f"{self.shot}: moved {'behind ' + self.after if self.after else 'to the front'}"
            case "dropped":
                return f"{self.shot}: no longer in the timeline"
            case "repeated":
                return f"{self.shot}: stands more than once in the timeline; its lengths are added up"
            case _:
                return f"{self.shot}: in the timeline, not in the scene file"

    def as_json(self) -> dict[str, JSON]:
        return {
            "what": self.what,
            "shot": self.shot,
            "old": self.old_s,
            "new": self.new_s,
            "after": self.after or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One clip of a timeline's picture."""

    shot: str
    start_s: float
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A timeline that came back: its clips in their order.  `fps` is what the film was exported with."""

    file: str
    fps: Fraction
    clips: tuple[Placed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What an edited timeline says: the shots in their order with their seconds, and what is different."""

    lengths: Mapping[str, float]
    order: tuple[str, ...]
    changes: tuple[Change, ...]


# Which adapter reads what an editing program wrote, by the ending.
_READERS = {".otio": "otio_json", ".edl": "cmx_3600", ".xml": "fcp_xml"}


def read(path: Path, fps: Fraction = Fraction(24)) -> Edited:
    """Read the picture of a timeline: OpenTimelineIO, EDL, Final Cut Pro 7 XML or FCPXML, by its ending.

    A clip is known by its metadata, else by its name.  `fps` is the rate of an EDL, which does not say its own.
    It is read in a process of its own.  `Invalid` when the file cannot be read.
    """
    found = apart.read(path, fps)
    clips = [
        Placed(shot=shot, start_s=start_s, seconds=seconds, rate=rate)
        for shot, start_s, seconds, rate in found["clips"]
    ]
    return Edited(file=files.shown(path), fps=Fraction(found["fps"]), clips=tuple(clips))


def read_here(path: Path, fps: Fraction) -> Edited:
    """Read a timeline in this process.  Raises nearly anything, and may end the program: `read` is for callers."""
    if path.suffix == ".fcpxml":
        rate, spine = fcpxml.spine(path)
        clips = [
            Placed(shot=name, start_s=start, seconds=seconds, rate=float(rate))
            for name, start, seconds in spine
        ]
    else:
        rate, clips = _adapted(path, fps)
    usable = [clip for clip in clips if all(map(math.isfinite, (clip.start_s, clip.seconds, clip.rate)))]
    if len(usable) < len(clips) or any(clip.rate <= 0 for clip in usable) or rate <= 0:
        raise Invalid("a clip's time or rate is not a number")
    return Edited(file=str(path), fps=rate, clips=tuple(sorted(usable, key=lambda clip: clip.start_s)))


def _adapted(path: Path, fps: Fraction) -> tuple[Fraction, list[Placed]]:
    name = _READERS.get(path.suffix, "otio_json")
    adapter(name)
    if name == "otio_json":
        json.loads(path.read_bytes())  # the library ends the whole program on what is nested too deep
    options = {"rate": float(fps)} if name == "cmx_3600" else {}
    timeline = library().adapters.read_from_file(str(path), name, **options)
    clips = [found for track in timeline.video_tracks() for found in _placed(track)]
    told = timeline.metadata.get(KEY) or {}
    rate = str(told.get("fps") or (clips[0].rate if clips else 24))
    try:
        return Fraction(rate).limit_denominator(1001), clips
    except (ValueError, ZeroDivisionError):
        return Fraction(24), clips


def _placed(track: Any) -> list[Placed]:
    found = []
    for clip in track.find_clips():
        told = clip.metadata.get(KEY) or {}
        span = clip.trimmed_range()
        if told.get("kind", "shot") != "shot":
            continue
        found.append(
            Placed(
                shot=str(told.get("shot") or clip.name),
                start_s=clip.transformed_time(span.start_time, track).to_seconds(),
                seconds=span.duration.to_seconds(),
                rate=float(span.duration.rate),
            )
        )
    return found


def compare(edited: Edited, film: Film) -> Edit:
    """Compare a timeline with the film.  Lengths count as equal within half a frame of either side.

    `Invalid` when it shows none of the film's shots.
    """
    known = {shot.name for shot in film.shots}
    named = _named(edited.clips, film)
    clips = [clip for clip in named if clip.shot in known]
    if not clips:
        raise Invalid(
            f"{edited.file} shows none of this film's shots",
            hint="edit the timeline that `kiebatch export` wrote",
        )
    lengths: dict[str, float] = {}
    for clip in clips:
        lengths[clip.shot] = lengths.get(clip.shot, 0.0) + clip.seconds
    order = list(lengths)
    counts = Counter(clip.shot for clip in clips)
    changes = (
        *(Change(what="repeated", shot=name) for name in order if counts[name] > 1),
        *_other_lengths(film, clips, lengths),
        *_moves(film, order),
        *_unknown(named, known),
    )
    return Edit(lengths=lengths, order=tuple(order), changes=changes)


def _named(clips: Iterable[Placed], film: Film) -> list[Placed]:
    """Return clips by the names of their shots; one that is called by a file of the film is that file's shot."""
    names = _shots_by_file(film) | {shot.name: shot.name for shot in film.shots}
    return [replace(clip, shot=names.get(clip.shot, clip.shot)) for clip in clips]


def _unknown(clips: Iterable[Placed], known: Container[str]) -> Iterator[Change]:
    names = dict.fromkeys(clip.shot for clip in clips if clip.shot and clip.shot not in known)
    return (Change(what="unknown", shot=name) for name in names)


def _other_lengths(film: Film, clips: Sequence[Placed], lengths: Mapping[str, float]) -> Iterator[Change]:
    slack = {clip.shot: 0.499 / min(clip.rate, float(film.fps)) for clip in clips}
    for shot in film.shots:
        old = film.seconds(shot.frames)
        if shot.name not in lengths:
            yield Change(what="dropped", shot=shot.name, old_s=round(old, 3))
        elif abs(lengths[shot.name] - old) > slack[shot.name]:
            new = round(lengths[shot.name], 3)
            yield Change(what="duration", shot=shot.name, old_s=round(old, 3), new_s=new)


def _moves(film: Film, order: Sequence[str]) -> Iterator[Change]:
    stay = _longest_kept([shot.name for shot in film.shots if shot.name in order], order)
    for before, name in zip(("", *order), order, strict=False):
        if name not in stay:
            yield Change(what="order", shot=name, after=before)


def _shots_by_file(film: Film) -> dict[str, str]:
    """Return which shot a file of the film belongs to, by its name with and without ending.

    Editing programs call a clip after its file; a file that two shots use tells nothing.
    """
    found: dict[str, set[str]] = {}
    for shot in film.shots:
        for take in shot.takes:
            name = Path(take.asset.filename)
            found.setdefault(name.name, set()).add(shot.name)
            found.setdefault(name.stem, set()).add(shot.name)
    return {name: next(iter(shots)) for name, shots in found.items() if len(shots) == 1}


def _longest_kept(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Return the most shots that have the same order in both: all others were moved."""
    place = {name: n for n, name in enumerate(before)}
    # The longest rising run, by patience: on top of each pile the lowest place that ends a run of that length.
    tops: list[int] = []
    names: list[str] = []
    came_from: dict[str, str | None] = {}
    for name in after:
        pile = bisect_left(tops, place[name])
        came_from[name] = names[pile - 1] if pile else None
        tops[pile : pile + 1] = [place[name]]
        names[pile : pile + 1] = [name]
    kept: set[str] = set()
    last = names[-1] if names else None
    while last is not None:
        kept.add(last)
        last = came_from[last]
    return kept


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
