"""`kiebatch run`"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from kiebatch.ci import announce, facts, reviewed
from kiebatch.cli import consenting, console, notifying, options, progress, shared
from kiebatch.cli.panels import Command, Panel
from kiebatch.errors import Invalid, plain
from kiebatch.media.checks import State
from kiebatch.model import JSON, as_list, as_mapping, under
from kiebatch.planning import Plan, planning, saved
from kiebatch.project import Opened, opening
from kiebatch.record import ResultStore, StoreFailed, manifest, results_of
from kiebatch.running import Outcome, holding, session
from kiebatch.settings import Settings, settings

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.ALL)
def run(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
    plan_file: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            help="do exactly this saved plan, once; it names its scene file",
            rich_help_panel=Panel.SPENDING,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit",
            help="write a JUnit XML file, a test case for each job",
            rich_help_panel=Panel.OUTPUT,
        ),
    ] = None,
) -> None:
    """Submit, poll, download, record.  Run it again to resume: nothing is paid for twice.

    Example: kiebatch run scenes.yaml --draft
    """
    with _bringing_home(given.but(approved=None), scene_file):
        given, bound = _bound(given, plan_file)
    wanted = _wanted(given, scene_file, plan_file, bound)
    with _bringing_home(given, wanted.scene_file):
        opened, chosen = options.open_given(given, wanted.scene_file, reading=wanted.reading)
    results = results_of(chosen, network=True)
    todo = _planned(opened, results, wanted, until_picks=chosen.until_picks)
    if todo.work or todo.collect:
        chosen = options.with_key(chosen)
    shown = _shown(given, opened, chosen, todo)
    with notifying.at_the_end(chosen.notify) as tell, shown:
        ready_to = _ready(opened, chosen, todo)
        with _bringing_home(given, wanted.scene_file), ready_to as ready:
            outcome = session.run(
                opened,
                settings=ready,
                only=wanted.only,
                force=wanted.force,
                emit=shown,
                confirm=None if chosen.draft else consenting.asks(chosen),
                bound=wanted.bound,
                results=results,
            )
        value = _value(outcome, opened, chosen)
        # The answer first: what comes after it may fail, and a run that was paid for has told what it made.
        console.answer(
            value,
            lambda: summary(outcome, draft=chosen.draft),
            as_json=given.as_json,
            code=outcome.exit_code,
        )
        tell(value)
    announce.outcome(value, junit=junit, facts=lambda: facts.facts_of(opened, outcome.run_id))
    console.leave(outcome.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a run is to make: what its options select, or what a saved plan says."""

    scene_file: Path | None
    only: Sequence[str] = ()
    force: bool = False
    bound: Mapping[str, JSON] | None = None

    @property
    def reading(self) -> Mapping[str, JSON]:
        """What the saved plan kept of the settings by which its file was read."""
        return as_mapping(under(self.bound, "reading"))


def _wanted(
    given: shared.Given, scene_file: Path | None, plan_file: Path | None, bound: Mapping[str, JSON] | None
) -> _Wanted:
    """Return what a run is to make; `bound` is the saved plan that it goes by."""
    if bound is None:
        return _Wanted(scene_file=scene_file, only=given.only, force=given.force)
    if given.only or given.force:
        raise Invalid("--plan does exactly its plan: --only and --force belong to `kiebatch plan --out`")
    if plan_file is not None:
        scene_file = scene_file or saved.scene_file_of(bound, plan_file, project=given["project"])
    only = [str(selector) for selector in as_list(bound.get("only"))]
    return _Wanted(scene_file=scene_file, only=only, force=bool(bound.get("force")), bound=bound)


def _planned(opened: Opened, results: ResultStore | None, wanted: _Wanted, *, until_picks: bool) -> Plan:
    """Return what is ahead.  The run itself says so where a store does not answer, and what that means."""
    look = functools.partial(
        planning.plan, opened, only=wanted.only, force=wanted.force, until_picks=until_picks
    )
    try:
        return look(results=results)
    except StoreFailed:
        return look()


def _shown(given: shared.Given, opened: Opened, chosen: Settings, todo: Plan) -> progress.Progress:
    """Return what shows a run as it goes, on the terminal and in the files that were named."""
    scale = options.DRAFT_SCALE if chosen.draft else chosen.expected_scale
    return progress.Progress(
        progress.expected(opened.workspace, todo.work, scale),
        bar=options.progress_bar(given["no_progress"]),
        by_model=given["by_model"],
        folder=opened.workspace.assets.parent,
        transcript=options.transcript(given, chosen),
    )


