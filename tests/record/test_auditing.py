"""Every credit that left the account has a name: results, billed failures, held jobs, and what is nobody's here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench.audit
from kiebatch.model import Attempt, Slot
from kiebatch.record.auditing import Audit, Kind, audit, settled
from kiebatch.record.notebook import Reading

ACCOUNT, FILM, RUN = "a1", "assets", "r1"


def attempt(
    number: int, state: Any = "saved", credits: float = 8.0, at: float = 10.0, **more: Any
) -> Attempt:
    """Return an attempt that was sent at a moment and answered a second later."""
    values = {
        "run_id": RUN,
        "slot": Slot(number),
        "model": "nano-banana-2",
        "family": "jobs",
        "fingerprint": f"sha256:{number}",
        "state": state,
        "job": {"price": [8.0, "estimate", None]},
        "task_id": f"t{number}",
        "credits": credits,
        "intended_at": at,
        "submitted_at": at + 1,
        "ended_at": at + 5,
        "film": FILM,
    }
    return Attempt(id=number, **{**values, **more})


def reading(at: float, balance: float, account: str = ACCOUNT, run: str = RUN) -> Reading:
    return Reading(asked_at=at - 0.5, at=at, balance=balance, account=account, run_id=run)


def credits(found: Audit) -> dict[str, float]:
    return {kind: amount for kind, amount in found.totals(FILM).items() if amount and kind in list(Kind)}


def test_what_a_window_lost_beyond_our_jobs_is_foreign() -> None:
    found = audit([attempt(1)], [reading(5, 100), reading(30, 80)], {})

    assert credits(found) == {"slot": 8, "foreign": 12}
    assert [(w.since, w.until, w.gone, w.rest) for w in found.windows] == [(5, 30, 20, 12)]


def test_credits_that_came_in_are_named() -> None:
    found = audit([attempt(1)], [reading(5, 100), reading(30, 192)], {})

    assert credits(found) == {"slot": 8, "added": 100}


def test_a_record_beats_the_price() -> None:
    found = audit([attempt(1, credits=12.0)], [reading(5, 100), reading(30, 88)], {1: 12.0})

    assert credits(found) == {"slot": 12}
    assert found.lines[0].excess == 4


@pytest.mark.parametrize(("after", "billed"), [(100, False), (92, True)])
def test_the_balance_tells_whether_a_failure_was_billed(after: float, billed: bool) -> None:
    failure = attempt(1, "failed", billed=None)

    found = audit([failure], [reading(5, 100), reading(30, after)], {})

    assert credits(found) == ({"failure": 8} if billed else {})
    assert settled([failure], found)[0].billed is billed


@pytest.mark.parametrize(("after", "charged"), [(100, 0.0), (92, 8.0)])
def test_the_balance_tells_whether_a_held_job_was_charged(after: float, charged: float) -> None:
    held = attempt(1, "held", task_id=None, submitted_at=None)

    found = audit([held], [reading(5, 100), reading(30, after)], {})

    assert [(line.kind, line.credits, line.sure) for line in found.lines] == [(Kind.HELD, charged, True)]


def test_without_balances_what_is_uncertain_stays_so() -> None:
    found = audit([attempt(1, "held", task_id=None, submitted_at=None)], [], {})

    assert [(line.credits, line.sure) for line in found.lines] == [(8.0, False)]


def test_what_was_refused_or_given_back_is_no_line() -> None:
    found = audit([attempt(1, "refused"), attempt(2, "failed", billed=False)], [], {})

    assert found.lines == []


def test_a_balance_read_while_a_job_is_sent_tells_nothing() -> None:
    sending = attempt(1, intended_at=10.0, submitted_at=20.0)

    found = audit([sending], [reading(5, 100), reading(15, 92), reading(30, 92)], {})

    assert [(w.since, w.until) for w in found.windows] == [(5, 30)]
    assert credits(found) == {"slot": 8}


def test_another_account_is_apart_and_another_film_is_not_foreign() -> None:
    other = replace(attempt(2, film="second", run_id="r2"), slot=Slot(7))
    readings = [reading(5, 100), reading(6, 50, "b2", "r2"), reading(30, 92), reading(31, 42, "b2", "r2")]

    found = audit([attempt(1), other], readings, {})

    assert credits(found) == {"slot": 8}
    assert found.totals(FILM)["other_films"] == 8


def test_since_leaves_out_older_windows() -> None:
    readings = [reading(5, 100), reading(30, 92), reading(60, 90)]

    found = audit([attempt(1)], readings, {}).after(40)

    assert credits(found) == {"foreign": 2}


_STATES = st.sampled_from(["saved", "failed", "held", "submitted", "lost", "refused", "forgotten"])


@given(
    st.lists(
        st.tuples(_STATES, st.sampled_from([0.8, 4.0, 8.0]), st.integers(0, 90), st.booleans()), max_size=12
    ),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 500)), max_size=6, unique_by=lambda pair: pair[0]),
)
def test_every_credit_of_every_window_has_exactly_one_name(
    jobs: list[tuple[str, float, int, bool]], balances: list[tuple[int, int]]
) -> None:
    attempts = [
        attempt(number, state, credits, float(at), billed=None if billed else True)
        for number, (state, credits, at, billed) in enumerate(jobs, 1)
    ]

    found = audit(attempts, [reading(float(at), float(left)) for at, left in sorted(balances)], {})

    for window in found.windows:
        lines = [line for line in found.lines if line.window == window.number]
        named = sum(-line.credits if line.kind is Kind.ADDED else line.credits for line in lines)
        assert named == pytest.approx(window.gone, abs=0.011)


@pytest.mark.slow
def test_a_troubled_account_is_named_to_the_last_credit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KIEBATCH_CONFIG_HOME", "KIE_API_KEY", "KIE_BASE_URL"):
        monkeypatch.setenv(name, "")  # what the measurement sets is taken back

    found = bench.audit.measure(tmp_path, 20)

    assert found.attributed == pytest.approx(1, abs=1e-9)
    assert found.first_noticed
    assert found.noticed.endswith("(nano-banana-2) cost 12 credits, and its price was 8")
    assert found.stopped_again == ""
    assert 0 <= found.plan_error <= 0.01
