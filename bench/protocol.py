"""What the explorer walks over: the film in its versions, states, and the product's own parts asked as pure questions."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from kiebatch.model import Asset, Attempt, Job, Project, Scene, Shot, Slot, fingerprint, job_record
from kiebatch.planning import Facts, Plan, Selection
from kiebatch.planning.contents import Wanted
from kiebatch.planning.planner import Planner
from kiebatch.project import Found
from kiebatch.record import Key, ManifestWriter, SqliteJournal, journal_schema, manifest
from kiebatch.record.database import connect
from kiebatch.record.ledger import Claimed, Intent, Taken


class Without(StrEnum):
    """A guard that is taken out: the walk must then find a violation."""

    CLAIM = "claim"  # an intent is written whatever is on its way
    MARK = "mark"  # a journal that is gone or was taken back looks like a fresh one
    CONTENT = "content"  # a slot is known by its name alone
    FORCED = "forced"  # an open forced attempt does not satisfy `--force`
    INTENT = "intent"  # what was about to be sent is forgotten by a crash
    SEEN = "seen"  # a claim passes over what was saved since the decision


# --- the film, in every version that a person may write ---------------------------------------------------


def job_for(scene: int, words: str) -> Job:
    return Job(
        slot=Slot(scene, None),
        model="m",
        asked="m",
        family="jobs",
        endpoint="/api/v1/jobs/createTask",
        modality="image",
        prompt=words,
        input={"prompt": words},
        authored={"prompt": words},
        words=("prompt",),
    )


def _project(scenes: dict[int, str], moved: dict[str, str] | None = None) -> Project:
    return Project(
        file="scenes.yaml",
        moved=moved or {},
        scenes=tuple(
            Scene(id=number, shots=(Shot(id=None, jobs=(job_for(number, words),)),))
            for number, words in scenes.items()
        ),
    )


def versions(jobs: int) -> tuple[Project, ...]:
    """Return the film as it is first, renamed with a line and without, with other words, and with two scenes swapped."""
    rest = {number: chr(ord("a") + number - 1) for number in range(2, jobs + 1)}
    found = (
        _project({1: "a", **rest}),
        _project({10: "a", **rest}, {"1": "10"}),
        _project({10: "a", **rest}),
        _project({1: "z", **rest}),
    )
    return (*found, _project({**rest, 1: "b", 2: "a"})) if jobs > 1 else found


def content_of(job: Job) -> str:
    return fingerprint(job, str)


# --- states --------------------------------------------------------------------------------------------


class Phase(IntEnum):
    """What the next step of a job is."""

    DECIDE = 0
    CLAIM = 1
    SEND = 2
    ANSWER = 3  # the provider took it, and the answer is on its way
    UNSURE = 4  # the answer was lost
    COLLECT = 5
    ENTER = 6


class Kept:
    """A large value that is there once, so that comparing and hashing it costs nothing."""

    __slots__ = ("number", "value")

    def __init__(self, value: Any, number: int) -> None:
        self.value = value
        self.number = number

    def __lt__(self, other: Kept) -> bool:
        return self.number < other.number


class Work(NamedTuple):
    """How far one job of one process has come."""

    scene: int
    phase: Phase
    forced: bool = False
    attempt: int = 0
    task: int = 0
    seen: int = 0
    behind: bool = False


class Process(NamedTuple):
    film: int  # the version of the film that it has read
    known: Kept  # the manifest as it was when it began
    works: tuple[Work, ...]


class Book(NamedTuple):
    """The journal's file: its rows, its identity, and whether it was declared lost."""

    rows: Kept
    uuid: int = 0
    lost: bool = False


class Charge(NamedTuple):
    content: str
    twin: int


class State(NamedTuple):
    manifest: Kept
    film: int = 0
    book: Book | None = None
    mark: tuple[int, int] | None = None
    copy: Book | None = None
    charges: tuple[Charge, ...] = ()
    words: tuple[str, ...] = ()  # contents that a person said to send again, sorted
    processes: tuple[Process, ...] = ()
    runs: int = 0
    troubles: int = 0


class Step(NamedTuple):
    name: str
    after: State


# --- the real parts --------------------------------------------------------------------------------------


class _NamesOnly(Planner):
    """A planner that knows a result by its slot's name alone."""

    def _elsewhere(self, job: Job, want: Wanted) -> Found | None:
        return None


