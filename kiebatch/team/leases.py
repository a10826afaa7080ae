"""Which runs are alive: each says so every few seconds, and one that is silent for too long is dead for everybody.

All times are fractions of one, the lease: after so many seconds of silence a run is dead.  It is written in the
ledger, so that all programs go by the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiebatch.record import Fenced
from kiebatch.team.connection import Connection, Cursor


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a run may be silent, in seconds, and what follows from it."""

    dead_s: float = 30.0

    @property
    def beat_s(self) -> float:
        """How often a run says that it is alive."""
        return self.dead_s / 6

    @property
    def send_s(self) -> float:
        """Within how long a request leaves once its intent is written, or not at all."""
        return self.dead_s / 6

    @property
    def margin_s(self) -> float:
        """How long after the last possible answer nobody may send the same job again."""
        return self.dead_s * 2

    @property
    def patience_s(self) -> float:
        """How long a run waits for a database that went away."""
        return self.dead_s * 4

    def beat(self, connection: Connection, run: int) -> None:
        """Say that a run is alive, and bury those that are not; `Fenced` where it was taken for dead itself."""

        def work(cursor: Cursor) -> int:
            alive = cursor.execute(
                "UPDATE runs SET beat = ledger_now() WHERE id = %s AND ended IS NULL RETURNING account",
                (run,),
            ).fetchone()
            if alive is not None:
                self.reap(cursor, alive["account"])
            return alive is not None

        if not connection.transact(work):
            raise Fenced(
                "this run was silent for so long that the others of the account took it for dead; it sends nothing more",
                hint="run again",
            )

    def reap(self, cursor: Cursor, account: str) -> None:
        """Bury the dead of an account: their claims are free, what they may have sent is held when it is time."""
        cursor.execute("SELECT reap(%s, %s)", (account, self.dead_s))

    def end(self, connection: Connection, run: int) -> None:
        """Note that a run is over: its claims are free, and its tasks may be adopted."""

        def work(cursor: Cursor) -> None:
            ended = cursor.execute(
                "UPDATE runs SET ended = ledger_now() WHERE id = %s AND ended IS NULL RETURNING account",
                (run,),
            ).fetchone()
            if ended is not None:
                self.reap(cursor, ended["account"])

        connection.transact(work)
