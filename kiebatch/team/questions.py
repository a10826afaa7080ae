"""What is asked of the team's ledger: the attempts of one film, and what the account's other films have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kiebatch.errors import Invalid
from kiebatch.model import Attempt
from kiebatch.record import SavedOutput
from kiebatch.team import rows
from kiebatch.team.connection import Connection, Cursor

T = TypeVar("T")

HAD = ("claimed", "intended", "held", "submitted", "lost", "saved")  # of which there is one a key and edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Which film of which account a journal is of, and how people call it."""

    account: str
    project: str
    film: str
    name: str
    host: str


class Questions:
    """The reading half of a team's journal."""

    def __init__(self, connection: Connection, whose: Whose) -> None:
        self.connection = connection
        self.whose = whose
        self.not_yet_here: Sequence[Attempt] = ()  # what the first run will take along from this machine

    def _read(self, work: Callable[[Cursor], T]) -> T:
        return self.connection.transact(work, at_once=True)

    def attempts(self, *, states: Sequence[str] = (), scene: str | None = None) -> list[Attempt]:
        # What is claimed was never sent: it is nobody's business but its run's.
        terms = ["a.project = %s", "a.film = %s", "a.state <> 'claimed'"]
        values: list[object] = [self.whose.project, self.whose.film]
        if states:
            terms.append("a.state = ANY(%s)")
            values.append(list(states))
        if scene is not None:
            terms.append("a.scene = %s")
            values.append(scene)
        there = self._all(" AND ".join(terms), values)
        here = [
            a
            for a in self.not_yet_here
            if (not states or a.state in states) and scene in (None, str(a.slot.scene))
        ]
        return [*here, *there]

    def of_every_film(self) -> list[Attempt]:
        """Return the attempts of all films of the account, oldest first: one balance pays for them all."""
        return self._all("a.account = %s AND a.state <> 'claimed'", (self.whose.account,))

    def find(self, contents: Iterable[str]) -> list[Attempt]:
        ours = "a.project = %s AND a.film = %s"
        film = (self.whose.project, self.whose.film)
        return self._all(
            f"a.account = %s AND a.fingerprint = ANY(%s) AND CASE WHEN {ours} THEN a.state <> 'claimed' ELSE a.state = ANY(%s) END",
            (self.whose.account, list(contents), *film, list(HAD), *film),
            order=f"CASE WHEN {ours} THEN 0 ELSE a.edition END, a.id",
        )

    def attempt(self, number: int) -> Attempt:
        return self._read(lambda cursor: attempt_of(cursor, self.whose, number))

    def attempt_of_task(self, task_id: str) -> Attempt | None:
        found = self._all("a.account = %s AND a.task_id = %s", (self.whose.account, rows.text(task_id)))
        return found[0] if found else None

    def outputs_of(self, attempt: int) -> list[SavedOutput]:
        return self._outputs("o.attempt = %s", (attempt,))

    def outputs_of_task(self, task_id: str) -> list[SavedOutput]:
        return self._outputs(
            "o.attempt = (SELECT id FROM attempts WHERE account = %s AND task_id = %s)",
            (self.whose.account, rows.text(task_id)),
        )

    def has_succeeded(self, model: str) -> bool:
        query = "SELECT 1 FROM attempts WHERE account = %s AND model = %s AND state = 'saved' LIMIT 1"
        values = (self.whose.account, model)
        return self._read(lambda cursor: cursor.execute(query, values).fetchone() is not None)

    def _all(self, terms: str, values: Sequence[object], order: str = "a.id") -> list[Attempt]:
        query = f"SELECT {rows.ATTEMPT} FROM attempts a JOIN projects p ON p.id = a.project WHERE {terms} ORDER BY {order}"
        found = self._read(lambda cursor: cursor.execute(query, values).fetchall())
        return [rows.attempt(row, self.whose.project, self.whose.film) for row in found]

    def _outputs(self, terms: str, values: Sequence[object]) -> list[SavedOutput]:
        query = (
            "SELECT o.number, o.url, o.text, o.label, o.output_id, o.entry, extract(epoch FROM o.seen_at)::float8 AS seen_at"
            f" FROM outputs o WHERE {terms} ORDER BY o.number"
        )
        return [
            rows.output(row) for row in self._read(lambda cursor: cursor.execute(query, values).fetchall())
        ]

    def unsettled(self) -> bool:
        query = "SELECT 1 FROM attempts WHERE project = %s AND film = %s AND state = 'held' AND balance_after IS NULL LIMIT 1"
        values = (self.whose.project, self.whose.film)
        return self._read(lambda cursor: cursor.execute(query, values).fetchone() is not None)

    # -- what other films of the account have

    def news(self, attempts: Iterable[int]) -> list[int]:
        query = (
            "SELECT a.id FROM attempts a LEFT JOIN runs r ON r.id = a.holder WHERE a.id = ANY(%s) AND (a.state NOT IN"
            " ('claimed', 'intended', 'submitted', 'lost') OR (r.ended IS NOT NULL AND a.state IN ('submitted', 'lost')))"
        )
        ids = list(attempts)
        found = self._read(lambda cursor: cursor.execute(query, (ids,)).fetchall())
        return [row["id"] for row in found]

    def spent_by_others(self, run_id: str) -> float:
        query = (
            "SELECT coalesce(sum(a.credits), 0) AS spent FROM attempts a WHERE a.account = %s AND a.run_id <> %s AND"
            " a.billed IS NOT FALSE AND a.submitted_at >= (SELECT min(intended_at) FROM attempts WHERE account = %s AND run_id = %s)"
        )
        values = (self.whose.account, run_id) * 2
        found = self._read(lambda cursor: cursor.execute(query, values).fetchone())
        return float(found["spent"]) if found else 0.0


def attempt_of(cursor: Cursor, whose: Whose, number: int) -> Attempt:
    """Return an attempt by its number; `Invalid` where the ledger has none."""
    query = f"SELECT {rows.ATTEMPT} FROM attempts a JOIN projects p ON p.id = a.project WHERE a.id = %s"
    found = cursor.execute(query, (number,)).fetchone()
    if found is None:
        raise Invalid(f"the team's ledger has no attempt {number}")
    return rows.attempt(found, whose.project, whose.film)
