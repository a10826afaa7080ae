"""`kiebatch plan`"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.catalogue import JOBS_ENDPOINT
from kiebatch.ci import announce
from kiebatch.cli import console, options
from kiebatch.errors import Exit, plain
from kiebatch.planning import Entry, Plan, planning, price_of, save_plan

app = typer.Typer()


@app.command()
def plan(
    scene_file: options.MaybeSceneFile = None,
    only: options.Only = None,
    force: options.Force = False,
    until: Annotated[
        str | None, typer.Option("--until", help="`picks`: stop before shots that wait for a pick")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="exit 3 when there is work, 5 when a job is held")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="save the plan for `run --plan`")] = None,
    max_credits: options.MaxCredits = None,
    cache: options.Cache = None,
    draft: options.Draft = False,
    project: options.Project = None,
    assets: options.Assets = None,
    state: options.State = None,
    strict: options.Strict = False,
    fold_negative: options.FoldNegative = False,
    allow_unknown_model: options.AllowUnknown = False,
    allow_unpriced: options.AllowUnpriced = False,
    show_all: Annotated[bool, typer.Option("--all", help="list what is kept, too")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what a run would do, why, and what it would cost.  Sends nothing.

    Example: kiebatch plan scenes.yaml --only 2-5
    """
    chosen = options.read_settings(
        None,
        strict=strict or None,
        fold_negative=fold_negative or None,
        allow_unknown_model=allow_unknown_model or None,
        allow_unpriced=allow_unpriced or None,
        max_credits=max_credits,
        draft=draft or None,
    )
    opened = options.opened(
        scene_file, project=project, assets=assets, state=state, draft=draft, chosen=chosen
    )
    chosen = options.read_settings(
        None,
        dict(opened.project.run),
        max_credits=max_credits,
        draft=draft or None,
        allow_unpriced=allow_unpriced or None,
    )
    todo = planning.plan(opened, only=only or (), force=force, until_picks=options.until(until), cache=cache)
    verdict = planning.preflight(todo, chosen)
    if out:
        saved = save_plan(opened, todo, only=only or (), force=force)
        files.replace(out, json.dumps(saved, ensure_ascii=False, indent=2) + "\n")
    value = {
        "status": todo.status,
        "jobs": [e.as_json() for e in todo.entries if e.selected],
        "totals": todo.totals(),
        "preflight": verdict,
    }
    announce.outcome(value)
    console.answer(value, lambda: table(todo, show_all=show_all), as_json=as_json)
    if check:
        held = any(e.selected and e.reason == "held" for e in todo.entries)
        console.leave(Exit.HELD if held else Exit.DIFFERS if todo.status == "work" else Exit.OK)


def table(todo: Plan, *, show_all: bool = False) -> str:
    """Return a plan as a table that a person reads in one look."""
    entries = [e for e in todo.entries if e.selected]
    quiet = ("keep", "orphan")
    shown = [e for e in entries if show_all or e.action not in quiet]
    lines = []
    if shown:
        rows = [_row(e) for e in shown]
        names = ["slot", "action", "why", "model", "credits", "prompt"]
        if any(e.job and e.job.endpoint != JOBS_ENDPOINT for e in shown):  # else all go one way
            names.append("endpoint")
            rows = [[*row, e.job.endpoint if e.job else ""] for row, e in zip(rows, shown, strict=True)]
        lines.append(console.table(rows, names, right=(4,)))
    for entry in shown:
        if entry.note and entry.action in ("missing", "altered", "blocked"):
            lines.append(f"{entry.slot}: {plain(entry.note)}")
    if todo.collect:
        lines.append(f"{len(todo.collect)} task(s) paid for earlier will be collected, at no cost")
    kept = sum(1 for e in entries if e.action == "keep")
    orphans = [str(e.slot) for e in entries if e.action == "orphan"]
    totals = todo.totals()
    parts = []
    if totals["jobs"]:
        dollars = console.dollars(totals["credits"])
        known = f"{console.number(totals['credits'])} credits, about {dollars}"
        dates = sorted({e.job.price.as_of for e in todo.generate if e.job and e.job.price.as_of})
        parts.append(f"{totals['jobs']} to generate: {known}")
        if dates:
            parts[-1] += f" (prices of {dates[0]})"
            if _is_old(dates[0]):
                parts.append(
                    "that is over 60 days ago: `kiebatch models refresh` brings newer ones for review"
                )
        if any(e.job and price_of(e.job).kind == "bound" for e in todo.generate):
            parts.append("some prices are upper bounds")
        if totals["unpriced"]:
            parts.append(f"{totals['unpriced']} without a known price")
        if len(totals["by_model"]) > 1:
            unknown = {e.job.model for e in todo.generate if e.job and e.job.price.amount is None}
            each = ", ".join(
                f"{m} {'?' if m in unknown and not c else console.number(c)}{' and ?' if m in unknown and c else ''}"
                for m, c in totals["by_model"].items()
            )
            parts.append(f"by model: {each}")
    restore = sum(1 for e in entries if e.action == "restore")
    if restore:
        parts.append(f"{restore} to collect or restore at no cost")
    if kept:
        parts.append(f"{kept} up to date")
    if orphans:
        parts.append(f"{len(orphans)} no longer in the file: {', '.join(orphans[:8])}")
    if todo.status == "up-to-date":
        parts.insert(0, "nothing to do")
    lines.append("; ".join(parts))
    return "\n".join(lines)


def _is_old(as_of: str) -> bool:
    """Whether a price's date, `YYYY-MM` or `YYYY-MM-DD`, lies more than 60 days back."""
    year, month, *day = (int(part) for part in as_of.split("-"))
    # A month alone is good to its end.
    first = dt.date(year, month, day[0]) if day else dt.date(year + month // 12, month % 12 + 1, 1)
    return (dt.date.today() - first).days > 60


def _row(entry: Entry) -> list[str]:
    job = entry.job
    asset = entry.current[0] if entry.current else None
    price = ""
    if job and entry.action == "generate":
        most = price_of(job)
        price = console.number(most.amount)
        if most.kind == "bound":
            price = f"≤{price}"
    elif entry.action == "restore":
        price = "0"
    return [
        str(entry.slot),
        entry.action,
        entry.reason,
        job.model if job else (asset.model if asset else ""),
        price,
        console.short(job.prompt if job else (asset.prompt if asset else "")),
    ]
