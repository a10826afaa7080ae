"""Says in plain words what is wrong with a text that is not YAML: the line, what is missing, what to type.

libyaml reports where it gave up, which is often a line below the mistake.  Each function here knows one kind of slip
and looks for it in the lines around that place; the first that finds its own is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from kiebatch import formats
from kiebatch._dataclass import dataclass
from kiebatch.errors import shortened

_LOOK_BACK = 40  # lines above the error in which a quote may have been opened
_LONGEST_LINE = 2000  # characters; a file may come from anybody
_ITEM = re.compile(r"^(\s*)((?:-\s+)*)(.*)$")


@dataclass(frozen=True, slots=True)
class Slip:
    """A mistake at its place; line and column count from 0."""

    line: int
    column: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Where libyaml gave up (from 0), what it says, and where the thing began that it was reading."""

    lines: Sequence[str]
    line: int
    column: int
    problem: str
    begun: tuple[int, int] | None = None

    def text(self, line: int) -> str:
        return self.lines[line][:_LONGEST_LINE] if 0 <= line < len(self.lines) else ""

    @property
    def first(self) -> int:
        """The line on which the thing began that it was reading."""
        return self.begun[0] if self.begun else self.line

    @property
    def suspects(self) -> list[int]:
        """The lines that may hold the slip, the likeliest first."""
        above = next((n for n in range(self.line - 1, -1, -1) if self.text(n).strip()), self.line)
        return list(dict.fromkeys(n for n in (self.first, self.line, above) if n < len(self.lines)))


def find(trouble: Trouble) -> Slip | None:
    """Return the slip that explains an error; None where none of the known ones does."""
    for look in _SLIPS:
        slip = look(trouble)
        if slip is not None:
            return slip
    return None


# --- white space ---------------------------------------------------------------------------------------


def _tab(trouble: Trouble) -> Slip | None:
    for n in (trouble.line, *trouble.suspects):
        text = trouble.text(n)
        blank = text[: len(text) - len(text.lstrip())]
        if "\t" in blank:
            hint = "YAML is indented with spaces: replace the tab"
            return Slip(n, blank.index("\t"), "this line is indented with a tab", hint)
    return None


def _indentation(trouble: Trouble) -> Slip | None:
    """A key or an item that is not below its neighbours."""
    text = trouble.text(trouble.line)
    here = len(text) - len(text.lstrip())
    item = text.lstrip().startswith("- ")
    if not text.strip() or not (item or _key(text)):
        return None
    wanted = _column_above(trouble, item=item)
    if wanted is None or wanted == here:
        return None
    side = "left" if here < wanted else "right"
    what = "item" if item else "key"
    message = f"this {what} is further {side} than the ones that it belongs with"
    return Slip(trouble.line, here, message, f"let it begin at column {wanted + 1}")


def _column_above(trouble: Trouble, *, item: bool) -> int | None:
    """Return where the nearest line above has its dash, or its key."""
    for n in range(trouble.line - 1, -1, -1):
        text = trouble.text(n)
        match = _ITEM.match(text)
        if not match or not text.strip() or text.lstrip().startswith("#"):
            continue
        if item and match.group(2):
            return len(match.group(1))
        if not item and _key(text):
            return len(match.group(1)) + len(match.group(2))
    return None


# --- colons and dashes ---------------------------------------------------------------------------------


def _no_blank(trouble: Trouble) -> Slip | None:
    for n in trouble.suspects:
        text = trouble.text(n)
        if match := re.match(r"^(\s*)-(\w[\w ]*:.*)$", text):
            hint = f"write `- {match.group(2).strip()}`"
            return Slip(n, len(match.group(1)), "a blank is missing behind the dash", hint)
        match = re.match(r"^(\s*(?:-\s+)*)(\w+):(?!//)([^\s:].*)$", text)
        if match and match.group(2) in _known_keys():
            key, rest = match.group(2), match.group(3)
            message = f"a blank is missing behind `{key}:`"
            return Slip(n, len(match.group(1)), message, f"write `{key}: {_short(rest)}`")
    return None


