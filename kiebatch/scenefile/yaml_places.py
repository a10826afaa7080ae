"""Where the values and keys of a YAML text stand, in a few bytes each: a long film has a million of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from kiebatch._dataclass import dataclass
from kiebatch.errors import Where
from kiebatch.model import Path

_COLUMN = 32  # bits of a mark below its line


class Place(Protocol):
    """A place as the parser says it, both from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


def mark_at(place: Place) -> int:
    """Return a place as one number: its line above its column."""
    return place.line << _COLUMN | place.column


@dataclass(slots=True)
class Box:
    """The marks of what is in one mapping or list.

    The marks of its values lie one behind the other from `first` on, and those of a mapping's keys behind them.
    `numbers` counts the keys; mappings with the same keys share it, and a list has none.  `boxes` has those of the
    values that are mappings or lists themselves; it is empty where no value is.
    """

    first: int
    size: int
    numbers: Mapping[str, int] | None
    boxes: Sequence[Box | None]

    def number(self, step: str | int) -> int | None:
        """Return which of the values a key or an index means."""
        if self.numbers is not None:
            return self.numbers.get(step) if isinstance(step, str) else None
        return step if isinstance(step, int) and 0 <= step < self.size else None

    def within(self, number: int) -> Box | None:
        """Return the box of one of the values, where it is a mapping or a list."""
        return self.boxes[number] if self.boxes else None

    def steps(self) -> Sequence[str | int]:
        """Return the keys of a mapping, or the indexes of a list."""
        return range(self.size) if self.numbers is None else tuple(self.numbers)


class Marks:
    """All marks of one text, and what they mean in its file; the offsets are those of a text inside another file."""

    def __init__(self, file: str, line_offset: int = 0, column_offset: int = 0) -> None:
        self.file = file
        self._line = 1 + line_offset
        self._column = 1 + column_offset
        self._marks = array("Q")
        self._known: dict[tuple[str, ...], Mapping[str, int]] = {}

    def where(self, mark: int) -> Where:
        """Return what a mark means."""
        line, column = mark >> _COLUMN, mark & ((1 << _COLUMN) - 1)
        return Where(self.file, line + self._line, column + self._column)

    def at(self, place: Place) -> Where:
        return self.where(mark_at(place))

    def of_value(self, box: Box, number: int) -> int:
        return self._marks[box.first + number]

    def of_key(self, box: Box, number: int) -> int:
        return self._marks[box.first + box.size + number]

    def of_list(self, marks: Sequence[int], boxes: Sequence[Box | None]) -> Box:
        """Keep the marks of a list's values."""
        first = len(self._marks)
        self._marks.extend(marks)
        return Box(first, len(marks), None, boxes if any(boxes) else ())

    def of_mapping(
        self, names: tuple[str, ...], marks: Sequence[int], keys: Sequence[int], boxes: Sequence[Box | None]
    ) -> Box:
        """Keep the marks of a mapping's values and keys."""
        first = len(self._marks)
        self._marks.extend(marks)
        self._marks.extend(keys)
        numbers = self._known.get(names)
        if numbers is None:
            numbers = self._known[names] = {name: number for number, name in enumerate(names)}
        return Box(first, len(names), numbers, boxes if any(boxes) else ())

    def rows(self, box: Box | None) -> dict[str, tuple[int, int, Box | None]]:
        """Return the mark of each value of a mapping, that of its key, and the box of the value."""
        if box is None or box.numbers is None:
            return {}
        return {
            name: (self.of_value(box, number), self.of_key(box, number), box.within(number))
            for name, number in box.numbers.items()
        }


class Places(Mapping[Path, Where]):
    """The places of values by their paths, each made when it is asked for."""

    def __init__(self, marks: Marks, mark: int, box: Box | None) -> None:
        """`mark` and `box` are those of the whole."""
        self._marks = marks
        self._mark = mark
        self._box = box
        self._last: tuple[Path, Where] | None = None  # a scene, its shot and its job begin at one place

    def __getitem__(self, path: Path) -> Where:
        if self._last is not None and self._last[0] is path:
            return self._last[1]
        mark = self._mark_of(path)
        if mark is None:
            raise KeyError(path)
        where = self._marks.where(mark)
        self._last = (path, where)
        return where

    def __iter__(self) -> Iterator[Path]:
        yield ()
        yield from _paths(self._box, ())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _mark_of(self, path: Path) -> int | None:
        if not path:
            return self._mark
        box, number = self._found(path)
        return None if box is None else self._marks.of_value(box, number)

    def _found(self, path: Path) -> tuple[Box | None, int]:
        """Return the box that a value lies in, and which of its values it is; no box where it is not there."""
        box, number = self._box, None
        for step in path[:-1]:
            number = box.number(step) if box else None
            box = box.within(number) if box and number is not None else None
        number = box.number(path[-1]) if box else None
        return (None, 0) if number is None else (box, number)


class KeyPlaces(Places):
    """The places of the keys of mappings, by the paths of their values."""

    def __iter__(self) -> Iterator[Path]:
        return (path for path in _paths(self._box, ()) if isinstance(path[-1], str))

    def _mark_of(self, path: Path) -> int | None:
        box, number = self._found(path) if path else (None, 0)
        return None if box is None or box.numbers is None else self._marks.of_key(box, number)


def _paths(box: Box | None, path: Path) -> Iterator[Path]:
    """Yield the paths of all values in a box, each before those within it."""
    if box is None:
        return
    for number, step in enumerate(box.steps()):
        inner = (*path, step)
        yield inner
        yield from _paths(box.within(number), inner)
