"""Gathers what is marked in the blocks below one heading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kiebatch.errors import Where
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body, Entry, SceneDraft
from kiebatch.scenefile.markdown.fields import LISTS, Fields
from kiebatch.scenefile.markdown.keys import Found, is_tool_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.prose import Block, inline

ReadTable = Callable[[Block, SceneDraft | None], bool]


@dataclass(slots=True)
class _State:
    """How far a body was read: the key that waits for its value, and whether plain `key: value` lines may come."""

    flat: bool
    waiting: Entry | None = None


class Bodies:
    """Reads bodies of one file.  `read_table` makes shots of a table in a scene, and says whether it did."""

    def __init__(self, marks: Marks, read_table: ReadTable) -> None:
        self.marks = marks
        self.page = marks.page
        self.keys = marks.keys
        self.read_table = read_table
        self.fields = Fields(marks, self.read_list)

    def read(
        self,
        blocks: Sequence[Block],
        body: Body,
        *,
        scene: SceneDraft | None,
        aside: bool = False,
        label: str = "",
    ) -> None:
        """Gather what is marked in the blocks below one heading.

        Under a heading that is not ours (`aside`) a quote is not a prompt; under one that is a key (`label`) the quote
        or fence is that key's value.
        """
        self.marks.aside = aside
        if label == "notes":
            for block in blocks:
                self._note(block, body)
            return
        state = _State(flat=not aside)
        if label:
            state.waiting = self._key_of_heading(label, blocks[0].first)
        for block in blocks:
            if not self._is_value(block, body, state, label=label, aside=aside):
                self._block(block, body, state, scene=scene, aside=aside)
        if state.waiting is not None:
            self._end(state.waiting, body, label)

    def _key_of_heading(self, label: str, first: int) -> Entry:
        """Return the key that a heading is, whose value begins on the line `first`."""
        return Entry("bold", label, label, self.page.start_of(max(0, first - 1)), [], first, first)

    def _end(self, waiting: Entry, body: Body, label: str) -> None:
        """Take a key whose value did not follow before the next heading."""
        if not label:
            self.fields.close(waiting, body)
        elif label in PROMPTS and not any(p in body.fields for p in PROMPTS):
            self.marks.unmarked(f"`{label}`", waiting.at)

    def _is_value(self, block: Block, body: Body, state: _State, *, label: str, aside: bool) -> bool:
        """Give a block to the key that waits for its value; False when it is not that value, or none waits."""
        waiting = state.waiting
        if waiting is None:
            return False
        if block.kind in ("fence", "quote", "list"):
            state.waiting = None
            if self._take(waiting, block, body):
                state.flat = state.flat and not aside
                return True
        elif label:
            return False
        state.waiting = None
        if not label:
            self.fields.close(waiting, body)
        return False

    def _block(
        self, block: Block, body: Body, state: _State, *, scene: SceneDraft | None, aside: bool
    ) -> None:
        if block.kind == "para":
            waiting, was_field = self._paragraph(block, body, flat=state.flat)
            state.waiting = waiting or state.waiting
            state.flat = state.flat and was_field
            return
        if block.kind == "list":
            state.waiting = self.read_list(block, body)
            return
        state.flat = False
        if block.kind == "quote":
            self._quote(block, body, aside=aside)
        elif block.kind == "fence":
            self._fence(block, body)
        elif block.kind != "hr" and not (block.kind == "table" and self.read_table(block, scene)):
            self._note(block, body)

    def _note(self, block: Block, body: Body) -> None:
        body.note(self.page.source(block.first, block.last), self.page.start(block))

    def _tight_note(self, item: Block, body: Body) -> None:
        body.note(self.page.source(item.first, item.last), self.page.start(item), tight=True)

    def _paragraph(self, block: Block, body: Body, *, flat: bool) -> tuple[Entry | None, bool]:
        """Read a paragraph; return the entry that waits for its value below, and whether it held fields."""
        lines = self.page.content(block)
        plain = flat and self._is_flat(lines)
        entries, loose = self._entries(lines, block.first, flat=plain, indent=None)
        if not entries:
            return self._prose(block, lines, body), False
        self._loose(block, loose, body)
        last = self._apply_but_last(entries, body)
        if not last.raw and (last.key or last.style != "plain"):
            return last, True
        self.fields.apply(last, [], body)
        return None, True

    def _apply_but_last(self, entries: Sequence[Entry], body: Body) -> Entry:
        """Apply the fields of a paragraph, and return the last of them, whose value may follow below."""
        for entry in entries[:-1]:
            self.fields.apply(entry, [], body)
        return entries[-1]

    def _prose(self, block: Block, lines: Sequence[tuple[str, Where]], body: Body) -> Entry | None:
        """Read a paragraph without fields; return the key in its last line, whose value may follow below."""
        images = self.take_images(block, body)
        text, where = lines[-1]
        found = self.keys.entry(text, True)
        if found and found.key and not found.rest.strip():  # prose that ends in a line that says `Prompt:`
            body.note(self.page.source(block.first, block.last - 1), self.page.start(block))
            return Entry("plain", found.label, found.key, where, [], block.last - 1, block.last)
        if not images:
            self._note(block, body)
        return None

    def _loose(self, block: Block, loose: Sequence[int], body: Body) -> None:
        if loose:
            text = "\n".join(self.page.lines[block.first + i].strip() for i in loose)
            body.note(text, self.page.start_of(block.first + loose[0]))

    def _is_flat(self, lines: Sequence[tuple[str, Where]]) -> bool:
        """Whether every line of a paragraph below a heading is `key: value`, and one of the keys is ours."""
        known = False
        for i, (text, where) in enumerate(lines):
            found = self.keys.entry(text, True)
            if not found:
                if i == 0 or self.page.indent(where.line - 1) == 0:
                    return known and i > 0
                continue
            if len(found.label.split()) > 4:
                return known
            known = known or self._is_known(found)
        return known

    def _is_known(self, found: Found) -> bool:
        if found.key or found.style == "code":
            return True
        return found.style == "plain" and bool(self.keys.misspelt(found.label, 5))

    def read_list(self, block: Block, body: Body) -> Entry | None:
        """Read a list of fields; return the last one when its value may follow below the list."""
        waiting: Entry | None = None
        for item in block.children:
            waiting = self._item(item, body, is_last=item is block.children[-1])
        return waiting

    def _item(self, item: Block, body: Body, *, is_last: bool) -> Entry | None:
        """Read an item of a list; return its last field when its value may follow below the list."""
        if not item.children or item.children[0].kind != "para":
            self._tight_note(item, body)
            return None
        paragraph, *rest = item.children
        lines = self.page.content(paragraph)
        indent = self.page.indent(item.first)
        entries, loose = self._entries(lines, paragraph.first, flat=False, indent=indent)
        if not entries or not self._is_ours(entries[0]):
            self._warn_near_prompt(entries)
            if rest or not self.take_images(paragraph, body):
                self._tight_note(item, body)
            return None
        self._loose(paragraph, loose, body)
        last = self._apply_but_last(entries, body)
        if is_last and not last.raw and not rest:
            return last
        self.fields.apply(last, rest, body)
        return None

    def _warn_near_prompt(self, entries: Sequence[Entry]) -> None:
        for entry in entries[:1]:
            if labels.NEAR_PROMPT.search(entry.label.strip()):
                self.fields.warn_near_prompt(entry.label, entry.at)

    def _is_ours(self, entry: Entry) -> bool:
        """Whether a key is marked as one, or its plain label is known or nearly so."""
        return entry.style != "plain" or bool(entry.key) or bool(self.keys.misspelt(entry.label, 5))

    def _quote(self, block: Block, body: Body, *, aside: bool) -> None:
        found = self.keys.entry(block.lead.split("\n")[0], True)
        if self.marks.is_callout(block):
            self._note(block, body)
        elif found and _begins_fields(found):
            if aside and not found.key:
                self._note(block, body)
            else:
                self.read(block.children, body, scene=None)
        elif aside:
            self._note(block, body)
        elif self.marks.bare_quotes:
            words = self.marks.quoted(block, body)
            if words is not None:
                self.marks.enter(body, "prompt", words)
        else:
            self._note(block, body)
            self.marks.problems.warning(
                self.page.start(block),
                "this quote has no label, and other prompts of the file have one, so it is not sent",
                hint="write `**Prompt:**` above it to have it sent",
                code="near-prompt",
            )

    def _fence(self, block: Block, body: Body) -> None:
        key = self.marks.fence_key(block)
        if not key:
            self._note(block, body)
            return
        words = self.marks.fenced(block)
        words.key = self.page.start(block)
        if str(words.value).strip():
            self.marks.enter(body, key, words, add=key == "negative_prompt")

    def take_images(self, block: Block, body: Body) -> bool:
        """Take the images of a paragraph; return whether it holds nothing else."""
        if "![" not in block.text:
            return False
        text, images = inline(block.text)
        if self.marks.aside:
            return False
        self.marks.add_images(images, block, body)
        return bool(images) and not text.strip()

    def _take(self, entry: Entry, block: Block, body: Body) -> bool:
        """Give a `Key:` line the fence, quote or list right below it; False when that is not its value."""
        if block.kind == "list" and not self._lists_values(entry, block):
            return False
        self.fields.apply(entry, [block], body)
        return True

    def _lists_values(self, entry: Entry, block: Block) -> bool:
        """Whether a list holds the values of the key above it, and no keys of its own."""
        if entry.key not in (*LISTS, "dialogue") or not entry.label:
            return False
        items = block.led
        return len(items) == len(block.children) and not any(self.keys.entry(i.text, False) for i in items)

    def _entries(
        self, lines: Sequence[tuple[str, Where]], first: int, *, flat: bool, indent: int | None
    ) -> tuple[list[Entry], list[int]]:
        """Return the entries of a paragraph, and the numbers of its lines that belong to none.

        `flat` takes keys without bold on every line.  `indent` is the column of a list item's bullet: a line that
        is not indented further goes on only by Markdown's laziness, and is a note.
        """
        entries: list[Entry] = []
        loose: list[int] = []
        for i, (text, where) in enumerate(lines):
            found = self._found(text, is_first=i == 0, flat=flat, in_list=indent is not None)
            width = self.page.indent(first + i)
            if found:
                column = where.column + len(text) - len(found.rest.lstrip())
                value = (found.rest.strip(), Where(self.page.file, where.line, column))
                entries.append(
                    Entry(found.style, found.label, found.key, where, [value], first + i, first + i + 1)
                )
            elif entries and _goes_on(entries[-1], width, flat=flat, indent=indent):
                entries[-1].lines.append((text, where))
                entries[-1].last = first + i + 1
            else:
                loose.append(i)
                if entries and text.strip():
                    self._warn_not_indented(where)
        return entries, loose

    def _found(self, text: str, *, is_first: bool, flat: bool, in_list: bool) -> Found | None:
        """Return the key that a line of a paragraph begins with; below the first line not every kind counts."""
        found = self.keys.entry(text, flat or (is_first and in_list))
        if found is None or is_first:
            return found
        counts = flat or found.style != "plain"
        return found if counts and not (in_list and found.style == "code") else None

    def _warn_not_indented(self, where: Where) -> None:
        self.marks.problems.warning(
            where,
            "this line is not indented, so it is a note and not part of the line above",
            hint="indent it to make it part of the value, or leave an empty line between",
            code="not-indented",
        )


def _goes_on(entry: Entry, width: int, *, flat: bool, indent: int | None) -> bool:
    """Whether a line without a key, indented by `width`, is part of the entry above it."""
    if entry.style == "plain" and flat and width == 0:
        return False
    return indent is None or width > indent


def _begins_fields(found: Found) -> bool:
    """Whether a quote that begins so holds fields, and not the words of a prompt with a colon in them."""
    return found.style == "bold" or found.key in ("negative_prompt", *PROMPTS) or is_tool_prompt(found.key)
