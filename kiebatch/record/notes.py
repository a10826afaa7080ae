"""The notes of a review in `notes.yaml`: threads with a place in a picture or clip, and a status for each shot.

    kiebatch-notes: 1
    notes:
    - {id: n-3f9ac1b204, slot: "2a#2", at: {x: 0.41, y: 0.2}, text: "the hand is cut off", time: "…", author: "Ann"}
    - {id: n-77d0a94c1e, reply: n-3f9ac1b204, text: "wider in take 3", time: "…", author: "Bo"}
    - {id: n-3f9ac1b204, done: true, time: "…", author: "Ann"}
    - {id: status-2a, shot: "2a", status: approved, time: "…", author: "Ann"}

A change of a note is one more line with its id, and names only what changed; the newest line counts, for each key on
its own.  So nobody's words are ever overwritten, lines may come in any order and twice, and two branches are merged by
id by joining their lines.  Keys that a newer version wrote are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

import yaml

from kiebatch._dataclass import dataclass
from kiebatch.errors import Problem, Problems
from kiebatch.record import line_file, picks
from kiebatch.record.line_file import Entry, Extra, quoted, sortable

T = TypeVar("T")

VERSION = 1
HEAD = (
    "# Notes of the review, one line per change, joined by id. Written by `kiebatch review`.\n"
    f"kiebatch-notes: {VERSION}\nnotes:\n"
)
MAX_TEXT = 4000  # characters

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@#/-]{0,79}")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_KEYS = (
    "id",
    "slot",
    "shot",
    "sha256",
    "at",
    "seconds",
    "reply",
    "text",
    "done",
    "deleted",
    "status",
    "time",
    "author",
)
_EXAMPLE = '- {id: n-1, slot: 2a#2, text: "wider"}'


class Status(StrEnum):
    """How far a shot is."""

    OPEN = "open"
    IN_REVIEW = "in-review"
    APPROVED = "approved"
    CHANGES = "changes-asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A place in a picture: its left upper corner and size as shares of width and height, 0 to 1; a point has no size."""

    x: float
    y: float
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line.  What is None says nothing.

    `slot` is the written form with its take, `2a#1`; `shot` a shot's name, `2a`.  `sha256` begins like the digest of
    the file that a place is meant in, so that a pin does not wander to another version.
    """

    id: str
    slot: str | None = None
    shot: str | None = None
    sha256: str | None = None
    at: Region | None = None
    seconds: float | None = None  # into the clip or sound
    reply: str | None = None  # the id of the thread's first note
    text: str | None = None
    done: bool | None = None
    deleted: bool | None = None
    status: Status | None = None
    time: str = ""  # UTC, ISO 8601
    author: str = ""
    extra: Extra = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note as it counts now.  `time` and `author` are those of its first line.

    `done_by` is who closed the thread, empty while it is open; `edited` whether the text was changed later.
    """

    id: str
    slot: str = ""
    shot: str = ""
    sha256: str = ""
    at: Region | None = None
    seconds: float | None = None
    reply: str = ""
    text: str = ""
    done: bool = False
    done_by: str = ""
    edited: bool = False
    time: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A note with the replies to it, from old to new."""

    first: Note
    replies: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The status of one shot, and who set it when."""

    status: Status = Status.OPEN
    time: str = ""
    author: str = ""


@dataclass(frozen=True)
class Notes:
    """All notes of a film, in the order of the file.

    `moved` maps the old names of shots to their new ones, as the scene file's `moved:` does.  `problems` are warnings.
    """

    changes: tuple[Change, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Note]:
        """Every note that is not deleted, oldest first."""
        found: dict[str, Note] = {}
        deleted: dict[str, bool] = {}
        for change in sorted(self.changes, key=lambda c: sortable(c.time)):
            if change.status is not None:
                continue
            before = found.get(change.id) or Note(id=change.id, time=change.time, author=change.author)
            found[change.id] = _with(before, change)
            if change.deleted is not None:
                deleted[change.id] = change.deleted
        return {id: self._renamed(note) for id, note in found.items() if note.text and not deleted.get(id)}

    def threads(self, shot_name: str) -> tuple[Thread, ...]:
        """Return the threads about a shot such as `2a` and its takes, oldest first."""
        return self._threads.get(shot_name, ())

    def status(self, shot_name: str) -> Standing:
        """Return how far a shot is; open where nobody has said so."""
        return self._statuses.get(shot_name, Standing())

    @cached_property
    def _threads(self) -> Mapping[str, tuple[Thread, ...]]:
        replies: dict[str, list[Note]] = {}
        for note in self.by_id.values():
            if note.reply:
                replies.setdefault(note.reply, []).append(note)
        found: dict[str, list[Thread]] = {}
        for note in self.by_id.values():
            # The answer to a deleted note goes on as a thread of its own: its words are still someone's.
            if not note.reply or note.reply not in self.by_id:
                thread = Thread(first=note, replies=tuple(replies.get(note.id, ())))
                found.setdefault(note.shot, []).append(thread)
        return {shot: tuple(threads) for shot, threads in found.items()}

    @cached_property
    def _statuses(self) -> Mapping[str, Standing]:
        found: dict[str, Standing] = {}
        for change in sorted(self.changes, key=lambda c: sortable(c.time)):
            if change.status is not None and change.shot:
                shot = picks.renamed(change.shot, self.moved)
                found[picks.parts(shot)[0]] = Standing(
                    status=change.status, time=change.time, author=change.author
                )
        return found

    def _renamed(self, note: Note) -> Note:
        if note.slot:
            slot = picks.renamed(note.slot, self.moved)
            return replace(note, slot=slot, shot=picks.parts(slot)[0])
        return replace(note, shot=picks.parts(picks.renamed(note.shot, self.moved))[0]) if note.shot else note


