"""Tells what a heading is: a scene, a shot, an act, a section, a part, a key, or a note."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kiebatch.scenefile.durations import is_marked, seconds
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.prose import Block, chinese_number, identity, inline, without_marks

# --- headings ------------------------------------------------------------------------------------------

ID = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_SEPARATOR = re.compile(r"^\s*(?:[:：|·、,，)）\]–—]|[-.．。](?=\s|$))\s*|^\s+[-.–—]\s*")
_IN_BRACKETS = re.compile(r"\s*[(\[]([^()\[\]]{1,40})[)\]]\s*$")
_BEHIND_A_DASH = re.compile(r"\s*(?:\s[-–—|·]|[,;|·–—])\s*(~?\s*\d[^,;|·—]{0,24})\s*$")
_LEADING_MARKS = re.compile(r"^[\s#*\[]+")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_ORDINALS = {"幕": "group", "镜": "shot", "鏡": "shot", "カット": "shot"}


@dataclass(slots=True)
class Heading:
    kind: str  # scene, shot, group, section, part, label, other
    text: str
    id: int | str = ""
    title: str = ""
    duration: float | int | None = None
    struck: bool = False
    name: str = ""  # of a section, part or label
    exact: bool = False  # its id stands in quotes, and is meant to the letter
    inner: bool = False  # its word, Frame or Beat, is a shot's when it stands in a scene
    nearly: bool = False  # it begins like a scene and has no id


class Headings:
    """Tells what a heading is."""

    def __init__(self, extra: Mapping[str, str]) -> None:
        self.patterns: dict[str, re.Pattern[str]] = {}
        for kind, words in labels.HEADING_WORDS.items():
            every = [
                *words,
                *(w for w, k in extra.items() if k in (kind, "act" if kind == "group" else kind)),
            ]
            latin = sorted((w for w in every if w.isascii() or w[0].isascii()), key=len, reverse=True)
            other = sorted((w for w in every if w not in latin), key=len, reverse=True)
            alternatives = "|".join(
                [*(rf"{re.escape(w)}(?![^\W\d_])" for w in latin), *(re.escape(w) for w in other)]
            )
            self.patterns[kind] = re.compile(rf"(?i)^(?:{alternatives})\s*[#№]?\s*")
        self.ordinal = re.compile(
            r"^第\s*([0-9０-９零〇一二两三四五六七八九十]+)\s*(场景|场|場|シーン|幕|镜|鏡|カット)"
        )

    def read(self, block: Block, depth: str) -> Heading:
        """`depth` says where the heading stands: `top`, `group` or `scene`."""
        raw = block.text.strip()
        struck = bool(re.fullmatch(r"~~.*~~\s*[:：]?", raw))
        text = " ".join(inline(raw.replace("~~", "") if struck else raw)[0].split())
        heading = Heading("other", text, struck=struck)
        marks = len(text) - len(_LEADING_MARKS.sub("", without_marks(text)))
        clean = text.translate(_FULL_WIDTH)[marks:]  # as long as `text`, so that a title can be cut from that
        name = labels.canonical(clean)
        if depth == "scene" and name in labels.PARTS:
            return Heading("part", text, name=labels.PARTS[name])
        if depth == "scene" and name in labels.KEYS:
            return Heading("label", text, name=labels.KEYS[name])
        if depth != "scene" and name in labels.SECTIONS:
            return Heading("section", text, name=labels.SECTIONS[name])
        if match := self.ordinal.match(clean):
            kind = _ORDINALS.get(match.group(2), "scene")
            if kind == "group":
                return Heading("group", text)
            number = identity(chinese_number(match.group(1)))
            return self._titled(kind, heading, number, clean, match.end(), free=True)
        for kind in ("scene", "shot", "group"):
            found = self.patterns[kind].match(clean)
            if not found:
                continue
            if kind == "group":
                return Heading("group", text)
            rest = clean[found.end() :]
            if quoted := re.match(r"[\"“”]([A-Za-z0-9_.-]+)[\"“”]", rest):
                titled = self._titled(kind, heading, quoted.group(1), clean, found.end() + quoted.end())
                titled.exact = True
                return titled
            ident = re.match(ID, rest, re.ASCII)
            if ident and ident.group(0).casefold() not in labels.NOT_IDS:
                end = found.end() + ident.end()
                titled = self._titled(kind, heading, identity(ident.group(0)), clean, end)
                titled.nearly = titled.kind == "other"
                titled.inner = not titled.nearly and bool(re.match(r"(?i)frame|beat", clean))
                return titled
            heading.nearly = ident is None and bool(rest.strip())
        if depth == "group" and (match := re.match(r"(\d+(?:\.\d+)+)(?![\w.])", clean)):
            return self._titled("scene", heading, match.group(1), clean, match.end())
        return heading

    def opens(self, text: str) -> bool:
        """Whether a heading's text opens a scene or a shot."""
        return self.read(Block("heading", 0, 1, text=text), "top").kind in ("scene", "shot")

    def _titled(
        self, kind: str, heading: Heading, ident: int | str, clean: str, end: int, *, free: bool = False
    ) -> Heading:
        """Return the heading of a scene or shot, unless what follows the id shows that it is none.

        `free` says that a title may follow without a separator.
        """
        rest = clean[end:]
        separated = _SEPARATOR.match(rest)
        numbered = str(ident)[:1].isdecimal() and rest[:1].isspace()
        if rest.strip() and not (separated or numbered or free or rest.lstrip()[0] in "(["):
            return heading
        begin = end + (separated.end() if separated else 0)
        stop, duration = _length_at_end(clean, begin)
        shift = len(heading.text) - len(clean)
        title = heading.text[begin + shift : stop + shift].strip()
        return Heading(kind, heading.text, id=ident, title=title, duration=duration, struck=heading.struck)


def _length_at_end(text: str, begin: int) -> tuple[int, float | int | None]:
    """Return where a heading's title ends, and the length behind it: `(5s)`, `[0:05-0:13]`, `— 10s`."""
    if match := _IN_BRACKETS.search(text, begin):
        duration = seconds(match.group(1))
        if duration is not None:
            return match.start(), duration
    if match := _BEHIND_A_DASH.search(text, begin):
        if is_marked(match.group(1)):
            return match.start(), seconds(match.group(1))
    elif is_marked(text[begin:]):
        return begin, seconds(text[begin:])
    return len(text), None
