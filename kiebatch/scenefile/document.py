"""Turns YAML text into a Document; refuses duplicate keys and YAML 1.1 surprises.

Scalars are those of YAML 1.2, but a number with a leading zero stays text: `16:9`, `no`, `on`, `010` and
`2026-03-01` are what they look like.  Aliases and merge keys work within a bound.
"""

from __future__ import annotations

import re
import sys
from array import array
from typing import Any

import yaml

from kiebatch import formats
from kiebatch.errors import Invalid, Problem, Problems, Where
from kiebatch.model import JSON, Document, Path
from kiebatch.scenefile import limits, numbers

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 60
_MAX_REPEATED = 400_000  # values that aliases repeat; an alias bomb has billions
_TAG = "tag:yaml.org,2002:"


def read(text: str, file: str, *, line_offset: int = 0, column_offset: int = 0) -> Document:
    """Return the values of a YAML text with their places.

    `line_offset` shifts places for YAML inside another file.  Raises `Invalid` with every
    duplicate key, or with the one syntax error, at its place.
    """

    def at(mark: Any) -> Where:
        return Where(file, mark.line + 1 + line_offset, mark.column + 1 + column_offset)

    text = text.removeprefix("\ufeff")
    try:
        _refuse_depths(text, file)
        _refuse_many_scenes(text, file)
        loader = formats.yaml_loader()(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise Invalid([_syntax_problem(text, error, at, file)]) from None
    except yaml.YAMLError as error:
        raise Invalid([_character_problem(text, error, file, line_offset)]) from None
    walk = _Walk(at, file, _Lines(text) if " #" in text or "\t#" in text else None)
    value = walk.value(root, (), 0) if root is not None else None
    walk.problems.raise_if_errors()
    return Document(value=value, places=walk.places, keys=walk.keys, file=file, cuts=walk.cuts)


def _refuse_depths(text: str, file: str) -> None:
    """Raise `Invalid` before the C parser, which recurses, sees thousands of levels."""
    indent = max((len(found[0]) for found in re.finditer(r"(?m)^ +", text)), default=0)
    if text.count("[") + text.count("{") + text.count("- -") < _MAX_DEPTH and indent < _MAX_DEPTH:
        return
    level = 0
    for event in yaml.parse(text, Loader=_BASE):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > _MAX_DEPTH:
                mark: Any = event.start_mark
                where = Where(file, mark.line + 1, mark.column + 1)
                raise Invalid([Problem(where=where, message=f"nested deeper than {_MAX_DEPTH} levels")])
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def _refuse_many_scenes(text: str, file: str) -> None:
    """Raise `Invalid` before a list of far too many scenes is parsed, which would take half a minute."""
    found = re.search(r"(?m)^scenes:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", text)
    if found and len(text) > 2 * limits.MAX_SCENES:
        entries = re.compile(rf"(?m)^{found[1]}- ").finditer(text, found.start())
        where = Where(file, text.count("\n", 0, found.start()) + 1, 1)
        limits.refuse_long_list(sum(1 for _ in entries), where)


def _syntax_problem(text: str, error: yaml.MarkedYAMLError, at: Any, file: str) -> Problem:
    """Return what is wrong with a text that is not YAML, in our words where the slip is a known one."""
    from kiebatch.scenefile import slips  # for text that is not YAML alone

    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(where=Where(file), message=f"not valid YAML: {error.problem}", code="yaml")
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
        return Problem(where=at(mark), message=f"not valid YAML: {error.problem}", code="yaml")
    return Problem(where=at(slip), message=slip.message, hint=slip.hint, code="yaml")


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


class _Lines:
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


class _Walk:
    """Builds values from nodes and remembers where each stood."""

    def __init__(self, at: Any, file: str, lines: _Lines | None) -> None:
        self.at = at
        self.file = file
        self.lines = lines  # those of the text, when any of them may hold a comment behind a value
        self.cuts: dict[Path, Where] = {}
        self.places: dict[Path, Where] = {}
        self.keys: dict[Path, Where] = {}
        self.problems = Problems()
        self.repeated = 0  # values that came again through an alias

    def value(self, node: Any, path: Path, depth: int) -> JSON:
        if depth > _MAX_DEPTH:
            self.refuse(node, "nested too deeply")
        if not isinstance(node, yaml.ScalarNode):
            self.count(node)
        self.places[path] = self.at(node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            self.note_comment(node, path)
            return self.scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, i), depth + 1) for i, child in enumerate(node.value)]
        found: dict[str, JSON] = {}
        # Merged keys first, so that what the mapping gives itself overwrites them, places too.
        for key_node, value_node in node.value:
            if _merges(key_node):
                self.merge(found, value_node, path, depth)
        self.own_keys(found, node, path, depth)
        return found

    def own_keys(self, found: dict[str, JSON], node: Any, path: Path, depth: int) -> None:
        """Put into `found` what a mapping gives itself, each key once."""
        own: set[str] = set()
        for key_node, value_node in node.value:
            if _merges(key_node):
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.error(self.at(key_node.start_mark), "a key must be a single word or text")
                continue
            key = sys.intern(str(key_node.value))  # thousands of scenes have the same
            inner = (*path, key)
            if key in own:
                first = self.keys[inner]
                self.problems.error(
                    self.at(key_node.start_mark),
                    f"the key `{key}` is given twice; the first is at line {first.line}",
                    code="duplicate-key",
                )
                continue
            own.add(key)
            self.keys[inner] = self.at(key_node.start_mark)
            found[key] = self.value(value_node, inner, depth + 1)

    def count(self, node: Any) -> None:
        """Refuse what is too large before it is built: an alias bomb of a few lines has billions of values."""
        if isinstance(node, yaml.SequenceNode):
            limits.refuse_long_list(len(node.value), self.at(node.start_mark))
        if getattr(node, "was_built", False):
            self.repeated += 1 + len(node.value)
        node.was_built = True
        if self.repeated > _MAX_REPEATED:
            self.refuse(node, "its aliases expand to too many values")

    def refuse(self, node: Any, what: str) -> None:
        raise Invalid([Problem(where=self.at(node.start_mark), message=f"refused: {what}")])

    def merge(self, found: dict[str, JSON], node: Any, path: Path, depth: int) -> None:
        """Take over the keys of `<<: *anchor`; of several sources the first wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                self.problems.error(self.at(node.start_mark), "`<<` takes a mapping, as in `<<: *name`")
                return
            own = self.places[path]
            found.update(self.value(source, path, depth + 1))
            self.places[path] = own  # a mapping is where it is written, not where it borrows from

    def note_comment(self, node: Any, path: Path) -> None:
        """Remember a text without quotes that goes on, for a person, behind ` #`."""
        mark = node.end_mark
        if node.style or self.lines is None:
            return
        comment = re.match(r"[ \t]+#", self.lines.rest(mark.line, mark.column))
        if comment:
            where = self.at(mark)
            self.cuts[path] = Where(self.file, where.line, where.column + comment.end() - 1)

    def number(self, node: Any, found: float | None) -> JSON:
        if found is None:
            shown = node.value if len(node.value) <= 40 else f"{node.value[:37]}..."
            self.problems.error(
                self.at(node.start_mark),
                f"`{shown}` is not a number that can be used",
                hint="a text that looks like a number needs quotes around it",
                code="bad-number",
            )
        return found

    def scalar(self, node: Any) -> JSON:
        tag, text = node.tag, node.value
        if tag == _TAG + "str":
            return text
        if node.style in ("'", '"', "|", ">"):
            return text
        if tag == _TAG + "null":
            return None
        if tag == _TAG + "bool":
            return text.lower() == "true"
        if tag == _TAG + "int":
            return self.number(node, numbers.whole(text, 0 if text[:2] in ("0x", "0o") else 10))
        if tag == _TAG + "float":
            return self.number(node, numbers.real(text))
        self.problems.error(
            self.at(node.start_mark),
            f"`{tag}` is a tag of YAML, and scene files use none",
            hint="a text that begins with `!` needs quotes around it",
            code="yaml",
        )
        return text


def _merges(key_node: Any) -> bool:
    return isinstance(key_node, yaml.ScalarNode) and key_node.value == "<<" and not key_node.style
