"""Begins a run and ends it: takes the film, plans, asks for consent, carries out, and keeps what was learnt."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

from kiebatch import files
from kiebatch.errors import Refused
from kiebatch.model import JSON
from kiebatch.planning import Action, Approval, Plan, Reason, Selection, approvals, planning, saved
from kiebatch.project import Opened, opening
from kiebatch.project.billed import Account
from kiebatch.provider import (
    CallFailed,
)
from kiebatch.record import (
    Fenced,
    Journal,
    ResultStore,
    StoreFailed,
    results_of,
)
from kiebatch.running import pricing
from kiebatch.running.balances import without_balance
from kiebatch.running.budget import check_budget, check_key, check_room
from kiebatch.running.context import RunContext
from kiebatch.running.edges import Edges
from kiebatch.running.engine import Engine
from kiebatch.running.events import Event, Finished, Noticed
from kiebatch.running.locking import TakenFilm, film_taken
from kiebatch.running.outcome import Outcome
from kiebatch.running.recorder import Recorder
from kiebatch.running.stop import StopCause, stopped_by_signals
from kiebatch.running.wiring import Wiring
from kiebatch.settings import Settings, SettingsOptions
from kiebatch.workspace import Workspace


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
    run_id = edges.new_run_id()
    with Recorder(opened, settings, run_id, edges.now) as recorder:
        emit, edges = recorder.listening(emit), replace(edges, exchange=recorder.exchange)
        async with film_taken(run_id, opened.workspace, settings, emit, edges) as film:
            # A person may have changed the file, and another run the manifest, while this one waited for the lock.
            fresh = opening.read_again(opened, moved_on=film.waited)
            opening.check_source(fresh)
            results = results or results_of(settings, network=True)
            selection = Selection(only=tuple(only), force=force, until_picks=settings.until_picks)
            todo, trouble = _planned(fresh, film.journal, selection, results, edges.now)
            approval = None
            if settings.approved:
                # A plan asks no bucket: what was approved is what it saw, and what a bucket has is not bought.
                here = results_of(settings, network=False)
                seen = planning.planned(fresh, film.journal, selection, here, edges.now)
                approved, approval = approvals.approve(fresh, seen, settings, bound)
                todo = todo.buying_as(approved)
                settings = approvals.limited(settings, todo)
            elif bound is not None:
                todo = saved.check_bound(bound, todo, film.journal)
            recorder.planned(todo)
            session = _Session(fresh, film, settings, emit, edges, results, approval)
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
    waiting = opening.attempts_of(workspace, ("submitted", "lost"))
    if not waiting or not settings.api_key:
        return None
    return asyncio.run(_collect_known(workspace, settings, emit, edges or Edges()))


async def _collect_known(
    workspace: Workspace, settings: Settings, emit: Callable[[Event], object], edges: Edges
) -> Outcome:
    async with film_taken(edges.new_run_id(), workspace, settings, emit, edges) as film:
        opened = opening.without_scenes(workspace)
        todo = planning.planned(opened, film.journal, Selection(), None, edges.now)
        results = results_of(settings, network=True)
        session = _Session(opened, film, settings, emit, edges, results)
        return await session.carry_out(todo, None, signals=True)


class _Session:
    """Sees one plan through: what must not begin, consent, the engine, and what was learnt."""

    def __init__(
        self,
        opened: Opened,
        film: TakenFilm,
        settings: Settings,
        emit: Callable[[Event], object],
        edges: Edges,
        results: ResultStore | None,
        approval: Approval | None = None,
    ) -> None:
        self._opened = opened
        self._journal = film.journal
        self._settings = settings
        self._edges = edges
        self._outcome = Outcome(run_id=film.run_id, strict=settings.strict)
        self._emit_to = emit
        self._wiring = Wiring(
            opened=opened,
            film=film,
            settings=settings,
            edges=edges,
            results=results,
            approval=approval,
            outcome=self._outcome,
            emit=self._emit,
        )

    def _emit(self, event: Event) -> None:
        self._outcome.note(event)
        self._emit_to(event)

    async def carry_out(self, todo: Plan, confirm: Confirm | None, *, signals: bool) -> Outcome:
        self._check(todo)
        async with contextlib.AsyncExitStack() as stack:
            context = await self._wiring.context(todo, stack)
            balance = await self._balance(todo, context)
            self._consent(todo, balance, confirm)
            self._journal.begin(self._outcome.run_id, self._settings.call_timeout_s)
            engine = self._wiring.engine(todo, context, balance)
            await stack.enter_async_context(self._alive(engine))
            await self._listen(todo, engine, stack)
            if signals:
                stack.enter_context(stopped_by_signals(engine.stop, self._emit))
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
