"""Opens what a run needs (journal, gate, client, manifest), carries out a plan, and closes it again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

import httpx

from kiebatch import files
from kiebatch.errors import Refused
from kiebatch.media import checks
from kiebatch.model import JSON, Request
from kiebatch.planning import Action, Approval, Plan, Reason, Selection, approvals, planning, saved
from kiebatch.project import Opened, finding, foreign, open_film, opening, team_here
from kiebatch.project.billed import Account
from kiebatch.provider import (
    BookedGate,
    CallFailed,
    Client,
    Reads,
    RetryBudget,
    SqliteGate,
    Times,
    callbacks,
    no_hook,
    path_for,
)
from kiebatch.provider.policy import Answer
from kiebatch.record import (
    Fenced,
    Hook,
    Journal,
    Ledger,
    ManifestWriter,
    Offload,
    ResultStore,
    SqliteJournal,
    StoreFailed,
    Whereabouts,
    open_journal,
    results_of,
)
from kiebatch.running import pricing
from kiebatch.running.balances import Balances, without_balance
from kiebatch.running.binding import References
from kiebatch.running.budget import check_budget, check_key, check_room
from kiebatch.running.checking import Measure, Tools
from kiebatch.running.context import RunContext
from kiebatch.running.engine import Engine
from kiebatch.running.events import Event, Finished, Noticed
from kiebatch.running.outcome import Limits, Outcome
from kiebatch.running.queues import open_queue
from kiebatch.running.recorder import Recorder
from kiebatch.running.recording import Recording
from kiebatch.running.stop import StopCause
from kiebatch.running.watching import Patience
from kiebatch.settings import OVERCHARGE_FROM, Settings, SettingsOptions
from kiebatch.team import Team
from kiebatch.workspace import Workspace, account_digest

_NET = 30  # with callbacks, a task is read so many poll intervals apart: once a minute


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
    hook: Hook = no_hook
    measure: Measure = checks.measure
    open_journal: Callable[..., SqliteJournal] = open_journal
    team: Team | None = None  # else the one that the environment names
    gate_path: Path | str | None = None
    listening: Callable[..., AbstractAsyncContextManager[str]] = callbacks.listening
    exchange: Callable[[Request, Answer, str | None], object] = lambda request, answer, task_id: None


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
    results: ResultStore | None = None,
    edges: Edges | None = None,
    **options: Unpack[SettingsOptions],
) -> Outcome:
    """Submit, poll, download, record; also how to resume.  Returns when all that was submitted is settled.

    `options` are fields of `Settings` (`api_key`, `max_credits`, ...).  `confirm` is asked before the first
    credit is spent; without it a call is consent.  `bound` is a saved plan that this run must match.  `results` is the
    store that the settings name where a plan has asked it: what it had then is not asked for again.
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
            results=results,
            edges=edges or Edges(),
            signals=True,
        )
    )


async def run_async(
    opened: Opened,
    *,
    settings: Settings | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
    confirm: Confirm | None = None,
    bound: Mapping[str, JSON] | None = None,
    results: ResultStore | None = None,
    edges: Edges | None = None,
    signals: bool = False,
    **options: Unpack[SettingsOptions],
) -> Outcome:
    """`run`, for callers with an event loop of their own."""
    settings = replace(settings or Settings(), **options)
    edges = edges or Edges()
    run_id = _new_run_id(edges)
    with Recorder(opened, settings, run_id, edges.now) as recorder:
        emit, edges = recorder.listening(emit), replace(edges, exchange=recorder.exchange)
        async with _held_run(run_id, opened.workspace, settings, emit, edges) as held:
            # A person may have changed the file, and another run the manifest, while this one waited for the lock.
            fresh = opening.read_again(opened, moved_on=held.waited)
            opening.check_source(fresh)
            results = results or results_of(settings, network=True)
            selection = Selection(only=tuple(only), force=force, until_picks=settings.until_picks)
            todo, trouble = _planned(fresh, held.journal, selection, results, edges.now)
            approval = None
            if settings.approved:
                # A plan asks no bucket: what was approved is what it saw, and what a bucket has is not bought.
                here = results_of(settings, network=False)
                seen = planning.planned(fresh, held.journal, selection, here, edges.now)
                approved, approval = approvals.approve(fresh, seen, settings, bound)
                todo = todo.buying_as(approved)
                settings = approvals.limited(settings, todo)
            elif bound is not None:
                todo = saved.check_bound(bound, todo, held.journal)
            recorder.planned(todo)
            session = _Session(fresh, held, settings, emit, edges, results, approval)
            outcome = await session.carry_out(todo, confirm, signals=signals)
            if settings.draft:  # the simulator's credits are nobody's
                outcome.spent = outcome.billed_for_failures = 0.0
            outcome.records = recorder.empty
            recorder.outcome = outcome
            emit(Finished(status=outcome.status, unmet=len(outcome.unmet)))
            if trouble is not None:
                raise trouble
            return outcome


