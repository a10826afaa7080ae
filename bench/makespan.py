"""How long a batch takes against the shortest possible time, and what it costs in CPU, memory and status reads.

    python -m bench.makespan [--jobs 200]

Times are exact: the engine runs at the documented rate on virtual time, against the simulator's application without
sockets.  CPU and memory are measured on real sockets, with everything five times as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import httpx

from bench.lives import EPOCH, VirtualLoop, in_place
from kiebatch import api
from kiebatch.model import Rate
from kiebatch.running import Outcome
from kiebatch.settings import Settings
from kiebatch.simulator import Fault, Simulator
from kiebatch.simulator import Settings as Behaviour
from kiebatch.simulator.server import background
from kiebatch.simulator.server.inprocess import Transport

RATE, POLLS = Rate(starts=20, window_s=10.0), Rate(starts=8, window_s=1.0)


def stills(count: int, batch: int = 0) -> list[dict[str, Any]]:
    return [{"id": n + 1, "prompt": f"Still {batch}.{n}", "model": "z-image"} for n in range(count)]


def mixed(count: int) -> list[dict[str, Any]]:
    """Return a film as written: scene by scene a still and, from every fourth, a clip; the last ones are clips."""
    scenes: list[dict[str, Any]] = []
    for n in range(count):
        shots: list[dict[str, Any]] = [{"id": "a", "prompt": f"Still {n}", "model": "z-image"}]
        if n % 4 == 3:
            start = {"shot": f"{n + 1}a"}
            clip = {
                "id": "b",
                "prompt": f"Clip {n}",
                "model": "kling-3.0/video",
                "duration": 5,
                "start_frame": start,
            }
            shots.append(clip)
        scenes.append({"id": n + 1, "shots": shots})
    return scenes


def write(folder: Path, scenes: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scenes.yaml"
    path.write_text(json.dumps({"kiebatch": 1, "scenes": scenes}), encoding="utf-8")
    return path


@dataclass
class Account:
    """An account at a simulator on virtual time; it keeps when every task was read.

    `transit_s` is the shortest and the longest way of a request or an answer; `fault` is trouble on purpose.
    """

    loop: VirtualLoop
    folder: Path
    transit_s: tuple[float, float] = (0.02, 0.12)
    fault: str = ""
    reads: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.sim = Simulator(
            Behaviour(balance=1e9, pixels=0.02, starts=RATE.starts), clock=lambda: EPOCH + self.loop.time()
        )
        if self.fault:
            self.sim.faults.add(Fault.parse(self.fault))

    def _leaves(self, request: httpx.Request) -> None:
        if "taskId" in request.url.params:
            self.reads[request.url.params["taskId"]].append(EPOCH + self.loop.time())

    async def run(self, path: Path, **options: Any) -> Outcome:
        lot = random.Random(1)
        settings = Settings(
            api_key=self.sim.settings.key,
            base_url="http://127.0.0.1:9",
            rate=RATE,
            poll_rate=POLLS,
            **options,
        )
        edges = api.Edges(
            now=lambda: EPOCH + self.loop.time(),
            rng=lot,
            transport=Transport(
                self.sim, transit_s=lambda: lot.uniform(*self.transit_s), before=self._leaves
            ),
            offload=in_place,
            gate_path=self.folder / "gate.sqlite3",
        )
        return await api.run_async(api.load(path), settings=settings, edges=edges)

    @property
    def refused(self) -> int:
        """How many submissions were refused as too many."""
        return sum(operation == "submit" for _, operation, _ in self.sim.calls) - len(self.sim.tasks)

    def delays(self, since: float) -> tuple[float, float, float]:
        """Return reads per task, seconds from its end until it was read, and that as a share of its time."""
        tasks = [t for t in self.sim.tasks.values() if t.made_at >= since]
        late = [
            max(0.0, min(at for at in self.reads[t.id] if at > t.ends_at - 0.15) - t.ends_at) for t in tasks
        ]
        spans = [t.ends_at - t.made_at for t in tasks]
        return mean(len(self.reads[t.id]) for t in tasks), mean(late), mean(late) / mean(spans)


def batch(
    folder: Path,
    scenes: list[dict[str, Any]],
    *,
    transit_s: tuple[float, float] = (0.02, 0.12),
    fault: str = "",
    **options: Any,
) -> tuple[float, Account]:
    """Run one batch on virtual time; return its makespan in seconds."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        account = Account(loop, folder, transit_s, fault)
        began = loop.time()
        outcome = runner.run(account.run(write(folder, scenes), **options))
        assert outcome.status == "success", outcome
        return loop.time() - began, account


