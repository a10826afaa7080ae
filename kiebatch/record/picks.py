"""The decisions in `picks.yaml`: read, newest wins, one line per decision.

    - {slot: "2a#2", decision: pick, note: "the look back", time: "2026-03-01T10:00:00.000Z", author: "Ann"}

A line says one or more of `decision` (`pick`, `reject`, or `none`, which takes either back), `note` and `star`; each
of these counts until a newer line of that take says otherwise.  Lines may come in any order and twice.  A shot has
one pick: picking another take, or another model's, moves it.  Keys that a newer version wrote are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal, cast

import yaml

from kiebatch._dataclass import dataclass
from kiebatch.errors import Problem, Problems
from kiebatch.model import Slot, natural
from kiebatch.record import line_file
from kiebatch.record.line_file import Entry, Extra, quoted, sortable

Choice = Literal["pick", "reject", "none"]
CHOICES: tuple[Choice, ...] = ("pick", "reject", "none")
HEAD = "# What was chosen, one line per decision; the newest wins. Written by `kiebatch pick` and `kiebatch review`.\n"
MAX_NOTE = 4000  # characters

_KEYS = ("slot", "decision", "note", "star", "time", "author")
_SLOT = re.compile(r"(?P<shot>[^@#\s]+)(?:@(?P<model>[^#\s]+))?(?:#(?P<take>[1-9][0-9]{0,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One line.  What is None says nothing.  `slot` is the written form with its take: `2a#1`."""

    slot: str
    choice: Choice | None = None
    note: str | None = None
    star: bool | None = None
    time: str = ""  # UTC, ISO 8601
    author: str = ""
    extra: Extra = ()  # what a newer version wrote: never read, always kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What counts for one take now.  `time` and `author` are those of the newest line about it."""

    choice: Choice = "none"
    note: str = ""
    star: bool = False
    time: str = ""
    author: str = ""


UNDECIDED = Standing()


