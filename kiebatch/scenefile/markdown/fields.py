"""Makes of `Key: value` what it means, and of what does not belong to it a note."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kiebatch.errors import Invalid, Where, suggested
from kiebatch.scenefile.durations import seconds
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, ROLES, SOUNDS, Body, Entry
from kiebatch.scenefile.markdown.keys import is_take_prompt, is_tool_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.pictures import address_of
from kiebatch.scenefile.markdown.prose import (
    Block,
    Literal,
    Placed,
    code_span,
    inline,
    is_nothing,
    one_line,
    scalar,
    tidy,
    unquoted,
)

_NAMES = ("model", "image_model", "video_model", "audio_model", "characters", "ignore_warnings", "tags")
LISTS = (*_NAMES, "references", "source", "negative_prompt", "style")

# Keys that open a part of a shot, and the name of that part.
_PARTS = {"visual": "visual", "video_prompt": "video", "audio": "audio"}

# A length that is as long as what is said.
VOICES = ("voice", "voiceover", "stimme", "stem", "voix", "voz", "声音", "声", "목소리")

# A second line of one of these adds to the first.
_ADDING = ("references", "source", "negative_prompt")

# `Scene 3, Shot b` is one place, not two.
_PLACE = re.compile(r"(?i)^\s*(scene|szene|scène|escena|cena)\s+\S+,\s*(shot|einstellung|plan|plano)\s")
_BETWEEN_MEDIA = re.compile(r"\s*[,，、]\s+|\s*[，、]\s*|,(?=[^\s/]*$)")

ReadList = Callable[[Block, Body], Entry | None]


@dataclass(slots=True)
class _Said:
    """What comes after and below a key: texts with their places.  `literal` texts mean themselves."""

    entry: Entry
    body: Body  # where the key stands
    pieces: list[tuple[str, Where]] = field(default_factory=list)
    literal: bool = False

    def __post_init__(self) -> None:
        if self.entry.raw:
            self.pieces.append((self.entry.raw, self.entry.where))

    def take_literal(self, words: Placed | None) -> None:
        if words is not None:
            self.pieces, self.literal = [(str(words.value), words.where)], True

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def where(self) -> Where:
        return self.pieces[0][1]

    @property
    def words(self) -> str:
        return self.words_of(self.pieces[0][0])

    def words_of(self, text: str) -> str:
        return text if self.literal else unquoted(tidy(inline(text)[0]))


class Fields:
    """Reads the fields of one file.  `read_list` reads a list below a field that is not its value."""

    def __init__(self, marks: Marks, read_list: ReadList) -> None:
        self.marks = marks
        self.page = marks.page
        self.keys = marks.keys
        self.read_list = read_list
        self._readers: Mapping[str, Callable[[_Said], Placed | None]] = {
            **dict.fromkeys(ROLES, self._media),
            **dict.fromkeys(("duration", "head", "tail"), self._length),
            **dict.fromkeys(_NAMES, self._names),
            "takes": self._count,
            "seed": _seed,
            "type": self._type,
            "skip": _skip,
        }

    def close(self, entry: Entry, body: Body) -> None:
        """Take a key whose value did not follow."""
        self.apply(entry, [], body)

    def apply(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """Make of `Key: value` what it means, and of what does not belong to it a note."""
        if entry.style == "code":
            self._raw_param(entry, children, body)
        elif not entry.key:
            self._unknown(entry, children, body)
        elif _has_words(entry.key):
            self._words(entry, children, body)
        elif entry.key == "dialogue":
            self._dialogue(entry, children, body)
        elif entry.key == "extra_params" or (entry.key == "expect" and _is_yaml(entry, children)):
            self._yaml_keys(entry, children, body)
        elif entry.key == "expect":
            self._unknown(entry, children, body)  # a sentence of the author's that begins so
        else:
            self._plain_field(entry, children, body)

    def _unknown(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        near = self.keys.misspelt(entry.label, 0 if entry.style == "bold" else 5)
        if near and not self.marks.aside and self.keys.key(near) not in labels.NEVER_SENT:
            self.marks.problems.error(
                entry.at, f"unknown key `{entry.label}`", hint=suggested(near), code="unknown-key"
            )
        elif labels.NEAR_PROMPT.search(entry.label.strip()):
            self.warn_near_prompt(entry.label, entry.at)
        elif entry.style == "bold" and (near or not self.marks.aside):
            self.marks.problems.warning(
                entry.at,
                f"`{entry.label}` is not a key kiebatch knows; it is kept as a note and not sent",
                hint=suggested(near),
                code="unknown-key",
            )
        body.note(self._noted(entry, children), self.page.start_of(entry.first), tight=True)

    def warn_near_prompt(self, label: str, where: Where) -> None:
        """Warn about a label that ends in `prompt` and is not a key: it may be the writer's own, or meant to be sent."""
        self.marks.problems.warning(
            where,
            f"`{label}` is not a key kiebatch knows, so it is not sent",
            hint=f'if it is meant to be sent, the front matter says so: `labels: {{"{label}": prompt}}`',
            code="near-prompt",
        )

    def _noted(self, entry: Entry, children: Sequence[Block]) -> str:
        """Return a key that is a note as `Key: text`; with blocks below it, as it was written."""
        if entry.style == "bold" and not children and len(entry.lines) == 1 and entry.raw:
            return f"{entry.label}: {tidy(inline(entry.raw)[0])}"
        last = max([entry.last, *(c.last for c in children)])
        return self.page.source(entry.first, last)

    def _dialogue(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """Take lines that are spoken.  `Dialogue (ANN): words` names the speaker in the key."""
        lines = [tidy(inline(text)[0]) for text, _ in entry.lines if text.strip()]
        for child in children:
            lines += self._spoken(child)
        lines = [unquoted(line) for line in lines if not is_nothing(line)]
        speaker = re.search(r"[(（]([^()（）]+)[)）]\s*$", entry.label)
        if speaker and lines:
            lines[0] = f"{speaker.group(1).strip()}: {lines[0]}"
        if lines:
            self.marks.enter(body, "dialogue", Placed("\n".join(lines), entry.where, entry.at))

    def _spoken(self, block: Block) -> list[str]:
        if block.kind == "quote":
            return [line for child in block.children for line in self._spoken(child)]
        if block.kind == "list":
            return [tidy(inline(" ".join(child.text.split()))[0]) for child in block.firsts]
        if block.kind == "fence":
            return _filled(block.text.splitlines())
        return [tidy(inline(line)[0]) for line in _filled(block.text.split("\n"))]

    def _yaml_keys(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """Read keys and values, from a YAML fence below the key, or behind it."""
        fence = next((c for c in children if c.kind == "fence"), None)
        try:
            value = self.marks.yaml(fence) if fence is not None else scalar(code_span(entry.raw), entry.where)
        except Invalid as invalid:
            self.marks.problems.found.extend(invalid.problems)
            return
        value.key = entry.at
        self.marks.enter(body, entry.key, value)

    def _raw_param(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        try:
            value = self._raw_value(entry, children)
        except Invalid as invalid:
            self.marks.problems.found.extend(invalid.problems)
            return
        if value is None:
            self.marks.problems.error(
                entry.at, f"`{entry.label}` has no value", hint="write one behind the colon", code="missing"
            )
            return
        value.key = entry.at
        if entry.label in body.params:
            self.marks.twice(entry.label, body.params[entry.label].key, entry.at)
            return
        body.params[entry.label] = value

    def _raw_value(self, entry: Entry, children: Sequence[Block]) -> Placed | None:
        """Return a value behind its key, in a fence or in a list below it.  Raises `Invalid` where it is not YAML."""
        if entry.raw:
            return scalar(code_span(entry.raw), entry.where)
        first = {child.kind: child for child in reversed(children)}
        if "fence" in first:
            return self.marks.yaml(first["fence"])
        if "list" in first:
            items = [scalar(item.text, self.page.start(item)) for item in first["list"].led]
            return Placed(items, self.page.start(first["list"]))
        return None

    def _words(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        words = self._words_of(entry, children, body)
        if words is None or not str(words.value).strip():
            self._warn_empty(entry, body)
            return
        words.key = entry.at
        if entry.key == "audio":
            body.note(f"Audio: {words.value}", entry.at, tight=True)
        else:
            self.marks.enter(body, entry.key, words)

    def _warn_empty(self, entry: Entry, body: Body) -> None:
        if entry.key in ("prompt", "image_prompt", "video_prompt") and entry.key not in body.fields:
            message = f"`{entry.label}` is empty; nothing is sent for it"
            self.marks.problems.warning(entry.at, message, code="empty-prompt")

    def _words_of(self, entry: Entry, children: Sequence[Block], body: Body) -> Placed | None:
        """Return a prompt or the words of a sound: on the line, or in the quote, fence or list below it."""
        words = self._words_behind(entry, body)
        left: list[Block] = []
        for child in children:
            if words is not None and child.kind == "para":
                words.value = f"{words.value}\n\n{self._one_line(child)}"
            elif words is None and child.kind in ("quote", "fence", "para"):
                words = self._words_in(child, body)
            else:
                left.append(child)
        inner = self._inner(entry, left, body, takes_items=words is None)
        return words or inner

    def _words_behind(self, entry: Entry, body: Body) -> Placed | None:
        """Return the words on the line of a key; quotes around `none` make words of it."""
        if not entry.raw:
            return None
        text, images = inline(entry.raw)
        self.marks.add_images(images, Block("para", entry.first, entry.last), body)
        text = tidy(text)
        bare = unquoted(text)
        if not bare or (bare == text and is_nothing(text)):
            return None
        return Placed(bare, entry.where)

    def _words_in(self, block: Block, body: Body | None) -> Placed | None:
        """Return the words of the block below a key."""
        if block.kind == "quote":
            return self.marks.quoted(block, body)
        if block.kind == "fence":
            return self.marks.fenced(block)
        return Placed(self._one_line(block), self.page.start(block))

    def _one_line(self, paragraph: Block) -> str:
        return tidy(inline(one_line(line for line, _ in self.page.content(paragraph)))[0])

    def _inner(
        self, entry: Entry, blocks: Sequence[Block], body: Body, *, takes_items: bool
    ) -> Placed | None:
        """Read the bullets below a key: fields of its own for a sound or part, else words, else notes."""
        items: list[Block] = []
        for block in blocks:
            if block.kind == "list" and any(map(self._is_field, block.led)):
                self._read_fields(block, self._target(entry, body))
            elif block.kind == "list" and takes_items and block.led:
                items += block.led
            else:
                self._note(block, body)
        if not items:
            return None
        words = (tidy(inline(" ".join(item.text.split()))[0]) for item in items)
        return Placed(", ".join(words), self.page.start(items[0]))

    def _note(self, block: Block, body: Body) -> None:
        body.note(self.page.source(block.first, block.last), self.page.start(block))

    def _read_fields(self, block: Block, body: Body) -> None:
        """Read a list of fields; the last one takes no value from what follows the list."""
        waiting = self.read_list(block, body)
        if waiting:
            self.close(waiting, body)

    def _is_field(self, paragraph: Block) -> bool:
        found = self.keys.entry(paragraph.text, True)
        return found is not None and bool(found.key or found.style != "plain")

    def _target(self, entry: Entry, body: Body) -> Body:
        """Return the body that fields below a key belong to: that of the part which the key opens, or the whole."""
        name = _PARTS.get(entry.key, entry.key)
        if name in SOUNDS or (name in _PARTS.values() and not entry.raw):
            return body.parts.setdefault(name, Body(entry.at))
        return body

    def _plain_field(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        said = _Said(entry, body)
        for child in children:
            if entry.key in LISTS and not said.pieces and _is_yaml_fence(child):
                self._yaml_list(entry, child, body)
                return
            self._gather(said, child)
        if entry.key == "notes":
            _take_notes(said)
        else:
            self._enter_value(said)

    def _enter_value(self, said: _Said) -> None:
        if not said.literal:
            said.pieces = [(text, where) for text, where in said.pieces if not is_nothing(text)]
        if not said.pieces:
            return
        placed = self._value(said)
        if placed is not None:
            placed.key = said.entry.at
            self.marks.enter(said.body, said.key, placed, add=said.key in _ADDING)

    def _yaml_list(self, entry: Entry, fence: Block, body: Body) -> None:
        """Take a list from a YAML fence, in which every text means itself."""
        try:
            listed = self.marks.yaml(fence)
        except Invalid as invalid:
            self.marks.problems.found.extend(invalid.problems)
            return
        for one in listed.each:
            if isinstance(one.value, str):
                one.value = Literal(one.value)
        listed.key = entry.at
        self.marks.enter(body, entry.key, listed, add=entry.key in _ADDING)

    def _gather(self, said: _Said, child: Block) -> None:
        """Take a block below a key for its value where it can be, else for a note."""
        if child.kind == "list" and said.key in (*LISTS, "notes"):
            self._items(said, child)
        elif child.kind == "list":
            self._read_fields(child, said.body)
        elif child.kind in ("fence", "quote") and not said.pieces:
            said.take_literal(self._words_in(child, None))
        elif child.kind == "para" and (text := self._text_below(said, child)):
            said.pieces.append((text, self.page.start(child)))
        else:
            self._note(child, said.body)

    def _text_below(self, said: _Said, paragraph: Block) -> str:
        """Return what a paragraph below a key adds to its value; nothing where it is a note of its own."""
        if said.key == "notes" and not said.literal:
            return self.page.source(paragraph.first, paragraph.last)
        return paragraph.text if "![" in paragraph.text and said.key in ROLES else ""

    def _items(self, said: _Said, block: Block) -> None:
        for item in block.children:
            if item.children and item.children[0].kind == "para":
                paragraph = item.children[0]
                where = self.page.content(paragraph)[0][1]
                said.pieces.append((" ".join(paragraph.text.split()), where))
            else:
                said.body.note(self.page.source(item.first, item.last), self.page.start(item), tight=True)

    # -- values by their key

    def _value(self, said: _Said) -> Placed | None:
        read = self._readers.get(said.key)
        if read is not None:
            return read(said)
        if len(said.pieces) > 1:
            return Placed([Placed(said.words_of(text), at) for text, at in said.pieces], said.where)
        text = said.words
        if not text:
            return None
        return Placed(Literal(text) if said.literal else text, said.where)

    def _media(self, said: _Said) -> Placed | None:
        media = [m for text, at in said.pieces for m in self._media_of(text, at, said.key)]
        return self.marks.media(media, said.key) if media else None

    def _length(self, said: _Said) -> Placed | None:
        if said.entry.key == "duration" and said.words.strip().lower() in VOICES:
            return Placed("voice", said.where)
        length = seconds(said.words)
        if length is not None and length > 0:
            return Placed(length, said.where)
        self._refuse(said, "a length", hint="write it as 5s, 0:05 or 0:00-0:05")
        return None

    def _count(self, said: _Said) -> Placed | None:
        match = re.fullmatch(r"\s*[x×]?\s*(\d{1,9})\s*(?:[x×]|\w+)?\s*", said.words)
        if match:
            return Placed(int(match.group(1)), said.where)
        self._refuse(said, "a whole number")
        return None

    def _refuse(self, said: _Said, what: str, *, hint: str = "") -> None:
        message = f"`{said.entry.label}` must be {what}, found `{said.words}`"
        self.marks.problems.error(said.where, message, hint=hint, code="wrong-type")

    def _names(self, said: _Said) -> Placed | None:
        """Take one name, or several with commas between or below one another."""
        found: list[Placed] = []
        for text, at in said.pieces:
            below = len(said.pieces) > 1 and at.line != said.entry.at.line
            words = said.words_of(text)
            parts = [words] if said.literal or below else re.split(r"\s*[,，、;]\s*", words)
            found += [Placed(part, self._within(part, at)) for part in map(str.strip, parts) if part]
        if not found:
            return None
        listed = len(found) > 1 or said.entry.key in ("characters", "ignore_warnings", "tags")
        return Placed(found, said.where) if listed else found[0]

    def _within(self, part: str, where: Where) -> Where:
        """Return the place of a part of the value that begins at `where`."""
        found = self.page.lines[where.line - 1].find(part, max(0, where.column - 1))
        return Where(self.page.file, where.line, found + 1 if found >= 0 else where.column)

    def _type(self, said: _Said) -> Placed | None:
        text, where = said.words, said.where
        found = labels.TYPES.get(labels.canonical(text))
        if found:
            return Placed(found, where)
        near = labels.misspelt(
            text, {"image": "image", "video": "video", "videoclip": "video_clip", "audio": "audio"}
        )
        if near:
            self.marks.problems.error(where, f"unknown type `{text}`", hint=suggested(near))
            return None
        self.marks.problems.warning(
            where,
            f"`{text}` is neither image, video nor audio; the line is a note",
            code="unknown-type",
        )
        said.body.note(f"{said.entry.label}: {text}", said.entry.at, tight=True)
        return None

    def _media_of(self, text: str, where: Where, key: str) -> list[Placed]:
        """Return the addresses in a value: images, links, or words with commas between."""
        _, images = inline(text)
        if (span := code_span(text)) != text and "`" not in span:
            return [Placed(Literal(span), where)]
        if images:
            return [Placed(Literal(address_of(address)), where) for _, address in images]
        is_one = key not in ("references", "source") or _PLACE.match(text)
        found = []
        for part in [text] if is_one else _BETWEEN_MEDIA.split(text):
            part = part.strip()
            link = re.fullmatch(r"\[[^\]]*\]\(<?([^)>]+)>?\)", part)
            part = unquoted(code_span(address_of(link.group(1)) if link else part))
            if part:
                found.append(Placed(part, self._within(part, where)))
        return found


def _take_notes(said: _Said) -> None:
    joined = "\n".join(text for text, _ in said.pieces)
    if joined.strip():
        said.body.note(joined if said.literal else tidy(inline(joined)[0]), said.where)


def _seed(said: _Said) -> Placed:
    return scalar(said.words, said.where)


def _skip(said: _Said) -> Placed | None:
    text = said.words
    match text.casefold():
        case "no" | "false":
            return None
        case "yes" | "true":
            return Placed(True, said.where)
    return Placed(text, said.where)


def _filled(lines: Iterable[str]) -> list[str]:
    """Return the lines that are not blank, without white space around them."""
    return [line.strip() for line in lines if line.strip()]


def _is_yaml_fence(block: Block) -> bool:
    return block.kind == "fence" and block.info in ("yaml", "yml")


def _has_words(key: str) -> bool:
    """Whether the value of a key is text for a model or a voice."""
    return key in (*SOUNDS, *PROMPTS, "audio") or is_take_prompt(key) or is_tool_prompt(key)


def _is_yaml(entry: Entry, children: Sequence[Block]) -> bool:
    """Whether a key is followed by keys and values, or by the word that means none of them."""
    raw = entry.raw.strip().strip("`")
    return raw.startswith("{") or raw == "off" or any(child.kind == "fence" for child in children)
