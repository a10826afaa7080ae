"""A gate that books every start and read in a book which others use too, and sleeps until its place.

A waiter books its place, sleeps until then, and confirms it: nobody polls, and a pause that began meanwhile, or a
machine that slept, moves it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, Self, TypeVar

from kiebatch.errors import KieBatchError
from kiebatch.model import Rate
from kiebatch.provider import booking
from kiebatch.provider.booking import Page, Place
from kiebatch.provider.gate import Booking, Kind

T = TypeVar("T")

_SOON = 0.02  # of the window: a place that was taken along for others is good for so long
# Of the window: within so long an accepted start is noted, far sooner than anybody counts on it.
_NOTED = 0.25


class Book(Protocol):
    """Where the places of one kind are written down."""

    async def transact(self, work: Callable[[Page], T]) -> T:
        """Do some work on the book, whole or not at all, while nobody else writes in it."""
        ...

    def close(self) -> None: ...


class BookedGate:
    """The limits of one account, as `Gate` says.

    `block` is how many reads are booked at once where so many wait: for a book that is far away, in which accepted
    starts are noted with the next booking, too.
    """

    def __init__(
        self,
        books: dict[Kind, Book],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
        block: int = 1,
    ) -> None:
        self._books = books
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._block = block
        self._turns: dict[Kind, asyncio.Lock] = {"submit": asyncio.Lock(), "read": asyncio.Lock()}
        self._news = asyncio.Event()
        self._tidied: dict[Kind, float] = {}
        self._readers = 0  # who wait for a read
        self._taken_along: deque[tuple[float, Booking]] = deque()
        # Starts that were accepted, to be noted with the next booking.
        self._heard: list[tuple[float, Booking]] = []
        self._noting: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Close the books."""
        if self._noting is not None:
            self._noting.cancel()
        for one in self._books.values():
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def start(self, rate: Rate) -> Booking:
        """Return when one more submission may be sent, having booked it.  First come, first served."""
        async with self._turns["submit"]:
            return await self._pass("submit", rate)

    async def read(self, rate: Rate) -> Booking:
        """Return when one more status read may be sent, having booked it."""
        self._readers += 1
        try:
            async with self._turns["read"]:
                return self._from_block(rate) or await self._pass("read", rate)
        finally:
            self._readers -= 1

    async def answered(self, booked: Booking, *, refused: bool, retry_after_s: float | None = None) -> None:
        """Note an answer; see `Gate.answered`."""
        if booked.kind == "read" and not refused:
            return
        if self._block > 1 and not refused and not booked.probe:
            loop = asyncio.get_running_loop()
            self._heard.append((loop.time(), booked))
            if self._noting is None or self._noting.done():
                self._noting = loop.create_task(self._note(booked.rate.window_s * _NOTED))
            return
        await self._transact(
            booked.kind,
            lambda page: booking.note_answer(
                page, booked, refused=refused, retry_after_s=retry_after_s, rng=self._rng
            ),
        )
        self._news.set()

    async def _note(self, wait_s: float) -> None:
        """Note what was heard, where no booking takes it along meanwhile."""
        await asyncio.sleep(wait_s)
        if self._heard:
            with contextlib.suppress(KieBatchError):  # the next booking says what is wrong with the book
                await self._transact("submit", lambda _page: None)

    async def _transact(self, kind: Kind, work: Callable[[Page], T]) -> T:
        """Do some work on a book; starts that were accepted meanwhile are noted first."""
        if kind == "read":
            return await self._books[kind].transact(work)
        heard, self._heard = self._heard, []

        def both(page: Page) -> T:
            for at, booked in heard:
                ago_s = loop.time() - at
                booking.note_answer(
                    page, booked, refused=False, retry_after_s=None, rng=self._rng, ago_s=ago_s
                )
            return work(page)

        loop = asyncio.get_running_loop()
        try:
            return await self._books[kind].transact(both)
        except BaseException:
            self._heard[:0] = heard
            raise

    def _from_block(self, rate: Rate) -> Booking | None:
        moment = asyncio.get_running_loop().time()
        while self._taken_along:
            taken_at, booked = self._taken_along.popleft()
            if moment - taken_at <= _SOON * rate.window_s:
                return booked
        return None

    # One waiter of a process is in the book at a time, the others queue behind it in memory: so processes take
    # turns, and one that dies leaves a single place empty.
    async def _pass(self, kind: Kind, rate: Rate) -> Booking:
        place, along = await self._confirmed(kind, rate, lambda page: self._first(page, kind, rate))
        moment = asyncio.get_running_loop().time()
        self._taken_along.extend((moment, _booked(one, kind, rate)) for one in along)
        return _booked(place, kind, rate)

    async def _confirmed(
        self, kind: Kind, rate: Rate, take: Callable[[Page], tuple[Place, list[Place]]]
    ) -> tuple[Place, list[Place]]:
        """Take a place, sleep until then, and confirm it."""
        self._news.clear()
        place, along = await self._transact(kind, take)
        try:
            while place.wait_s > 0:
                await self._wait(place)
                self._news.clear()
                again = functools.partial(self._again, kind=kind, rate=rate, mine=place)
                place, along = await self._transact(kind, again)
        except BaseException:
            await self._transact(kind, lambda page: page.remove(place.id))
            raise
        return place, along

    def _first(self, page: Page, kind: Kind, rate: Rate) -> tuple[Place, list[Place]]:
        fresh = abs(page.now - self._tidied.get(kind, 0.0)) > rate.window_s / 2
        if fresh:
            self._tidied[kind] = page.now
        place = booking.book(page, kind, rate, fresh=fresh)
        return place, self._along(page, kind, rate, place)

    def _again(self, page: Page, kind: Kind, rate: Rate, mine: Place) -> tuple[Place, list[Place]]:
        place = booking.confirm(page, kind, rate, mine)
        return place, self._along(page, kind, rate, place)

    def _along(self, page: Page, kind: Kind, rate: Rate, place: Place) -> list[Place]:
        """Book reads for those who wait behind this one, where they may be sent now too."""
        most = min(self._block, self._readers) - 1
        if kind != "read" or place.wait_s or most < 1:
            return []
        return booking.more(page, kind, rate, most)

    async def _wait(self, place: Place) -> None:
        """Sleep, or until there is news where that may help."""
        if not place.look:
            await self._sleep(place.wait_s)
            return
        sleeping = asyncio.ensure_future(self._sleep(place.wait_s))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({sleeping, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            news.cancel()


def _booked(place: Place, kind: Kind, rate: Rate) -> Booking:
    return Booking(id=place.id, kind=kind, rate=rate, at=place.at, probe=place.probe)