def _with(note: Note, change: Change) -> Note:
    """Return a note after one more line about it."""
    closed = _latest(change.done, note.done)
    closed_by = note.done_by if change.done is None else change.author
    slot = _latest(change.slot, note.slot)
    return replace(
        note,
        slot=slot,
        shot=picks.parts(slot)[0] if slot else _latest(change.shot, note.shot),
        sha256=_latest(change.sha256, note.sha256),
        at=_latest(change.at, note.at),
        seconds=_latest(change.seconds, note.seconds),
        reply=_latest(change.reply, note.reply),
        text=_latest(change.text, note.text),
        edited=note.edited or bool(note.text and change.text is not None and change.text != note.text),
        done=closed,
        done_by=closed_by if closed else "",
    )


def _latest(said: T | None, before: T) -> T:
    """Return what a line says, and what was known before where it says nothing."""
    return before if said is None else said


# --- text to changes -----------------------------------------------------------------------------------


def parse(text: str, file: str, *, moved: Mapping[str, str] | None = None) -> Notes:
    """Return the notes that `text` holds; empty text holds none.  `file` is its name in messages.

    Raises `Invalid` with every line that is not a note, for conflict markers, and for a format that is newer than ours.
    """
    node = line_file.compose(text.removeprefix("\ufeff"), file, "notes")
    if node is None:
        return Notes((), moved or {})
    problems = Problems()
    nodes = _lines_of(node, file, problems)
    problems.raise_if_errors()
    entries = line_file.entries(
        nodes, file, problems, known=_KEYS, structured=("at",), example=_EXAMPLE, code="notes"
    )
    changes = [_change(entry, file, problems) for entry in entries]
    problems.raise_if_errors()
    return Notes(tuple(c for c in changes if c), moved or {}, tuple(problems.warnings))


def _lines_of(node: yaml.Node, file: str, problems: Problems) -> list[yaml.Node]:
    """Return the nodes of the list under `notes`.

    Git may have joined two files that were both new: then the head is there twice, and both lists count.
    """
    found: list[yaml.Node] = []
    versions: list[str] = []
    for key, value in line_file.pairs(node):
        if key.value == "kiebatch-notes" and isinstance(value, yaml.ScalarNode):
            versions.append(value.value)
        elif key.value == "notes" and isinstance(value, yaml.SequenceNode):
            found += value.value
    if not versions:
        hint = f"it begins with `kiebatch-notes: {VERSION}`"
        problems.error(line_file.place(node, file), "this is not a file of notes", hint=hint, code="notes")
    elif any(version != str(VERSION) for version in versions):
        problems.error(
            line_file.place(node, file),
            f"these notes have the format {max(versions)}, and this kiebatch reads {VERSION}",
            hint="update kiebatch; the file was not changed",
            code="notes",
        )
    return found


def _change(entry: Entry, file: str, problems: Problems) -> Change | None:
    before = len(problems.found)
    for key, node in entry.values.items():
        if isinstance(node, yaml.ScalarNode) and key != "at":
            problem = _wrong(key, str(node.value))
            if problem:
                problems.error(line_file.place(node, file), problem, code="notes")
    id = entry.text("id")
    if id is None:
        problems.error(entry.where, "a note has an `id`", code="notes")
    at = _region(entry.values.get("at"), file, problems)
    if id is None or len(problems.found) > before:
        return None
    status, slot = entry.text("status"), entry.text("slot")
    return Change(
        id=id,
        slot=None if slot is None else picks.written(slot),
        shot=entry.text("shot"),
        sha256=entry.text("sha256"),
        at=at,
        seconds=_number(entry.text("seconds")),
        reply=entry.text("reply"),
        text=entry.text("text"),
        done=_yes(entry.text("done")),
        deleted=_yes(entry.text("deleted")),
        status=None if status is None else Status(status),
        time=entry.text("time") or "",
        author=entry.text("author") or "",
        extra=entry.extra,
    )


