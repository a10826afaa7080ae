"""Cuts Markdown into blocks with line numbers, and reads words, lengths and ids; every value keeps its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from kiebatch._dataclass import dataclass
from kiebatch.errors import Where
from kiebatch.model import JSON, Document, Path, SceneId
from kiebatch.scenefile import document as yaml_document
from kiebatch.scenefile import numbers
from kiebatch.scenefile.markdown import labels

TOP = (
    *("kiebatch", "title", "notes", "defaults", "styles", "characters", "references", "negative_prompt"),
    *("vars", "run", "assets", "moved", "tags", "ignore_warnings", "scenes"),
)
SCENE = (
    *(
        "id",
        "title",
        "group",
        "notes",
        "duration",
        "head",
        "tail",
        "skip",
        "camera",
        "text_overlay",
        "transition",
        "visual",
    ),
    *("dialogue", "action", "location", "time_of_day", "shot_size", "lens"),
    *(
        "type",
        "prompt",
        "preset",
        "enhance",
        "model",
        "params",
        "extra_params",
        "expect",
        "takes",
        "seed",
        "style",
        "characters",
        "negative_prompt",
        "fallback",
    ),
    *("voice", "references", "source", "start_frame", "end_frame", "mask", "output", "tags", "endpoint"),
    *("ignore_warnings", "shots", "voiceover", "music", "sound_effects"),
)


# --- values with their places --------------------------------------------------------------------------


Value: TypeAlias = "bool | int | float | str | list[Placed] | dict[str, Placed] | None"


@dataclass(slots=True)
class Placed:
    """A value of the document with its place: a scalar, or a list or mapping of placed values."""

    value: Value
    where: Where
    key: Where | None = None

    @property
    def group(self) -> dict[str, Placed]:
        """The mapping that it must be: a file, a scene or a shot."""
        assert isinstance(self.value, dict), f"{self.where}: a group of keys is expected"
        return self.value

    @property
    def each(self) -> list[Placed]:
        """The items of a list, or the one value itself."""
        return self.value if isinstance(self.value, list) else [self]

    @property
    def shots(self) -> list[Placed]:
        """The shots of a scene."""
        return items_of(self.group.get("shots"))

    @property
    def id(self) -> SceneId:
        """The id of a scene or shot."""
        found = self.group["id"].value
        assert isinstance(found, (int, str)), f"{self.where}: an id is a number or a word"
        return found

    @property
    def plain(self) -> JSON:
        if isinstance(self.value, dict):
            return {k: v.plain for k, v in self.value.items()}
        if isinstance(self.value, list):
            return [v.plain for v in self.value]
        return self.value


def group_of(placed: Placed | None) -> dict[str, Placed]:
    """Return what a mapping holds; nothing where it is not there, or is something else."""
    return placed.value if placed is not None and isinstance(placed.value, dict) else {}


def items_of(placed: Placed | None) -> list[Placed]:
    """Return the items of a list, or the one value; nothing where it is not there."""
    return placed.each if placed is not None else []


class Literal(str):
    """Text that means itself: a path in an image or in back-ticks is not a shot, words in a fence are not a list of names."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class MarkdownDocument(Document):
    """A Document that remembers which prompts were only a `Visual`, which a `Prompt` of another file replaces."""

    visuals: frozenset[Path] = frozenset()


def document_of(root: Placed, file: str, visuals: Iterable[Placed]) -> MarkdownDocument:
    places: dict[Path, Where] = {}
    keys: dict[Path, Where] = {}
    paths: set[Path] = set()
    only_visual = {id(v) for v in visuals}

    def walk(placed: Placed, path: Path) -> JSON:
        places[path] = placed.where
        if placed.key:
            keys[path] = placed.key
        if id(placed) in only_visual:
            paths.add(path)
        found = placed.value
        if isinstance(found, dict):
            return {k: walk(v, (*path, k)) for k, v in found.items()}
        if isinstance(found, list):
            return [walk(v, (*path, i)) for i, v in enumerate(found)]
        return str(found) if isinstance(found, Literal) else found

    value = walk(root, ())
    return MarkdownDocument(
        value=value, places=places, keys=keys, file=file, form="markdown", visuals=frozenset(paths)
    )


