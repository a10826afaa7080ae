"""`kiebatch costs`"""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal

import typer

from kiebatch.cli import asked, console, options
from kiebatch.errors import Invalid
from kiebatch.model import Attempt
from kiebatch.project import opening, peek
from kiebatch.record import Journal, auditing, queries
from kiebatch.record import runs as records
from kiebatch.record.queries import Cost, Costs

app = typer.Typer()
_HEAD = ["credits", "bought", "unused", "failed", "results", "failures"]


@app.command()
def costs(
    scene_file: options.MaybeSceneFile = None,
    by: Annotated[
        Literal["scene", "model", "tag", "week"], typer.Option("--by", help="one line for each of these")
    ] = "scene",
    as_csv: Annotated[bool, typer.Option("--csv", help="comma-separated values, for a spreadsheet")] = False,
    since: asked.Since = None,
    until: asked.Until = None,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Show what the film has cost, what failed, what was bought and not used, and what was saved.

    Results come from the manifest, so from everybody; failures and savings from this machine's journal and records.

    Example: kiebatch costs --by model
    """
    if as_csv and as_json:
        raise Invalid("give one of --csv and --json")
    workspace = opening.located(scene_file, project=project, draft=draft, assets=assets, state=state)
    wanted = asked.wanted(since, until)
    with peek(workspace) as journal:
        attempts = _attempts(journal) if journal else []
    found = queries.costs(
        queries.results(asked.results(workspace), wanted),
        [attempt for attempt in attempts if wanted.time(_time(attempt.submitted_at or attempt.intended_at))],
        queries.runs(records.all_runs(asked.runs_folder(workspace)), wanted),
        by,
    )
    value = {"by": by, **found.as_json()}
    console.answer(value, lambda: _csv(found, by) if as_csv else _table(found, by), as_json=as_json)


def _attempts(journal: Journal) -> list[Attempt]:
    """Return the film's attempts with what the account's balances tell of its failures: the same as `audit` says."""
    notebook = journal.notebook
    found = auditing.audit(journal.of_every_film(), notebook.balances(), notebook.said_costs())
    return auditing.settled(journal.attempts(), found)


def _time(seconds: float) -> str:
    from kiebatch.model import stamp

    return stamp(seconds)


def _cells(name: str, cost: Cost) -> list[str]:
    value = cost.as_json()
    return [name, *(console.number(value[key]) for key in _HEAD)]


def _table(found: Costs, by: str) -> str:
    rows = [_cells(name, cost) for name, cost in found.groups.items()]
    rows.append(_cells("in all", found.total))
    lines = [console.table(rows, [by, *_HEAD], right=tuple(range(1, len(_HEAD) + 1)))]
    total = found.total
    said = f"{console.number(total.total)} credits ({console.dollars(total.total)})"
    if total.unused:
        said += f", {console.number(total.unused)} of it on results that are not used"
    if found.saved:
        said += f"; {console.number(found.saved)} saved by results that were there already"
    return "\n".join([*lines, said])


def _csv(found: Costs, by: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([by, *_HEAD, "usd"])
    for name, cost in {**found.groups, "": found.total}.items():
        value = cost.as_json()
        writer.writerow([_harmless(name or "in all"), *(value[key] for key in _HEAD), value["usd"]])
    return stream.getvalue().rstrip("\n")


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula gets an apostrophe."""
    return f"'{cell}" if cell[:1] in "=+-@\t" else cell
