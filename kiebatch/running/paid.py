"""A task that was paid for, and how it stands to what its slot asks for today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kiebatch.model import Attempt, Job, Slot, as_list, job_of

# asked: what the slot asks for today; earlier: it was, and becomes an older version that the slot shows until it
# has a newer one; behind: the slot has what it asks for, and this goes behind it as an older version.
Standing = Literal["asked", "earlier", "behind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTask:
    """One task at the provider: which attempt, for which slot, at what price (credits; None if unknown)."""

    attempt: int
    slot: Slot
    job: Job
    fingerprint: str
    twin: int
    task_id: str
    made_from: Sequence[str] = ()
    credits: float | None = None
    standing: Standing = "asked"
    edition: int = 0  # one more for each --force
    run_id: str = ""  # the run that submitted it; empty for this one
    borrowed: bool = False  # another film of the account has paid for it, and writes down what becomes of it

    @property
    def asked(self) -> bool:
        return self.standing == "asked"


def paid_task(attempt: Attempt, job: Job, standing: Standing) -> PaidTask:
    """Return the task of an attempt that the ledger knows.  `job` is its job, for the slot of today."""
    assert attempt.task_id is not None
    return PaidTask(
        attempt=attempt.id,
        slot=job.slot,
        job=job,
        fingerprint=attempt.fingerprint,
        twin=attempt.twin,
        edition=attempt.edition,
        task_id=attempt.task_id,
        made_from=tuple(str(one) for one in as_list(attempt.job.get("made_from"))),
        credits=attempt.credits,
        standing=standing,
        run_id=attempt.run_id,
    )


def job_for(attempt: Attempt, slot: Slot, today: Job | None) -> Job:
    """Return the job that an attempt was made with, under its slot of today.

    The file's own name for the output wins over the one that was recorded: a name that was too long can be mended.
    """

    then = job_of(attempt.job)
    return replace(then, slot=slot, output=today.output if today else then.output)
