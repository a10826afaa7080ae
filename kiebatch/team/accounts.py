"""The accounts of a team's ledger: made, capped, and looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kiebatch.errors import Invalid
from kiebatch.model import JSON
from kiebatch.team import rows, schema
from kiebatch.team.connection import Connection, Cursor
from kiebatch.team.leases import Lease


def init(url: str, account: str, *, cap: float | None, lease_s: float, finish: bool = False) -> None:
    """Make the ledger, or bring it up to date, and the account in it.  A cap that is not given stays as it is."""
    if not account or account != rows.text(account) or len(account) > 200 or not account.isprintable():
        raise Invalid("an account is named by a short text", hint="--account studio")
    if lease_s <= 0:
        raise Invalid("--lease is a time above 0 seconds")
    connection = Connection(url)
    try:
        schema.migrate(connection, lease_s=lease_s, finish=finish)
        connection.transact(
            lambda cursor: cursor.execute(
                "INSERT INTO accounts (id, cap) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE"
                " SET cap = coalesce(excluded.cap, accounts.cap)",
                (account, cap),
            )
        )
    finally:
        connection.close()


def set_cap(url: str, account: str, cap: float | None, *, monthly: bool) -> None:
    """Set what an account may spend: until it is changed, or in each month; None takes the cap away."""

    def work(cursor: Cursor) -> None:
        schema.check(cursor)
        done = cursor.execute(
            "UPDATE accounts SET cap = %s, per = %s,"
            " period = CASE WHEN %s THEN coalesce(period, date_trunc('month', ledger_now())::date) END WHERE id = %s",
            (cap, "month" if monthly else None, monthly, account),
        )
        if done.rowcount != 1:
            raise Invalid(f"the team's ledger does not know the account `{account}`")

    connection = Connection(url)
    try:
        connection.transact(work)
    finally:
        connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How an account is doing.  Credits and seconds; `window` is the starts of the last 10 s."""

    account: str
    cap: float | None
    per: str | None
    reserved: float
    spent: float
    window: int
    runs: tuple[dict[str, JSON], ...]
    held: tuple[dict[str, JSON], ...]
    open_tasks: int
    not_stored: int
    oldest_link_hours: float | None  # until the first link of a result that is not stored dies

    def as_json(self) -> dict[str, JSON]:
        names = [name for name in self.__slots__ if name not in ("runs", "held")]
        found: dict[str, JSON] = {name: getattr(self, name) for name in names}
        return {**found, "runs": list(self.runs), "held": list(self.held)}


def check(cursor: Cursor, account: str) -> None:
    """`Invalid` where the ledger does not know an account."""
    known = [row["id"] for row in cursor.execute("SELECT id FROM accounts ORDER BY id")]
    if account not in known:
        raise Invalid(
            f"the team's ledger does not know the account `{account}`",
            hint=f"`account:` in your config.yaml, or KIEBATCH_ACCOUNT, names it; known are {', '.join(known) or 'none'}",
        )


def look(url: str, account: str) -> str:
    """Return what the database calls itself where a run of an account can work with it; it changes nothing there.

    `Invalid` where a run would be refused, and `Away` where the database cannot be reached.
    """

    def work(cursor: Cursor) -> str:
        schema.check(cursor)
        check(cursor, account)
        found = cursor.execute("SELECT current_setting('server_version') AS version").fetchone()
        assert found is not None
        return f"PostgreSQL {found['version'].split()[0]}"

    connection = Connection(url)
    try:
        return connection.transact(work)
    finally:
        connection.close()


def status(url: str, account: str, *, link_kept_s: float) -> Status:
    """Return how an account is doing.  Buries the dead first, so that what is shown is so."""
    connection = Connection(url)

    def work(cursor: Cursor) -> Status:
        lease = Lease(schema.check(cursor).lease_s)
        lease.reap(cursor, account)
        check(cursor, account)
        money = _one(cursor, "SELECT * FROM accounts WHERE id = %s", account)
        left = _one(
            cursor,
            "SELECT count(*) AS files, min(extract(epoch FROM o.seen_at - ledger_now())::float8) AS oldest_s FROM outputs o"
            " JOIN attempts a ON a.id = o.attempt WHERE a.account = %s AND o.stored_at IS NULL AND o.entry IS NULL"
            " AND o.url IS NOT NULL AND a.state IN ('submitted', 'lost')",
            account,
        )
        oldest = None if left["oldest_s"] is None else round((left["oldest_s"] + link_kept_s) / 3600, 1)
        return Status(
            account=account,
            cap=None if money["cap"] is None else float(money["cap"]),
            per=money["per"],
            reserved=float(money["reserved"]),
            spent=float(money["spent"]),
            window=_one(
                cursor,
                "SELECT count(*) AS n FROM booked WHERE book = %s AND NOT refused"
                " AND sent_at BETWEEN extract(epoch FROM ledger_now()) - 10 AND extract(epoch FROM ledger_now())",
                f"submit {account}",
            )["n"],
            runs=tuple(_runs(cursor, account)),
            held=tuple(_held(cursor, account)),
            open_tasks=_one(
                cursor,
                "SELECT count(*) AS n FROM attempts WHERE account = %s AND state IN ('submitted', 'lost')",
                account,
            )["n"],
            not_stored=left["files"],
            oldest_link_hours=oldest,
        )

    try:
        return connection.transact(work)
    finally:
        connection.close()


def _one(cursor: Cursor, query: str, value: str) -> dict[str, Any]:
    found = cursor.execute(query, (value,)).fetchone()
    assert found is not None
    return found


def _runs(cursor: Cursor, account: str) -> list[dict[str, JSON]]:
    found = cursor.execute(
        "SELECT r.run_id, r.who, extract(epoch FROM ledger_now() - r.beat)::float8 AS silent_s,"
        " extract(epoch FROM ledger_now() - r.began)::float8 AS since_s,"
        " (SELECT count(*) FROM attempts a WHERE a.holder = r.id AND a.state IN ('claimed', 'intended', 'submitted')) AS open"
        " FROM runs r WHERE r.account = %s AND r.ended IS NULL ORDER BY r.began",
        (account,),
    )
    return [
        {
            "run_id": row["run_id"],
            "who": row["who"],
            "silent_s": round(row["silent_s"], 1),
            "since_s": round(row["since_s"]),
            "open": row["open"],
        }
        for row in found
    ]


def _held(cursor: Cursor, account: str) -> list[dict[str, JSON]]:
    query = (
        f"SELECT {rows.ATTEMPT} FROM attempts a JOIN projects p ON p.id = a.project"
        " WHERE a.account = %s AND a.state = 'held' ORDER BY a.id"
    )
    held = [rows.attempt(row, "", "") for row in cursor.execute(query, (account,))]
    return [
        {"slot": str(a.slot), "project": a.elsewhere, "credits": a.credits, "reason": a.message} for a in held
    ]
