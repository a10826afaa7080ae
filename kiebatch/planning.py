"""Reads a project and says what a run would do: `load`, `plan`, `status`; sends nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kiebatch import files, planner, projects
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.files import Workspace
from kiebatch.journal import Journal, open_journal
from kiebatch.model import JSON, Asset, Attempt, stamp
from kiebatch.planner import Entry, Facts, Plan, Selection
from kiebatch.projects import Digests, Opened
from kiebatch.settings import Settings
from kiebatch.storage import Store

_KEPT_BY_PROVIDER_S = 14 * 86400.0


def load(
    path: str | Path | None = None,
    *,
    project: str | Path | None = None,
    assets: str | Path | None = None,
    state: str | Path | None = None,
    draft: bool = False,
    settings: Settings | None = None,
    lint: bool = False,
) -> Opened:
    """Read and check a scene file with what is recorded of it.

    `Invalid` carries every problem of the file; warnings are in `problems` of the result.
    """
    chosen = settings or Settings()
    scene_file = Path(path) if path is not None else None
    workspace = projects.find(
        scene_file,
        project=Path(project) if project else None,
        assets=Path(assets) if assets else None,
        state=Path(state) if state else None,
        draft=draft,
    )
    read = None
    if workspace.scene_file is not None:
        read = projects.read_document(workspace.scene_file)
        named = read[0].value.get("assets") if isinstance(read[0].value, dict) else None
        if isinstance(named, str) and assets is None and not draft:
            workspace = replace(workspace, assets=_inside(workspace.root, named))
    with peek(workspace) as journal:
        digests = Digests(journal)
        opened = projects.open_project(
            workspace,
            fold_negative=chosen.fold_negative,
            allow_unknown_model=chosen.allow_unknown_model,
            strict=chosen.strict,
            lint=lint,
            digest=digests,
            document_read=read,
        )
    check_source(opened)
    return opened


def _inside(root: Path, name: str) -> Path:
    path = Path(os.path.normpath(root / name))
    return path if path.is_relative_to(root) and path != root else root / "assets"


def check_source(opened: Opened) -> None:
    """Refuse another scene file on the same assets folder, unless the named one is gone."""
    named, scene_file = opened.manifest.source, opened.workspace.scene_file
    if not named or scene_file is None or named == scene_file.name:
        return
    other = opened.workspace.root / named
    if not other.is_file():
        return
    if other in projects.joined_files(scene_file):
        return
    raise Invalid(
        [
            Problem(
                where=Where(files.shown(opened.workspace.manifest_path)),
                message=f"these assets belong to {named}, and the scene file is {scene_file.name}",
                hint=f"give it a folder of its own with --assets, or remove {named} to let this one take over",
                code="other-source",
            )
        ]
    )


@contextlib.contextmanager
def peek(workspace: Workspace) -> Iterator[Journal | None]:
    """Open the journal for reading, when there is one.  A damaged one is mended by the next run, and said there."""
    if not workspace.journal_path.exists():
        yield None
        return
    with open_journal(
        workspace.journal_path, now=time.time, rebuild=lambda: _assets_of(workspace), read_only=True
    ) as journal:
        yield journal


def _assets_of(workspace: Workspace) -> Sequence[Asset]:
    return projects.read_manifest(workspace).assets


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
        return decide(opened, journal, selection, Store(cache) if cache else None, now)


def decide(
    opened: Opened,
    journal: Journal | None,
    selection: Selection,
    store: Store | None,
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
        return now() - _seconds(asset.created_at) < _KEPT_BY_PROVIDER_S

    facts = Facts(
        digests=found,
        media={path: digest for path, (digest, _) in opened.media.items()},
        attempts=journal.attempts() if journal else (),
        stored=store or frozenset(),
        retrievable=retrievable,
        collectable=lambda attempt: now() - (attempt.submitted_at or 0.0) < _KEPT_BY_PROVIDER_S,
        same_model=same_model,
        draft=workspace.draft,
        intact=intact,
    )
    return planner.plan(opened.project, opened.manifest, facts, selection)


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


def preflight(todo: Plan, settings: Settings) -> str:
    """Return the verdict on a plan's price: allow, warn, confirm or reject."""
    need = todo.credits()
    if not todo.generate:
        return "allow"
    cap = settings.max_credits
    if cap is not None and need > cap:
        return "reject"
    if todo.unpriced() and not settings.allow_unpriced:
        return "reject"
    if settings.confirm_above is not None:
        return "confirm" if need > settings.confirm_above else "allow"
    if cap is not None:
        return "allow"
    return "warn" if settings.draft else "confirm"


def save_plan(
    opened: Opened, todo: Plan, *, only: Sequence[str] = (), force: bool = False
) -> dict[str, JSON]:
    """Return a plan as a document that `run(..., bound=...)` carries out exactly, once."""
    return {
        "kiebatch-plan": 1,
        "scene_file": opened.workspace.scene_file.name if opened.workspace.scene_file else None,
        "only": list(only),
        "force": force,
        "nonce": secrets.token_hex(8),
        "digest": todo.digest(),
        "credits": todo.credits(),
        "jobs": [e.as_json() for e in todo.work],
    }


