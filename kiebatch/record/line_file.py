"""Reads and writes YAML files that hold one flow mapping per line: `picks.yaml` and `notes.yaml`.

    - {slot: "2a#2", decision: pick, time: "2026-03-01T10:00:00.000Z", author: "Ann"}

Such a file is only ever appended to, so git joins two branches line by line (`merge=union`) without a conflict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import yaml

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Problems, Where

Extra = tuple[tuple[str, str], ...]  # keys we do not know, each with its value as YAML in flow style

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MARKER = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
_LONGEST_KEY = 100  # characters; YAML itself takes no key over 1,024
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: the place where it begins, the values of the keys that we know, and the others as they were."""

    where: Where
    values: Mapping[str, yaml.Node]
    extra: Extra = ()

    def text(self, key: str) -> str | None:
        """Return a key's value where it is plain text or a number; None where it is absent."""
        node = self.values.get(key)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def pairs(node: yaml.Node) -> Sequence[tuple[yaml.Node, yaml.Node]]:
    """Return the keys and values of a mapping; nothing for another node."""
    return node.value if isinstance(node, yaml.MappingNode) else ()


# --- text to entries -----------------------------------------------------------------------------------


def compose(text: str, file: str, code: str) -> yaml.Node | None:
    """Return the YAML tree of a file; None where it is empty.

    Raises `Invalid` for text that is not YAML, and for conflict markers that git has left.  `code` is the problems'.
    """
    marker = _MARKER.search(text)
    if marker:
        where = Where(file, text.count("\n", 0, marker.start()) + 1)
        hint = "delete the marker lines and keep both sides; `kiebatch git install` spares you the next time"
        raise Invalid([Problem(where=where, message="git left conflict markers here", hint=hint, code=code)])
    try:
        found: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
        return found
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
        message = f"not valid YAML: {error.problem}"
    except (yaml.YAMLError, RecursionError):
        where = Where(file)
        message = "not valid YAML"
    raise Invalid([Problem(where=where, message=message, code=code)])


def place(node: yaml.Node, file: str) -> Where:
    return Where(file, node.start_mark.line + 1, node.start_mark.column + 1)


def entries(
    nodes: Iterable[yaml.Node],
    file: str,
    problems: Problems,
    *,
    known: Collection[str],
    structured: Collection[str] = (),
    example: str,
    code: str,
) -> list[Entry]:
    """Return the lines of a list.  What is wrong with one goes to `problems` and leaves that line out.

    Keys that are not in `known` are kept as they are, with one warning for the whole file: a newer kiebatch wrote
    them.  Values are plain text, except those of `structured` keys.
    """
    found: list[Entry] = []
    strange: dict[str, yaml.Node] = {}
    for node in nodes:
        if not isinstance(node, yaml.MappingNode):
            problems.error(place(node, file), f"a line looks like `{example}`", code=code)
            continue
        entry = _entry(node, file, problems, known=known, structured=structured, code=code)
        if entry is not None:
            found.append(entry)
            strange |= {k.value: k for k, _ in node.value if k.value not in known and k.value not in strange}
    if strange:
        first = next(iter(strange.values()))
        names = ", ".join(f"`{name}`" for name in strange)
        problems.warning(
            place(first, file),
            f"kiebatch does not know {names} in this file; kept as written",
            hint="a newer version may have written it",
            code="unknown-key",
        )
    return found


def _entry(
    node: yaml.MappingNode,
    file: str,
    problems: Problems,
    *,
    known: Collection[str],
    structured: Collection[str],
    code: str,
) -> Entry | None:
    before = len(problems.found)
    values: dict[str, yaml.Node] = {}
    extra: dict[str, str] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or len(key.value) > _LONGEST_KEY:
            problems.error(place(key, file), "expected a word as the key", code=code)
        elif key.value in values or key.value in extra:
            problems.error(place(key, file), f"the key `{key.value}` is here twice", code=code)
        elif key.value not in known:
            if _has_alias(value):
                problems.error(place(value, file), "an alias (`*name`) cannot be used here", code=code)
            else:
                extra[key.value] = flow(value)
        elif not isinstance(value, yaml.ScalarNode) and key.value not in structured:
            problems.error(place(value, file), "expected plain text or a number here", code=code)
        else:
            values[key.value] = value
    if len(problems.found) > before:
        return None
    return Entry(where=place(node, file), values=values, extra=tuple(extra.items()))


# --- values to text ------------------------------------------------------------------------------------


def _has_alias(node: yaml.Node) -> bool:
    """Whether a node is in its own tree twice: written out, an alias could grow without end."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        now = waiting.pop()
        if id(now) in seen:
            return True
        seen.add(id(now))
        if isinstance(now, yaml.SequenceNode):
            waiting += now.value
        elif isinstance(now, yaml.MappingNode):
            waiting += [inner for pair in now.value for inner in pair]
    return False


def flow(node: yaml.Node) -> str:
    """Return a YAML value in flow style, on one line, that reads back as the same value.  It has no alias."""
    if isinstance(node, yaml.MappingNode):
        return "{" + ", ".join(f"{flow(key)}: {flow(value)}" for key, value in node.value) + "}"
    if isinstance(node, yaml.SequenceNode):
        return "[" + ", ".join(map(flow, node.value)) + "]"
    bare = isinstance(node, yaml.ScalarNode) and not node.style
    if bare and node.value == "":
        return "null"
    return str(node.value) if bare and _PLAIN.fullmatch(node.value) else quoted(node.value)


def line(fields: Iterable[tuple[str, str]]) -> str:
    """Return one entry as its line, newline included; `fields` are keys with their values as YAML."""
    named = ((key if _PLAIN.fullmatch(key) else quoted(key), value) for key, value in fields)
    return "- {" + ", ".join(f"{key}: {value}" for key, value in named) + "}\n"


def quoted(text: str) -> str:
    """Return a text in quotes.  JSON's quotes are YAML's, but YAML wants more invisible characters escaped."""
    return "".join(map(_escaped, json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if ord(character) > 0xFF:
        return character.encode("unicode_escape").decode()
    return f"\\u{ord(character):04x}"


def extended(text: str, head: str, lines: Iterable[str]) -> str:
    """Return a file's text with lines behind those there are, which stay as they are, to the byte.

    `head` begins a file that is empty.
    """
    before = text.removeprefix("\ufeff")
    if not before.strip():
        before = head
    elif not before.endswith("\n"):
        before += "\n"
    return before + "".join(lines)


# --- times ---------------------------------------------------------------------------------------------


def time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sortable(time: str) -> str:
    """Return a time as we write it, so that times order as texts; text that is not a time stays as it is."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return time
    return time_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def times(given: Iterable[str], newest: str, now: datetime) -> Iterator[str]:
    """Yield the times of new lines: as given, else `now`, or a moment after the newest line where that is later."""
    for time in given:
        if time:
            yield time
        else:
            newest = later_than(newest, now)
            yield newest


def later_than(newest: str, now: datetime) -> str:
    """Return the time of a new line: `now`, or the moment after `newest` where another machine's clock runs ahead.

    Whoever writes later has read what was there, so their line must win.
    """
    time = time_text(now)
    if time > newest:
        return time
    try:
        return time_text(datetime.fromisoformat(newest) + timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return newest + "~"  # not a time that we can read: still later than it in the order of texts
