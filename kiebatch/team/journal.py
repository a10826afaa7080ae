"""The journal of a film whose attempts lie in the team's PostgreSQL; the notebook stays on this machine.

Every change of state is an UPDATE that names the states it may come from and the run that has the attempt.  Where it
meets no row, somebody else has taken over: `Fenced`, and the run stops sending.  Everything may be done twice, since
nobody can tell whether a transaction was kept whose connection broke.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from kiebatch.model import JSON, Output, Slot
from kiebatch.record import Claimed, Hook, Intent, NoRoom, Notebook, SqliteJournal, Taken
from kiebatch.team.claims import Claims
from kiebatch.team.connection import Away, Connection
from kiebatch.team.deciding import Decisions
from kiebatch.team.leases import Lease
from kiebatch.team.outcomes import Outcomes
from kiebatch.team.questions import Questions, Whose
from kiebatch.team.run import TeamRun
from kiebatch.team.unwritten import Unwritten
from kiebatch.team.writing import Writer


class TeamJournal(Questions):
    """The attempts of one film in a shared ledger: `Journal` over the parts that write it.  Used by one thread at a time."""

    claims_first = True

    def __init__(
        self,
        connection: Connection,
        whose: Whose,
        lease: Lease,
        local: SqliteJournal,
        unwritten: Unwritten,
        hook: Hook,
    ) -> None:
        super().__init__(connection, whose)
        self.warnings = local.warnings
        self._local = local
        self._writer = Writer(connection, hook)
        self._run = TeamRun(self._writer, whose, lease)
        self._claims = Claims(self._writer, self._run, unwritten)
        self._outcomes = Outcomes(self._writer, self._run)
        self._decisions = Decisions(self._writer, self._run)

    @property
    def notebook(self) -> Notebook:
        return self._local.notebook

    @property
    def incomplete(self) -> bool:
        return self._local.incomplete

    def found_again(self) -> None:
        self._local.found_again()

    def close(self) -> None:
        """End the run, where one began, and close every connection."""
        try:
            self._run.end()
        except Away as away:
            self.warnings.append(
                f"{away.message}; the others of the account notice the end of this run by its silence"
            )
        finally:
            self._run.close()
            self.connection.close()
            self._local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def together(self) -> AbstractContextManager[None]:
        return self._writer.together()

    # -- the life of a run

    def begin(self, run_id: str, answer_s: float) -> None:
        self._run.begin(run_id, answer_s)

    @property
    def beat_s(self) -> float:
        return self._run.lease.beat_s

    def beat(self) -> None:
        self._run.beat()

    def hold_unfinished(self, reason: str) -> int:
        """Settle what earlier runs of this film left, as who holds its lock; write what they could not."""
        self.warnings.extend(self._claims.merge_unwritten())
        return self._outcomes.hold_unfinished(reason)

    # -- attempts, in the order of a job's life

    def claim(self, intent: Intent) -> Claimed | Taken | NoRoom:
        return self._claims.claim(intent)

    def intended(self, attempt: int) -> float:
        return self._claims.intended(attempt)

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        self._claims.submitted(attempt, task_id, outputs)

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        self._outcomes.refused(attempt, code, message, retryable=retryable)

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        self._outcomes.held(attempt, reason, balance)

    def failed(self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None) -> None:
        self._outcomes.failed(attempt, code, message, retryable=retryable, billed=billed)

    def lost(self, attempt: int, code: str, message: str) -> None:
        self._outcomes.lost(attempt, code, message)

    def seen(self, attempt: int, state: str) -> None:
        self._outcomes.seen(attempt, state)

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        self._outcomes.outputs(attempt, outputs, credits)

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        self._outcomes.asset(attempt, number, entry)

    def saved(self, attempt: int) -> None:
        self._outcomes.saved(attempt)

    def recorded(self, attempts: Iterable[int]) -> None:
        self._outcomes.recorded(attempts)

    # -- balances and decisions

    def adopt(self, attempt: int, slot: Slot) -> bool:
        return self._decisions.adopt(attempt, slot)

    def balance_seen(self, balance: float) -> None:
        if self.unsettled():
            self._decisions.balance_seen(balance)

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        self._decisions.settle(task_ids, billed=billed)

    def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        self._decisions.decide(attempt, decision, task_id)
