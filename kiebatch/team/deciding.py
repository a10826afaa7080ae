"""What people and balances decide of attempts: whether a failed one was billed, and what a held one became."""

from __future__ import annotations

from collections.abc import Iterable

from kiebatch.errors import Refused
from kiebatch.model import Slot
from kiebatch.team import rows
from kiebatch.team.connection import Cursor
from kiebatch.team.outcomes import taken_over
from kiebatch.team.questions import HAD
from kiebatch.team.run import TeamRun
from kiebatch.team.writing import Writer


class Decisions:
    """The decisions about one film, and about tasks of the account's other films that it takes over."""

    def __init__(self, writer: Writer, run: TeamRun) -> None:
        self._writer = writer
        self._run = run
        self._whose = run.whose
        self._lease = run.lease

    def adopt(self, attempt: int, slot: Slot) -> bool:
        def work(cursor: Cursor) -> bool:
            self._lease.reap(cursor, self._whose.account)
            done = cursor.execute(
                "UPDATE attempts a SET holder = %s, project = %s, film = %s, slot = %s, scene = %s FROM runs r"
                " WHERE a.id = %s AND r.id = a.holder AND r.ended IS NOT NULL AND a.account = %s"
                " AND a.state IN ('submitted', 'lost')",
                (
                    self._run.holder,
                    self._whose.project,
                    self._whose.film,
                    rows.slot_text(slot),
                    str(slot.scene),
                    attempt,
                    self._whose.account,
                ),
            )
            if done.rowcount != 1:
                return False
            # Where its files lie is written for the film that had it: ours has others under the same names.
            cursor.execute("UPDATE outputs SET entry = NULL WHERE attempt = %s", (attempt,))
            return True

        return self._writer.write("adopt", work)

    def balance_seen(self, balance: float) -> None:
        self._writer.write(
            "balance",
            lambda cursor: cursor.execute(
                "UPDATE attempts SET balance_after = %s, ended_at = ledger_now()"
                " WHERE project = %s AND film = %s AND state = 'held' AND balance_after IS NULL",
                (balance, self._whose.project, self._whose.film),
            ),
        )

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        ids = [rows.text(one) for one in task_ids]
        self._writer.write(
            "settle",
            lambda cursor: cursor.execute(
                "UPDATE attempts SET billed = %s WHERE account = %s AND task_id = ANY(%s)",
                (billed, self._whose.account, ids),
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
                raise taken_over(cursor, attempt)

        self._writer.write("decide", work)

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
            raise taken_over(cursor, attempt)

    def _refuse_early(self, cursor: Cursor, attempt: int) -> None:
        """Refuse to send again what may still arrive: its request may be on its way, from a machine that is frozen."""
        found = cursor.execute(
            "SELECT extract(epoch FROM answer_by + make_interval(secs => %s) - ledger_now())::float8 AS left_s"
            " FROM attempts WHERE id = %s AND answer_by IS NOT NULL",
            (self._lease.margin_s, attempt),
        ).fetchone()
        if found and found["left_s"] > 0:
            raise Refused(
                f"its request may still be on its way for {found['left_s']:.0f} s; nothing was decided",
                hint="look at kie.ai/logs meanwhile, then ask again",
            )
