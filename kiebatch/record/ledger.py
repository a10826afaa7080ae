"""The words of the ledger: what is paid for at most once, and what a claim of it came to.

A ledger writes down every attempt before and after each step that costs.  On one machine it is the journal, a
SQLite file; the order of the steps and the words are the same wherever it lies.
"""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch._dataclass import dataclass
from kiebatch.errors import Refused
from kiebatch.model import JSON, Attempt, Slot


@dataclass(frozen=True, slots=True)
class Key:
    """What is paid for at most once.

    `content` is the fingerprint.  `twin` counts the jobs of one file with equal content and take, in file order;
    an attempt keeps its twin.  `edition` is one higher for each `--force`, and is chosen inside `claim`.
    """

    content: str
    take: int = 1
    twin: int = 1
    edition: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A job that is about to be sent: what is written down before the request leaves.  Credits; None if unknown.

    `seen` is the highest attempt that whoever decided to send it knew of; what was saved since answers it.  `forced`
    asks for a new edition, whatever other films of the account have.
    """

    run_id: str
    slot: Slot
    key: Key
    model: str
    family: str
    job: Mapping[str, JSON]  # `model.job_record`
    credits: float | None
    balance: float | None = None
    reserved: float = 0.0  # what it counts for under a cap of the account
    seen: int | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The attempt is ours to send."""

    attempt: int
    edition: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The same content is on its way or was saved meanwhile, or nobody knows whether it is: nothing may be sent."""

    by: Attempt


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The account's cap leaves no room for the price.  Credits."""

    cap: float


class Fenced(Refused):
    """Another program has taken over what this run was about to write: it was silent for too long, or is a copy."""


class TaskKnown(Exception):
    """The provider named a task that another attempt has already."""

    def __init__(self, task_id: str, owner: Attempt) -> None:
        super().__init__(f"the task {task_id} is that of {owner.slot} already")
        self.task_id = task_id
        self.owner = owner
