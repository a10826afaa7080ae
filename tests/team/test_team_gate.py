"""The rate window in the team's PostgreSQL: what it spares a book that is far away; see tests/contract/test_gates.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import pytest

from kiebatch.model import Rate
from kiebatch.provider import BookedGate
from kiebatch.team import Connection, Team, open_gate, schema

pytestmark = pytest.mark.needs("postgres")

T = TypeVar("T")
P = ParamSpec("P")
RATE = Rate(starts=3, window_s=0.4)


@pytest.fixture
def book(team_url: str) -> Iterator[Connection]:
    connection = Connection(team_url)
    schema.migrate(connection)
    yield connection
    connection.close()


def gate_on(book: Connection) -> BookedGate:
    return open_gate(Team(book.url, "studio"), "a key", offload=asyncio.to_thread)


def answered(book: Connection) -> list[bool]:
    query = "SELECT answered_at IS NOT NULL AS answered FROM booked ORDER BY id"
    return [row["answered"] for row in book.transact(lambda cursor: cursor.execute(query).fetchall())]


def test_an_accepted_start_is_noted_with_the_next_one(book: Connection) -> None:
    async def work() -> list[list[bool]]:
        with gate_on(book) as gate:
            await gate.answered(await gate.start(RATE), refused=False)
            before = answered(book)
            await gate.start(RATE)
            return [before, answered(book)]

    assert asyncio.run(work()) == [[False], [True, False]]


def test_an_accepted_start_is_noted_soon_though_nothing_more_is_booked(book: Connection) -> None:
    async def work() -> list[bool]:
        written = asyncio.Event()

        async def offload(work: Callable[P, T], /, *args: P.args, **named: P.kwargs) -> T:
            done = await asyncio.to_thread(work, *args, **named)
            written.set()
            return done

        with open_gate(Team(book.url, "studio"), "a key", offload=offload) as gate:
            start = await gate.start(RATE)
            written.clear()
            await gate.answered(start, refused=False)
            await written.wait()
            return answered(book)

    assert asyncio.run(work()) == [True]


def test_a_refusal_is_noted_at_once_for_the_others(book: Connection) -> None:
    async def work() -> float:
        with gate_on(book) as gate, gate_on(book) as other:
            accepted, refused = await gate.start(RATE), await gate.start(RATE)
            await gate.answered(accepted, refused=False)
            await gate.answered(refused, refused=True, retry_after_s=0.5)
            noted = answered(book)
            assert noted == [True, True]
            return (await other.start(RATE)).at - refused.at

    assert asyncio.run(work()) >= 0.5
