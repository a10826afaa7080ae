"""The library's front door: `load`, `plan`, `run`, `generate`, `resolve`, `verify`, `diff`.

    from kiebatch import load, plan, run

    film = load("scenes.yaml")
    print(plan(film).totals())
    outcome = run(film, api_key="...", max_credits=200)

What the commands do, these do; they print nothing and ask nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import secrets
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from kiebatch import files, manifest, media, planner, projects
from kiebatch.client import CallFailed, Client
from kiebatch.collect import Offload, stamp
from kiebatch.engine import Engine, Limits, Outcome
from kiebatch.errors import Invalid, Problem, Refused, Where
from kiebatch.events import Event, Finished, Noticed
from kiebatch.files import Workspace
from kiebatch.gate import Gate, path_for
from kiebatch.journal import Hook, Journal, open_journal
from kiebatch.manifest import Manifest
from kiebatch.model import JSON, Asset, Attempt, Slot, parse_slot
from kiebatch.planner import Entry, Facts, Plan, Selection
from kiebatch.projects import Digests, Opened
from kiebatch.record import Record
from kiebatch.settings import Settings
from kiebatch.storage import Store
from kiebatch.watch import Patience

_KEPT_BY_PROVIDER_S = 14 * 86400.0


def _no_hook(_point: str) -> None:
    return None


async def _in_a_thread(work: Callable[..., Any], /, *args: Any) -> Any:
    return await asyncio.to_thread(work, *args)


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Time, chance and the network, as values: tests give their own."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.Random)
    transport: httpx.AsyncBaseTransport | None = None
    media_transport: httpx.AsyncBaseTransport | None = None
    offload: Offload = _in_a_thread
    hook: Hook = _no_hook
    gate_path: Path | str | None = None


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
    with _peek(workspace) as journal:
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
    _check_source(opened)
    return opened


def _inside(root: Path, name: str) -> Path:
    path = Path(os.path.normpath(root / name))
    return path if path.is_relative_to(root) and path != root else root / "assets"


def _check_source(opened: Opened) -> None:
    """Refuse another scene file on the same assets folder, unless the named one is gone."""
    named, scene_file = opened.manifest.source, opened.workspace.scene_file
    if not named or scene_file is None or named == scene_file.name:
        return
    other = opened.workspace.root / named
    if not other.is_file():
        return
    if {named, scene_file.name} <= {"SCENES.md", "ASSET-PLAN.md"}:
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
def _peek(workspace: Workspace) -> Iterator[Journal | None]:
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
    with _peek(opened.workspace) as journal:
        selection = Selection(only=tuple(only), force=force, until_picks=until_picks)
        return _plan(opened, journal, selection, Store(cache) if cache else None, now)


def _plan(
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
    import datetime as dt

    try:
        return dt.datetime.fromisoformat(created_at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


# --- running -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked before the first credit is spent."""

    plan: Plan
    balance: float | None


Confirm = Callable[[Question], bool]


def run(
    opened: Opened,
    *,
    settings: Settings | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
    confirm: Confirm | None = None,
    bound: Mapping[str, JSON] | None = None,
    edges: Edges | None = None,
    **options: Any,
) -> Outcome:
    """Submit, poll, download, record; also how to resume.  Returns when all that was submitted is settled.

    `options` are fields of `Settings` (`api_key`, `max_credits`, ...).  `confirm` is asked before the first
    credit is spent; without it a call is consent.  `bound` is a saved plan that this run must match.
    The first Ctrl-C stops submitting and collects what is paid for; the second leaves at once.
    """
    chosen = replace(settings or Settings(), **options)
    return asyncio.run(
        run_async(
            opened,
            settings=chosen,
            only=only,
            force=force,
            emit=emit,
            confirm=confirm,
            bound=bound,
            edges=edges or Edges(),
            signals=True,
        )
    )


async def run_async(
    opened: Opened,
    *,
    settings: Settings,
    only: Sequence[str] = (),
    force: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
    confirm: Confirm | None = None,
    bound: Mapping[str, JSON] | None = None,
    edges: Edges | None = None,
    signals: bool = False,
) -> Outcome:
    """`run`, for callers with an event loop of their own."""
    edges = edges or Edges()
    workspace = opened.workspace
    run_id = secrets.token_hex(4) if edges.now is time.time else f"{edges.rng.getrandbits(32):08x}"
    holder = f"`kiebatch run` (process {os.getpid()} on {socket.gethostname()}, run {run_id})"
    with (
        _held_project(workspace, holder, emit, wait=settings.wait),
        open_journal(
            workspace.journal_path, now=edges.now, hook=edges.hook, rebuild=lambda: opened.manifest.assets
        ) as journal,
    ):
        for warning in journal.warnings:
            emit(Noticed(message=warning, level="warning"))
        _settle_old(journal, workspace)
        # Another run may have worked here while we waited for the lock.
        opened = dataclasses.replace(opened, manifest=projects.read_manifest(workspace))
        _check_source(opened)
        store = Store(settings.cache) if settings.cache else None
        selection = Selection(only=tuple(only), force=force, until_picks=settings.until_picks)
        todo = _plan(opened, journal, selection, store, edges.now)
        if bound is not None:
            _check_bound(bound, todo, opened, journal)
        outcome = await _carry_out(
            opened, todo, journal, store, settings, emit, confirm, edges, run_id, signals=signals
        )
        emit(Finished(status=outcome.status))
        return outcome


