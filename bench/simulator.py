"""How many status reads a second the simulator answers on one core, idle and while it draws.

    python -m bench.simulator

The load comes from a process of its own, written close to the socket so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from typing import Any

import httpx

from kiebatch.simulator import Settings
from kiebatch.simulator.server import background

SECONDS = 4.0
CONNECTIONS = 16


async def _reads(host: str, port: int, key: str, task_id: str, seconds: float) -> int:
    wish = (
        f"GET /api/v1/jobs/recordInfo?taskId={task_id} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {key}\r\nAccept-Encoding: gzip\r\n\r\n"
    ).encode()
    end, done = time.monotonic() + seconds, 0

    async def one() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(host, port)
        while time.monotonic() < end:
            writer.write(wish)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
            done += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return done


def _load(pipe: Connection, host: str, port: int, key: str, task_id: str) -> None:
    pipe.send(asyncio.run(_reads(host, port, key, task_id, SECONDS)))


async def _draw(links: list[str], until: float) -> int:
    done = 0
    async with httpx.AsyncClient(timeout=60) as client:

        async def one(link: str) -> None:
            nonlocal done
            while time.monotonic() < until:
                (await client.get(link)).raise_for_status()
                done += 1

        await asyncio.gather(*(one(link) for link in links))
    return done


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(running: background.Background, drawing: bool) -> dict[str, Any]:
    """Return reads per second of wall time and per second of the server's own CPU time."""
    host, port = running.url.removeprefix("http://").split(":")
    with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {running.key}"}) as api:
        ids = []
        for n in range(4):
            body = {"model": "nano-banana-2", "input": {"prompt": f"A boat, seen for the {n}th time"}}
            ids.append(api.post("/api/v1/jobs/createTask", json=body).json()["data"]["taskId"])
        time.sleep(0.5)
        records = [api.get("/api/v1/jobs/recordInfo", params={"taskId": i}).json()["data"] for i in ids]
        links = [json.loads(record["resultJson"])["resultUrls"][0] for record in records]
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    load = multiprocessing.get_context("spawn").Process(
        target=_load, args=(theirs, host, int(port), running.key, ids[0])
    )
    load.start()
    while load.pid and _cpu_s(load.pid) < 0.05:
        time.sleep(0.01)
    start, cpu = time.monotonic(), _cpu_s(running.pid)
    drawn = asyncio.run(_draw(links, start + SECONDS)) if drawing else 0
    reads = int(mine.recv())
    load.join()
    used = _cpu_s(running.pid) - cpu
    return {
        "drawing": drawing,
        "reads_per_s": round(reads / SECONDS),
        "reads_per_cpu_s": round(reads / used),
        "drawn_per_s": round(drawn / SECONDS, 1),
    }


def main() -> None:
    with background.start(Settings.quick()) as running:
        for drawing in (False, True):
            found = measure(running, drawing)
            ratio = found["reads_per_cpu_s"] / 1500
            print(json.dumps({**found, "times_the_goal_of_1500": round(ratio, 2)}))


if __name__ == "__main__":
    main()
