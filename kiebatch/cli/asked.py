"""What `runs`, `assets` and `costs` share: their filters, and the film's results with their slots."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from typer import Option

from kiebatch.project import finding
from kiebatch.record import manifest, queries
from kiebatch.record.queries import Filter, Result
from kiebatch.workspace import Workspace

Model = Annotated[str, Option("--model", help="of this model; `*` for any letters", show_default=False)]
Tag = Annotated[str, Option("--tag", help="with this tag", show_default=False)]
By = Annotated[str, Option("--by", help="by this person", show_default=False)]
Run = Annotated[str, Option("--run", help="of this run", show_default=False)]
Since = Annotated[
    str | None, Option("--since", help="not before: 2026-03-01, or 7d for a week ago", show_default=False)
]
Until = Annotated[str | None, Option("--until", help="not after: likewise", show_default=False)]


def wanted(since: str | None, until: str | None, **words: str) -> Filter:
    """Return the filter that options say."""
    return Filter(since=moment(since), until=moment(until), **words)


def moment(typed: str | None) -> dt.datetime | None:
    """Return the moment that an option names, None where it was not given."""
    if not typed:
        return None
    return queries.moment(typed, dt.datetime.now().astimezone())


def seconds(typed: str | None) -> float | None:
    """Return the moment that an option names, in seconds since the epoch."""
    found = moment(typed)
    return None if found is None else found.timestamp()


def results(workspace: Workspace) -> list[Result]:
    """Return every result of a film with its slot and what became of it."""
    recorded, picks = finding.read_manifest(workspace), finding.read_picks(workspace)
    return [
        Result(asset, str(slot), queries.standing(asset, slot, picks))
        for slot, line in manifest.slots(recorded.assets).items()
        for asset in line
    ]


def runs_folder(workspace: Workspace) -> Path:
    return workspace.state / "runs"
