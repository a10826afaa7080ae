"""Turns a SCENES.md into the same Document that the YAML form would give.

The grammar is that of docs/scenes-markdown.md.  Four principles decide every doubtful case: only marked text is ever
sent; ids come from headings and are never counted; the writer's file is never edited; whatever this form says, the
YAML form can say too.

Reading goes in three steps.  `prose` lets markdown-it-py cut the text into blocks with line numbers; `reader` gathers
what is marked below each heading (`headings` tells what a heading is, `labels` knows the words of nine languages);
`assembly` builds the values of the YAML form from that.  `joining` brings two files of one film together.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kiebatch.errors import Problem, Where
from kiebatch.model import JSON, Document, as_list, as_mapping, under
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown import reader as reading
from kiebatch.scenefile.markdown.assembly import Assembly
from kiebatch.scenefile.markdown.drafts import PROMPTS, ROLES, SOUNDS
from kiebatch.scenefile.markdown.headings import Headings
from kiebatch.scenefile.markdown.joining import joined
from kiebatch.scenefile.markdown.prose import Block, document_of, escaped
from kiebatch.scenefile.markdown.settling import settle

EXAMPLE = """## Scene 1: Arrival
- **Model**: nano-banana-2
- **Prompt**: A small boat nears the lighthouse at dusk"""

_NEARLY = ("near-prompt", "outside-scene", "unmarked", "not-indented")
Reading = tuple[Document, list[Problem]]


def read(text: str, file: str) -> Reading:
    """Return the Document of a Markdown scene file, and every problem of its form in file order.

    The value is exactly that of the YAML form.  A file without anything to send has the one error `no-prompt`,
    which says so with an example; nothing is raised.
    """
    with _without_collector():
        return _assembled(reading.read(text, file))


def read_table(
    rows: Sequence[Sequence[str]], row_lines: Sequence[int], lines: Sequence[str], file: str
) -> Reading:
    """Return the Document of a table of shots from elsewhere, by the rules of a table in a Markdown scene file.

    The first of `rows` names the columns; cells are plain text.  `row_lines` has the line of each row in `lines`.
    """
    cells = [[escaped(" ".join(cell.split())) for cell in row] for row in rows]
    block = Block("table", 0, len(lines), rows=cells, row_lines=list(row_lines))
    with _without_collector():
        return _assembled(reading.Reader(lines, file, [block], reading.Manner()))


def _assembled(reader: reading.Reader) -> Reading:
    assembly = Assembly(reader)
    root = assembly.root()
    settle(root)
    return _checked(document_of(root, reader.file, assembly.visuals), reader.problems.found)


def join(readings: Sequence[Reading]) -> Reading:
    """Join what `read` gave for files of one film, by scene id: the plan wins, and conflicts are warnings.

    The plan is the file with `plan` in its name, else the last one.  The whole goes by the name of the other.
    """
    with _without_collector():
        whole, conflicts = joined([document for document, _ in readings])
        problems = [p for _, found in readings for p in found if p.code != "no-prompt"]
        return _checked(whole, [*problems, *conflicts])


def looks_like(text: str) -> bool:
    """Whether a text is Markdown rather than YAML, by its content alone.

    `kiebatch:` or `scenes:` at the left edge, outside front matter, is YAML; a heading that opens a scene is
    Markdown; else the commoner marks decide.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    front = re.match(r"---[ \t]*\n(?:.*\n)*?---[ \t]*(?:\n|$)", text)
    if front:
        text = text[front.end() :]
    if re.search(r"(?m)^(?:kiebatch|scenes)[ \t]*:", text):
        return False
    headings = re.findall(r"(?m)^#{1,6}[ \t]+(\S.*)$", text)
    words = Headings({})
    if any(words.opens(heading) for heading in headings[:2000]):
        return True
    marks = len(headings) + len(re.findall(r"(?m)^(?:[-*+][ \t]+\*\*|>[ \t]|```|\|.*\|)", text))
    keys = len(re.findall(r"(?m)^\s*(?:-\s+)?[\w.-]+:(?:\s|$)", text))
    return bool(text.strip()) if front else marks > keys


def asks_for_something(value: JSON) -> bool:
    """Whether a document holds any prompt, or a shot that needs none."""
    spoken = bool(under(value, "defaults", "audio", "model"))
    scenes = map(as_mapping, as_list(under(value, "scenes")))
    return any(_scene_asks(scene, spoken=spoken) for scene in scenes)


def _scene_asks(scene: Mapping[str, JSON], *, spoken: bool) -> bool:
    """`spoken`: the file names a model for its sounds."""
    shots = map(as_mapping, as_list(scene.get("shots")))
    if any(_shot_asks(shot) for shot in (scene, *shots)):
        return True
    sounds = [scene[name] for name in SOUNDS if scene.get(name)]
    return any(spoken or under(sound, "model") for sound in sounds)


def _shot_asks(shot: Mapping[str, JSON]) -> bool:
    return bool(shot.get("prompt")) or bool(shot.get("model") and any(role in shot for role in ROLES))


def _checked(document: Document, problems: Sequence[Problem]) -> Reading:
    if not asks_for_something(document.value) and not any(_worth_saying(p) for p in problems):
        # One sentence: the file is another program's, or not begun; and the lines that nearly were prompts.
        return document, [_refusal(document), *(p for p in _in_order(problems) if p.code in _NEARLY)]
    return document, _in_order(problems)


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda p: (p.where.file, p.where.line, p.where.column))


def _worth_saying(problem: Problem) -> bool:
    """Whether an error says why a file without prompts has none, rather than what a foreign file does otherwise."""
    near = re.search(r"did you mean `([^`]+)`", problem.hint)
    meant = labels.KEYS.get(labels.canonical(near.group(1)), "") if near else ""
    return problem.severity == "error" and (problem.code != "unknown-key" or meant in PROMPTS)


def _refusal(document: Document) -> Problem:
    known = (
        "has scenes, but no prompt in any of them" if under(document.value, "scenes") else "holds no scene"
    )
    return Problem(
        where=Where(document.file),
        message=f"this file {known}, so there is nothing to make",
        hint=f"the smallest one is\n{EXAMPLE}",
        code="no-prompt",
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Reading makes a million small values that live to its end; searching them for rubbish took half of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
