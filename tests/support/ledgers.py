"""Journals of both kinds, for the tests that hold for both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.memory_ledger import MemoryJournal, MemoryLedger
from kiebatch.model import Slot
from kiebatch.record import Claimed, Intent, Journal, Key, open_journal
from kiebatch.team import Connection, Team, accounts
from kiebatch.team import open_journal as open_team_journal
from kiebatch.team.leases import Lease

Kind = Literal["sqlite", "postgres", "memory"]
ACCOUNT = "studio"
LEASE_S = 30.0


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now_s: float = 1_790_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Ledgers:
    """Opens journals of one kind in one place; projects by name, so that there may be several."""

    kind: Kind
    folder: Path
    clock: Clock
    url: str = ""
    memory: MemoryLedger | None = None

    @contextlib.contextmanager
    def journal(
        self, project: str = "one", *, run: str = "r1", hook: Callable[[str], None] = lambda _point: None
    ) -> Iterator[Journal]:
        """Open a project's journal as a run does: what earlier runs left is settled."""
        with self.opened(project, hook=hook) as journal:
            journal.hold_unfinished("it died")
            journal.begin(run, 90.0)
            yield journal

    def opened(self, project: str = "one", *, hook: Callable[[str], None] = lambda _point: None) -> Journal:
        state = self.folder / project
        state.mkdir(exist_ok=True)
        local = open_journal(state / "journal.sqlite", now=self.clock, hook=hook)
        if self.kind == "sqlite":
            return local
        if self.memory is not None:
            return MemoryJournal(self.memory, project, local, hook)
        return open_team_journal(
            Team(self.url, ACCOUNT, self.clock), local, name=project, state=state, hook=hook, read_only=False
        )

    def team_journal(self, project: str = "one", run: str = "r1") -> Journal:
        """Open a team's journal for a run that nothing ends but `close`."""
        journal = self.opened(project)
        journal.hold_unfinished("it died")
        journal.begin(run, 90.0)
        return journal

    def account(self) -> tuple[float, float]:
        """Return what is reserved and what is spent."""
        if self.memory is not None:
            return self.memory.rows.reserved, self.memory.rows.spent
        connection = Connection(self.url)
        found = connection.transact(
            lambda cursor: cursor.execute(
                "SELECT reserved, spent FROM accounts WHERE id = %s", (ACCOUNT,)
            ).fetchone()
        )
        connection.close()
        assert found is not None
        return float(found["reserved"]), float(found["spent"])


def memory_ledgers(folder: Path, *, cap: float | None = None) -> Ledgers:
    clock = Clock()
    return Ledgers("memory", folder, clock, memory=MemoryLedger(clock, cap=cap, lease=Lease(LEASE_S)))


def team_ledgers(url: str, folder: Path, *, cap: float | None = None, lease_s: float = LEASE_S) -> Ledgers:
    accounts.init(url, ACCOUNT, cap=cap, lease_s=lease_s)
    return Ledgers("postgres", folder, Clock(), url)


def intent(
    scene: int = 1,
    *,
    run: str = "r1",
    content: str = "",
    twin: int = 1,
    seen: int | None = None,
    forced: bool = False,
    price: float = 4.0,
) -> Intent:
    return Intent(
        run_id=run,
        slot=Slot(scene),
        key=Key(content or f"sha256:{scene}", 1, twin),
        model="z-image",
        family="jobs",
        job={"prompt": "x"},
        credits=price,
        reserved=price,
        seen=seen,
        forced=forced,
    )


def sent(journal: Journal, wanted: Intent | None = None) -> int:
    """Claim a key and write its intent; return the attempt."""
    claimed = journal.claim(wanted or intent())
    assert isinstance(claimed, Claimed), claimed
    journal.intended(claimed.attempt)
    return claimed.attempt
