"""The journal of one machine: a SQLite file.  Each write passes the hook of `Database`."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from kiebatch.errors import KieBatchError
from kiebatch.model import JSON, Attempt, Output, Slot
from kiebatch.record import journal_schema
from kiebatch.record.asset_rows import asset_from
from kiebatch.record.database import Database, Hook, no_hook, read_rows, spoilt
from kiebatch.record.journal import SavedOutput
from kiebatch.record.ledger import Claimed, Intent, Taken, TaskKnown
from kiebatch.record.notebook import Notebook

# States in which an attempt is paid for, or may be: no second one of its key is sent unasked.
_PAID = ("intended", "held", "submitted", "lost", "saved")


class SqliteJournal:
    """The attempts of one film, and the notebook beside them.  Use `open_journal`."""

    claims_first = False

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        now: Callable[[], float],
        film: str = "assets",
        hook: Hook = no_hook,
        path: Path = Path("the journal"),
    ) -> None:
        self.path = path
        self.film = film
        self.warnings: list[str] = []
        self.database = Database(connection, path=path, hook=hook)
        self.notebook = Notebook(self.database, now=now)
        self.mark: Callable[[], None] = lambda: None  # writes `journal.mark`; a reader writes none
        self._marked = False
        self._now = now

    def close(self) -> None:
        self._mark_again()
        self.database.connection.close()

    def _mark_again(self) -> None:
        # On a full disk the older mark holds: it is a lower bound.
        with contextlib.suppress(KieBatchError):
            self.mark()

    @property
    def uuid(self) -> str:
        """The identity of this journal, which its mark names."""
        return journal_schema.uuid_of(self.database.connection)

    @property
    def team(self) -> str:
        """The team's ledger that this film's attempts are kept in; empty where they are kept here."""
        return journal_schema.about(self.database.connection, f"team of {self.film}")

    def moved_to(self, ledger: str) -> None:
        """Note that this film's attempts are kept in a team's ledger from now on."""
        with self.database.write("team") as db:
            db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (f"team of {self.film}", ledger))

    @property
    def highest(self) -> int:
        """The number of the latest attempt of any film; 0 when there is none."""
        return int(
            self.database.connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]
        )

    @property
    def incomplete(self) -> bool:
        """Whether tasks may be in flight of which this journal knows nothing, and nobody has decided yet."""
        return bool(self.database.connection.execute("PRAGMA application_id").fetchone()[0])

    def found_again(self) -> None:
        """Note that a person looked at what may be in flight: what comes next is by their word."""
        self.database.connection.execute("PRAGMA application_id = 0")
        self.mark()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def together(self) -> contextlib.AbstractContextManager[None]:
        return self.database.together()

    def begin(self, run_id: str, answer_s: float) -> None:
        """Nothing to note: whoever holds the film's lock is the one run."""

    @property
    def beat_s(self) -> None:
        return None

    def beat(self) -> None:
        """Nobody asks."""

    # -- attempts

    def intended(self, attempt: int) -> float:
        """The claim was the intent."""
        return math.inf

    def claim(self, intent: Intent) -> Claimed | Taken:
        """Write down that a job is about to be sent, unless its key is on its way already.

        Durable when this returns.  One transaction looks and writes, so that two processes cannot both claim.
        """
        key, slot = intent.key, intent.slot
        if not self._marked:
            self._marked = True
            self.mark()
        with self.database.write("intend") as db:
            found = db.execute(
                f"SELECT * FROM attempts WHERE film = ? AND fingerprint = ? AND take = ? AND twin = ? AND state IN"
                f" ({', '.join('?' * len(_PAID))}) ORDER BY edition DESC, id DESC",
                (self.film, key.content, key.take, key.twin, *_PAID),
            ).fetchall()
            in_the_way = [row for row in found if row["state"] != "saved" or _since(row, intent)]
            if in_the_way:
                return Taken(_attempt(in_the_way[0]))
            edition = found[0]["edition"] + 1 if found else 0
            row = db.execute(
                "INSERT INTO attempts (run_id, film, slot, scene, model, family, fingerprint, take, twin, edition, state,"
                " job, credits, intended_at, balance_before) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'intended', ?, ?, ?, ?)",
                (
                    intent.run_id,
                    self.film,
                    json.dumps([slot.scene, slot.shot, slot.model, slot.take]),
                    str(slot.scene),
                    intent.model,
                    intent.family,
                    key.content,
                    key.take,
                    key.twin,
                    edition,
                    json.dumps(intent.job, ensure_ascii=False),
                    intent.credits,
                    self._now(),
                    intent.balance,
                ),
            )
        # Before anything is sent, so that a copy of the journal from before this intent is found to be one.
        self.database.once_durable(self._mark_again)
        return Claimed(int(row.lastrowid or 0), edition)

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        """Write down the task that the provider made; before anything else is done with the answer.

        `outputs` are those of a call that has them in its answer, which nobody can ask for again.  Raises
        `TaskKnown` when another attempt has that task: the provider's word is evidence, not truth.
        """
        with self.database.write("submitted") as db:
            owner = db.execute(
                "SELECT * FROM attempts WHERE task_id = ? AND id != ? LIMIT 1", (task_id, attempt)
            ).fetchone()
            if owner:
                raise TaskKnown(task_id, _attempt(owner))
            db.execute(
                "UPDATE attempts SET state = 'submitted', task_id = ?, submitted_at = ?, message = '' WHERE id = ?",
                (task_id, self._now(), attempt),
            )
            self._put_outputs(db, attempt, outputs)

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        """Write down that a submission certainly cost nothing and made no task."""
        self._end("refused", attempt, "refused", code, message, retryable=retryable, billed=False)

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        """Write down that nobody knows whether a submission was charged."""
        with self.database.write("held") as db:
            db.execute(
                "UPDATE attempts SET state = 'held', task_id = NULL, message = ?, ended_at = ?, balance_after = ?"
                " WHERE id = ?",
                (reason, self._now(), balance, attempt),
            )

    def failed(self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None) -> None:
        """Write down that a task is over without a result."""
        self._end("failed", attempt, "failed", code, message, retryable=retryable, billed=billed)

    def lost(self, attempt: int, code: str, message: str) -> None:
        """Write down that a finished task's result could not be had this time; it can be collected again."""
        self._end("lost", attempt, "lost", code, message, retryable=True, billed=True)

    def _end(
        self,
        point: str,
        attempt: int,
        state: str,
        code: str,
        message: str,
        *,
        retryable: bool,
        billed: bool | None,
    ) -> None:
        with self.database.write(point) as db:
            db.execute(
                "UPDATE attempts SET state = ?, code = ?, message = ?, retryable = ?, billed = ?, ended_at = ?"
                " WHERE id = ?",
                (state, code, message, retryable, billed, self._now(), attempt),
            )

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        """Write down where a finished task's outputs lie, before they are fetched."""
        with self.database.write("outputs") as db:
            self._put_outputs(db, attempt, outputs)
            if credits is not None:
                db.execute("UPDATE attempts SET credits = ? WHERE id = ?", (credits, attempt))

    def _put_outputs(self, db: sqlite3.Connection, attempt: int, outputs: Sequence[Output]) -> None:
        for output in outputs:
            db.execute(
                "INSERT INTO outputs (attempt, number, url, text, label, output_id, seen_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (attempt, number) DO UPDATE SET url = excluded.url,"
                " text = excluded.text, output_id = excluded.output_id, seen_at = excluded.seen_at",
                (attempt, output.number, output.url, output.text, output.label, output.id, self._now()),
            )

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        """Write down that an output's file is in its place, with what its manifest entry will say."""
        with self.database.write("asset") as db:
            db.execute(
                "UPDATE outputs SET entry = ? WHERE attempt = ? AND number = ?",
                (json.dumps(entry, ensure_ascii=False), attempt, number),
            )

    def seen(self, attempt: int, state: str) -> None:
        """Note what the provider said last of a task that is not over."""
        with self.database.write("seen") as db:
            db.execute(
                "UPDATE attempts SET seen_state = ?, seen_at = ? WHERE id = ?", (state, self._now(), attempt)
            )

    def saved(self, attempt: int) -> None:
        """Write down that all of a task's outputs are on the disk."""
        self._end("saved", attempt, "saved", "", "", retryable=False, billed=True)

    def recorded(self, attempts: Iterable[int]) -> None:
        """Write down that the manifest on the disk holds these attempts' assets."""
        ids = list(attempts)
        if ids:
            with self.database.write("recorded") as db:
                db.executemany("UPDATE attempts SET recorded = 1 WHERE id = ?", [(i,) for i in ids])

    def attempts(self, *, states: Sequence[str] = (), scene: str | None = None) -> list[Attempt]:
        """Return attempts, oldest first; of some states or of one scene alone when given."""
        terms, values = ["film = ?"], [self.film, *states]
        if states:
            terms.append(f"state IN ({', '.join('?' * len(states))})")
        if scene is not None:
            terms.append("scene = ?")
            values.append(scene)
        found = self._rows(f"SELECT * FROM attempts WHERE {' AND '.join(terms)} ORDER BY id", values)
        return [_attempt(row) for row in found]

    def of_every_film(self) -> list[Attempt]:
        """Return the attempts of every film in the file, oldest first."""
        return [_attempt(row) for row in self._rows("SELECT * FROM attempts ORDER BY id")]

    def find(self, contents: Iterable[str]) -> list[Attempt]:
        """Return the attempts of some contents, oldest first, whatever slot they were made for."""
        wanted = list(contents)
        found = self._rows(
            f"SELECT * FROM attempts WHERE film = ? AND fingerprint IN ({', '.join('?' * len(wanted))}) ORDER BY id",
            (self.film, *wanted),
        )
        return [_attempt(row) for row in found]

    def attempt(self, number: int) -> Attempt:
        (row,) = self._rows("SELECT * FROM attempts WHERE id = ?", (number,))
        return _attempt(row)

    def outputs_of(self, attempt: int) -> list[SavedOutput]:
        found = self._rows("SELECT * FROM outputs WHERE attempt = ? ORDER BY number", (attempt,))
        return [_saved_output(row) for row in found]

    def outputs_of_task(self, task_id: str) -> list[SavedOutput]:
        """Return what is known of a task's outputs, by the provider's id of it."""
        found = self._rows("SELECT id FROM attempts WHERE task_id = ? LIMIT 1", (task_id,))
        return self.outputs_of(found[0]["id"]) if found else []

    def attempt_of_task(self, task_id: str) -> Attempt | None:
        found = self._rows("SELECT * FROM attempts WHERE task_id = ? LIMIT 1", (task_id,))
        return _attempt(found[0]) if found else None

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        return read_rows(self.database.connection, query, values)

    def news(self, attempts: Iterable[int]) -> list[int]:
        return list(attempts)

    def adopt(self, attempt: int, slot: Slot) -> bool:
        return False

    def spent_by_others(self, run_id: str) -> float:
        return 0.0

    def unsettled(self) -> bool:
        """Whether there is a held job of which no later balance is known."""
        found = "SELECT 1 FROM attempts WHERE film = ? AND state = 'held' AND balance_after IS NULL LIMIT 1"
        return self.database.connection.execute(found, (self.film,)).fetchone() is not None

    def balance_seen(self, balance: float) -> None:
        """Add a balance to held jobs that lack one: evidence for whoever decides."""
        if self.unsettled():
            with self.database.write("balance") as db:
                db.execute(
                    "UPDATE attempts SET balance_after = ?, ended_at = ? WHERE film = ? AND state = 'held'"
                    " AND balance_after IS NULL",
                    (balance, self._now(), self.film),
                )

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        """Write down what the balance says of failed tasks: billed, or refunded."""
        with self.database.write("settle") as db:
            db.executemany(
                "UPDATE attempts SET billed = ? WHERE task_id = ?", [(billed, t) for t in task_ids]
            )

    def hold_unfinished(self, reason: str) -> int:
        """Turn intents of a run that died into held jobs.  Only for who holds the project's lock."""
        if not self.attempts(states=("intended",)):
            return 0
        with self.database.write("hold_unfinished") as db:
            done = db.execute(
                "UPDATE attempts SET state = 'held', message = ?, ended_at = ? WHERE film = ? AND state = 'intended'",
                (reason, self._now(), self.film),
            )
        return done.rowcount

    # -- decisions of the user

    def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        """Carry out `resolve`: `task-id` makes it a known task, `resubmit` and `forget` let go of it."""
        with self.database.write("decide") as db:
            if decision == "task-id":
                db.execute(
                    "UPDATE attempts SET state = 'submitted', task_id = ?, submitted_at = coalesce(submitted_at,"
                    " intended_at), message = '' WHERE id = ?",
                    (task_id, attempt),
                )
            else:
                db.execute(
                    "UPDATE attempts SET state = 'forgotten', may_resubmit = 1, ended_at = ? WHERE id = ?",
                    (self._now(), attempt),
                )

    def has_succeeded(self, model: str) -> bool:
        """Whether a task of this model ever brought a result here."""
        row = self.database.connection.execute(
            "SELECT 1 FROM attempts WHERE model = ? AND state = 'saved' LIMIT 1", (model,)
        )
        return row.fetchone() is not None


