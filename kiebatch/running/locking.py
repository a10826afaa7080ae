"""Takes a film for one run alone: its lock, its journal, and what a run that died left behind."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from kiebatch import files
from kiebatch.project import finding, open_film, team_here
from kiebatch.record import Journal
from kiebatch.running.edges import Edges
from kiebatch.running.events import Event, Noticed
from kiebatch.settings import Settings
from kiebatch.team import Team
from kiebatch.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class TakenFilm:
    """A film whose lock a run holds, and whose journal it has open."""

    run_id: str
    journal: Journal
    waited: bool  # for another run, which may have changed everything
    team: Team | None


@contextlib.asynccontextmanager
async def film_taken(
    run_id: str, workspace: Workspace, settings: Settings, emit: Callable[[Event], object], edges: Edges
) -> AsyncIterator[TakenFilm]:
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
        yield TakenFilm(run_id=run_id, journal=journal, waited=waited, team=team)


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
