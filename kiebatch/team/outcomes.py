"""What became of the attempts of a run: each change names the states that it may come from, and who has the attempt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from kiebatch.model import JSON, Output, Slot
from kiebatch.record import Fenced
from kiebatch.team import rows
from kiebatch.team.connection import Cursor
from kiebatch.team.run import TeamRun
from kiebatch.team.writing import Writer

_OPEN = ("submitted", "lost")
_MOST_CREDITS = 1_000_000.0  # for one task; what a record says beyond is not believed


class Outcomes:
    """The attempts of one run, after they have left."""

    def __init__(self, writer: Writer, run: TeamRun) -> None:
        self._writer = writer
        self._run = run
        self._whose = run.whose

    def hold_unfinished(self, reason: str) -> int:
        """Settle what earlier runs of this film left, as who holds its lock; return how many may have been sent."""
        whose = self._whose

        def work(cursor: Cursor) -> int:
            self._run.bury_earlier(cursor)
            return cursor.execute(
                "UPDATE attempts a SET state = 'held', message = %s, ended_at = ledger_now() FROM runs r"
                " WHERE r.id = a.holder AND r.ended IS NOT NULL AND r.host = %s AND a.project = %s AND a.film = %s"
                " AND a.state = 'intended'",
                (rows.text(reason), whose.host, whose.project, whose.film),
            ).rowcount

        return self._writer.write("hold_unfinished", work)

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        self._end(
            "refused", attempt, ("claimed", "intended"), code, message, retryable=retryable, billed=False
        )

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        changes = {"message": rows.text(reason), "balance_after": balance, "task_id": None}
        before = ("intended", "held", *_OPEN)
        self._writer.write(
            "held", lambda cursor: self._move(cursor, attempt, before, "held", changes), at_once=True
        )

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
        self._writer.write(
            state, lambda cursor: self._move(cursor, attempt, before, state, changes), at_once=True
        )

    def _move(
        self, cursor: Cursor, attempt: int, before: Sequence[str], state: str, changes: Mapping[str, object]
    ) -> None:
        """Change the state of an attempt that this run has; `Fenced` where it has it no longer.

        What an earlier run of this film saved is this run's, too, where the manifest has lost it.
        """
        assignments = "".join(f", {name} = %s" for name in changes)
        ours = (self._run.holder, self._whose.project, self._whose.film)
        done = cursor.execute(
            f"UPDATE attempts a SET holder = %s, state = %s, ended_at = ledger_now(){assignments}"
            " WHERE a.id = %s AND a.state = ANY(%s) AND (a.holder = %s OR a.state = 'saved' AND a.project = %s AND a.film = %s"
            " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = a.holder AND r.ended IS NULL))",
            (self._run.holder, state, *changes.values(), attempt, [*before, state], *ours),
        )
        if done.rowcount != 1:
            raise taken_over(cursor, attempt)

    def seen(self, attempt: int, state: str) -> None:
        def work(cursor: Cursor) -> None:
            cursor.execute(
                "UPDATE attempts SET seen_state = %s, seen_at = ledger_now() WHERE id = %s AND holder = %s",
                (rows.text(state), attempt, self._run.holder),
            )

        self._writer.write("seen", work, at_once=True)

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        def work(cursor: Cursor) -> None:
            put_outputs(cursor, attempt, outputs)
            if credits is not None:
                # More than was put aside counts under the cap; less never gives room back.
                believed = credits if 0 <= credits <= _MOST_CREDITS else 0.0
                cursor.execute(
                    "UPDATE attempts SET credits = %s, price = greatest(price, %s::numeric) WHERE id = %s AND holder = %s",
                    (credits, believed, attempt, self._run.holder),
                )

        self._writer.write("outputs", work)

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        def work(cursor: Cursor) -> None:
            cursor.execute(
                "UPDATE outputs SET entry = %s WHERE attempt = %s AND number = %s",
                (json.dumps(entry, ensure_ascii=True), attempt, number),
            )

        self._writer.write("asset", work, at_once=True)

    def recorded(self, attempts: Iterable[int]) -> None:
        ids = list(attempts)
        if ids:
            self._writer.write(
                "recorded",
                lambda cursor: cursor.execute(
                    "UPDATE attempts SET recorded = true WHERE id = ANY(%s)", (ids,)
                ),
                at_once=True,
            )


def taken_over(cursor: Cursor, attempt: int) -> Fenced:
    """Return what a run says whose attempt somebody else has by now."""
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


def put_outputs(cursor: Cursor, attempt: int, outputs: Sequence[Output]) -> None:
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
                rows.text_or_none(one.text),
                rows.text(one.label),
                rows.text(one.id),
            ),
        )
