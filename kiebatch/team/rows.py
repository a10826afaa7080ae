"""Rows of the team's records as the values that the rest of the program knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kiebatch.errors import Invalid, plain
from kiebatch.model import Attempt, Output, Slot
from kiebatch.record import SavedOutput, asset_from

# Whatever is selected from attempts `a` and projects `p`.  Times as seconds since the epoch, as the program has them.
ATTEMPT = """
  a.id, a.run_id, a.slot, a.model, a.family, a.fingerprint, a.state, a.job, a.task_id, a.code, a.message, a.retryable,
  a.billed, a.credits, a.balance_before, a.balance_after, a.recorded, a.may_resubmit, a.film, a.take, a.twin, a.edition,
  a.seen_state, a.project, p.name AS project_name,
  extract(epoch FROM a.intended_at)::float8 AS intended_at, extract(epoch FROM a.submitted_at)::float8 AS submitted_at,
  extract(epoch FROM a.ended_at)::float8 AS ended_at, extract(epoch FROM a.seen_at)::float8 AS seen_at
"""


def attempt(row: Mapping[str, Any], project: str, film: str) -> Attempt:
    """Return a row as an attempt; `elsewhere` says whose it is where it is not this film's."""
    ours = row["project"] == project and row["film"] == film
    try:
        slot = Slot(*json.loads(row["slot"]))
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(
            f"the ledger's attempt {row['id']} cannot be read: {plain(error, 100)}",
            hint="something else has changed the team's database: look at kie.ai/logs before anything is sent",
        ) from None
    names = [name for name in Attempt.__dataclass_fields__ if name in row and name != "slot"]
    elsewhere = "" if ours else _name(row)
    return Attempt(slot=slot, elsewhere=elsewhere, **{name: row[name] for name in names})


def _name(row: Mapping[str, Any]) -> str:
    name = str(row["project_name"])
    return name if row["film"] == "assets" else f"{name}, {row['film']}"


def output(row: Mapping[str, Any]) -> SavedOutput:
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