def _planned(
    opened: Opened,
    journal: Journal,
    selection: Selection,
    results: ResultStore | None,
    now: Callable[[], float],
) -> tuple[Plan, StoreFailed | None]:
    """Return the plan; without its purchases where a store does not answer, with what the store said.

    What is not known to be missing is not bought; what is paid for already is collected all the same.
    """
    try:
        return planning.planned(opened, journal, selection, results, now), None
    except StoreFailed as failed:
        failed.hint = (
            "what was paid for is collected; nothing is bought until it answers, or KIEBATCH_STORE is unset"
        )
        todo = planning.planned(opened, journal, selection, None, now)
        return todo.without_purchases(), failed if todo.generate else None


def _new_run_id(edges: Edges) -> str:
    return secrets.token_hex(4) if edges.now is time.time else f"{edges.rng.getrandbits(32):08x}"


def collect_known(
    workspace: Workspace,
    *,
    settings: Settings,
    emit: Callable[[Event], object] = lambda _event: None,
    edges: Edges | None = None,
) -> Outcome | None:
    """Collect what was paid for and is not here, without a scene file that can be read.  Sends nothing.

    None where nothing waits, or where there is no key to ask with.
    """
    with opening.peek(workspace) as journal:
        waiting = journal.attempts(states=("submitted", "lost")) if journal else []
    if not waiting or not settings.api_key:
        return None
    return asyncio.run(_collect_known(workspace, settings, emit, edges or Edges()))


async def _collect_known(
    workspace: Workspace, settings: Settings, emit: Callable[[Event], object], edges: Edges
) -> Outcome:
    async with _held_run(_new_run_id(edges), workspace, settings, emit, edges) as held:
        opened = opening.without_scenes(workspace)
        todo = planning.planned(opened, held.journal, Selection(), None, edges.now)
        results = results_of(settings, network=True)
        session = _Session(opened, held, settings, emit, edges, results)
        return await session.carry_out(todo, None, signals=True)


@dataclass(frozen=True, kw_only=True)
class _HeldRun:
    """A run that holds its film's lock and has its journal open."""

    run_id: str
    journal: Journal
    waited: bool  # for another run, which may have changed everything
    team: Team | None


@contextlib.asynccontextmanager
async def _held_run(
    run_id: str, workspace: Workspace, settings: Settings, emit: Callable[[Event], object], edges: Edges
) -> AsyncIterator[_HeldRun]:
    holder = f"`kiebatch run` (process {os.getpid()} on {socket.gethostname()}, run {run_id})"
    with contextlib.ExitStack() as stack:
        waited = _hold(workspace, holder, emit, stack, wait=settings.wait)
        team = _team(workspace, settings, edges)
        journal = stack.enter_context(
            open_film(
                workspace,
                now=edges.now,
                team=team,
                rebuild=lambda: finding.read_manifest(workspace).assets,
                hook=edges.hook,
                local=edges.open_journal,
            )
        )
        _settle_old(journal, workspace)
        for warning in journal.warnings:
            emit(Noticed(message=warning, level="warning"))
        yield _HeldRun(run_id=run_id, journal=journal, waited=waited, team=team)