def tree_of(document: Document) -> Placed:
    """Return a document's values as a tree."""

    def inner(value: JSON, path: Path) -> Value:
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, Mapping):
            return {key: placed(one, (*path, key)) for key, one in value.items()}
        return [placed(one, (*path, i)) for i, one in enumerate(value)]

    def placed(value: JSON, path: Path) -> Placed:
        return Placed(inner(value, path), document.where(path), document.keys.get(path))

    return placed(document.value, ())


# --- blocks --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Block:
    """One block of the text: its kind, its lines (`first` up to, not including, `last`, from 0) and content."""

    kind: str  # heading, para, quote, list, item, fence, html, hr, table, front
    first: int
    last: int
    text: str = ""
    level: int = 0
    info: str = ""
    setext: bool = False
    children: list[Block] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    row_lines: list[int] = field(default_factory=list)

    @property
    def lead(self) -> str:
        """The text of the paragraph that a quote or list item begins with; nothing where it begins otherwise."""
        first = next(iter(self.children), None)
        return first.text if first and first.kind == "para" else ""

    @property
    def firsts(self) -> list[Block]:
        """The blocks that the items of a list begin with."""
        return [item.children[0] for item in self.children if item.children]

    @property
    def led(self) -> list[Block]:
        """The paragraphs that the items of a list begin with; items that begin otherwise have none."""
        return [first for first in self.firsts if first.kind == "para"]


class _Parser(MarkdownIt):
    """markdown-it as we want it: addresses stay as they were written."""

    def normalizeLink(self, url: str) -> str:
        return url

    def validateLink(self, url: str) -> bool:
        return True


@cache
def block_parser() -> _Parser:
    parser = _Parser("commonmark")
    parser.enable(["table", "strikethrough"])
    # Writers indent whole lists by a tab; to them that is not program code.
    parser.disable(["code", "reference"])
    parser.use(front_matter_plugin)
    parser.core.ruler.enableOnly(["normalize", "block"])  # words are read only where a value needs it
    return parser


@cache
def _inline_parser() -> _Parser:
    parser = _Parser("commonmark")
    parser.enable(["strikethrough"])
    return parser


_KINDS = {
    "paragraph_open": "para",
    "heading_open": "heading",
    "blockquote_open": "quote",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "list_item_open": "item",
    "table_open": "table",
}


_LEAVES = {"fence": "fence", "html_block": "html", "hr": "hr", "front_matter": "front"}


def _take_level(heading: Block, token: Token) -> None:
    heading.level = int(token.tag[1])
    heading.setext = token.markup in ("-", "=")


def blocks_of(tokens: Sequence[Token]) -> list[Block]:
    root = Block("root", 0, 0)
    stack = [root]
    for token in tokens:
        first, last = token.map or (stack[-1].first, stack[-1].last)
        if token.type in _KINDS:
            block = Block(_KINDS[token.type], first, last)
            if block.kind == "heading":
                _take_level(block, token)
            stack[-1].children.append(block)
            stack.append(block)
        elif token.type in _LEAVES:
            kind = _LEAVES[token.type]
            stack[-1].children.append(Block(kind, first, last, text=token.content, info=token.info.strip()))
        elif token.type == "tr_open":
            stack[-1].rows.append([])
            stack[-1].row_lines.append(first)
        elif token.type == "inline":
            if stack[-1].kind == "table":
                stack[-1].rows[-1].append(token.content)
            else:
                stack[-1].text = token.content
        elif token.type.endswith("_close") and token.type.replace("_close", "_open") in _KINDS:
            stack.pop()
    return root.children


# --- words ---------------------------------------------------------------------------------------------

_MARKUP = re.compile(r"[\\`*_~\[\]<>&!]")
_QUOTES = {
    '"': '"',
    "'": "'",
    "“": "”",
    "‘": "’",
    "„": "“”„",
    "‚": "‘’‚",
    "”": "”",
    "’": "’",
    "«": "»",
    "»": "«",
    "‹": "›",
    "「": "」",
    "『": "』",
    "《": "》",
}


_APOSTROPHE = re.compile(r"(?<=[^\W_])’(?=[^\W_])")


