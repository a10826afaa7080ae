"""Tells what a heading is: a scene, a shot, an act, a section, a part, a key, or a note."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiebatch.scenefile.durations import is_marked, seconds
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.prose import Block, chinese_number, identity, inline, without_marks

# --- headings ------------------------------------------------------------------------------------------

ID = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_SEPARATOR = re.compile(r"^\s*(?:[:：|·、,，)）\]–—]|[-.．。](?=\s|$))\s*|^\s+[-.–—]\s*")
_IN_BRACKETS = re.compile(r"\s*[(\[]([^()\[\]]{1,40})[)\]]\s*$")
_BEHIND_A_DASH = re.compile(r"\s*(?:\s[-–—|·]|[,;|·–—])\s*(~?\s*\d[^,;|·—]{0,24})\s*$")
_INSIDE_OR_OUT = r"(?:INT|EXT|INT\.?/EXT|EXT\.?/INT|I/E)"
_SLUGLINE = re.compile(rf"{_INSIDE_OR_OUT}(?:\.\s*|\s+)\S|(?i:{_INSIDE_OR_OUT}\.\s+\S)")
_NUMBERED = re.compile(
    rf"(?:(?i:sc)\.?\s*(?P<sc>))?(?P<id>\d{{1,4}}[A-Za-z]?(?:\.\d+)*)"
    rf"(?:(?(sc)(?:\s*[:.)–—|-]\s*|\s*$|\s+)|(?:[.)](?:\s+|$)|\s+(?={_INSIDE_OR_OUT}[.\s]))))(?P<title>.*)$"
)
_HASH_ID = re.compile(r"(?P<id>\d{1,4}[A-Za-z]?)(?:\s*[:.)–—|-]\s*|\s+|$)(?P<title>.*)$")
_PICTURE = re.compile(r"(?i)\S\.(?:png|jpe?g|webp|gif|mp4|mov|webm)\W*$")
_LONGEST_ID = 60
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
    exact: bool = False  # its id is in quotes, and is meant to the letter
    inner: bool = False  # its word, Frame or Beat, is a shot's inside a scene
    nearly: bool = False  # it begins like a scene, or as one in another kind of file, and opens none
    numbered: bool = False  # it opens a scene only in a file that has no `Scene` or `Shot` heading


def _begins(words: Sequence[str]) -> re.Pattern[str]:
    """Return what finds one of several words at the begin of a heading, the longest first; a Latin one as a whole."""
    longest = sorted(words, key=len, reverse=True)
    latin = [rf"{re.escape(word)}(?![^\W\d_])" for word in longest if word[:1].isascii()]
    other = [re.escape(word) for word in longest if not word[:1].isascii()]
    return re.compile(rf"(?i)^(?:{'|'.join([*latin, *other])})\s*[#№]?\s*")


def _of_a_word(text: str, clean: str, depth: str) -> Heading | None:
    """Return the heading that is one known word: a part or key of a scene, or a section of the file."""
    name = labels.canonical(clean)
    for kind, known in _INSIDE if depth == "scene" else _OUTSIDE:
        if name in known:
            return Heading(kind, text, name=known[name])
    return None


_INSIDE = (("part", labels.PARTS), ("label", labels.KEYS))
_OUTSIDE = (("section", labels.SECTIONS),)


class Headings:
    """Tells what a heading is."""

    def __init__(self, extra: Mapping[str, str]) -> None:
        self.patterns = {
            kind: _begins([*words, *(word for word, meant in extra.items() if meant == kind)])
            for kind, words in labels.HEADING_WORDS.items()
        }
        self.ordinal = re.compile(
            r"^第\s*([0-9０-９零〇一二两三四五六七八九十]+)\s*(场景|场|場|シーン|幕|镜|鏡|カット)"
        )

    def read(self, block: Block, depth: str) -> Heading:
        """`depth` says where the heading is: `top`, `group` or `scene`."""
        raw = block.text.strip()
        struck = bool(re.fullmatch(r"~~.*~~\s*[:：]?", raw))
        written = inline(raw.replace("~~", "") if struck else raw)[0]
        text = " ".join(unicodedata.normalize("NFC", written).split())
        heading = Heading("other", text, struck=struck)
        marks = len(text) - len(_LEADING_MARKS.sub("", without_marks(text)))
        clean = text.translate(_FULL_WIDTH)[marks:]  # as long as `text`, so that a title can be cut from that
        found = _of_a_word(text, clean, depth) or self._ordinal(heading, clean) or self._word(heading, clean)
        if found:
            return found
        if depth == "group" and (match := re.match(r"(\d+(?:\.\d+)+)(?![\w.])", clean)):
            return self._titled("scene", heading, match.group(1), clean, match.end())
        return self._other(heading, clean, marks, depth)

    def _ordinal(self, heading: Heading, clean: str) -> Heading | None:
        """Return the heading that `第二幕` is."""
        match = self.ordinal.match(clean)
        if not match:
            return None
        kind = _ORDINALS.get(match.group(2), "scene")
        if kind == "group":
            return Heading("group", heading.text)
        number = identity(chinese_number(match.group(1)))
        return self._titled(kind, heading, number, clean, match.end(), free=True)

    def _word(self, heading: Heading, clean: str) -> Heading | None:
        """Return the heading of a scene, shot or group that a word begins; None, but perhaps `nearly` one, for others."""
        for kind in ("scene", "shot", "group"):
            found = self.patterns[kind].match(clean)
            if not found:
                continue
            if kind == "group":
                return Heading("group", heading.text)
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
            heading.nearly = ident is None and bool(rest.strip()) and not re.match(r"-[A-Za-z]", rest)
        return None

    def _other(self, heading: Heading, clean: str, marks: int, depth: str) -> Heading:
        """Return a heading that opens nothing here; it may be one that a writer takes for a scene."""
        looks_so = _NUMBERED.match(clean) or _SLUGLINE.match(clean) or _PICTURE.search(clean)
        heading.nearly = heading.nearly or bool(looks_so)
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


class NumberedHeadings(Headings):
    """Headings of a file that has no `Scene` or `Shot` heading: `## 1. The kitchen`, `## SC 1`, `## INT. KITCHEN - DAY`."""

    def _other(self, heading: Heading, clean: str, marks: int, depth: str) -> Heading:
        if match := _NUMBERED.match(clean) or self._behind_a_hash(heading, clean, marks):
            if depth != "scene" and labels.canonical(match["title"]) in labels.SECTIONS:
                name = labels.SECTIONS[labels.canonical(match["title"])]
                return Heading("section", heading.text, name=name)
            return self._scene(heading, identity(match["id"]), clean, match.start("title"))
        if _SLUGLINE.match(clean) and (slug := _slug(clean)):
            return self._scene(heading, slug, clean, 0)
        heading.nearly = bool(_PICTURE.search(clean))
        return heading

    def _behind_a_hash(self, heading: Heading, clean: str, marks: int) -> re.Match[str] | None:
        return _HASH_ID.match(clean) if "#" in heading.text[:marks] else None

    def _scene(self, heading: Heading, ident: int | str, clean: str, begin: int) -> Heading:
        stop, duration = _length_at_end(clean, begin)
        shift = len(heading.text) - len(clean)
        title = heading.text[begin + shift : stop + shift].strip()
        return Heading(
            "scene",
            heading.text,
            id=ident,
            title=title,
            duration=duration,
            struck=heading.struck,
            numbered=True,
        )


def _slug(text: str) -> str:
    """Return the id that a slugline's words make: `INT. CAFÉ - DAY` is `int-cafe-day`; empty for no Latin letters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_ID].strip("-")
    return words if re.search(r"^(?:int|ext|i-e)\S*-\w", words) else ""
