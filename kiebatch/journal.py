"""SQLite in `.kiebatch/`: every attempt, written before and after each costly step; who is held, and why.

Order of writing, for every job: intent, then the submission, then its task id, then outputs, then assets.
Each write is one durable transaction (WAL, `synchronous=FULL`) and passes `hook`, which tests use to end the
process there.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.files import replace, shown, unwritable
from kiebatch.model import JSON, Asset, Attempt, Output, Slot

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, slot TEXT NOT NULL, scene TEXT NOT NULL, model TEXT NOT NULL,
  family TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL, task_id TEXT,
  code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', retryable INTEGER NOT NULL DEFAULT 0,
  billed INTEGER, credits REAL, intended_at REAL NOT NULL, submitted_at REAL, ended_at REAL,
  balance_before REAL, balance_after REAL, recorded INTEGER NOT NULL DEFAULT 0, may_resubmit INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX attempts_by_state ON attempts (state);
CREATE TABLE outputs (
  attempt INTEGER NOT NULL REFERENCES attempts (id), number INTEGER NOT NULL, url TEXT, text TEXT,
  label TEXT NOT NULL DEFAULT '', seen_at REAL NOT NULL, entry TEXT, PRIMARY KEY (attempt, number)
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
"""

# From version N to N + 1, in order; each is one script.
_MIGRATIONS: Mapping[int, str] = {}

Hook = Callable[[str], None]


