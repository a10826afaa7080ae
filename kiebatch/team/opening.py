"""Opens the journal of a film in the team's ledger, and takes a film there that was made on one machine until now."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kiebatch.errors import Invalid
from kiebatch.model import Attempt
from kiebatch.record import Hook, SqliteJournal, asset_to
from kiebatch.team import accounts, rows, schema
from kiebatch.team.connection import Connection, Cursor
from kiebatch.team.environment import Team
from kiebatch.team.journal import TeamJournal
from kiebatch.team.leases import Lease
from kiebatch.team.questions import Whose
from kiebatch.team.unwritten import Unwritten

# What a film takes along: all that was or may have been paid for, and what failed, which is not sent again unasked.
_CARRIED = ("intended", "held", "submitted", "lost", "saved", "failed", "forgotten")


def open_journal(
    team: Team, local: SqliteJournal, *, name: str, state: Path, hook: Hook, read_only: bool
) -> TeamJournal:
    """Open a film's journal in the team's ledger; `local` is this machine's, whose notebook it keeps using.

    `name` is how colleagues call the project.  The first run takes the attempts of `local` along; until then a reader
    sees them as they are.  `Invalid` where the ledger does not know the account, or is not the one of this project.
    """
    whose = Whose(
        account=team.account,
        project=local.uuid or "new",
        film=local.film,
        name=name,
        host=socket.gethostname(),
    )
    connection = Connection(team.url, clock=team.clock)
    found = connection.transact(lambda cursor: _checked(cursor, team, local))
    lease = Lease(found.lease_s)
    kept = Unwritten(state / "unwritten.jsonl", found.ledger)
    if not read_only:
        if not local.team:
            _carry_over(connection, whose, local)
            local.moved_to(found.ledger)
        connection.patience_s = lease.patience_s
    journal = TeamJournal(connection, whose, lease, local, kept, hook)
    if read_only and not local.team:
        journal.not_yet_here = _as_they_are(local)
    return journal


def _checked(cursor: Cursor, team: Team, local: SqliteJournal) -> schema.Found:
    found = schema.check(cursor)
    if local.team not in ("", found.ledger):
        raise Invalid(
            "this project's attempts are kept in the ledger of another team",
            hint="KIEBATCH_TEAM names the wrong database, or the ledger was made a second time: restore it from a backup",
        )
    accounts.check(cursor, team.account)
    return found


def _as_they_are(local: SqliteJournal) -> Sequence[Attempt]:
    """Return a film's attempts of this machine, under numbers that no attempt of the ledger has."""
    return [replace(attempt, id=-attempt.id) for attempt in local.attempts(states=_CARRIED)]


def _carry_over(connection: Connection, whose: Whose, local: SqliteJournal) -> None:
    """Write a film's attempts of this machine into the ledger: once, and outside the team's cap."""
    attempts = local.attempts(states=_CARRIED)
    if not attempts:
        return

    def work(cursor: Cursor) -> None:
        cursor.execute(
            "INSERT INTO projects (id, name) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            (whose.project, rows.text(whose.name)),
        )
        run = cursor.execute(
            "INSERT INTO runs (account, run_id, project, film, host, who, answer_s, ended)"
            " VALUES (%s, 'before', %s, %s, %s, %s, 0, ledger_now()) RETURNING id",
            (whose.account, whose.project, whose.film, whose.host, rows.text(whose.name)),
        ).fetchone()
        assert run is not None
        for attempt in attempts:
            number = _carry(cursor, whose, attempt, run["id"])
            if number is not None:
                _carry_outputs(cursor, number, local, attempt)

    connection.transact(work)


def _carry(cursor: Cursor, whose: Whose, attempt: Attempt, run: int) -> int | None:
    """Write one attempt; None where it is there, or its task is."""
    state = "held" if attempt.state == "intended" else attempt.state
    found = cursor.execute(
        "INSERT INTO attempts (account, project, film, holder, token, run_id, slot, scene, model, family, fingerprint, take, twin,"
        " edition, state, job, task_id, code, message, retryable, billed, credits, intended_at, submitted_at, ended_at,"
        " balance_before, balance_after, recorded, may_resubmit)"
        " SELECT %(account)s, %(project)s, %(film)s, %(holder)s, %(token)s, %(run_id)s, %(slot)s, %(scene)s, %(model)s, %(family)s,"
        " %(fingerprint)s, %(take)s, %(twin)s, coalesce(max(b.edition) + 1, 0), %(state)s, %(job)s, %(task_id)s, %(code)s,"
        " %(message)s, %(retryable)s, %(billed)s, %(credits)s, to_timestamp(%(intended_at)s), to_timestamp(%(submitted_at)s),"
        " to_timestamp(%(ended_at)s), %(balance_before)s, %(balance_after)s, %(recorded)s, %(may_resubmit)s"
        " FROM attempts b WHERE b.account = %(account)s AND b.fingerprint = %(fingerprint)s AND b.take = %(take)s"
        " AND b.twin = %(twin)s AND b.state IN ('claimed', 'intended', 'held', 'submitted', 'lost', 'saved')"
        " ON CONFLICT DO NOTHING RETURNING id",
        {
            **{name: getattr(attempt, name) for name in _SAME},
            "account": whose.account,
            "holder": run,
            "project": whose.project,
            "film": whose.film,
            "token": f"{whose.project}/{attempt.id}",
            "slot": json.dumps(
                [attempt.slot.scene, attempt.slot.shot, attempt.slot.model, attempt.slot.take]
            ),
            "scene": str(attempt.slot.scene),
            "state": state,
            "job": json.dumps(attempt.job),
            "code": rows.text(attempt.code),
            "message": rows.text(attempt.message),
        },
    ).fetchone()
    return None if found is None else int(found["id"])


_SAME = (
    "run_id",
    "model",
    "family",
    "fingerprint",
    "take",
    "twin",
    "task_id",
    "retryable",
    "billed",
    "credits",
    "intended_at",
    "submitted_at",
    "ended_at",
    "balance_before",
    "balance_after",
    "recorded",
    "may_resubmit",
)


def _carry_outputs(cursor: Cursor, number: int, local: SqliteJournal, attempt: Attempt) -> None:
    for one in local.outputs_of(attempt.id):
        text = rows.text_or_none(one.output.text)
        entry = json.dumps(asset_to(one.asset)) if one.asset else None
        cursor.execute(
            "INSERT INTO outputs (attempt, number, url, text, label, output_id, seen_at, entry)"
            " VALUES (%s, %s, %s, %s, %s, %s, to_timestamp(%s), %s)",
            (
                number,
                one.output.number,
                one.output.url,
                text,
                one.output.label,
                one.output.id,
                one.seen_at,
                entry,
            ),
        )
