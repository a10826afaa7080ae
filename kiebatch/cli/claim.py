"""What a person shows the provider's support: task ids, times and amounts, and prompts only where they want that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kiebatch import files
from kiebatch.cli import console
from kiebatch.errors import Invalid, plain
from kiebatch.model import Attempt, stamp
from kiebatch.record.auditing import Audit, Kind, Line

_TITLE = "# Charges to be looked at"
_HEAD = "| time (UTC) | task | model | charged | to be given back | why |\n| --- | --- | --- | ---: | ---: | --- |"


def text(found: Audit, prompts: Iterable[Attempt] = ()) -> str:
    """Return the claim as Markdown; `prompts` are attempts whose prompts it shows."""
    lines = [line for line in found.lines if _asked_back(line) or line.kind is Kind.HELD]
    total = sum(_asked_back(line) for line in lines)
    parts = [
        _TITLE,
        f"{len(lines)} tasks, {console.number(round(total, 4))} credits ({console.dollars(total)}) to be given back.",
        "\n".join([_HEAD, *map(_row, lines)]),
    ]
    if found.windows:
        parts += ["## Balances", "\n".join(_balances(found))]
    asked = [_prompt(attempt) for attempt in prompts if attempt.id in {line.attempt for line in lines}]
    if asked:
        parts += ["## Prompts", "\n".join(asked)]
    return "\n\n".join(parts) + "\n"


def check_place(path: Path) -> None:
    """Refuse to write a claim over a file that holds something else, such as the scene file."""
    if path.is_dir():
        raise Invalid(f"{files.shown(path)} is a folder", hint="name a file, as in `--claim claim.md`")
    if path.exists() and not path.read_bytes().startswith(_TITLE.encode()):
        raise Invalid(
            f"{files.shown(path)} holds something other than a claim, and was left as it is",
            hint="name another file, as in `--claim claim.md`",
        )


def _asked_back(line: Line) -> float:
    return line.credits if line.kind is Kind.FAILURE else line.excess


def _why(line: Line) -> str:
    if line.kind is Kind.FAILURE:
        return f"failed: `{line.code} {line.message}`"
    if line.kind is Kind.HELD:
        return "the answer to the submission did not arrive; was a task made?"
    return f"its price was {console.number(line.price)}"


def _row(line: Line) -> str:
    cells = [
        stamp(line.time),
        line.task_id or "not known",
        line.model,
        console.number(line.credits),
        console.number(_asked_back(line)),
        _why(line),
    ]
    return f"| {' | '.join(_cell(text) for text in cells)} |"


def _cell(text: str) -> str:
    """Return a text that no table and no page takes for anything but words."""
    return plain(text, 300).replace("|", "/").replace("<", "&lt;").replace("[", "(").replace("]", ")")


def _balances(found: Audit) -> Sequence[str]:
    head = "| from (UTC) | to | before | after | of it these tasks and others of this project |\n| --- | --- | ---: | ---: | ---: |"
    rows = [
        f"| {stamp(w.since)} | {stamp(w.until)} | {console.number(w.before)} | {console.number(w.after)} "
        f"| {console.number(w.ours)} |"
        for w in found.windows
    ]
    return [head, *rows]


def _prompt(attempt: Attempt) -> str:
    return f"- {plain(attempt.task_id or 'not known')}: {plain(attempt.job.get('prompt', ''))}"
