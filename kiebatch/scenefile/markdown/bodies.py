"""Gathers what is marked in the blocks below one heading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kiebatch.errors import Where
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body, Entry, SceneDraft
from kiebatch.scenefile.markdown.fields import LISTS, Fields
from kiebatch.scenefile.markdown.keys import is_tool_prompt
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
            at = self.page.start_of(max(0, blocks[0].first - 1))
            state.waiting = Entry("bold", label, label, at, [], blocks[0].first, blocks[0].first)
        for block in blocks:
            if not self._is_value(block, body, state, label=label, aside=aside):
                self._block(block, body, state, scene=scene, aside=aside)
        if state.waiting is not None and not label:
            self.fields.close(state.waiting, body)
        elif state.waiting is not None and label in PROMPTS and not any(p in body.fields for p in PROMPTS):
            self.marks.unmarked(f"`{label}`", state.waiting.at)

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

    def _paragraph(self, block: Block, body: Body, *, flat: bool) -> tuple[Entry | None, bool]:
        """Read a paragraph; return the entry that waits for its value below, and whether it held fields."""
        lines = self.page.content(block)
        plain = flat and self._is_flat(lines)
        entries, loose = self._entries(lines, block.first, flat=plain, indent=None)
        if entries:
            self._loose(block, loose, body)
            for entry in entries[:-1]:
                self.fields.apply(entry, [], body)
            last = entries[-1]
            if not last.raw and (last.key or last.style != "plain"):
                return last, True
            self.fields.apply(last, [], body)
            return None, True
        images = self.take_images(block, body)
        text = lines[-1][0]
        found = self.keys.entry(text, True)
        if found and found[2] and not found[3].strip():  # prose that ends in a line that says `Prompt:`
            body.note(self.page.source(block.first, block.last - 1), self.page.start(block))
            where = lines[-1][1]
            return Entry("plain", found[1], found[2], where, [], block.last - 1, block.last), False
        if not images:
            body.note(self.page.source(block.first, block.last), self.page.start(block))
        return None, False

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
            if len(found[1].split()) > 4:
                return known
            known = known or bool(found[2]) or found[0] == "code"
            known = known or (found[0] == "plain" and bool(self.keys.misspelt(found[1], 5)))
        return known

    def read_list(self, block: Block, body: Body) -> Entry | None:
        """Read a list of fields; return the last one when its value may follow below the list."""
        waiting: Entry | None = None
        for i, item in enumerate(block.children):
            waiting = None
            children = item.children
            if not children or children[0].kind != "para":
                body.note(self.page.source(item.first, item.last), self.page.start(item), tight=True)
                continue
            paragraph = children[0]
            lines = self.page.content(paragraph)
            entries, loose = self._entries(
                lines, paragraph.first, flat=False, indent=self.page.indent(item.first)
            )
            if not entries or (entries[0].style == "plain" and not self._is_ours(entries[0])):
                if entries and labels.NEAR_PROMPT.search(entries[0].label.strip()):
                    self.fields.warn_near_prompt(entries[0].label, entries[0].at)
                if not (len(children) == 1 and self.take_images(paragraph, body)):
                    body.note(self.page.source(item.first, item.last), self.page.start(item), tight=True)
                continue
            self._loose(paragraph, loose, body)
            for entry in entries[:-1]:
                self.fields.apply(entry, [], body)
            last = entries[-1]
            rest = children[1:]
            if not last.raw and not rest and i == len(block.children) - 1:
                waiting = last
            else:
                self.fields.apply(last, rest, body)
        return waiting

    def _is_ours(self, entry: Entry) -> bool:
        return bool(entry.key) or bool(self.keys.misspelt(entry.label, 5))

    def _quote(self, block: Block, body: Body, *, aside: bool) -> None:
        first = block.children[0] if block.children else None
        text = first.text if first and first.kind == "para" else ""
        found = self.keys.entry(text.split("\n")[0], True)
        if self.marks.is_callout(block):
            body.note(self.page.source(block.first, block.last), self.page.start(block))
        elif found and (
            found[0] == "bold" or found[2] in ("negative_prompt", *PROMPTS) or is_tool_prompt(found[2])
        ):
            if not found[2] and aside:
                body.note(self.page.source(block.first, block.last), self.page.start(block))
            else:
                self.read(block.children, body, scene=None)
        elif aside:
            body.note(self.page.source(block.first, block.last), self.page.start(block))
        elif self.marks.bare_quotes:
            words = self.marks.quoted(block, body)
            if words is not None:
                self.marks.enter(body, "prompt", words)
        else:
            body.note(self.page.source(block.first, block.last), self.page.start(block))
            self.marks.problems.warning(
                self.page.start(block),
                "this quote has no label, and other prompts of the file have one, so it is not sent",
                hint="write `**Prompt:**` above it to have it sent",
                code="near-prompt",
            )

    def _fence(self, block: Block, body: Body) -> None:
        key = self.marks.fence_key(block)
        if not key:
            body.note(self.page.source(block.first, block.last), self.page.start(block))
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
        if block.kind == "list":
            if entry.key not in (*LISTS, "dialogue") or not entry.label:
                return False
            items = [c.children[0] for c in block.children if c.children and c.children[0].kind == "para"]
            if len(items) < len(block.children) or any(self.keys.entry(i.text, False) for i in items):
                return False
        self.fields.apply(entry, [block], body)
        return True

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
            found = self.keys.entry(text, flat or (i == 0 and indent is not None))
            if i and found and found[0] == "plain" and not flat:
                found = None
            if found and found[0] == "code" and i and indent is not None:
                found = None
            if found:
                style, label, key, rest = found
                column = where.column + len(text) - len(rest) + len(rest) - len(rest.lstrip())
                value = (rest.strip(), Where(self.page.file, where.line, column))
                entries.append(Entry(style, label, key, where, [value], first + i, first + i + 1))
                continue
            width = self.page.indent(first + i)
            unlike = entries[-1].style == "plain" and flat and width == 0 if entries else False
            if entries and not unlike and not (indent is not None and width <= indent):
                entries[-1].lines.append((text, where))
                entries[-1].last = first + i + 1
            elif entries and text.strip():
                loose.append(i)
                self.marks.problems.warning(
                    where,
                    "this line is not indented, so it is a note and not part of the line above",
                    hint="indent it to make it part of the value, or leave an empty line between",
                    code="not-indented",
                )
            else:
                loose.append(i)
        return entries, loose
