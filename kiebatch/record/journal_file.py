"""Opens the journal's file: made, migrated, found damaged and rebuilt, or found to be lost.

Three rules.  Unreadable is never missing: an empty or damaged file is set aside and rebuilt from what can still be
read.  A journal that is gone, or that was taken back to an earlier copy, is lost: what is in flight is not known, so
nothing is sent until a person decides.  A reader changes nothing on the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.files import shown, state_folder, sync_folder, unwritable
from kiebatch.model import Asset, Slot, stamp
from kiebatch.record import journal_mark, journal_schema
from kiebatch.record.database import Hook, connect, no_hook, read_rows
from kiebatch.record.journal_mark import Mark
from kiebatch.record.sqlite_journal import SqliteJournal
from kiebatch.workspace import Film

_REBUILT = ".rebuilt"
_LOST = 1  # the application id of a journal that does not know all that was sent

Assets = Callable[[], Iterable[Asset]]


def open_journal(
    path: Path,
    *,
    now: Callable[[], float],
    film: Film | None = None,
    hook: Hook = no_hook,
    rebuild: Assets = tuple,
    read_only: bool = False,
) -> SqliteJournal:
    """Open a project's journal for one film, making or migrating it.

    Without a `film` it is the folder `assets` beside the state folder.  `rebuild` gives the assets of the film's
    manifest.  A damaged file is set aside and rebuilt, with a warning; `lost` of the result says that not all
    that was sent is known.  With `read_only` nothing of that touches the disk: what would be is shown.  `Invalid` for a
    journal of a newer kiebatch, which is left as it is.
    """
    chosen = film or Film("assets", path.parent.parent)
    return _Opener(path, now=now, film=chosen, hook=hook, rebuild=rebuild, read_only=read_only).open()


class _Opener:
    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        film: Film,
        hook: Hook,
        rebuild: Assets,
        read_only: bool,
    ) -> None:
        self.path = path
        self.now = now
        self.film = film
        self.hook = hook
        self.rebuild = rebuild
        self.read_only = read_only
        self.mark = journal_mark.read(path)

    def open(self) -> SqliteJournal:
        if self.read_only:
            return self._look()
        self._make_folder()
        try:
            ready = self.path.with_name(f"{self.path.name}{_REBUILT}")
            if ready.exists():
                _swap(self.path, ready, self._aside())
            if not self.path.exists():
                return self._anew()
            journal = self._journal(self._opened(connect(self.path)))
        except sqlite3.OperationalError as error:
            raise unwritable(self.path, OSError(str(error))) from None
        except sqlite3.DatabaseError as error:
            return self._rebuilt(str(error))
        self._take_rows(journal)
        behind = self._behind(journal)
        if behind:
            _declare_lost(journal)
            self._write_mark(journal)
            journal.warnings.append(behind)
        return journal

    def _look(self) -> SqliteJournal:
        """Open for a reader: a file of today as it is, anything else as a copy in memory."""
        if not self.path.exists():
            journal = self._journal(_empty())
            if self.mark:
                self._fill_from_manifest(journal)
                _declare_lost(journal)
                journal.warnings.append(self._gone())
            return journal
        self._undo_what_a_killed_run_began()
        try:
            with contextlib.closing(connect(self.path, read_only=True)) as found:
                version = self._checked(found)
                if version == journal_schema.VERSION:
                    connection = connect(self.path)
                else:
                    connection = connect(None)
                    found.backup(connection)
                    journal_schema.migrate(connection, version)
            journal = self._journal(connection)
            self._take_rows(journal)
            behind = self._behind(journal)
            if behind:
                journal.warnings.append(behind)
        except sqlite3.OperationalError as error:
            raise unwritable(self.path, OSError(str(error))) from None
        except sqlite3.DatabaseError as error:
            return self._rebuilt(str(error))
        return journal

    def _undo_what_a_killed_run_began(self) -> None:
        """Let SQLite take back a transaction that a kill cut off: a connection that may not write cannot read past it."""
        begun = self.path.with_name(f"{self.path.name}-journal")
        if not begun.exists() or not begun.stat().st_size:
            return
        damage = (sqlite3.DatabaseError, UnicodeDecodeError)
        with contextlib.suppress(*damage), contextlib.closing(connect(self.path)) as found:
            found.execute("SELECT name FROM sqlite_master").fetchone()

    def _make_folder(self) -> None:
        state_folder(self.path.parent)

    def _aside(self) -> Path:
        return self.path.with_name(f"{self.path.name}.damaged-{int(self.now())}")

    def _checked(self, connection: sqlite3.Connection) -> int:
        """Return the version of a file that is whole.  `sqlite3.DatabaseError` where it is not."""
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > journal_schema.VERSION:
            raise Invalid(
                [
                    Problem(
                        where=Where(shown(self.path)),
                        message=f"the journal was written by a newer kiebatch (format {version}; this one knows "
                        f"{journal_schema.VERSION})",
                        hint="update kiebatch; nothing was changed",
                    )
                ]
            )
        damage = _found_damaged(connection)
        if damage:
            raise sqlite3.DatabaseError(damage)
        try:
            connection.execute("SELECT id FROM attempts LIMIT 1").fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # an empty file is damage, never a fresh journal
                raise sqlite3.DatabaseError("the file is empty") from None
            raise
        return version

    def _opened(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            version = self._checked(connection)
            _configure(connection)
            journal_schema.migrate(connection, version)
            journal_schema.complete(connection)
            connection.execute("SELECT film FROM attempts LIMIT 1").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def _journal(self, connection: sqlite3.Connection) -> SqliteJournal:
        journal = SqliteJournal(connection, now=self.now, film=self.film.name, hook=self.hook, path=self.path)
        if not self.read_only:
            journal.mark = lambda: self._write_mark(journal)
        return journal

    def _write_mark(self, journal: SqliteJournal) -> None:
        journal_mark.write(self.path, Mark(journal.uuid, journal.highest, self.now()))

    # -- a journal that is new, or lost

    def _anew(self) -> SqliteJournal:
        """Make a journal whole under another name and move it into place, so that no reader sees half of one."""
        making = self.path.with_name(f"{self.path.name}.making-{os.getpid()}")
        making.unlink(missing_ok=True)
        connection = connect(making)
        journal_schema.make(connection)
        lost = self.mark is not None
        if lost:
            _fill(connection, {}, self.rebuild(), self.film.name, self.now())
            connection.execute(f"PRAGMA application_id = {_LOST}")
        connection.close()
        making.chmod(0o600)
        if not self.path.exists():
            _set_aside(self.path, self._aside())
        try:
            os.link(making, self.path)
        except FileExistsError:  # another process made it meanwhile
            pass
        except OSError:
            os.replace(making, self.path)
        making.unlink(missing_ok=True)
        sync_folder(self.path.parent)
        journal = self._journal(_configure(connect(self.path)))
        if lost:
            journal.warnings.append(self._gone())
        self._write_mark(journal)
        return journal

    def _gone(self) -> str:
        assert self.mark is not None
        return f"{shown(self.path)} is gone, and {self._since(self.mark)}"

    def _since(self, mark: Mark) -> str:
        when = f" since {stamp(mark.written_at)}" if mark.written_at else ""
        return f"tasks that were submitted{when} are not known here any more: look for them at kie.ai/logs"

    def _behind(self, journal: SqliteJournal) -> str:
        """Say how the journal differs from what its mark says of it; nothing when it fits."""
        mark = self.mark
        if mark is None:
            return ""
        if mark.journal != journal.uuid:
            return f"{shown(self.path)} is not the journal that was here before, and {self._since(mark)}"
        if journal.highest < mark.attempts:
            return (
                f"{shown(self.path)} was taken back to an earlier copy (it ends at attempt {journal.highest}, "
                f"and {mark.attempts} were made), and {self._since(mark)}"
            )
        return ""

    # -- films

    def _take_rows(self, journal: SqliteJournal) -> None:
        """Give films the rows of a journal of 0.1, and this one those of a folder that was renamed."""
        db, film = journal.database.connection, self.film
        self._name_rows(db)
        found = read_rows(db, "SELECT DISTINCT film FROM attempts WHERE film IS NOT NULL")
        films = {row["film"] for row in found}
        if film.name in films or len(films) != 1:
            return
        (other,) = films
        if not os.path.exists(film.root / other):  # a name that no file can have is not there
            db.execute("UPDATE attempts SET film = ? WHERE film = ?", (film.name, other))

    def _name_rows(self, db: sqlite3.Connection) -> None:
        """Give each row of 0.1, which knew of one film, to the film whose manifest has its task."""
        unnamed = read_rows(db, "SELECT id, task_id FROM attempts WHERE film IS NULL")
        if not unnamed:
            return
        film = self.film
        others = self._tasks_of_other_films() if film.default else {}
        owners = {**others, **{a.task_id: film.name for a in self.rebuild() if a.task_id}}
        for row in unnamed:
            owner = owners.get(row["task_id"], film.name if film.default else None)
            if owner is not None:
                db.execute("UPDATE attempts SET film = ? WHERE id = ?", (owner, row["id"]))

    def _tasks_of_other_films(self) -> dict[str, str]:
        """Return task id -> film for the other assets folders of the project."""
        found = {}
        for path in self.film.root.glob("*/manifest.json"):
            name = path.parent.name
            if name == self.film.name or not path.is_file():
                continue
            with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
                for entry in json.loads(path.read_text(encoding="utf-8")).get("assets", ()):
                    if entry.get("task_id"):
                        found[str(entry["task_id"])] = name
        return found

    # -- damage

    def _fill_from_manifest(self, journal: SqliteJournal) -> None:
        _fill(journal.database.connection, {}, self.rebuild(), self.film.name, self.now())

    def _rebuilt(self, damage: str) -> SqliteJournal:
        """Set a damaged journal aside and begin a new one from what it still says and from the manifest.

        The new one is made whole under another name before the damaged one is touched, so that a crash loses nothing.
        """
        tables, whole = _salvaged(self.path)
        if self.mark and whole:
            whole = max((row["id"] for row in tables["attempts"]), default=0) >= self.mark.attempts
        aside = self._aside()
        ready = self.path.with_name(f"{self.path.name}{_REBUILT}")
        making = None if self.read_only else self.path.with_name(f"{self.path.name}.rebuilding")
        if making:
            making.unlink(missing_ok=True)
        self.hook("journal.rebuild:before")
        connection = connect(making)
        journal_schema.make(connection)
        taken = _fill(connection, tables, self.rebuild(), self.film.name, self.now())
        whole = whole and taken
        if not whole:
            connection.execute(f"PRAGMA application_id = {_LOST}")
        if making:
            connection.close()
            making.chmod(0o600)
            making.rename(ready)
            self.hook("journal.rebuild:after")
            _swap(self.path, ready, aside)
            journal = self._journal(_configure(connect(self.path)))
            self._take_rows(journal)
            self._write_mark(journal)
        else:
            journal = self._journal(connection)
        kept = "" if self.read_only else f"; it is kept as {aside.name}"
        lost = (
            "all attempts could be read from it"
            if whole
            else "tasks that were in flight or held may be forgotten: look at kie.ai/logs, and collect what you find "
            "there with `kiebatch generate --task-id T --model M`"
        )
        journal.warnings.append(f"the journal was damaged ({damage}){kept}; {lost}")
        return journal


def _found_damaged(connection: sqlite3.Connection) -> str:
    """Return what SQLite says of the first damage in a file; nothing where it is whole."""
    connection.text_factory = bytes  # it quotes names, which may be damaged, too
    try:
        said: bytes = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except UnicodeDecodeError:  # what Python cannot turn into an error's message
        return "the names of its tables and columns cannot be read"
    finally:
        connection.text_factory = str
    return "" if said == b"ok" else said.decode("utf-8", "replace")


def _configure(connection: sqlite3.Connection) -> sqlite3.Connection:
    # TRUNCATE keeps everything that was committed in the one file, so that a copy of it is enough (a CI cache that
    # takes `*.sqlite` lost the write-ahead log, and four paid jobs with it), and it works on network shares.
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _empty() -> sqlite3.Connection:
    connection = connect(None)
    journal_schema.make(connection)
    return connection


def _declare_lost(journal: SqliteJournal) -> None:
    journal.database.connection.execute(f"PRAGMA application_id = {_LOST}")


def _swap(path: Path, ready: Path, aside: Path) -> None:
    """Put a rebuilt journal in the place of the damaged one; goes on where a crash ended it."""
    _set_aside(path, aside)
    ready.rename(path)
    sync_folder(path.parent)


def _set_aside(path: Path, aside: Path) -> None:
    """Move a journal away, its log first: SQLite would write the old one's log into a new journal of its name."""
    for ending in ("-wal", "-shm", "-journal", ""):
        leftover = path.with_name(path.name + ending)
        if leftover.exists():
            leftover.rename(aside.with_name(aside.name + ending))


