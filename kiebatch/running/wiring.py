"""Puts the parts of a run together: client, gate, ledger, manifest, queue, and the engine over them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from kiebatch.planning import Approval, Plan
from kiebatch.project import Opened, foreign
from kiebatch.provider import BookedGate, Client, Reads, RetryBudget, SqliteGate, Times, path_for
from kiebatch.record import Ledger, ManifestWriter, ResultStore, Whereabouts
from kiebatch.running.balances import Balances
from kiebatch.running.binding import References
from kiebatch.running.checking import Tools
from kiebatch.running.context import RunContext
from kiebatch.running.edges import Edges
from kiebatch.running.engine import Engine, Experience
from kiebatch.running.events import Event, Noticed
from kiebatch.running.locking import TakenFilm
from kiebatch.running.outcome import Limits, Outcome
from kiebatch.running.queues import open_queue
from kiebatch.running.recording import Recording
from kiebatch.running.watching import Patience
from kiebatch.settings import OVERCHARGE_FROM, Settings
from kiebatch.workspace import account_digest

_NET = 30  # with callbacks, a task is read so many poll intervals apart: once a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the parts of one run are made from."""

    opened: Opened
    film: TakenFilm
    settings: Settings
    edges: Edges
    results: ResultStore | None
    approval: Approval | None
    outcome: Outcome
    emit: Callable[[Event], object]

    async def context(self, todo: Plan, stack: contextlib.AsyncExitStack) -> RunContext:
        """Return the open edges of the run; `stack` closes them."""
        edges, settings, workspace = self.edges, self.settings, self.opened.workspace
        client = await stack.enter_async_context(self._client())
        gate = stack.enter_context(self._gate())
        ledger = Ledger(self.film.journal, edges.offload)
        limits = _limits(settings, todo)
        queue, shelf = await open_queue(
            stack,
            folder=workspace.state / "parts",
            client=client,
            offload=edges.offload,
            downloads=limits.downloads,
            team=self.film.team.url if self.film.team else "",
            results=self.results,
        )
        return RunContext(
            run_id=self.film.run_id,
            workspace=workspace,
            client=client,
            gate=gate,
            reads=Reads(client, gate, settings.poll_rate, self._retries()),
            ledger=ledger,
            balances=self._balances(client, ledger),
            manifest=Recording(self._writer(), ledger, edges.offload),
            results=self.results,
            whereabouts=Whereabouts(self.opened.manifest, workspace.state),
            queue=queue,
            shelf=shelf,
            limits=limits,
            now=edges.now,
            offload=edges.offload,
            emit=self.emit,
            rng=edges.rng,
            tags=settings.tags,
            approval=self.approval,
            copies_first=lambda url: foreign.is_copied_first(url, self.opened),
        )

    def engine(self, todo: Plan, context: RunContext, balance: float | None) -> Engine:
        opened, journal = self.opened, self.film.journal
        return Engine(
            todo,
            context,
            self.outcome,
            References(
                path=opened.local_path,
                digest=lambda path: opened.media[path][0] if path in opened.media else None,
            ),
            experience=Experience(journal.notebook.durations, journal.has_succeeded),
            balance=balance,
            checking=Tools(
                local_path=opened.local_path,
                measure=self.edges.measure,
                commands=self.settings.allow_commands or opened.commands_allowed,
            ),
        )

    @property
    def _account(self) -> str:
        """The name of the account; empty where nobody named one."""
        return self.settings.account or self.opened.config.account

    def _client(self) -> Client:
        edges, settings = self.edges, self.settings
        return Client(
            settings.api_key,
            settings.base_url,
            settings.upload_url,
            times=_times(settings),
            upload_folder=settings.upload_folder,
            trusted_hosts=self.opened.config.trusted_hosts,
            transport=edges.transport,
            media_transport=edges.media_transport,
            rng=edges.rng,
            sleep=edges.sleep,
            hook=edges.hook,
            exchange=edges.exchange,
        )

    def _gate(self) -> BookedGate:
        """Open the books of the account's starts and of the key's reads; they are one book if the account has no name."""
        edges, settings = self.edges, self.settings
        if self.film.team is not None:
            from kiebatch import team as teams  # its driver is loaded where there is a team

            return teams.open_gate(
                self.film.team, settings.api_key, offload=edges.offload, sleep=edges.sleep, rng=edges.rng
            )
        reads_path = edges.gate_path or path_for(settings.api_key, settings.base_url)
        path = edges.gate_path or path_for(settings.api_key, settings.base_url, account=self._account)
        return SqliteGate(path, reads_path, now=edges.now, sleep=edges.sleep, rng=edges.rng)

    def _balances(self, client: Client, ledger: Ledger) -> Balances:
        settings = self.settings
        digest = account_digest(settings.api_key, settings.base_url, self._account)
        return Balances(
            client,
            ledger,
            self.edges.now,
            account="" if self.opened.workspace.draft else digest,
            run_id=self.film.run_id,
        )

    def _writer(self) -> ManifestWriter:
        workspace = self.opened.workspace
        return ManifestWriter(
            workspace.manifest_path,
            lock=workspace.write_lock,
            now=self.edges.now,
            source=workspace.scene_name or None,
            store=self._store_of_a_new_film(),
            hook=self.edges.hook,
        )

    def _store_of_a_new_film(self) -> str | None:
        """Return what a manifest that is begun names as its store; that of an older film is named by `push`."""
        shared = [part.address for part in self.results.parts if part.shared] if self.results else []
        return shared[0] if shared and not self.opened.manifest.assets else None

    def _retries(self) -> RetryBudget:
        return RetryBudget(
            rng=self.edges.rng,
            notice=lambda sentence: self.emit(Noticed(message=sentence, level="warning")),
        )


def _times(settings: Settings) -> Times:
    return Times(
        connect_s=settings.connect_timeout_s,
        read_s=settings.read_timeout_s,
        call_s=settings.call_timeout_s,
        download_s=settings.download_timeout_s,
        stall_s=settings.stall_timeout_s,
    )


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
