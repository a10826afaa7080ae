"""The film as Final Cut Pro 7 XML, which Premiere Pro and DaVinci Resolve import, with the review's notes as markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiebatch import files
from kiebatch.exports import cut, markers, otio
from kiebatch.exports.cut import Film, Options
from kiebatch.model import JSON, Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

_ADAPTER = "fcp_xml"


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the sequence.  Media have absolute addresses: the format knows no others."""
    otio.adapter(_ADAPTER)
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    made = otio.timeline(film, Path(), absolute=True)
    made.metadata[_ADAPTER] = {"media": {"video": {"format": _format(film, options.size or film.shape)}}}
    _describe_media(made, film)
    _lift_markers(made, film)
    files.replace(options.output, otio.library().adapters.write_to_string(made, _ADAPTER))
    options.progress(len(film.shots), len(film.shots))
    return [options.output]


def _format(film: Film, size: tuple[int, int]) -> dict[str, JSON]:
    """Return what Resolve asks for: it refused sequences that do not say their size and rate."""
    rate = {"timebase": str(round(film.fps)), "ntsc": "TRUE" if film.fps.denominator == 1001 else "FALSE"}
    return {
        "samplecharacteristics": {
            "rate": rate,
            "width": str(size[0]),
            "height": str(size[1]),
            "anamorphic": "FALSE",
            "pixelaspectratio": "square",
            "fielddominance": "none",
        }
    }


def _describe_media(made: Any, film: Film) -> None:
    takes = {take.slot: take for shot in (*film.shots, *film.sounds) for take in shot.takes}
    for clip in made.find_clips():
        take = takes.get(clip.active_media_reference_key)
        if take is None or take.asset.type == "audio":
            continue
        size = {"width": str(take.asset.width or 0), "height": str(take.asset.height or 0)}
        video = {"samplecharacteristics": size} if take.asset.width and take.asset.height else {}
        # A still has no sound, which the adapter would say it has.
        clip.media_reference.metadata[_ADAPTER] = {"media": {"video": video}}


def _lift_markers(made: Any, film: Film) -> None:
    """Put the notes on the sequence, where Premiere lists them with their comments."""
    schema, opentime = otio.library().schema, otio.library().opentime
    for clip in made.find_clips():
        clip.markers.clear()
    for note in markers.of_film(film):
        start = opentime.RationalTime(note.start, float(film.fps))
        span = opentime.TimeRange(start, opentime.RationalTime(1, float(film.fps)))
        marker = schema.Marker(name=note.name, marked_range=span)
        marker.metadata[_ADAPTER] = {"comment": note.text}
        made.tracks.markers.append(marker)
