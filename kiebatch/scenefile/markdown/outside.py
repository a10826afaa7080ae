"""Reads what belongs to no scene: tables of shots make scenes, the rest are notes.  A marked prompt is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.drafts import Body
from kiebatch.scenefile.markdown.keys import is_tool_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.prose import Block, inline, is_nothing
from kiebatch.scenefile.markdown.tables import Tables

_SENT = ("prompt", "image_prompt", "video_prompt")
_PICTURE = r"[^\s\"“”]+\.(?:png|jpe?g|webp|gif|mp4|mov|webm|wav|mp3)"
# `hero.png: "A boat at dusk"`: a prompt in quotes beside the name of the picture that it is for.
_NAMED_PICTURE = re.compile(rf"(?i)^[`*_]*({_PICTURE})[`*_]*\s*[:–—-]\s*[`*_]*\s*[\"“”].{{3,}}[\"“”]\s*$")


class Outside:
    """Reads the blocks of one file that belong to no scene."""

    def __init__(self, marks: Marks, tables: Tables, notes: Body) -> None:
        self.marks = marks
        self.page = marks.page
        self.tables = tables
        self.notes = notes

    def read(self, blocks: Sequence[Block], group: str, nearly: Where | None) -> None:
        """Read the blocks below one heading; `nearly` is its place when it begins like that of a scene."""
        if nearly:
            self.warn_quotes(blocks, nearly)
        for block in blocks:
            if block.kind == "table" and self.tables.read_outside(block, group):
                continue
            self._warn(block)
            if block.kind != "hr":
                self.notes.note(self.page.source(block.first, block.last), self.page.start(block))

    def warn_quotes(self, blocks: Sequence[Block], heading: Where) -> None:
        """Name a heading that a writer may take for a scene, where a quote below it is not sent."""
        if any(block.kind == "quote" and not self.marks.is_callout(block) for block in blocks):
            self.marks.problems.warning(
                heading,
                "this heading opens no scene, so the quote below it is not sent",
                hint="a short id of letters and digits follows the word, as in `## Scene 12A: Arrival`",
                code="outside-scene",
            )

    def _warn(self, block: Block) -> None:
        for where in self._marked(block):
            self.marks.problems.warning(
                where,
                "this prompt is in no scene, so it is not sent",
                hint="put it below a heading such as `## Scene 1: Arrival`",
                code="outside-scene",
            )
        for where, name in self._beside_names(block):
            self.marks.problems.warning(
                where,
                f"the words beside `{name}` look like its prompt, and are not sent",
                hint=f"write `## Scene 1`, below it `> the words` and `- **Output**: {name}`",
                code="near-prompt",
            )

    def _marked(self, block: Block) -> Iterator[Where]:
        """Yield the places of prompts in a block, however they are labelled."""
        if block.kind == "fence" and self.marks.fence_key(block) in _SENT:
            yield self.page.start(block)
        if block.kind == "para":
            for text, where in self.page.content(block):
                if self._is_prompt(text):
                    yield where
        for child in block.children if block.kind in ("list", "item", "quote") else ():
            yield from self._marked(child)

    def _is_prompt(self, line: str) -> bool:
        entry = self.marks.keys.entry(line, True)
        if not entry:
            return False
        _, _, key, rest = entry
        return (key in _SENT or is_tool_prompt(key)) and not (rest.strip() and is_nothing(inline(rest)[0]))

    def _beside_names(self, block: Block) -> Iterator[tuple[Where, str]]:
        if block.kind == "para":
            for text, where in self.page.content(block):
                if match := _NAMED_PICTURE.match(text):
                    yield where, match.group(1)
        for child in block.children if block.kind in ("list", "item") else ():
            yield from self._beside_names(child)
