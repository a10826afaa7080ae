"""The shot list as CSV that a spreadsheet opens right, and its notes read back.

UTF-8 with a byte order mark, because spreadsheets take it for an old code page without.  A cell that a spreadsheet
would run as a formula gets an apostrophe in front, which reading takes off again.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options, Take
from kiebatch.model import Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import MAX_NOTE, Decision, Picks, parts, written
from kiebatch.scenefile import separated
from kiebatch.workspace import Workspace

COLUMNS = (
    "slot",
    "scene",
    "shot",
    "take",
    "act",
    "scene title",
    "location",
    "time_of_day",
    "title",
    "start",
    "seconds",
    "shot_size",
    "lens",
    "camera",
    "transition",
    "action",
    "dialogue",
    "voice_over",
    "sfx",
    "music",
    "text overlay",
    "prompt",
    "model",
    "pick",
    "file",
    "credits",
    "scene notes",
    "note",
)
_RISKY = re.compile(r"^'*[=+\-@\t\r]")


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write one row per shot, with the take that stands for it; with `all_takes` one row per take."""
    film = cut.chosen(project, manifest, picks, workspace, options)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for number, shot in enumerate(
        sorted((*film.shots, *film.sounds), key=lambda c: (c.start, c.kind != "shot")), 1
    ):
        for take in shot.told(all_takes=options.all_takes):
            writer.writerow([_safe(cell) for cell in _row(film, shot, take)])
        options.progress(number, len(film.shots) + len(film.sounds))
    files.replace(options.output, "\ufeff" + out.getvalue())
    return [options.output]


def _row(film: Film, shot: Cut, take: Take | None) -> list[str]:
    # Only the take that stands for a shot has its length, so that a column of seconds adds up to the film's.
    counts = shot.kind == "shot" and take is shot.shown
    made = _made(take) if take else _Made(slot=written(shot.name), model=", ".join(shot.models))
    return [
        made.slot,
        str(shot.scene),
        "" if shot.shot is None else str(shot.shot),
        made.number,
        shot.group,
        shot.scene_title,
        shot.location,
        shot.time_of_day,
        shot.title,
        film.timecode(shot.start),
        f"{film.seconds(shot.frames):.3f}".rstrip("0").rstrip(".") if counts else "",
        shot.shot_size,
        shot.lens,
        shot.camera,
        shot.transition,
        shot.action,
        shot.dialogue,
        shot.voice_over,
        shot.sfx,
        shot.music,
        shot.text_overlay,
        shot.prompt,
        made.model,
        made.pick,
        made.file,
        made.credits,
        shot.notes,
        made.note,
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What a row says of a take; of a shot without one little."""

    slot: str
    number: str = ""
    model: str
    pick: str = ""
    file: str = ""
    credits: str = ""
    note: str = ""


def _made(take: Take) -> _Made:
    asset, standing = take.asset, take.standing
    return _Made(
        slot=take.slot,
        number=str(take.number),
        model=asset.model,
        pick={"pick": "yes", "reject": "rejected"}.get(standing.choice, ""),
        file=asset.filename,
        credits="" if asset.credits is None else f"{asset.credits:g}",
        note=standing.note,
    )


def _safe(cell: str) -> str:
    cell = cell.replace("\0", "")
    return "'" + cell if _RISKY.match(cell) else cell


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _RISKY.match(cell) else cell


def notes(text: str, file: str, picks: Picks) -> list[Decision]:
    """Return the notes of a shot list that say something else than `picks` does.

    Knows its columns by their names, in any order, with commas, semicolons or tabs between them, as spreadsheets save
    them.  `Invalid` with every row that names no slot.
    """
    rows = separated.rows(text, file, "a shot list")
    names = [name.strip().lower() for name in rows[0].cells] if rows else []
    if "slot" not in names or "note" not in names:
        message = "this list has no columns `slot` and `note`"
        hint = "`kiebatch export csv` writes one that has"
        raise Invalid([Problem(where=Where(file, 1), message=message, hint=hint)])
    at_slot, at_note = names.index("slot"), names.index("note")
    found: list[Decision] = []
    problems: list[Problem] = []
    for number, row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        cells = [*row, *[""] * len(names)]  # spreadsheets leave out what is empty at the end
        slot = cells[at_slot].strip()
        # Spreadsheets end lines in a cell as they like.
        note = _plain(cells[at_note]).replace("\r\n", "\n")
        wrong = _mistake(slot, note)
        if wrong:
            problems.append(Problem(where=Where(file, number), message=wrong))
        elif note != picks.decision(slot).note:
            found.append(Decision(slot=written(slot), note=note))
    if problems:
        raise Invalid(problems)
    return found


def _mistake(slot: str, note: str) -> str:
    """Return why a row cannot be taken; nothing where it can."""
    try:
        parts(slot)
    except ValueError as error:
        return str(error)
    return f"a note has at most {MAX_NOTE} characters" if len(note) > MAX_NOTE else ""
