"""Callbacks as the provider sends them: bodies by family, signature, time limit, retries (protocol 8)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiebatch.model import JSON
from kiebatch.simulator.families import flux, gpt4o, market, runway, suno, veo, voices
from kiebatch.simulator.faults import CALLBACK
from kiebatch.simulator.state import Simulator, Task

if TYPE_CHECKING:
    import httpx

_BODIES: Mapping[str, Callable[[Simulator, Task, str], dict[str, JSON]]] = {
    "jobs": market.callback,
    gpt4o.FAMILY: gpt4o.callback,
    flux.FAMILY: flux.callback,
    veo.FAMILY: veo.callback,
    runway.RUNWAY: runway.callback,
    runway.ALEPH: runway.edit_callback,
    suno.MUSIC: suno.callback,
    suno.LYRICS: suno.lyrics_callback,
    voices.FAMILY: voices.callback,
    **{conversion.family: conversion.callback for conversion in suno.CONVERSIONS.values()},
}
RETRY_S = 1.0


def sign(key: str, task_id: str, timestamp: int) -> str:
    """Return the signature of a callback: over the task id and the time, not over the body."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def body(sim: Simulator, task: Task, stage: str) -> dict[str, JSON] | None:
    """Return what is posted, or None where nothing is: a stage never reached, a call that answered at once."""
    if task.family not in _BODIES or (task.error and stage != "end"):
        return None
    return _BODIES[task.family](sim, task, stage)


def is_here(url: str) -> bool:
    """Whether a callback address is on this machine: nothing is ever sent anywhere else."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def deliver(sim: Simulator, task: Task, stage: str, client: httpx.AsyncClient) -> None:
    """Send one callback: a quarter of a minute for each try, three retries, then dropped for ever."""
    url, sent = task.callback or "", body(sim, task, stage)
    if sent is None or not is_here(url):
        return
    path = urlsplit(url).path
    struck = {f.kind: f.value for f in sim.faults.strike("callback", path, task.model, CALLBACK)}
    if "lost" in struck:
        return
    if "late" in struck:
        await asyncio.sleep(float(struck["late"] or 1))

    async def post() -> bool:
        sim.requests["callback"] += 1
        headers = _headers(sim, task, forged="forged" in struck)
        return await _is_taken(client, url, sent, headers, sim.settings.callback_wait_s)

    await _insist(sim, post)
    if "twice" in struck:
        await _insist(sim, post)


async def _insist(sim: Simulator, post: Callable[[], Awaitable[bool]]) -> None:
    """Post until it is taken, or until all tries are used up; each wait is twice as long as the one before."""
    for attempt in range(sim.settings.callback_retries + 1):
        if await post():
            return
        await asyncio.sleep(RETRY_S * 2**attempt / sim.settings.speed)


async def _is_taken(
    client: httpx.AsyncClient, url: str, sent: JSON, headers: dict[str, str], wait_s: float
) -> bool:
    """Post a callback, and return whether its receiver took it."""
    import httpx

    try:
        reply = await client.post(url, json=sent, headers=headers, timeout=wait_s)
    except httpx.HTTPError:
        return False
    return reply.status_code == 200


def _headers(sim: Simulator, task: Task, *, forged: bool) -> dict[str, str]:
    if not sim.settings.webhook_key:
        return {}
    now = int(sim.clock())
    key = sim.settings.webhook_key + ("?" if forged else "")
    return {"X-Webhook-Timestamp": str(now), "X-Webhook-Signature": sign(key, task.id, now)}


async def deliver_all(sim: Simulator, woken: asyncio.Event) -> None:
    """Send every callback when it is due; `woken` is set when there may be a new one.  Ends when cancelled."""
    while not sim.callbacks:
        woken.clear()
        await woken.wait()
    import httpx  # a third of what the server would import at its start, and most films want no callbacks

    async with httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as group:
        while True:
            for task, stage in sim.due_callbacks():
                group.create_task(deliver(sim, task, stage, client))
            wait_s = sim.callbacks[0][0] - sim.clock() if sim.callbacks else 3600.0
            woken.clear()
            try:
                await asyncio.wait_for(woken.wait(), max(0.0, wait_s))
            except TimeoutError:
                continue
