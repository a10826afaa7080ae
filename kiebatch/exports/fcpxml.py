"""The film as FCPXML 1.8 for Final Cut Pro and DaVinci Resolve, written and read back.

Written here and not by OpenTimelineIO's adapter: that one knows no broadcast rates, asks ffprobe for the size of every
file, and loses the comments of markers.  Times are exact fractions of a second.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as xml
from fractions import Fraction
from pathlib import Path

from kiebatch import files
from kiebatch.exports import cut, markers
from kiebatch.exports.cut import Cut, Film, Options, Take
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

_STILL_S = 3600  # seconds that a still is available for
_LANES = {"vo": -1, "music": -2, "sfx": -3}
_ROLES = {"vo": "dialogue", "music": "music", "sfx": "effects"}


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the project.  Media have absolute addresses: the format knows no others."""
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    root = _Writer(film, options.size or film.shape).document()
    xml.indent(root, "  ")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n'
    files.replace(options.output, head + xml.tostring(root, encoding="unicode") + "\n")
    options.progress(len(film.shots), len(film.shots))
    return [options.output]


class _Writer:
    def __init__(self, film: Film, size: tuple[int, int]) -> None:
        self.film = film
        self.size = size
        self.root = xml.Element("fcpxml", version="1.8")
        self.resources = xml.SubElement(self.root, "resources")
        self.known: dict[Path, str] = {}

    def document(self) -> xml.Element:
        film = self.film
        width, height = (str(side) for side in self.size)
        frame = {"frameDuration": _seconds(1 / film.fps), "width": width, "height": height}
        xml.SubElement(self.resources, "format", {"id": "r1", **frame})
        event = xml.SubElement(xml.SubElement(self.root, "library"), "event", name=film.title)
        project = xml.SubElement(event, "project", name=film.title)
        sequence = xml.SubElement(
            project, "sequence", format="r1", duration=self.time(film.length), tcStart="0s", tcFormat="NDF"
        )
        spine = xml.SubElement(sequence, "spine")
        sounds = list(film.sounds)
        for shot in film.shots:
            element = self.shot(spine, shot)
            # A connected clip belongs to the shot under which it begins.
            for sound in [s for s in sounds if s.start < shot.end]:
                sounds.remove(sound)
                self.sound(element, shot, sound)
            self.notes(element, shot)
        return self.root

    def time(self, frames: int) -> str:
        return _seconds(frames / self.film.fps)

    def shot(self, spine: xml.Element, shot: Cut) -> xml.Element:
        placed = {"name": shot.name, "offset": self.time(shot.start), "duration": self.time(shot.frames)}
        take = shot.shown
        if take is None or take.path is None:
            return xml.SubElement(spine, "gap", {**placed, "start": "0s"})
        asset = self.asset(take, take.path)
        if take.asset.type == "video":
            return xml.SubElement(
                spine, "asset-clip", {"ref": asset, **placed, "start": "0s", "format": "r1"}
            )
        clip = xml.SubElement(spine, "clip", {**placed, "start": "0s", "format": "r1"})
        still = {"ref": asset, "offset": "0s", "duration": placed["duration"], "start": "0s"}
        xml.SubElement(clip, "video", still)
        return clip

    def asset(self, take: Take, path: Path) -> str:
        if path not in self.known:
            self.known[path] = f"r{len(self.known) + 2}"
            kind = take.asset.type
            seconds = Fraction(take.asset.duration or _STILL_S).limit_denominator(100_000)
            frames = max(1, math.floor(seconds * self.film.fps))
            has = {"hasVideo": "1", "format": "r1"}
            if kind == "audio":
                has = {"hasVideo": "0", "hasAudio": "1"}
            told = {"id": self.known[path], "name": path.name, "src": path.resolve().as_uri()}
            told |= {"start": "0s", "duration": self.time(frames), **has}
            xml.SubElement(self.resources, "asset", told)
        return self.known[path]

    def sound(self, element: xml.Element, shot: Cut, sound: Cut) -> None:
        take = sound.shown
        if take is None or take.path is None:
            return
        frames = min(sound.frames, round(take.asset.duration * self.film.fps)) if take.asset.duration else 0
        xml.SubElement(
            element,
            "asset-clip",
            ref=self.asset(take, take.path),
            name=sound.name,
            lane=str(_LANES[sound.kind]),
            offset=self.time(sound.start - shot.start),
            duration=self.time(frames or sound.frames),
            start="0s",
            audioRole=_ROLES[sound.kind],
        )

    def notes(self, element: xml.Element, shot: Cut) -> None:
        for note in markers.of_shot(shot, self.film.fps):
            place = {"start": self.time(note.offset), "duration": self.time(1)}
            xml.SubElement(element, "marker", {**place, "value": note.name, "note": note.text})


def _seconds(value: Fraction) -> str:
    if value.denominator == 1:
        return f"{value.numerator}s"
    return f"{value.numerator}/{value.denominator}s"


def spine(path: Path) -> tuple[Fraction, list[tuple[str, float, float]]]:
    """Return the frame rate and the clips (name, start and length in seconds) of an FCPXML file's main storyline.

    ValueError where it has none.
    """
    root = xml.parse(path).getroot()
    line = root.find(".//sequence/spine")
    if line is None:
        raise ValueError("it has no sequence")
    frame = root.find(".//format[@frameDuration]")
    fps = 1 / _fraction(frame.get("frameDuration", "")) if frame is not None else Fraction(24)
    clips = []
    end = Fraction(0)
    for element in line:
        if element.tag == "transition":
            continue
        start = _fraction(element.get("offset")) if element.get("offset") else end
        length = _fraction(element.get("duration"))
        clips.append((element.get("name", ""), float(start), float(length)))
        end = start + length
    return fps, clips


def _fraction(text: str | None) -> Fraction:
    return Fraction((text or "").removesuffix("s"))
