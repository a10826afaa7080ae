"""`kiebatch plan`"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.catalogue import JOBS_ENDPOINT
from kiebatch.ci import announce
from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Exit, plain
from kiebatch.model import JSON, Job, Project, Slot
from kiebatch.planning import (
    Action,
    Assessment,
    Effects,
    Entry,
    Plan,
    Reason,
    approvals,
    assess,
    expected,
    jobs_as_json,
    planning,
    price_of,
    save_plan,
)
from kiebatch.project import Opened
from kiebatch.record import results_of
from kiebatch.scenefile import moved_lines

app = typer.Typer()

NAMED = 8  # slots in one line
_EXPLAINED = ("missing", "altered", "blocked")  # actions that a table's cell cannot explain


@app.command(cls=Command)
@shared.takes(shared.ALL)
def plan(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
    check: Annotated[
        bool, typer.Option("--check", help="exit 3 when there is work, 5 when a job is held")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="save the plan for `run --plan`")] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="print nothing: the exit code of --check is the answer")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="list what is kept, too")] = False,
    write_moved: Annotated[
        bool,
        typer.Option(
            "--write-moved", help="write the `moved:` lines that carry versions along into the file"
        ),
    ] = False,
) -> None:
    """Show what a run would do, why, and what it would cost.  Sends nothing.

    It takes the options of `run`, so that one command line serves for both.

    Example: kiebatch plan scenes.yaml --only 2-5
    """
    opened, chosen = options.open_given(given, scene_file, quiet=quiet, each=True)
    only, force = given.only, given.force
    todo = planning.plan(
        opened,
        only=only,
        force=force,
        until_picks=chosen.until_picks,
        results=results_of(chosen, network=False),
    )
    if write_moved:
        _write_moved(opened, todo)
    if chosen.approved:
        todo, _ = approvals.approve(opened, todo, chosen)
    buys = approvals.effects_of(opened, todo)
    approvals.remember(opened.workspace, buys)
    if out:
        saved = save_plan(opened, todo, only=only, force=force)
        files.replace(out, json.dumps(saved, ensure_ascii=False, indent=2) + "\n")
    verdict = assess(todo, chosen)
    judged = expected.of_plan(todo)
    code = _code(todo) if check else Exit.OK
    value: dict[str, JSON] = {}
    if given.as_json or code or announce.wanted():  # it has every job once more
        value = _value(opened, todo, verdict) | {
            "effects": buys.as_json(),
            "expectations": expected.as_json(judged),
            "not_enhanced": [str(entry.slot) for entry in _not_enhanced(todo)],
        }
    announce.outcome(value)
    if not quiet or given.as_json:
        console.answer(
            value,
            lambda: "\n".join(
                [
                    table(todo, show_all=show_all),
                    *_on_the_board_alone(opened.project),
                    *_unmet(judged),
                    *_rules(verdict),
                    *_approval(buys),
                ]
            ),
            as_json=given.as_json,
            code=code,
        )
    console.leave(code)


def _code(todo: Plan) -> Exit:
    """Return how `--check` leaves."""
    if any(e.root is Reason.HELD for e in todo.blocked):
        return Exit.HELD
    return Exit.DIFFERS.when(todo.status == "work")


def _value(opened: Opened, todo: Plan, verdict: Assessment) -> dict[str, JSON]:
    return {
        "status": todo.status,
        "jobs": jobs_as_json(todo, opened),
        "totals": todo.totals(),
        "preflight": str(verdict.verdict),
        "preflight_rules": [rule.as_json() for rule in verdict.rules],
        "problems": [problem.as_json() for problem in opened.problems],
    }


def _write_moved(opened: Opened, todo: Plan) -> None:
    """Write the `moved:` lines of what was found by its content into the scene file."""
    path = opened.workspace.scene_file
    if path is None or not todo.moved:
        console.say("no slot moved")
        return
    files.replace(path, moved_lines.with_moved(files.read_text(path), opened.document, todo.moved))
    console.say(f"wrote `{moved_lines.shown(todo.moved)}` into {files.shown(path)}")


def _not_enhanced(todo: Plan) -> list[Entry]:
    """Return what asks for an enhanced prompt that prompts.lock.yaml does not have, and would be sent as it is."""
    asking = (e for e in todo.entries if e.selected and e.job and e.job.enhance == "ask")
    return [e for e in asking if e.job and e.job.prompt and not e.job.enhanced]


def _on_the_board_alone(project: Project) -> list[str]:
    """Return what nothing makes: sounds that have words and no model."""
    names = [
        Slot(scene.id, shot.id).shot_name
        for scene in project.scenes
        for shot in scene.shots
        if shot.kind != "shot" and shot.prompt and not (shot.jobs or shot.skip or shot.file)
    ]
    if not names:
        return []
    return [f"on the board and made by no model: {', '.join(names)}"]


def _unmet(judged: Sequence[expected.Judged]) -> list[str]:
    """Return which slots are not as expected; it changes nothing of what a run does."""
    names = [str(slot) for slot in expected.unmet(judged)]
    if not names:
        return []
    shown = ", ".join([*names[:NAMED], "..."] if len(names) > NAMED else names)
    return [f"not as expected: {shown} (`kiebatch status` says why)"]


def _elsewhere(entries: Sequence[Entry]) -> list[str]:
    """Return what comes from other films of the account, and from which."""
    slots: dict[str, list[str]] = {}
    for entry in entries:
        if entry.action == "restore" and entry.attempt and entry.attempt.elsewhere:
            slots.setdefault(entry.note, []).append(str(entry.slot))
    return [f"{', '.join(names)}: {plain(note)}" for note, names in slots.items()]


def _approval(buys: Effects) -> list[str]:
    """Say how a run is bound to what the plan buys."""
    if not buys.purchases:
        return []
    return [f"`run --approved {buys.digest}` buys exactly this"]


def _rules(verdict: Assessment) -> list[str]:
    """Return what a person should know before running it."""
    return [f"{rule.verdict}: {rule.message}" for rule in verdict.rules if rule.name != "consent"]


def table(todo: Plan, *, show_all: bool = False) -> str:
    """Return a plan as a table that a person reads in one look."""
    shown = [e for e in todo.entries if e.selected and (show_all or e.action not in ("keep", "orphan"))]
    lines = [
        *_rows(shown),
        *(f"{e.slot}: {plain(e.note)}" for e in shown if e.note and e.action in _EXPLAINED),
        *_elsewhere(shown),
        *_led(shown),
        *_moved(todo),
        *_sent_as_they_are(todo),
    ]
    if todo.collect:
        lines.append(f"{len(todo.collect)} task(s) paid for earlier will be collected, at no cost")
    if todo.generate:
        lines += _price_notes(todo)
    return "\n".join([*lines, _in_sum(todo)])


def _rows(shown: Sequence[Entry]) -> list[str]:
    """Return the table itself; a column for the endpoint only where not all jobs go the same way."""
    if not shown:
        return []
    names = ["slot", "action", "why", "model", "credits", "prompt"]
    rows = [_row(entry) for entry in shown]
    endpoints = [entry.job.endpoint if entry.job else "" for entry in shown]
    if set(endpoints) - {"", JOBS_ENDPOINT}:
        names.append("endpoint")
        rows = [[*row, endpoint] for row, endpoint in zip(rows, endpoints, strict=True)]
    return [console.table(rows, names, right=(4,))]


def _led(shown: Sequence[Entry]) -> list[str]:
    """Return which clips are as long as the voices they follow."""
    led = [f"{e.slot} about {e.job.led.seconds():.1f} s" for e in shown if e.job and e.job.led]
    if not led:
        return []
    more = f" and {len(led) - NAMED} more" if len(led) > NAMED else ""
    return [f"as long as their voices: {', '.join(led[:NAMED])}{more}"]


def _moved(todo: Plan) -> list[str]:
    """Return what line carries the versions of slots along that were found by their content."""
    if not todo.moved:
        return []
    return [
        f"found by content: `{moved_lines.shown(todo.moved)}` carries the versions along "
        "(`kiebatch plan --write-moved` writes it)"
    ]


def _sent_as_they_are(todo: Plan) -> list[str]:
    """Return whose prompts are not enhanced although they ask for it."""
    names = [str(entry.slot) for entry in _not_enhanced(todo)]
    if not names:
        return []
    return [
        f"without an enhanced prompt: {', '.join(names[:NAMED])}{' …' if names[NAMED:] else ''} "
        "(`kiebatch enhance` makes them, at a price that it says first)"
    ]


def _in_sum(todo: Plan) -> str:
    """Return the last line: what is to generate and its cost, what costs nothing, what is left as it is."""
    selected = [entry for entry in todo.entries if entry.selected]
    actions = Counter(entry.action for entry in selected)
    parts = ["nothing to do"] if todo.status == "up-to-date" else []
    if todo.generate:
        parts += _costs(todo)
    if actions[Action.RESTORE]:
        parts.append(f"{actions[Action.RESTORE]} to collect or restore at no cost")
    if actions[Action.KEEP]:
        parts.append(f"{actions[Action.KEEP]} up to date{_in_store(selected)}")
    if actions[Action.ORPHAN]:
        parts.append(_orphans(selected))
    return "; ".join(parts)


def _in_store(selected: Sequence[Entry]) -> str:
    remote = sum(entry.remote for entry in selected)
    return f", {remote} of them in the store and not here" if remote else ""


def _orphans(selected: Sequence[Entry]) -> str:
    names = [str(entry.slot) for entry in selected if entry.action is Action.ORPHAN]
    return f"{len(names)} no longer in the file: {', '.join(names[:NAMED])}"


def _costs(todo: Plan) -> list[str]:
    """Return what the jobs of a plan cost, in words, and how sure that is."""
    credits = todo.credits()
    jobs = [entry.job for entry in todo.generate if entry.job]
    oldest = min((job.price.as_of for job in jobs if job.price.as_of), default="")
    parts = [
        f"{len(todo.generate)} to generate: {console.number(credits)} credits, "
        f"about {console.dollars(credits)}{_since(oldest)}"
    ]
    if any(price_of(job).kind == "bound" for job in jobs):
        parts.append("some prices are upper bounds")
    if todo.reserved() > credits:
        parts.append(
            f"a cap reserves {console.number(todo.reserved())}: the shipped prices are higher than yours "
            "(--trust-prices goes by yours)"
        )
    if todo.unpriced():
        parts.append(f"{todo.unpriced()} without a known price")
    return [*parts, *_by_model(todo.credits_by_model(), jobs)]


def _since(oldest: str) -> str:
    """Say of when the oldest price is, and whether that is long ago."""
    if not oldest:
        return ""
    since = f" (prices of {oldest})"
    if _is_old(oldest):
        since += "; that is over 60 days ago: `kiebatch models refresh` compares them with the service's own listing"
    return since


def _by_model(credits: Mapping[str, float], jobs: Sequence[Job]) -> list[str]:
    """Return what each of several models costs."""
    if len(credits) < 2:
        return []
    unpriced = {job.model for job in jobs if job.price.amount is None}
    return [f"by model: {', '.join(_model_cost(model, cost, unpriced) for model, cost in credits.items())}"]


def _model_cost(model: str, credits: float, unpriced: Collection[str]) -> str:
    if model not in unpriced:
        return f"{model} {console.number(credits)}"
    return f"{model} {console.number(credits)} and ?" if credits else f"{model} ?"


def _price_notes(todo: Plan) -> list[str]:
    """Return what is to be known of prices: those that end, and those that have ended."""
    notes = (f"{e.job.model}: {e.job.price.note}" for e in todo.generate if e.job and e.job.price.note)
    return list(dict.fromkeys(notes))


def _is_old(as_of: str) -> bool:
    """Whether a price's date, `YYYY-MM` or `YYYY-MM-DD`, lies more than 60 days back."""
    year, month, *day = (int(part) for part in as_of.split("-"))
    # A month alone is good to its end.
    first = dt.date(year, month, day[0]) if day else dt.date(year + month // 12, month % 12 + 1, 1)
    return (dt.date.today() - first).days > 60


def _row(entry: Entry) -> list[str]:
    return [
        str(entry.slot),
        entry.action,
        entry.reason,
        entry.model,
        _credits(entry),
        console.short(entry.prompt),
    ]


def _credits(entry: Entry) -> str:
    if entry.action == "restore":
        return "0"
    if entry.job is None or entry.action != "generate":
        return ""
    most = price_of(entry.job)
    bound = "≤" if most.kind == "bound" else ""
    return f"{bound}{console.number(most.amount)}"