def _since(row: sqlite3.Row, intent: Intent) -> bool:
    """Whether a row is newer than what the decision to send knew of."""
    return intent.seen is not None and row["id"] > intent.seen


def _saved_output(row: sqlite3.Row) -> SavedOutput:
    """Return a row as an output.  `Invalid` for one whose entry is not what we write."""
    try:
        asset = asset_from(json.loads(row["entry"])) if row["entry"] else None
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise spoilt(f"output {row['number']} of the journal's attempt {row['attempt']}", error) from None
    return SavedOutput(
        output=Output(
            number=row["number"], url=row["url"], text=row["text"], label=row["label"], id=row["output_id"]
        ),
        seen_at=row["seen_at"],
        asset=asset,
    )


def _attempt(row: sqlite3.Row) -> Attempt:
    """Return a row as an attempt.  `Invalid` for one that holds what we never write: nothing is guessed about money."""
    try:
        return _attempt_of(row)
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise spoilt(f"the journal's attempt {row['id']}", error) from None


def _attempt_of(row: sqlite3.Row) -> Attempt:
    job = json.loads(row["job"])
    if not isinstance(job, dict):
        raise TypeError("its job is not an object")
    return Attempt(
        id=row["id"],
        run_id=row["run_id"],
        slot=Slot(*json.loads(row["slot"])),
        model=row["model"],
        family=row["family"],
        fingerprint=row["fingerprint"],
        state=row["state"],
        job=job,
        task_id=row["task_id"],
        code=row["code"],
        message=row["message"],
        retryable=bool(row["retryable"]),
        billed=None if row["billed"] is None else bool(row["billed"]),
        credits=row["credits"],
        intended_at=row["intended_at"],
        submitted_at=row["submitted_at"],
        ended_at=row["ended_at"],
        balance_before=row["balance_before"],
        balance_after=row["balance_after"],
        recorded=bool(row["recorded"]),
        may_resubmit=bool(row["may_resubmit"]),
        film=row["film"] or "",
        take=row["take"],
        twin=row["twin"],
        edition=row["edition"],
        seen_state=row["seen_state"],
        seen_at=row["seen_at"],
    )
