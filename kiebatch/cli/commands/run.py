"""`kiebatch run`"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kiebatch.ci import announce
from kiebatch.cli import console, options
from kiebatch.cli.commands.plan import table
from kiebatch.errors import Invalid, Refused
from kiebatch.planning import Plan, planning, saved
from kiebatch.record import manifest
from kiebatch.running import Outcome, session
from kiebatch.settings import Settings

app = typer.Typer()


@app.command()
def run(
    scene_file: options.MaybeSceneFile = None,
    draft: options.Draft = False,
    only: options.Only = None,
    force: options.Force = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask before spending")] = False,
    max_credits: options.MaxCredits = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="go up to --max-credits, then stop (exit 4)")
    ] = False,
    until: Annotated[
        str | None, typer.Option("--until", help="`picks`: stop before shots that wait for a pick")
    ] = None,
    plan_file: Annotated[Path | None, typer.Option("--plan", help="do exactly this saved plan, once")] = None,
    cache: options.Cache = None,
    api_key: options.ApiKey = None,
    base_url: options.BaseUrl = None,
    upload_url: options.UploadUrl = None,
    rate: Annotated[
        str | None, typer.Option("--rate", help="submissions in any window [default: 20/10s]")
    ] = None,
    poll_rate: Annotated[str | None, typer.Option("--poll-rate", help="status reads [default: 8/1s]")] = None,
    poll_interval: Annotated[
        float | None,
        typer.Option(
            "--poll-interval", min=0, help="shortest time between two reads of one task [default: 2]"
        ),
    ] = None,
    in_flight: Annotated[
        int | None, typer.Option("--in-flight", min=1, help="tasks running at once [default: 300]")
    ] = None,
    order: Annotated[
        Literal["file", "fastest"] | None,
        typer.Option("--order", help="submit in the file's order, or so that it ends soonest"),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=0,
            help="give up waiting for one task [default: image 600, video 3600, audio 1200]",
        ),
    ] = None,
    no_canary: Annotated[
        bool, typer.Option("--no-canary", help="do not let the first job of a large batch go alone")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="exit 4 when another run holds this project")
    ] = False,
    callback_url: Annotated[
        str | None,
        typer.Option(
            "--callback-url",
            metavar="URL",
            help="where the provider reaches this machine: tasks are then read when it calls, and seldom else",
            show_default=False,
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="where callbacks are taken [default: 127.0.0.1:8766]",
            show_default=False,
        ),
    ] = None,
    project: options.Project = None,
    assets: options.Assets = None,
    state: options.State = None,
    strict: options.Strict = False,
    fold_negative: options.FoldNegative = False,
    allow_unpriced: options.AllowUnpriced = False,
    allow_unknown_model: options.AllowUnknown = False,
    events: Annotated[
        Path | None, typer.Option("--events", help="newline-delimited JSON, a line per change of state")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="write a JUnit XML file, a test case for each job")
    ] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="no bar")] = False,
    as_json: options.Json = False,
) -> None:
    """Submit, poll, download, record.  Run it again to resume: nothing is paid for twice.

    Example: kiebatch run scenes.yaml --draft
    """
    given: dict[str, Any] = {
        "api_key": api_key,
        "base_url": base_url,
        "upload_url": upload_url,
        "draft": draft or None,
        "rate": rate,
        "poll_rate": poll_rate,
        "poll_interval_s": poll_interval,
        "in_flight": in_flight,
        "order": order,
        "timeout_s": timeout,
        "max_credits": max_credits,
        "partial": partial or None,
        "canary": False if no_canary else None,
        "wait": False if no_wait else None,
        "until_picks": options.until(until) or None,
        "strict": strict or None,
        "fold_negative": fold_negative or None,
        "allow_unpriced": allow_unpriced or None,
        "allow_unknown_model": allow_unknown_model or None,
        "cache": cache,
        "callback_url": callback_url,
        "listen": listen,
    }
    if listen and not callback_url:
        raise Invalid("--listen takes callbacks, and --callback-url is not given")
    bound = saved.read_plan(plan_file) if plan_file else None
    if bound is not None:
        only, force = list(bound.get("only") or ()), bool(bound.get("force"))
    opened = options.opened(
        scene_file,
        project=project,
        assets=assets,
        state=state,
        draft=draft,
        chosen=options.read_settings(None, **given),
    )
    chosen = options.read_settings(opened.workspace.root, dict(opened.project.run), **given)
    todo = planning.plan(
        opened, only=only or (), force=force, until_picks=chosen.until_picks, cache=chosen.cache
    )
    if todo.work or todo.collect:
        chosen = options.with_key(chosen)
    elif not draft:
        chosen = replace(chosen, draft=False)
    needs_simulator = draft and bool(todo.work or todo.collect)
    shown = console.Progress(total=len(todo.work), bar=options.progress_bar(no_progress), events_file=events)
    consent = _consent(chosen, yes=yes, as_json=as_json)
    with (
        shown,
        options.simulator(chosen if needs_simulator else replace(chosen, draft=False), opened) as ready,
    ):
        outcome = session.run(
            opened,
            settings=ready,
            only=only or (),
            force=force,
            emit=shown,
            confirm=None if draft else consent,
            bound=bound,
        )
    value = outcome.as_json(manifest.entry)
    announce.outcome(value, junit=junit)
    console.answer(value, lambda: summary(outcome, draft=draft), as_json=as_json)
    console.leave(outcome.exit_code)


def _consent(chosen: Settings, *, yes: bool, as_json: bool) -> session.Confirm:
    """Return what decides, before the first credit is spent, whether to go on."""

    def decide(question: session.Question) -> bool:
        todo = question.plan
        if yes or chosen.max_credits is not None:
            return True
        need = todo.credits()
        if chosen.confirm_above is not None and need <= chosen.confirm_above and not todo.unpriced():
            return True
        total = _total(todo)
        if not console.on_terminal():
            raise Refused(
                f"this run would submit {total}, and there is no terminal to ask on; nothing was sent",
                hint="add --yes, or better a cap with --max-credits N",
            )
        console.say(table(todo))
        if question.balance is not None:
            console.say(f"the balance is {console.number(question.balance)} credits")
        return console.ask(f"Submit {total}?")

    return decide


def _total(todo: Plan) -> str:
    totals = todo.totals()
    jobs = f"{totals['jobs']} job{'s' if totals['jobs'] != 1 else ''}"
    text = (
        f"{jobs} for up to {console.number(totals['credits'])} credits ({console.dollars(totals['credits'])})"
    )
    return f"{text}, {totals['unpriced']} of them without a known price" if totals["unpriced"] else text


def summary(outcome: Outcome, *, draft: bool = False) -> str:
    """Return what a run came to, for a person."""
    parts = []
    new = outcome.succeeded
    if new:
        parts.append(f"{new} made or restored")
    if outcome.kept:
        parts.append(f"{outcome.kept} up to date")
    if outcome.failures:
        parts.append(f"{len(outcome.failures)} failed")
    if outcome.held:
        parts.append(f"{len(outcome.held)} held")
    if outcome.skipped:
        parts.append(f"{len(outcome.skipped)} not sent")
    if outcome.missing:
        parts.append(f"{outcome.missing} missing")
    if not parts:
        parts.append("nothing to do")
    lines = [", ".join(parts)]
    if draft:
        lines[0] += " (draft: no credits)"
    elif outcome.spent:
        lines[0] += f"; spent {console.number(outcome.spent)} credits ({console.dollars(outcome.spent)})"
        if outcome.billed_for_failures:
            lines[0] += f", {console.number(outcome.billed_for_failures)} of them on failures"
    for failure in outcome.failures:
        lines.append(f"failed {failure.slot}: {failure.message or failure.code}")
        if failure.hint:
            lines.append(f"  {failure.hint}")
    for one in outcome.held:
        lines.append(f"held {one.slot}: {one.reason}")
    if outcome.held:
        slot = outcome.held[0].slot
        lines.append(
            f"Held jobs may have been charged. `kiebatch status` shows what the balance says; look at kie.ai/logs, then\n"
            f"  kiebatch resolve {slot} --task-id T    the task exists: collect it, at no cost\n"
            f"  kiebatch resolve {slot} --resubmit     it does not exist: send it again\n"
            f"  kiebatch resolve {slot} --forget       drop it"
        )
    if outcome.stopped_because:
        lines.append(f"stopped: {outcome.stopped_because}; `kiebatch run` goes on from here")
    return "\n".join(lines)
