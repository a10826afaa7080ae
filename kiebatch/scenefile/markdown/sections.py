"""Builds the sections of a file: characters, styles, what to avoid, and defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from kiebatch.errors import Where
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body
from kiebatch.scenefile.markdown.prose import Block, Placed, flow, group_of, inline, items_of, tidy, unquoted
from kiebatch.scenefile.markdown.reader import Reader
from kiebatch.scenefile.markdown.values import name_of, params_of, put

_DEFAULTS = (
    *("model", "takes", "style", "negative_prompt", "seed", "fallback", "preset", "enhance"),
    *("extra_params", "expect"),
)
# Code fences with these info strings are code, never a character description.
_LANGUAGES = frozenset(
    [
        "bash",
        "c",
        "cpp",
        "cs",
        "css",
        "diff",
        "go",
        "html",
        "ini",
        "java",
        "javascript",
        "js",
        "json",
        "jsx",
        "lua",
        "md",
        "markdown",
        "mermaid",
        "php",
        "python",
        "py",
        "ruby",
        "rust",
        "sh",
        "sql",
        "swift",
        "text",
        "toml",
        "ts",
        "tsx",
        "txt",
        "typescript",
        "xml",
        "yaml",
        "yml",
    ]
)


_LEAD = re.compile(r"(?s)^\*\*([^*\n]{1,60}?)\s*[:：]?\s*\*\*\s*(?:[:：–—-]\s*)?(.*)$")


@dataclass(slots=True)
class _Entry:
    """A name with its words and pictures.  `whole`: a fence, which nothing below continues."""

    name: str
    where: Where
    words: Placed | None
    media: list[Placed] = field(default_factory=list)
    whole: bool = False

    def enter(self, into: Callable[[str, Placed, Placed | None, Where], None]) -> None:
        media = Placed(self.media, self.media[0].where) if self.media else None
        into(self.name, self.words or Placed("", self.where), media, self.where)


def _without_bullets(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield the paragraphs of lists whose items are led by one, and every other block as it is."""
    for block in blocks:
        if block.kind == "list" and len(block.led) == len(block.children):
            yield from block.led
        else:
            yield block


