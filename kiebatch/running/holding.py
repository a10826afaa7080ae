"""Held jobs: the evidence about each, and the user's decision."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.model import Attempt, parse_slot
from kiebatch.project import peek
from kiebatch.record import open_journal
from kiebatch.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for or against a held job having been charged.  Credits; None where not known.

    `unclear` says that other jobs were in the air between the two balances, whose charges nobody can tell apart.
    """

    before: float | None
    after: float | None
    others: float
    price: float | None
    unclear: bool = False

    @property
    def says(self) -> str:
        if self.unclear:
            return "other jobs were in the air at the same time, so the balance says nothing: look at kie.ai/logs"
        if self.before is None or self.after is None or self.price is None:
            return "the balance says nothing: look at kie.ai/logs"
        gone = round(self.before - self.after - self.others, 4)
        if abs(gone) < 0.005:
            if self.others:
                return "the balance suggests that it was not charged"
            return "nothing else was in the air and the balance did not move, so it was not charged: use --resubmit"
        if abs(gone - self.price) < 0.005:
            return "the balance suggests that it was charged: look for its task id at kie.ai/logs"
        return "the balance moved by something else too: look at kie.ai/logs"


def held(workspace: Workspace, now: Callable[[], float] = time.time) -> list[tuple[Attempt, Evidence]]:
    """Return the held jobs with what the balances say about each."""
    with peek(workspace) as journal:
        if journal is None:
            return []
        attempts = journal.attempts()
    found = []
    for attempt in attempts:
        if not attempt.undecided:
            continue
        until = attempt.ended_at or now()
        unclear = any(
            other.run_id == attempt.run_id
            and other.id != attempt.id
            and other.intended_at <= until
            and (other.undecided or (other.submitted_at or 0.0) > until or other.state == "failed")
            for other in attempts
        )
        others = sum(
            other.credits or 0.0
            for other in attempts
            if other.id != attempt.id
            and other.submitted_at is not None
            and attempt.intended_at <= other.submitted_at <= until
        )
        found.append(
            (
                attempt,
                Evidence(
                    before=attempt.balance_before,
                    after=attempt.balance_after,
                    others=others,
                    price=attempt.credits,
                    unclear=unclear,
                ),
            )
        )
    return found


def resolve(workspace: Workspace, slot: str, decision: str, task_id: str | None = None) -> Attempt:
    """Decide a held job: `task-id` adopts a task, `resubmit` lets the next run send it, `forget` drops it.

    A task that the provider does not know, which is how a mistyped id ends, can be decided again.
    """
    with (
        files.lock(workspace.state / "run.lock", wait=False, holder="`kiebatch resolve`"),
        open_journal(workspace.journal_path, now=time.time) as journal,
    ):
        waiting = [a for a in journal.attempts() if a.undecided or a.unknown]
        slots = {a.slot for a in waiting}
        chosen = [a for a in waiting if a.slot in parse_slot(slot, slots)]
        if not chosen:
            names = ", ".join(str(s) for s in slots)
            raise Invalid(
                f"nothing is held for `{slot}`",
                hint=f"held are {names}" if names else "nothing is held at all",
            )
        if len(chosen) > 1:
            names = ", ".join(str(a.slot) for a in chosen)
            raise Invalid(f"`{slot}` means several held jobs: {names}", hint="name one")
        if task_id is not None and (known := journal.attempt_of_task(task_id)):
            raise Invalid(
                f"the task {task_id} is that of `{known.slot}` already", hint="look for another one"
            )
        journal.decide(chosen[0].id, decision, task_id)
        return journal.attempt(chosen[0].id)
