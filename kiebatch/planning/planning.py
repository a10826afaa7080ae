"""Reads a project and says what a run would do: `load`, `plan`, `status`; sends nothing."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kiebatch.errors import Invalid
from kiebatch.model import Asset
from kiebatch.planning import decision
from kiebatch.planning.plans import Facts, Plan, Selection
from kiebatch.project import Digests, Opened, peek
from kiebatch.provider import lifetimes
from kiebatch.record import Journal, ResultCache


def plan(
    opened: Opened,
    *,
    only: Sequence[str] = (),
    force: bool = False,
    until_picks: bool = False,
    cache: Path | None = None,
    now: Callable[[], float] = time.time,
) -> Plan:
    """Return what a run would do, why, and what it would cost.  Sends nothing."""
    with peek(opened.workspace) as journal:
        selection = Selection(only=tuple(only), force=force, until_picks=until_picks)
        return decide(opened, journal, selection, ResultCache(cache) if cache else None, now)


def decide(
    opened: Opened,
    journal: Journal | None,
    selection: Selection,
    store: ResultCache | None,
    now: Callable[[], float],
) -> Plan:
    workspace = opened.workspace
    digests = Digests(journal)
    found: dict[str, str | None] = {}
    for asset in opened.manifest.assets:
        if not asset.current or asset.filename in found:
            continue
        path = workspace.asset_path(asset.filename)
        try:
            found[asset.filename] = digests(path)
        except FileNotFoundError:
            found[asset.filename] = None
        except OSError:
            found[asset.filename] = ""
    digests.remember()
    same: dict[tuple[str, str], bool] = {}

    def same_model(a: str, b: str) -> bool:
        key = (a, b)
        if key not in same:
            same[key] = a == b or _model_id(opened, a) == _model_id(opened, b)
        return same[key]

    def intact(asset: Asset) -> bool:
        try:
            return bool(asset.sha256) and digests(workspace.asset_path(asset.filename)) == asset.sha256
        except (OSError, Invalid):
            return False

    def retrievable(asset: Asset) -> bool:
        if not asset.task_id or asset.draft:
            return False
        return now() - _seconds(asset.created_at) < lifetimes.RESULT.kept_s

    facts = Facts(
        digests=found,
        media={path: digest for path, (digest, _) in opened.media.items()},
        attempts=journal.attempts() if journal else (),
        stored=store or frozenset(),
        retrievable=retrievable,
        collectable=lambda attempt: now() - (attempt.submitted_at or 0.0) < lifetimes.RESULT.kept_s,
        same_model=same_model,
        draft=workspace.draft,
        intact=intact,
    )
    return decision.plan(opened.project, opened.manifest, facts, selection)


def _model_id(opened: Opened, name: str) -> str:
    model = opened.catalogue.get(name)
    if model:
        return model.id
    try:
        return opened.catalogue.resolve(name).id
    except Invalid:
        return name


def _seconds(created_at: str) -> float:
    try:
        return dt.datetime.fromisoformat(created_at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
