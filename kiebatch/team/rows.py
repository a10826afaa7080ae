"""Rows of the team's records as the values that the rest of the program knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

from kiebatch.errors import Invalid, plain
from kiebatch.model import JSON, Attempt, AttemptState, Output, Slot, as_form
from kiebatch.record import SavedOutput, asset_from

# Whatever is selected from attempts `a` and projects `p`.  Times as seconds since the epoch, as the program has them.
ATTEMPT = """
  a.id, a.run_id, a.slot, a.model, a.family, a.fingerprint, a.state, a.job, a.task_id, a.code, a.message, a.retryable,
  a.billed, a.credits, a.balance_before, a.balance_after, a.recorded, a.may_resubmit, a.film, a.take, a.twin, a.edition,
  a.seen_state, a.project, p.name AS project_name,
  extract(epoch FROM a.intended_at)::float8 AS intended_at, extract(epoch FROM a.submitted_at)::float8 AS submitted_at,
  extract(epoch FROM a.ended_at)::float8 AS ended_at, extract(epoch FROM a.seen_at)::float8 AS seen_at
"""


class _AttemptRow(TypedDict):
    """What `ATTEMPT` selects."""

    id: int
    run_id: str
    slot: str
    model: str
    family: str
    fingerprint: str
    state: AttemptState
    job: Mapping[str, JSON]
    task_id: str | None
    code: str
    message: str
    retryable: bool
    billed: bool | None
    credits: float | None
    balance_before: float | None
    balance_after: float | None
    recorded: bool
    may_resubmit: bool
    film: str
    take: int
    twin: int
    edition: int
    seen_state: str
    project: str
    project_name: str
    intended_at: float
    submitted_at: float | None
    ended_at: float | None
    seen_at: float | None


class _OutputRow(TypedDict):
    number: int
    url: str | None
    text: str | None
    label: str
    output_id: str
    entry: Mapping[str, JSON] | None
    seen_at: float


def attempt(found: Mapping[str, object], project: str, film: str) -> Attempt:
    """Return a row as an attempt; `elsewhere` says whose it is where it is not this film's."""
    row = as_form(_AttemptRow, found)
    ours = row["project"] == project and row["film"] == film
    return Attempt(
        id=row["id"],
        run_id=row["run_id"],
        slot=_slot(row),
        model=row["model"],
        family=row["family"],
        fingerprint=row["fingerprint"],
        state=row["state"],
        job=row["job"],
        task_id=row["task_id"],
        code=row["code"],
        message=row["message"],
        retryable=row["retryable"],
        billed=row["billed"],
        credits=row["credits"],
        intended_at=row["intended_at"],
        submitted_at=row["submitted_at"],
        ended_at=row["ended_at"],
        balance_before=row["balance_before"],
        balance_after=row["balance_after"],
        recorded=row["recorded"],
        may_resubmit=row["may_resubmit"],
        film=row["film"],
        take=row["take"],
        twin=row["twin"],
        edition=row["edition"],
        seen_state=row["seen_state"],
        seen_at=row["seen_at"],
        elsewhere="" if ours else _name(row),
    )


def _slot(row: _AttemptRow) -> Slot:
    try:
        return Slot(*json.loads(row["slot"]))
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(
            f"the ledger's attempt {row['id']} cannot be read: {plain(error, 100)}",
            hint="something else has changed the team's database: look at kie.ai/logs before anything is sent",
        ) from None


def _name(row: _AttemptRow) -> str:
    name = row["project_name"]
    return name if row["film"] == "assets" else f"{name}, {row['film']}"


def output(found: Mapping[str, object]) -> SavedOutput:
    row = as_form(_OutputRow, found)
    return SavedOutput(
        output=Output(
            number=row["number"], url=row["url"], text=row["text"], label=row["label"], id=row["output_id"]
        ),
        seen_at=row["seen_at"],
        asset=asset_from(row["entry"]) if row["entry"] else None,
    )


def text(value: str) -> str:
    """Return a text as PostgreSQL takes it: without NUL, and without halves of characters."""
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def text_or_none(value: str | None) -> str | None:
    return None if value is None else text(value)


def slot_text(slot: Slot) -> str:
    """Return a slot as an attempt's row has it."""
    return json.dumps([slot.scene, slot.shot, slot.model, slot.take])
