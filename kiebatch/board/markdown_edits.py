"""Changes one value in a Markdown scene file, and leaves every other character of it alone.

Markdown says one thing in many shapes, and only the reader knows them all.  So each function here names the value that
the file must have afterwards, and `candidates` tries one shape after another; whoever calls keeps the first text that
reads back as exactly that value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kiebatch.board import edits
from kiebatch.errors import Where
from kiebatch.model import JSON, Document, Slot, under
from kiebatch.scenefile import convert

_BULLET = re.compile(r"^(?P<indent>\s*)(?P<mark>[-*+]|\d+[.)])(?P<gap>\s+)(?P<rest>.*)$")
_KEY = re.compile(r"^(?P<key>\s*(?:[-*+]\s+)?(?:\*\*[^*]+\*\*\s*[:：]|\*\*[^*]+[:：]\*\*|[^:：|>`]+[:：]))")
_QUOTE = re.compile(r"^(?P<indent>[ \t]*)>")
_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A change: the value that the whole film must have afterwards, and where its parts are now.

    `where` is the place of the value that is replaced, or of the shot that gets one; `at` are the lines of that shot's
    other values in that file, from 1.  `text` is the new value, `key` the label of a new line, empty to replace.
    """

    value: JSON
    where: Where
    at: tuple[int, ...] = ()
    text: str
    key: str = ""


# --- what is wanted ------------------------------------------------------------------------------------


def prompt_edit(document: Document, slot: Slot, prompt: str) -> Wanted:
    """Return the change of a shot's prompt; `Invalid` where it has none of its own."""
    path = edits.prompt_path(document.value, slot.scene, slot.shot)
    return Wanted(
        value=edits.with_value(document.value, path, prompt), where=document.where(path), text=prompt
    )


def take_edit(document: Document, slot: Slot, takes: int, prompt: str = "") -> Wanted:
    """Return the change that gives a shot of `takes` takes one more, perhaps with words of its own."""
    path = edits.shot_path(document.value, slot.scene, slot.shot)
    shot = edits.value_at(document.value, path)
    here = document.where(path)
    inner = [p for p in document.places if p[: len(path)] == path and len(p) == len(path) + 1]
    lines = {document.where(p, key=True).line for p in inner if document.where(p).file == here.file}
    raw = under(shot, "takes")
    value = edits.with_value(document.value, (*path, "takes"), edits.more_takes(raw, takes, prompt))
    at = tuple(sorted(lines - {here.line}, reverse=True))
    if prompt:
        return Wanted(value=value, where=here, at=at, text=prompt, key=f"Take {takes + 1} prompt")
    if isinstance(raw, int):
        return Wanted(value=value, where=document.where((*path, "takes")), text=str(takes + 1))
    return Wanted(value=value, where=here, at=at, text=str(takes + 1), key="Takes")


# --- texts that may have it ----------------------------------------------------------------------------


def candidates(text: str, wanted: Wanted) -> Iterator[str]:
    """Return the file's text with the change, in one shape after another; line ends stay as they are."""
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(ending)
    made = _inserted(lines, wanted) if wanted.key else _replaced(lines, wanted)
    for changed in made:
        yield ending.join(changed)


def _replaced(lines: list[str], wanted: Wanted) -> Iterator[list[str]]:
    row = min(max(wanted.where.line - 1, 0), len(lines) - 1)
    fence = _fence_above(lines, row)
    if fence is not None:
        yield from _in_fence(lines, fence, wanted.text)
    elif _QUOTE.match(lines[row]):
        yield from _in_quote(lines, row, wanted.text)
    elif len(_CELL.findall(lines[row])) > 1:
        yield from _in_row(lines, row, wanted.text)
    else:
        yield from _in_field(lines, row, wanted.where.column - 1, wanted.text)


def _fence_above(lines: Sequence[str], row: int) -> int | None:
    """Return the line of the fence that a place is in: that line itself, or the one above it."""
    return next((r for r in (row, row - 1) if r >= 0 and _FENCE.match(lines[r])), None)


def _in_fence(lines: list[str], first: int, text: str) -> Iterator[list[str]]:
    opening = _FENCE.match(lines[first])
    if opening is None:
        return
    indent, ticks = opening["indent"], opening["ticks"]
    closing = re.compile(rf"^\s*{re.escape(ticks[0])}{{{len(ticks)},}}\s*$")
    last = next((r for r in range(first + 1, len(lines)) if closing.match(lines[r])), len(lines))
    runs = re.findall(rf"{re.escape(ticks[0])}+", text)
    fence = ticks[0] * max(len(ticks), *(len(run) + 1 for run in runs), 3)
    body = _indented(text, indent)
    end = [line.replace(ticks, fence, 1) for line in lines[last : last + 1]]
    yield [*lines[:first], f"{indent}{fence}{opening['info']}", *body, *end, *lines[last + 1 :]]


def _in_quote(lines: list[str], row: int, text: str) -> Iterator[list[str]]:
    match = _QUOTE.match(lines[row])
    indent = match["indent"] if match else ""
    last = row
    while last + 1 < len(lines) and _QUOTE.match(lines[last + 1]):
        last += 1
    for block in dict.fromkeys((convert.prompt_block(text), convert.prompt_fence(text))):
        yield [*lines[:row], *_indented(block, indent), *lines[last + 1 :]]


