"""Answers as tables or JSON on stdout; progress, warnings and errors on stderr."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import typer

from kiebatch import files
from kiebatch.ci import announce
from kiebatch.cli import next_steps, streams
from kiebatch.errors import Exit, Problem, counted, plain
from kiebatch.model import JSON, USD_PER_CREDIT, as_mapping


def answer(value: JSON, text: str | Callable[[], str], *, as_json: bool, code: Exit = Exit.OK) -> None:
    """Print an answer on stdout: the JSON document, or the text that says the same.

    Where the command will leave with another `code` than 0, what to do next follows: as `next`, or as hints on stderr.
    """
    if as_json:
        streams.json_document(with_next(value, code))
        return
    said = text() if callable(text) else text
    if said:
        streams.answer(said)
    if code:
        for step in next_steps.unsaid(as_mapping(value)):
            say(str(step))


def with_next(value: JSON, code: Exit) -> JSON:
    """Return an answer with what to do next, where it leaves something to do."""
    if not isinstance(value, Mapping):
        return value
    steps = next_steps.after(value, succeeded=not code)
    return value if steps is None else {**value, "next": [step.as_json() for step in steps]}


def say(message: str) -> None:
    """Say something to the person, on stderr.  In a CI job no line of it is a command."""
    streams.say(message)


def warn(problems: Iterable[Problem]) -> None:
    """Say problems on stderr; warnings of one place and kind are said once, with how many more there are."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    for number, problem in enumerate(problems):
        alike = (problem.where, problem.code, problem.hint) if problem.severity == "warning" else number
        groups.setdefault((alike,), []).append(problem)
    for first, *more in groups.values():
        if more:
            first = dataclasses.replace(first, message=f"{first.message} (and {len(more)} more like it)")
        say(str(first))
        announce.problems([first.as_json()])


def warn_briefly(problems: Sequence[Problem], scene_file: Path | None) -> None:
    """Say in one line how many warnings a scene file has; those of other files as they are."""
    name = files.shown(scene_file) if scene_file else ""
    own = [problem for problem in problems if name and problem.where.file == name]
    warn(problem for problem in problems if not name or problem.where.file != name)
    if own:
        them = "it" if len(own) == 1 else "them"
        said = f"{plain(name)}: {counted(len(own), 'warning')}"
        say(f"{said}; `kiebatch validate {plain(name)}` shows {them}")
        announce.problems([problem.as_json() for problem in own])


def leave(code: Exit) -> None:
    """End the command with an exit code."""
    if code:
        raise typer.Exit(int(code))


def table(rows: Sequence[Sequence[object]], head: Sequence[str], *, right: Sequence[int] = ()) -> str:
    """Return rows as aligned columns; `right` are the columns whose cells are aligned to the right."""
    cells = [[plain(c) for c in row] for row in rows]
    widths = [max(_width(r[i]) for r in [list(head), *cells]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        parts = []
        for i, cell in enumerate(row):
            space = " " * (widths[i] - _width(cell))
            parts.append(space + cell if i in right else cell + space)
        return "  ".join(parts).rstrip()

    return "\n".join([line(list(head)), *(line(r) for r in cells)])


def _width(text: str) -> int:
    """Return how many columns a text takes: East Asian wide characters take two."""
    if text.isascii():
        return len(text)
    import unicodedata

    others = [c for c in text if c > "\x7f"]
    bases = [c for c in others if not unicodedata.combining(c)]
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in bases)
    return len(text) - (len(others) - len(bases)) + wide


def short(text: str, width: int = 48) -> str:
    text = " ".join(plain(text).split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def number(value: float | None) -> str:
    """Return credits as a person writes them: no `.0`, and `?` where nobody knows."""
    return "?" if value is None else f"{value:,.4f}".rstrip("0").rstrip(".")


def dollars(credits: float) -> str:
    """Return what credits cost: `$1.92`; fractions of a cent are shown as such."""
    amount = credits * USD_PER_CREDIT
    return f"${amount:.2f}" if amount >= 0.01 or not amount else f"${amount:.3f}"


def ask(question: str) -> bool:
    """Ask a yes-or-no question on the terminal; no is the default."""
    return typer.confirm(question, err=True, default=False)


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return streams.is_terminal(sys.stdin) and streams.is_terminal(sys.stderr)


def in_ci() -> bool:
    return bool(os.environ.get("CI"))
