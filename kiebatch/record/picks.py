"""The decisions in `picks.yaml`: read, newest wins, one line per decision.

A file holds one flow mapping per line, so that git's `merge=union` joins two branches without a conflict:

    - {slot: "2a#2", decision: pick, note: "the look back", time: "2026-03-01T10:00:00.000Z", author: "Ann"}

A line says one or more of `decision` (`pick`, `reject`, or `none`, which takes either back), `note` and `star`; each
of these counts until a newer line of that take says otherwise.  Lines may stand in any order and twice.  A shot has
one pick: picking another take, or another model's, moves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal, cast

import yaml

from kiebatch.errors import Invalid, Problem, Problems, Where
from kiebatch.model import Slot, natural

Choice = Literal["pick", "reject", "none"]
CHOICES = ("pick", "reject", "none")
HEAD = "# What was chosen, one line per decision; the newest wins. Written by `kiebatch pick` and `kiebatch review`.\n"
MAX_NOTE = 4000  # characters

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
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
    """All decisions of a project, in the order in which they stand in the file.

    `moved` maps the old names of shots to their new ones, as the scene file's `moved:` does.
    """

    decisions: tuple[Decision, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)

    def take(self, shot_name: str) -> int | None:
        """Return the picked take of a shot such as `2a`, whatever its model; None where nobody has picked."""
        picked = self.picked(shot_name)
        return parts(picked)[2] if picked else None

    def picked(self, shot_name: str) -> str | None:
        """Return the picked take of a shot in its written form with model and take: `2b@kling-3.0/video#2`."""
        return self._now[0].get(shot_name)

    def decision(self, slot: str | Slot) -> Standing:
        """Return what counts for one take: `2a#2`, or `2a` for take 1."""
        return self._now[1].get(written(str(slot)), UNDECIDED)

    @cached_property
    def _now(self) -> tuple[dict[str, str], dict[str, Standing]]:
        picked: dict[str, str] = {}
        standing: dict[str, Standing] = {}
        for line in sorted(self.decisions, key=lambda d: _when(d.time)):
            slot = self._renamed(line.slot)
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

    def _renamed(self, slot: str) -> str:
        shot, model, take = parts(slot)
        for old in (slot, _join(shot, model, None), _join(shot, None, take), shot):
            new = self.moved.get(old)
            if new:
                new_shot, new_model, new_take = parts(new)
                has_take = "#" in new or "#" in old
                return _join(new_shot, new_model or model, new_take if has_take else take)
        return slot


def parts(slot: str) -> tuple[str, str | None, int]:
    """Return shot name, model and take of a slot's written form; take 1 where it names none.

    ValueError for what is no slot.
    """
    match = _SLOT.fullmatch(slot)
    if not match:
        raise ValueError(f"`{slot}` is no slot such as `2a#3`")
    return match["shot"], match["model"], int(match["take"] or 1)


def written(slot: str | Slot) -> str:
    """Return a slot as `picks.yaml` names it: with its take, also the first."""
    return _join(*parts(str(slot)))


def _join(shot: str, model: str | None, take: int | None) -> str:
    return shot + (f"@{model}" if model else "") + (f"#{take}" if take else "")


# --- text to decisions ---------------------------------------------------------------------------------


def parse(text: str, file: str, *, moved: Mapping[str, str] | None = None) -> Picks:
    """Return the decisions that `text` holds; empty text holds none.  `file` is its name in messages.

    Raises `Invalid` with every line that is no decision, and for conflict markers that git has left.
    """
    text = text.removeprefix("\ufeff")
    marker = re.search(r"^(<{7}|={7}|>{7})( |$)", text, re.MULTILINE)
    if marker:
        where = Where(file, text.count("\n", 0, marker.start()) + 1)
        hint = "delete the marker lines and keep both sides; `kiebatch git install` spares you the next time"
        raise Invalid(
            [Problem(where=where, message="git left conflict markers here", hint=hint, code="picks")]
        )
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
        raise Invalid(
            [Problem(where=where, message=f"this is no YAML: {error.problem}", code="picks")]
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise Invalid([Problem(where=Where(file), message="this is no YAML text", code="picks")]) from None
    if node is None:
        return Picks((), moved or {})
    problems = Problems()
    if not isinstance(node, yaml.SequenceNode):
        problems.error(
            _at(node, file), "picks are a list, one line for each: `- {slot: 2a#2, decision: pick}`"
        )
        problems.raise_if_errors()
    found = [_decision(entry, file, problems) for entry in cast(yaml.SequenceNode, node).value]
    problems.raise_if_errors()
    return Picks(tuple(d for d in found if d), moved or {})


def _at(node: yaml.Node, file: str) -> Where:
    return Where(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _decision(entry: yaml.Node, file: str, problems: Problems) -> Decision | None:
    if not isinstance(entry, yaml.MappingNode):
        problems.error(_at(entry, file), "a decision looks like `{slot: 2a#2, decision: pick}`", code="picks")
        return None
    before = len(problems.found)
    values: dict[str, str] = {}
    for key, value in entry.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            problems.error(_at(value, file), "expected a plain text or number here", code="picks")
        elif key.value not in _KEYS:
            problems.error(
                _at(key, file),
                f"unknown key `{key.value}`",
                hint=f"the keys are {', '.join(_KEYS)}",
                code="picks",
            )
        elif key.value in values:
            problems.error(_at(key, file), f"the key `{key.value}` stands here twice", code="picks")
        else:
            values[key.value] = value.value
            problem = _wrong(key.value, value.value)
            if problem:
                problems.error(_at(value, file), problem, code="picks")
    if "slot" not in values and len(problems.found) == before:
        problems.error(_at(entry, file), "a decision names its `slot`", code="picks")
    if len(problems.found) > before:
        return None
    star = values.get("star")
    return Decision(
        slot=written(values["slot"]),
        choice=cast("Choice | None", values.get("decision")),
        note=values.get("note"),
        star=None if star is None else star == "true",
        time=values.get("time", ""),
        author=values.get("author", ""),
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
    ordered = sorted(unique, key=lambda d: (_when(d.time), natural(d.slot)))
    return HEAD + "".join(map(line, ordered))


def append(text: str, new: Iterable[Decision], now: datetime) -> str:
    """Return the file's text with new lines behind those there are, which stay as they are, to the byte.

    Lines without a time get `now`; where that is not after the newest line (another machine's clock runs ahead),
    they get the moment after that: who decides later has read what stood there.
    """
    head = text.removeprefix("\ufeff")
    newest = max((_when(d.time) for d in parse(head, "picks.yaml").decisions), default="")
    lines = []
    for decision in new:
        time = decision.time
        if not time:
            time = _text(now)
            if time <= newest:
                time = _after(newest)
            newest = time
        lines.append(line(replace(decision, slot=written(decision.slot), time=time)))
    if not head.strip():
        head = HEAD
    elif not head.endswith("\n"):
        head += "\n"
    return head + "".join(lines)


def line(decision: Decision) -> str:
    """Return one decision as its line, newline included; the same bytes for the same decision."""
    fields = [f"slot: {_quoted(decision.slot)}"]
    if decision.choice is not None:
        fields.append(f"decision: {decision.choice}")
    if decision.note is not None:
        fields.append(f"note: {_quoted(decision.note)}")
    if decision.star is not None:
        fields.append(f"star: {'true' if decision.star else 'false'}")
    if decision.time:
        fields.append(f"time: {_quoted(decision.time)}")
    if decision.author:
        fields.append(f"author: {_quoted(decision.author)}")
    return "- {" + ", ".join(fields) + "}\n"


def _quoted(text: str) -> str:
    """JSON's quotes are YAML's, but YAML wants more of the invisible characters escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() if ord(c) > 0xFF else f"\\u{ord(c):04x}"
        for c in json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _when(time: str) -> str:
    """Return a time as we write it, so that times order as texts; what is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return time
    return _text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _after(time: str) -> str:
    try:
        return _text(datetime.fromisoformat(time) + timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return time + "~"  # not a time we can read: still later than it in the order of texts
