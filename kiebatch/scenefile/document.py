"""Turns YAML text into a Document; refuses duplicate keys and YAML 1.1 surprises.

Scalars are those of YAML 1.2, but a number with a leading zero stays text: `16:9`, `no`, `on`, `010` and
`2026-03-01` are what they look like.  Aliases and merge keys work within a bound.
"""

from __future__ import annotations

import re

import yaml

from kiebatch import formats
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import Document
from kiebatch.scenefile import limits
from kiebatch.scenefile.yaml_places import KeyPlaces, Marks, Places
from kiebatch.scenefile.yaml_values import Lines, Values


def read(text: str, file: str, *, line_offset: int = 0, column_offset: int = 0) -> Document:
    """Return the values of a YAML text with their places.

    `line_offset` shifts places for YAML inside another file.  Raises `Invalid` with every
    duplicate key, or with the one syntax error, at its place.
    """

    text = text.removeprefix("\ufeff")
    marks = Marks(file, line_offset, column_offset)
    lines = Lines(text) if " #" in text or "\t#" in text else None
    try:
        _refuse_many_scenes(text, file)
        loader = formats.yaml_loader()(text)
        try:
            values = Values(loader, marks, lines)
            found = values.document()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise Invalid([_syntax_problem(text, error, marks)]) from None
    except yaml.YAMLError as error:
        raise Invalid([_character_problem(text, error, file, line_offset)]) from None
    values.problems.raise_if_errors()
    if found is None:
        return Document(value=None, places={}, file=file)
    value, mark, box = found
    return Document(
        value=value,
        places=Places(marks, mark, box),
        keys=KeyPlaces(marks, mark, box),
        file=file,
        cuts=values.cuts,
    )


def _refuse_many_scenes(text: str, file: str) -> None:
    """Raise `Invalid` before a list of far too many scenes is parsed, which would take half a minute."""
    found = re.search(r"(?m)^scenes:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", text)
    if found and len(text) > 2 * limits.MAX_SCENES:
        entries = re.compile(rf"(?m)^{found[1]}- ").finditer(text, found.start())
        where = Where(file, text.count("\n", 0, found.start()) + 1, 1)
        limits.refuse_long_list(sum(1 for _ in entries), where)


def _syntax_problem(text: str, error: yaml.MarkedYAMLError, marks: Marks) -> Problem:
    """Return what is wrong with a text that is not YAML, in our words where the slip is a known one."""
    from kiebatch.scenefile import slips  # for text that is not YAML alone

    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(where=Where(marks.file), message=f"not valid YAML: {error.problem}", code="yaml")
    begun = error.context_mark
    trouble = slips.Trouble(
        text.split("\n"),
        mark.line,
        mark.column,
        str(error.problem or ""),
        (begun.line, begun.column) if begun else None,
    )
    slip = slips.find(trouble)
    if slip is None:
        return Problem(where=marks.at(mark), message=f"not valid YAML: {error.problem}", code="yaml")
    return Problem(where=marks.at(slip), message=slip.message, hint=slip.hint, code="yaml")


def _character_problem(text: str, error: yaml.YAMLError, file: str, line_offset: int) -> Problem:
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return Problem(
            where=Where(file), message=f"not valid YAML: {str(error).splitlines()[0]}", code="yaml"
        )
    before = text[:position]
    where = Where(file, before.count("\n") + 1 + line_offset, position - before.rfind("\n"))
    return Problem(
        where=where,
        message=f"there is a control character (U+{ord(text[position]):04X}) in the text",
        hint="delete it; it may be invisible in your editor",
        code="yaml",
    )
