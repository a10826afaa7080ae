"""The journal: what it keeps, what it survives, and any order of crash, resume, resolve and rerun."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bench import lives
from kiebatch.errors import Invalid, Refused
from kiebatch.model import Output, Slot
from kiebatch.record import Claimed, Intent, Key, SqliteJournal, Taken, journal_schema, open_journal
from kiebatch.record.journal_mark import path_of
from support import rights
from support.any_order import FILM, AnyOrder
from support.records import an_asset


def opened(path: Path, **options: object) -> SqliteJournal:
    return open_journal(path, now=lambda: 1000.0, **options)  # type: ignore[arg-type]


def intended(journal: SqliteJournal, scene: int = 1) -> int:
    claimed = journal.claim(
        Intent(
            run_id="r",
            slot=Slot(scene),
            key=Key(f"sha256:{scene}"),
            model="z-image",
            family="jobs",
            job={"prompt": "x"},
            credits=4,
        )
    )
    assert isinstance(claimed, Claimed)
    return claimed.attempt


def test_an_intent_of_a_run_that_died_is_held(tmp_path: Path) -> None:
    with opened(tmp_path / "j") as journal:
        intended(journal)

    with opened(tmp_path / "j") as journal:
        journal.hold_unfinished("it died")
        (attempt,) = journal.attempts()

    assert (attempt.state, attempt.message) == ("held", "it died")


def test_a_copy_from_before_the_last_intent_is_found_to_be_one(tmp_path: Path) -> None:
    path, kept = tmp_path / "journal.sqlite", tmp_path / "kept"
    with opened(path) as journal:
        intended(journal, 1)
        shutil.copy(path, kept)
        intended(journal, 2)
        mark = path_of(path).read_bytes()  # as a process leaves it that is killed now
    shutil.copy(kept, path)
    path_of(path).write_bytes(mark)

    with opened(path) as journal:
        assert journal.incomplete


def test_a_claim_is_answered_by_what_was_saved_since_the_decision(tmp_path: Path) -> None:
    intent = Intent(
        run_id="r",
        slot=Slot(1),
        key=Key("sha256:1"),
        model="z-image",
        family="jobs",
        job={"prompt": "x"},
        credits=4,
        seen=0,
    )
    with opened(tmp_path / "j") as journal:
        attempt = intended(journal)
        journal.submitted(attempt, "t")
        journal.saved(attempt)

        late = journal.claim(intent)
        again = journal.claim(replace(intent, seen=attempt))

    assert isinstance(late, Taken)
    assert late.by.id == attempt
    assert isinstance(again, Claimed)
    assert again.edition == 1


def test_outputs_of_an_answer_are_written_with_the_task_id(tmp_path: Path) -> None:
    with opened(tmp_path / "j") as journal:
        attempt = intended(journal)
        journal.submitted(attempt, "t", [Output(number=1, text="words that nobody can ask for again")])

        assert [s.output.text for s in journal.outputs_of_task("t")] == [
            "words that nobody can ask for again"
        ]


def test_a_journal_of_a_newer_kiebatch_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    opened(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    before = path.read_bytes()

    with pytest.raises(Invalid, match="newer kiebatch"):
        opened(path)

    assert path.read_bytes() == before


def test_a_migration_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "j", isolation_level=None)
    raw.execute("CREATE TABLE films (name TEXT)")
    raw.execute("PRAGMA user_version = 1")

    def add_a_year(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE films ADD year INTEGER")

    def add_scenes(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE scenes (id)")

    def half(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (id)")
        db.execute("CREATE TABLE films (name)")

    assert journal_schema.migrate(raw, 1, {1: add_a_year, 2: add_scenes}) == 3
    assert raw.execute("PRAGMA user_version").fetchone() == (3,)

    with pytest.raises(sqlite3.Error):
        journal_schema.migrate(raw, 3, {3: half})
    assert raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    assert raw.execute("PRAGMA user_version").fetchone() == (3,)
    raw.close()


def _no_database(path: Path) -> None:
    path.write_bytes(b"this was a journal once" * 400)


def _one_bad_page(path: Path) -> None:
    """Damage a page of the index on states: the attempts themselves can still be read."""
    with sqlite3.connect(path) as raw:
        page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'attempts_by_state'").fetchone()[
            0
        ]
        size = raw.execute("PRAGMA page_size").fetchone()[0]
    raw.close()
    with path.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\xff" * 64)


@pytest.mark.parametrize(("damage", "whole"), [(_no_database, False), (_one_bad_page, True)])
def test_a_damaged_journal_is_set_aside_and_rebuilt_with_a_warning(
    tmp_path: Path, damage: Callable[[Path], None], whole: bool
) -> None:
    path = tmp_path / "journal.sqlite"
    with opened(path) as journal:
        journal.submitted(intended(journal), "paid-for")
    damage(path)
    damaged = path.read_bytes()

    with opened(path, rebuild=lambda: [an_asset(2, task_id="recorded")]) as journal:
        states = {a.task_id: a.state for a in journal.attempts()}
        assert journal.incomplete is not whole
        assert "damaged" in journal.warnings[0]

    assert states == ({"paid-for": "submitted", "recorded": "saved"} if whole else {"recorded": "saved"})
    assert (tmp_path / "journal.sqlite.damaged-1000").read_bytes() == damaged
    with opened(path) as journal:
        assert journal.warnings == []


def _another_name(path: Path) -> None:
    _one_bad_page(path)
    path.write_bytes(path.read_bytes().replace(b"may_resubmit", b"may_resuRmit"))


def _no_name(path: Path) -> None:
    """Damage a column's value and its name, so that what SQLite says of it is no text."""
    for change in (
        "UPDATE sqlite_master SET sql = replace(sql, 'model TEXT NOT NULL', 'model TEXT') WHERE name = 'attempts'",
        "UPDATE attempts SET model = NULL",
        "UPDATE sqlite_master SET sql = replace(sql, 'model TEXT', CAST(x'6dff' AS TEXT) || ' TEXT NOT NULL')"
        " WHERE name = 'attempts'",
    ):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.execute("PRAGMA writable_schema = ON")
            raw.execute(change)


