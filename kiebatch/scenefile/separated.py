"""Reads the rows of a list that a spreadsheet saved, with commas, semicolons or tabs between the cells."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

from kiebatch.errors import Invalid, Problem, Where

_DELIMITERS = ("\t", ";", ",")


class Row(NamedTuple):
    """The cells of one row, and the line at which it begins, from 1: a cell may have several lines."""

    line: int
    cells: list[str]


def rows(text: str, file: str, what: str = "a list") -> list[Row]:
    """Return the rows.  `Invalid` at its line where a cell is too long, or the text is not `what` it should be."""
    text = text.removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]))
    found: list[Row] = []
    begun = 1
    try:
        for cells in reader:
            found.append(Row(begun, cells))
            begun = reader.line_num + 1
    except csv.Error as error:
        message = f"this is not {what}: {error}"
        raise Invalid([Problem(where=Where(file, begun), message=message)]) from None
    return found


def cells(line: str) -> list[str]:
    """Return the cells of one line; nothing where it has a cell that is too long."""
    try:
        return next(csv.reader([line], delimiter=_delimiter(line)), [])
    except csv.Error:
        return []


def _delimiter(head: str) -> str:
    """Return what separates the cells of the first row: tabs, the `;` of Excel in much of Europe, or commas."""
    outside = "".join(head.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)