def _no_colon(trouble: Trouble) -> Slip | None:
    for n in trouble.suspects:
        match = re.match(r"^(\s*(?:-\s+)*)(\w+)(\s*[=：；;]\s*|\s+)(\S.*)$", trouble.text(n))
        if not match or match.group(2) not in _known_keys():
            continue
        before, key, sign, rest = match.groups()
        if sign.strip() == "" and re.match(r"\w+\s*:(\s|$)", rest):
            continue
        hint = f"write `{key}: {_short(rest)}`"
        if sign.strip():
            return Slip(n, len(before), f"`{sign.strip()}` is not the colon of YAML", hint)
        return Slip(n, len(before), f"`{_short(f'{key} {rest}')}` has no colon", hint)
    return None


def _bullet(trouble: Trouble) -> Slip | None:
    for n in trouble.suspects:
        match = re.match(r"^(\s*)([•·◦–—*+]|\d+[.)])\s+(\w+:.*)$", trouble.text(n))
        if match:
            message = f"a list item begins with `- `, found `{match.group(2)}`"
            return Slip(n, len(match.group(1)), message, f"write `- {_short(match.group(3))}`")
    return None


def _dash_in_line(trouble: Trouble) -> Slip | None:
    if "sequence entries are not allowed" not in trouble.problem:
        return None
    match = re.match(r"^(\s*(?:-\s+)*)(\w+):\s+-\s+(.*)$", trouble.text(trouble.line))
    if not match:
        return None
    key, rest = match.group(2), match.group(3)
    if key in ("scenes", "shots") or re.match(r"\w+:\s", rest):
        message = f"the list of `{key}` begins on the line of its key"
        return Slip(trouble.line, match.end(2) + 2, message, f"begin a new line behind `{key}:`")
    return _begins_with(trouble, trouble.line, match.start(3) - 2, f"- {rest}")


def _two_pairs(trouble: Trouble) -> Slip | None:
    if "mapping values" not in trouble.problem:
        return None
    text = trouble.text(trouble.line)
    match = re.match(r"^\s*(?:-\s+)*(\w+):\s+\S+\s+(\w+):(?:\s|$)", text)
    if match and match.group(1) in _known_keys() and match.group(2) in _known_keys():
        message = f"`{match.group(1)}` and `{match.group(2)}` are on one line"
        return Slip(trouble.line, match.start(2), message, f"put `{match.group(2)}:` on a line of its own")
    return None


def _colon_in_text(trouble: Trouble) -> Slip | None:
    if "mapping values" not in trouble.problem:
        return None
    message = "a text that holds `: ` needs quotes around it"
    if match := _plain_text(trouble.text(trouble.line), holding=r":(\s|$)"):
        # At the colon that ends the key, as YAML sees it.
        hint = _typographic(match) or f"write `{match.group(2)}: {_quoted(match.group(3))}`"
        return Slip(trouble.line, trouble.column, message, hint)
    for n in (m for m in trouble.suspects if m < trouble.line):
        if match := _plain_text(trouble.text(n)):
            whole = f"put the whole text of `{match.group(2)}` in quotes, from its first line to its last"
            return Slip(n, match.start(3), message, _typographic(match) or whole)
    return None


def _plain_text(line: str, holding: str = "") -> re.Match[str] | None:
    """Return a line's key (the second group) and its text without quotes (the third), which holds a pattern."""
    match = re.match(r"^(\s*(?:-\s+)*)(\w+):\s+(\S.*)$", line)
    if match and _is_plain(match.group(3)) and re.search(holding, match.group(3)):
        return match
    return None


def _typographic(match: re.Match[str]) -> str:
    """Return the hint for a text that begins with a quote of print; nothing for another."""
    if match.group(3)[0] not in "“”„«‘’":
        return ""
    text = _quoted(match.group(3).strip("“”„«»‘’"))
    return f"typographic quotes are letters to YAML; write `{match.group(2)}: {text}`"


