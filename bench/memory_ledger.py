"""A team's ledger in memory: what `kiebatch.team` keeps in PostgreSQL, for many accounts on virtual time.

It promises what the tests of every journal say (tests/contract/test_journals.py, tests/team/test_team_journal.py).
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from kiebatch.errors import Refused
from kiebatch.model import JSON, Attempt, Output, Slot
from kiebatch.record import (
    Claimed,
    Fenced,
    Intent,
    Journal,
    NoRoom,
    Notebook,
    SavedOutput,
    Taken,
    TaskKnown,
    asset_from,
)
from kiebatch.team.leases import Lease

_HAD = (
    "claimed",
    "intended",
    "held",
    "submitted",
    "lost",
    "saved",
)  # of which there is one a key and edition
_OPEN = ("claimed", "intended", "held", "submitted", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    attempt: Attempt  # as its own film sees it
    film: str
    holder: int
    price: float
    answer_by: float = math.inf
    outputs: Mapping[int, SavedOutput] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return self.attempt.state

    @property
    def spent(self) -> bool:
        failed = self.state == "failed" and self.attempt.billed is not False
        return failed or self.state in ("saved", "forgotten")

    def now(self, **changes: Any) -> _Row:
        return replace(self, attempt=replace(self.attempt, **changes))


class _Rows(dict[int, _Row]):
    """Attempts by number, with what they come to: a claim must not count them all."""

    reserved = 0.0
    spent = 0.0

    def __setitem__(self, number: int, row: _Row) -> None:
        for one, sign in ((self.get(number), -1), (row, 1)):
            if one is not None:
                self.reserved += sign * one.price * (one.state in _OPEN)
                self.spent += sign * one.price * one.spent
        super().__setitem__(number, row)

    def copy(self) -> _Rows:
        copied = _Rows(self)
        copied.reserved, copied.spent = self.reserved, self.spent
        return copied


@dataclass(slots=True)
class _Run:
    film: str
    answer_s: float
    beat: float
    ended: bool = False


class MemoryLedger:
    """The records of one account."""

    def __init__(
        self, now: Callable[[], float], *, cap: float | None = None, lease: Lease | None = None
    ) -> None:
        self.now = now
        self.cap = cap
        self.lease = lease or Lease()
        self.rows = _Rows()
        self.of_content: defaultdict[str, list[int]] = defaultdict(list)
        self.of_task: dict[str, int] = {}
        self.runs: dict[int, _Run] = {}
        self.transactions = 0
        self._numbers = itertools.count(1)

    def number(self) -> int:
        return next(self._numbers)

    def having(self, contents: Iterable[str]) -> list[_Row]:
        numbers = itertools.chain.from_iterable(self.of_content[one] for one in contents)
        return [self.rows[number] for number in numbers if number in self.rows]

    def reap(self) -> None:
        """Bury the dead: their claims are free, what they may have sent is held once no answer can come any more."""
        for run in self.runs.values():
            run.ended = run.ended or run.beat < self.now() - self.lease.dead_s
        for number, row in self.rows.items():
            if row.state not in ("claimed", "intended") or not self.runs[row.holder].ended:
                continue
            if row.state == "claimed":
                self.rows[number] = row.now(state="refused", code="not-sent", retryable=True, billed=False)
            elif row.answer_by < self.now():
                self.rows[number] = row.now(state="held", ended_at=self.now())


class MemoryJournal:
    """The attempts of one film in a ledger in memory.  `local` has the notebook."""

    claims_first = True

    def __init__(
        self,
        ledger: MemoryLedger,
        film: str,
        local: Journal,
        hook: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self.warnings: list[str] = []
        self._ledger = ledger
        self._film = film
        self._local = local
        self._hook = hook
        self._gathering: list[str] | None = None
        self._holder: int | None = None

    @property
    def notebook(self) -> Notebook:
        return self._local.notebook

    @property
    def incomplete(self) -> bool:
        return False

    def found_again(self) -> None:
        """Nothing is ever lost here."""

    def close(self) -> None:
        if self._holder is not None:
            self._ledger.runs[self._holder].ended = True
            self._ledger.reap()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- transactions

    @contextlib.contextmanager
    def _write(self, point: str) -> Iterator[_Rows]:
        self._hook(f"journal.{point}:before")
        self._counted()
        yield self._ledger.rows
        if self._gathering is None:
            self._hook(f"journal.{point}:after")
        else:
            self._gathering.append(point)

    def _counted(self) -> None:
        self._ledger.transactions += self._gathering is None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        self._counted()
        before, self._gathering = self._ledger.rows.copy(), []
        points = self._gathering
        try:
            yield
        except BaseException:
            self._ledger.rows = before
            raise
        finally:
            self._gathering = None
        for point in points:
            self._hook(f"journal.{point}:after")

    # -- the life of a run

    def begin(self, run_id: str, answer_s: float) -> None:
        ledger = self._ledger
        self._holder = ledger.number()
        ledger.runs[self._holder] = _Run(self._film, answer_s, ledger.now())
        with self._write("begin") as rows:
            for number, row in rows.items():
                left = row.state in ("held", "submitted", "lost", "saved") and not row.attempt.recorded
                if row.film == self._film and left and ledger.runs[row.holder].ended:
                    rows[number] = replace(row, holder=self._holder)

    @property
    def holder(self) -> int:
        if self._holder is None:
            self.begin("", 0.0)
        assert self._holder is not None
        return self._holder

    @property
    def beat_s(self) -> float:
        return self._ledger.lease.beat_s

    def beat(self) -> None:
        self._counted()
        run = self._ledger.runs[self.holder]
        if run.ended:
            raise Fenced("this run was silent for so long that it was taken for dead")
        run.beat = self._ledger.now()
        self._ledger.reap()

    def hold_unfinished(self, reason: str) -> int:
        """Runs of this film are dead, since we have its lock."""
        for number, run in self._ledger.runs.items():
            run.ended = run.ended or (run.film == self._film and number != self._holder)
        self._ledger.reap()
        with self._write("hold_unfinished") as rows:
            left = [n for n, r in self._mine() if r.state == "intended" and self._ledger.runs[r.holder].ended]
            for number in left:
                rows[number] = rows[number].now(state="held", message=reason, ended_at=self._ledger.now())
        return len(left)

    # -- attempts, in the order of a job's life

    def claim(self, intent: Intent) -> Claimed | Taken | NoRoom:
        ledger, key, holder = self._ledger, intent.key, self.holder
        with self._write("intend") as rows:
            if ledger.runs[holder].ended:
                raise Fenced("this run was taken for dead; it sends nothing more")
            of_key = [row for row in ledger.having([key.content]) if self._has(row, intent)]
            in_the_way = [row for row in of_key if self._answers(row, intent)]
            if in_the_way:
                newest = max(in_the_way, key=lambda row: (row.attempt.edition, row.attempt.id))
                return Taken(self._seen_here(newest))
            cap = ledger.cap
            if cap is not None and rows.spent + rows.reserved + intent.reserved > cap + 1e-6:
                return NoRoom(cap)
            attempt = Attempt(
                id=ledger.number(),
                slot=intent.slot,
                model=intent.model,
                family=intent.family,
                fingerprint=key.content,
                state="claimed",
                job=intent.job,
                run_id=intent.run_id,
                credits=intent.credits,
                balance_before=intent.balance,
                intended_at=ledger.now(),
                film=self._film,
                take=key.take,
                twin=key.twin,
                edition=max((row.attempt.edition + 1 for row in of_key), default=0),
            )
            ledger.of_content[key.content].append(attempt.id)
            rows[attempt.id] = _Row(attempt=attempt, film=self._film, holder=holder, price=intent.reserved)
        return Claimed(attempt.id, attempt.edition)

    def _has(self, row: _Row, intent: Intent) -> bool:
        found, key = row.attempt, intent.key
        of_key = (found.fingerprint, found.take, found.twin) == (key.content, key.take, key.twin)
        return of_key and row.state in _HAD

    def _answers(self, row: _Row, intent: Intent) -> bool:
        if row.film != self._film:
            return not intent.forced
        return row.state != "saved" or (intent.seen is not None and row.attempt.id > intent.seen)

    def intended(self, attempt: int) -> float:
        ledger, send_s = self._ledger, self._ledger.lease.send_s
        if ledger.runs[self.holder].ended:
            raise Fenced("this run was taken for dead; it sends nothing more")
        with self._write("leaves"):
            row = self._move(attempt, ("claimed", "intended"), state="intended", intended_at=ledger.now())
            answer_by = ledger.now() + send_s + ledger.runs[self.holder].answer_s
            ledger.rows[attempt] = replace(row, answer_by=answer_by)
        return send_s

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        with self._write("submitted") as rows:
            row = rows[attempt]
            owner = self.attempt_of_task(task_id)
            if owner is not None and owner.id != attempt:
                raise TaskKnown(task_id, owner)
            if row.holder == self.holder and row.state in ("claimed", "intended", "held"):
                rows[attempt] = row.now(
                    state="submitted",
                    task_id=task_id,
                    submitted_at=self._ledger.now(),
                    ended_at=None,
                    message="",
                )
                self._ledger.of_task[task_id] = attempt
            elif row.attempt.task_id != task_id:
                raise Fenced("the provider took it after it had been decided: it may be a second charge")
            self._put_outputs(attempt, outputs)

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        self._end(
            "refused", attempt, ("claimed", "intended"), code, message, retryable=retryable, billed=False
        )

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        before = ("intended", "held", "submitted", "lost")
        with self._write("held"):
            self._move(
                attempt,
                before,
                state="held",
                message=reason,
                balance_after=balance,
                task_id=None,
                ended_at=self._ledger.now(),
            )

    def failed(self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None) -> None:
        self._end("failed", attempt, ("submitted", "lost"), code, message, retryable=retryable, billed=billed)

    def lost(self, attempt: int, code: str, message: str) -> None:
        self._end("lost", attempt, ("submitted", "lost", "saved"), code, message, retryable=True, billed=True)

    def saved(self, attempt: int) -> None:
        self._end("saved", attempt, ("submitted", "lost", "saved"), "", "", retryable=False, billed=True)

    def _end(
        self,
        state: str,
        attempt: int,
        before: Sequence[str],
        code: str,
        message: str,
        *,
        retryable: bool,
        billed: bool | None,
    ) -> None:
        with self._write(state):
            self._move(
                attempt,
                (*before, state),
                state=state,
                code=code,
                message=message,
                retryable=retryable,
                billed=billed,
                ended_at=self._ledger.now(),
            )

    def _move(self, attempt: int, before: Sequence[str], **changes: Any) -> _Row:
        """Change an attempt that this run has; `Fenced` where it has it no longer."""
        row = self._ledger.rows[attempt]
        left = row.state == "saved" and row.film == self._film and self._ledger.runs[row.holder].ended
        if not (row.holder == self.holder or left) or row.state not in before:
            raise Fenced(f"{row.attempt.slot} was taken over: it is {row.state} now")
        self._ledger.rows[attempt] = moved = replace(row.now(**changes), holder=self.holder)
        return moved

    def seen(self, attempt: int, state: str) -> None:
        with self._write("seen") as rows:
            rows[attempt] = rows[attempt].now(seen_state=state, seen_at=self._ledger.now())

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        with self._write("outputs") as rows:
            self._put_outputs(attempt, outputs)
            if credits is not None:
                row = rows[attempt].now(credits=credits)
                rows[attempt] = replace(row, price=max(row.price, credits))

    def _put_outputs(self, attempt: int, outputs: Sequence[Output]) -> None:
        row, now = self._ledger.rows[attempt], self._ledger.now()
        more = {one.number: SavedOutput(one, now, None) for one in outputs}
        self._ledger.rows[attempt] = replace(row, outputs={**row.outputs, **more})

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        with self._write("asset") as rows:
            row = rows[attempt]
            placed = replace(row.outputs[number], asset=asset_from(entry))
            rows[attempt] = replace(row, outputs={**row.outputs, number: placed})

    def recorded(self, attempts: Iterable[int]) -> None:
        with self._write("recorded") as rows:
            for number in attempts:
                rows[number] = rows[number].now(recorded=True)

    # -- questions

    def _mine(self) -> list[tuple[int, _Row]]:
        return [(number, row) for number, row in self._ledger.rows.items() if row.film == self._film]

    def _seen_here(self, row: _Row) -> Attempt:
        return replace(row.attempt, elsewhere="" if row.film == self._film else row.film)

    def _all(self, fits: Callable[[_Row], bool]) -> list[Attempt]:
        self._counted()
        return [self._seen_here(row) for row in self._ledger.rows.values() if fits(row)]

    def attempts(self, *, states: Sequence[str] = (), scene: str | None = None) -> list[Attempt]:
        return self._all(
            lambda row: (
                row.film == self._film
                and row.state != "claimed"
                and (not states or row.state in states)
                and scene in (None, str(row.attempt.slot.scene))
            )
        )

    def of_every_film(self) -> list[Attempt]:
        return self._all(lambda row: row.state != "claimed")

    def find(self, contents: Iterable[str]) -> list[Attempt]:
        self._counted()
        found = [
            self._seen_here(row)
            for row in self._ledger.having(contents)
            if (row.state != "claimed" if row.film == self._film else row.state in _HAD)
        ]
        return sorted(found, key=lambda one: (one.edition if one.elsewhere else 0, one.id))

    def attempt(self, number: int) -> Attempt:
        self._counted()
        return self._seen_here(self._ledger.rows[number])

    def outputs_of(self, attempt: int) -> list[SavedOutput]:
        self._counted()
        return [one for _, one in sorted(self._ledger.rows[attempt].outputs.items())]

    def outputs_of_task(self, task_id: str) -> list[SavedOutput]:
        found = self.attempt_of_task(task_id)
        return self.outputs_of(found.id) if found else []

    def attempt_of_task(self, task_id: str) -> Attempt | None:
        row = self._ledger.rows.get(self._ledger.of_task.get(task_id, 0))
        return self._seen_here(row) if row is not None and row.attempt.task_id == task_id else None

    def has_succeeded(self, model: str) -> bool:
        return bool(self._all(lambda row: row.state == "saved" and row.attempt.model == model))

    # -- what other films of the account have

    def news(self, attempts: Iterable[int]) -> list[int]:
        waits = ("claimed", "intended", "submitted", "lost")
        rows = {number: self._ledger.rows[number] for number in attempts}
        return [n for n, row in rows.items() if row.state not in waits or self._adoptable(row)]

    def adopt(self, attempt: int, slot: Slot) -> bool:
        with self._write("adopt") as rows:
            self._ledger.reap()
            row = rows[attempt]
            if not self._adoptable(row):
                return False
            # Where its files lie is true for the film that had it.
            outputs = {number: replace(saved, asset=None) for number, saved in row.outputs.items()}
            adopted = row.now(slot=slot, film=self._film)
            rows[attempt] = replace(adopted, film=self._film, holder=self.holder, outputs=outputs)
        return True

    def _adoptable(self, row: _Row) -> bool:
        return row.state in ("submitted", "lost") and self._ledger.runs[row.holder].ended

    def spent_by_others(self, run_id: str) -> float:
        attempts = [row.attempt for row in self._ledger.rows.values()]
        since = min((a.intended_at for a in attempts if a.run_id == run_id), default=math.inf)
        theirs = [a for a in attempts if a.run_id != run_id and a.billed is not False]
        return sum(a.credits or 0.0 for a in theirs if a.submitted_at is not None and a.submitted_at >= since)

    # -- balances and decisions

    def unsettled(self) -> bool:
        return any(a.balance_after is None for a in self.attempts(states=("held",)))

    def balance_seen(self, balance: float) -> None:
        with self._write("balance") as rows:
            for number, row in self._mine():
                if row.state == "held" and row.attempt.balance_after is None:
                    rows[number] = row.now(balance_after=balance, ended_at=self._ledger.now())

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        wanted = set(task_ids)
        with self._write("settle") as rows:
            for number, row in list(rows.items()):
                if row.attempt.task_id in wanted:
                    rows[number] = row.now(billed=billed)

    def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        ledger = self._ledger
        with self._write("decide") as rows:
            row = rows[attempt]
            left_s = row.answer_by + ledger.lease.margin_s - ledger.now()
            if decision == "resubmit" and 0 < left_s < math.inf:
                raise Refused(f"its request may still be on its way for {left_s:.0f} s; nothing was decided")
            if decision == "task-id":
                rows[attempt] = row.now(state="submitted", task_id=task_id, message="", ended_at=None)
                ledger.of_task[task_id or ""] = attempt
            else:
                rows[attempt] = row.now(state="forgotten", may_resubmit=True, ended_at=ledger.now())
