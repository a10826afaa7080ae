"""Learns from a run what jobs really cost on this account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from kiebatch.catalogue import Catalogue, Measured, measured
from kiebatch.catalogue.measured import Bill
from kiebatch.errors import KieBatchError, plain
from kiebatch.model import Attempt, as_list, as_mapping
from kiebatch.project import billed
from kiebatch.project.billed import Account
from kiebatch.record import Journal, auditing
from kiebatch.record.auditing import Audit, Kind, Line


def bills(attempts: Sequence[Attempt], found: Audit, run_id: str, catalogue: Catalogue) -> list[Bill]:
    """Return what the results of one run were billed, by their records and the balance; none where the two disagree.

    A balance that fell by less than the records say contradicts them.  One that fell by more does not, since others
    may use the account, and confirms nothing.
    """
    by_number = {attempt.id: attempt for attempt in attempts}
    if any(line.kind is Kind.ADDED for line in found.lines):
        return []
    agreed = _agrees(found)
    bills = (
        _bill(line, by_number[line.attempt], catalogue, agreed=agreed and line.window is not None)
        for line in found.lines
        if line.kind is Kind.SLOT and line.run_id == run_id
    )
    return [bill for bill in bills if bill is not None]


def _agrees(found: Audit) -> bool:
    """Whether the balance confirms every charge, and shows nothing beside them."""
    return bool(found.windows) and all(line.sure and line.kind is not Kind.FOREIGN for line in found.lines)


def _bill(line: Line, attempt: Attempt, catalogue: Catalogue, *, agreed: bool) -> Bill | None:
    listed, model = auditing.listed_price(attempt), catalogue.get(attempt.model)
    if model is None or listed is None or (line.said is None and not agreed):
        return None
    return Bill(
        model=attempt.model,
        params=measured.params_of(model, as_mapping(attempt.job.get("input"))),
        listed=listed,
        bound="bound" in as_list(attempt.job.get("price")),
        credits=line.credits,
        agreed=agreed,
    )


def learnt(
    journal: Journal, run_id: str, catalogue: Catalogue, known: Sequence[Measured], now: float
) -> list[Measured]:
    """Return the measured prices that a run adds or changes."""
    readings = [reading for reading in journal.notebook.balances() if reading.run_id == run_id]
    begun = min((reading.asked_at for reading in readings), default=0.0)
    attempts = list(_since(journal.of_every_film(), begun))
    found = auditing.audit(attempts, readings, journal.notebook.said_costs())
    day = dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()
    return measured.learnt(known, bills(attempts, found, run_id, catalogue), day)


def _since(attempts: Iterable[Attempt], moment: float) -> Iterable[Attempt]:
    """Yield what was charged or given back since a moment."""
    for attempt in attempts:
        if max(attempt.intended_at, attempt.submitted_at or 0.0, attempt.ended_at or 0.0) >= moment:
            yield attempt


def learn(journal: Journal, run_id: str, catalogue: Catalogue, account: Account, now: float) -> list[str]:
    """Write down what a run tells of prices; return what the person should know of it."""
    try:
        found = learnt(journal, run_id, catalogue, billed.read(account), now)
        billed.add(account, found)
    except KieBatchError as error:
        return [f"what the jobs were billed could not be kept: {plain(error.message)}"]
    return list(sentences(found))


def sentences(found: Iterable[Measured]) -> Iterable[str]:
    """Say what was learnt, where the catalogue says another price."""
    for one in found:
        if abs(one.credits - one.listed) > measured.ROUNDING:
            params = "".join(f", {name} {value}" for name, value in one.params.items())
            yield (
                f"{one.model}{params} was billed {one.credits:g} credits, and the catalogue says {one.listed:g}: "
                "plans on this account go by the bill from now on"
            )