def _team(workspace: Workspace, settings: Settings, edges: Edges) -> Team | None:
    """Return whose ledger a run goes by; a draft costs nobody anything."""
    if settings.draft or workspace.draft:
        return None
    return edges.team or team_here(workspace.root, account=settings.account, api_key=settings.api_key)


def _hold(
    workspace: Workspace,
    holder: str,
    emit: Callable[[Event], object],
    stack: contextlib.ExitStack,
    *,
    wait: bool,
) -> bool:
    """Hold the film's lock, saying who holds it before waiting for it; return whether it had to be waited for."""
    files.state_folder(workspace.run_lock.parent)
    try:
        stack.enter_context(files.lock(workspace.run_lock, wait=False, holder=holder))
    except files.Locked as busy:
        if not wait:
            raise
        emit(Noticed(message=f"{busy.message}; waiting for it", level="warning"))
        stack.enter_context(files.lock(workspace.run_lock, wait=True, holder=holder))
        return True
    return False


def _settle_old(journal: Journal, workspace: Workspace) -> None:
    """Settle what a run that died left behind.  Called by who holds the film's lock."""
    if workspace.draft:
        # The simulator of an earlier draft is gone with its tasks; they cost nothing and are drawn again.
        for attempt in journal.attempts(states=("intended", "held", "submitted", "lost")):
            journal.decide(attempt.id, "forget")
        return
    journal.hold_unfinished("the program ended before the provider's answer was written down")