def _is_word(value: str) -> bool:
    return _ID.fullmatch(value) is not None


def _is_yes_or_no(value: str) -> bool:
    return value in ("true", "false")


def _is_time(value: str) -> bool:
    seconds = _number(value)
    return seconds is not None and 0 <= seconds < 1e6


# What the value of a key must be, and how a message says so.
_RULES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "id": (_is_word, "a short word without spaces"),
    "reply": (_is_word, "a short word without spaces"),
    "done": (_is_yes_or_no, "true or false"),
    "deleted": (_is_yes_or_no, "true or false"),
    "status": (lambda value: value in tuple(Status), ", ".join(Status)),
    "seconds": (_is_time, "a number of 0 or more"),
    "sha256": (lambda value: _DIGEST.fullmatch(value) is not None, "the beginning of a digest"),
}


def _wrong(key: str, value: str) -> str:
    """Return what is wrong with a value; empty where nothing is."""
    if key in ("slot", "shot"):
        try:
            picks.parts(value)
        except ValueError as error:
            return str(error)
    if key not in _RULES:
        return ""
    fits, expected = _RULES[key]
    return "" if fits(value) else f"`{key}` is {expected}, found `{value}`"


def _region(node: yaml.Node | None, file: str, problems: Problems) -> Region | None:
    """Return the place that `at` names: `{x: 0.4, y: 0.2}`, with `w` and `h` where it is a region."""
    if node is None:
        return None
    pairs = line_file.pairs(node)
    found = {key.value: _number(value.value) for key, value in pairs if isinstance(value, yaml.ScalarNode)}
    region = region_of(found)
    if region is None:
        message = (
            "`at` is a place as shares of the picture, 0 to 1: `{x: 0.4, y: 0.2}`, `w` and `h` for a region"
        )
        problems.error(line_file.place(node, file), message, code="notes")
    return region


def region_of(found: Mapping[str, float | None]) -> Region | None:
    """Return a place of its numbers `x`, `y` and maybe `w`, `h`; None where they are not inside the picture."""
    x, y = found.get("x"), found.get("y")
    width, height = found.get("w", 0.0), found.get("h", 0.0)
    if x is None or y is None or width is None or height is None:
        return None
    # Shares are rounded when they are written, so a region at the edge may end a little outside.
    if min(x, y, width, height) < 0 or max(x, y) > 1 or max(x + width, y + height) > 1.001:
        return None
    return Region(x=x, y=y, width=width, height=height)


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text is not None else None
    except ValueError:
        return None
    return found if found is not None and found == found else None  # NaN is not a number of seconds


def _yes(text: str | None) -> bool | None:
    return None if text is None else text == "true"


# --- changes to text -----------------------------------------------------------------------------------


def append(text: str, new: Iterable[Change], now: datetime) -> str:
    """Return the file's text with new lines behind those there are, which stay as they are, to the byte.

    Lines without a time get `now`, or a moment after the newest line where that is later.
    """
    lines = list(new)
    there = parse(text.removeprefix("\ufeff"), "notes.yaml").changes
    newest = max((sortable(c.time) for c in there), default="")
    times = line_file.times((c.time for c in lines), newest, now)
    written_down = (line(replace(change, time=time)) for change, time in zip(lines, times, strict=True))
    return line_file.extended(text, HEAD, written_down)


def line(change: Change) -> str:
    """Return one change as its line, newline included; the same bytes for the same change."""
    return line_file.line([*_fields(change), *change.extra])


def _fields(change: Change) -> list[tuple[str, str]]:
    """Return the keys of a line with their values as YAML, in the order in which they are written."""
    found = {
        "id": quoted(change.id),
        "slot": _text(change.slot),
        "shot": _text(change.shot),
        "sha256": _text(change.sha256),
        "at": _at_text(change.at) if change.at else None,
        "seconds": None if change.seconds is None else f"{change.seconds:.3f}",
        "reply": _text(change.reply),
        "text": _text(change.text),
        "done": _flag(change.done),
        "deleted": _flag(change.deleted),
        "status": change.status,
        "time": _text(change.time or None),
        "author": _text(change.author or None),
    }
    return [(key, value) for key, value in found.items() if value is not None]


def _text(value: str | None) -> str | None:
    return None if value is None else quoted(value)


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _at_text(at: Region) -> str:
    size = f", w: {at.width:.4f}, h: {at.height:.4f}" if at.width or at.height else ""
    return f"{{x: {at.x:.4f}, y: {at.y:.4f}{size}}}"