@contextlib.contextmanager
def _held_project(
    workspace: Workspace, holder: str, emit: Callable[[Event], object], *, wait: bool
) -> Iterator[None]:
    """Hold the project's lock; say who holds it before waiting for it."""
    path = workspace.state / "run.lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.lock(path, wait=False, holder=holder))
        except Refused as busy:
            if not wait:
                raise
            emit(Noticed(message=f"{busy.message}; waiting for it", level="warning"))
            stack.enter_context(files.lock(path, wait=True, holder=holder))
        yield


def _settle_old(journal: Journal, workspace: Workspace) -> None:
    """Settle what a run that died left behind.  Called by who holds the project's lock."""
    if workspace.draft:
        # The simulator of an earlier draft is gone with its tasks; they cost nothing and are drawn again.
        for attempt in journal.attempts(states=("intended", "held", "submitted", "lost")):
            journal.decide(attempt.id, "forget")
        return
    journal.hold_unfinished("the program ended before the provider's answer was written down")


async def _carry_out(
    opened: Opened,
    todo: Plan,
    journal: Journal,
    store: Store | None,
    settings: Settings,
    emit: Callable[[Event], object],
    confirm: Confirm | None,
    edges: Edges,
    run_id: str,
    *,
    signals: bool,
) -> Outcome:
    workspace = opened.workspace
    sends = bool(todo.generate)
    # The balance after an unknown submission is evidence, so it is read although nothing else is to be done.
    evidence = bool(settings.api_key) and journal.unsettled()
    touches = sends or bool(todo.work) or bool(todo.collect)
    if sends:
        if journal.incomplete:
            raise Refused(
                "the journal was damaged and could not be read whole, so a task may be on its way that is not "
                "known any more; nothing was sent",
                hint="look at kie.ai/logs, then run again: the next run goes on without what was lost",
            )
        _check_budget(todo, settings)
    if touches:
        files.check_writable(workspace.assets)
        _check_key(settings)
    source = workspace.scene_file.name if workspace.scene_file else None
    record = Record(
        workspace.manifest_path,
        lock=workspace.state / "manifest.lock",
        journal=journal,
        now=edges.now,
        source=source,
        hook=edges.hook,
    )
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            Client(
                settings.api_key,
                settings.base_url,
                settings.upload_url,
                transport=edges.transport,
                media_transport=edges.media_transport,
                rng=edges.rng,
                sleep=edges.sleep,
                hook=edges.hook,
            )
        )
        gate = Gate(
            edges.gate_path or path_for(settings.api_key, settings.base_url),
            now=edges.now,
            sleep=edges.sleep,
            rng=edges.rng,
        )
        stack.callback(gate.close)
        balance = None
        if touches or evidence:
            try:
                balance = await client.balance()
            except CallFailed as failure:
                if sends:
                    raise Refused(
                        f"the provider cannot be reached: {failure.message}",
                        hint="nothing was sent; run again later",
                    ) from None
            else:
                journal.balance_seen(balance)
        if sends:
            need = todo.credits()
            if balance is not None and balance < need:
                emit(
                    Noticed(
                        message=f"the balance is {balance:g} credits and the plan needs up to {need:g}",
                        level="warning",
                    )
                )
            if confirm is not None and not confirm(Question(plan=todo, balance=balance)):
                raise Refused("not confirmed; nothing was sent")
        engine = Engine(
            todo,
            run_id=run_id,
            workspace=workspace,
            client=client,
            gate=gate,
            journal=journal,
            record=record,
            limits=_limits(settings),
            now=edges.now,
            offload=edges.offload,
            emit=emit,
            store=store,
            local_path=opened.local_path,
            media_digest=lambda path: opened.media[path][0] if path in opened.media else None,
            balance=balance,
        )
        if signals:
            stack.enter_context(_signals(engine, emit))
        try:
            return await engine.run()
        except asyncio.CancelledError:
            engine.stop_submitting("interrupted", "interrupted")
            engine.outcome.stopped = "interrupted"
            return engine.outcome


