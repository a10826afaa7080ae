"""The journal of a film whose attempts lie in the team's PostgreSQL; the notebook stays on this machine.

Every change of state is an UPDATE that names the states it may come from and the run that has the attempt.  Where it
meets no row, somebody else has taken over: `Fenced`, and the run stops sending.  Everything may be done twice, since
nobody can tell whether a transaction was kept whose connection broke.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from kiebatch.errors import Refused, plain
from kiebatch.model import JSON, Output, Slot
from kiebatch.record import (
    Claimed,
    Fenced,
    Hook,
    Intent,
    NoRoom,
    Notebook,
    SqliteJournal,
    Taken,
    TaskKnown,
)
from kiebatch.team import rows
from kiebatch.team.connection import Away, Connection, Cursor
from kiebatch.team.leases import Lease
from kiebatch.team.questions import HAD, Questions, Whose
from kiebatch.team.unwritten import Answer, Unwritten

T = TypeVar("T")

_OPEN = ("submitted", "lost")
_MOST_CREDITS = 1_000_000.0  # for one task; what a record says beyond is not believed


class TeamJournal(Questions):
    """The attempts of one film in a shared ledger.  Used by one thread at a time."""

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
        self.lease = lease
        self._local = local
        self._pulse = Connection(connection.url, clock=connection.clock)
        self._unwritten = unwritten
        self._hook = hook
        self._gathering: list[str] | None = None
        self._run_id = ""
        self._answer_s = 0.0
        self._holder: int | None = None

    @property
    def notebook(self) -> Notebook:
        return self._local.notebook

    @property
    def incomplete(self) -> bool:
        return self._local.incomplete

    def found_again(self) -> None:
        self._local.found_again()

    def close(self) -> None:
        """End the run, where one began: what it has not brought home is anybody's of the account."""
        try:
            if self._holder is not None:
                self._hook("journal.end:before")
                self.lease.end(self.connection, self._holder)
        except Away as away:
            self.warnings.append(
                f"{away.message}; the others of the account notice the end of this run by its silence"
            )
        finally:
            self._pulse.close()
            self.connection.close()
            self._local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- transactions

    def _write(
        self,
        point: str,
        work: Callable[[Cursor], T],
        *,
        while_away: Callable[[], object] = lambda: None,
        at_once: bool = False,
    ) -> T:
        self._hook(f"journal.{point}:before")
        done = self.connection.transact(work, while_away=while_away, at_once=at_once)
        if self._gathering is None:
            self._hook(f"journal.{point}:after")
        else:
            self._gathering.append(point)
        return done

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        points: list[str] = []
        self._gathering = points
        try:
            with self.connection.together():
                yield
        finally:
            self._gathering = None
        for point in points:
            self._hook(f"journal.{point}:after")

    # -- the life of a run

    def begin(self, run_id: str, answer_s: float) -> None:
        self._run_id, self._answer_s = run_id, answer_s
        self._register()
        self._write("begin", self._take_over)

    @property
    def holder(self) -> int:
        """The number of this run, which has what it claims; registered when first asked for."""
        return self._holder if self._holder is not None else self._register()

    def _register(self) -> int:
        who, whose = self.whose.name, self.whose

        def work(cursor: Cursor) -> int:
            cursor.execute(
                "INSERT INTO projects (id, name) VALUES (%s, %s)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen_at = ledger_now()",
                (whose.project, rows.text(whose.name)),
            )
            found = cursor.execute(
                "INSERT INTO runs (account, run_id, project, film, host, who, answer_s)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                (
                    whose.account,
                    self._run_id,
                    whose.project,
                    whose.film,
                    whose.host,
                    rows.text(who),
                    self._answer_s,
                ),
            ).fetchone()
            assert found is not None
            return int(found["id"])

        self._holder = self.connection.transact(work)
        return self._holder

    def _take_over(self, cursor: Cursor) -> None:
        """Make what earlier runs of this film had, and is not home, this run's."""
        cursor.execute(
            "UPDATE attempts a SET holder = %s FROM runs r WHERE r.id = a.holder AND r.ended IS NOT NULL"
            " AND a.project = %s AND a.film = %s AND a.state IN ('held', 'submitted', 'lost', 'saved')"
            " AND NOT (a.state = 'saved' AND a.recorded)",
            (self._holder, self.whose.project, self.whose.film),
        )

    @property
    def beat_s(self) -> float:
        return self.lease.beat_s

    def beat(self) -> None:
        """Over a connection of its own: what waits to be written must not make a run look dead."""
        self.lease.beat(self._pulse, self.holder)

    def hold_unfinished(self, reason: str) -> int:
        """Settle what earlier runs of this film left, as who holds its lock; write what they could not.

        Runs of this film on this machine are dead, since we have the lock.
        """
        self._merge_unwritten()
        whose = self.whose

        def work(cursor: Cursor) -> int:
            ours = (whose.project, whose.film)
            cursor.execute(
                "UPDATE runs SET ended = ledger_now(), died = true"
                " WHERE project = %s AND film = %s AND host = %s AND ended IS NULL AND id IS DISTINCT FROM %s",
                (*ours, whose.host, self._holder),
            )
            self.lease.reap(cursor, whose.account)
            return cursor.execute(
                "UPDATE attempts a SET state = 'held', message = %s, ended_at = ledger_now() FROM runs r"
                " WHERE r.id = a.holder AND r.ended IS NOT NULL AND r.host = %s AND a.project = %s AND a.film = %s"
                " AND a.state = 'intended'",
                (rows.text(reason), whose.host, *ours),
            ).rowcount

        return self._write("hold_unfinished", work)

    def _merge_unwritten(self) -> None:
        for answer in self._unwritten.answers():
            try:
                self.connection.transact(self._submitting(answer, ours=False))
            except (Fenced, TaskKnown) as trouble:
                self.warnings.append(f"{trouble}; the answer had come while the ledger was away")
            self._unwritten.written(answer)

    # -- attempts, in the order of a job's life

    def claim(self, intent: Intent) -> Claimed | Taken | NoRoom:
        token, whose = secrets.token_hex(12), self.whose
        key, slot, holder = intent.key, intent.slot, self.holder

        def work(cursor: Cursor) -> Claimed | Taken | NoRoom:
            found = cursor.execute(
                f"SELECT * FROM claim({', '.join(['%s'] * 19)})",
                (
                    token,
                    whose.account,
                    holder,
                    whose.project,
                    whose.film,
                    intent.run_id,
                    _written(slot),
                    str(slot.scene),
                    intent.model,
                    intent.family,
                    key.content,
                    key.take,
                    key.twin,
                    json.dumps(intent.job, ensure_ascii=True),
                    intent.credits,
                    intent.reserved,
                    intent.balance,
                    intent.seen,
                    intent.forced,
                ),
            ).fetchone()
            assert found is not None
            match found["verdict"]:
                case "claimed":
                    return Claimed(found["attempt"], found["edition"])
                case "taken":
                    return Taken(self._one(cursor, found["attempt"]))
                case "no-room":
                    return NoRoom(self._cap(cursor))
            raise Fenced(
                "this run was silent for so long that the others of the account took it for dead; it sends nothing more",
                hint="run again",
            )

        return self._write("intend", work, at_once=True)

    def _cap(self, cursor: Cursor) -> float:
        found = cursor.execute("SELECT cap FROM accounts WHERE id = %s", (self.whose.account,)).fetchone()
        return float(found["cap"]) if found and found["cap"] is not None else 0.0

    def intended(self, attempt: int) -> float:
        send_s = self.lease.send_s

        def work(cursor: Cursor) -> float:
            done = cursor.execute(
                "UPDATE attempts a SET state = 'intended', intended_at = ledger_now(),"
                " send_before = ledger_now() + make_interval(secs => %s),"
                " answer_by = ledger_now() + make_interval(secs => %s + r.answer_s)"
                " FROM runs r WHERE a.id = %s AND a.holder = %s AND r.id = a.holder AND r.ended IS NULL"
                " AND a.state IN ('claimed', 'intended')",
                (send_s, send_s, attempt, self.holder),
            )
            if done.rowcount != 1:
                raise self._fenced(cursor, attempt)
            return send_s

        return self._write("leaves", work, at_once=True)

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        answer = Answer(attempt, rows.text(task_id), tuple(outputs))
        kept: list[Answer] = []

        def keep() -> None:
            self._unwritten.keep(answer)
            kept.append(answer)

        work = self._submitting(answer, ours=True)
        self._write("submitted", work, while_away=keep, at_once=not answer.outputs)
        for one in kept:
            self._unwritten.written(one)

    def _submitting(self, answer: Answer, *, ours: bool) -> Callable[[Cursor], None]:
        def work(cursor: Cursor) -> None:
            whose = "holder = %s" if ours else "project = %s AND film = %s"
            mine = (self.holder,) if ours else (self.whose.project, self.whose.film)
            task = (self.whose.account, answer.task_id, answer.attempt)
            done = cursor.execute(
                "UPDATE attempts SET state = 'submitted', task_id = %s, submitted_at = ledger_now(), ended_at = NULL,"
                f" message = '' WHERE id = %s AND {whose} AND state IN ('claimed', 'intended', 'held')"
                " AND NOT EXISTS (SELECT 1 FROM attempts o WHERE o.account = %s AND o.task_id = %s AND o.id <> %s)",
                (answer.task_id, answer.attempt, *mine, *task),
            )
            if done.rowcount != 1:
                self._refuse_known(cursor, answer)
                self._late(cursor, answer)
            self._put_outputs(cursor, answer.attempt, answer.outputs)

        return work

    def _refuse_known(self, cursor: Cursor, answer: Answer) -> None:
        owner = cursor.execute(
            "SELECT id FROM attempts WHERE account = %s AND task_id = %s AND id <> %s",
            (self.whose.account, answer.task_id, answer.attempt),
        ).fetchone()
        if owner:
            raise TaskKnown(answer.task_id, self._one(cursor, owner["id"]))

    def _late(self, cursor: Cursor, answer: Answer) -> None:
        """Pass over an answer that is written already; `Fenced` for one that comes after a decision."""
        found = self._one(cursor, answer.attempt)
        if found.task_id == answer.task_id:
            return
        raise Fenced(
            f"the provider took {found.slot} as task {plain(answer.task_id)} after it had been decided here"
            f" ({found.state}): it may be a second charge",
            hint=f"look at kie.ai/logs; `kiebatch generate --task-id {plain(answer.task_id)} --model {found.model}`"
            " collects it",
        )

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        self._end(
            "refused", attempt, ("claimed", "intended"), code, message, retryable=retryable, billed=False
        )

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        changes = {"message": rows.text(reason), "balance_after": balance, "task_id": None}
        before = ("intended", "held", *_OPEN)
        self._write("held", lambda cursor: self._move(cursor, attempt, before, "held", changes), at_once=True)

    def failed(self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None) -> None:
        self._end("failed", attempt, _OPEN, code, message, retryable=retryable, billed=billed)

    def lost(self, attempt: int, code: str, message: str) -> None:
        self._end("lost", attempt, (*_OPEN, "saved"), code, message, retryable=True, billed=True)

    def saved(self, attempt: int) -> None:
        self._end("saved", attempt, (*_OPEN, "saved"), "", "", retryable=False, billed=True)

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
        changes = {
            "code": rows.text(code),
            "message": rows.text(message),
            "retryable": retryable,
            "billed": billed,
        }
        self._write(state, lambda cursor: self._move(cursor, attempt, before, state, changes), at_once=True)

    def _move(
        self, cursor: Cursor, attempt: int, before: Sequence[str], state: str, changes: Mapping[str, Any]
    ) -> None:
        """Change the state of an attempt that this run has; `Fenced` where it has it no longer.

        What an earlier run of this film saved is this run's, too, where the manifest has lost it.
        """
        assignments = "".join(f", {name} = %s" for name in changes)
        ours = (self.holder, self.whose.project, self.whose.film)
        done = cursor.execute(
            f"UPDATE attempts a SET holder = %s, state = %s, ended_at = ledger_now(){assignments}"
            " WHERE a.id = %s AND a.state = ANY(%s) AND (a.holder = %s OR a.state = 'saved' AND a.project = %s AND a.film = %s"
            " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = a.holder AND r.ended IS NULL))",
            (self.holder, state, *changes.values(), attempt, [*before, state], *ours),
        )
        if done.rowcount != 1:
            raise self._fenced(cursor, attempt)

    def _fenced(self, cursor: Cursor, attempt: int) -> Fenced:
        found = cursor.execute(
            "SELECT a.state, a.slot, r.who FROM attempts a LEFT JOIN runs r ON r.id = a.holder WHERE a.id = %s",
            (attempt,),
        ).fetchone()
        now = f"it is {found['state']} now and belongs to {found['who']}" if found else "it is gone"
        slot = Slot(*json.loads(found["slot"])) if found else attempt
        return Fenced(
            f"{slot} was taken over: {now}; this run sends nothing more",
            hint="it was silent for too long, or this folder is a copy of one that is at work; run again",
        )

    def seen(self, attempt: int, state: str) -> None:
        def work(cursor: Cursor) -> None:
            cursor.execute(
                "UPDATE attempts SET seen_state = %s, seen_at = ledger_now() WHERE id = %s AND holder = %s",
                (rows.text(state), attempt, self.holder),
            )

        self._write("seen", work, at_once=True)

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        def work(cursor: Cursor) -> None:
            self._put_outputs(cursor, attempt, outputs)
            if credits is not None:
                # More than was put aside counts under the cap; less never gives room back.
                believed = credits if 0 <= credits <= _MOST_CREDITS else 0.0
                cursor.execute(
                    "UPDATE attempts SET credits = %s, price = greatest(price, %s::numeric) WHERE id = %s AND holder = %s",
                    (credits, believed, attempt, self.holder),
                )

        self._write("outputs", work)

    def _put_outputs(self, cursor: Cursor, attempt: int, outputs: Sequence[Output]) -> None:
        for one in outputs:
            cursor.execute(
                "INSERT INTO outputs (attempt, number, url, text, label, output_id, seen_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, ledger_now()) ON CONFLICT (attempt, number) DO UPDATE"
                " SET url = excluded.url, text = excluded.text, output_id = excluded.output_id,"
                " seen_at = excluded.seen_at",
                (
                    attempt,
                    one.number,
                    one.url,
                    None if one.text is None else rows.text(one.text),
                    rows.text(one.label),
                    rows.text(one.id),
                ),
            )

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        def work(cursor: Cursor) -> None:
            cursor.execute(
                "UPDATE outputs SET entry = %s WHERE attempt = %s AND number = %s",
                (json.dumps(entry, ensure_ascii=True), attempt, number),
            )

        self._write("asset", work, at_once=True)

    def recorded(self, attempts: Iterable[int]) -> None:
        ids = list(attempts)
        if ids:
            self._write(
                "recorded",
                lambda cursor: cursor.execute(
                    "UPDATE attempts SET recorded = true WHERE id = ANY(%s)", (ids,)
                ),
                at_once=True,
            )

    # -- what other films of the account have

    def adopt(self, attempt: int, slot: Slot) -> bool:
        def work(cursor: Cursor) -> bool:
            self.lease.reap(cursor, self.whose.account)
            done = cursor.execute(
                "UPDATE attempts a SET holder = %s, project = %s, film = %s, slot = %s, scene = %s FROM runs r"
                " WHERE a.id = %s AND r.id = a.holder AND r.ended IS NOT NULL AND a.account = %s"
                " AND a.state IN ('submitted', 'lost')",
                (
                    self.holder,
                    self.whose.project,
                    self.whose.film,
                    _written(slot),
                    str(slot.scene),
                    attempt,
                    self.whose.account,
                ),
            )
            return done.rowcount == 1

        return self._write("adopt", work)

    # -- balances and decisions

    def unsettled(self) -> bool:
        query = "SELECT 1 FROM attempts WHERE project = %s AND film = %s AND state = 'held' AND balance_after IS NULL LIMIT 1"
        values = (self.whose.project, self.whose.film)
        return self._read(lambda cursor: cursor.execute(query, values).fetchone() is not None)

    def balance_seen(self, balance: float) -> None:
        if self.unsettled():
            self._write(
                "balance",
                lambda cursor: cursor.execute(
                    "UPDATE attempts SET balance_after = %s, ended_at = ledger_now()"
                    " WHERE project = %s AND film = %s AND state = 'held' AND balance_after IS NULL",
                    (balance, self.whose.project, self.whose.film),
                ),
            )

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        ids = [rows.text(one) for one in task_ids]
        self._write(
            "settle",
            lambda cursor: cursor.execute(
                "UPDATE attempts SET billed = %s WHERE account = %s AND task_id = ANY(%s)",
                (billed, self.whose.account, ids),
            ),
        )

    def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        def work(cursor: Cursor) -> None:
            if decision == "task-id":
                self._name_task(cursor, attempt, rows.text(task_id or ""))
                return
            if decision == "resubmit":
                self._refuse_early(cursor, attempt)
            done = cursor.execute(
                "UPDATE attempts SET state = 'forgotten', may_resubmit = true, ended_at = ledger_now()"
                " WHERE id = %s AND state IN ('intended', 'held', 'submitted', 'lost', 'forgotten')",
                (attempt,),
            )
            if done.rowcount != 1:
                raise self._fenced(cursor, attempt)

        self._write("decide", work)

    def _name_task(self, cursor: Cursor, attempt: int, task_id: str) -> None:
        """Make a known task of an attempt; one that was given up takes its key again, as the next edition."""
        done = cursor.execute(
            "UPDATE attempts a SET state = 'submitted', task_id = %s, submitted_at = coalesce(submitted_at, intended_at),"
            " message = '', ended_at = NULL, edition = CASE WHEN a.state = ANY(%s) THEN a.edition ELSE"
            " (SELECT coalesce(max(b.edition) + 1, 0) FROM attempts b WHERE b.account = a.account"
            " AND b.fingerprint = a.fingerprint AND b.take = a.take AND b.twin = a.twin AND b.state = ANY(%s)) END"
            " WHERE a.id = %s AND a.state IN ('intended', 'held', 'submitted', 'lost', 'failed', 'forgotten')",
            (task_id, list(HAD), list(HAD), attempt),
        )
        if done.rowcount != 1:
            raise self._fenced(cursor, attempt)

    def _refuse_early(self, cursor: Cursor, attempt: int) -> None:
        """Refuse to send again what may still arrive: its request may be on its way, from a machine that is frozen."""
        found = cursor.execute(
            "SELECT extract(epoch FROM answer_by + make_interval(secs => %s) - ledger_now())::float8 AS left_s"
            " FROM attempts WHERE id = %s AND answer_by IS NOT NULL",
            (self.lease.margin_s, attempt),
        ).fetchone()
        if found and found["left_s"] > 0:
            raise Refused(
                f"its request may still be on its way for {found['left_s']:.0f} s; nothing was decided",
                hint="look at kie.ai/logs meanwhile, then ask again",
            )


def _written(slot: Slot) -> str:
    return json.dumps([slot.scene, slot.shot, slot.model, slot.take])
