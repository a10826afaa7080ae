"""`kiebatch resolve`"""

from __future__ import annotations

from typing import Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Invalid, plain
from kiebatch.model import parse_slot
from kiebatch.project import finding
from kiebatch.running import holding

app = typer.Typer()


@app.command()
def resolve(
    slot: Annotated[str, typer.Argument(help="the held slot, as `kiebatch status` shows it")],
    task_id: Annotated[
        str | None, typer.Option("--task-id", help="the task exists: the next run collects it")
    ] = None,
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="it was not charged: the next run submits it")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="drop it: the next run generates the slot anew")
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
    workspace = finding.find(project=project, state=state, assets=assets)
    asked = [d for d, chosen in (("task-id", task_id), ("resubmit", resubmit), ("forget", forget)) if chosen]
    if len(asked) > 1:
        raise Invalid("give one of --task-id, --resubmit and --forget")
    waiting = holding.held(workspace)
    chosen = [
        (attempt, evidence)
        for attempt, evidence in waiting
        if attempt.slot in parse_slot(slot, [a.slot for a, _ in waiting])
    ]
    if not asked:
        if not chosen:
            raise Invalid(
                f"nothing is held for `{slot}`",
                hint="held are " + ", ".join(str(a.slot) for a, _ in waiting)
                if waiting
                else "nothing is held at all",
            )
        attempt, evidence = chosen[0]
        raise Invalid(
            f"`{attempt.slot}` is held: {plain(attempt.message)}. Balance before {console.number(evidence.before)}, "
            f"after {console.number(evidence.after)}; our other jobs spent {console.number(evidence.others)}; this one "
            f"costs {console.number(evidence.price)}: {evidence.says}",
            hint="decide with --task-id T, --resubmit or --forget",
        )
    done = holding.resolve(workspace, slot, asked[0], task_id)
    says = chosen[0][1].says if chosen else ""
    next_step = {
        "task-id": "the next run collects the task, at no cost",
        "resubmit": "the next run submits it again",
        "forget": "dropped; the next run generates the slot anew",
    }[asked[0]]
    value = {"slot": str(done.slot), "decision": asked[0], "task_id": done.task_id, "evidence": says}
    console.answer(value, f"{done.slot}: {next_step}" + (f" ({says})" if says else ""), as_json=as_json)
