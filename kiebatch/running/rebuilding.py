"""What was run here; and the index of runs, rebuilt from records, journal and manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from kiebatch import files
from kiebatch.model import Asset, Attempt, stamp
from kiebatch.project import Opened, attempts_of, finding
from kiebatch.record import queries
from kiebatch.record import runs as records
from kiebatch.record.runs import Run, RunRecord, RunStatus
from kiebatch.workspace import Workspace


def runs(opened: Opened) -> list[Run]:
    """Return every run of a film that left a record on this machine, the oldest first; `queries.runs` filters them."""
    return records.all_runs(opened.workspace.state / "runs")


def run_record(opened: Opened, run_id: str) -> RunRecord:
    """Return one run whole; the beginning of its id will do.  `Invalid` where there is none."""
    return records.read(opened.workspace.state / "runs", run_id)


def rebuild(workspace: Workspace) -> list[Run]:
    """Rebuild the index of a film's runs and return them.  Records that are there are left as they are."""
    folder = workspace.state / "runs"
    files.private_folder(folder)
    attempts = attempts_of(workspace)
    kept = {run.id: run for run in _from_manifest(workspace)}
    known = {run.id: run for run in _from_journal(workspace, attempts)}
    # The journal counts what failed, too; that a run had tags only its results tell.
    tagged = {name: replace(run, tags=kept[name].tags) for name, run in known.items() if name in kept}
    found = kept | known | tagged
    (folder / records.INDEX).unlink(missing_ok=True)  # whatever it says is in the records, or is not true
    found |= {run.id: run for run in records.all_runs(folder)}
    ordered = sorted(found.values(), key=lambda run: (run.started_at, run.id))
    files.replace(folder / records.INDEX, records.index_text(ordered))
    return ordered


def _from_journal(workspace: Workspace, attempts: Iterable[Attempt]) -> list[Run]:
    by_run: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.run_id:
            by_run[attempt.run_id].append(attempt)
    return [_run(workspace, run_id, made) for run_id, made in by_run.items()]


def _run(workspace: Workspace, run_id: str, attempts: list[Attempt]) -> Run:
    failed = _in_state(attempts, "failed", "refused")
    held = [a for a in attempts if a.undecided]
    saved = _in_state(attempts, "saved")
    billed = [a for a in failed if a.billed]
    paid = _in_state(attempts, "submitted", "saved", "lost")
    return Run(
        id=run_id,
        started_at=stamp(min(a.intended_at for a in attempts)),
        ended_at=stamp(max(map(_last_heard, attempts))),
        status=_status(saved=len(saved), failed=len(failed), held=len(held), of=len(attempts)),
        film=workspace.scene_name,
        draft=workspace.draft,
        models=tuple(dict.fromkeys(a.model for a in attempts)),
        counts={"planned": len(attempts), "succeeded": len(saved), "failed": len(failed), "held": len(held)},
        spent=0.0 if workspace.draft else _credits(paid + billed),
        billed_for_failures=_credits(billed),
    )


def _in_state(attempts: Iterable[Attempt], *states: str) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.state in states]


def _last_heard(attempt: Attempt) -> float:
    return attempt.ended_at or attempt.submitted_at or attempt.intended_at


def _status(*, saved: int, failed: int, held: int, of: int) -> RunStatus:
    if held:
        return RunStatus.HELD
    if failed:
        return RunStatus.FAILED
    return RunStatus.SUCCESS if saved == of else RunStatus.UNFINISHED


def _credits(made: Iterable[Attempt | Asset]) -> float:
    return round(sum(one.credits or 0.0 for one in made), 4)


def _from_manifest(workspace: Workspace) -> list[Run]:
    """Return the runs that only results tell of: those of a colleague, or from before the journal was lost."""
    by_run: dict[str, list[Asset]] = defaultdict(list)
    for asset in finding.read_manifest(workspace).assets:
        if queries.run_of(asset):
            by_run[queries.run_of(asset)].append(asset)
    return [
        Run(
            id=run_id,
            started_at=min(a.created_at for a in made),
            ended_at=max(a.created_at for a in made),
            status=RunStatus.SUCCESS,
            film=workspace.scene_name,
            draft=workspace.draft,
            tags=tuple(dict.fromkeys(tag for a in made for tag in queries.tags_of(a))),
            models=tuple(dict.fromkeys(a.model for a in made)),
            counts={"succeeded": len(made)},
            spent=_credits(made),
        )
        for run_id, made in by_run.items()
    ]
