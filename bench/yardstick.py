"""A client of fifty lines, as one writes it in an afternoon: what ours is measured against, in the same call.

It has no journal, checks no bytes and sends again what it is not sure about.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

TRIES, TIME_S, AT_ONCE = 8, aiohttp.ClientTimeout(total=5), 20


async def make(url: str, key: str, prompts: list[str], folder: Path, window_s: float) -> int:
    """Make one picture a prompt; return how many came."""
    started: deque[float] = deque()
    turn = asyncio.Lock()

    async def start() -> None:
        async with turn:
            if len(started) == AT_ONCE:
                await asyncio.sleep(max(0.0, started.popleft() + window_s - time.monotonic()))
            started.append(time.monotonic())

    async def again(work: Callable[[], Awaitable[Any]]) -> Any:
        for tried in range(TRIES):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, LookupError, TypeError, ValueError):
                return await work()
            await asyncio.sleep(0.1 * 1.5**tried)
        return None

    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(url, headers=headers, timeout=TIME_S) as web,
        aiohttp.ClientSession(timeout=TIME_S) as open_web,
    ):

        async def submit(prompt: str) -> str:
            await start()
            body = {"model": "z-image", "input": {"prompt": prompt, "aspect_ratio": "1:1"}}
            async with web.post("/api/v1/jobs/createTask", json=body) as answer:
                return str((await answer.json())["data"]["taskId"])

        async def read(task: str) -> str:
            async with web.get("/api/v1/jobs/recordInfo", params={"taskId": task}) as answer:
                found = (await answer.json())["data"]["resultJson"]
            return str(found.split('"')[3])

        async def fetch(address: str, path: Path) -> bool:
            async with open_web.get(address) as answer:
                answer.raise_for_status()
                path.write_bytes(await answer.read())
            return True

        async def one(number: int, prompt: str) -> bool:
            task, address = await again(lambda: submit(prompt)), ""
            while task and not address.startswith("http"):
                await asyncio.sleep(0.5)
                address = await again(lambda: read(task)) or ""
            return bool(task and await again(lambda: fetch(address, folder / f"{number}.png")))

        return sum(await asyncio.gather(*(one(n, prompt) for n, prompt in enumerate(prompts))))