def check_bound(bound: Mapping[str, JSON], todo: Plan, opened: Opened, journal: Journal) -> None:
    if bound.get("digest") != todo.digest():
        then = {j["slot"]: j for j in bound.get("jobs", [])}
        now_ = {str(e.slot): e for e in todo.work}
        moved = sorted({*then} ^ {*now_}) or [
            s for s, e in now_.items() if s in then and then[s].get("fingerprint") != e.fingerprint
        ]
        raise Invalid(
            "the plan no longer fits: the scene file, a reference or the manifest has moved on"
            + (f" ({', '.join(moved[:5])})" if moved else ""),
            hint="make a new one with `kiebatch plan --out`",
        )
    if not journal.spend_plan(f"{bound['digest']}:{bound.get('nonce')}"):
        raise Invalid("this plan was carried out already", hint="make a new one with `kiebatch plan --out`")


def read_plan(path: Path) -> dict[str, JSON]:
    """Read a saved plan.  `Invalid` when the file is none."""
    try:
        found = json.loads(files.read_text(path))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("kiebatch-plan") != 1:
        raise Invalid(
            f"{files.shown(path)} is no plan of this kiebatch", hint="make one with `kiebatch plan --out`"
        )
    return found


@dataclass(frozen=True, kw_only=True)
class SlotStatus:
    """Where one slot stands."""

    slot: str
    state: str  # done, queued, in-flight, held, failed, missing, blocked
    asset: str | None = None
    task_id: str | None = None
    expires_at: str | None = None
    message: str = ""

    def as_json(self) -> dict[str, JSON]:
        return {name: getattr(self, name) or None for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """Where a project stands; `warnings` say what is unsaved and expires."""

    slots: tuple[SlotStatus, ...]
    counts: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def status(
    path: str | Path | None = None,
    *,
    project: Path | None = None,
    assets: Path | None = None,
    state: Path | None = None,
    draft: bool = False,
    now: Callable[[], float] = time.time,
) -> ProjectStatus:
    """Return what is done, in flight, held or failed.  Sends nothing."""
    opened = load(path, project=project, assets=assets, state=state, draft=draft)
    todo = plan(opened, now=now)
    with peek(opened.workspace) as journal:
        attempts = journal.attempts() if journal else []
    slots: list[SlotStatus] = []
    warnings: list[str] = []
    mentioned: set[int] = set()
    for entry in todo.entries:
        if entry.action == "orphan":
            continue
        attempt = entry.attempt
        if attempt:
            mentioned.add(attempt.id)
        slots.append(_slot_status(entry, attempt, now()))
    for attempt in (*todo.collect, *(a for a in attempts if a.undecided or a.state == "lost")):
        if attempt.id not in mentioned:
            mentioned.add(attempt.id)
            slots.append(
                SlotStatus(
                    slot=str(attempt.slot),
                    state="held" if attempt.undecided else "in-flight",
                    task_id=attempt.task_id,
                    expires_at=_expires(attempt),
                    message=attempt.message or "paid for, not yet collected",
                )
            )
    unsaved = [a for a in attempts if a.open and a.submitted_at is not None]
    if unsaved:
        oldest = min(a.submitted_at or 0.0 for a in unsaved)
        age = now() - oldest
        # Result links often die within a day and media after fourteen (protocol 2.2).
        left = max(0.0, 86400.0 - age)
        when = (
            f"links may expire in {left / 3600:.0f} h"
            if left
            else "links may have expired; media live 14 days"
        )
        warnings.append(
            f"{len(unsaved)} paid task(s) are not yet saved ({when}): `kiebatch run` collects them"
        )
    counts: dict[str, int] = {}
    for one in slots:
        counts[one.state] = counts.get(one.state, 0) + 1
    return ProjectStatus(slots=tuple(slots), counts=counts, warnings=tuple(warnings))


def _expires(attempt: Attempt) -> str | None:
    return stamp(attempt.submitted_at + _KEPT_BY_PROVIDER_S) if attempt.submitted_at else None


def _slot_status(entry: Entry, attempt: Attempt | None, moment: float) -> SlotStatus:
    asset = entry.current[0].id if entry.current else None
    if entry.action in ("keep", "altered"):
        return SlotStatus(slot=str(entry.slot), state="done", asset=asset, message=entry.note)
    if entry.reason == "held":
        return SlotStatus(slot=str(entry.slot), state="held", asset=asset, message=entry.note)
    if entry.action == "restore" and attempt:
        return SlotStatus(
            slot=str(entry.slot),
            state="in-flight",
            asset=asset,
            task_id=attempt.task_id,
            expires_at=_expires(attempt),
            message=attempt.message or "paid for, not yet collected",
        )
    if entry.action in ("missing", "restore"):
        return SlotStatus(
            slot=str(entry.slot), state="missing", asset=asset, message=entry.note or entry.reason
        )
    if entry.reason == "failed before" and attempt:
        return SlotStatus(
            slot=str(entry.slot),
            state="failed",
            asset=asset,
            task_id=attempt.task_id,
            message=f"{attempt.code} {attempt.message}".strip(),
        )
    if entry.action == "blocked":
        return SlotStatus(slot=str(entry.slot), state="blocked", asset=asset, message=entry.reason)
    return SlotStatus(slot=str(entry.slot), state="queued", asset=asset, message=entry.reason)