def _in_row(lines: list[str], row: int, text: str) -> Iterator[list[str]]:
    """Try every cell of a table's row: only the right one gives the value that is wanted."""
    cell = convert.field_text(text)
    if cell is None:
        return
    line = lines[row]
    signs = [m.start() for m in _CELL.finditer(line)]
    bounds = [-1, *signs] if not line.lstrip().startswith("|") else signs
    for start, end in zip(bounds, [*bounds[1:], len(line)], strict=True):
        if start >= end or not line[start + 1 : end].strip():
            continue
        yield [*lines[:row], f"{line[: start + 1]} {cell} {line[end:]}".rstrip(), *lines[row + 1 :]]


def _in_field(lines: list[str], row: int, column: int, text: str) -> Iterator[list[str]]:
    """Replace what is behind `- **Key**: `, with the lines that go on below it."""
    line = lines[row]
    bullet = _BULLET.match(line)
    if bullet:
        last = _end_of_item(lines, row, len(bullet["indent"]))
        inner = " " * len(bullet["indent"] + bullet["mark"] + bullet["gap"])
    else:
        last = _end_of_paragraph(lines, row)
        inner = line[: _indent(line)]
    for start in _starts(line, column):
        head = line[:start].rstrip()
        for value in _field_values(text, line[start:].strip()):
            yield [*lines[:row], f"{head} {value}", *lines[last:]]
        fence = _indented(convert.prompt_fence(text), inner)
        yield [*lines[:row], head, "", *fence, *lines[last:]]


def _starts(line: str, column: int) -> list[int]:
    """Return where a value may begin in a line: where it was found, or behind the line's key."""
    key = _KEY.match(line)
    starts = [column, key.end()] if key else [column]
    return [start for start in dict.fromkeys(starts) if 0 < start <= len(line)]


def _indented(text: str, indent: str) -> list[str]:
    """Return the lines of a text behind an indentation; empty ones stay empty."""
    return [indent + line if line else "" for line in text.split("\n")]


def _field_values(text: str, old: str) -> Iterator[str]:
    """Return a text as it can be behind a key: in the quotes that were there, else bare, else in other quotes."""
    plain = convert.field_text(text)
    if plain is None:
        return
    closing = {'"': '"', "“": "”", "«": "»", "„": "“", "「": "」"}.get(old[:1])
    if closing and old.endswith(closing) and closing not in text and old[0] not in text:
        yield f"{old[0]}{plain}{closing}"
    yield plain


def _inserted(lines: list[str], wanted: Wanted) -> Iterator[list[str]]:
    """Add a line for a new key: beside another field of the shot, else below its words, else below its heading."""
    value = convert.field_text(wanted.text)
    if value is None:
        new_block = [f"**{wanted.key}**:", "", *convert.prompt_fence(wanted.text).split("\n")]
    else:
        new_block = [f"- **{wanted.key}**: {value}"]
        yield from _beside(lines, wanted, value)
    ends = [_end_of_block(lines, number - 1) for number in wanted.at]
    for end in dict.fromkeys([*ends, wanted.where.line]):
        after = [""] if end < len(lines) and lines[end].strip() else []
        yield [*lines[:end], "", *new_block, *after, *lines[end:]]


def _beside(lines: list[str], wanted: Wanted, value: str) -> Iterator[list[str]]:
    """Add a key below another one of a list, written as that one is."""
    for number in wanted.at:
        row = min(number - 1, len(lines) - 1)
        bullet = _BULLET.match(lines[row])
        if bullet is None:
            continue
        is_bold = "**" in bullet["rest"].partition(":")[0]
        key = f"**{wanted.key}**" if is_bold else wanted.key
        mark = "-" if bullet["mark"][:1].isdecimal() else bullet["mark"]
        new = f"{bullet['indent']}{mark}{bullet['gap']}{key}: {value}"
        end = _end_of_item(lines, row, len(bullet["indent"]))
        yield [*lines[:end], new, *lines[end:]]


def _end_of_item(lines: Sequence[str], row: int, indent: int) -> int:
    """Return the line behind a list's item: its continuation lines are indented more than its bullet."""
    end = row + 1
    while end < len(lines) and lines[end].strip() and _indent(lines[end]) > indent:
        end += 1
    return end


def _end_of_paragraph(lines: Sequence[str], row: int) -> int:
    """Return the line behind a value of `Key: value` lines: the next one with a key of its own, or an empty one."""
    end = row + 1
    while end < len(lines) and lines[end].strip() and not _KEY.match(lines[end]):
        end += 1
    return end


def _end_of_block(lines: Sequence[str], row: int) -> int:
    """Return the line behind a quote, a fence or a paragraph."""
    fence = _fence_above(lines, row)
    if fence is not None:
        closing = (r for r in range(fence + 1, len(lines)) if _FENCE.match(lines[r]))
        return next(closing, len(lines) - 1) + 1
    end = row + 1
    while end < len(lines) and lines[end].strip():
        end += 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
