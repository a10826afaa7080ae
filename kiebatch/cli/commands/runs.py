"""`kiebatch runs`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from kiebatch.cli import asked, console, options
from kiebatch.errors import Invalid, nearest, plain
from kiebatch.project import finding
from kiebatch.record import queries
from kiebatch.record import runs as records
from kiebatch.record.runs import Run, RunRecord, RunStatus
from kiebatch.running import rebuilding

app = typer.Typer()


@app.command()
def runs(
    run: Annotated[
        str | None, typer.Argument(help="show this one whole [default: list them]", show_default=False)
    ] = None,
    model: asked.Model = "",
    status: Annotated[
        str, typer.Option("--status", help="that ended so: success, failed, …", show_default=False)
    ] = "",
    tag: asked.Tag = "",
    by: asked.By = "",
    since: asked.Since = None,
    until: asked.Until = None,
    latest: Annotated[bool, typer.Option("--latest", help="only the newest one that fits")] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="rebuild the index from the records, the journal and the manifest"),
    ] = False,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """List what was run, by whom, when and with what result; show one run whole.

    The records lie in .kiebatch/runs/ on this machine: names and machines never go to git by themselves.

    Example: kiebatch runs --status failed --since 7d
    """
    if status and status not in list(RunStatus):
        near = nearest(status, list(RunStatus))
        hint = f"did you mean `{near}`?" if near else f"known: {', '.join(RunStatus)}"
        raise Invalid(f"no run ends as `{status}`", hint=hint)
    workspace = finding.find(project=project, draft=draft, assets=assets, state=state)
    folder = asked.runs_folder(workspace)
    if rebuild:
        rebuilding.rebuild(workspace)
    if run:
        record = records.read(folder, run)
        console.answer(record.as_json(), lambda: _whole(record), as_json=as_json)
        return
    wanted = asked.wanted(since, until, model=model, status=status, tag=tag, by=by)
    found = queries.runs(records.all_runs(folder), wanted)
    if latest:
        found = found[-1:]
    value = {"runs": [one.as_json() for one in found]}
    console.answer(value, lambda: _table(found), as_json=as_json)


def _table(found: Sequence[Run]) -> str:
    if not found:
        return "no runs"
    head = ["run", "started", "by", "status", "made", "failed", "credits", "tags", "command"]
    return console.table([_row(run) for run in found], head, right=(4, 5, 6))


def _row(run: Run) -> list[str]:
    return [
        run.id,
        run.started_at[:16].replace("T", " "),
        run.by,
        str(run.status),
        str(run.counts.get("succeeded", "")),
        str(run.counts.get("failed", "")),
        console.number(run.spent),
        ", ".join(run.tags),
        console.short(run.command or run.film, 60),
    ]


def _whole(record: RunRecord) -> str:
    run = record.run
    facts = {
        "run": run.id,
        "status": f"{run.status}: {run.reason}" if run.reason else str(run.status),
        "started": run.started_at,
        "ended": run.ended_at or "(not written down)",
        "by": f"{run.by} on {run.machine}",
        "command": run.command,
        "film": f"{run.film} at {run.commit[:12]}" if run.commit else run.film,
        "tags": ", ".join(run.tags),
        "credits": _credits(run),
    }
    lines = [f"{name:<8} {plain(value)}" for name, value in facts.items() if value]
    if record.jobs:
        lines += ["", _jobs(record)]
    lines += [f"{time[11:19]} {plain(text)}" for time, text in record.notices]
    return "\n".join(lines)


def _jobs(record: RunRecord) -> str:
    rows = [
        [job.slot, job.state or "submitted", job.model, job.task_id or "", console.short(job.message, 50)]
        for job in record.jobs
    ]
    return console.table(rows, ["slot", "state", "model", "task", "what"])


def _credits(run: Run) -> str:
    parts = [f"estimated {console.number(run.estimated)}", f"spent {console.number(run.spent)}"]
    if run.billed_for_failures:
        parts.append(f"{console.number(run.billed_for_failures)} of it on failures")
    if run.saved:
        parts.append(f"saved {console.number(run.saved)}")
    return ", ".join(parts)