def _ready(opened: Opened, chosen: Settings, todo: Plan) -> contextlib.AbstractContextManager[Settings]:
    """Return what yields the settings of the run.  A draft that has nothing to do needs no simulator."""
    busy = bool(todo.work or todo.collect)
    jobs = [entry.job for entry in todo.work if entry.job]
    return options.simulator(replace(chosen, draft=chosen.draft and busy), opened, jobs)


def _value(outcome: Outcome, opened: Opened, chosen: Settings) -> dict[str, JSON]:
    """Return the document of a run."""
    value = outcome.as_json(manifest.entry)
    if chosen.approved:
        value["approved"] = chosen.approved
    value["held"] = holding.told(opened.workspace, list(map(as_mapping, as_list(value["held"]))))
    return value


def _bound(given: shared.Given, plan_file: Path | None) -> tuple[shared.Given, Mapping[str, JSON] | None]:
    """Return the saved plan that a run goes by, and what was typed with the digest that is on record for it."""
    bound = saved.read_plan(plan_file) if plan_file else None
    if given["approved"] != "github":
        return given, bound
    if plan_file:
        raise Invalid("--approved github goes by the plan on record: leave out --plan")
    recorded = saved.parse_plan(reviewed.plan_of_reviewed_commit(os.environ), "the plan on record")
    return given.but(approved=str(under(recorded, "effects", "digest") or "")), recorded


@contextlib.contextmanager
def _bringing_home(given: shared.Given, scene_file: Path | None) -> Iterator[None]:
    """Bring home what is paid for although a run is refused: results expire while a typo is mended."""
    try:
        yield
    except Invalid:
        _collect_all_the_same(given, scene_file)
        raise


def _collect_all_the_same(given: shared.Given, scene_file: Path | None) -> None:
    place = opening.located(scene_file, **given.where)
    chosen = settings(given.flags, os.environ, {}, env_file=place.root / ".env")
    if chosen.draft:
        return
    shown = progress.Progress({}, bar=False)
    outcome = session.collect_known(place, settings=chosen, emit=shown)
    if outcome and outcome.assets:
        names = ", ".join(asset.filename for asset in outcome.assets)
        console.say(f"collected what was paid for already: {names}")


def summary(outcome: Outcome, *, draft: bool = False) -> str:
    """Return what a run came to, for a person."""
    lines = [_counts(outcome, draft=draft) + _spent(outcome, draft=draft)]
    for failure in outcome.failures:
        lines.append(f"failed {failure.slot}: {failure.message or failure.code}")
        if failure.hint:
            lines.append(f"  {failure.hint}")
    lines += judgement(outcome)
    lines += [f"held {one.slot}: {one.reason}" for one in outcome.held]
    if outcome.held:
        lines.append(
            "Held jobs may have been charged: `kiebatch resolve SLOT` shows what the balance says of each."
        )
    if outcome.stopped_because:
        lines.append(f"stopped: {outcome.stopped_because}")
    return "\n".join(lines)


def _counts(outcome: Outcome, *, draft: bool) -> str:
    counts = {
        "made" if draft else "made or restored": outcome.succeeded,
        "up to date": outcome.kept,
        "failed": len(outcome.failures),
        "held": len(outcome.held),
        "not sent": len(outcome.skipped),
        "missing": outcome.missing,
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count] or ["nothing to do"]
    if outcome.unmet:
        parts.append(f"{len(outcome.unmet)} not as expected")
    return ", ".join(parts)


def _spent(outcome: Outcome, *, draft: bool) -> str:
    if draft:
        return " (draft, no credits)"
    if not outcome.spent:
        return ""
    said = f"; spent {console.number(outcome.spent)} credits ({console.dollars(outcome.spent)})"
    if outcome.billed_for_failures:
        said += f", {console.number(outcome.billed_for_failures)} of them on failures"
    return said


def judgement(outcome: Outcome) -> list[str]:
    """Return what is not as expected, for a person, and how many expectations could not be judged."""
    lines = [f"unmet {one.slot}: {plain(str(verdict))}" for one, verdict in outcome.unmet]
    if outcome.unmet:
        lines.append("  nothing is bought again for it; `--only unmet --force` buys new versions")
    waiting = [(one.slot, v) for one in outcome.judged for v in one.verdicts if v.state is State.UNJUDGED]
    if waiting:
        slot, first = waiting[0]
        more = f"; {len(waiting) - 1} more" if len(waiting) > 1 else ""
        lines.append(f"{slot}: {plain(str(first))}{more}")
    return lines