def _fill(
    db: sqlite3.Connection,
    tables: Mapping[str, Sequence[sqlite3.Row]],
    assets: Iterable[Asset],
    film: str,
    moment: float,
) -> bool:
    """Fill a new journal with rows of a damaged one, and with what the manifest knows; False where a row is not taken whole."""
    taken: list[bool] = []
    db.execute("BEGIN")
    for table, rows in tables.items():
        columns = {column["name"] for column in db.execute(f"PRAGMA table_info({table})")}
        taken += [_take(db, table, columns, row) for row in rows]
    known = {row["task_id"] for row in db.execute("SELECT task_id FROM attempts")}
    for asset in assets:
        if asset.task_id and asset.fingerprint and asset.task_id not in known:
            known.add(asset.task_id)
            _remember(db, asset, film, moment)
    db.execute("COMMIT")
    return all(taken)


def _take(db: sqlite3.Connection, table: str, columns: Container[str], row: sqlite3.Row) -> bool:
    """Write a row of a damaged journal; False where it is there, or has a column that this version lacks."""
    told = row.keys()
    names = [name for name in told if name in columns]
    put = db.execute(
        f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        tuple(row[name] for name in names),
    )
    return put.rowcount == 1 and len(names) == len(told)


def _salvaged(path: Path) -> tuple[dict[str, list[sqlite3.Row]], bool]:
    """Return what can still be read of a damaged journal's attempts and outputs, and whether that is all."""
    tables: dict[str, list[sqlite3.Row]] = {"attempts": [], "outputs": []}
    try:
        with contextlib.closing(connect(path, read_only=True)) as connection:
            for table, rows in tables.items():
                order = "id" if table == "attempts" else "attempt, number"
                for row in connection.execute(f"SELECT * FROM {table} NOT INDEXED ORDER BY {order}"):
                    Slot(*json.loads(row["slot"])) if table == "attempts" else None
                    rows.append(row)
            whole = connection.execute("SELECT count(*) FROM attempts NOT INDEXED").fetchone()[0]
            return tables, whole == len(tables["attempts"])
    except (sqlite3.Error, ValueError, TypeError, LookupError):
        return tables, False


def _remember(db: sqlite3.Connection, asset: Asset, film: str, moment: float) -> None:
    slot = Slot(asset.scene_id if asset.scene_id is not None else "?", asset.shot, None, asset.take)
    db.execute(
        "INSERT INTO attempts (run_id, film, slot, scene, model, family, fingerprint, take, state, job, task_id, credits,"
        " intended_at, recorded, billed) VALUES ('rebuilt', ?, ?, ?, ?, '', ?, ?, 'saved', '{}', ?, ?, ?, 1, 1)",
        (
            film,
            json.dumps([slot.scene, slot.shot, slot.model, slot.take]),
            str(slot.scene),
            asset.model,
            asset.fingerprint,
            asset.take,
            asset.task_id,
            asset.credits,
            moment,
        ),
    )