def inline(raw: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the text that a reader of the rendered page sees, and the images in it as (caption, address).

    Struck words are gone, an unknown `<tag>` stays as it was written, `<br>` is a line break.
    """
    if not _MARKUP.search(raw):
        return raw, []
    parts: list[str] = []
    images: list[tuple[str, str]] = []
    struck = 0
    for token in _inline_parser().parseInline(raw)[0].children or []:
        if token.type in ("s_open", "s_close"):
            struck += token.nesting
        elif struck:
            continue
        elif token.type == "image":
            images.append((token.content, str(token.attrs.get("src", ""))))
        else:
            parts.append(_shown(token))
    text = "".join(parts)
    if struck or images or "~~" in raw:  # what is gone leaves the blanks on both its sides
        text = re.sub(r"[ \t]{2,}", " ", text)
    return text, images


def _shown(token: Token) -> str:
    """Return what a reader of the rendered page sees of one token that is not an image."""
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    if token.markup == "autolink" and token.type in ("link_open", "link_close"):
        return "<" if token.type == "link_open" else ">"
    if token.type != "html_inline":
        return token.content
    if re.fullmatch(r"(?i)<br\s*/?>", token.content):
        return "\n"
    return "" if token.content.startswith("<!--") else token.content


_SPECIAL = re.compile(r"([\\`*_~\[\]<>&!|])")


def escaped(text: str) -> str:
    """Return plain text as Markdown writes it, so that no sign in it marks anything."""
    return _SPECIAL.sub(r"\\\1", text)


def unquoted(text: str) -> str:
    """Return text without the one pair of quotes, straight or typographic, that it is wholly inside of."""
    text = text.strip()
    if len(text) < 2 or text[-1] not in _QUOTES.get(text[0], ""):
        return text
    inner = text[1:-1]
    return inner.strip() if _are_a_pair(text[0], text[-1], inner) else text


def _are_a_pair(opening: str, closing: str, inner: str) -> bool:
    """Whether two quotes belong together: those between them open and close among themselves."""
    if opening == closing:
        return opening not in inner
    depth = 0
    for char in _APOSTROPHE.sub("", inner):
        depth += (char == opening) - (char == closing)
        if depth < 0:
            return False
    return depth == 0


def is_nothing(text: str) -> bool:
    return not text.strip() or text.strip().strip("()[]").strip().casefold() in labels.NOTHING


def scalar(text: str, where: Where) -> Placed:
    """Return a raw value by the rules of the YAML form: `5`, `true` and `[a, b]`, but `16:9` and `010` are text.

    Raises `Invalid` where text in brackets is not YAML.
    """
    text = text.strip()
    flow = text[:1] in ("[", "{") and text[-1:] in ("]", "}")
    if flow or re.fullmatch(r"[A-Za-z0-9+._~-]+", text):
        read = yaml_document.read(
            text, where.file, line_offset=where.line - 1, column_offset=where.column - 1
        )
        placed = tree_of(read)
        placed.where = where
        return placed
    return Placed(unquoted(text), where)


_CJK_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}


def chinese_number(text: str) -> str:
    """Return 十二 as 12; other text as it is."""
    if not text or any(c not in _CJK_DIGITS and c != "十" for c in text):
        return text
    tens, found, ones = text.partition("十")
    if not found:
        return "".join(str(_CJK_DIGITS[c]) for c in text)
    return str(_CJK_DIGITS.get(tens, 1) * 10 + _CJK_DIGITS.get(ones, 0))


def identity(text: str) -> int | str:
    """Return an id: a whole number where it is one (`01` is scene 1), else a word."""
    if text.isascii() and text.isdecimal():
        number = numbers.whole(text)
        return text if number is None else number
    return text


def one_line(lines: Iterable[str]) -> str:
    """Return lines joined by a space; a backslash at the end of a line that goes on is a break, not a letter."""
    kept = [line.strip() for line in lines if line.strip()]
    return " ".join([*(line.removesuffix("\\").rstrip() for line in kept[:-1]), *kept[-1:]])


def tidy(text: str) -> str:
    """Return text without white space around its lines."""
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def code_span(text: str) -> str:
    match = re.fullmatch(r"`+\s?(.*?)\s?`+", text.strip())
    return match.group(1) if match else text


def flow(value: JSON) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def without_marks(text: str) -> str:
    """Return text without emoji and other signs in front."""
    if text[:1].isascii() and not text[:1].isspace():
        return text
    i = 0
    while i < len(text) and (
        text[i].isspace()
        or (not text[i].isascii() and unicodedata.category(text[i]) in ("So", "Sk", "Mn", "Cf", "Me"))
    ):
        i += 1
    return text[i:]