def _no_hook(_point: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """An output that the journal knows: its link, and the manifest entry once its file is in place."""

    output: Output
    seen_at: float
    asset: Asset | None


class Journal:
    """One project's record of what happened.  Use `open_journal`."""

    def __init__(
        self, connection: sqlite3.Connection, *, now: Callable[[], float], hook: Hook = _no_hook
    ) -> None:
        self._db = connection
        self._now = now
        self._hook = hook
        self.warnings: list[str] = []

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _write(self, point: str) -> Iterator[sqlite3.Connection]:
        self._hook(f"journal.{point}:before")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise unwritable(Path("the journal"), OSError(str(error))) from None
        self._hook(f"journal.{point}:after")

    # -- attempts

    def intend(
        self,
        *,
        run_id: str,
        slot: Slot,
        model: str,
        family: str,
        fingerprint: str,
        job: Mapping[str, JSON],
        credits: float | None,
        balance: float | None = None,
    ) -> int:
        """Write down that a job is about to be sent.  Durable when this returns."""
        with self._write("intend") as db:
            row = db.execute(
                "INSERT INTO attempts (run_id, slot, scene, model, family, fingerprint, state, job, credits,"
                " intended_at, balance_before) VALUES (?, ?, ?, ?, ?, ?, 'intended', ?, ?, ?, ?)",
                (
                    run_id,
                    json.dumps([slot.scene, slot.shot, slot.model, slot.take]),
                    str(slot.scene),
                    model,
                    family,
                    fingerprint,
                    json.dumps(job, ensure_ascii=False),
                    credits,
                    self._now(),
                    balance,
                ),
            )
        return int(row.lastrowid or 0)

    def submitted(self, attempt: int, task_id: str) -> None:
        """Write down the task that the provider made; before anything else is done with the answer."""
        with self._write("submitted") as db:
            db.execute(
                "UPDATE attempts SET state = 'submitted', task_id = ?, submitted_at = ? WHERE id = ?",
                (task_id, self._now(), attempt),
            )

    def refused(self, attempt: int, code: str, message: str) -> None:
        """Write down that a submission certainly cost nothing and made no task."""
        self._end("refused", attempt, "refused", code, message, retryable=True, billed=False)

    def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        """Write down that nobody knows whether a submission was charged."""
        with self._write("held") as db:
            db.execute(
                "UPDATE attempts SET state = 'held', message = ?, ended_at = ?, balance_after = ? WHERE id = ?",
                (reason, self._now(), balance, attempt),
            )

    def failed(self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None) -> None:
        """Write down that a task is over without a result."""
        self._end("failed", attempt, "failed", code, message, retryable=retryable, billed=billed)

    def lost(self, attempt: int, code: str, message: str) -> None:
        """Write down that a finished task's result could not be had this time; it can be collected again."""
        self._end("lost", attempt, "lost", code, message, retryable=True, billed=True)

    def _end(
        self,
        point: str,
        attempt: int,
        state: str,
        code: str,
        message: str,
        *,
        retryable: bool,
        billed: bool | None,
    ) -> None:
        with self._write(point) as db:
            db.execute(
                "UPDATE attempts SET state = ?, code = ?, message = ?, retryable = ?, billed = ?, ended_at = ?"
                " WHERE id = ?",
                (state, code, message, retryable, billed, self._now(), attempt),
            )

    def outputs(self, attempt: int, outputs: Sequence[Output], credits: float | None = None) -> None:
        """Write down where a finished task's outputs lie, before they are fetched."""
        with self._write("outputs") as db:
            for output in outputs:
                db.execute(
                    "INSERT INTO outputs (attempt, number, url, text, label, seen_at) VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (attempt, number) DO UPDATE SET url = excluded.url, text = excluded.text",
                    (attempt, output.number, output.url, output.text, output.label, self._now()),
                )
            if credits is not None:
                db.execute("UPDATE attempts SET credits = ? WHERE id = ?", (credits, attempt))

    def asset(self, attempt: int, number: int, entry: Mapping[str, JSON]) -> None:
        """Write down that an output's file is in its place, with what its manifest entry will say."""
        with self._write("asset") as db:
            db.execute(
                "UPDATE outputs SET entry = ? WHERE attempt = ? AND number = ?",
                (json.dumps(entry, ensure_ascii=False), attempt, number),
            )

    def saved(self, attempt: int) -> None:
        """Write down that all of a task's outputs are on the disk."""
        self._end("saved", attempt, "saved", "", "", retryable=False, billed=True)

    def recorded(self, attempts: Iterable[int]) -> None:
        """Write down that the manifest on the disk holds these attempts' assets."""
        ids = list(attempts)
        if ids:
            with self._write("recorded") as db:
                db.executemany("UPDATE attempts SET recorded = 1 WHERE id = ?", [(i,) for i in ids])

    def attempts(self, *, states: Sequence[str] = ()) -> list[Attempt]:
        """Return attempts, oldest first; of some states alone when given."""
        where = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        cursor = self._db.execute(f"SELECT * FROM attempts{where} ORDER BY id", tuple(states))
        return [_attempt(row) for row in cursor]

    def attempt(self, number: int) -> Attempt:
        return _attempt(self._db.execute("SELECT * FROM attempts WHERE id = ?", (number,)).fetchone())

    def outputs_of(self, attempt: int) -> list[SavedOutput]:
        rows = self._db.execute("SELECT * FROM outputs WHERE attempt = ? ORDER BY number", (attempt,))
        return [
            SavedOutput(
                output=Output(number=r["number"], url=r["url"], text=r["text"], label=r["label"]),
                seen_at=r["seen_at"],
                asset=asset_from(json.loads(r["entry"])) if r["entry"] else None,
            )
            for r in rows
        ]

    def hold_unfinished(self, reason: str) -> int:
        """Turn intents of a run that died into held jobs.  Only for who holds the project's lock."""
        with self._write("hold_unfinished") as db:
            done = db.execute(
                "UPDATE attempts SET state = 'held', message = ?, ended_at = ? WHERE state = 'intended'",
                (reason, self._now()),
            )
        return done.rowcount

    # -- decisions of the user

    def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        """Carry out `resolve`: `task-id` makes it a known task, `resubmit` and `forget` let go of it."""
        with self._write("decide") as db:
            if decision == "task-id":
                db.execute(
                    "UPDATE attempts SET state = 'submitted', task_id = ?, submitted_at = coalesce(submitted_at,"
                    " intended_at), message = '' WHERE id = ?",
                    (task_id, attempt),
                )
            else:
                db.execute(
                    "UPDATE attempts SET state = 'forgotten', may_resubmit = 1, ended_at = ? WHERE id = ?",
                    (self._now(), attempt),
                )

    # -- uploads, digests, durations, plans

    def upload(self, sha256: str, host: str, *, max_age_s: float) -> str | None:
        """Return the link of a content that was uploaded to `host` less than `max_age_s` ago."""
        row = self._db.execute(
            "SELECT url FROM uploads WHERE sha256 = ? AND host = ? AND uploaded_at > ?",
            (sha256, host, self._now() - max_age_s),
        ).fetchone()
        return str(row["url"]) if row else None

    def uploaded(self, sha256: str, host: str, url: str) -> None:
        with self._write("uploaded") as db:
            db.execute(
                "INSERT OR REPLACE INTO uploads (sha256, host, url, uploaded_at) VALUES (?, ?, ?, ?)",
                (sha256, host, url, self._now()),
            )

    def forget_upload(self, url: str) -> None:
        with self._write("forget_upload") as db:
            db.execute("DELETE FROM uploads WHERE url = ?", (url,))

    def digests(self) -> dict[str, tuple[int, int, int, str]]:
        """Return what is known of files: path -> size, mtime in ns, inode, sha256."""
        rows = self._db.execute("SELECT path, size, mtime_ns, inode, sha256 FROM digests")
        return {r["path"]: (r["size"], r["mtime_ns"], r["inode"], r["sha256"]) for r in rows}

    def remember_digests(self, found: Mapping[str, tuple[int, int, int, str]]) -> None:
        if found:
            with self._write("digests") as db:
                db.executemany(
                    "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)",
                    [(p, *v) for p, v in found.items()],
                )

    def took(self, model: str, seconds: float) -> None:
        """Learn how long a model took."""
        with self._write("took") as db:
            db.execute("INSERT INTO durations VALUES (?, ?, ?)", (model, seconds, self._now()))

    def durations(self, model: str, limit: int = 64) -> list[float]:
        """Return how long the model's latest tasks took, in seconds, ascending."""
        rows = self._db.execute(
            "SELECT seconds FROM durations WHERE model = ? ORDER BY rowid DESC LIMIT ?", (model, limit)
        )
        return sorted(float(r["seconds"]) for r in rows)

    def has_succeeded(self, model: str) -> bool:
        """Whether a task of this model ever brought a result here."""
        row = self._db.execute("SELECT 1 FROM attempts WHERE model = ? AND state = 'saved' LIMIT 1", (model,))
        return row.fetchone() is not None

    def spend_plan(self, digest: str) -> bool:
        """Mark a saved plan as carried out; False when it already was."""
        with self._write("plan") as db:
            done = db.execute("INSERT OR IGNORE INTO plans VALUES (?, ?)", (digest, self._now()))
        return done.rowcount == 1


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        id=row["id"],
        slot=Slot(*json.loads(row["slot"])),
        model=row["model"],
        family=row["family"],
        fingerprint=row["fingerprint"],
        state=row["state"],
        job=json.loads(row["job"]),
        task_id=row["task_id"],
        code=row["code"],
        message=row["message"],
        retryable=bool(row["retryable"]),
        billed=None if row["billed"] is None else bool(row["billed"]),
        credits=row["credits"],
        intended_at=row["intended_at"],
        submitted_at=row["submitted_at"],
        ended_at=row["ended_at"],
        balance_before=row["balance_before"],
        balance_after=row["balance_after"],
        recorded=bool(row["recorded"]),
        may_resubmit=bool(row["may_resubmit"]),
    )


