"""Edits the text of a YAML file in place, key by key and entry by entry: comments, quotes and blank lines stay.

Each function returns the whole text; `read` is the document that it was read as.  Where a change would touch something
else (a list in one line, an anchor that others use), `Invalid` names the place.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Document, Path, as_list, under

BY_HAND = "change it by hand, then do this again"
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


# --- entries of a list ---------------------------------------------------------------------------------


def reordered(text: str, read: Document, path: Path, order: Sequence[int]) -> str:
    """Return the text with the entries of the list at `path` in another order: old positions in their new order."""
    items = [Entry.at(text, read, (*path, n)) for n in range(len(order))]
    lines = lines_of(text)
    starts = [_lead(lines, item) for item in items]
    ends = [*starts[1:], _end(lines, items[-1])]
    cores: list[str] = []
    tails: list[str] = []
    for start, end in zip(starts, ends, strict=True):
        kept = end
        while kept > start + 1 and not lines[kept - 1].strip():
            kept -= 1
        cores.append("".join(lines[start:kept]))
        tails.append("".join(lines[kept:end]))
    whole = ""
    for place, n in enumerate(order):
        core = cores[n] if _BREAK.search(cores[n][-1:]) else cores[n] + "\n"
        whole += core + tails[place]
    return "".join(lines[: starts[0]]) + whole + "".join(lines[ends[-1] :])


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list in block style: the line of its dash, counted from 0, and the dash's column."""

    line: int
    column: int

    @classmethod
    def at(cls, text: str, read: Document, path: Path) -> Entry:
        place = read.places[path]
        before = text[: offset(line_starts(text), place)].rpartition("\n")[2]
        dash = re.search(r"-[ \t]+(?:[&!]\S+[ \t]+)*$", before)
        if dash is None:
            raise refused(place, "this list is not written with one dash per line")
        if before[: dash.start()].strip():
            raise refused(place, "this entry does not begin its line")
        return cls(place.line - 1, dash.start())


def _lead(lines: Sequence[str], item: Entry) -> int:
    """Return the first line of an entry: its dash's, or that of the comments right above, as far in as the dash."""
    start = item.line
    while start and re.match(rf" {{{item.column}}}#", lines[start - 1]):
        start -= 1
    return start


def _end(lines: Sequence[str], last: Entry) -> int:
    """Return the line behind a list: the first that is further out than what belongs to its last entry."""
    end = last.line + 1
    for number in range(last.line + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            continue
        if len(line) - len(line.lstrip(" ")) <= last.column:
            break
        end = number + 1
    return end


def inserted(text: str, read: Document, path: Path, index: int, value: JSON) -> str:
    """Return the text with one more entry in the list at `path`, before the one that is at `index` now."""
    entries = [Entry.at(text, read, (*path, n)) for n in range(_count(read, path))]
    if not entries:
        raise refused(read.where(path), "this list is empty")
    lines = lines_of(text)
    column = entries[0].column
    at = _lead(lines, entries[index]) if index < len(entries) else _end(lines, entries[-1])
    from kiebatch.scenefile import convert  # brings the reader of Markdown along

    new = convert.entry(value, column)
    if at and not _BREAK.search(lines[at - 1][-1:]):
        lines[at - 1] += "\n"
    gap = "\n" if _has_gaps(lines, entries) else ""
    block = new + gap if index < len(entries) else gap + new
    return "".join(lines[:at]) + block + "".join(lines[at:])


def _has_gaps(lines: Sequence[str], entries: Sequence[Entry]) -> bool:
    """Whether blank lines stand between the entries of a list."""
    leads = [_lead(lines, entry) for entry in entries[1:]]
    return bool(leads) and all(not lines[lead - 1].strip() for lead in leads)


def _count(read: Document, path: Path) -> int:
    value = read.value
    for step in path:
        value = as_list(value)[step] if isinstance(step, int) else under(value, step)
    return len(as_list(value))


# --- keys of a mapping ---------------------------------------------------------------------------------


def with_key(text: str, read: Document, path: Path, key: str, value: JSON, order: Sequence[str]) -> str:
    """Return the text with a key of the mapping at `path` set; a new one goes behind those that precede it in `order`."""
    lines = lines_of(text)
    mapping = _block_mapping(text, read, path)
    known = read.keys.get((*path, key))
    if known is not None:
        first, last = _span(lines, known)
        block = _indented(key, value, known.column - 1)
        # The first key of an entry follows its dash.
        block = lines[first][: known.column - 1] + block[known.column - 1 :]
        return "".join(lines[:first]) + block + "".join(lines[last:])
    before = [k for k in order[: order.index(key)] if (*path, k) in read.keys] if key in order else []
    anchor = read.keys[(*path, before[-1])] if before else _last_key(read, path)
    _, last = _span(lines, anchor)
    if not _BREAK.search(lines[last - 1][-1:]):
        lines[last - 1] += "\n"
    return "".join(lines[:last]) + _indented(key, value, mapping.column - 1) + "".join(lines[last:])


def without_key(text: str, read: Document, path: Path, key: str) -> str:
    """Return the text without a key of the mapping at `path`; the first key of an entry cannot go."""
    lines = lines_of(text)
    _block_mapping(text, read, path)
    place = read.keys[(*path, key)]
    first, last = _span(lines, place)
    if lines[first][: place.column - 1].strip():
        raise refused(place, "this key begins its entry")
    return "".join(lines[:first]) + "".join(lines[last:])


def _block_mapping(text: str, read: Document, path: Path) -> Where:
    place = read.places[path]
    at = offset(line_starts(text), place)
    if text[at : at + 1] in "{&*!":
        raise refused(place, "this entry is written on one line, or has an anchor")
    return place


def _last_key(read: Document, path: Path) -> Where:
    inside = [place for known, place in read.keys.items() if known[:-1] == path]
    return max(inside, key=lambda place: place.line)


def _span(lines: Sequence[str], key: Where) -> tuple[int, int]:
    """Return the lines of a key and its value: from its own to the first that is not further in."""
    first = key.line - 1
    last = first + 1
    for number in range(first + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            continue
        if len(line) - len(line.lstrip(" ")) < key.column:
            break
        last = number + 1
    return first, last


def _indented(key: str, value: JSON, column: int) -> str:
    from kiebatch.scenefile import convert

    return textwrap.indent(convert.fragment({key: value}), " " * column)


# --- text ----------------------------------------------------------------------------------------------


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each with its end."""
    starts = line_starts(text)
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True) if a < b]


def line_starts(text: str) -> list[int]:
    """Return where each line begins."""
    return [0, *(found.end() for found in _BREAK.finditer(text))]


def offset(starts: Sequence[int], place: Where) -> int:
    """Return where a place is in the text, given the starts of its lines."""
    return starts[place.line - 1] + place.column - 1


def refused(place: Where, why: str) -> Invalid:
    """Return the error of a change that would touch something else."""
    return Invalid([Problem(where=place, message=why, hint=BY_HAND)])
