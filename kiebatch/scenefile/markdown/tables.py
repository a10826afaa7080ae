"""Makes shots of the rows of a table: one column holds the ids, one the words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kiebatch.errors import Where
from kiebatch.scenefile.durations import seconds_in_a_time_column
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body, Entry, SceneDraft, ShotDraft
from kiebatch.scenefile.markdown.fields import Fields
from kiebatch.scenefile.markdown.headings import ID
from kiebatch.scenefile.markdown.keys import is_tool_prompt
from kiebatch.scenefile.markdown.prose import Block, Placed, code_span, identity, inline, scalar, tidy

_PREFIX = re.compile(r"(?i)^(?:scene|shot|frame)\s*#?\s*|^#\s*")
# `1: Arrival` and `2b – the wide one`: a numbered id with a title behind it.  A word of a sentence is never one.
_TITLED = re.compile(r"((?:[A-Za-z]{0,2}\d+[A-Za-z]?(?:[.-]\d+)*)|[A-Za-z])\s*(?:[:.)\]|·]|[-–—]\s|\()")
_ID_COLUMNS = "`#`, `ID`, `Shot`, `Slot`, `Nr`, `Ref`, `Clip` or `Key`"


@dataclass(frozen=True, slots=True)
class Column:
    """A column by what it means: `id`, `scene`, `time`, `param`, a key, or nothing for a note."""

    meaning: str
    label: str


@dataclass(slots=True)
class Row:
    """What one row of a table says."""

    at: Where
    body: Body
    ids: dict[str, int | str] = field(default_factory=dict)  # by `id` and `scene`
    timed: Placed | None = None  # the length in a column of times, which a `Duration` beats

    @property
    def id(self) -> int | str:
        return self.ids.get("id", self.ids.get("scene", ""))


class Tables:
    """Reads the tables of one file.  Rows that belong to no scene become scenes of their own in `scenes`."""

    def __init__(self, fields: Fields, scenes: list[SceneDraft]) -> None:
        self.fields = fields
        self.marks = fields.marks
        self.page = fields.page
        self.scenes = scenes

    def read(self, block: Block, scene: SceneDraft | None) -> bool:
        """Make shots of a table in a scene; False when the table lists none, or there is no scene."""
        columns = self._columns(block)
        if columns is None:
            return False
        if scene is None:
            self.marks.problems.warning(
                self.page.start(block),
                "the prompts of this table are in no scene, so they are not sent",
                hint="put the table below a heading of its own, or of a scene",
                code="outside-scene",
            )
            return False
        for row in self._rows(block, columns):
            scene.shots.append(ShotDraft(row.id, row.body, row.at, table_row=True))
        return True

    def read_outside(self, block: Block, group: str) -> bool:
        """Make scenes of a table outside of scenes: one a row, or the one that a column names."""
        columns = self._columns(block)
        if columns is None:
            return False
        for row in self._rows(block, columns):
            if {"id", "scene"} <= set(row.ids):
                self._owner(row, group).shots.append(
                    ShotDraft(row.ids["id"], row.body, row.at, table_row=True)
                )
            else:
                self.scenes.append(SceneDraft(row.id, row.body, row.at, group=group, of_shots=True))
        return True

    def _owner(self, row: Row, group: str) -> SceneDraft:
        scene_id = row.ids["scene"]
        for scene in self.scenes:
            if scene.id == scene_id and scene.table_row:
                return scene
        self.scenes.append(SceneDraft(scene_id, Body(row.at), row.at, group=group, table_row=True))
        return self.scenes[-1]

    # -- columns

    def _columns(self, block: Block) -> list[Column] | None:
        """Return the columns of a table that lists shots, else None.  One that nearly does is a warning."""
        if not block.rows:
            return None
        columns = [self._column(cell) for cell in block.rows[0]]
        if not any(column.meaning in PROMPTS or is_tool_prompt(column.meaning) for column in columns):
            return None
        columns = _with_ids(columns, block.rows[1:])
        if not {"id", "scene"} & {column.meaning for column in columns}:
            self._warn_no_ids(block, columns)
            return None
        return columns

    def _column(self, cell: str) -> Column:
        text = tidy(inline(cell)[0])
        name = labels.canonical(text) if text != "#" else "#"
        if cell.strip().startswith("`") and cell.strip().endswith("`"):
            return Column("param", text)
        return Column(labels.COLUMNS.get(name) or self.fields.keys.key(text), text)

    def _warn_no_ids(self, block: Block, columns: Sequence[Column]) -> None:
        named = ", ".join(f"`{column.label}`" for column in columns if column.label)
        self.marks.problems.warning(
            self.page.start(block),
            f"no column of this table holds ids, so nothing in it is sent; the columns are {named}",
            hint=f"name the column with one short word a row {_ID_COLUMNS}",
            code="near-prompt",
        )

    # -- rows

    def _rows(self, block: Block, columns: Sequence[Column]) -> list[Row]:
        found: list[Row] = []
        told = False
        for cells, line in zip(block.rows[1:], block.row_lines[1:], strict=False):
            if not any(cell.strip() for cell in cells):
                continue
            row = Row(self.page.start_of(line), Body(self.page.start_of(line)))
            bad = self._fill(row, columns, cells, line)
            if bad is not None and not told:
                told = True
                self._refuse_id(bad, columns)
            if row.ids:
                found.append(row)
            elif bad is None and any(p in row.body.fields for p in PROMPTS):
                message = "this row has a prompt and no id"
                self.marks.problems.error(row.at, message, hint="number it", code="missing")
        return found

    def _fill(
        self, row: Row, columns: Sequence[Column], cells: Sequence[str], line: int
    ) -> tuple[Column, Placed] | None:
        """Take the cells of a row; return the first that should be an id and is none."""
        bad: tuple[Column, Placed] | None = None
        position = 0
        for column, written in zip(columns, cells, strict=False):
            cell = written.strip()
            at = self.page.lines[line].find(cell, position) if cell else -1
            if at >= 0:
                position = at + len(cell)
            where = self.page.place(line, max(0, at))
            if column.meaning in ("id", "scene") and cell:
                ident = ident_of(cell)
                if ident is not None:
                    row.ids[column.meaning] = ident
                elif bad is None:
                    bad = column, Placed(tidy(inline(cell)[0]), where)
            elif cell:
                self._take_cell(row, column, cell, where, line)
        if row.timed:
            row.body.fields.setdefault("duration", row.timed)
        return bad

    def _take_cell(self, row: Row, column: Column, cell: str, where: Where, line: int) -> None:
        body = row.body
        if column.meaning == "param":
            body.params[column.label] = scalar(code_span(cell), where)
        elif column.meaning == "time":
            length = seconds_in_a_time_column(inline(cell)[0])
            if length is None:
                body.note(f"{column.label}: {cell}", where, tight=True)
            else:
                row.timed = Placed(length, where, where)
        elif column.meaning:
            entry = Entry("plain", column.label, column.meaning, where, [(cell, where)], line, line + 1)
            self.fields.apply(entry, [], body)
        else:
            body.note(f"{column.label}: {cell}", where, tight=True)

    def _refuse_id(self, bad: tuple[Column, Placed], columns: Sequence[Column]) -> None:
        column, cell = bad
        named = ", ".join(f"`{c.label}`" for c in columns if c.label)
        self.marks.problems.error(
            cell.where,
            f"the column `{column.label}` holds the ids, and `{cell.value}` is not an id",
            hint=f"an id is one short word such as 1, 2b or b-lamp. Of the columns here ({named}) the first that is "
            f"called {_ID_COLUMNS} holds it",
            code="bad-id",
        )


def ident_of(cell: str) -> int | str | None:
    """Return the id that a cell is as a whole, or that a number in front of its title is; None for other text."""
    text = _PREFIX.sub("", tidy(inline(cell)[0]))
    if re.fullmatch(ID, text, re.ASCII):
        return identity(text)
    titled = _TITLED.match(text)
    return identity(titled.group(1)) if titled else None


def _with_ids(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[Column]:
    """Decide which column holds the ids: the first that is called so, the rest are notes.

    The names that came later than 0.1 (`Slot`, `Ref`, `Clip`, `Key`) count only where every cell is an id, and where
    no column of the older names holds them.
    """
    found = _without_repeats(columns)
    meanings = {column.meaning: i for i, column in enumerate(found)}
    scene = meanings.get("scene")
    if "id" in meanings or (scene is not None and _all_ids(rows, scene)):
        return found
    ids = _later_ids(found, rows)
    if ids is not None:
        found[ids] = Column("id", found[ids].label)
        if scene is not None:
            found[scene] = Column("", found[scene].label)
    return found


def _without_repeats(columns: Sequence[Column]) -> list[Column]:
    """Return columns of which only the first of ids, of scenes and of times counts; others are notes."""
    found: list[Column] = []
    seen: set[str] = set()
    for column in columns:
        again = column.meaning in ("id", "scene", "time") and column.meaning in seen
        found.append(Column("", column.label) if again else column)
        seen.add(column.meaning)
    return found


def _later_ids(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int | None:
    later = (i for i, c in enumerate(columns) if labels.canonical(c.label) in labels.LATER_ID_COLUMNS)
    return next((i for i in later if _all_ids(rows, i)), None)


def _all_ids(rows: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in rows if column < len(row) and row[column].strip()]
    return bool(cells) and all(ident_of(cell) is not None for cell in cells)