def asset_to(asset: Asset) -> dict[str, JSON]:
    """Return an asset as the journal keeps it."""
    return {name: getattr(asset, name) for name in Asset.__dataclass_fields__ if name != "made_from"} | {
        "made_from": list(asset.made_from)
    }


def asset_from(record: Mapping[str, JSON]) -> Asset:
    return Asset(**{**record, "made_from": tuple(record.get("made_from") or ())})


def open_journal(
    path: Path,
    *,
    now: Callable[[], float],
    hook: Hook = _no_hook,
    rebuild: Callable[[], Iterable[Asset]] = tuple,
    read_only: bool = False,
) -> Journal:
    """Open a project's journal, making or migrating it.

    A damaged one is set aside and rebuilt from the assets that `rebuild` gives, with a warning.  `Invalid` for
    a journal of a newer kiebatch, which is left as it is.
    """
    if read_only and not path.exists():
        return _fresh(sqlite3.connect(":memory:", isolation_level=None), now=now, hook=hook)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            replace(ignore, "*\n")
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        return _open(path, now=now, hook=hook)
    except sqlite3.OperationalError as error:
        raise unwritable(path, OSError(str(error))) from None
    except sqlite3.DatabaseError as error:
        return _rebuilt(path, str(error), rebuild, now=now, hook=hook)


