"""What several films and machines of one account may do to each other's money, in PostgreSQL and in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiebatch.errors import Refused
from kiebatch.model import Output, Slot
from kiebatch.record import Claimed, Fenced, NoRoom, Taken, asset_to
from support.ledgers import Ledgers, intent, memory_ledgers, sent, team_ledgers
from support.records import an_asset


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Ledgers:
    if request.param == "memory":
        return memory_ledgers(tmp_path, cap=10)
    return team_ledgers(request.getfixturevalue("team_url"), tmp_path, cap=10)


# --- one purchase a key -------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["claimed", "intended", "submitted", "saved"])
def test_what_another_film_has_is_not_bought_again(ledgers: Ledgers, state: str) -> None:
    with ledgers.journal("one") as one, ledgers.journal("two", run="r2") as two:
        if state == "claimed":
            one.claim(intent())
        else:
            attempt = sent(one)
        if state in ("submitted", "saved"):
            one.submitted(attempt, "t")
        if state == "saved":
            one.saved(attempt)

        taken = two.claim(intent(run="r2"))

        assert isinstance(taken, Taken)
        assert (taken.by.state, taken.by.elsewhere) == (state, "one")
        assert two.attempts() == []
        assert [a.state for a in two.find(["sha256:1"])] == [state]


def test_two_who_force_at_once_get_two_and_a_plain_claim_the_newest(ledgers: Ledgers) -> None:
    with ledgers.journal("one") as one, ledgers.journal("two", run="r2") as two:
        first = sent(one, intent(price=1))
        one.submitted(first, "t")
        one.saved(first)
        again = one.claim(intent(seen=first, forced=True, price=1))
        also = two.claim(intent(run="r2", seen=0, forced=True, price=1))
        with ledgers.journal("three", run="r3") as three:
            plain = three.claim(intent(run="r3", price=1))

    assert isinstance(again, Claimed)
    assert isinstance(also, Claimed)
    assert (again.edition, also.edition) == (1, 2)
    assert isinstance(plain, Taken)
    assert plain.by.edition == 2


# --- the cap ------------------------------------------------------------------------------------------


def test_the_cap_counts_what_is_spent_and_what_is_reserved_by_everybody(ledgers: Ledgers) -> None:
    with ledgers.journal("one") as one, ledgers.journal("two", run="r2") as two:
        first = sent(one)
        sent(two, intent(2, run="r2"))
        over = one.claim(intent(3))
        one.refused(first, "422", "no")
        fits = one.claim(intent(3))

        assert over == NoRoom(10.0)
        assert isinstance(fits, Claimed)
        assert ledgers.account() == (8, 0)


def test_what_was_spent_stays_under_the_cap_and_a_refund_gives_it_back(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        kept, failed, given_back = (sent(journal, intent(n, price=3)) for n in (1, 2, 3))
        for attempt in (kept, failed, given_back):
            journal.submitted(attempt, f"t{attempt}")
        journal.outputs(kept, (), 0.0)  # a record that says that it cost nothing gives no room
        journal.saved(kept)
        journal.failed(failed, "500", "", retryable=True, billed=None)
        journal.failed(given_back, "500", "", retryable=True, billed=False)

        assert ledgers.account() == (0, 6)
        assert journal.claim(intent(4, price=5)) == NoRoom(10.0)

        journal.settle([f"t{failed}"], billed=False)
        assert isinstance(journal.claim(intent(4, price=5)), Claimed)


def test_what_others_have_sent_meanwhile_is_known(ledgers: Ledgers) -> None:
    with ledgers.journal("one") as one, ledgers.journal("two", run="r2") as two:
        before = sent(two, intent(1, run="r2", price=1))
        two.submitted(before, "t1")
        ledgers.clock.now_s += 1
        sent(one, intent(2, price=1))
        ledgers.clock.now_s += 1
        for scene in (3, 4):
            two.submitted(sent(two, intent(scene, run="r2", price=scene)), f"t{scene}")

        assert one.spent_by_others("r1") == 7


# --- leases -------------------------------------------------------------------------------------------


def test_a_run_that_is_silent_is_dead_for_everybody_and_sends_nothing_more(ledgers: Ledgers) -> None:
    frozen = ledgers.team_journal("one")
    only_claimed = frozen.claim(intent(1))
    about_to_leave = sent(frozen, intent(2, price=2))
    ledgers.clock.now_s += 31
    with ledgers.journal("two", run="r2") as other:
        other.beat()

        assert isinstance(other.claim(intent(1, run="r2")), Claimed)
        assert isinstance(other.claim(intent(2, run="r2", price=2)), Taken)
    assert isinstance(only_claimed, Claimed)
    with pytest.raises(Fenced):
        frozen.intended(only_claimed.attempt)
    with pytest.raises(Fenced):
        frozen.claim(intent(3))
    with pytest.raises(Fenced):
        frozen.beat()
    assert frozen.attempt(about_to_leave).state == "intended"  # its answer may still come
    frozen.close()


def test_what_a_dead_run_may_have_sent_is_held_once_no_answer_can_come(ledgers: Ledgers) -> None:
    frozen = ledgers.team_journal("one")
    attempt, other_one = sent(frozen, intent(1)), sent(frozen, intent(2))
    with ledgers.journal("two", run="r2") as other:
        ledgers.clock.now_s += 94  # within 5 s it leaves, within 90 s more it is answered
        other.beat()
        early = frozen.attempt(attempt).state
        ledgers.clock.now_s += 2
        other.beat()

        assert (early, frozen.attempt(attempt).state) == ("intended", "held")
    frozen.submitted(attempt, "t")  # evidence, however late
    with pytest.raises(Fenced):
        frozen.refused(other_one, "422", "no")
    assert frozen.attempt(attempt).state == "submitted"
    assert frozen.attempt(other_one).state == "held"
    frozen.close()


def test_an_answer_that_comes_after_a_decision_is_said_to_be_a_second_charge(ledgers: Ledgers) -> None:
    frozen = ledgers.team_journal("one")
    attempt = sent(frozen)
    ledgers.clock.now_s += 200
    with ledgers.journal("one", run="r2") as again:
        again.decide(attempt, "resubmit")

    with pytest.raises(Fenced, match="second charge"):
        frozen.submitted(attempt, "t")
    frozen.close()


def test_nothing_is_sent_again_while_the_first_request_may_be_on_its_way(ledgers: Ledgers) -> None:
    frozen = ledgers.team_journal("one")
    attempt = sent(frozen)
    with ledgers.journal(
        "one", run="r2"
    ) as again:  # on the same machine: the lock says that the first one is dead
        assert again.attempt(attempt).state == "held"
        ledgers.clock.now_s += 150
        with pytest.raises(Refused, match="on its way for 5 s"):
            again.decide(attempt, "resubmit")
        ledgers.clock.now_s += 6
        again.decide(attempt, "resubmit")

        assert isinstance(again.claim(intent(run="r2")), Claimed)
    frozen.close()


def test_a_task_of_a_dead_run_is_adopted_and_that_of_a_live_one_is_not(ledgers: Ledgers) -> None:
    dead = ledgers.team_journal("one")
    attempt = sent(dead)
    dead.submitted(attempt, "t", [Output(number=1, url="https://media.example/a.png")])
    dead.asset(attempt, 1, asset_to(an_asset(1)))
    with ledgers.journal("two", run="r2") as two:
        alive = two.adopt(attempt, Slot(9))
        ledgers.clock.now_s += 31
        adopted = two.adopt(attempt, Slot(9))
        (ours,) = two.attempts()
        (output,) = two.outputs_of(attempt)

        assert (alive, adopted) == (False, True)
        assert (ours.slot, ours.run_id, ours.elsewhere) == (Slot(9), "r1", "")
        assert output.asset is None, "its place is one of the other film's"
        with pytest.raises(Fenced):
            dead.saved(attempt)
        two.saved(attempt)
    dead.close()


def test_what_a_live_run_of_a_copy_saved_is_its_own_until_it_ends(ledgers: Ledgers) -> None:
    mine, copy = ledgers.team_journal(), ledgers.opened()
    copy.begin("r2", 90.0)
    attempt = sent(copy)
    copy.submitted(attempt, "t")
    copy.saved(attempt)
    with pytest.raises(Fenced):
        mine.saved(attempt)
    copy.close()
    mine.saved(attempt)

    assert mine.attempt(attempt).state == "saved"
    mine.close()


def test_a_run_that_ends_frees_its_claims_and_leaves_its_tasks(ledgers: Ledgers) -> None:
    with ledgers.journal("one") as one:
        one.claim(intent(1))
        attempt = sent(one, intent(2))
        one.submitted(attempt, "t")
    with ledgers.journal("two", run="r2") as two:
        assert isinstance(two.claim(intent(1, run="r2")), Claimed)
        assert two.adopt(attempt, Slot(2))


def test_an_intent_that_is_written_twice_is_written_once(ledgers: Ledgers) -> None:
    """Nobody can tell whether a transaction was kept whose connection broke, so everything may come again."""
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.intended(attempt)
        journal.submitted(attempt, "t")
        journal.submitted(attempt, "t")
        journal.saved(attempt)
        journal.saved(attempt)

        assert replace(journal.attempt(attempt), ended_at=None).state == "saved"
        assert ledgers.account() == (0, 4)
