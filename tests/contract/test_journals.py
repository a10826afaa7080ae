"""What every journal promises, in a SQLite file, in the team's PostgreSQL, and in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiebatch.model import Output
from kiebatch.record import Claimed, Taken, TaskKnown, asset_to
from support.ledgers import Clock, Ledgers, intent, memory_ledgers, sent, team_ledgers
from support.records import an_asset


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Ledgers:
    if request.param == "sqlite":
        return Ledgers("sqlite", tmp_path, Clock())
    if request.param == "memory":
        return memory_ledgers(tmp_path)
    return team_ledgers(request.getfixturevalue("team_url"), tmp_path)


def test_an_intent_of_a_run_that_died_is_held(ledgers: Ledgers) -> None:
    journal = ledgers.opened()
    journal.begin("r1", 90.0)
    sent(journal)
    again = ledgers.opened()  # while nobody has closed the first one, as after a kill
    again.hold_unfinished("it died")
    (attempt,) = again.attempts()

    assert (attempt.state, attempt.message, attempt.elsewhere) == ("held", "it died", "")
    again.close()
    journal.close()


def test_a_key_is_claimed_once_until_it_is_known_to_have_cost_nothing(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        first = sent(journal)
        taken = journal.claim(intent())
        journal.refused(first, "422", "no")
        again = journal.claim(intent())

    assert isinstance(taken, Taken)
    assert taken.by.id == first
    assert isinstance(again, Claimed)
    assert again.edition == 0


def test_twins_are_purchases_of_their_own(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        sent(journal)

        assert isinstance(journal.claim(intent(twin=2)), Claimed)


def test_a_claim_is_answered_by_what_was_saved_since_the_decision(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.submitted(attempt, "t")
        journal.saved(attempt)

        late = journal.claim(intent(seen=0))
        again = journal.claim(intent(seen=attempt))

    assert isinstance(late, Taken)
    assert late.by.id == attempt
    assert isinstance(again, Claimed)
    assert again.edition == 1


def test_outputs_of_an_answer_are_written_with_the_task_id(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        words = "words that nobody can ask for again"
        journal.submitted(sent(journal), "t", [Output(number=1, text=words)])

        assert [s.output.text for s in journal.outputs_of_task("t")] == [words]


def test_a_task_is_one_attempts_alone(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        first, second = sent(journal), sent(journal, intent(2))
        journal.submitted(first, "t")
        with pytest.raises(TaskKnown) as known:
            journal.submitted(second, "t")

        assert known.value.owner.id == first
        assert journal.attempt(second).state == "intended"


def test_a_task_that_was_another_jobs_is_free_for_it_once_the_first_is_held(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        wrong, right = sent(journal), sent(journal, intent(2))
        journal.submitted(wrong, "t")
        journal.held(wrong, "its record shows other words")
        journal.submitted(right, "t")

        assert [(a.state, a.task_id) for a in journal.attempts()] == [("held", None), ("submitted", "t")]


def test_everything_that_happens_to_an_attempt_is_read_back(ledgers: Ledgers) -> None:
    asset = replace(an_asset(1), task_id="t")
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.submitted(attempt, "t")
        journal.seen(attempt, "generating")
        journal.outputs(attempt, [Output(number=1, url="https://m.test/1.png", id="x")], 3.5)
        journal.asset(attempt, 1, asset_to(asset))
        journal.saved(attempt)
        journal.recorded([attempt])
        lost = sent(journal, intent(2))
        journal.submitted(lost, "u")
        journal.lost(lost, "gone", "no \0 file")
    with ledgers.journal(run="r2") as journal:
        one, two = journal.attempts()
        (output,) = journal.outputs_of(attempt)

        assert (one.state, one.task_id, one.credits, one.recorded, one.seen_state) == (
            "saved",
            "t",
            3.5,
            True,
            "generating",
        )
        assert one.submitted_at is not None
        assert (two.state, two.code, two.billed) == ("lost", "gone", True)
        assert (output.asset, output.output.id) == (asset, "x")
        assert journal.has_succeeded("z-image")
        assert [a.id for a in journal.find(["sha256:2"])] == [lost]
        assert [a.id for a in journal.attempts(states=("lost",))] == [lost]
        assert [a.id for a in journal.attempts(scene="1")] == [attempt]


def test_what_an_earlier_run_recorded_is_brought_home_once_more(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.submitted(attempt, "t")
        journal.outputs(attempt, [Output(number=1, url="https://m.test/1.png")])
        journal.saved(attempt)
        journal.recorded([attempt])
    with ledgers.journal(run="r2") as journal:
        journal.lost(attempt, "gone", "its link is dead")
        journal.saved(attempt)

        assert [a.state for a in journal.attempts()] == ["saved"]


def test_a_batch_is_written_whole_or_not_at_all(ledgers: Ledgers) -> None:
    def both() -> None:
        with journal.together():
            sent(journal)
            raise KeyError("the second of them")

    with ledgers.journal() as journal:
        with pytest.raises(KeyError):
            both()

        assert journal.attempts() == []
        assert isinstance(journal.claim(intent()), Claimed)


def test_a_balance_is_added_to_what_is_held_as_evidence(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.held(attempt, "who knows")
        assert journal.unsettled()
        journal.balance_seen(96.0)

        assert not journal.unsettled()
        assert journal.attempt(attempt).balance_after == 96.0


@pytest.mark.parametrize("decision", ["task-id", "forget"])
def test_a_held_job_is_decided(ledgers: Ledgers, decision: str) -> None:
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.held(attempt, "who knows")
        journal.decide(attempt, decision, "t")
        found = journal.attempt(attempt)

        if decision == "task-id":
            assert (found.state, found.task_id) == ("submitted", "t")
        else:
            assert (found.state, found.may_resubmit) == ("forgotten", True)


def test_failures_are_settled_by_the_balance(ledgers: Ledgers) -> None:
    with ledgers.journal() as journal:
        attempt = sent(journal)
        journal.submitted(attempt, "t")
        journal.failed(attempt, "500", "oh", retryable=True, billed=None)
        journal.settle(["t"], billed=False)

        assert journal.attempt(attempt).billed is False


def test_a_kill_between_write_and_answer_leaves_what_was_written(ledgers: Ledgers) -> None:
    def dies(point: str) -> None:
        if point == "journal.submitted:after":
            raise KeyboardInterrupt

    with ledgers.journal(hook=dies) as journal, pytest.raises(KeyboardInterrupt):
        journal.submitted(sent(journal), "t")
    with ledgers.journal(run="r2") as journal:
        assert [(a.state, a.task_id) for a in journal.attempts()] == [("submitted", "t")]
