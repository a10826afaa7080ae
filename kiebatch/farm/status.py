"""What a farm is doing: units by kind, workers, and what is parked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from kiebatch.model import JSON, as_form
from kiebatch.team import Connection, Cursor
from kiebatch.units import KINDS

_UNITS = """
SELECT kind, count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'open' AND worker IS NOT NULL) AS at_work,
  count(*) FILTER (WHERE state = 'failed') AS failed, count(*) FILTER (WHERE state = 'parked') AS parked,
  extract(epoch FROM clock_timestamp() - min(asked_at) FILTER (WHERE state = 'open')) AS oldest_s
FROM units WHERE state <> 'made' GROUP BY kind
"""
_WORKERS = """
SELECT host, pid, kinds, jobs, extract(epoch FROM clock_timestamp() - beat) AS silent_s,
  beat < clock_timestamp() - make_interval(secs => %s) AS dead
FROM workers WHERE ended IS NULL ORDER BY id
"""
_PARKED = "SELECT key, kind, attempt, number FROM units WHERE state = 'parked' ORDER BY key LIMIT 100"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmStatus:
    """Units by kind, workers with their last sign of life, parked units, and whether the farm is drained."""

    units: Mapping[str, Mapping[str, JSON]]
    workers: tuple[Mapping[str, JSON], ...]
    parked: tuple[Mapping[str, JSON], ...]
    drained: bool

    def to_json(self) -> dict[str, JSON]:
        return {
            "drained": self.drained,
            "units": {kind: dict(counts) for kind, counts in self.units.items()},
            "workers": [dict(worker) for worker in self.workers],
            "parked": [dict(unit) for unit in self.parked],
        }

    def lines(self) -> list[str]:
        """Return it as text, one fact a line; nothing where there is neither worker nor unit."""
        told = ["the farm is drained: workers take no units"] if self.drained else []
        for worker in self.workers:
            told.append(_worker_line(worker))
        for kind, counts in self.units.items():
            told.append(_unit_line(kind, counts))
        for unit in self.parked:
            told.append(f"parked: {unit['kind']} {unit['key']}; it ended one worker after the other")
        return told


class _Worker(TypedDict):
    """What `_WORKERS` returns of a worker, with `silent_s` as `_numbers` gives it."""

    host: str
    pid: int
    kinds: list[str]
    jobs: int
    silent_s: float
    dead: bool


class _Counts(TypedDict):
    """What `_UNITS` returns of the units of a kind, with `oldest_s` as `_numbers` gives it."""

    open: int
    at_work: int
    failed: int
    parked: int
    oldest_s: float | None


def _worker_line(row: Mapping[str, object]) -> str:
    worker = as_form(_Worker, row)
    name = (
        f"worker {worker['pid']} on {worker['host']}, {worker['jobs']} at once ({', '.join(worker['kinds'])})"
    )
    if worker["dead"]:
        return f"dead: {name}, silent for {worker['silent_s']:.0f} s"
    return name


def _unit_line(kind: str, row: Mapping[str, object]) -> str:
    counts = as_form(_Counts, row)
    told = f"{kind}: {counts['open']} queued, {counts['at_work']} of them at work"
    if counts["failed"]:
        told += f", {counts['failed']} failed"
    if counts["oldest_s"] is not None:
        told += f"; the oldest waits for {counts['oldest_s']:.0f} s"
    return told


def farm_status(connection: Connection, *, dead_s: float = 20.0) -> FarmStatus:
    """Return what the farm is doing now."""

    def work(cursor: Cursor) -> FarmStatus:
        found = {row["kind"]: row for row in cursor.execute(_UNITS)}
        workers = tuple(_numbers(row) for row in cursor.execute(_WORKERS, (dead_s,)))
        parked = tuple(dict(row) for row in cursor.execute(_PARKED))
        units: dict[str, Mapping[str, JSON]] = {
            kind: _numbers(found[kind]) for kind in KINDS if kind in found
        }
        return FarmStatus(units=units, workers=workers, parked=parked, drained=is_drained(cursor))

    return connection.transact(work)


def _numbers(row: Mapping[str, Any]) -> dict[str, JSON]:
    """Return a row for JSON: the server's decimals as seconds with one digit."""
    found = {name: value for name, value in row.items() if name != "kind"}
    for name in ("oldest_s", "silent_s"):
        if found.get(name) is not None:
            found[name] = round(float(found[name]), 1)
    return found


def is_drained(cursor: Cursor) -> bool:
    return cursor.execute("SELECT 1 FROM about WHERE name = 'drained'").fetchone() is not None


def drained(connection: Connection, *, on: bool) -> int:
    """Have the workers take no more units, or go on; return how many units are at work."""

    def work(cursor: Cursor) -> int:
        if on:
            cursor.execute("INSERT INTO about VALUES ('drained', 'yes') ON CONFLICT DO NOTHING")
        else:
            cursor.execute("DELETE FROM about WHERE name = 'drained'")
        row = cursor.execute(
            "SELECT count(*) AS many FROM units WHERE worker IS NOT NULL AND state = 'open'"
        ).fetchone()
        return int(row["many"]) if row else 0

    return connection.transact(work)
