"""The team's ledger in PostgreSQL: what the database alone can do; see tests/contract/test_team_ledgers.py."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kiebatch.errors import Invalid
from kiebatch.record import Claimed, NoRoom, Taken, open_journal
from kiebatch.team import Connection, Cursor, accounts
from support.ledgers import ACCOUNT, Ledgers, intent, sent, team_ledgers

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def ledgers(team_url: str, tmp_path: Path) -> Ledgers:
    return team_ledgers(team_url, tmp_path, cap=10)


@pytest.mark.slow
def test_of_many_who_claim_one_key_at_once_one_gets_it(ledgers: Ledgers) -> None:
    got: list[object] = []
    journals = [ledgers.team_journal(f"film {n}", run=f"r{n}") for n in range(6)]
    threads = [
        threading.Thread(target=lambda journal=journal: got.append(journal.claim(intent())))
        for journal in journals
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(type(one).__name__ for one in got) == ["Claimed", *["Taken"] * 5]
    assert ledgers.account() == (4, 0)
    for journal in journals:
        journal.close()


def test_a_monthly_cap_begins_again_with_the_month(ledgers: Ledgers) -> None:
    accounts.set_cap(ledgers.url, ACCOUNT, 10, monthly=True)
    with ledgers.journal() as journal:
        attempt = sent(journal, intent(1, price=8))
        journal.submitted(attempt, "t")
        journal.saved(attempt)
        full = journal.claim(intent(2, price=8))
        ledgers.clock.now_s += 31 * 86400
        journal.beat()
        next_month = journal.claim(intent(2, price=8))

    assert full == NoRoom(10.0)
    assert isinstance(next_month, Claimed)


@pytest.mark.slow
def test_a_machine_that_freezes_in_the_middle_of_a_write_holds_up_the_others_for_seconds(
    ledgers: Ledgers,
) -> None:
    frozen, others = (Connection(ledgers.url, patience_s=60) for _ in range(2))
    written, thaws = threading.Event(), threading.Event()
    tries: list[bool] = []
    came_back: list[None] = []

    def work(cursor: Cursor) -> None:
        cursor.execute("UPDATE accounts SET cap = 11")
        tries.append(written.is_set())
        if not written.is_set():
            written.set()
            thaws.wait()
        cursor.execute("UPDATE accounts SET cap = 12")

    freezing = threading.Thread(target=lambda: came_back.append(frozen.transact(work)))
    freezing.start()
    written.wait()
    others.transact(lambda cursor: cursor.execute("UPDATE accounts SET cap = 13"))
    thaws.set()
    freezing.join()

    assert (tries, came_back) == ([False, True], [None])
    for one in (frozen, others):
        one.close()


def test_a_film_takes_its_attempts_along_once_and_outside_the_cap(ledgers: Ledgers) -> None:
    (ledgers.folder / "one").mkdir()
    with open_journal(ledgers.folder / "one" / "journal.sqlite", now=ledgers.clock) as local:
        for scene, task in ((1, "t"), (2, "")):
            claimed = local.claim(intent(scene))
            assert isinstance(claimed, Claimed)
            if task:
                local.submitted(claimed.attempt, task)
    with ledgers.journal("one") as journal:
        first = [(str(a.slot), a.state, a.task_id) for a in journal.attempts()]
        assert isinstance(journal.claim(intent(1)), Taken)
    with ledgers.journal("one", run="r2") as journal:
        again = [(str(a.slot), a.state, a.task_id) for a in journal.attempts()]

    assert first == again == [("1", "submitted", "t"), ("2", "held", None)]
    assert ledgers.account() == (0, 0)


def test_an_account_that_the_ledger_does_not_know_is_refused(ledgers: Ledgers, team_url: str) -> None:
    from kiebatch.team import Team
    from kiebatch.team import open_journal as open_team_journal

    local = open_journal(ledgers.folder / "j", now=ledgers.clock)
    with pytest.raises(Invalid, match="does not know the account `other`"):
        open_team_journal(
            Team(team_url, "other"),
            local,
            name="x",
            state=ledgers.folder,
            hook=lambda _: None,
            read_only=False,
        )
    local.close()
