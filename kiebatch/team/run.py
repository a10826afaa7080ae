"""One run of a film in the team's ledger: what it claims is its own for as long as it says that it is alive."""

from __future__ import annotations

from kiebatch.team import rows
from kiebatch.team.connection import Connection, Cursor
from kiebatch.team.leases import Lease
from kiebatch.team.questions import Whose
from kiebatch.team.writing import Writer


class TeamRun:
    """The row of a run: begun, kept alive, and ended, where one began at all."""

    def __init__(self, writer: Writer, whose: Whose, lease: Lease) -> None:
        self.lease = lease
        self.whose = whose
        self._writer = writer
        self._connection = writer.connection
        # What waits to be written must not make a run look dead.
        self._pulse = Connection(writer.connection.url, clock=writer.connection.clock)
        self._run_id = ""
        self._answer_s = 0.0
        self._holder: int | None = None

    def begin(self, run_id: str, answer_s: float) -> None:
        self._run_id, self._answer_s = run_id, answer_s
        self._register()
        self._writer.write("begin", self._take_over)

    @property
    def holder(self) -> int:
        """The number of this run, which has what it claims; registered when first asked for."""
        return self._holder if self._holder is not None else self._register()

    def _register(self) -> int:
        whose = self.whose

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
                    rows.text(whose.name),
                    self._answer_s,
                ),
            ).fetchone()
            assert found is not None
            return int(found["id"])

        self._holder = self._connection.transact(work)
        return self._holder

    def _take_over(self, cursor: Cursor) -> None:
        """Make what earlier runs of this film had, and is not home, this run's."""
        cursor.execute(
            "UPDATE attempts a SET holder = %s FROM runs r WHERE r.id = a.holder AND r.ended IS NOT NULL"
            " AND a.project = %s AND a.film = %s AND a.state IN ('held', 'submitted', 'lost', 'saved')"
            " AND NOT (a.state = 'saved' AND a.recorded)",
            (self._holder, self.whose.project, self.whose.film),
        )

    def beat(self) -> None:
        """Say that the run is alive, over a connection of its own."""
        self.lease.beat(self._pulse, self.holder)

    def bury_earlier(self, cursor: Cursor) -> None:
        """End the earlier runs of this film on this machine: they are dead, since we have the film's lock."""
        whose = self.whose
        cursor.execute(
            "UPDATE runs SET ended = ledger_now(), died = true"
            " WHERE project = %s AND film = %s AND host = %s AND ended IS NULL AND id IS DISTINCT FROM %s",
            (whose.project, whose.film, whose.host, self._holder),
        )
        self.lease.reap(cursor, whose.account)

    def end(self) -> None:
        """End the run, where one began: what it has not brought home is anybody's of the account."""
        if self._holder is not None:
            self._writer.hook("journal.end:before")
            self.lease.end(self._connection, self._holder)

    def close(self) -> None:
        self._pulse.close()