def _deeper_key(trouble: Trouble) -> Slip | None:
    """A known key below a plain text, indented further than its neighbours: YAML takes it for more of the text."""
    key = _key(trouble.text(trouble.line))
    if "mapping values" not in trouble.problem or key not in _known_keys():
        return None
    return _indentation(trouble)


def _loose_line(trouble: Trouble) -> Slip | None:
    if "could not find expected ':'" not in trouble.problem:
        return None
    line = trouble.first
    text = trouble.text(line)
    if ":" in text or not text.strip():
        return None
    hint = "put `# ` in front to make it a comment, or indent it to make it part of the text above"
    return Slip(
        line, len(text) - len(text.lstrip()), f"`{_short(text.strip())}` is neither a key nor a text", hint
    )


# --- texts that begin with a sign ----------------------------------------------------------------------

_MEANS = {
    "*": "a reference to an anchor",
    "&": "an anchor",
    "{": "a group of keys",
    "[": "a list",
    "- ": "a list item",
    "?": "a key",
    "!": "a tag",
    "%": "a directive",
    "@": "nothing yet",
    "`": "nothing yet",
}


def _begins_with(trouble: Trouble, line: int, column: int, value: str) -> Slip:
    sign = next(sign for sign in _MEANS if value.startswith(sign))
    message = f"a text cannot begin with `{sign.strip()}`: to YAML that is {_MEANS[sign]}"
    if _MEANS[sign] == "nothing yet":
        message = f"a text cannot begin with `{sign}`"
    return Slip(line, column, message, f"put it in quotes: `{_quoted(value)}`")


def _sign(trouble: Trouble) -> Slip | None:
    text = trouble.text(trouble.line)
    match = re.match(r"^\s*(?:-\s+)*(?:\w+:\s+)?(?=[*&@`%?!])(.+)$", text)
    if not match or trouble.column < match.start(1):
        return None
    if "undefined alias" in trouble.problem:
        return None
    kinds = (
        "alphabetic or numeric",
        "cannot start any token",
        "directive",
        "keys are not allowed",
        "expected",
    )
    if not any(kind in trouble.problem for kind in kinds):
        return None
    return _begins_with(trouble, trouble.line, match.start(1), match.group(1))


def _undefined_alias(trouble: Trouble) -> Slip | None:
    if "undefined alias" not in trouble.problem:
        return None
    text = trouble.text(trouble.line)
    name = re.match(r"\*([^\s,\]}]+)", text[trouble.column :])
    if not name:
        return None
    message = f"`*{name.group(1)}` refers to an anchor that the file does not have"
    hint = (
        f"write `&{name.group(1)}` where the values are first given; a text that begins with `*` needs quotes"
    )
    return Slip(trouble.line, trouble.column, message, hint)


def _block_header(trouble: Trouble) -> Slip | None:
    if "comment or line break" not in trouble.problem:
        return None
    text = trouble.text(trouble.line)
    if match := re.match(r"^\s*(?:-\s+)*(\w+):\s+([|>])\s*(\S.*)$", text):
        message = f"the text is on the line of the `{match.group(2)}`"
        hint = f"put it on the next line, indented further than `{match.group(1)}`; or in quotes, without the sign"
        return Slip(trouble.line, match.start(2), message, hint)
    if text.lstrip().startswith(">"):
        hint = "a Markdown scene file ends in .md, and needs no line `kiebatch: 1` outside its front matter"
        return Slip(
            trouble.line, text.index(">"), "this line is a quote of Markdown, and the file is YAML", hint
        )
    return None


def _block_not_indented(trouble: Trouble) -> Slip | None:
    for n in range(trouble.line - 1, max(-1, trouble.line - _LOOK_BACK), -1):
        match = re.match(r"^(\s*(?:-\s+)*)(\w+):\s+[|>][+-]?\d?\s*$", trouble.text(n))
        if not match:
            continue
        below = next((m for m in range(n + 1, len(trouble.lines)) if trouble.text(m).strip()), None)
        if below is None:
            return None
        indent = len(trouble.text(below)) - len(trouble.text(below).lstrip())
        if indent <= len(match.group(1)) and not _key(trouble.text(below)):
            hint = f"let it begin at column {len(match.group(1)) + 3} or further right"
            return Slip(below, indent, f"the text of `{match.group(2)}` is not indented", hint)
        return None
    return None


