"""Opens what a run needs (journal, gate, client, manifest), carries out a plan, and closes it again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import secrets
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

import httpx

from kiebatch import files
from kiebatch.errors import Refused
from kiebatch.model import JSON, Request
from kiebatch.planning import Plan, Selection, planning, saved
from kiebatch.project import Opened, finding, opening
from kiebatch.provider import CallFailed, Client, SqliteGate, Times, callbacks, no_hook, path_for
from kiebatch.provider.policy import Answer
from kiebatch.record import Hook, Journal, ManifestWriter, ResultCache, open_journal
from kiebatch.running.budget import check_budget, check_key
from kiebatch.running.collecting import Offload
from kiebatch.running.engine import Engine
from kiebatch.running.events import Event, Finished, Noticed
from kiebatch.running.outcome import Limits, Outcome
from kiebatch.running.recorder import Recorder
from kiebatch.running.watching import Patience
from kiebatch.settings import Settings, SettingsOptions
from kiebatch.workspace import Workspace

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
    open_journal: Callable[..., Journal] = open_journal
    gate_path: Path | str | None = None
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
    edges: Edges | None = None,
    **options: Unpack[SettingsOptions],
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
    settings: Settings | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
    confirm: Confirm | None = None,
    bound: Mapping[str, JSON] | None = None,
    edges: Edges | None = None,
    signals: bool = False,
    **options: Unpack[SettingsOptions],
) -> Outcome:
    """`run`, for callers with an event loop of their own."""
    settings = replace(settings or Settings(), **options)
    edges = edges or Edges()
    workspace = opened.workspace
    run_id = secrets.token_hex(4) if edges.now is time.time else f"{edges.rng.getrandbits(32):08x}"
    holder = f"`kiebatch run` (process {os.getpid()} on {socket.gethostname()}, run {run_id})"
    recorder = Recorder(opened, settings, run_id, edges.now)
    emit, edges = recorder.listening(emit), replace(edges, exchange=recorder.exchange)
    with (
        recorder,
        _held_project(workspace, holder, emit, wait=settings.wait),
        edges.open_journal(
            workspace.journal_path, now=edges.now, hook=edges.hook, rebuild=lambda: opened.manifest.assets
        ) as journal,
    ):
        for warning in journal.warnings:
            emit(Noticed(message=warning, level="warning"))
        _settle_old(journal, workspace)
        # Another run may have worked here while we waited for the lock.
        opened = dataclasses.replace(opened, manifest=finding.read_manifest(workspace))
        opening.check_source(opened)
        store = ResultCache(settings.cache) if settings.cache else None
        selection = Selection(only=tuple(only), force=force, until_picks=settings.until_picks)
        todo = planning.decide(opened, journal, selection, store, edges.now)
        if bound is not None:
            saved.check_bound(bound, todo, opened, journal)
        recorder.planned(todo)
        outcome = await _carry_out(
            opened, todo, journal, store, settings, emit, confirm, edges, run_id, signals=signals
        )
        if settings.draft:  # the simulator's credits are nobody's
            outcome.spent = outcome.billed_for_failures = 0.0
        recorder.outcome = outcome
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
    store: ResultCache | None,
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
            journal.told()
            raise Refused(
                "the journal was damaged and could not be read whole, so a task may be on its way that is not "
                "known any more; nothing was sent",
                hint="look at kie.ai/logs, then run again: the next run goes on without what was lost",
            )
        check_budget(todo, settings)
    if touches:
        files.check_writable(workspace.assets)
        check_key(settings)
    source = workspace.scene_file.name if workspace.scene_file else None
    record = ManifestWriter(
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
                times=_times(settings),
                upload_folder=settings.upload_folder,
                trusted_hosts=opened.config.trusted_hosts,
                transport=edges.transport,
                media_transport=edges.media_transport,
                rng=edges.rng,
                sleep=edges.sleep,
                hook=edges.hook,
                exchange=edges.exchange,
            )
        )
        gate = stack.enter_context(_open_gate(settings, settings.account or opened.config.account, edges))
        balance = None
        if touches or evidence:
            try:
                balance = await client.balance(attempts=2)  # who is offline hears so within seconds
            except CallFailed as failure:
                if sends:
                    _without_balance(failure, settings, emit)
            else:
                journal.balance_seen(balance)
        if sends:
            need = todo.reserved()
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
            rng=edges.rng,
        )
        if settings.callback_url and settings.listens and (touches or journal.attempts(states=("held",))):
            address = await stack.enter_async_context(
                callbacks.listening(settings.listen, engine.heard, key=settings.webhook_key, now=edges.now)
            )
            unsigned = "" if settings.webhook_key else ", unsigned: set KIE_WEBHOOK_KEY"
            emit(Noticed(message=f"taking callbacks at {address}{unsigned}"))
        if signals:
            stack.enter_context(_signals(engine, emit))
        try:
            return await engine.run()
        except asyncio.CancelledError:
            engine.stop_submitting("interrupted", "interrupted")
            engine.outcome.stopped = "interrupted"
            return engine.outcome


def _without_balance(failure: CallFailed, settings: Settings, emit: Callable[[Event], object]) -> None:
    """Go on without knowing the balance only where the provider answers and the user has named a cap."""
    if failure.code != "no-balance":
        raise Refused(
            f"the provider cannot be reached: {failure.message}",
            hint=f"nothing was sent; {failure.hint or 'run again later'}",
        ) from None
    if settings.max_credits is None:
        raise Refused(
            f"the balance is not known: {failure.message}; nothing was sent",
            hint="--max-credits N lets the run go without it, up to that cap",
        ) from None
    emit(
        Noticed(
            message=f"the balance is not known ({failure.message}); going on up to the cap of "
            f"{settings.max_credits:g} credits",
            level="warning",
        )
    )


def _times(settings: Settings) -> Times:
    return Times(
        connect_s=settings.connect_timeout_s,
        read_s=settings.read_timeout_s,
        call_s=settings.call_timeout_s,
        download_s=settings.download_timeout_s,
    )


def _open_gate(settings: Settings, account: str, edges: Edges) -> SqliteGate:
    """Open the books of the account's starts and of the key's reads; they are one book if the account has no name."""
    reads_path = edges.gate_path or path_for(settings.api_key, settings.base_url)
    path = edges.gate_path or path_for(settings.api_key, settings.base_url, account=account)
    return SqliteGate(path, reads_path, now=edges.now, sleep=edges.sleep, rng=edges.rng)


def _limits(settings: Settings) -> Limits:
    return Limits(
        rate=settings.rate,
        poll_rate=settings.poll_rate,
        in_flight=settings.in_flight,
        order=settings.order,
        max_credits=settings.cap,
        canary=settings.canary and not settings.draft,
        patience=Patience(interval_s=settings.poll_interval_s, timeout_s=settings.timeout_s),
        expected_scale=settings.expected_scale,
        callback_url=settings.callback_url,
        net_s=_NET * settings.poll_interval_s if settings.callback_url and settings.listens else None,
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
