"""The journal, written off the event loop: what comes while a commit runs goes into the next one.

Every call is durable when it returns.  All of a run's use of its journal goes through one queue, so that the loop
never waits for a disk or a server, and one commit serves all jobs that came meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from kiebatch.model import JSON, Attempt, Output, Slot
from kiebatch.record.journal import Journal, SavedOutput
from kiebatch.record.ledger import Claimed, Intent, NoRoom, Taken

T = TypeVar("T")
P = ParamSpec("P")


class Offload(Protocol):
    """Runs work away from the loop; in simulated time it runs it in place."""

    async def __call__(self, work: Callable[P, T], /, *args: P.args, **named: P.kwargs) -> T: ...


@dataclass(slots=True)
class _Wish:
    work: Callable[[], Any]
    done: asyncio.Future[Any]
    calls: int  # of the journal


class Ledger:
    """A journal behind one writer."""

    def __init__(self, journal: Journal, offload: Offload) -> None:
        self._journal = journal
        self._offload = offload
        self._waiting: list[_Wish] = []
        self._recorded: list[int] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def claims_first(self) -> bool:
        return self._journal.claims_first

    # -- attempts, in the order of a job's life

    async def claim(self, intent: Intent) -> Claimed | Taken | NoRoom:
        return await self._call(self._journal.claim, intent)

    async def intended(self, attempt: int) -> float:
        return await self._call(self._journal.intended, attempt)

    async def submitted(self, attempt: int, task_id: str, outputs: Sequence[Output] = ()) -> None:
        await self._call(self._journal.submitted, attempt, task_id, outputs)

    async def refused(self, attempt: int, code: str, message: str, *, retryable: bool = True) -> None:
        await self._call(self._journal.refused, attempt, code, message, retryable=retryable)

    async def held(self, attempt: int, reason: str, balance: float | None = None) -> None:
        await self._call(self._journal.held, attempt, reason, balance)

    async def failed(
        self, attempt: int, code: str, message: str, *, retryable: bool, billed: bool | None
    ) -> None:
        await self._call(self._journal.failed, attempt, code, message, retryable=retryable, billed=billed)

    async def lost(self, attempt: int, code: str, message: str) -> None:
        await self._call(self._journal.lost, attempt, code, message)

    async def seen(self, attempt: int, state: str) -> None:
        await self._call(self._journal.seen, attempt, state)

    async def outputs(
        self, attempt: int, outputs: Sequence[Output], credits: float | None = None
    ) -> list[SavedOutput]:
        """Write down where a task's outputs lie; return all that is known of them."""

        def both() -> list[SavedOutput]:
            self._journal.outputs(attempt, outputs, credits)
            return self._journal.outputs_of(attempt)

        return await self._ask(both, calls=2)

    async def saved(self, attempt: int, entries: Mapping[int, Mapping[str, JSON]]) -> None:
        """Write down that all outputs are in their places, with what their manifest entries will say."""

        def all_of_them() -> None:
            for number, entry in entries.items():
                self._journal.asset(attempt, number, entry)
            self._journal.saved(attempt)

        await self._ask(all_of_them, calls=len(entries) + 1)

    def recorded(self, attempts: Iterable[int]) -> None:
        """Note that the manifest on the disk holds these attempts' assets: written with what comes next, or by `drain`.

        Where it is lost, the next run finds them in the manifest.
        """
        self._recorded.extend(attempts)

    async def decide(self, attempt: int, decision: str, task_id: str | None = None) -> None:
        await self._call(self._journal.decide, attempt, decision, task_id)

    async def settle(self, task_ids: Iterable[str], *, billed: bool) -> None:
        await self._call(self._journal.settle, list(task_ids), billed=billed)

    # -- questions

    async def attempt(self, number: int) -> Attempt:
        return await self._call(self._journal.attempt, number)

    async def find(self, contents: Sequence[str]) -> list[Attempt]:
        """Return the attempts of some contents; see `Journal.find`."""
        return await self._call(self._journal.find, contents)

    async def attempts(self, *, states: Sequence[str] = (), scene: str | None = None) -> list[Attempt]:
        return await self._call(self._journal.attempts, states=states, scene=scene)

    async def outputs_of(self, attempt: int) -> list[SavedOutput]:
        return await self._call(self._journal.outputs_of, attempt)

    async def outputs_of_task(self, task_id: str) -> list[SavedOutput]:
        return await self._call(self._journal.outputs_of_task, task_id)

    async def attempt_of_task(self, task_id: str) -> Attempt | None:
        return await self._call(self._journal.attempt_of_task, task_id)

    async def news(self, attempts: Iterable[int]) -> list[int]:
        return await self._call(self._journal.news, list(attempts))

    async def spent_by_others(self, run_id: str) -> float:
        return await self._call(self._journal.spent_by_others, run_id)

    async def adopt(self, attempt: int, slot: Slot) -> bool:
        return await self._call(self._journal.adopt, attempt, slot)

    # -- the notebook

    async def upload(self, sha256: str, host: str, *, max_age_s: float) -> str | None:
        return await self._call(self._journal.notebook.upload, sha256, host, max_age_s=max_age_s)

    async def uploaded(self, sha256: str, host: str, url: str) -> None:
        await self._call(self._journal.notebook.uploaded, sha256, host, url)

    async def forget_upload(self, url: str) -> None:
        await self._call(self._journal.notebook.forget_upload, url)

    async def took(self, model: str, seconds: float) -> None:
        await self._call(self._journal.notebook.took, model, seconds)

    async def said_cost(self, attempt: int, credits: float) -> None:
        await self._call(self._journal.notebook.said_cost, attempt, credits)

    async def balance_read(self, balance: float, *, asked_at: float, account: str, run_id: str) -> None:
        await self._call(
            self._journal.notebook.balance_read, balance, asked_at=asked_at, account=account, run_id=run_id
        )

    # -- the one queue

    def _call(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> Awaitable[T]:
        return self._ask(lambda: work(*args, **named))

    async def _ask(self, work: Callable[[], T], *, calls: int = 1) -> T:
        loop = asyncio.get_running_loop()
        wish = _Wish(work, loop.create_future(), calls)
        self._waiting.append(wish)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        # Whoever leaves early must not take the write with them: it may be an answer that was paid for.
        result: T = await asyncio.shield(wish.done)
        return result

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = [*self._waiting, *self._along()], []
            try:
                answers = await self._offload(self._carry_out, batch)
            except BaseException as error:  # nobody may wait for ever, whatever ended the writing
                answers = [(None, error)] * len(batch)
            for wish, (result, failure) in zip(batch, answers, strict=True):
                if wish.done.done():
                    continue
                if failure is not None:
                    wish.done.set_exception(failure)
                else:
                    wish.done.set_result(result)

    def _along(self) -> list[_Wish]:
        """Return what nobody waits for and what is written with the rest."""
        ids, self._recorded = self._recorded, []
        if not ids:
            return []
        wish = _Wish(lambda: self._journal.recorded(ids), asyncio.get_running_loop().create_future(), 1)
        wish.done.add_done_callback(lambda done: self._recorded.extend(ids if done.exception() else ()))
        return [wish]

    def _carry_out(self, batch: Sequence[_Wish]) -> list[tuple[Any, BaseException | None]]:
        """Do a batch in one transaction; where one of it fails, each on its own, so that it fails alone."""
        if len(batch) > 1 or batch[0].calls > 1:
            with contextlib.suppress(Exception), self._journal.together():
                return [(wish.work(), None) for wish in batch]
        return [_tried(wish.work) for wish in batch]

    async def drain(self) -> None:
        """Wait until nothing waits to be written."""
        if self._recorded:
            ids, self._recorded = self._recorded, []
            await self._call(self._journal.recorded, ids)
        while self._worker is not None and not self._worker.done():
            await asyncio.shield(self._worker)


def _tried(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:
        return None, error