def _no_text(path: Path) -> None:
    """Damage what SQLite quotes when it says that it cannot read the tables."""
    path.write_bytes(
        path.read_bytes().replace(b"CREATE INDEX attempts_by_key", b"CREATE \xffNDEX attempts_by_key")
    )


@pytest.mark.parametrize("damage", [_another_name, _no_name, _no_text])
@pytest.mark.parametrize("read_only", [False, True])
def test_names_that_were_damaged_too_end_in_a_rebuilt_journal(
    tmp_path: Path, damage: Callable[[Path], None], read_only: bool
) -> None:
    path = tmp_path / "journal.sqlite"
    with opened(path) as journal:
        journal.submitted(intended(journal), "paid-for")
    damage(path)

    with opened(path, read_only=read_only) as journal:
        assert "damaged" in journal.warnings[0]
        assert journal.incomplete or [a.task_id for a in journal.attempts()] == ["paid-for"]


def test_an_attempt_whose_job_is_none_is_said_and_not_guessed_about(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with opened(path) as journal:
        intended(journal)
        journal.database.connection.execute("UPDATE attempts SET job = '[1]'")

        with pytest.raises(Invalid, match="cannot be read: its job is not an object"):
            journal.attempts()


@pytest.mark.parametrize(
    "entry",
    ["[1]", "{", '{"id": 7}', '{"id": "img-001", "type": "image", "filename": "a.png", "version": "two"}'],
)
def test_an_output_whose_entry_is_none_is_said_and_not_guessed_about(tmp_path: Path, entry: str) -> None:
    with opened(tmp_path / "journal.sqlite") as journal:
        journal.submitted(intended(journal), "t", [Output(number=1, url="https://media.example/a.png")])
        journal.database.connection.execute("UPDATE outputs SET entry = ?", (entry,))

        with pytest.raises(Invalid, match="output 1 of the journal's attempt 1 cannot be read"):
            journal.outputs_of_task("t")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE attempts SET fingerprint = CAST(x'73ff61' AS TEXT)",
        "UPDATE attempts SET slot = CAST(x'5b32ff5d' AS TEXT)",
        "UPDATE about SET value = CAST(x'ff' AS TEXT)",
        "ALTER TABLE attempts RENAME COLUMN billed TO b1lled",
        "ALTER TABLE about RENAME COLUMN value TO valu3",
    ],
)
def test_what_nobody_of_ours_writes_refuses_the_journal_and_says_the_way_out(
    tmp_path: Path, change: str
) -> None:
    path = tmp_path / "journal.sqlite"
    with opened(path) as journal:
        journal.submitted(intended(journal), "paid-for")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute(change)

    with pytest.raises(Invalid, match="cannot be read") as refused, opened(path) as journal:
        journal.attempts()

    assert "kie.ai/logs" in refused.value.hint


def test_a_damaged_journal_that_is_only_looked_at_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    _no_database(path)
    before = path.read_bytes()

    with opened(path, read_only=True, rebuild=lambda: [an_asset(2)]) as journal:
        assert len(journal.attempts()) == 1
        assert journal.warnings

    assert path.read_bytes() == before


def test_a_rebuilding_that_a_crash_cut_off_is_finished_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with opened(path) as journal:
        journal.submitted(intended(journal), "paid-for")
    _one_bad_page(path)

    def dies(point: str) -> None:
        if point == "journal.rebuild:after":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(path, hook=dies)
    with opened(path) as journal:
        assert [a.task_id for a in journal.attempts()] == ["paid-for"]


def test_a_journal_in_whose_writing_a_run_was_killed_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with opened(path) as journal:
        journal.submitted(intended(journal), "paid-for")
    begun = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN IMMEDIATE');"
        "db.execute('CREATE TABLE big AS SELECT randomblob(200000) AS b');"
        "db.execute('UPDATE attempts SET task_id = NULL'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", begun, str(path)], check=False)
    assert path.with_name("journal.sqlite-journal").stat().st_size

    with opened(path, read_only=True) as journal:
        assert [a.task_id for a in journal.attempts()] == ["paid-for"]


def test_a_full_disk_is_said_in_words_and_the_journal_goes_on_afterwards(tmp_path: Path) -> None:
    with opened(tmp_path / "j") as journal:
        journal.database.connection.execute(
            f"PRAGMA max_page_count = {journal.database.connection.execute('PRAGMA page_count').fetchone()[0]}"
        )
        with pytest.raises(Refused, match="full"):
            [intended(journal, number) for number in range(500)]
        journal.database.connection.execute("PRAGMA max_page_count = 100000")

        attempt = intended(journal, 7777)

        assert journal.attempt(attempt).state == "intended"


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with rights.of_an_ordinary_user(), pytest.raises(Refused, match="cannot write"):
        opened(tmp_path / "state" / "journal.sqlite")
    tmp_path.chmod(0o700)


# --- any order of things ------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _film() -> None:
    with tempfile.TemporaryDirectory() as folder:
        AnyOrder.film = lives.Film.read(Path(folder), FILM, remade=["From the boat"])


AnyOrder.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
TestAnyOrder = AnyOrder.TestCase


@pytest.mark.slow
class TestAnyOrderForLong(AnyOrder.TestCase):  # type: ignore[valid-type,misc]
    settings = settings(
        max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
