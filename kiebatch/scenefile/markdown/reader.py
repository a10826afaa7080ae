"""Gathers what is marked under each heading of one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kiebatch.errors import Problems, Where
from kiebatch.scenefile.markdown.bodies import Bodies
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body, SceneDraft
from kiebatch.scenefile.markdown.front_matter import FrontMatter
from kiebatch.scenefile.markdown.headings import Heading, Headings, NumberedHeadings
from kiebatch.scenefile.markdown.keys import Keys, is_tool_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.outline import Outline
from kiebatch.scenefile.markdown.outside import Outside
from kiebatch.scenefile.markdown.page import Page
from kiebatch.scenefile.markdown.prose import Block, Placed, block_parser, blocks_of
from kiebatch.scenefile.markdown.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a file is read where its headings leave a choice.

    `title` is the line of a heading that is the film's title although it reads like a scene.
    """

    headings: type[Headings] = Headings
    bare_quotes: bool = True  # a quote without a label is a prompt
    title: int | None = None


def read(text: str, file: str) -> Reader:
    """Read a file in the manner that its headings ask for.

    Numbers and sluglines open scenes only where nothing else does, so that a file with `Scene` headings is read as it
    always was.  There, a quote is a prompt only when no prompt of the file has a label.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines, blocks = text.split("\n"), blocks_of(block_parser().parse(text))
    manner = Manner()
    reader = Reader(lines, file, blocks, manner)
    if reader.title_line is not None:
        manner = replace(manner, title=reader.title_line)
        reader = Reader(lines, file, blocks, manner)
    if reader.scenes:
        return reader
    manner = replace(manner, headings=NumberedHeadings)
    numbered = Reader(lines, file, blocks, manner)
    if numbered.labelled and numbered.bare:
        numbered = Reader(lines, file, blocks, replace(manner, bare_quotes=False))
    asks = any(one.body.asks for scene in numbered.scenes for one in (scene, *scene.shots))
    return numbered if asks else reader


class Reader:
    """Reads one file: front matter, headings, and what is marked below each."""

    def __init__(self, lines: Sequence[str], file: str, blocks: Sequence[Block], manner: Manner) -> None:
        self.file = file
        self.manner = manner
        self.problems = Problems()
        self.top: dict[str, Placed] = {}
        self.notes = Body(Where(file))
        self.sections: list[tuple[str, Where, list[Block]]] = []
        self.scenes: list[SceneDraft] = []
        self.page = Page(file, lines)
        self.keys = Keys(self.problems)
        self.marks = Marks(self.page, self.keys, self.problems)
        self.marks.bare_quotes = manner.bare_quotes
        self.bodies = Bodies(self.marks, lambda block, scene: self.tables.read(block, scene))
        self.tables = Tables(self.bodies.fields, self.scenes)
        self.outside = Outside(self.marks, self.tables, self.notes)
        front = blocks[0] if blocks and blocks[0].kind == "front" else None
        if front is not None:
            FrontMatter(self.marks, self.top, self.notes).read(front)
        self.headings = manner.headings(self.keys.own)
        outline = Outline(self)
        for block in self._mended(blocks[1:] if front else blocks):
            outline.take(block)
        outline.flush()
        self._refuse_sluglines_alike()

    def heading(self, block: Block, depth: str) -> Heading:
        """Return what a heading is; `depth` says where it is: `top`, `group` or `scene`."""
        if block.first == self.manner.title:
            return Heading("other", self.headings.read(block, depth).text)
        return self.headings.read(block, depth)

    def _mended(self, blocks: Sequence[Block]) -> Iterator[Block]:
        """A `---` right below a line of fields is a rule, not the line that makes a heading of them."""
        for block in blocks:
            fields = "\n" in block.text or self.keys.entry(block.text, True)
            if block.kind == "heading" and block.setext and fields:
                yield Block("para", block.first, block.last - 1, text=block.text)
            else:
                yield block

    def _refuse_sluglines_alike(self) -> None:
        """A slugline gets its id from its words, so the second of the same words needs a number."""
        seen: dict[str, SceneDraft] = {}
        for scene in list(self.scenes):
            if not scene.by_words:
                continue
            first = seen.setdefault(str(scene.id), scene)
            if first is scene:
                continue
            self.problems.error(
                scene.where,
                f"a second scene is called `{scene.title}`; the first is at line {first.where.line}",
                hint=f"number it, as in `## 7. {scene.title}`",
                code="duplicate-id",
            )
            self.scenes.remove(scene)

    # -- what the manner of reading depends on

    @property
    def title_line(self) -> int | None:
        """The line of a level-1 heading that reads like a scene and is the title of the deeper scenes below it."""
        first, others = next(iter(self.scenes), None), self.scenes[1:]
        if first is None or "title" in self.top or not _may_be_title(first):
            return None
        if not others or any(scene.level == 1 for scene in others):
            return None
        return first.where.line - 1

    @property
    def labelled(self) -> bool:
        """Whether any prompt of the file has a label."""
        return any(prompt.key is not None for prompt in self._prompts())

    @property
    def bare(self) -> bool:
        """Whether any prompt of the file is a quote without a label."""
        return any(prompt.key is None for prompt in self._prompts())

    def _prompts(self) -> Iterator[Placed]:
        for scene in self.scenes:
            for one in (scene, *scene.shots):
                for body in (one.body, *one.body.parts.values()):
                    yield from (v for k, v in body.fields.items() if k in PROMPTS or is_tool_prompt(k))


def _may_be_title(scene: SceneDraft) -> bool:
    """Whether what opened a scene is a heading of level 1, and nothing could be made of what is below it."""
    opened = scene.level <= 1 and not scene.table_row and not scene.of_shots
    return opened and not scene.shots and _is_empty(scene.body)


def _is_empty(body: Body) -> bool:
    """Whether nothing could be made of a body.  A `## Style` below a title was taken for a key of the scene."""
    return not (body.asks or body.params or body.parts or "model" in body.fields)