def _limits(settings: Settings) -> Limits:
    return Limits(
        rate=settings.rate,
        poll_rate=settings.poll_rate,
        in_flight=settings.in_flight,
        order=settings.order,
        max_credits=settings.max_credits,
        canary=settings.canary and not settings.draft,
        patience=Patience(interval_s=settings.poll_interval_s, timeout_s=settings.timeout_s),
        expected_scale=settings.expected_scale,
        callback_url=settings.callback_url,
    )


@contextlib.contextmanager
def _signals(engine: Engine, emit: Callable[[Event], object]) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a graceful stop, and the second into leaving at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def stop() -> None:
        if engine.outcome.stopped == "interrupted" and task:
            task.cancel()
            return
        engine.outcome.stopped = ""
        engine.stop_submitting("interrupted", "interrupted")
        emit(
            Noticed(
                message="stopping: nothing more is sent; what is paid for is still collected, which may take "
                "minutes. Press Ctrl-C again to leave now; `kiebatch run` collects the rest later",
                level="warning",
            )
        )

    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not on Windows, and not outside the main thread: there Ctrl-C ends the program, resumable.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _check_key(settings: Settings) -> None:
    if not settings.api_key:
        raise Refused(
            "there is no API key",
            hint="set KIE_API_KEY, or put a line KIE_API_KEY=... into the project's .env; --draft needs none",
        )


def _check_budget(todo: Plan, settings: Settings) -> None:
    """Refuse, before anything is sent, what the user's limits rule out."""
    if settings.draft:
        return
    unpriced = [e for e in todo.generate if e.job and planner.most(e.job) is None]
    if unpriced and not settings.allow_unpriced:
        names = ", ".join(f"{e.slot} ({e.job.model})" for e in unpriced[:5] if e.job)
        raise Refused(
            f"the price of {len(unpriced)} job{'s' if len(unpriced) > 1 else ''} is not known: {names}",
            hint="--allow-unpriced lets them go",
        )
    need = todo.credits()
    if settings.max_credits is not None and need > settings.max_credits and not settings.partial:
        raise Refused(
            f"the plan needs up to {need:g} credits, and the cap is {settings.max_credits:g}; nothing was sent",
            hint="raise --max-credits, choose with --only, or go as far as it allows with --partial",
        )


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


# --- plans that bind -----------------------------------------------------------------------------------


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


def _check_bound(bound: Mapping[str, JSON], todo: Plan, opened: Opened, journal: Journal) -> None:
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


# --- decisions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for or against a held job having been charged.  Credits; None where not known."""

    before: float | None
    after: float | None
    others: float
    price: float | None

    @property
    def says(self) -> str:
        if self.before is None or self.after is None or self.price is None:
            return "the balance says nothing: look at kie.ai/logs"
        gone = round(self.before - self.after - self.others, 4)
        if abs(gone) < 0.005:
            return "the balance suggests that it was not charged"
        if abs(gone - self.price) < 0.005:
            return "the balance suggests that it was charged: look for its task id at kie.ai/logs"
        return "the balance moved by something else too: look at kie.ai/logs"


def held(workspace: Workspace, now: Callable[[], float] = time.time) -> list[tuple[Attempt, Evidence]]:
    """Return the held jobs with what the balances say about each."""
    with _peek(workspace) as journal:
        if journal is None:
            return []
        attempts = journal.attempts()
    found = []
    for attempt in attempts:
        if not attempt.undecided:
            continue
        until = attempt.ended_at or now()
        others = sum(
            other.credits or 0.0
            for other in attempts
            if other.id != attempt.id
            and other.submitted_at is not None
            and attempt.intended_at <= other.submitted_at <= until
        )
        found.append(
            (
                attempt,
                Evidence(
                    before=attempt.balance_before,
                    after=attempt.balance_after,
                    others=others,
                    price=attempt.credits,
                ),
            )
        )
    return found


def resolve(workspace: Workspace, slot: str, decision: str, task_id: str | None = None) -> Attempt:
    """Decide a held job: `task-id` adopts a task, `resubmit` lets the next run send it, `forget` drops it."""
    with (
        files.lock(workspace.state / "run.lock", wait=False, holder="`kiebatch resolve`"),
        open_journal(workspace.journal_path, now=time.time) as journal,
    ):
        waiting = [a for a in journal.attempts() if a.undecided]
        slots = {a.slot for a in waiting}
        chosen = [a for a in waiting if a.slot in parse_slot(slot, slots)]
        if not chosen:
            names = ", ".join(str(s) for s in slots)
            raise Invalid(
                f"nothing is held for `{slot}`",
                hint=f"held are {names}" if names else "nothing is held at all",
            )
        if len(chosen) > 1:
            names = ", ".join(str(a.slot) for a in chosen)
            raise Invalid(f"`{slot}` means several held jobs: {names}", hint="name one")
        journal.decide(chosen[0].id, decision, task_id)
        return journal.attempt(chosen[0].id)


