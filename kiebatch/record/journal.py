"""The attempts of one film, as every reader and writer of them sees them, wherever they lie.

On one machine they lie in a SQLite file (`sqlite_journal`), with a team in its PostgreSQL (`kiebatch.team`).  Order of
writing, for every job: claim, intent, then the submission, then its task id, then outputs, then assets.  Each write is
durable when it returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from kiebatch._dataclass import dataclass
from kiebatch.model import JSON, Asset, Attempt, Output, Slot
from kiebatch.record.ledger import Claimed, Intent, NoRoom, Taken
from kiebatch.record.notebook import Notebook


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """An output that the journal knows: its link, and the manifest entry once its file is in place."""

    output: Output
    seen_at: float
    asset: Asset | None


class Journal(Protocol):
    """The attempts of one film, and the notebook beside them."""

    warnings: list[str]
    # Whether a key is claimed before a start is booked.  Where others claim too, a start that was booked for a key
    # that somebody else has would be wasted; alone, the intent is the claim, and is written at the last moment.
    claims_first: bool

    @property
    def notebook(self) -> Notebook: ...

    @property
    def incomplete(self) -> bool:
        """Whether tasks may be in flight of which this journal knows nothing, and nobody has decided yet."""
        ...

    def found_again(self) -> None:
        """Note that a person looked at what may be in flight: what comes next is by their word."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def together(self) -> AbstractContextManager[None]:
        """Gather the writes inside into one transaction: all of them are durable at the end, or none."""
        ...

    # -- the life of a run

    def begin(self, run_id: str, answer_s: float) -> None:
        """Note that a run begins; it waits for an answer to a submission for `answer_s` at most.

        What earlier runs of the film have not brought home is its own from now on.
        """
        ...

    @property
    def beat_s(self) -> float | None:
        """How often a run must say that it is alive, in seconds; None where nobody else asks."""
        ...

    def beat(self) -> None:
        """Say that the run is alive; `Fenced` where the others took it for dead."""
        ...

    def hold_unfinished(self, reason: str) -> int:
        """Turn intents of a run that died into held jobs.  Only for who holds the project's lock."""
        ...

    # -- attempts, in the order of a job's life

    def claim(self, intent: Intent) -> Claimed | Taken | NoRoom:
        """Make a key ours, unless it is on its way already.

        One transaction looks and writes, so that two processes cannot both claim.  Where a claim does not come first,
        it is the intent too.
        """
        ...

    def intended(self, attempt: int) -> float:
        """Write down that a claimed job is about to be sent; return within how many seconds it must leave."""
        ...

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        """Write down the task that the provider made; before anything else is done with the answer.

        `outputs` are those of a call that has them in its answer, which nobody can ask for again.  Raises
        `TaskKnown` when another attempt has that task: the provider's word is evidence, not truth.
        """
        ...

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        """Write down that a submission certainly cost nothing and made no task."""
        ...

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        """Write down that nobody knows whether a submission was charged, nor which task it made."""
        ...

    def failed(self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None) -> None:
        """Write down that a task is over without a result."""
        ...

    def lost(self, attempt: int, code: str, message: str) -> None:
        """Write down that a finished task's result could not be had this time; it can be collected again."""
        ...

    def seen(self, attempt: int, state: str) -> None:
        """Note what the provider said last of a task that is not over."""
        ...

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        """Write down where a finished task's outputs lie, before they are fetched."""
        ...

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        """Write down that an output's file is in its place, with what its manifest entry will say."""
        ...

    def saved(self, attempt: int) -> None:
        """Write down that all of a task's outputs are on the disk."""
        ...

    def recorded(self, attempts: Iterable[int]) -> None:
        """Write down that the manifest on the disk holds these attempts' assets."""
        ...

    # -- questions

    def attempts(self, *, states: Sequence[str] = (), scene: str | None = None) -> list[Attempt]:
        """Return attempts, oldest first; of some states or of one scene alone when given."""
        ...

    def of_every_film(self) -> list[Attempt]:
        """Return the attempts of every film whose attempts lie here, oldest first."""
        ...

    def find(self, contents: Iterable[str]) -> list[Attempt]:
        """Return the attempts of some contents, whatever slot they were made for.

        The film's own come oldest first; of other films of the account (`elsewhere`), what is open, held or saved, the
        newest edition last.
        """
        ...

    def attempt(self, number: int) -> Attempt: ...

    def outputs_of(self, attempt: int) -> list[SavedOutput]: ...

    def outputs_of_task(self, task_id: str) -> list[SavedOutput]:
        """Return what is known of a task's outputs, by the provider's id of it."""
        ...

    def attempt_of_task(self, task_id: str) -> Attempt | None: ...

    def has_succeeded(self, model: str) -> bool:
        """Whether a task of this model ever brought a result here."""
        ...

    # -- what other films of the account have; alone there are none

    def news(self, attempts: Iterable[int]) -> list[int]:
        """Return those of other films' attempts that need not be waited for any more: over, or of a dead run."""
        ...

    def adopt(self, attempt: int, slot: Slot) -> bool:
        """Make another film's task ours, where its run is dead; False where it is not."""
        ...

    def spent_by_others(self, run_id: str) -> float:
        """Return what the account's other runs have sent since a run's first intent, in credits."""
        ...

    # -- balances and decisions

    def unsettled(self) -> bool:
        """Whether there is a held job of which no later balance is known."""
        ...

    def balance_seen(self, balance: float) -> None:
        """Add a balance to held jobs that lack one: evidence for whoever decides."""
        ...

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        """Write down what the balance says of failed tasks: billed, or refunded."""
        ...

    def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        """Carry out `resolve`: `task-id` makes it a known task, `resubmit` and `forget` let go of it."""
        ...
