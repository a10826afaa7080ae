"""Follows the headings of a file: which act, scene, shot, part or section the next block belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.drafts import Body, SceneDraft, ShotDraft
from kiebatch.scenefile.markdown.headings import Heading
from kiebatch.scenefile.markdown.prose import Block, Placed

if TYPE_CHECKING:
    from kiebatch.scenefile.markdown.reader import Reader


class Outline:
    """Follows the headings of a file: which act, scene, shot, part or section the next block belongs to."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.page = reader.page
        self.scene: SceneDraft | None = None
        self.shot: ShotDraft | None = None
        self.shot_level = 0
        self.group, self.group_level, self.group_deeper = "", 0, False
        self.section: list[Block] | None = None
        self.section_level = 0
        self.target = reader.notes  # what the blocks below this heading fill
        self.label = ""  # the key that this heading is
        self.aside = False  # this heading is the writer's own
        self.nearly: Where | None = None
        self.titled = False
        self.pending: list[Block] = []

    def take(self, block: Block) -> None:
        if block.kind != "heading":
            (self.pending if self.section is None else self.section).append(block)
        elif self.section is not None and self._stays_in_section(block):
            self.section.append(block)
        else:
            self._heading(block)

    def flush(self) -> None:
        """Read the blocks below the last heading."""
        if self.pending and self.scene is None:
            self.reader.outside.read(self.pending, self.group, self.nearly)
        elif self.pending:
            scene = self.scene if self.shot is None else None
            if self.aside and self.nearly:
                self.reader.outside.warn_quotes(self.pending, self.nearly)
            self.reader.bodies.read(
                self.pending, self.target, scene=scene, aside=self.aside, label=self.label
            )
        self.pending = []

    def _stays_in_section(self, block: Block) -> bool:
        return block.level > self.section_level and self.reader.heading(block, "top").kind != "scene"

    def _depth(self, block: Block) -> str:
        """Return what a heading is part of."""
        if self.scene is not None and block.level > self.scene.level:
            return "scene"
        return "group" if self.group and block.level > self.group_level else "top"

    def _heading(self, block: Block) -> None:
        self.flush()
        depth = self._depth(block)
        heading = self.reader.heading(block, depth)
        at = self.page.start(block)
        self.label, self.aside = "", False
        self.nearly = at if heading.nearly else None
        if self.scene is not None and self._opens_shot(self.scene, heading, block.level):
            self.shot = ShotDraft(
                heading.id,
                Body(at),
                at,
                title=heading.title,
                duration=heading.duration,
                skip=heading.struck,
                exact=heading.exact,
            )
            self.scene.shots.append(self.shot)
            self.shot_level, self.target = block.level, self.shot.body
        elif heading.kind in ("scene", "shot"):
            self._open_scene(heading, block.level, at)
        elif depth == "scene" and self.scene is not None:
            self._open_inner(self.scene, heading, block, at)
        else:
            self._open_other(heading, block, at)

    def _opens_shot(self, scene: SceneDraft, heading: Heading, level: int) -> bool:
        if heading.numbered:  # below a scene without a prompt of its own
            return level > scene.level and not scene.body.asks
        if heading.inner:  # frames in a scene are its shots, unless the scenes themselves are frames
            return level > scene.level and not scene.of_frames
        return heading.kind == "shot" and not scene.of_shots and level >= scene.level

    def _open_scene(self, heading: Heading, level: int, at: Where) -> None:
        if self.group and level <= self.group_level and (self.group_deeper or level < self.group_level):
            self.group = ""
        self.group_deeper = self.group_deeper or level > self.group_level
        self.section, self.shot = None, None
        self.scene = SceneDraft(
            heading.id,
            Body(at),
            at,
            title=heading.title,
            duration=heading.duration,
            skip=heading.struck,
            exact=heading.exact,
            group=self.group,
            level=level,
            of_shots=heading.kind == "shot",
            of_frames=heading.inner,
            by_words=heading.numbered and isinstance(heading.id, str) and not heading.id[:1].isdecimal(),
        )
        self.target = self.scene.body
        self.reader.scenes.append(self.scene)

    def _open_inner(self, scene: SceneDraft, heading: Heading, block: Block, at: Where) -> None:
        """A heading inside a scene that opens neither scene nor shot: a part, a key, or the writer's own."""
        if block.level <= self.shot_level:
            self.shot = None
        self.target = owner = self.shot.body if self.shot is not None else scene.body
        if heading.kind == "part":
            self.target = owner.parts.setdefault(heading.name, Body(at))
        elif heading.kind == "label":
            self.label = heading.name
        else:
            self.aside = True
            owner.note(self.page.source(block.first, block.last), at)

    def _open_other(self, heading: Heading, block: Block, at: Where) -> None:
        """A heading outside of scenes: an act, a section, the title, or a note."""
        self.scene, self.shot, self.section = None, None, None
        self.target = self.reader.notes
        if heading.kind == "group":
            self.group, self.group_level, self.group_deeper = heading.text, block.level, False
        elif heading.kind == "section":
            self.section, self.section_level = [], block.level
            self.reader.sections.append((heading.name, at, self.section))
        elif block.level == 1 and not self.titled and heading.text:
            self.titled = True
            self.reader.top.setdefault("title", Placed(heading.text, at))
        else:
            if block.level <= self.group_level:
                self.group = ""
            self.reader.notes.note(self.page.source(block.first, block.last), at)
