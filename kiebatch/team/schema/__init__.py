"""The versions of the team's schema, and how a database comes to one.

Each version has two parts: `before` only adds, so that programs of the version before go on while the new one rolls
out; `after` takes away what they needed.  A program works with a database whose `before` reached its version, and
whose `after` did not pass it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from kiebatch.errors import Invalid
from kiebatch.team.connection import Connection, Cursor

VERSION = 2  # of this program

_QUEUE = 2  # the version that brought the queue of units, whose tables are its library's own

Part = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a database says of itself.  0 where it has no schema."""

    before: int = 0
    after: int = 0
    lease_s: float = 30.0
    ledger: str = ""  # its identity


def found(cursor: Cursor) -> Found:
    """Return the version of a database, 0 where it holds no records of ours."""
    there = cursor.execute("SELECT to_regclass('about') AS name").fetchone()
    if there is None or there["name"] is None:
        return Found()
    values = {row["name"]: row["value"] for row in cursor.execute("SELECT name, value FROM about")}
    if "before" not in values:
        return Found()
    return Found(int(values["before"]), int(values["after"]), float(values["lease_s"]), values["ledger"])


def check(cursor: Cursor, version: int = VERSION) -> Found:
    """Return what a database says of itself; `Invalid` where a program of `version` cannot work with it."""
    return fits(found(cursor), version)


def fits(there: Found, version: int = VERSION) -> Found:
    """Return what a database says of itself; `Invalid` where a program of `version` cannot work with it."""
    if not there.before:
        raise Invalid("the team's database has no ledger yet", hint="`kiebatch team init` makes it")
    if there.before < version:
        raise Invalid(
            f"the team's ledger is of version {there.before}, and this kiebatch needs {version}; nothing was changed",
            hint="`kiebatch team init` brings it up to date; older programs go on with it",
        )
    if there.after > version:
        raise Invalid(
            f"the team's ledger is of version {there.after}, and this kiebatch knows {version}; nothing was changed",
            hint="update kiebatch",
        )
    return there


def migrate(
    connection: Connection, *, lease_s: float = 30.0, finish: bool = False, version: int = VERSION
) -> Found:
    """Bring a database to `version`, each part whole or not at all; return what it says of itself then.

    A new database gets both parts.  In one that is there `finish` runs the `after` parts too: once every machine has
    the new program.
    """

    def work(cursor: Cursor) -> Found:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('kiebatch schema', 0))")
        there = found(cursor)
        if there.after > version:
            return check(cursor, version)
        new = not there.before
        for number in range(there.before + 1, version + 1):
            _run(cursor, number, "before")
        if new:
            about = {"before": version, "after": 0, "lease_s": lease_s, "ledger": secrets.token_hex(8)}
            for name, value in about.items():
                cursor.execute("INSERT INTO about VALUES (%s, %s)", (name, str(value)))
        for number in range(there.after + 1, version + 1 if new or finish else 0):
            _run(cursor, number, "after")
            cursor.execute("UPDATE about SET value = %s WHERE name = 'after'", (str(number),))
        cursor.execute(
            "UPDATE about SET value = %s WHERE name = 'before'", (str(max(version, there.before)),)
        )
        return check(cursor, version)

    return connection.transact(work)


def _run(cursor: Cursor, number: int, part: Part) -> None:
    text = (resources.files(__package__) / f"{number:04d}_{part}.sql").read_text(encoding="utf-8")
    # Made once, by somebody who watches: a busy machine may take its time.
    cursor.execute("SET LOCAL statement_timeout = 0")
    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    cursor.execute(text)
    if (number, part) == (_QUEUE, "before"):
        from procrastinate.schema import SchemaManager  # slow to import, and needed once in a database's life

        cursor.execute(SchemaManager.get_schema())