def bound(account: Account) -> float:
    """Return the shortest possible time: of every job its earliest allowed start and its generation, the latest."""
    spans = [t.ends_at - t.made_at for t in account.sim.tasks.values()]
    return max(n // RATE.starts * RATE.window_s + span for n, span in enumerate(spans))


def polling(folder: Path, batches: int = 10) -> list[tuple[float, float, float]]:
    """Run batches of 40 stills one after the other; return reads, delay and relative delay of each."""
    found = []
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        account = Account(loop, folder)
        for number in range(batches):
            since = EPOCH + loop.time()
            runner.run(account.run(write(folder, stills(40, number)), canary=False))
            found.append(account.delays(since))
            loop.now_s += 60.0
    return found


def real(folder: Path, jobs: int) -> dict[str, float]:
    """Run a batch over sockets, five times as fast; return CPU per job, peak memory and makespan."""
    scale = 5.0
    behaviour = Behaviour(
        speed=scale, starts=RATE.starts, window_s=RATE.window_s / scale, balance=1e9, pixels=0.05
    )
    with background.start(behaviour) as sim:
        path = write(folder, stills(jobs))
        opened = api.load(path)
        cpu, began = time.process_time(), time.perf_counter()
        outcome = api.run(
            opened,
            edges=api.Edges(gate_path=":memory:"),
            api_key=sim.key,
            base_url=sim.url,
            rate=Rate(starts=RATE.starts, window_s=RATE.window_s / scale),
            poll_rate=Rate(starts=POLLS.starts, window_s=POLLS.window_s / scale),
            poll_interval_s=2.0 / scale,
            expected_scale=1 / scale,
            canary=False,
        )
        cpu, took_s = time.process_time() - cpu, time.perf_counter() - began
        tasks = httpx.get(f"{sim.url}/_sim/tasks").json()
        assert outcome.succeeded == jobs, Counter(f.code for f in outcome.failures)
    spans = [t["ends_at"] - t["made_at"] for t in tasks]
    least_s = max(n // RATE.starts * RATE.window_s / scale + span for n, span in enumerate(spans))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return {"cpu_ms": cpu / jobs * 1000, "peak_mb": peak, "took_s": took_s, "ratio": took_s / least_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory(prefix="makespan-") as name:
        folder = Path(name)
        figures = real(folder / "real", jobs)
        print(
            f"{jobs} stills over sockets, five times as fast: {figures['took_s']:.1f} s, {figures['ratio']:.2f} of the "
            f"bound; {figures['cpu_ms']:.1f} ms of CPU a job, {figures['peak_mb']:.0f} MB at most"
        )
        took_s, account = batch(folder / "stills", stills(jobs), canary=False)
        print(
            f"{jobs} stills at 20/10s: {took_s:.1f} s, {took_s / bound(account):.3f} of the bound {bound(account):.1f} s"
        )
        in_order, _ = batch(folder / "file", mixed(jobs), canary=False)
        fastest, _ = batch(folder / "fastest", mixed(jobs), canary=False, order="fastest")
        print(f"stills and clips: {in_order:.0f} s in file order, {fastest:.0f} s with --order fastest")
        for number, (reads, late_s, share) in enumerate(polling(folder / "polls"), 1):
            if number in (1, 2, 10):
                print(
                    f"batch {number} of a model: {reads:.1f} reads a task, noticed {late_s:.1f} s ({share:.0%}) after its end"
                )


if __name__ == "__main__":
    main()
