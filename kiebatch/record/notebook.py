"""What this machine has learnt and may forget: digests of files, uploads, durations, plans that were spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kiebatch.record.database import Database


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

    def spend_plan(self, digest: str) -> bool:
        """Mark a saved plan as carried out; False when it already was."""
        with self._database.write("plan") as db:
            done = db.execute("INSERT OR IGNORE INTO plans VALUES (?, ?)", (digest, self._now()))
        return done.rowcount == 1