@dataclass(frozen=True)
class Picks:
    """All decisions of a project, in the order of the file.

    `moved` maps the old names of shots to their new ones, as the scene file's `moved:` does.  `problems` are warnings.
    """

    decisions: tuple[Decision, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def take(self, shot_name: str) -> int | None:
        """Return the picked take of a shot such as `2a`, whatever its model; None where nobody has picked."""
        picked = self.picked(shot_name)
        return parts(picked)[2] if picked else None

    def picked(self, shot_name: str) -> str | None:
        """Return the picked take of a shot in its written form with model and take: `2b@kling-3.0/video#2`."""
        return self._now[0].get(shot_name)

    def decision(self, slot: str | Slot) -> Standing:
        """Return what counts for one take: `2a#2`, or `2a` for take 1."""
        return self._now[1].get(written(slot), UNDECIDED)

    @cached_property
    def _now(self) -> tuple[dict[str, str], dict[str, Standing]]:
        picked: dict[str, str] = {}
        standing: dict[str, Standing] = {}
        for line in sorted(self.decisions, key=lambda d: sortable(d.time)):
            slot = renamed(line.slot, self.moved)
            shot = parts(slot)[0]
            now = standing.get(slot, UNDECIDED)
            if line.choice == "pick":
                before = picked.get(shot)
                if before and before != slot:
                    standing[before] = replace(standing[before], choice="none")
                picked[shot] = slot
            elif line.choice and picked.get(shot) == slot:
                del picked[shot]
            standing[slot] = Standing(
                choice=line.choice or now.choice,
                note=now.note if line.note is None else line.note,
                star=now.star if line.star is None else line.star,
                time=line.time,
                author=line.author,
            )
        return picked, standing


def renamed(slot: str, moved: Mapping[str, str]) -> str:
    """Return the name of today for a slot in its written form; `moved` is the scene file's `moved:`."""
    shot, model, take = parts(slot)
    for old in (slot, _join(shot, model, None), _join(shot, None, take), shot):
        new = moved.get(old)
        if new:
            new_shot, new_model, new_take = parts(new)
            has_take = "#" in new or "#" in old
            return _join(new_shot, new_model or model, new_take if has_take else take)
    return slot


def parts(slot: str) -> tuple[str, str | None, int]:
    """Return shot name, model and take of a slot's written form; take 1 where it names none.

    ValueError for text that is not a slot.
    """
    match = _SLOT.fullmatch(slot)
    if not match:
        raise ValueError(f"`{slot}` is not a slot such as `2a#3`")
    return match["shot"], match["model"], int(match["take"] or 1)


def written(slot: str | Slot) -> str:
    """Return a slot as `picks.yaml` names it: with its take, also the first.

    A `Slot` may come from another tool's entry, with any text as its model, so it is never parsed.
    """
    if isinstance(slot, Slot):
        return _join(slot.shot_name, slot.model, slot.take)
    return _join(*parts(slot))


def _join(shot: str, model: str | None, take: int | None) -> str:
    return shot + (f"@{model}" if model else "") + (f"#{take}" if take else "")


# --- text to decisions ---------------------------------------------------------------------------------


def parse(text: str, file: str, *, moved: Mapping[str, str] | None = None) -> Picks:
    """Return the decisions that `text` holds; empty text holds none.  `file` is its name in messages.

    Raises `Invalid` with every line that is not a decision, and for conflict markers that git has left.
    """
    node = line_file.compose(text.removeprefix("\ufeff"), file, "picks")
    if node is None:
        return Picks((), moved or {})
    problems = Problems()
    if not isinstance(node, yaml.SequenceNode):
        message = "picks are a list, one line for each: `- {slot: 2a#2, decision: pick}`"
        problems.error(line_file.place(node, file), message, code="picks")
        problems.raise_if_errors()
    lines = line_file.entries(
        cast(yaml.SequenceNode, node).value,
        file,
        problems,
        known=_KEYS,
        example="- {slot: 2a#2, decision: pick}",
        code="picks",
    )
    found = [_decision(entry, file, problems) for entry in lines]
    problems.raise_if_errors()
    return Picks(tuple(d for d in found if d), moved or {}, tuple(problems.warnings))


def _decision(entry: Entry, file: str, problems: Problems) -> Decision | None:
    before = len(problems.found)
    for key, node in entry.values.items():
        problem = _wrong(key, str(node.value))
        if problem:
            problems.error(line_file.place(node, file), problem, code="picks")
    slot = entry.text("slot")
    if slot is None:
        problems.error(entry.where, "a decision names its `slot`", code="picks")
    if slot is None or len(problems.found) > before:
        return None
    star = entry.text("star")
    return Decision(
        slot=written(slot),
        choice=cast("Choice | None", entry.text("decision")),
        note=entry.text("note"),
        star=None if star is None else star == "true",
        time=entry.text("time") or "",
        author=entry.text("author") or "",
        extra=entry.extra,
    )


def _wrong(key: str, value: str) -> str:
    if key == "slot":
        try:
            parts(value)
        except ValueError as error:
            return str(error)
    if key == "decision" and value not in CHOICES:
        return f"`decision` is pick, reject or none, found `{value}`"
    if key == "star" and value not in ("true", "false"):
        return f"`star` is true or false, found `{value}`"
    return ""


# --- decisions to text ---------------------------------------------------------------------------------


def dump(decisions: Iterable[Decision]) -> str:
    """Return decisions as the text of a whole file, ordered by time, then by slot; each line once."""
    unique = dict.fromkeys(decisions)
    ordered = sorted(unique, key=lambda d: (sortable(d.time), natural(d.slot)))
    return HEAD + "".join(map(line, ordered))


def append(text: str, new: Iterable[Decision], now: datetime) -> str:
    """Return the file's text with new lines behind those there are, which stay as they are, to the byte.

    Lines without a time get `now`, or a moment after the newest line where that is later.
    """
    lines = list(new)
    there = parse(text.removeprefix("\ufeff"), "picks.yaml").decisions
    newest = max((sortable(d.time) for d in there), default="")
    times = line_file.times((d.time for d in lines), newest, now)
    written_down = (
        line(replace(decision, slot=written(decision.slot), time=time))
        for decision, time in zip(lines, times, strict=True)
    )
    return line_file.extended(text, HEAD, written_down)


def line(decision: Decision) -> str:
    """Return one decision as its line, newline included; the same bytes for the same decision."""
    fields = [("slot", quoted(decision.slot))]
    if decision.choice is not None:
        fields.append(("decision", decision.choice))
    if decision.note is not None:
        fields.append(("note", quoted(decision.note)))
    if decision.star is not None:
        fields.append(("star", "true" if decision.star else "false"))
    if decision.time:
        fields.append(("time", quoted(decision.time)))
    if decision.author:
        fields.append(("author", quoted(decision.author)))
    return line_file.line([*fields, *decision.extra])
