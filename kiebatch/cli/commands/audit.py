"""`kiebatch audit`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.catalogue import Catalogue, measured
from kiebatch.cli import asked, claim, console, options
from kiebatch.errors import Invalid, counted, plain
from kiebatch.model import JSON, Attempt, as_mapping, stamp
from kiebatch.project import finding, load_catalogue, peek
from kiebatch.record import auditing
from kiebatch.record.auditing import Audit, Difference, Kind, Line
from kiebatch.workspace import Workspace

app = typer.Typer()
_MEANING: Mapping[Kind, str] = {
    Kind.SLOT: "results",
    Kind.FAILURE: "failures that were billed",
    Kind.HELD: "held: charged or not, nobody knows yet",
    Kind.OPEN: "under way, or not collected yet",
    Kind.GIVEN_UP: "tasks that were given up",
}


@app.command()
def audit(
    since: asked.Since = None,
    claim_file: Annotated[
        Path | None,
        typer.Option(
            "--claim",
            help="write the evidence for the provider's support into this file: task ids, times and amounts",
            show_default=False,
        ),
    ] = None,
    with_prompts: Annotated[
        bool, typer.Option("--with-prompts", help="with --claim: the prompts of those tasks, too")
    ] = False,
    project: options.Project = None,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Say what each credit was that left the account: a result, a billed failure, a held job, or nobody's here.

    It joins the balances that runs have read, what the tasks' own records say, and the journal.  Nothing is sent.

    Example: kiebatch audit --since 7d
    """
    if with_prompts and claim_file is None:
        raise Invalid("--with-prompts belongs to --claim FILE")
    workspace = finding.find(project=project, assets=assets, state=state)
    attempts, whole = _audited(workspace)
    found = whole.after(asked.seconds(since))
    by_number = {attempt.id: attempt for attempt in attempts}
    catalogue = load_catalogue(workspace)
    differing = auditing.differences(found.lines, lambda line: _params(catalogue, by_number[line.attempt]))
    if claim_file is not None:
        claim.check_place(claim_file)
        files.replace(claim_file, claim.text(found, attempts if with_prompts else ()))
        console.say(f"wrote {files.shown(claim_file)}")
    value: dict[str, JSON] = {
        "film": workspace.film,
        "totals": found.totals(workspace.film),
        "windows": [window.as_json() for window in found.windows],
        "lines": [line.as_json() for line in found.lines],
        "differences": [difference.as_json() for difference in differing],
    }
    console.answer(value, lambda: _text(found, differing, workspace.film), as_json=as_json)


def _audited(workspace: Workspace) -> tuple[Sequence[Attempt], Audit]:
    """Return the attempts of the journal, and the ledger of the account by what it knows."""
    with peek(workspace) as journal:
        if journal is None:
            return (), Audit()
        attempts, notebook = journal.of_every_film(), journal.notebook
        return attempts, auditing.audit(attempts, notebook.balances(), notebook.said_costs())


def _params(catalogue: Catalogue, attempt: Attempt) -> Mapping[str, JSON]:
    """Return the parameters of a job that its price depends on."""
    model = catalogue.get(attempt.model)
    return measured.params_of(model, as_mapping(attempt.job.get("input"))) if model else {}


def _text(found: Audit, differing: Sequence[Difference], film: str) -> str:
    if not found.lines:
        return "no credit is known to have left the account"
    lines = _totals(found, film)
    lines += [_foreign(line, found) for line in found.lines if line.kind in (Kind.FOREIGN, Kind.ADDED)]
    lines += [_differs(difference) for difference in differing]
    lines += [_failure(line) for line in found.lines if _was_billed(line)]
    if not found.windows:
        lines.append("no two balances were read yet, so nobody can tell what others have spent")
    return "\n".join(lines)


def _totals(found: Audit, film: str) -> list[str]:
    totals = found.totals(film)
    ours = Counter(_meaning(line) for line in found.lines if line.film == film)
    rows: list[list[object]] = [
        [meaning, ours[meaning], console.number(totals[str(kind)])]
        for kind, meaning in _MEANING.items()
        if ours[meaning]
    ]
    if totals["other_films"]:
        films = Counter(line.film for line in found.lines if line.film)
        count = films.total() - films[film]
        rows.append(["other films of this project", count, console.number(totals["other_films"])])
    foreign = Counter(line.kind for line in found.lines)[Kind.FOREIGN]
    rows.append(["foreign: not from this project", foreign or "", console.number(totals["foreign"])])
    return [console.table(rows, ["what", "how many", "credits"], right=(1, 2))]


def _meaning(line: Line) -> str:
    """Return what a line is counted as; a failure that cost nothing is not counted."""
    if line.kind is Kind.FAILURE and not _was_billed(line):
        return ""
    return _MEANING.get(line.kind, "")


def _was_billed(line: Line) -> bool:
    """Whether a line is a failure that cost something; one of which a balance shows that it was given back cost nothing."""
    return line.kind is Kind.FAILURE and line.credits > 0


def _foreign(line: Line, found: Audit) -> str:
    window = next(w for w in found.windows if w.number == line.window)
    span = f"between {stamp(window.since)} and {stamp(window.until)}"
    if line.kind is Kind.ADDED:
        return f"came in: {console.number(line.credits)} credits {span}"
    return f"foreign: {console.number(line.credits)} credits {span}"


def _differs(difference: Difference) -> str:
    params = "".join(f", {name} {value}" for name, value in difference.params.items())
    charged = console.number(difference.charged)
    if difference.least != difference.charged:
        charged = f"{console.number(difference.least)} to {charged}"
    jobs = counted(difference.jobs, "job")
    return (
        f"price: {difference.model}{plain(params, 200)}: {console.number(difference.price)} expected, {charged} charged "
        f"({jobs})"
    )


def _failure(line: Line) -> str:
    credits = f"{console.number(line.credits)} credits"
    if not line.sure:
        credits += ", or given back: nobody says"
    return f"billed although it failed: {line.slot}, {credits} (task {plain(line.task_id)})"
