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
from kiebatch.files import private_file, private_folder, replace, shown, sync_folder, unwritable
from kiebatch.model import JSON, Asset, Attempt, Output, Slot

SCHEMA_VERSION = 2

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
"""

# From version N to N + 1, in order; each is one script.
_MIGRATIONS: Mapping[int, str] = {1: "ALTER TABLE outputs ADD COLUMN output_id TEXT NOT NULL DEFAULT ''"}

_REBUILT = ".rebuilt"
_INCOMPLETE = 1  # the application id of a journal that was rebuilt in part

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
        self,
        connection: sqlite3.Connection,
        *,
        now: Callable[[], float],
        hook: Hook = _no_hook,
        path: Path = Path("the journal"),
    ) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._db = connection
        self._now = now
        self._hook = hook

    def close(self) -> None:
        self._db.close()

    @property
    def incomplete(self) -> bool:
        """Whether a damaged journal came before this one of which not all could be read, and nobody was told yet."""
        return bool(self._db.execute("PRAGMA application_id").fetchone()[0] == _INCOMPLETE)

    def told(self) -> None:
        """Note that the user was told that the journal is incomplete: what comes next is by their word."""
        self._db.execute("PRAGMA application_id = 0")

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
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise
        except sqlite3.DatabaseError as error:  # a full disk, a locked or damaged file
            raise unwritable(self.path, OSError(str(error))) from None
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

    def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        """Write down the task that the provider made; before anything else is done with the answer.

        `outputs` are those of a call that has them in its answer, which nobody can ask for again.
        """
        with self._write("submitted") as db:
            db.execute(
                "UPDATE attempts SET state = 'submitted', task_id = ?, submitted_at = ?, message = '' WHERE id = ?",
                (task_id, self._now(), attempt),
            )
            self._put_outputs(db, attempt, outputs)

    def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        """Write down that a submission certainly cost nothing and made no task."""
        self._end("refused", attempt, "refused", code, message, retryable=retryable, billed=False)

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
            self._put_outputs(db, attempt, outputs)
            if credits is not None:
                db.execute("UPDATE attempts SET credits = ? WHERE id = ?", (credits, attempt))

    def _put_outputs(self, db: sqlite3.Connection, attempt: int, outputs: Sequence[Output]) -> None:
        for output in outputs:
            db.execute(
                "INSERT INTO outputs (attempt, number, url, text, label, output_id, seen_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (attempt, number) DO UPDATE SET url = excluded.url,"
                " text = excluded.text, output_id = excluded.output_id, seen_at = excluded.seen_at",
                (attempt, output.number, output.url, output.text, output.label, output.id, self._now()),
            )

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

    def attempts(self, *, states: Sequence[str] = (), scene: str | None = None) -> list[Attempt]:
        """Return attempts, oldest first; of some states or of one scene alone when given."""
        terms, values = ["1"], list(states)
        if states:
            terms.append(f"state IN ({', '.join('?' * len(states))})")
        if scene is not None:
            terms.append("scene = ?")
            values.append(scene)
        cursor = self._db.execute(f"SELECT * FROM attempts WHERE {' AND '.join(terms)} ORDER BY id", values)
        return [_attempt(row) for row in cursor]

    def attempt(self, number: int) -> Attempt:
        return _attempt(self._db.execute("SELECT * FROM attempts WHERE id = ?", (number,)).fetchone())

    def outputs_of(self, attempt: int) -> list[SavedOutput]:
        rows = self._db.execute("SELECT * FROM outputs WHERE attempt = ? ORDER BY number", (attempt,))
        return [
            SavedOutput(
                output=Output(
                    number=r["number"], url=r["url"], text=r["text"], label=r["label"], id=r["output_id"]
                ),
                seen_at=r["seen_at"],
                asset=asset_from(json.loads(r["entry"])) if r["entry"] else None,
            )
            for r in rows
        ]

    def outputs_of_task(self, task_id: str) -> list[SavedOutput]:
        """Return what is known of a task's outputs, by the provider's id of it."""
        row = self._db.execute("SELECT id FROM attempts WHERE task_id = ? LIMIT 1", (task_id,)).fetchone()
        return self.outputs_of(row["id"]) if row else []

    def attempt_of_task(self, task_id: str) -> Attempt | None:
        row = self._db.execute("SELECT * FROM attempts WHERE task_id = ? LIMIT 1", (task_id,)).fetchone()
        return _attempt(row) if row else None

    def unsettled(self) -> bool:
        """Whether there is a held job of which no later balance is known."""
        found = "SELECT 1 FROM attempts WHERE state = 'held' AND balance_after IS NULL LIMIT 1"
        return self._db.execute(found).fetchone() is not None

    def balance_seen(self, balance: float) -> None:
        """Add a balance to held jobs that lack one: evidence for whoever decides."""
        if self.unsettled():
            with self._write("balance") as db:
                db.execute(
                    "UPDATE attempts SET balance_after = ?, ended_at = ? WHERE state = 'held' AND balance_after IS NULL",
                    (balance, self._now()),
                )

    def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        """Write down what the balance says of failed tasks: billed, or refunded."""
        with self._write("settle") as db:
            db.executemany(
                "UPDATE attempts SET billed = ? WHERE task_id = ?", [(billed, t) for t in task_ids]
            )

    def hold_unfinished(self, reason: str) -> int:
        """Turn intents of a run that died into held jobs.  Only for who holds the project's lock."""
        if not self.attempts(states=("intended",)):
            return 0
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
        run_id=row["run_id"],
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

    A damaged one is set aside and rebuilt from what can still be read of it and from the assets that `rebuild`
    gives, with a warning.  With `read_only` nothing of that touches the disk: what would be rebuilt is shown.
    `Invalid` for a journal of a newer kiebatch, which is left as it is.
    """
    if read_only and not path.exists():
        return _fresh(_connect(None), now=now, hook=hook, path=path)
    try:
        private_folder(path.parent)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            replace(ignore, "*\n", private=True)
        private_file(path)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        ready = path.with_name(f"{path.name}{_REBUILT}")
        if ready.exists():
            _swap(path, ready, path.with_name(f"{path.name}.damaged-{int(now())}"))
        return _open(path, now=now, hook=hook)
    except sqlite3.OperationalError as error:
        raise unwritable(path, OSError(str(error))) from None
    except sqlite3.DatabaseError as error:
        return _rebuilt(path, str(error), rebuild, now=now, hook=hook, read_only=read_only)


def _connect(path: Path | None, *, read_only: bool = False) -> sqlite3.Connection:
    where = ":memory:" if path is None else f"{path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
    connection = sqlite3.connect(where, isolation_level=None, timeout=30, uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _open(path: Path, *, now: Callable[[], float], hook: Hook) -> Journal:
    connection = _connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
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
        # WAL does not work on every network share; SQLite then keeps what it had.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            journal = _fresh(connection, now=now, hook=hook, path=path)
            sync_folder(path.parent)
            return journal
        migrate(connection, version, _MIGRATIONS)
        connection.execute("SELECT * FROM attempts LIMIT 1").fetchall()
    except BaseException:
        connection.close()
        raise
    return Journal(connection, now=now, hook=hook, path=path)


def migrate(connection: sqlite3.Connection, version: int, scripts: Mapping[int, str]) -> int:
    """Bring a journal up to date, one version at a time, each whole or not at all; return where it stands."""
    while version in scripts:
        connection.executescript(
            f"BEGIN IMMEDIATE; {scripts[version]}; PRAGMA user_version = {version + 1}; COMMIT;"
        )
        version += 1
    return version


def _fresh(connection: sqlite3.Connection, *, now: Callable[[], float], hook: Hook, path: Path) -> Journal:
    connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    return Journal(connection, now=now, hook=hook, path=path)


def _rebuilt(
    path: Path,
    damage: str,
    rebuild: Callable[[], Iterable[Asset]],
    *,
    now: Callable[[], float],
    hook: Hook,
    read_only: bool,
) -> Journal:
    """Set a damaged journal aside and begin a new one from what it still says and from what the manifest knows.

    The new one is made whole under another name before the damaged one is touched, so that a crash loses nothing.
    """
    tables, whole = _salvaged(path)
    aside = path.with_name(f"{path.name}.damaged-{int(now())}")
    ready = path.with_name(f"{path.name}{_REBUILT}")
    making = None if read_only else path.with_name(f"{path.name}.rebuilding")
    if making:
        making.unlink(missing_ok=True)
    hook("journal.rebuild:before")
    connection = _connect(making)
    _fresh(connection, now=now, hook=hook, path=path)
    _fill(connection, tables, rebuild(), now())
    if not whole:
        connection.execute(f"PRAGMA application_id = {_INCOMPLETE}")
    if making:
        connection.close()
        making.rename(ready)
        hook("journal.rebuild:after")
        _swap(path, ready, aside)
        journal = _open(path, now=now, hook=hook)
    else:
        journal = Journal(connection, now=now, hook=hook, path=path)
    kept = "" if read_only else f"; it is kept as {aside.name}"
    lost = (
        "all attempts could be read from it"
        if whole
        else "tasks that were in flight or held may be forgotten: look at kie.ai/logs before running again, and "
        "collect what you find there with `kiebatch generate --task-id T --model M`"
    )
    journal.warnings.append(f"the journal was damaged ({damage}){kept}; {lost}")
    return journal


def _swap(path: Path, ready: Path, aside: Path) -> None:
    """Put a rebuilt journal in the place of the damaged one; goes on where a crash ended it."""
    for ending in ("-wal", "-shm", ""):  # a new journal must never meet the old one's log
        leftover = path.with_name(path.name + ending)
        if leftover.exists():
            leftover.rename(aside.with_name(aside.name + ending))
    ready.rename(path)
    sync_folder(path.parent)


def _fill(
    db: sqlite3.Connection,
    tables: Mapping[str, Sequence[sqlite3.Row]],
    assets: Iterable[Asset],
    moment: float,
) -> None:
    db.execute("BEGIN")
    for table, rows in tables.items():
        for row in rows:
            names = row.keys()
            db.execute(
                f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                tuple(row),
            )
    known = {row["task_id"] for row in tables["attempts"]}
    for asset in assets:
        if asset.task_id and asset.fingerprint and asset.task_id not in known:
            known.add(asset.task_id)
            _remember(db, asset, moment)
    db.execute("COMMIT")


def _salvaged(path: Path) -> tuple[dict[str, list[sqlite3.Row]], bool]:
    """Return what can still be read of a damaged journal's attempts and outputs, and whether that is all."""
    tables: dict[str, list[sqlite3.Row]] = {"attempts": [], "outputs": []}
    try:
        with contextlib.closing(_connect(path, read_only=True)) as connection:
            for table, rows in tables.items():
                order = "id" if table == "attempts" else "attempt, number"
                for row in connection.execute(f"SELECT * FROM {table} NOT INDEXED ORDER BY {order}"):
                    Slot(*json.loads(row["slot"])) if table == "attempts" else None
                    rows.append(row)
            whole = connection.execute("SELECT count(*) FROM attempts NOT INDEXED").fetchone()[0]
            return tables, whole == len(tables["attempts"])
    except (sqlite3.Error, ValueError, TypeError, IndexError):
        return tables, False


def _remember(db: sqlite3.Connection, asset: Asset, moment: float) -> None:
    slot = Slot(asset.scene_id if asset.scene_id is not None else "?", asset.shot, None, asset.take)
    db.execute(
        "INSERT INTO attempts (run_id, slot, scene, model, family, fingerprint, state, job, task_id, credits,"
        " intended_at, recorded, billed) VALUES ('rebuilt', ?, ?, ?, '', ?, 'saved', '{}', ?, ?, ?, 1, 1)",
        (
            json.dumps([slot.scene, slot.shot, slot.model, slot.take]),
            str(slot.scene),
            asset.model,
            asset.fingerprint,
            asset.task_id,
            asset.credits,
            moment,
        ),
    )
