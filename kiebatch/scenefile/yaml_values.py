"""Builds the values of a YAML text from the events of its parser, one after the other.

YAML libraries make a tree of nodes first, which takes ten times the memory of the values.  Here only what an anchor
names is kept, as events: an alias goes through them again.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from yaml import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from kiebatch.errors import Invalid, Problem, Problems, Where, shortened
from kiebatch.model import JSON, Path, as_mapping
from kiebatch.scenefile import limits, numbers
from kiebatch.scenefile.yaml_places import Box, Marks, mark_at

MAX_DEPTH = 60
_MAX_REPEATED = 400_000  # values that aliases repeat; an alias bomb has billions
_TAG = "tag:yaml.org,2002:"

Event = Any  # the parser's events have no types of their own
Read = tuple[JSON, int, Box | None]  # a value, its mark, and the marks of what is in it


class Values:
    """Builds values from events and remembers where each stood.

    `cuts` has the plain texts that go on, for a person, behind ` #`.  `lines` are those of the text, None where no value
    can have a comment behind it.
    """

    def __init__(self, loader: Any, marks: Marks, lines: Lines | None) -> None:
        self.marks = marks
        self.problems = Problems()
        self.cuts: dict[Path, Where] = {}
        self._lines = lines
        self._scalars: Mapping[str, Sequence[tuple[str, re.Pattern[str]]]] = loader.yaml_implicit_resolvers
        self._parsed: Iterator[Event] = iter(loader.get_event, None)
        self._events = self._parsed
        self._path: list[str | int] = []
        self._anchors: dict[str, list[Event]] = {}
        self._words: dict[str, str] = {}  # plain texts: thousands of scenes name the same style
        self._repeated = 0  # values that came again through an alias
        self._yields = False  # whether what is built gives way to what its mapping had before

    def document(self) -> Read | None:
        """Return the one document of the text; None where the text is empty."""
        next(self._events)  # the start of the text
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        first = next(self._events)
        found = self._value(first, 0)
        next(self._events)  # the end of the document
        another = next(self._events)
        if not isinstance(another, yaml.StreamEndEvent):
            raise yaml.composer.ComposerError(
                "expected a single document in the stream",
                first.start_mark,
                "but found another document",
                another.start_mark,
            )
        return found

    # -- values

    def _value(self, event: Event, depth: int) -> Read:
        """Return the value that begins with an event."""
        if isinstance(event, AliasEvent):
            return self._once_more(self._named(event), depth)
        if event.anchor is not None and not self._again:
            return self._once_more(self._gathered(event, depth), depth)
        if depth > MAX_DEPTH:
            self._refuse(event, "nested too deeply")
        mark = mark_at(event.start_mark)
        if isinstance(event, ScalarEvent):
            if self._lines is not None and not event.style:
                self._note_comment(self._lines, event)
            return self._scalar(event), mark, None
        self._check_depth(event, depth)
        self._count(event)
        value, box = (
            self._mapping(depth) if isinstance(event, MappingStartEvent) else self._list(event, depth)
        )
        return value, mark, box

    def _list(self, start: Event, depth: int) -> tuple[JSON, Box]:
        found: list[JSON] = []
        marks: list[int] = []
        boxes: list[Box | None] = []
        path = self._path
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            if len(found) == limits.MAX_SCENES:
                self._refuse_list(start, event, depth)
            path.append(len(found))
            value, mark, box = self._value(event, depth + 1)
            path.pop()
            found.append(value)
            marks.append(mark)
            boxes.append(box)
        return found, self.marks.of_list(marks, boxes)

    def _refuse_list(self, start: Event, event: Event, depth: int) -> None:
        """Refuse a list that is too long: count the rest of it, which begins with `event`, without building it."""
        count = limits.MAX_SCENES
        while not isinstance(event, SequenceEndEvent):
            count += 1
            self._gathered(event, depth + 1)
            event = next(self._events)
        limits.refuse_long_list(count, self.marks.at(start.start_mark))

    def _mapping(self, depth: int) -> tuple[JSON, Box]:
        found: dict[str, JSON] = {}
        marks: list[int] = []
        keys: list[int] = []
        boxes: list[Box | None] = []
        merged: list[Read] = []
        path = self._path
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            key_event = self._key(event, depth)
            if key_event is None:
                continue
            if key_event.value == "<<" and not key_event.style:
                merged += self._sources(depth, late=bool(found))
                continue
            key = sys.intern(str(key_event.value))  # thousands of scenes have the same
            if key in found:
                self._refuse_second(key_event, keys[list(found).index(key)], depth)
                continue
            path.append(key)
            value, mark, box = self._value(next(self._events), depth + 1)
            path.pop()
            found[key] = value
            marks.append(mark)
            keys.append(mark_at(key_event.start_mark))
            boxes.append(box)
        inside = self.marks.of_mapping(tuple(found), marks, keys, boxes)
        return self._over(merged, found, inside) if merged else (found, inside)

    def _key(self, event: Event, depth: int) -> Event | None:
        """Return the event of a key; None, with its value passed over, where it is not a text."""
        if isinstance(event, ScalarEvent) and event.anchor is None:
            return event
        first = self._gathered(event, depth + 1)[0]
        if isinstance(first, ScalarEvent):
            return first
        self.problems.error(self.marks.at(first.start_mark), "a key must be a single word or text")
        self._gathered(next(self._events), depth + 1)
        return None

    def _refuse_second(self, event: Event, first: int, depth: int) -> None:
        """Report a key that its mapping has already, and pass over its value."""
        line = self.marks.where(first).line
        self.problems.error(
            self.marks.at(event.start_mark),
            f"the key `{event.value}` is given twice; the first is at line {line}",
            code="duplicate-key",
        )
        self._gathered(next(self._events), depth + 1)

    # -- what aliases repeat

    @property
    def _again(self) -> bool:
        """Whether the events come from an anchor, and were seen before."""
        return self._events is not self._parsed

    def _named(self, alias: Event) -> list[Event]:
        """Return the events of the value that an alias means."""
        known = self._anchors.get(alias.anchor)
        if known is None:
            raise yaml.composer.ComposerError(None, None, "found undefined alias", alias.start_mark)
        return known

    def _gathered(self, event: Event, depth: int) -> list[Event]:
        """Return all events of the value that begins with an event, and note the anchors in it."""
        if isinstance(event, AliasEvent):
            return self._named(event)
        found = [event]
        if event.anchor is not None and not self._again:
            self._note_anchor(event, found)
        if isinstance(event, ScalarEvent):
            return found
        self._check_depth(event, depth)
        event.values = 0
        for inner in self._events:
            if isinstance(inner, (MappingEndEvent, SequenceEndEvent)):
                found.append(inner)
                break
            event.values += 1
            if isinstance(inner, AliasEvent):
                self._named(inner)  # it must be there
                found.append(inner)
            else:
                found += self._gathered(inner, depth + 1)
        return found

    def _note_anchor(self, event: Event, events: list[Event]) -> None:
        first = self._anchors.setdefault(event.anchor, events)
        if first is not events:
            raise yaml.composer.ComposerError(
                "found duplicate anchor; first occurrence",
                first[0].start_mark,
                "second occurrence",
                event.start_mark,
            )

    def _once_more(self, events: Sequence[Event], depth: int) -> Read:
        """Return the value of events that were gathered."""
        outer, self._events = self._events, iter(events)
        found = self._value(next(self._events), depth)
        self._events = outer
        return found

    def _sources(self, depth: int, *, late: bool) -> list[Read]:
        """Return the mappings that `<<: *anchor` takes over, the one that wins last: of several the first wins.

        `late` says that the mapping has keys of its own already, which win in any case.
        """
        events = self._gathered(next(self._events), depth + 1)
        sources = self._items(events) if isinstance(events[0], SequenceStartEvent) else [events]
        before, self._yields = self._yields, late or self._yields
        found: list[Read] = []
        for source in reversed(sources):
            if not isinstance(source[0], MappingStartEvent):
                message = "`<<` takes a mapping, as in `<<: *name`"
                self.problems.error(self.marks.at(events[0].start_mark), message)
                break
            found.append(self._once_more(source, depth + 1))
        self._yields = before
        return found

    def _items(self, events: Sequence[Event]) -> list[list[Event]]:
        """Return the events of each value of a list."""
        outer, self._events = self._events, iter(events[1:-1])
        found = [self._gathered(event, 0) for event in self._events]
        self._events = outer
        return found

    def _over(self, merged: Sequence[Read], own: dict[str, JSON], box: Box) -> tuple[JSON, Box]:
        """Return a mapping's own values over those that it takes over; a mapping is where it is written itself."""
        found: dict[str, JSON] = {}
        rows: dict[str, tuple[int, int, Box | None]] = {}
        for value, inside in (*((value, inside) for value, _, inside in merged), (own, box)):
            found |= as_mapping(value)
            rows |= self.marks.rows(inside)
        marks = [mark for mark, _, _ in rows.values()]
        keys = [key for _, key, _ in rows.values()]
        boxes = [within for _, _, within in rows.values()]
        return found, self.marks.of_mapping(tuple(found), marks, keys, boxes)

    # -- bounds

    def _check_depth(self, event: Event, depth: int) -> None:
        if depth >= MAX_DEPTH and not self._again:
            where = self.marks.at(event.start_mark)
            raise Invalid([Problem(where=where, message=f"nested deeper than {MAX_DEPTH} levels")])

    def _count(self, event: Event) -> None:
        """Refuse what is too large before it is built: an alias bomb of a few lines has billions of values."""
        if not self._again:
            return
        if getattr(event, "was_built", False):
            self._repeated += 1 + event.values
        event.was_built = True
        if self._repeated > _MAX_REPEATED:
            self._refuse(event, "its aliases expand to too many values")

    def _refuse(self, event: Event, what: str) -> None:
        raise Invalid([Problem(where=self.marks.at(event.start_mark), message=f"refused: {what}")])

    # -- scalars

    def _note_comment(self, lines: Lines, event: Event) -> None:
        """Remember a text without quotes that goes on, for a person, behind ` #`."""
        mark = event.end_mark
        comment = re.match(r"[ \t]+#", lines.rest(mark.line, mark.column))
        path = tuple(self._path)
        if comment and not (self._yields and path in self.cuts):
            where = self.marks.at(mark)
            self.cuts[path] = where._replace(column=where.column + comment.end() - 1)

    def _scalar(self, event: Event) -> JSON:
        text: str = event.value
        if event.style:  # in quotes, or a block
            return text
        tag = self._tag(text) if event.tag in (None, "!") else event.tag.removeprefix(_TAG)
        if tag == "str":
            return self._words.setdefault(text, text)
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag == "int":
            return self._number(event, numbers.whole(text, 0 if text[:2] in ("0x", "0o") else 10))
        if tag == "float":
            return self._number(event, numbers.real(text))
        self.problems.error(
            self.marks.at(event.start_mark),
            f"`{event.tag}` is a tag of YAML, and scene files use none",
            hint="a text that begins with `!` needs quotes around it",
            code="yaml",
        )
        return text

    def _tag(self, text: str) -> str:
        """Return what a text without quotes and tag is by its looks."""
        for tag, looks in self._scalars.get(text[:1], ()):
            if looks.match(text):
                return tag.removeprefix(_TAG)
        return "str"

    def _number(self, event: Event, found: float | None) -> JSON:
        if found is None:
            shown = shortened(event.value, 40)
            self.problems.error(
                self.marks.at(event.start_mark),
                f"`{shown}` is not a number that can be used",
                hint="a text that looks like a number needs quotes around it",
                code="bad-number",
            )
        return found


class Lines:
    """The lines of a text, of which only the beginnings are kept: a file may have millions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = array("L", [0])
        self.starts.extend(found.end() for found in re.finditer("\n", text))

    def rest(self, line: int, column: int) -> str:
        """Return what is in a line from a column on, its beginning at least."""
        if line >= len(self.starts):
            return ""
        start = self.starts[line] + column
        return self.text[start : start + 80].partition("\n")[0]
