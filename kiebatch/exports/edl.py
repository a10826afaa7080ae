"""The picture as an edit decision list (CMX 3600), and the review's notes as a list of markers for DaVinci Resolve.

Clips are called by the names of their files, by which editing programs find the media; the comment `SHOT` names the
shot.  An EDL holds one track of picture: sounds are in the other timelines.
"""

from __future__ import annotations

from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.exports import cut, markers, otio
from kiebatch.exports.cut import Film, Options
from kiebatch.exports.markers import Marker
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

_ADAPTER = "cmx_3600"
_MOST_EVENTS = 999  # an event's number has three digits
_COLOURS = {
    "yellow": "ResolveColorYellow",
    "green": "ResolveColorGreen",
    "red": "ResolveColorRed",
    "blue": "ResolveColorBlue",
}


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the list, and beside it `<name>-markers.edl` where there are notes.

    `Invalid` for a film of more than 999 shots, or a frame rate that has no timecode.
    """
    otio.adapter(_ADAPTER)
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    if len(film.shots) > _MOST_EVENTS:
        raise Invalid(
            f"an EDL holds {_MOST_EVENTS} shots, and this film has {len(film.shots)}",
            hint="export a part with --only, or `fcp7`, which has no such limit",
        )
    files.replace(options.output, _text(film))
    written = [options.output]
    notes = markers.of_film(film)
    if notes:
        beside = options.output.with_name(f"{options.output.stem}-markers{options.output.suffix}")
        files.replace(beside, _markers(film, notes))
        written.append(beside)
    options.progress(len(film.shots), len(film.shots))
    return written


def _text(film: Film) -> str:
    library = otio.library()
    made = otio.timeline(film, Path(), absolute=True)
    del made.tracks[1:]
    for clip, shot in zip(made.tracks[0], film.shots, strict=True):
        clip.markers.clear()
        clip.name = shot.shown.path.name if shot.shown and shot.shown.path else shot.name
        clip.metadata[_ADAPTER] = {"reel": "AX", "comments": [f"SHOT: {shot.name}"]}
        if isinstance(clip.media_reference, library.schema.ExternalReference):
            # The name of the file alone: a path would say how this machine is set up.
            clip.media_reference.target_url = clip.media_reference.name
    try:
        text = library.adapters.write_to_string(made, _ADAPTER, rate=float(film.fps))
    except (ValueError, library.exceptions.OTIOError) as error:
        raise Invalid(
            f"an EDL cannot be written at {float(film.fps):g} frames a second: {error}",
            hint="--fps 24, 25 or 30 can",
        ) from None
    return str(text)


def _markers(film: Film, notes: tuple[Marker, ...]) -> str:
    """Return notes as Resolve imports them: `Import > Timeline Markers from EDL`."""
    lines = [f"TITLE: {' '.join(film.title.split())}", "FCM: NON-DROP FRAME", ""]
    for number, note in enumerate(notes, 1):
        start, end = film.timecode(note.start), film.timecode(note.start + 1)
        said = " ".join(note.text.replace("|", "/").split())
        lines.append(f"{number:03d}  001      V     C        {start} {end} {start} {end}  ")
        lines += [f"{said} |C:{_COLOURS[note.colour]} |M:{note.name} |D:1", ""]
    return "\n".join(lines)
