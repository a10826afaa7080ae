"""Reads a plain text whose lines, or paragraphs, are prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiebatch.errors import Problem, Where
from kiebatch.model import JSON, Document, Path
from kiebatch.scenefile.intake.reading import Taken, TextForm

_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,4}[.)])\s+")


def read(text: str, file: str, form: TextForm) -> Taken:
    """Return one scene for each line or paragraph, numbered from 1.

    A bullet or number in front of a prompt is left out.  A line that begins with `#` is an error: it may be a comment.
    """
    problems: list[Problem] = []
    scenes: list[JSON] = []
    places: dict[Path, Where] = {
        (): Where(file, 1, 1),
        ("kiebatch",): Where(file, 1, 1),
        ("scenes",): Where(file, 1, 1),
    }
    bullets = 0
    for line, written in _pieces(text, form):
        where = Where(file, line, 1)
        if written.lstrip().startswith("#"):
            hint = "take a comment out, or write a prompt without the `#`"
            message = "this may be a comment or a prompt"
            problems.append(Problem(where=where, message=message, hint=hint, code="ambiguous"))
            continue
        prompt = _BULLET.sub("", written).strip()
        bullets += prompt != written.strip()
        n = len(scenes)
        scenes.append({"id": n + 1, "prompt": prompt})
        places |= {("scenes", n): where, ("scenes", n, "id"): where, ("scenes", n, "prompt"): where}
    if not scenes and not problems:
        problems.append(Problem(where=Where(file), message="the file holds no text", code="no-prompt"))
    noun = "line" if form is TextForm.LINES else "paragraph"
    said = [f"each {noun} is a prompt: {len(scenes)} scenes, numbered from 1"]
    said += [f"the bullets or numbers in front of {bullets} of them were left out"] if bullets else []
    document = Document(value={"kiebatch": 1, "scenes": scenes}, places=places, file=file)
    return Taken(document=document, problems=tuple(problems), said=tuple(said))


def _pieces(text: str, form: TextForm) -> Iterator[tuple[int, str]]:
    """Yield each prompt with the line that it begins on; the lines of a paragraph are joined by a blank."""
    lines = text.splitlines()
    if form is TextForm.LINES:
        yield from ((n, line) for n, line in enumerate(lines, 1) if line.strip())
        return
    begun, words = 0, []
    for n, line in enumerate([*lines, ""], 1):
        if line.strip():
            begun = begun or n
            words.append(line.strip())
        elif words:
            yield begun, " ".join(words)
            begun, words = 0, []
