"""What this machine has learnt and may forget: digests of files, uploads, durations, balances, plans that were spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kiebatch._dataclass import dataclass
from kiebatch.record import journal_schema
from kiebatch.record.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an account held at a moment between `asked_at` and `at`, as a run was told.  `account` is a digest."""

    asked_at: float
    at: float
    balance: float
    account: str
    run_id: str


class Notebook:
    """The local half of a journal's file.  Always on this machine, also where the ledger is shared."""

    def __init__(self, database: Database, *, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    def upload(self, sha256: str, host: str, *, max_age_s: float) -> str | None:
        """Return the link of a content that was uploaded to `host` less than `max_age_s` ago."""
        row = self._database.connection.execute(
            "SELECT url FROM uploads WHERE sha256 = ? AND host = ? AND uploaded_at > ?",
            (sha256, host, self._now() - max_age_s),
        ).fetchone()
        return str(row["url"]) if row else None

    def uploaded(self, sha256: str, host: str, url: str) -> None:
        with self._database.write("uploaded") as db:
            db.execute(
                "INSERT OR REPLACE INTO uploads (sha256, host, url, uploaded_at) VALUES (?, ?, ?, ?)",
                (sha256, host, url, self._now()),
            )

    def forget_upload(self, url: str) -> None:
        with self._database.write("forget_upload") as db:
            db.execute("DELETE FROM uploads WHERE url = ?", (url,))

    def digests(self) -> dict[str, tuple[int, int, int, str]]:
        """Return what is known of files: path -> size, mtime in ns, inode, sha256."""
        rows = self._database.connection.execute("SELECT path, size, mtime_ns, inode, sha256 FROM digests")
        return {r["path"]: (r["size"], r["mtime_ns"], r["inode"], r["sha256"]) for r in rows}

    def remember_digests(self, found: Mapping[str, tuple[int, int, int, str]]) -> None:
        if found:
            with self._database.write("digests") as db:
                db.executemany(
                    "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)",
                    [(p, *v) for p, v in found.items()],
                )

    def took(self, model: str, seconds: float) -> None:
        """Learn how long a model took."""
        with self._database.write("took") as db:
            db.execute("INSERT INTO durations VALUES (?, ?, ?)", (model, seconds, self._now()))

    def durations(self, model: str, limit: int = 64) -> list[float]:
        """Return how long the model's latest tasks took, in seconds, ascending."""
        rows = self._database.connection.execute(
            "SELECT seconds FROM durations WHERE model = ? ORDER BY rowid DESC LIMIT ?", (model, limit)
        )
        return sorted(float(r["seconds"]) for r in rows)

    def balance_read(self, balance: float, *, asked_at: float, account: str, run_id: str) -> None:
        """Write down what the account held."""
        with self._database.write("balance_read") as db:
            db.execute(
                "INSERT INTO balances VALUES (?, ?, ?, ?, ?)",
                (asked_at, self._now(), balance, account, run_id),
            )

    def balances(self) -> list[Reading]:
        """Return every reading of a balance, in the order in which they were written."""
        db = self._database.connection
        if not journal_schema.has_table(db, "balances"):
            return []
        return [Reading(**row) for row in db.execute("SELECT * FROM balances ORDER BY rowid")]

    def said_cost(self, attempt: int, credits: float) -> None:
        """Write down what a task's own record says that it cost."""
        with self._database.write("said_cost") as db:
            db.execute("INSERT OR REPLACE INTO said_costs VALUES (?, ?)", (attempt, credits))

    def said_costs(self) -> dict[int, float]:
        """Return what the records of tasks said that they cost, by attempt; silent ones are not in it."""
        db = self._database.connection
        if not journal_schema.has_table(db, "said_costs"):
            return {}
        return {row["attempt"]: row["credits"] for row in db.execute("SELECT * FROM said_costs")}

    def spend_plan(self, digest: str) -> bool:
        """Mark a saved plan as carried out; False when it already was."""
        with self._database.write("plan") as db:
            done = db.execute("INSERT OR IGNORE INTO plans VALUES (?, ?)", (digest, self._now()))
        return done.rowcount == 1
