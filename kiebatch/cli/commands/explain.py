"""`kiebatch explain`"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Invalid, plain
from kiebatch.model import JSON, Job, Slot
from kiebatch.planning import Entry, Plan, planning
from kiebatch.project import Opened
from kiebatch.record import results_of
from kiebatch.scenefile import explaining
from kiebatch.scenefile.explaining import Became, Line, PromptPart
from kiebatch.settings import READING

app = typer.Typer()

_OPTIONS = shared.named(
    *("only", "fold_negative", "allow", "allow_unknown_model", "as_json", *READING),
    *("draft", "project", "assets", "state"),
)
_SAID = {
    Became.PROMPT: "sent to the model as words",
    Became.SENT: "part of what the model is asked for",
    Became.WORDS: "words that are sent where a prompt names them",
    Became.MEDIA: "a medium that is sent along",
    Became.BOARD: "for the board and the exports; never sent",
    Became.SETTING: "a setting of kiebatch; never sent",
    Became.EXPECTED: "what a result should be like, judged here; never sent",
    Became.STRUCTURE: "the order of scenes and shots; never sent",
    Became.NOTHING: "a comment or an empty line; never sent",
}
_NEVER = ["notes", "title", "camera", "comments", "order", "blanks at line ends", "tags", "takes beside it"]


@app.command(cls=Command)
@shared.takes(_OPTIONS)
def explain(
    given: shared.Given,
    place: Annotated[
        str,
        typer.Argument(metavar="FILE[:LINE]", help="the scene file, and a line of it", show_default=False),
    ],
) -> None:
    """Show what a line became, what will be sent and why, and what would change it.

    Example: kiebatch explain scenes.yaml:12
    """
    scene_file, number = _place(place)
    opened, chosen = options.open_given(given, scene_file, quiet=True)
    todo = planning.plan(opened, only=given.only, results=results_of(chosen, network=False))
    parts = explaining.parts_by_slot(opened.document, opened.catalogue, opened.options)
    line = explaining.line(opened.document, opened.project, number, parts) if number else None
    wanted = _wanted(todo, line)
    problems = opened.problems
    if number is not None:
        problems = tuple(problem for problem in problems if problem.where.line == number)
    value: dict[str, JSON] = {
        "file": opened.document.file,
        "line": number,
        "became": _line_as_json(line) if line else None,
        "jobs": [_job_as_json(entry, parts.get(slot, ())) for slot, entry in wanted.items()],
        "problems": [problem.as_json() for problem in problems],
    }
    console.answer(value, lambda: _text(opened, line, list(wanted.values()), parts), as_json=given.as_json)


def _wanted(todo: Plan, line: Line | None) -> dict[Slot, Entry]:
    """Return what is selected: of a line, what it has an effect on."""
    found = {entry.slot: entry for entry in todo.entries if entry.selected and entry.job}
    if line is None:
        return found
    return {slot: entry for slot, entry in found.items() if slot in line.slots}


def _place(text: str) -> tuple[Path, int | None]:
    """Return the file and the line of `FILE:LINE`; a file may have a colon in its name."""
    match = re.fullmatch(r"(.+?):(\d+)(?::\d+)?", text)
    if match is None or Path(text).exists():
        return Path(text), None
    if int(match.group(2)) < 1:
        raise Invalid("lines count from 1")
    return Path(match.group(1)), int(match.group(2))


# --- JSON ----------------------------------------------------------------------------------------------


def _line_as_json(line: Line) -> dict[str, JSON]:
    return {
        "kind": str(line.became),
        "meaning": _SAID[line.became],
        "key": line.key or None,
        "scene_id": line.scene,
        "shot": line.shot,
        "value": line.value if isinstance(line.value, str | int | float | bool) else None,
        "slots": [str(slot) for slot in line.slots],
    }


def _job_as_json(entry: Entry, parts: Sequence[PromptPart]) -> dict[str, JSON]:
    job = _job(entry)
    return {
        "slot": str(entry.slot),
        "model": job.model,
        "endpoint": job.endpoint,
        "prompt": job.prompt,
        "parts": [
            {
                "text": part.text,
                "from": str(part.origin),
                "name": part.name or None,
                "file": part.where.file,
                "line": part.where.line or None,
                "column": part.where.column or None,
            }
            for part in parts
        ],
        "input": dict(job.input),
        "defaulted": list(job.defaulted),
        "warnings": list(job.warnings),
        "credits": job.price.as_json(),
        "action": entry.action,
        "reason": entry.reason,
        "changed_by": _changed_by(job),
        "not_changed_by": _NEVER,
    }


def _job(entry: Entry) -> Job:
    assert entry.job is not None  # orphans are left out above
    return entry.job


def _changed_by(job: Job) -> list[str]:
    """Return what would make a new version of a slot, in the words of the scene file."""
    found = ["model"]
    if job.prompt:
        found.append("prompt")
    found += [name for name, value in job.authored.items() if value != job.prompt and name != "prompt"]
    return [*found, *dict.fromkeys(medium.role for medium in job.media)]


# --- text ----------------------------------------------------------------------------------------------


def _text(
    opened: Opened, line: Line | None, entries: Sequence[Entry], parts: Mapping[Slot, Sequence[PromptPart]]
) -> str:
    found: list[str] = []
    if line is not None:
        found.append(f"{opened.document.file}:{line.where.line}: {_said_of(line)}")
        found += [str(problem) for problem in opened.problems if problem.where.line == line.where.line]
    for entry in entries:
        found += ["", *_job_text(entry, parts.get(entry.slot, ()))]
    if not entries:
        found.append("nothing is made of it" if line else "nothing is made of this file")
    return "\n".join(found)


def _said_of(line: Line) -> str:
    place = []
    if line.scene is not None:
        place.append(f"scene {line.scene}")
    if line.shot is not None:
        place.append(f"shot {line.shot}")
    parts = [f"`{line.key}`"] if line.key else []
    if place:
        parts.append(", ".join(place))
    if not parts:
        return _SAID[line.became]
    return f"{' of '.join(parts)}: {_SAID[line.became]}"


def _job_text(entry: Entry, parts: Sequence[PromptPart]) -> list[str]:
    job = _job(entry)
    price = console.number(job.price.amount)
    found = [f"{entry.slot}  {job.model}  {entry.action} ({entry.reason}), {price} credits"]
    if job.prompt:
        found.append(f"  prompt: {plain(job.prompt)}")
    for part in parts:
        if part.text.strip(" .,"):
            named = f"{part.origin} {part.name}".strip()
            found.append(f"    {named} ({part.where.file}:{part.where.line}): {console.short(part.text, 70)}")
    for name, value in job.input.items():
        filled = "  (filled in)" if name in job.defaulted else ""
        if value != job.prompt:
            found.append(f"  {name}: {plain(str(value))}{filled}")
    found += [f"  warning: {plain(text)}" for text in job.warnings]
    found.append(f"  changed by: {', '.join(_changed_by(job))}")
    found.append(f"  not by: {', '.join(_NEVER)}")
    return found