# --- quotes --------------------------------------------------------------------------------------------


def _quotes(trouble: Trouble) -> Slip | None:
    for n in range(max(0, trouble.line - _LOOK_BACK), min(trouble.line + 1, len(trouble.lines))):
        for column, sign in _opening_quotes(trouble.text(n)):
            slip = _quote(trouble, n, column, sign)
            if slip is not None:
                return slip
    return None


def _opening_quotes(text: str) -> Iterator[tuple[int, str]]:
    """Yield where a value begins with a quote."""
    for match in re.finditer(r"(?:^\s*(?:-\s+)*|:\s+|[\[{,]\s*)([\"'])", text):
        if text[: match.start(1)].count('"') % 2 == 0:
            yield match.start(1), match.group(1)


def _quote(trouble: Trouble, line: int, column: int, sign: str) -> Slip | None:
    rest = trouble.text(line)[column + 1 :]
    end = _closing(rest, sign)
    if end is None:
        if _closed_below(trouble, line, sign):
            return None
        hint = f"put a `{sign}` at the end of the text"
        return Slip(line, column, "the quote that begins here is never closed", hint)
    after = rest[end + 1 :]
    if re.match(r"\s*(?:[,\]}:#]|$)", after):
        return None
    place = column + 1 + end
    if sign == "'" and re.match(r"\w", after):
        hint = "write `''` for an apostrophe inside single quotes, or put the text in double quotes"
        return Slip(line, place, "this apostrophe ends the text", hint)
    if sign in after:
        hint = 'write `\\"` for a quote inside double quotes, or put the whole text in single quotes'
        return Slip(line, place, "this quote ends the text, and more text follows", hint)
    return Slip(
        line, place + 1, "text follows the closing quote", "put the whole text in quotes, or none of it"
    )


def _closing(text: str, sign: str) -> int | None:
    """Return where a quoted text ends in the rest of its line."""
    pattern = r"\\.|\"" if sign == '"' else r"''|'"
    for match in re.finditer(pattern, text):
        if match.group(0) == sign:
            return match.start()
    return None


def _closed_below(trouble: Trouble, line: int, sign: str) -> bool:
    """Whether a quote ends on a later line, before the next key begins."""
    for n in range(line + 1, len(trouble.lines)):
        text = trouble.text(n)
        if _key(text) or re.match(r"\s*-\s", text):
            return False
        if sign in text:
            return True
    return False


# --- brackets and comments -----------------------------------------------------------------------------


def _comment(trouble: Trouble) -> Slip | None:
    """A `#` that was meant as a letter, and took the rest of the line away."""
    for n in sorted({trouble.first, trouble.line, trouble.line - 1}):
        text = trouble.text(n)
        match = re.search(r"\s(#\S)", text)
        if match and not text.lstrip().startswith("#") and text[: match.start()].count('"') % 2 == 0:
            message = "the rest of the line is a comment from this `#` on"
            return Slip(n, match.start(1), message, "put the text in quotes")
    return None


def _flow(trouble: Trouble) -> Slip | None:
    text = trouble.text(trouble.line)
    if match := re.match(r"^\s*(?:-\s+)*(?:\w+:\s+)(?=[\[{])(.+)$", text):
        column, value = match.start(1), match.group(1)
        end = _matching(value)
        if end is not None and value[end + 1 :].strip():
            after = value[end + 1 :].strip()
            if after[0] in "]}":
                place = column + value.index(after, end + 1)
                return Slip(trouble.line, place, f"this `{after[0]}` closes nothing", "take it out")
            return _begins_with(trouble, trouble.line, trouble.column, value)
    if "expected ','" not in trouble.problem or trouble.begun is None:
        return None
    return _missing_comma(trouble) or _unclosed(trouble)


