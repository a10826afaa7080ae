"""The tables of the journal's file, and how an older file becomes today's."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping

from kiebatch.record.database import read_rows

VERSION = 3

SCHEMA = """
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, slot TEXT NOT NULL, scene TEXT NOT NULL, model TEXT NOT NULL,
  family TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL, task_id TEXT,
  code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', retryable INTEGER NOT NULL DEFAULT 0,
  billed INTEGER, credits REAL, intended_at REAL NOT NULL, submitted_at REAL, ended_at REAL,
  balance_before REAL, balance_after REAL, recorded INTEGER NOT NULL DEFAULT 0, may_resubmit INTEGER NOT NULL DEFAULT 0,
  film TEXT, take INTEGER NOT NULL DEFAULT 1, twin INTEGER NOT NULL DEFAULT 1, edition INTEGER NOT NULL DEFAULT 0,
  seen_state TEXT NOT NULL DEFAULT '', seen_at REAL
);
CREATE INDEX attempts_by_state ON attempts (state);
CREATE INDEX attempts_by_key ON attempts (fingerprint, take);
CREATE INDEX attempts_by_task ON attempts (task_id);
CREATE TABLE outputs (
  attempt INTEGER NOT NULL REFERENCES attempts (id), number INTEGER NOT NULL, url TEXT, text TEXT,
  label TEXT NOT NULL DEFAULT '', seen_at REAL NOT NULL, entry TEXT, output_id TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (attempt, number)
);
CREATE TABLE uploads (
  sha256 TEXT NOT NULL, host TEXT NOT NULL, url TEXT NOT NULL, uploaded_at REAL NOT NULL, PRIMARY KEY (sha256, host)
);
CREATE TABLE digests (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE durations (model TEXT NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL);
CREATE INDEX durations_by_model ON durations (model);
CREATE TABLE plans (digest TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# Tables that a file of this version may lack: they came later, and an older kiebatch leaves them alone.
_EVIDENCE = """
CREATE TABLE IF NOT EXISTS balances (
  asked_at REAL NOT NULL, at REAL NOT NULL, balance REAL NOT NULL, account TEXT NOT NULL, run_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS said_costs (attempt INTEGER PRIMARY KEY, credits REAL NOT NULL);
"""


def _to_version_2(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE outputs ADD COLUMN output_id TEXT NOT NULL DEFAULT ''")


def _to_version_3(db: sqlite3.Connection) -> None:
    """Attempts belong to a film and have a key; the file has an identity that `journal.mark` names."""
    for column in (
        "film TEXT",
        "take INTEGER NOT NULL DEFAULT 1",
        "twin INTEGER NOT NULL DEFAULT 1",
        "edition INTEGER NOT NULL DEFAULT 0",
        "seen_state TEXT NOT NULL DEFAULT ''",
        "seen_at REAL",
    ):
        db.execute(f"ALTER TABLE attempts ADD COLUMN {column}")
    db.execute("CREATE INDEX attempts_by_key ON attempts (fingerprint, take)")
    db.execute("CREATE INDEX attempts_by_task ON attempts (task_id)")
    db.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    editions: dict[tuple[str, int], int] = {}
    for number, slot, content in db.execute(
        "SELECT id, slot, fingerprint FROM attempts ORDER BY id"
    ).fetchall():
        take = json.loads(slot)[3]
        edition = editions.get((content, take), -1) + 1
        editions[content, take] = edition
        db.execute("UPDATE attempts SET take = ?, edition = ? WHERE id = ?", (take, edition, number))
    name_it(db)


MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _to_version_2, 2: _to_version_3}


def make(db: sqlite3.Connection) -> None:
    """Make the tables in an empty file, whole or not at all."""
    db.executescript(f"BEGIN; {SCHEMA} {_EVIDENCE} PRAGMA user_version = {VERSION}; COMMIT;")
    name_it(db)


def complete(db: sqlite3.Connection) -> None:
    """Make the tables that a file of today's version may lack."""
    if not (has_table(db, "balances") and has_table(db, "said_costs")):
        db.executescript(f"BEGIN IMMEDIATE; {_EVIDENCE} COMMIT;")


def has_table(db: sqlite3.Connection, name: str) -> bool:
    found = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
    return found is not None


def migrate(
    db: sqlite3.Connection,
    version: int,
    steps: Mapping[int, Callable[[sqlite3.Connection], None]] = MIGRATIONS,
) -> int:
    """Bring a file up to date, one version at a time, each whole or not at all; return the version it has then."""
    while version in steps:
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] == version:  # else another process was faster
                steps[version](db)
                db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        version += 1
    return version


def name_it(db: sqlite3.Connection) -> None:
    """Give the file an identity, once."""
    db.execute("INSERT OR IGNORE INTO about VALUES ('uuid', ?)", (secrets.token_hex(16),))


def uuid_of(db: sqlite3.Connection) -> str:
    return about(db, "uuid")


def about(db: sqlite3.Connection, name: str) -> str:
    """Return what a file says of itself; empty where it says nothing."""
    found = read_rows(db, "SELECT value FROM about WHERE name = ?", (name,))
    return str(found[0]["value"]) if found else ""
