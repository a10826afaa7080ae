"""Reads a table of shots that a spreadsheet saved: CSV or TSV, one row a shot, columns known by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kiebatch.errors import Problem, Where
from kiebatch.model import Document
from kiebatch.scenefile import markdown, separated
from kiebatch.scenefile.intake.reading import Taken
from kiebatch.scenefile.markdown import labels

_PROMPTS = ("prompt", "image_prompt", "video_prompt", "visual")


def looks_like(text: str) -> bool:
    """Whether the first row names two columns or more, and a scene file knows one of them.  Cheap for other files."""
    head = text.lstrip("\n\r")[:4000].partition("\n")[0]
    if head.lstrip()[:1] in ("#", "-", "|", "{", "[", ">") or ": " in head:
        return False
    names = separated.cells(head)
    return len(names) > 1 and any(_meaning(name) in (*_PROMPTS, "id", "scene") for name in names)


def is_table_of_prompts(text: str) -> bool:
    """Whether a table holds prompts that a shot list of a script has no column for, or names no scenes."""
    text = text.removeprefix("\ufeff")
    if not looks_like(text):
        return False
    head = text.lstrip("\n\r").partition("\n")[0]
    names = separated.cells(head)
    meanings = [_meaning(name) for name in names]
    prompts = [name for name, meaning in zip(names, meanings, strict=True) if meaning in _PROMPTS]
    in_other_words = any(name.strip().lower() != "prompt" for name in prompts)
    return bool(prompts) and (in_other_words or "scene" not in meanings)


def read(text: str, file: str) -> Taken:
    """Return the scene file of a table.  Rows without an id are numbered when no column holds ids."""
    rows, row_lines = _rows(text, file)
    head = [name.strip() for name in rows[0]]
    meanings = [_meaning(name) for name in rows[0]]
    problems = [*_wide_rows(rows, row_lines, file), *_without_prompts(head, meanings, file)]
    if problems:
        empty = Document(value={"kiebatch": 1, "scenes": []}, places={}, file=file)
        return Taken(document=empty, problems=tuple(problems))
    said = [_said(name, meaning) for name, meaning in zip(head, meanings, strict=True) if name]
    if not {"id", "scene"} & set(meanings):
        rows = [["#", *rows[0]], *([str(n), *row] for n, row in enumerate(rows[1:], 1))]
        said.append("no column holds ids: the rows are numbered from 1")
    document, found = markdown.read_table(rows, row_lines, text.splitlines(), file)
    return Taken(document=document, problems=tuple(found), said=tuple(said))


def _rows(text: str, file: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows that are not empty, and the line at which each begins, from 0."""
    full = [row for row in separated.rows(text, file) if any(cell.strip() for cell in row.cells)]
    return [row.cells for row in full], [row.line - 1 for row in full]


def _wide_rows(rows: Sequence[Sequence[str]], row_lines: Sequence[int], file: str) -> Iterator[Problem]:
    """Yield a problem for each row that says more than the first has names for."""
    width = len(rows[0])
    for row, line in zip(rows, row_lines, strict=True):
        if any(cell.strip() for cell in row[width:]):
            message = f"this row has {len(row)} cells, and the first has {width}"
            yield _problem(file, line, message, "check its quotes")


def _without_prompts(head: Sequence[str], meanings: Sequence[str], file: str) -> Iterator[Problem]:
    if not any(meaning in _PROMPTS for meaning in meanings):
        named = ", ".join(f"`{name}`" for name in head)
        hint = "call it Prompt, Visual, Image prompt or Video prompt"
        yield _problem(file, 0, f"no column holds prompts; the columns are {named}", hint)


def _meaning(name: str) -> str:
    """Return what a column is for: `id`, `scene`, `time`, a key of a scene file, or nothing."""
    text = labels.canonical(name) if name.strip() != "#" else "#"
    if text in labels.LATER_ID_COLUMNS:
        return "id"
    return labels.COLUMNS.get(text) or labels.KEYS.get(text, "") or _tool(text)


def _tool(text: str) -> str:
    return next(
        (f"{kind}_prompt" for kind, pattern in labels.TOOL_PROMPTS.items() if pattern.fullmatch(text)), ""
    )


def _said(name: str, meaning: str) -> str:
    if not meaning:
        return f"`{name}` is kept as a note"
    words = {"id": "the ids", "scene": "the scene", "time": "the length"}
    return f"`{name}` is {words.get(meaning, meaning.replace('_', ' '))}"


def _problem(file: str, line: int, message: str, hint: str) -> Problem:
    return Problem(where=Where(file, line + 1, 1), message=message, hint=hint, code="ambiguous")