def _missing_comma(trouble: Trouble) -> Slip | None:
    text = trouble.text(trouble.line)
    match = re.search(r"(\S+)\s+(\w+)\s*:?$", text[: trouble.column + 1])
    if (
        match
        and match.group(2) in _known_keys()
        and _matching(text[trouble.begun[1] :] if trouble.begun else "")
    ):
        message = f"a comma is missing before `{match.group(2)}`"
        return Slip(trouble.line, match.start(2), message, f"write `{match.group(1)}, {match.group(2)}: ...`")
    return None


def _unclosed(trouble: Trouble) -> Slip | None:
    if trouble.begun is None:
        return None
    line, column = trouble.begun
    sign = trouble.text(line)[column : column + 1]
    closing = {"{": "}", "[": "]"}.get(sign)
    if closing is None:
        return None
    other = trouble.text(trouble.line)[trouble.column : trouble.column + 1]
    if other in ("]", "}") and other != closing:
        message = f"`{other}` cannot close the `{sign}` of line {line + 1}"
        return Slip(trouble.line, trouble.column, message, f"write `{closing}`")
    return Slip(
        line,
        column,
        f"the `{sign}` that begins here is never closed",
        f"add `{closing}` at the end of the line",
    )


def _matching(value: str) -> int | None:
    """Return where the bracket that a value begins with is closed, outside of quotes."""
    depth = 0
    quote = ""
    for i, char in enumerate(value):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and value[i - 1 : i] in (" ", "{", "[", ",", ""):
            quote = char
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
            if depth == 0:
                return i
    return None


# --- the rest ------------------------------------------------------------------------------------------


def _escape(trouble: Trouble) -> Slip | None:
    if "escape" not in trouble.problem:
        return None
    text = trouble.text(trouble.line)
    at = text.rfind("\\", 0, trouble.column + 1)
    sign = text[at : at + 2] if at >= 0 else "\\"
    hint = "put the text in single quotes; in a path write `/`"
    return Slip(trouble.line, max(at, 0), f"`{sign}` is not a sign that double quotes know", hint)


def _second_document(trouble: Trouble) -> Slip | None:
    if "another document" not in trouble.problem:
        return None
    return Slip(
        trouble.line, 0, "a second document begins here", "a scene file is one document: take out the `---`"
    )


def _empty_key(trouble: Trouble) -> Slip | None:
    text = trouble.text(trouble.line)
    if re.match(r"^\s*:\s", text):
        return Slip(
            trouble.line, text.index(":"), "there is no key before this colon", "write its name in front"
        )
    return None


_SLIPS: tuple[Callable[[Trouble], Slip | None], ...] = (
    *(_tab, _second_document, _escape, _undefined_alias, _bullet, _block_header, _sign, _dash_in_line),
    *(_comment, _quotes, _block_not_indented, _flow, _no_blank, _no_colon, _two_pairs, _deeper_key),
    *(_colon_in_text, _empty_key, _loose_line, _indentation),
)


def _key(text: str) -> str:
    """Return the key that a line begins with, empty where it begins with none."""
    match = re.match(r"^\s*(?:-\s+)*([\w\"']+):(?:\s|$)", text)
    return match.group(1).strip("\"'") if match else ""


def _is_plain(value: str) -> bool:
    return value[0] not in "\"'[{|>&*!"


def _quoted(value: str) -> str:
    """Return a text in the quotes that it can be in without another change."""
    text = value.strip()
    sign = "'" if '"' in text and "'" not in text else '"'
    return f"{sign}{_short(text)}{sign}"


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), 50)


@cache
def _known_keys() -> frozenset[str]:
    found: set[str] = set()

    def collect(schema: object) -> None:
        if isinstance(schema, Mapping):
            found.update(schema.get("properties") or ())
            for inner in schema.values():
                collect(inner)
        elif isinstance(schema, list):
            for inner in schema:
                collect(inner)

    collect(formats.load("scenes.base"))
    return frozenset(found)