class _Session:
    """Opens the edges of a run, asks for consent, and runs the engine."""

    def __init__(
        self,
        opened: Opened,
        held: _HeldRun,
        settings: Settings,
        emit: Callable[[Event], object],
        edges: Edges,
        results: ResultStore | None,
        approval: Approval | None = None,
    ) -> None:
        self._opened = opened
        self._journal = held.journal
        self._team = held.team
        self._settings = settings
        self._edges = edges
        self._results = results
        self._approval = approval
        self._outcome = Outcome(run_id=held.run_id, strict=settings.strict)
        self._emit_to = emit

    def _emit(self, event: Event) -> None:
        self._outcome.note(event)
        self._emit_to(event)

    async def carry_out(self, todo: Plan, confirm: Confirm | None, *, signals: bool) -> Outcome:
        self._check(todo)
        async with contextlib.AsyncExitStack() as stack:
            context = await self._context(todo, stack)
            balance = await self._balance(todo, context)
            self._consent(todo, balance, confirm)
            self._journal.begin(self._outcome.run_id, self._settings.call_timeout_s)
            engine = self._engine(todo, context, balance)
            await stack.enter_async_context(self._alive(engine))
            await self._listen(todo, engine, stack)
            if signals:
                stack.enter_context(_signals(engine, self._emit))
            try:
                outcome = await engine.run()
                await self._learn(context)
                return outcome
            except asyncio.CancelledError:
                engine.stop.interrupt()
                self._outcome.stopped = engine.stop.cause
                self._outcome.stopped_because = engine.stop.because
                return self._outcome
            finally:
                await context.ledger.drain()

    @contextlib.asynccontextmanager
    async def _alive(self, engine: Engine) -> AsyncIterator[None]:
        """Say every few seconds that this run is alive, where others of the account ask."""
        if self._journal.beat_s is None:
            yield
            return
        beating = asyncio.create_task(self._beat(engine, self._journal.beat_s))
        try:
            yield
        finally:
            beating.cancel()

    async def _beat(self, engine: Engine, beat_s: float) -> None:
        while True:
            await asyncio.sleep(beat_s)
            try:
                await self._edges.offload(self._journal.beat)
            except Fenced as fenced:
                engine.stop.submitting(StopCause.TROUBLE, fenced.message)
                return
            except Refused as away:  # nothing can be claimed meanwhile, and whoever writes waits for it
                self._emit(Noticed(message=away.message, level="warning"))

    async def _learn(self, context: RunContext) -> None:
        """Keep what the jobs of this run were billed."""
        if context.balances.nobodys or not self._outcome.spent:
            return
        await context.ledger.drain()
        account = Account(digest=context.balances.account, host=self._settings.base_url)
        for sentence in pricing.learn(
            self._journal, self._outcome.run_id, self._opened.catalogue, account, self._edges.now()
        ):
            self._emit(Noticed(message=sentence, level="warning"))

    # -- before anything is sent

    def _check(self, todo: Plan) -> None:
        """Refuse what must not begin: a lost journal, a cap that does not suffice, a disk that takes nothing."""
        workspace = self._opened.workspace
        if todo.generate:
            if self._journal.incomplete:
                raise Refused(
                    "the journal does not know all that was sent, so a job might be paid for twice; nothing was sent",
                    hint="look at kie.ai/logs, then `kiebatch resolve --lost-journal` lets the next run go on",
                    code="lost-journal",
                )
            check_budget(todo, self._settings)
        if self._touches(todo):
            files.check_writable(workspace.assets)
            check_key(self._settings)
        if todo.generate:
            check_room(todo, self._opened, self._settings.in_flight)

    def _touches(self, todo: Plan) -> bool:
        """Whether a run asks the provider for anything.  What comes from the disk or a store needs no key."""
        local = (Reason.PAID, Reason.MADE_BEFORE)
        asks = any(e.action is not Action.RESTORE or e.cause not in local or e.attempt for e in todo.work)
        return asks or bool(todo.collect)

    async def _balance(self, todo: Plan, context: RunContext) -> float | None:
        # The balance after an unknown submission is evidence, so it is read although nothing else is to be done.
        evidence = bool(self._settings.api_key) and self._journal.unsettled()
        if not (self._touches(todo) or evidence):
            return None
        try:
            balance = await context.balances.read(attempts=2)  # fail fast when the network is down
        except CallFailed as failure:
            if todo.generate:
                without_balance(failure, self._settings, self._emit)
            return None
        self._journal.balance_seen(balance)
        return balance

    def _consent(self, todo: Plan, balance: float | None, confirm: Confirm | None) -> None:
        if not todo.generate:
            return
        need = todo.reserved()
        if balance is not None and balance < need:
            message = f"the balance is {balance:g} credits and the plan needs up to {need:g}"
            self._emit(Noticed(message=message, level="warning"))
        if confirm is not None and not confirm(Question(plan=todo, balance=balance)):
            raise Refused("not confirmed; nothing was sent", code="no-consent")

    # -- the edges

    async def _context(self, todo: Plan, stack: contextlib.AsyncExitStack) -> RunContext:
        edges, settings, workspace = self._edges, self._settings, self._opened.workspace
        client = await stack.enter_async_context(
            Client(
                settings.api_key,
                settings.base_url,
                settings.upload_url,
                times=_times(settings),
                upload_folder=settings.upload_folder,
                trusted_hosts=self._opened.config.trusted_hosts,
                transport=edges.transport,
                media_transport=edges.media_transport,
                rng=edges.rng,
                sleep=edges.sleep,
                hook=edges.hook,
                exchange=edges.exchange,
            )
        )
        account = settings.account or self._opened.config.account
        digest = account_digest(settings.api_key, settings.base_url, account)
        gate = stack.enter_context(_open_gate(settings, account, edges, self._team))
        ledger = Ledger(self._journal, edges.offload)
        writer = ManifestWriter(
            workspace.manifest_path,
            lock=workspace.write_lock,
            now=edges.now,
            source=workspace.scene_file.name if workspace.scene_file else None,
            store=self._store_of_a_new_film(),
            hook=edges.hook,
        )
        limits = _limits(settings, todo)
        queue, shelf = await open_queue(
            stack,
            folder=workspace.state / "parts",
            client=client,
            offload=edges.offload,
            downloads=limits.downloads,
            team=self._team.url if self._team else "",
            results=self._results,
        )
        return RunContext(
            run_id=self._outcome.run_id,
            workspace=workspace,
            client=client,
            gate=gate,
            reads=Reads(client, gate, settings.poll_rate, self._retries()),
            ledger=ledger,
            balances=Balances(
                client,
                ledger,
                edges.now,
                account="" if workspace.draft else digest,
                run_id=self._outcome.run_id,
            ),
            manifest=Recording(writer, ledger, edges.offload),
            results=self._results,
            whereabouts=Whereabouts(self._opened.manifest, workspace.state),
            queue=queue,
            shelf=shelf,
            limits=limits,
            now=edges.now,
            offload=edges.offload,
            emit=self._emit,
            rng=edges.rng,
            tags=settings.tags,
            approval=self._approval,
            copies_first=lambda url: foreign.is_copied_first(url, self._opened),
        )

    def _store_of_a_new_film(self) -> str | None:
        """Return what a manifest that is begun names as its store; that of an older film is named by `push`."""
        shared = [part.address for part in self._results.parts if part.shared] if self._results else []
        return shared[0] if shared and not self._opened.manifest.assets else None

    def _retries(self) -> RetryBudget:
        return RetryBudget(
            rng=self._edges.rng,
            notice=lambda sentence: self._emit(Noticed(message=sentence, level="warning")),
        )

    def _engine(self, todo: Plan, context: RunContext, balance: float | None) -> Engine:
        opened = self._opened
        return Engine(
            todo,
            context,
            self._outcome,
            References(
                path=opened.local_path,
                digest=lambda path: opened.media[path][0] if path in opened.media else None,
            ),
            past=self._journal.notebook.durations,
            known_good=self._journal.has_succeeded,
            balance=balance,
            checking=Tools(
                local_path=opened.local_path,
                measure=self._edges.measure,
                commands=self._settings.allow_commands or opened.commands_allowed,
            ),
        )

    async def _listen(self, todo: Plan, engine: Engine, stack: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        waits = self._touches(todo) or self._journal.attempts(states=("held",))
        if not (settings.callback_url and settings.listens and waits):
            return
        address = await stack.enter_async_context(
            self._edges.listening(
                settings.listen, engine.heard, key=settings.webhook_key, now=self._edges.now
            )
        )
        unsigned = "" if settings.webhook_key else ", unsigned: set KIE_WEBHOOK_KEY"
        self._emit(Noticed(message=f"taking callbacks at {address}{unsigned}"))


def _times(settings: Settings) -> Times:
    return Times(
        connect_s=settings.connect_timeout_s,
        read_s=settings.read_timeout_s,
        call_s=settings.call_timeout_s,
        download_s=settings.download_timeout_s,
        stall_s=settings.stall_timeout_s,
    )


def _open_gate(settings: Settings, account: str, edges: Edges, team: Team | None) -> BookedGate:
    """Open the books of the account's starts and of the key's reads; they are one book if the account has no name."""
    if team is not None:
        from kiebatch import team as teams  # its driver is loaded where there is a team

        return teams.open_gate(
            team, settings.api_key, offload=edges.offload, sleep=edges.sleep, rng=edges.rng
        )
    reads_path = edges.gate_path or path_for(settings.api_key, settings.base_url)
    path = edges.gate_path or path_for(settings.api_key, settings.base_url, account=account)
    return SqliteGate(path, reads_path, now=edges.now, sleep=edges.sleep, rng=edges.rng)


def _limits(settings: Settings, todo: Plan) -> Limits:
    stop_on_overcharge = settings.stop_on_overcharge
    if stop_on_overcharge is None:
        stop_on_overcharge = todo.reserved() > OVERCHARGE_FROM
    return Limits(
        rate=settings.rate,
        poll_rate=settings.poll_rate,
        in_flight=settings.in_flight,
        order=settings.order,
        max_credits=settings.cap,
        canary=settings.canary and not settings.draft,
        stop_on_overcharge=stop_on_overcharge,
        patience=Patience(interval_s=settings.poll_interval_s, timeout_s=settings.timeout_s),
        expected_scale=settings.expected_scale,
        callback_url=settings.callback_url,
        download_s=settings.download_timeout_s,
        net_s=_NET * settings.poll_interval_s if settings.callback_url and settings.listens else None,
    )


@contextlib.contextmanager
def _signals(engine: Engine, emit: Callable[[Event], object]) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a graceful stop, and the second into leaving at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def stop() -> None:
        if engine.stop.cause is StopCause.INTERRUPTED and task:
            task.cancel()
            return
        engine.stop.interrupt()
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