@dataclass
class Parts:
    """The product's own journal, writer and planner, on values; equal questions are asked once."""

    films: tuple[Project, ...]
    folder: Path
    without: Without | None = None
    _journal: SqliteJournal = field(init=False)
    _kept: dict[Any, Kept] = field(default_factory=dict)

    def __post_init__(self) -> None:
        connection = connect(None)
        journal_schema.make(connection)
        connection.execute("PRAGMA synchronous = OFF")
        self._journal = SqliteJournal(connection, now=lambda: 0.0)
        self.write = functools.cache(self._write)
        self.claim = functools.cache(self._claim)
        self.attempts = functools.cache(self._attempts)
        self.plan = functools.cache(self._plan)
        self.enter = functools.cache(self._enter)
        self.recorded = functools.cache(self._recorded)
        self.doubled = functools.cache(self._doubled)

    def keep(self, value: Any) -> Kept:
        found = self._kept.get(value)
        return found or self._kept.setdefault(value, Kept(value, len(self._kept)))

    def job(self, film: int, scene: int) -> Job:
        return next(job for job in self.films[film].jobs if job.slot.scene == scene)

    # -- the journal

    def _load(self, rows: Kept) -> SqliteJournal:
        db = self._journal.database.connection
        db.execute("DELETE FROM attempts")
        if rows.value:
            places = ", ".join("?" * len(rows.value[0]))
            db.executemany(f"INSERT INTO attempts VALUES ({places})", rows.value)
        return self._journal

    def _rows(self) -> Kept:
        found = self._journal.database.connection.execute("SELECT * FROM attempts ORDER BY id")
        return self.keep(tuple(tuple(row) for row in found))

    def _write(self, rows: Kept, what: str, *args: Any) -> Kept:
        getattr(self._load(rows), what)(*args)
        return self._rows()

    def forget_intents(self, rows: Kept) -> Kept:
        self._load(rows).database.connection.execute("DELETE FROM attempts WHERE state = 'intended'")
        return self._rows()

    def _claim(
        self, rows: Kept, film: int, scene: int, forced: bool, seen: int
    ) -> tuple[Kept, Claimed | Taken]:
        job = self.job(film, scene)
        intent = Intent(
            run_id="run",
            slot=job.slot,
            key=Key(content_of(job)),
            model=job.model,
            family=job.family,
            job=job_record(job, ()),
            credits=1.0,
            seen=None if self.without is Without.SEEN else seen,
        )
        blind = self.without is Without.CLAIM or (forced and self.without is Without.FORCED)
        if not blind:
            claimed = self._load(rows).claim(intent)
            return self._rows(), claimed
        alone = self._load(self.keep(())).claim(intent)
        assert isinstance(alone, Claimed)
        number = max((row[0] for row in rows.value), default=0) + 1
        (row,) = self._rows().value
        return self.keep((*rows.value, (number, *row[1:]))), replace(alone, attempt=number)

    def _attempts(self, rows: Kept) -> tuple[Attempt, ...]:
        return tuple(self._load(rows).attempts())

    # -- the manifest

    def _enter(
        self, known: Kept, on_disk: Kept, rows: Kept, attempt: int, scene: int, film: int, behind: bool
    ) -> Kept:
        """Enter an attempt's asset as a run does that read the manifest when it was `known`; return the new text."""
        path = self.folder / "manifest.json"
        self._put(path, known.value)
        writer = ManifestWriter(path, lock=self.folder / "lock", now=lambda: 0.0)
        self._put(path, on_disk.value)
        planned = self.plan(film, known, self.keep(()), False)
        if planned.assignment:
            writer.displace(planned.assignment.displaced())
        made = _asset(next(a for a in self.attempts(rows) if a.id == attempt), scene)
        line = [a for a in writer.manifest.assets if a.current and a.scene_id == scene]
        writer.enter([made], line, attempt, slot=Slot(scene, None), behind=behind)
        writer.flush(force=True)
        return self.keep(path.read_text(encoding="utf-8"))

    def _put(self, path: Path, text: str) -> None:
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)

    def read(self, text: Kept) -> manifest.Manifest:
        return manifest.parse(text.value, "manifest.json") if text.value else manifest.Manifest()

    def _recorded(self, text: Kept) -> frozenset[str]:
        return frozenset(a.task_id for a in self.read(text).assets if a.task_id)

    def _doubled(self, text: Kept) -> str:
        """Return a slot that has two current versions, or nothing."""
        seen = Counter((a.scene_id, a.take, a.output) for a in self.read(text).assets if a.current)
        return next((str(where[0]) for where, count in seen.items() if count > 1), "")

    # -- the plan

    def _plan(self, film: int, text: Kept, rows: Kept, forced: bool) -> Plan:
        record = self.read(text)
        attempts = self.attempts(rows)
        if forced and self.without is Without.FORCED:
            attempts = tuple(a for a in attempts if not a.open)
        facts = Facts(
            digests={a.filename: a.sha256 for a in record.assets},
            attempts=attempts,
            intact=lambda _asset: True,
        )
        planner = _NamesOnly if self.without is Without.CONTENT else Planner
        return planner(self.films[film], record, facts, Selection(force=forced)).plan()


def _asset(attempt: Attempt, scene: int) -> Asset:
    words = str(attempt.job["prompt"])
    return Asset(
        id="",
        type="image",
        filename=f"assets/images/{attempt.task_id}.png",
        prompt=words,
        model="m",
        parameters={"input": {"prompt": words}},
        created_at="2026-01-01T00:00:00.000Z",
        scene_id=scene,
        task_id=attempt.task_id,
        fingerprint=attempt.fingerprint,
        sha256=attempt.task_id,
    )
