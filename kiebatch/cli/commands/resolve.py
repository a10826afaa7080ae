"""`kiebatch resolve`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Invalid, plain
from kiebatch.model import parse_slot
from kiebatch.project import opening
from kiebatch.running import holding

app = typer.Typer()

# What the next run does with each decision.
_FOLLOWS = {
    "task-id": "the next run collects the task, at no cost",
    "resubmit": "the next run submits it again",
    "forget": "dropped; the next run makes the slot again",
}


@app.command()
def resolve(
    slot: Annotated[
        str, typer.Argument(help="the slot, as `kiebatch status` shows it", show_default=False)
    ] = "",
    task_id: Annotated[
        str | None, typer.Option("--task-id", help="the task exists: the next run collects it")
    ] = None,
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="it was not charged: the next run submits it")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="drop it, held or waited for: the next run makes the slot again")
    ] = False,
    lost_journal: Annotated[
        bool,
        typer.Option("--lost-journal", help="go on although the journal does not know all that was sent"),
    ] = False,
    project: options.Project = None,
    state: options.State = None,
    assets: options.Assets = None,
    as_json: options.Json = False,
) -> None:
    """Decide a held job: a submission that may or may not have been charged.

    Without a decision it shows what the balance says.

    Example: kiebatch resolve 2b --task-id 5f1d0c...
    """
    workspace = opening.located(project=project, state=state, assets=assets)
    if lost_journal:
        says = holding.resolve_lost_journal(workspace)
        console.answer({"decision": "lost-journal", "says": says}, says, as_json=as_json)
        return
    if not slot:
        raise Invalid("name a slot", hint="`kiebatch status` lists what is held")
    decision = _decision({"task-id": task_id, "resubmit": resubmit, "forget": forget})
    waiting = [one for one in holding.waiting(workspace) if one.held or forget]
    named = parse_slot(slot, [one.slot for one in waiting])
    chosen = [one for one in waiting if one.slot in named]
    if not decision:
        raise _undecided(slot, chosen, waiting)
    done = holding.resolve(workspace, slot, decision, task_id)
    says = _evidence(chosen)
    value = {"slot": str(done.slot), "decision": decision, "task_id": done.task_id, "evidence": says}
    because = f" ({says})" if says else ""
    console.answer(value, f"{done.slot}: {_FOLLOWS[decision]}{because}", as_json=as_json)


def _decision(said: Mapping[str, str | bool | None]) -> str:
    """Return the decision that was taken, empty where none was; `said` are the options by their names."""
    taken = [name for name, value in said.items() if value]
    if len(taken) > 1:
        raise Invalid("give one of --task-id, --resubmit and --forget")
    return "".join(taken)


def _evidence(chosen: Sequence[holding.Waiting]) -> str:
    """Return what the balance says of a job that is held; nothing of one that is only waited for."""
    if not chosen or not chosen[0].held:
        return ""
    return chosen[0].evidence.says


def _undecided(slot: str, chosen: Sequence[holding.Waiting], waiting: Sequence[holding.Waiting]) -> Invalid:
    """Return what speaks for and against a held job, as the answer to a call without a decision."""
    if not chosen:
        names = ", ".join(str(one.slot) for one in waiting)
        return Invalid(
            f"nothing is held for `{slot}`",
            hint=f"held are {names}" if names else "nothing is held at all",
        )
    one = chosen[0]
    found, number = one.evidence, console.number
    return Invalid(
        f"`{one.slot}` is held: {plain(one.attempt.message)}. Balance before {number(found.before)}, "
        f"after {number(found.after)}; our other jobs spent {number(found.others)}; this one "
        f"costs {number(found.price)}: {found.says}",
        hint="decide with --task-id T, --resubmit or --forget",
    )
