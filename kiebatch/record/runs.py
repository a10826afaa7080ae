"""Run records: one file per run in `.kiebatch/runs/`, a line for each thing that happened, and an index beside them.

Local: names and machines never go to git by themselves.  A file is only appended to, so that a run that was killed
leaves what it had done.  The index has a line per run; of two lines with one id the later one holds, and a file that
the index lacks is read.  Nothing here knows the network: who writes it cuts secrets first.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from kiebatch import files
from kiebatch.errors import Invalid, did_you_mean
from kiebatch.model import JSON, as_list, as_mapping, as_text

FORMAT = 1
INDEX = "index.jsonl"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RunStatus(StrEnum):
    """How a run ended, in the words of `run --json`; `unfinished` for one that was killed or is still at work."""

    SUCCESS = "success"
    FAILED = "failed"
    HELD = "held"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    INVALID = "invalid"
    ERROR = "error"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run was and what it came to: a line of the index.  Times are ISO 8601 in UTC, credits as charged.

    `saved` are the credits of results that were there already, in a cache or an older version.
    """

    id: str
    started_at: str
    ended_at: str = ""
    status: RunStatus = RunStatus.UNFINISHED
    command: str = ""
    by: str = ""
    machine: str = ""
    film: str = ""  # the scene file's name
    assets: str = ""  # the assets folder, as the manifest's parent knows it
    commit: str = ""
    draft: bool = False
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()  # of the jobs that it sent or brought home
    counts: Mapping[str, int] = field(default_factory=dict)
    estimated: float = 0.0
    spent: float = 0.0
    billed_for_failures: float = 0.0
    saved: float = 0.0
    reason: str = ""  # why it stopped

    def as_json(self) -> dict[str, JSON]:
        return {
            **asdict(self),
            "status": str(self.status),
            "tags": list(self.tags),
            "models": list(self.models),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One job of a run: the request as sent, the provider's last record, and each change of state with its time."""

    slot: str
    model: str = ""
    task_id: str | None = None
    state: str = ""
    request: JSON = None
    answer: JSON = None  # to the submission
    record: JSON = None  # the last one of its task
    prompt: str = ""
    prompt_raw: str = ""
    credits: float | None = None
    billed: bool | None = None
    code: str = ""
    message: str = ""
    assets: tuple[Mapping[str, JSON], ...] = ()
    states: tuple[tuple[str, str], ...] = ()  # time and event

    def as_json(self) -> dict[str, JSON]:
        found = asdict(self)
        found["assets"] = [dict(asset) for asset in self.assets]
        found["states"] = [{"time": time, "event": event} for time, event in self.states]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run whole."""

    run: Run
    jobs: tuple[JobRecord, ...] = ()
    notices: tuple[tuple[str, str], ...] = ()  # time and text

    def as_json(self) -> dict[str, JSON]:
        return {
            "kiebatch-run": FORMAT,
            **self.run.as_json(),
            "jobs": [job.as_json() for job in self.jobs],
            "notices": [{"time": time, "text": text} for time, text in self.notices],
        }


# --- writing -------------------------------------------------------------------------------------------


class RunFile:
    """The file of one run while it is written."""

    def __init__(self, folder: Path, run: Run) -> None:
        if not _ID.fullmatch(run.id):
            raise ValueError(f"a run's id is a word, found {run.id!r}")
        self.folder = folder
        files.private_folder(folder)
        self._stream = (folder / f"{run.id}.jsonl").open("a", encoding="utf-8")
        self.line("run", run.as_json())

    def line(self, kind: str, value: Mapping[str, JSON]) -> None:
        """Append one thing that happened."""
        self._stream.write(json.dumps({"kind": kind, **value}, ensure_ascii=False) + "\n")
        self._stream.flush()

    def end(self, run: Run) -> None:
        """Write what the run came to, here and into the index."""
        self.line("run", run.as_json())
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        append(self.folder, [run])


def append(folder: Path, runs: Iterable[Run]) -> None:
    """Append runs to the index: one write, so that two processes never mix their lines."""
    with (folder / INDEX).open("ab") as stream:
        stream.write(index_text(runs).encode())


def index_text(runs: Iterable[Run]) -> str:
    """Return runs as lines of the index."""
    return "".join(json.dumps(run.as_json(), ensure_ascii=False) + "\n" for run in runs)


# --- reading -------------------------------------------------------------------------------------------


def all_runs(folder: Path) -> list[Run]:
    """Return every run that left a record, the oldest first."""
    found: dict[str, Run] = {}
    for row in _rows(folder / INDEX):
        run = _run(row)
        if run:
            found[run.id] = run
    for path in folder.glob("*.jsonl"):
        if path.name != INDEX and path.stem not in found:
            run = _last_run(path)
            if run:
                found[run.id] = run
    return sorted(found.values(), key=lambda run: (run.started_at, run.id))


def read(folder: Path, run_id: str) -> RunRecord:
    """Return one run whole; `Invalid` with the nearest id where there is none.  The beginning of an id will do."""
    known = [run.id for run in all_runs(folder)]
    fitting = [one for one in known if one == run_id] or [one for one in known if one.startswith(run_id)]
    if len(fitting) != 1:
        message = f"`{run_id}` begins {len(fitting)} runs" if fitting else f"there is no run `{run_id}`"
        raise Invalid(message, hint=did_you_mean(run_id, known) or "`kiebatch runs` lists them")
    return _folded(folder / f"{fitting[0]}.jsonl", folder, fitting[0])


def _folded(path: Path, folder: Path, run_id: str) -> RunRecord:
    run = next(run for run in all_runs(folder) if run.id == run_id)
    jobs: dict[str, JobRecord] = {}
    notices: list[tuple[str, str]] = []
    for row in _rows(path):
        kind = row.get("kind")
        if kind == "notice":
            notices.append((str(row.get("time", "")), str(row.get("text", ""))))
            continue
        slot = as_text(row.get("slot"))
        if kind == "job" and slot is not None:
            jobs[slot] = _with(jobs.get(slot) or JobRecord(slot=slot), row)
    return RunRecord(run=run, jobs=tuple(jobs.values()), notices=tuple(notices))


def _with(job: JobRecord, row: Mapping[str, JSON]) -> JobRecord:
    """Return a job's record with what one more line says; what the line does not say stays."""
    asset = as_mapping(row.get("asset"))
    event = row.get("event")
    state = (str(row.get("time", "")), str(event))
    return JobRecord(
        slot=job.slot,
        model=_text(row, "model", job.model),
        task_id=as_text(row.get("task_id")) or job.task_id,
        state=_text(row, "state", job.state),
        request=_said(row, "request", job.request),
        answer=_said(row, "answer", job.answer),
        record=_said(row, "record", job.record),
        prompt=_text(row, "prompt", job.prompt),
        prompt_raw=_text(row, "prompt_raw", job.prompt_raw),
        credits=_number(row, "credits", job.credits),
        billed=_flag(row, "billed", job.billed),
        code=_text(row, "code", job.code),
        message=_text(row, "message", job.message),
        assets=(*job.assets, asset) if asset else job.assets,
        states=(*job.states, state) if event else job.states,
    )


def _last_run(path: Path) -> Run | None:
    rows = [row for row in _rows(path) if row.get("kind") == "run"]
    return _run(rows[-1]) if rows else None


def _rows(path: Path) -> Iterator[Mapping[str, JSON]]:
    """Yield the lines of a file.  A line that a crash cut short is left out; the next ones count."""
    text = files.text_if_there(path)
    for line in text.split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _run(row: Mapping[str, JSON]) -> Run | None:
    """Return the run that a line tells of; keys of a newer version are left out."""
    id, started_at = _text(row, "id"), _text(row, "started_at")
    if not id or not started_at:
        return None
    counts = as_mapping(row.get("counts"))
    return Run(
        id=id,
        started_at=started_at,
        ended_at=_text(row, "ended_at"),
        status=_status(_text(row, "status", RunStatus.UNFINISHED)),
        command=_text(row, "command"),
        by=_text(row, "by"),
        machine=_text(row, "machine"),
        film=_text(row, "film"),
        assets=_text(row, "assets"),
        commit=_text(row, "commit"),
        draft=row.get("draft") is True,
        tags=_texts(row, "tags"),
        models=_texts(row, "models"),
        counts={name: count for name, count in counts.items() if isinstance(count, int)},
        estimated=_number(row, "estimated", 0.0),
        spent=_number(row, "spent", 0.0),
        billed_for_failures=_number(row, "billed_for_failures", 0.0),
        saved=_number(row, "saved", 0.0),
        reason=_text(row, "reason"),
    )


def _status(text: str) -> RunStatus:
    """Return how a run ended; an error where a newer version has a word of its own for it."""
    try:
        return RunStatus(text)
    except ValueError:
        return RunStatus.ERROR


# --- one value of a line; where it is missing or has another shape, what is known already ----------------


def _text(row: Mapping[str, JSON], key: str, known: str = "") -> str:
    value = as_text(row.get(key))
    return known if value is None else value


def _texts(row: Mapping[str, JSON], key: str) -> tuple[str, ...]:
    return tuple(str(value) for value in as_list(row.get(key)))


_Number = TypeVar("_Number", float, float | None)


def _number(row: Mapping[str, JSON], key: str, known: _Number) -> float | _Number:
    value = row.get(key)
    return value if isinstance(value, int | float) else known


def _flag(row: Mapping[str, JSON], key: str, known: bool | None) -> bool | None:
    value = row.get(key)
    return value if isinstance(value, bool) else known


def _said(row: Mapping[str, JSON], key: str, known: JSON) -> JSON:
    value = row.get(key)
    return known if value is None else value
