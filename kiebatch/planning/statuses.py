"""The state of each slot of a project: done, in flight, held, failed, missing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from kiebatch import files
from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Attempt, Slot, stamp
from kiebatch.planning import expected
from kiebatch.planning.planning import plan
from kiebatch.planning.plans import Action, Entry, Plan, Reason
from kiebatch.project import Opened, as_known_here, attempts_of, load, located, peek
from kiebatch.provider import lifetimes
from kiebatch.record import Whereabouts
from kiebatch.settings import Settings
from kiebatch.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class SlotStatus:
    """Where one slot stands."""

    slot: str
    state: str  # done, queued, in-flight, held, failed, missing, blocked
    asset: str | None = None
    task_id: str | None = None
    expires_at: str | None = None
    message: str = ""
    remote: bool = False  # its file is in the store and not here
    unmet: tuple[str, ...] = ()  # what is not as expected, in words

    def as_json(self) -> dict[str, JSON]:
        found = {name: getattr(self, name) or None for name in self.__dataclass_fields__}
        return found | {"remote": self.remote, "unmet": list(self.unmet)}


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """Where a project stands; `warnings` say what is unsaved and expires."""

    slots: tuple[SlotStatus, ...]
    counts: Mapping[str, int]
    expectations: Mapping[str, int] = field(
        default_factory=dict
    )  # how many expectations are met, unmet, unjudged
    warnings: tuple[str, ...] = ()
    ledger_away: bool = (
        False  # what is in flight or held is known to the team's ledger, which cannot be reached
    )


def status(
    path: str | Path | None = None,
    *,
    project: Path | None = None,
    assets: Path | None = None,
    state: Path | None = None,
    draft: bool = False,
    settings: Settings | None = None,
    now: Callable[[], float] = time.time,
) -> ProjectStatus:
    """Return what is done, in flight, held or failed.  Sends nothing.

    Of the `settings` only those count by which a scene file is read, such as `variables`.
    """
    try:
        opened = load(
            path, project=project, assets=assets, state=state, draft=draft, settings=settings, allow=None
        )
    except Invalid as invalid:
        place = located(path, project=project, assets=assets, state=state, draft=draft)
        raise with_waiting(invalid, as_known_here(place, lambda _words: None)) from None
    away: list[str] = []
    opened = replace(opened, workspace=as_known_here(opened.workspace, away.append))
    todo = plan(opened, now=now)
    attempts = attempts_of(opened.workspace)
    judged = expected.of_plan(todo)
    slots = _slots(todo, attempts, expected.unmet(judged), without_file=opened.workspace.scene_file is None)
    links = opened.workspace.links().items()
    warnings = [
        *away,
        *(f"{files.shown(folder)} is a link to {target}" for folder, target in links),
        *_unsaved(attempts, now()),
        *_unstored(opened),
    ]
    return ProjectStatus(
        slots=tuple(slots),
        counts=dict(Counter(slot.state for slot in slots)),
        expectations=expected.counts(judged),
        warnings=tuple(warnings),
        ledger_away=opened.workspace.ledger_away,
    )


def _slots(
    todo: Plan, attempts: Sequence[Attempt], unmet: Mapping[Slot, tuple[str, ...]], *, without_file: bool
) -> list[SlotStatus]:
    """Return the slots of the file, then what was paid for, or may have been, that none of them asks for.

    What the manifest has beyond the file counts only where there is no file.
    """
    entries = [e for e in todo.entries if without_file or e.action is not Action.ORPHAN]
    told = {e.attempt.id for e in entries if e.attempt}
    undecided = (a for a in attempts if a.undecided or a.state == "lost")
    others = {a.id: a for a in (*todo.collect, *undecided) if a.id not in told}
    of_file = [replace(_slot_status(entry), unmet=unmet.get(entry.slot, ())) for entry in entries]
    return [*of_file, *map(_unasked, others.values())]


def _unasked(attempt: Attempt) -> SlotStatus:
    """Return the state of a task that today's file does not ask for."""
    return SlotStatus(
        slot=str(attempt.slot),
        state="held" if attempt.undecided else "in-flight",
        task_id=attempt.task_id,
        expires_at=_expires(attempt),
        message=_waiting(attempt),
    )


