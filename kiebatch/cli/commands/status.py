"""`kiebatch status`"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from kiebatch.ci import announce
from kiebatch.cli import console, options, shared, streams
from kiebatch.cli.panels import Command, Panel
from kiebatch.errors import plain
from kiebatch.model import JSON
from kiebatch.planning import statuses
from kiebatch.project import opening
from kiebatch.settings import settings
from kiebatch.workspace import Workspace

app = typer.Typer()
_HEAD = ("slot", "state", "asset or task", "what")
_MOST_ROWS = 20  # that fit on a small terminal


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def status(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="look again until nothing is in flight; on a terminal in place",
            rich_help_panel=Panel.OUTPUT,
        ),
    ] = False,
) -> None:
    """Show what is done, in flight, held or failed, and what expires soon.  Sends nothing.

    Example: kiebatch status --watch
    """
    workspace = opening.located(scene_file, **given.where)
    look = functools.partial(
        statuses.status, scene_file, **given.where, settings=settings(given.flags, {}, {})
    )
    if watch:
        _watch(look, workspace, in_place=not given.as_json and options.screen())
    found = look()
    announce.problems([{"severity": "warning", "message": warning} for warning in found.warnings])
    value: dict[str, JSON] = {
        "slots": _told(found, workspace),
        "counts": found.counts,
        "expectations": found.expectations,
    }
    if found.ledger_away:
        value["ledger_away"] = True
    console.answer(value, lambda: _text(found), as_json=given.as_json)


def _watch(look: Callable[[], statuses.ProjectStatus], workspace: Workspace, *, in_place: bool) -> None:
    """Look again and again, and show what is in flight and how long it will take, until nothing is."""
    from kiebatch.cli import tally, watching  # with the events of runs, which a single look does without

    def shown() -> watching.Look:
        found = look()
        left_s = statuses.left_s(replace(workspace, ledger_away=found.ledger_away))
        line = _counts(found)
        if left_s is not None:
            line += f"; about {tally.duration(left_s)} left"
        rows = [_row(slot) for slot in found.slots if slot.state == "in-flight"][:_MOST_ROWS]
        text = "\n".join([*_table(rows), line])
        return watching.Look(streams.harmless(text), line, found.counts.get("in-flight", 0) > 0)

    screen = watching.Screen(streams.write) if in_place else None
    watching.until_landed(shown, screen=screen, say=console.say, sleep=time.sleep)


def _text(found: statuses.ProjectStatus) -> str:
    rows = [_row(slot) for slot in found.slots if slot.state != "done"]
    unmet = [f"unmet {slot.slot}: {plain(words)}" for slot in found.slots for words in slot.unmet]
    return "\n".join([*_table(rows), _counts(found), *unmet, *found.warnings])


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return [console.table(rows, _HEAD)] if rows else []


def _row(slot: statuses.SlotStatus) -> list[str]:
    return [slot.slot, slot.state, slot.asset or slot.task_id or "", console.short(plain(slot.message), 70)]


def _counts(found: statuses.ProjectStatus) -> str:
    return ", ".join(f"{count} {state}" for state, count in found.counts.items()) or "nothing yet"


def _told(found: statuses.ProjectStatus, workspace: Workspace) -> list[dict[str, JSON]]:
    """Return the slots, those that are held with what the balance says of them."""
    slots = [slot.as_json() for slot in found.slots]
    waiting = [slot for slot in slots if slot["state"] == "held"]
    if not waiting:
        return slots
    from kiebatch.running import holding  # knows the provider's words, which most looks do without

    held = {one["slot"]: one for one in holding.told(workspace, waiting)}
    return [held.get(slot["slot"], slot) for slot in slots]
