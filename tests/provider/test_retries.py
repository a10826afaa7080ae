from __future__ import annotations

import asyncio
import random

from kiebatch.provider.retry_budget import FULL, TRANSIENT, RetryBudget


def test_an_outage_is_waited_out_by_one_read_at_a_time_and_said_once() -> None:
    waits: list[float] = []
    said: list[str] = []
    sent: list[str] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)
        await asyncio.sleep(0)

    async def work() -> None:
        budget = RetryBudget(sleep=sleep, rng=random.Random(1), notice=said.append)
        for _ in range(FULL // TRANSIENT + 1):
            assert not await budget.admit()
            budget.failed()

        answers = iter([False, False, True, *[True] * 10])

        async def reader(name: str) -> None:
            looks = await budget.admit()
            sent.append(name)
            if next(answers):
                budget.succeeded()
            else:
                budget.failed()
            if looks:
                budget.ended()

        await asyncio.gather(*(reader(str(n)) for n in range(6)))
        assert budget.left > 0

    asyncio.run(work())

    assert sent[:3] == ["0", "1", "2"]
    assert len(waits) == 3  # only those that looked waited, each longer than the one before
    assert waits == sorted(waits)
    assert [sentence.split()[-1] for sentence in said] == ["does", "again"]


def test_a_few_failures_cost_nothing_and_successes_fill_the_bucket_again() -> None:
    budget = RetryBudget()
    for _ in range(10):
        budget.failed(throttled=True)
    assert budget.left == FULL - 50
    for _ in range(200):
        budget.succeeded()

    assert budget.left == FULL


def test_a_reader_that_is_cancelled_while_it_waits_lets_the_next_one_look() -> None:
    async def work() -> bool:
        budget = RetryBudget(sleep=lambda _s: asyncio.sleep(3600))
        while budget.left:
            budget.failed()
        waiting = asyncio.ensure_future(budget.admit())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        next_one = asyncio.ensure_future(budget.admit())
        await asyncio.sleep(0)
        budget.succeeded()
        next_one.cancel()
        await asyncio.wait({next_one})
        return await budget.admit()

    assert asyncio.run(work()) is False