def _unsaved(attempts: Sequence[Attempt], now: float) -> Iterator[str]:
    """Say how many results are paid for and not here, and when the first link to one expires."""
    since = [a.submitted_at for a in attempts if a.open and a.submitted_at is not None]
    if not since:
        return
    left_s = lifetimes.RESULT_LINK.kept_s - (now - min(since))
    if left_s > 0:
        when = f"links may expire in {left_s / 3600:.0f} h"
    else:
        days = lifetimes.RESULT.kept_s / lifetimes.DAY_S
        when = f"links may have expired; media live {days:.0f} days"
    yield f"{len(since)} paid task(s) are not yet saved ({when}): `kiebatch run` collects them"


def left_s(workspace: Workspace, now: Callable[[], float] = time.time) -> float | None:
    """Return in how many seconds what is in flight is over, by how long its models took here.

    None where nothing is in flight, or where nothing was learnt yet.
    """
    with peek(workspace) as journal:
        if journal is None:
            return None
        ages = [(a.model, now() - (a.submitted_at or now())) for a in journal.attempts(states=("submitted",))]
        learnt = {model: journal.notebook.durations(model) for model, _ in ages}
    known = [max(0.0, past[len(past) // 2] - age) for model, age in ages if (past := learnt[model])]
    return max(known, default=None)


def _expires(attempt: Attempt) -> str | None:
    return stamp(attempt.submitted_at + lifetimes.RESULT.kept_s) if attempt.submitted_at else None


def _slot_status(entry: Entry) -> SlotStatus:
    """Return the state of one slot of the file."""
    state, message = _state_of(entry)
    found = SlotStatus(
        slot=str(entry.slot),
        state=state,
        asset=entry.current[0].id if entry.current else None,
        message=message,
        remote=entry.remote,
    )
    attempt = entry.attempt
    if attempt and state == "in-flight":
        return replace(found, task_id=attempt.task_id, expires_at=_expires(attempt))
    if attempt and state == "failed":
        return replace(found, task_id=attempt.task_id)
    return found


_STATES = {
    Action.KEEP: "done",
    Action.ALTERED: "done",
    Action.ORPHAN: "done",
    Action.MISSING: "missing",
    Action.RESTORE: "missing",
    Action.BLOCKED: "blocked",
}


def _state_of(entry: Entry) -> tuple[str, str]:
    """Return the state of a slot in a word, and what there is to say about it."""
    state, attempt = _STATES.get(entry.action, "queued"), entry.attempt
    if state == "done":
        return state, entry.note or _elsewhere(entry)
    if entry.cause is Reason.HELD:
        return "held", entry.note
    if attempt and entry.action is Action.RESTORE:
        return "in-flight", _waiting(attempt)
    if attempt and entry.cause is Reason.FAILED_BEFORE:
        return "failed", f"{attempt.code} {attempt.message}".strip()
    return state, entry.note or entry.reason


def _elsewhere(entry: Entry) -> str:
    return f"in the store, not here: `kiebatch pull {entry.slot}`" if entry.remote else ""


def _unstored(opened: Opened) -> Iterator[str]:
    """Say how many results the store was seen to lack, where the manifest names one."""
    if opened.manifest.store is None:
        return
    whereabouts = Whereabouts(opened.manifest, opened.workspace.state)
    count = sum(1 for asset in opened.manifest.assets if not asset.draft and whereabouts.absent(asset))
    if count:
        yield f"{count} file(s) are not in the store yet: `kiebatch push` takes those that are here"


def _waiting(attempt: Attempt) -> str:
    """Say since when a task is waited for, and what the provider said last of it."""
    since = (
        f"paid for, not yet collected; since {stamp(attempt.submitted_at)}" if attempt.submitted_at else ""
    )
    if attempt.message:
        return f"{attempt.message} ({since})" if since else attempt.message
    said = f"; the provider says `{attempt.seen_state}`" if attempt.seen_state else ""
    return f"{since or 'paid for, not yet collected'}{said}"


def with_waiting(invalid: Invalid, workspace: Workspace) -> Invalid:
    """Return a file's errors with a warning for each task that is paid for, not collected, and waits behind them."""
    attempts = attempts_of(workspace, ("submitted", "lost"))
    waiting = [
        Problem(
            where=Where(files.shown(workspace.journal_path)),
            message=f"`{attempt.slot}`: task {attempt.task_id} is {_waiting(attempt)}"
            f"; it is kept until {_expires(attempt)}",
            hint="`kiebatch run` collects it although the scene file has errors",
            severity="warning",
            code="waiting",
        )
        for attempt in attempts
    ]
    return Invalid([*invalid.problems, *waiting]) if waiting else invalid
