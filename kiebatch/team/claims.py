"""What leaves for the provider: a key is claimed, its request leaves, and the task of the answer is written down."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence

from kiebatch.errors import plain
from kiebatch.model import Output
from kiebatch.record import Claimed, Fenced, Intent, NoRoom, Taken, TaskKnown
from kiebatch.team import rows
from kiebatch.team.connection import Cursor
from kiebatch.team.outcomes import put_outputs, taken_over
from kiebatch.team.questions import attempt_of
from kiebatch.team.run import TeamRun
from kiebatch.team.unwritten import Answer, Unwritten
from kiebatch.team.writing import Writer


class Claims:
    """The submissions of one run."""

    def __init__(self, writer: Writer, run: TeamRun, unwritten: Unwritten) -> None:
        self._writer = writer
        self._run = run
        self._whose = run.whose
        self._lease = run.lease
        self._unwritten = unwritten

    def claim(self, intent: Intent) -> Claimed | Taken | NoRoom:
        token, whose = secrets.token_hex(12), self._whose
        key, slot, holder = intent.key, intent.slot, self._run.holder

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
                    rows.slot_text(slot),
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
                    return Taken(attempt_of(cursor, self._whose, found["attempt"]))
                case "no-room":
                    return NoRoom(self._cap(cursor))
            raise Fenced(
                "this run was silent for so long that the others of the account took it for dead; it sends nothing more",
                hint="run again",
            )

        return self._writer.write("intend", work, at_once=True)

    def _cap(self, cursor: Cursor) -> float:
        found = cursor.execute("SELECT cap FROM accounts WHERE id = %s", (self._whose.account,)).fetchone()
        return float(found["cap"]) if found and found["cap"] is not None else 0.0

    def intended(self, attempt: int) -> float:
        send_s = self._lease.send_s

        def work(cursor: Cursor) -> float:
            done = cursor.execute(
                "UPDATE attempts a SET state = 'intended', intended_at = ledger_now(),"
                " send_before = ledger_now() + make_interval(secs => %s),"
                " answer_by = ledger_now() + make_interval(secs => %s + r.answer_s)"
                " FROM runs r WHERE a.id = %s AND a.holder = %s AND r.id = a.holder AND r.ended IS NULL"
                " AND a.state IN ('claimed', 'intended')",
                (send_s, send_s, attempt, self._run.holder),
            )
            if done.rowcount != 1:
                raise taken_over(cursor, attempt)
            return send_s

        return self._writer.write("leaves", work, at_once=True)

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        answer = Answer(attempt, rows.text(task_id), tuple(outputs))
        kept: list[Answer] = []

        def keep() -> None:
            self._unwritten.keep(answer)
            kept.append(answer)

        work = self._submitting(answer, ours=True)
        self._writer.write("submitted", work, while_away=keep, at_once=not answer.outputs)
        for one in kept:
            self._unwritten.written(one)

    def merge_unwritten(self) -> Iterator[str]:
        """Write the answers that came while the ledger was away; yield what is wrong with one that comes too late."""
        for answer in self._unwritten.answers():
            try:
                self._writer.connection.transact(self._submitting(answer, ours=False))
            except (Fenced, TaskKnown) as trouble:
                yield f"{trouble}; the answer had come while the ledger was away"
            self._unwritten.written(answer)

    def _submitting(self, answer: Answer, *, ours: bool) -> Callable[[Cursor], None]:
        def work(cursor: Cursor) -> None:
            whose = "holder = %s" if ours else "project = %s AND film = %s"
            mine = (self._run.holder,) if ours else (self._whose.project, self._whose.film)
            task = (self._whose.account, answer.task_id, answer.attempt)
            done = cursor.execute(
                "UPDATE attempts SET state = 'submitted', task_id = %s, submitted_at = ledger_now(), ended_at = NULL,"
                f" message = '' WHERE id = %s AND {whose} AND state IN ('claimed', 'intended', 'held')"
                " AND NOT EXISTS (SELECT 1 FROM attempts o WHERE o.account = %s AND o.task_id = %s AND o.id <> %s)",
                (answer.task_id, answer.attempt, *mine, *task),
            )
            if done.rowcount != 1:
                self._refuse_known(cursor, answer)
                self._late(cursor, answer)
            put_outputs(cursor, answer.attempt, answer.outputs)

        return work

    def _refuse_known(self, cursor: Cursor, answer: Answer) -> None:
        owner = cursor.execute(
            "SELECT id FROM attempts WHERE account = %s AND task_id = %s AND id <> %s",
            (self._whose.account, answer.task_id, answer.attempt),
        ).fetchone()
        if owner:
            raise TaskKnown(answer.task_id, attempt_of(cursor, self._whose, owner["id"]))

    def _late(self, cursor: Cursor, answer: Answer) -> None:
        """Pass over an answer that is written already; `Fenced` for one that comes after a decision."""
        found = attempt_of(cursor, self._whose, answer.attempt)
        if found.task_id == answer.task_id:
            return
        raise Fenced(
            f"the provider took {found.slot} as task {plain(answer.task_id)} after it had been decided here"
            f" ({found.state}): it may be a second charge",
            hint=f"look at kie.ai/logs; `kiebatch generate --task-id {plain(answer.task_id)} --model {found.model}`"
            " collects it",
        )
