"""Held jobs: the evidence about each, and the user's decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.model import JSON, Attempt, Slot, parse_slot
from kiebatch.project import attempts_of, claimed_by, load, open_film, read_manifest, team_here
from kiebatch.provider import policy
from kiebatch.record import Journal
from kiebatch.workspace import Workspace

_CENT = 0.005  # balances are compared to a cent of a credit


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
    def charged(self) -> bool | None:
        """Whether the balance proves that it was charged, or that it was not; None where it proves neither."""
        if self.unclear or self.others or self.before is None or self.after is None or self.price is None:
            return None
        gone = self.before - self.after
        if abs(gone) < _CENT:
            return False
        return True if abs(gone - self.price) < _CENT else None

    @property
    def says(self) -> str:
        if self.unclear:
            return "other jobs were in the air at the same time, so the balance says nothing: look at kie.ai/logs"
        if self.before is None or self.after is None or self.price is None:
            return "the balance says nothing: look at kie.ai/logs"
        gone = round(self.before - self.after - self.others, 4)
        if abs(gone) < _CENT:
            if self.others:
                return "the balance suggests that it was not charged"
            return "nothing else was in the air and the balance did not move, so it was not charged: use --resubmit"
        if abs(gone - self.price) < _CENT:
            return "the balance suggests that it was charged: look for its task id at kie.ai/logs"
        return "the balance moved by something else too: look at kie.ai/logs"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """An attempt that a person may decide: held, or open and waited for.  `slot` is its name in today's file."""

    slot: Slot
    attempt: Attempt
    evidence: Evidence

    @property
    def held(self) -> bool:
        return self.attempt.undecided


def held(workspace: Workspace, now: Callable[[], float] = time.time) -> list[tuple[Attempt, Evidence]]:
    """Return the held jobs with what the balances say about each."""
    return [(one.attempt, one.evidence) for one in waiting(workspace, now) if one.held]


def told(workspace: Workspace, held: Sequence[Mapping[str, JSON]]) -> list[dict[str, JSON]]:
    """Return what an answer says of held slots, with the evidence for each.

    That is what the balance says, in words and as `charged`, and the task that the provider's answer named.
    """
    known = {str(one.slot): one.evidence for one in waiting(workspace) if one.held} if held else {}
    nothing = Evidence(before=None, after=None, others=0.0, price=None)
    found = []
    for one in held:
        evidence = known.get(str(one["slot"]), nothing)
        task_id = one.get("task_id") or policy.task_named_in(str(one.get("reason") or one.get("message")))
        told: dict[str, JSON] = {"evidence": evidence.says, "charged": evidence.charged}
        found.append({**one, **told, "task_id": task_id})
    return found


def waiting(workspace: Workspace, now: Callable[[], float] = time.time) -> list[Waiting]:
    """Return everything that is held or open, by its slot of today, with what the balances say about each."""
    attempts = attempts_of(workspace)
    undecided = [a for a in attempts if a.undecided or a.open]
    slot_of = _names_of_today(workspace, attempts) if undecided else (lambda attempt: attempt.slot)
    return [Waiting(slot=slot_of(a), attempt=a, evidence=_evidence(a, attempts, now())) for a in undecided]


def _names_of_today(workspace: Workspace, attempts: Sequence[Attempt]) -> Callable[[Attempt], Slot]:
    """Return what names an attempt as every command prints it; as it was made where the file cannot be read."""
    try:
        opened = load(workspace.scene_file, assets=workspace.assets, draft=workspace.draft)
    except Invalid:
        return lambda attempt: attempt.slot
    return claimed_by(opened.project, opened.manifest, attempts).slot_of


def _evidence(attempt: Attempt, attempts: Sequence[Attempt], moment: float) -> Evidence:
    until = attempt.ended_at or moment
    others = [other for other in attempts if other.id != attempt.id]
    of_run = [other for other in others if other.run_id == attempt.run_id and other.intended_at <= until]
    charged = [
        other
        for other in others
        if other.submitted_at is not None and attempt.intended_at <= other.submitted_at <= until
    ]
    return Evidence(
        before=attempt.balance_before,
        after=attempt.balance_after,
        others=sum(other.credits or 0.0 for other in charged),
        price=attempt.credits,
        unclear=any(_may_be_charged(other, until) for other in of_run),
    )


def _may_be_charged(attempt: Attempt, until: float) -> bool:
    """Whether nobody can tell if a balance that was read then has this attempt's charge in it."""
    return attempt.undecided or (attempt.submitted_at or 0.0) > until or attempt.state == "failed"


def resolve(workspace: Workspace, slot: str, decision: str, task_id: str | None = None) -> Attempt:
    """Decide a held job: `task-id` adopts a task, `resubmit` lets the next run send it, `forget` drops it.

    A task that is open can be forgotten too: it is read no more.  One that the provider does not know, which is how a
    mistyped id ends, can be decided again.
    """
    known = {one.attempt.id: one for one in waiting(workspace)}
    with (
        files.lock(workspace.run_lock, wait=False, holder="`kiebatch resolve`"),
        _journal(workspace) as journal,
    ):
        able = [one for one in known.values() if one.held or one.attempt.unknown or decision == "forget"]
        chosen = _only(slot, able)
        if task_id is not None and (owner := journal.attempt_of_task(task_id)):
            raise Invalid(
                f"the task {task_id} is that of `{owner.slot}` already", hint="look for another one"
            )
        journal.decide(chosen.attempt.id, decision, task_id)
        return replace(journal.attempt(chosen.attempt.id), slot=chosen.slot)


def _only(slot: str, able: Sequence[Waiting]) -> Waiting:
    """Return the one attempt that a written slot means; held ones before open ones."""
    names = list(dict.fromkeys(one.slot for one in able))
    chosen = [one for one in able if one.slot in parse_slot(slot, names)]
    chosen = [one for one in chosen if one.held] or chosen
    if not chosen:
        hint = f"held are {_listed(names)}" if names else "nothing is held at all"
        raise Invalid(f"nothing is held for `{slot}`", hint=hint)
    if len({one.slot for one in chosen}) > 1:
        several = _listed(one.slot for one in chosen)
        raise Invalid(f"`{slot}` means several held jobs: {several}", hint="name one")
    return chosen[0]


def _listed(slots: Iterable[Slot]) -> str:
    return ", ".join(map(str, slots))


def _journal(workspace: Workspace) -> Journal:
    team = None if workspace.draft else team_here(workspace.root)
    return open_film(workspace, now=time.time, team=team, rebuild=lambda: read_manifest(workspace).assets)


def resolve_lost_journal(workspace: Workspace) -> str:
    """Let the next run go on although the journal does not know all that was sent; return what may be in flight.

    Raises `Invalid` where the journal is whole.
    """
    with (
        files.lock(workspace.run_lock, wait=False, holder="`kiebatch resolve`"),
        _journal(workspace) as journal,
    ):
        if not journal.incomplete:
            raise Invalid("the journal is whole: nothing is to be decided about it")
        open_ones = [str(a.slot) for a in journal.attempts() if a.open or a.undecided]
        journal.found_again()
    known = f"known and open are {', '.join(open_ones)}" if open_ones else "it knows of no open task"
    return (
        f"the journal was lost or taken back, and {known}; tasks that are not known to it are listed at "
        "kie.ai/logs: collect them with `kiebatch generate --task-id T --model M` or `kiebatch adopt`"
    )