class Sections:
    """Builds the values of the sections, and of the one style that `## Style` gives every prompt of the file."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.marks = reader.marks
        self.page = reader.page
        self.problems = reader.problems
        self.file_style: Placed | None = None
        self._readers: Mapping[str, Callable[[dict[str, Placed], Where, Sequence[Block]], None]] = {
            "characters": self._section_characters,
            "defaults": self._section_defaults,
            "negative_prompt": self._section_negative_prompt,
            "style": self._section_style,
            "styles": self._section_styles,
        }

    def read(self, top: dict[str, Placed]) -> None:
        """Put every section of the file into its values."""
        for name, at, blocks in self.reader.sections:
            self._readers[name](top, at, blocks)

    def _split(self, blocks: Sequence[Block]) -> list[tuple[Block | None, list[Block]]]:
        found: list[tuple[Block | None, list[Block]]] = [(None, [])]
        for block in blocks:
            if block.kind == "heading":
                found.append((block, []))
            else:
                found[-1][1].append(block)
        return found

    def _note(self, block: Block) -> None:
        if block.kind != "hr":
            self.reader.notes.note(self.page.source(block.first, block.last), self.page.start(block))

    def _gathered(self, blocks: Sequence[Block], at: Where) -> Body:
        body = Body(at)
        if blocks:
            self.reader.bodies.read(blocks, body, scene=None)
        return body

    def _words_of(self, blocks: Sequence[Block], at: Where) -> tuple[Placed | None, Body]:
        """Return the one marked text below a heading: a quote, a fence of any kind, or a Prompt field."""
        plain = [b for b in blocks if not (b.kind == "fence" and not self.marks.fence_key(b))]
        body = self._gathered(plain, at)
        words = next((body.fields[p] for p in PROMPTS if p in body.fields), None)
        for block in blocks:
            if block not in plain:
                if words is None:
                    words = self.marks.fenced(block)
                else:
                    self._note(block)
        return words, body

    def _section_defaults(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        defaults = self.marks.mapping(top, "defaults", at)
        for heading, below in self._split(blocks):
            if heading is None:
                self._take_defaults(defaults, defaults, self._gathered(below, at), at)
                continue
            modality = labels.TYPES.get(labels.canonical(inline(heading.text)[0]), "")
            if modality:
                target = self.marks.mapping(defaults, modality, at)
                self._take_defaults(defaults, target, self._gathered(below, at), at)
            else:
                for block in (heading, *below):
                    self._note(block)

    def _take_defaults(
        self, defaults: dict[str, Placed], target: dict[str, Placed], body: Body, at: Where
    ) -> None:
        """Put the fields of a body into `target`, which is the defaults or those of one modality."""
        for kind in ("image", "video", "audio"):
            if named := body.fields.pop(f"{kind}_model", None):
                put(self.marks, self.marks.mapping(defaults, kind, named.where), "model", named)
        for key in _DEFAULTS:
            if key in body.fields:
                put(self.marks, target, key, body.fields.pop(key))
        params = params_of(self.marks, body)
        if params:
            whole = self.marks.mapping(target, "params", params.where)
            for key, value in params.group.items():
                put(self.marks, whole, key, value)
        for key, value in body.fields.items():
            message = f"`{key.replace('_', ' ')}` is not a default; it is kept as a note"
            self.problems.warning(value.key or value.where, message, code="unknown-key")
            body.note(f"{key}: {flow(value.plain)}", value.where)
        self._note_rest(body, at)

    def _note_rest(self, body: Body, at: Where) -> None:
        """Keep what a body has besides its fields as notes of the file."""
        if body.notes:
            self.reader.notes.note(body.notes_text, body.noted or at)

    def _section_style(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        for heading, below in self._split(blocks):
            if heading is not None:
                self._named_style(top, heading, below)
                continue
            words, body = self._words_of(below, at)
            if words is not None:
                if self.file_style is not None:
                    self.marks.twice("style", self.file_style.where, words.where)
                words.key = at
                self.file_style = words
            elif below:
                self.marks.unmarked("the style", at)
            self._note_rest(body, at)

    def _section_styles(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        self.marks.mapping(top, "styles", at)
        for heading, below in self._split(blocks):
            if heading is not None:
                self._named_style(top, heading, below)
                continue
            for block in below:
                self._note(block)

    def _named_style(self, top: dict[str, Placed], heading: Block, below: Sequence[Block]) -> None:
        at = self.page.start(heading)
        words, body = self._words_of(below, at)
        name = inline(heading.text)[0]
        if words is None:
            self.marks.unmarked(f"the style `{name}`", at)
        else:
            self._style(top, name, words, at)
        self._note_rest(body, at)

    def _style(self, top: dict[str, Placed], name: str, words: Placed, where: Where) -> None:
        words.key = where
        put(self.marks, self.marks.mapping(top, "styles", where), name_of(name), words)

    def _section_negative_prompt(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        """Quotes are the words; where there are none a fence is, else the bullets of a list are."""
        found = self._all_avoided([block for block in blocks if block.kind != "heading"])
        if not found:
            if blocks:
                self.marks.unmarked("the negative prompt", at)
            return
        if "negative_prompt" in top:
            found = [*top["negative_prompt"].each, *found]
        whole = Placed(found, found[0].where) if len(found) > 1 else found[0]
        whole.key = at
        top["negative_prompt"] = whole

    def _all_avoided(self, blocks: Sequence[Block]) -> list[Placed]:
        """Return what the blocks of such a section say to avoid; what says nothing of it is a note."""
        kinds = {b.kind for b in blocks if not (b.kind == "quote" and self.marks.is_callout(b))}
        found: list[Placed] = []
        for block in blocks:
            words = self._avoided(block, kinds)
            if words is None:
                self._note(block)
            else:
                found += words
        return found

    def _avoided(self, block: Block, kinds: Set[str]) -> list[Placed] | None:
        """Return what a block of such a section says to avoid; None for a note.  `kinds`: what the section holds."""
        if block.kind == "quote":
            words = self.marks.quoted(block, None)
            return [words] if words else None
        if block.kind == "fence" and block.text.strip():
            is_meant = "quote" not in kinds or self.marks.fence_key(block)
            return [self.marks.fenced(block)] if is_meant else None
        if block.kind == "list" and not kinds & {"quote", "fence"}:
            return [self._bullet(item) for item in block.children if item.children]
        return None

    def _bullet(self, item: Block) -> Placed:
        text = " ".join(item.children[0].text.split())
        entry = self.marks.keys.entry(text, True)
        if entry and entry.key == "negative_prompt":
            text = entry.rest
        return Placed(unquoted(inline(text)[0]), self.page.start(item))

    def _section_characters(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        self.marks.mapping(top, "characters", at)
        for heading, below in self._split(blocks):
            if heading is None:
                self._led_by_names(below, lambda n, w, m, where: self._character(top, n, w, m, where))
                continue
            where = self.page.start(heading)
            words, body = self._words_of(below, where)
            name = inline(heading.text)[0]
            media = body.fields.get("references")
            if words is None and media is None:
                self.marks.unmarked(f"`{name}`", where)
                words = Placed("", where)
            self._character(top, name, words, media, where, notes=body)

    def _character(
        self,
        top: dict[str, Placed],
        name: str,
        words: Placed | None,
        media: Placed | None,
        where: Where,
        notes: Body | None = None,
    ) -> None:
        value: dict[str, Placed] = {}
        if words is not None:
            words.key = None
            value["text"] = words
        if media is not None:
            value["references"] = media
        if notes is not None and notes.notes:
            value["notes"] = Placed(notes.notes_text, notes.noted or where)
        put(
            self.marks,
            self.marks.mapping(top, "characters", where),
            name_of(name),
            Placed(value, where, where),
        )

    def _led_by_names(
        self, blocks: Sequence[Block], enter: Callable[[str, Placed, Placed | None, Where], None]
    ) -> None:
        """Read `**name** words`, `- **name**: words`, or a fence marked with the name; a quote below has precedence."""
        entry: _Entry | None = None
        for block in _without_bullets(blocks):
            opened = self._entry(block)
            if opened is not None:
                if entry is not None:
                    entry.enter(enter)
                entry = opened
            elif entry is None or not self._continues(entry, block):
                self._note(block)
            if entry is not None and entry.whole:
                entry.enter(enter)
                entry = None
        if entry is not None:
            entry.enter(enter)

    def _entry(self, block: Block) -> _Entry | None:
        """Return the entry that a block begins; None where it begins none."""
        lead = _LEAD.match(block.text)
        if block.kind == "para" and lead and lead.group(1).strip():
            where = self.page.start(block)
            text = unquoted(tidy(inline(" ".join(lead.group(2).split()))[0]))
            return _Entry(lead.group(1).strip(), where, Placed(text, where) if text else None)
        if block.kind == "fence" and re.fullmatch(r"\w[\w.-]*", block.info) and not self._is_code(block):
            name = block.info.split()[0]
            return _Entry(name, self.page.start(block), self.marks.fenced(block), whole=True)
        return None

    def _continues(self, entry: _Entry, block: Block) -> bool:
        """Read a block that belongs to the entry above it; whether it does."""
        if block.kind == "quote" and (quoted := self.marks.quoted(block, None)):
            entry.words = quoted
        elif block.kind == "fence":
            entry.words = self.marks.fenced(block)
        elif block.kind == "para" and "![" in block.text:
            body = Body(entry.where)
            self.marks.aside = False
            self.reader.bodies.take_images(block, body)
            found = body.fields.get("references")
            entry.media += items_of(found)
        else:
            return False
        return True

    def _is_code(self, block: Block) -> bool:
        return bool(self.marks.fence_key(block)) or block.info.casefold() in _LANGUAGES

    def give_file_style(self, top: dict[str, Placed]) -> None:
        """`## Style` is appended to every prompt of the file, also of one that has a style of its own."""
        style = self.file_style
        if style is None:
            return
        words = str(style.value)
        if " " not in words.strip():
            group_of(top.get("styles")).setdefault(words, Placed(words, style.where, style.key))
        defaults = self.marks.mapping(top, "defaults", style.key or style.where)
        self.join_style(defaults)
        for kind in ("image", "video"):
            own = group_of(defaults.get(kind))
            if "style" in own:
                self.join_style(own)

    def join_style(self, values: dict[str, Placed]) -> None:
        style = self.file_style
        if style is None:
            return
        own = values.get("style")
        if own is None:
            values["style"] = style
            return
        listed = own.value if isinstance(own.value, list) else [Placed(own.value, own.where)]
        values["style"] = Placed([*listed, Placed(style.value, style.where)], own.where, own.key)
