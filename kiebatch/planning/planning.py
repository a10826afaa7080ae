"""Says what a run would do: reads the facts about a project's files, journal and cache, and plans.  Sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kiebatch import record
from kiebatch.planning import planner
from kiebatch.planning.gathering import gathered
from kiebatch.planning.lost_manifest import refuse_lost_manifest
from kiebatch.planning.plans import Plan, Selection
from kiebatch.project import Opened, peek


def plan(
    opened: Opened,
    *,
    only: Sequence[str] = (),
    force: bool = False,
    until_picks: bool = False,
    cache: Path | None = None,
    results: record.ResultStore | None = None,
    now: Callable[[], float] = time.time,
) -> Plan:
    """Return what a run would do, why, and what it would cost.  Sends nothing.

    `results` is what may be looked through for what was paid for already; `cache` is the short way to name a folder.
    """
    stored = results or (record.ResultCache(cache) if cache else None)
    with peek(opened.workspace) as journal:
        selection = Selection(only=tuple(only), force=force, until_picks=until_picks)
        return planned(opened, journal, selection, stored, now)


def planned(
    opened: Opened,
    journal: record.Journal | None,
    selection: Selection,
    store: record.ResultStore | None,
    now: Callable[[], float],
) -> Plan:
    facts = gathered(opened, journal, store, now)
    todo = planner.plan(opened.project, opened.manifest, facts, selection)
    if not selection.force:
        refuse_lost_manifest(todo, facts.attempts, opened)
    return todo