def accept(opened: Opened, slots: Sequence[str]) -> list[Slot]:
    """Keep the assets there are, although the plan calls them changed."""
    todo = plan(opened)
    chosen = _entries(todo, slots)
    for entry in chosen:
        if not entry.current or entry.job is None:
            raise Invalid(f"`{entry.slot}` has no asset that could be kept")
        if entry.fingerprint is None:
            raise Invalid(
                f"`{entry.slot}` starts from a shot that is not made yet, so nobody can tell what is accepted",
                hint="accept or run that one first",
            )
    done = []

    def change(current: Manifest) -> Manifest:
        for entry in chosen:
            for asset in entry.current:
                extra = {**asset.extra, "accepted": entry.fingerprint}
                current = manifest.changed(current, current.by_id[asset.id], extra=extra)
        return current

    _update(opened.workspace, change)
    for entry in chosen:
        done.append(entry.slot)
    return done


def _entries(todo: Plan, slots: Sequence[str]) -> list[Entry]:
    chosen: list[Entry] = []
    known = [e.slot for e in todo.entries if e.job]
    for text in slots:
        found = parse_slot(text, known)
        if not found:
            raise Invalid(
                f"there is no slot `{text}`", hint=f"its slots are {', '.join(map(str, known[:12]))}"
            )
        chosen += [e for e in todo.entries if e.slot in found and e not in chosen]
    return chosen


def _update(workspace: Workspace, change: Callable[[Manifest], Manifest]) -> None:
    files.check_writable(workspace.assets)
    Record(
        workspace.manifest_path,
        lock=workspace.state / "manifest.lock",
        now=time.time,
        source=workspace.scene_file.name if workspace.scene_file else None,
    ).update(change)


def adopt(opened: Opened, slot: str, file: Path, *, now: Callable[[], float] = time.time) -> Asset:
    """Enter a file made elsewhere as a slot's newest version, at no cost."""
    entry = _only(_entries(plan(opened), [slot]), slot)
    job = entry.job
    assert job is not None
    workspace = opened.workspace
    try:
        facts = media.facts(file)
    except FileNotFoundError:
        raise Invalid(f"there is no file {files.shown(file)}") from None
    except (media.Undecodable, OSError) as error:
        raise Invalid(f"{files.shown(file)} cannot be used: {error}") from None
    if facts.kind != job.modality:
        raise Invalid(f"{files.shown(file)} is {facts.media_type}, and `{entry.slot}` is {job.modality}")
    digest = files.sha256(file)
    current = opened.manifest
    replaces = entry.current
    version = manifest.version_after(replaces)
    inside = file.resolve()
    known = {a.filename for a in current.assets}
    name = None
    if inside.is_relative_to(workspace.assets):
        name = workspace.name_of(inside)
        if name in known and any(a.filename == name and a.sha256 == digest for a in current.assets):
            raise Invalid(f"{files.shown(file)} is already in the manifest")
    if name is None or name in known:
        inner = planner.asset_name(
            job,
            output=1,
            version=version,
            sha256=digest,
            extension=facts.extension,
            taken=lambda n: (workspace.assets / n).exists(),
        )
        files.replace(workspace.assets / inner, file.read_bytes())
        name = workspace.name_of(workspace.assets / inner)
    asset = Asset(
        id="",
        type=facts.kind,
        filename=name,
        prompt=job.prompt,
        model=job.model,
        parameters={"endpoint": "adopted", "input": dict(job.input)},
        created_at=stamp(now()),
        scene_id=job.slot.scene,
        shot=job.slot.shot,
        take=job.slot.take,
        fingerprint=entry.fingerprint,
        sha256=digest,
        bytes=facts.size_bytes,
        media_type=facts.media_type,
        width=facts.width,
        height=facts.height,
        duration=facts.duration_s,
        credits=0,
        draft=workspace.draft,
        extra={"adopted": True},
    )
    entered: list[Asset] = []

    def change(recorded: Manifest) -> Manifest:
        ids = {a.id for a in replaces}
        recorded, new = manifest.record(recorded, [asset], [a for a in recorded.assets if a.id in ids])
        entered.extend(new)
        return recorded

    _update(workspace, change)
    return entered[0]


def _only(entries: Sequence[Entry], slot: str) -> Entry:
    if len(entries) != 1:
        raise Invalid(
            f"`{slot}` means several slots: {', '.join(str(e.slot) for e in entries)}", hint="name one"
        )
    return entries[0]


# --- status --------------------------------------------------------------------------------------------


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
    with _peek(opened.workspace) as journal:
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
