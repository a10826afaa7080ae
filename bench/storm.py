"""How long a batch takes through a storm, beside a client of fifty lines: `python -m bench.storm`.

60 stills, ten times as fast as the provider.  429 in bursts, connections that are reset, reads that hang, downloads that
are cut and that stall, records that are empty for a while.  Both clients meet the same storm, one after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import yardstick
from bench.makespan import POLLS, RATE, stills, write
from kiebatch import api
from kiebatch.model import Rate
from kiebatch.simulator import Settings as Behaviour
from kiebatch.simulator.server import background

JOBS = 60
SCALE = 10.0
STORM = (
    "submit@5x4=code:429",
    "submit@30x6=code:429",
    "poll@10x3=cut",
    "poll@40x2=slow:60",
    "poll@70x4=code:500",
    "poll@100x2=slow:60",
    "poll@20x3=empty",
    "download@5x2=truncate",
    "download@15x2=stall",
    "download@30=stall",
    "download@40x3=html:502",
)


@dataclass(frozen=True, slots=True)
class Through:
    """What came of the storm."""

    took_s: float
    whole: int  # results that arrived
    twice: int  # charges beyond one a job


def behaviour() -> Behaviour:
    return Behaviour(
        speed=SCALE, starts=RATE.starts, window_s=RATE.window_s / SCALE, balance=1e9, pixels=0.05
    )


def brew(url: str, storm: tuple[str, ...]) -> None:
    for fault in storm:
        httpx.post(f"{url}/_sim/faults", json=fault).raise_for_status()


def charges(url: str) -> int:
    return len(httpx.get(f"{url}/_sim/tasks").json())


def ours(folder: Path, storm: tuple[str, ...] = STORM) -> Through:
    with background.start(behaviour()) as sim:
        brew(sim.url, storm)
        opened = api.load(write(folder, stills(JOBS)))
        began = time.perf_counter()
        outcome = api.run(
            opened,
            edges=api.Edges(gate_path=":memory:"),
            api_key=sim.key,
            base_url=sim.url,
            rate=Rate(starts=RATE.starts, window_s=RATE.window_s / SCALE),
            poll_rate=Rate(starts=POLLS.starts, window_s=POLLS.window_s / SCALE),
            poll_interval_s=2.0 / SCALE,
            expected_scale=1 / SCALE,
            canary=False,
            max_credits=1e6,
        )
        took_s = time.perf_counter() - began
        return Through(took_s, outcome.succeeded, charges(sim.url) - JOBS)


def plain(folder: Path, storm: tuple[str, ...] = STORM) -> Through:
    """Send the same jobs by the fifty-line client."""
    folder.mkdir(parents=True, exist_ok=True)
    with background.start(behaviour()) as sim:
        brew(sim.url, storm)
        prompts = [scene["prompt"] for scene in stills(JOBS)]
        began = time.perf_counter()
        whole = asyncio.run(yardstick.make(sim.url, sim.key, prompts, folder, RATE.window_s / SCALE))
        return Through(time.perf_counter() - began, whole, charges(sim.url) - JOBS)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="storm-") as name:
        for title, run in (("kiebatch", ours), ("fifty lines", plain)):
            found = run(Path(name) / title.replace(" ", "-"))
            print(
                f"storm, {title}: {found.took_s:.1f} s, {found.whole} of {JOBS} whole, {found.twice} charged twice"
            )


if __name__ == "__main__":
    main()
