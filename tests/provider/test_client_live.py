"""Smoke tests of the client against an account: the simulator's, or with KIEBATCH_LIVE=1 a real one.

A real run needs KIE_API_KEY and spends 10 credits at most, in practice less than 2.  No price, no submission.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from kiebatch import catalogue, media
from kiebatch.errors import Refused
from kiebatch.model import JSON, Done, TaskFailed
from kiebatch.provider import API_URL, CallFailed, Client, families
from kiebatch.provider.policy import SubmitVerdict
from support.simulated import Sim

# Read when the tests are collected: no test sees the account of whoever runs it.
LIVE = os.environ.get("KIEBATCH_LIVE") == "1"
KEY, URL = os.environ.get("KIE_API_KEY", ""), os.environ.get("KIE_BASE_URL", API_URL)
JOBS = families.get("jobs")


@dataclass
class Account:
    """Where to call, with what key, and what is left of the cap."""

    key: str
    url: str
    left: float = 10.0

    @asynccontextmanager
    async def client(self, key: str | None = None) -> AsyncIterator[Client]:
        async def brief(_: float) -> None:
            await asyncio.sleep(0.01)

        async with Client(
            key or self.key, self.url, rng=random.Random(1), sleep=asyncio.sleep if LIVE else brief
        ) as client:
            yield client

    async def submit(self, client: Client, model: str, job_input: dict[str, JSON]) -> SubmitVerdict:
        """Submit within the cap."""
        known = catalogue.load().get(model)
        assert known
        price = catalogue.price(known, job_input).amount
        assert price is not None
        self.left -= price
        assert self.left >= 0, "the cap of the smoke tests is reached"
        return await client.submit(JOBS.request(model, job_input))


@pytest.fixture(scope="module")
def purse() -> list[float]:
    return [10.0]


@pytest.fixture
def account(request: pytest.FixtureRequest, purse: list[float]) -> Account:
    if LIVE:
        return Account(KEY, URL, purse[0])
    sim: Sim = request.getfixturevalue("sim")
    sim.change(unknown_models=False)
    return Account(sim.key, sim.url, purse[0])


def test_the_balance_is_a_number(account: Account) -> None:
    async def work() -> None:
        async with account.client() as client:
            assert await client.balance() >= 0

    asyncio.run(work())


def test_a_wrong_key_is_refused(account: Account) -> None:
    async def work() -> None:
        async with account.client("0123456789abcdef0123456789abcdef") as client:
            with pytest.raises(Refused):
                await client.balance()

    asyncio.run(work())


def test_a_model_that_does_not_exist_is_refused_for_free(account: Account) -> None:
    async def work() -> None:
        async with account.client() as client:
            verdict = await client.submit(JOBS.request("kiebatch/no-such-model", {"prompt": "a boat"}))
            assert verdict.kind == "refused"

    asyncio.run(work())


def test_a_still_is_made_collected_and_made_anew_from_its_upload(
    account: Account, purse: list[float], tmp_path: Path
) -> None:
    made, again, source = tmp_path / "made.part", tmp_path / "again.part", tmp_path / "source.png"
    Image.new("RGB", (512, 512), "navy").save(source)

    async def work() -> None:
        async with account.client() as client:
            verdict = await account.submit(
                client, "z-image", {"prompt": "a paper boat", "aspect_ratio": "1:1"}
            )
            assert (verdict.kind, verdict.code) == ("accepted", "200")
            assert verdict.task_id
            done = await client.wait("jobs", verdict.task_id)
            assert isinstance(done, Done)
            url = done.outputs[0].url
            assert url
            await client.download(url, made)
            await client.download(await client.fresh_url(url), again)
            with pytest.raises(CallFailed):
                await client.fresh_url("https://example.com/not-yours.png")

            uploaded = await client.upload(source, source.name, "image/png")
            verdict = await account.submit(client, "recraft/remove-background", {"image": uploaded})
            assert verdict.kind == "accepted", verdict
            ended = await client.wait("jobs", verdict.task_id or "")
            assert isinstance(ended, Done | TaskFailed)
            purse[0] = account.left

    asyncio.run(work())

    assert media.facts(made).kind == "image"
    assert made.read_bytes() == again.read_bytes()


def test_a_task_that_does_not_exist_is_absent(account: Account) -> None:
    async def work() -> None:
        async with account.client() as client:
            status = await client.status("jobs", "0" * 32)
            assert type(status).__name__ == "Absent"

    asyncio.run(work())
