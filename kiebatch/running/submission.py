"""Sends jobs: one at a time in order, within the rate, each written down before it leaves and after it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from kiebatch.addresses import STATUS_PAGE
from kiebatch.errors import KieBatchError, plain
from kiebatch.model import Attempt, Done, Job, Slot, job_record
from kiebatch.provider import Booking, callbacks, families, policy
from kiebatch.provider.policy import SubmitVerdict
from kiebatch.record import Claimed, Intent, Key, NoRoom, Taken, TaskKnown
from kiebatch.running.binding import Binder, Bound
from kiebatch.running.events import Noticed
from kiebatch.running.state import RunState
from kiebatch.running.stop import StopCause, Unsent

_GRACE_S = 0.5  # grace period for an in-flight reply on the second Ctrl-C
_AWAKE: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # goes on while the machine sleeps
_FRESH = 0.02  # fraction of the rate window after which a booked start is stale


class Turnstile:
    """Lets one in at a time, the lowest rank first."""

    def __init__(self) -> None:
        self._busy = False
        self._came = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        if self._busy:
            self._came += 1
            ours = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (rank, self._came, ours))
            try:
                await ours
            except BaseException:
                if ours.done() and not ours.cancelled():
                    self._next()
                raise
        self._busy = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        self._busy = False
        while self._waiting:
            _, _, first = heapq.heappop(self._waiting)
            if not first.done():
                self._busy = True
                first.set_result(None)
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job to be sent: its place in the order, its number among jobs of equal content, and what was known of it."""

    slot: Slot
    job: Job
    endpoint: families.Endpoint
    rank: int
    twin: int
    seen: int | None = None  # `Intent.seen`
    forced: bool = False  # `Intent.forced`


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a submission: the attempt, the verdict, and the request with its final fingerprint."""

    attempt: int
    verdict: SubmitVerdict
    bound: Bound
    twin: int
    edition: int


@dataclass(frozen=True, slots=True)
class _Ready:
    """A job that may leave now: its attempt, what that is of its key, and its start."""

    attempt: int
    edition: int
    twin: int
    booking: Booking


def _awake_s() -> float:
    """Return seconds on a clock that nobody sets."""
    return time.clock_gettime(_AWAKE) if _AWAKE is not None else time.monotonic()


class Submitter:
    """The one place that submits."""

    def __init__(self, run: RunState, binder: Binder) -> None:
        self._context = run.context
        self._stop = run.stop
        self._spending = run.spending
        self._canaries = run.canaries
        self._binder = binder
        self._turnstile = Turnstile()
        self._refused_since: float | None = None
        self._closed_until = 0.0  # the loop's time until which the provider is left in peace
        self._closings = 0  # in a row

    async def submit(self, order: Order, bound: Bound) -> Sent | Attempt:
        """Send a job until it is taken, refused or unknown.

        Returns the other attempt where the same content is on its way already.  `Unsent` when the run stops first.
        """
        approval = self._context.approval
        if approval is not None and not approval.covers(order.job, bound.fingerprint):
            raise Unsent("it is not what was approved")
        renewed = False
        while True:
            ready = await self._ready(order, bound)
            if isinstance(ready, Attempt):
                return ready
            verdict = await self._send(order, ready.attempt, bound)
            if verdict.reply is not None:
                await self._context.gate.answered(
                    ready.booking, refused=verdict.too_fast, retry_after_s=verdict.retry_after_s
                )
            sent = Sent(
                attempt=ready.attempt, verdict=verdict, bound=bound, twin=ready.twin, edition=ready.edition
            )
            if verdict.kind in ("accepted", "unknown"):
                return sent
            if verdict.kind == "later":
                self._wait_out(verdict)
                continue
            if verdict.could_not_fetch and bound.renewable:
                await self._binder.forget_addresses(order.job)
                if not renewed:
                    renewed = True
                    bound = await self._binder.bind(order.job)
                    continue
            return sent

    async def _ready(self, order: Order, bound: Bound) -> _Ready | Attempt:
        """Claim the job and book a start for it; return the other attempt where its key is taken."""
        if self._context.ledger.claims_first:
            return await self._claim_first(order, bound)
        async with self._turnstile.turn(order.rank):
            booking, booked_at = await self._book(order)
        claimed, twin = await self._claim(order, bound)
        if isinstance(claimed, Taken):
            return claimed.by
        if not self._is_fresh(booked_at):
            booking = await self._book_again(claimed.attempt)
        return _Ready(claimed.attempt, claimed.edition, twin, booking)

    async def _claim_first(self, order: Order, bound: Bound) -> _Ready | Attempt:
        async with self._turnstile.turn(order.rank):
            await self._stop.or_stopped(asyncio.sleep(0))
            claimed, twin = await self._claim(order, bound)
            if isinstance(claimed, Taken):
                return claimed.by
            try:
                booking = await self._cleared(order, claimed.attempt)
            except (Unsent, asyncio.CancelledError) as unsent:
                reason = unsent.reason if isinstance(unsent, Unsent) else "interrupted"
                await self._context.ledger.refused(claimed.attempt, "not-sent", reason)
                raise
        return _Ready(claimed.attempt, claimed.edition, twin, booking)

    async def _cleared(self, order: Order, attempt: int) -> Booking:
        """Book a start for a claimed job and write its intent, so that both are fresh when it leaves.

        A start that passed while the intent was written is booked again; the intent is good for longer.
        """
        good_until_s = 0.0
        while True:
            booking, booked_at = await self._book(order)
            if _awake_s() >= good_until_s:
                began_s = _awake_s()
                good_until_s = began_s + await self._context.ledger.intended(attempt)
            if self._is_fresh(booked_at) and _awake_s() < good_until_s:
                return booking

    def _is_fresh(self, booked_at: float) -> bool:
        age_s = asyncio.get_running_loop().time() - booked_at
        return age_s <= _FRESH * self._context.limits.rate.window_s

    async def _book(self, order: Order) -> tuple[Booking, float]:
        """Wait for a start in the rate window, in the job's turn; return it with the loop's time then."""
        loop = asyncio.get_running_loop()
        await self._stop.or_stopped(asyncio.sleep(self._closed_until - loop.time()))
        booking = await self._stop.or_stopped(self._context.gate.start(self._context.limits.rate))
        paused = self._canaries.paused(order.job.model)
        if paused:
            raise Unsent(paused)
        return booking, loop.time()

    async def _claim(self, order: Order, bound: Bound) -> tuple[Claimed | Taken, int]:
        """Claim the job's key; return what came of it and the twin that it was claimed for.

        A job of this run with the same content that the plan could not see is a twin: a purchase of its own.
        """
        twin = order.twin
        while True:
            claimed = await self._context.ledger.claim(self._intent(order, bound, twin))
            if isinstance(claimed, NoRoom):
                because = f"the account's cap of {claimed.cap:g} credits is reached"
                self._stop.submitting(StopCause.BUDGET, because)
                raise Unsent(because)
            if isinstance(claimed, Claimed):
                return claimed, twin
            other = claimed.by
            if other.run_id != self._context.run_id or other.slot == order.slot:
                return claimed, twin
            twin += 1

    def _intent(self, order: Order, bound: Bound, twin: int) -> Intent:
        approval = self._context.approval
        record = job_record(order.job, bound.made_from)
        if approval is not None:
            record |= approval.record(order.slot)
        return Intent(
            run_id=self._context.run_id,
            slot=order.slot,
            key=Key(bound.fingerprint, order.slot.take, twin),
            model=order.job.model,
            family=order.job.family,
            job=record,
            credits=order.job.price.amount,
            balance=self._spending.expected_balance,
            reserved=order.job.price.reserved or 0.0,
            seen=order.seen,
            forced=order.forced,
        )

    async def _book_again(self, attempt: int) -> Booking:
        """Take another start: writing the intent took so long that the one that was booked has passed."""
        try:
            return await self._stop.or_stopped(self._context.gate.start(self._context.limits.rate))
        except Unsent as unsent:
            await self._context.ledger.refused(attempt, "not-sent", unsent.reason)
            raise

    async def _send(self, order: Order, attempt: int, bound: Bound) -> SubmitVerdict:
        """Send one request and write its outcome down before anything else is done with it."""
        address = self._context.limits.callback_url
        if (
            address and self._context.limits.net_s is not None
        ):  # a receiver of the user's own gets its own address
            address = callbacks.url_for(address, callbacks.token_for(self._context.run_id, attempt))
        request = order.endpoint.request(order.job.model, bound.input, address)
        sending = asyncio.ensure_future(
            self._context.client.submit(request, lambda reply: order.endpoint.task(reply, bound.input))
        )
        try:
            verdict = await asyncio.shield(sending)
        except asyncio.CancelledError:
            # The user leaves at once.  An answer that comes too late leaves the intent: held by the next run.
            await asyncio.wait({sending}, timeout=_GRACE_S)
            if sending.done() and not sending.cancelled() and sending.exception() is None:
                await self._write_down(order, attempt, sending.result())
            sending.cancel()
            raise
        return await self._write_down(order, attempt, verdict)

    async def _write_down(self, order: Order, attempt: int, verdict: SubmitVerdict) -> SubmitVerdict:
        """Write an answer into the ledger; return it, or what it is worth where it cannot be true."""
        ledger = self._context.ledger
        if verdict.kind == "accepted" and verdict.task_id is not None:
            return await self._accepted(order, attempt, verdict, verdict.task_id)
        if verdict.kind == "unknown":
            await ledger.held(attempt, verdict.held_because)
        else:
            await ledger.refused(attempt, verdict.code, verdict.message, retryable=verdict.retryable)
        return verdict

    async def _accepted(
        self, order: Order, attempt: int, verdict: SubmitVerdict, task_id: str
    ) -> SubmitVerdict:
        endpoint = order.endpoint
        status = endpoint.status(verdict.reply) if endpoint.at_once and verdict.reply else None
        outputs = status.outputs if isinstance(status, Done) else ()
        try:
            await self._context.ledger.submitted(attempt, task_id, outputs)
        except TaskKnown as known:
            # The provider gave us a task that is another slot's.  Whether this one was charged nobody knows.
            message = (
                f"the provider named the task {plain(task_id)}, which is that of {known.owner.slot} already"
            )
            await self._context.ledger.held(attempt, message)
            self._context.emit(Noticed(message=f"{order.slot}: {message}", level="warning"))
            return replace(verdict, kind="unknown", code="known-task", message=message, task_id=None)
        except KieBatchError:
            way_out = f"`kiebatch resolve {order.slot} --task-id {plain(task_id)}`"
            self._context.emit(
                Noticed(
                    message=f"{order.slot}: the provider took it as task {plain(task_id)}, and that could not be "
                    f"written down: {way_out}",
                    level="warning",
                )
            )
            raise
        self._refused_since = None
        self._closings = 0
        return verdict

    def _wait_out(self, verdict: SubmitVerdict) -> None:
        """Pause every submission after one that certainly cost nothing; end the run when that goes on too long.

        Too many starts are everybody's: the account's pause, in the gate.  A closed service or a network that is
        down says nothing about the rate: this run alone waits, longer from time to time.
        """
        moment = asyncio.get_running_loop().time()
        if self._refused_since is None:
            self._refused_since = moment
            message = f"the provider takes no jobs at the moment ({plain(verdict.message)}); waiting"
            self._context.emit(Noticed(message=message))
        patience_s = self._context.limits.quota_patience_s
        if moment - self._refused_since >= patience_s:
            because = f"no job was accepted for {patience_s:g} s ({STATUS_PAGE}): {plain(verdict.message)}"
            self._stop.submitting(StopCause.QUOTA, because)
        # The many that were in the air together count once.
        if not verdict.too_fast and moment >= self._closed_until:
            self._closings += 1
            wait_s = policy.wait_s(self._closings, self._context.rng, verdict.retry_after_s)
            self._closed_until = moment + wait_s