def _open(path: Path, *, now: Callable[[], float], hook: Hook) -> Journal:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            connection.close()
            raise Invalid(
                [
                    Problem(
                        where=Where(shown(path)),
                        message=f"the journal was written by a newer kiebatch (format {version}; this one knows "
                        f"{SCHEMA_VERSION})",
                        hint="update kiebatch; nothing was changed",
                    )
                ]
            )
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        connection.row_factory = sqlite3.Row
        # WAL does not work on every network share; SQLite then keeps what it had.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            return _fresh(connection, now=now, hook=hook)
        while version < SCHEMA_VERSION:
            connection.executescript(
                f"BEGIN; {_MIGRATIONS[version]}; PRAGMA user_version = {version + 1}; COMMIT;"
            )
            version += 1
        connection.execute("SELECT * FROM attempts LIMIT 1").fetchall()
    except BaseException:
        connection.close()
        raise
    return Journal(connection, now=now, hook=hook)


def _fresh(connection: sqlite3.Connection, *, now: Callable[[], float], hook: Hook) -> Journal:
    connection.row_factory = sqlite3.Row
    connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    return Journal(connection, now=now, hook=hook)


def _rebuilt(
    path: Path,
    damage: str,
    rebuild: Callable[[], Iterable[Asset]],
    *,
    now: Callable[[], float],
    hook: Hook,
) -> Journal:
    """Set a damaged journal aside and begin a new one from what the manifest knows."""
    aside = path.with_name(f"{path.name}.damaged-{int(now())}")
    path.rename(aside)
    for ending in ("-wal", "-shm"):
        leftover = path.with_name(path.name + ending)
        if leftover.exists():
            leftover.rename(aside.with_name(aside.name + ending))
    journal = _open(path, now=now, hook=hook)
    for asset in rebuild():
        if not asset.task_id or not asset.fingerprint:
            continue
        slot = Slot(asset.scene_id if asset.scene_id is not None else "?", asset.shot, None, asset.take)
        with journal._write("rebuild") as db:
            db.execute(
                "INSERT INTO attempts (run_id, slot, scene, model, family, fingerprint, state, job, task_id, credits,"
                " intended_at, recorded, billed) VALUES ('rebuilt', ?, ?, ?, 'jobs', ?, 'saved', '{}', ?, ?, ?, 1, 1)",
                (
                    json.dumps([slot.scene, slot.shot, slot.model, slot.take]),
                    str(slot.scene),
                    asset.model,
                    asset.fingerprint,
                    asset.task_id,
                    asset.credits,
                    now(),
                ),
            )
    journal.warnings.append(
        f"the journal was damaged ({damage}); it is kept as {aside.name} and a new one was begun from the manifest. "
        "Tasks that were in flight or held are not known any more: look at kie.ai/logs before running again, and "
        "collect what you find there with `kiebatch generate --task-id T --model M`"
    )
    return journal
