"""Whether every credit of a troubled account gets its name: billed failures, a foreign user, one wrong price.

    python -m bench.audit [--jobs 1000]

On virtual time, against the simulator's application without sockets.  A first run stops at the first job that costs more
than its price; a second one makes the rest by the price that was learnt; then the ledger is compared with the simulator's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.lives import VirtualLoop
from bench.makespan import Account, write
from kiebatch import api
from kiebatch.project import peek
from kiebatch.record import auditing
from kiebatch.record.auditing import Audit, Kind
from kiebatch.simulator import Fault
from kiebatch.simulator.settings import KEY
from kiebatch.simulator.state import Task

WRONG, LISTED, REAL = "nano-banana-2", 8.0, 12.0
SHARE = 10  # one job in so many has the wrong price


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of it.  Credits."""

    jobs: int
    noticed: str  # why the first run stopped
    stopped_again: str  # why the second run stopped; nothing where it went through
    overcharged: int  # jobs with the wrong price that were sent before it stopped
    first_noticed: bool  # the one that stopped it was the first of them that was over
    ledger: dict[str, float]  # by kind, as the audit says
    truth: dict[str, float]  # by kind, as the simulator knows
    gone: float
    planned: float  # a film of the same kind, after the first run
    charged: float  # what such a film costs

    @property
    def attributed(self) -> float:
        """The share of what left the account that has the right name."""
        wrong = sum(abs(self.ledger[kind] - self.truth[kind]) for kind in self.truth)
        return 1 - wrong / self.gone

    @property
    def plan_error(self) -> float:
        """By how much the plan was above what is charged, as a share; below zero it was under."""
        return (self.planned - self.charged) / self.charged


def scenes(jobs: int, words: str) -> list[dict[str, Any]]:
    return [
        {"id": n + 1, "prompt": f"{words} {n}", "model": WRONG if n % SHARE == SHARE - 1 else "z-image"}
        for n in range(jobs)
    ]


def measure(folder: Path, jobs: int) -> Found:
    os.environ |= {
        "KIEBATCH_CONFIG_HOME": str(folder / "config"),
        "KIE_API_KEY": KEY,  # the same account for whoever reads the film as for the run
        "KIE_BASE_URL": "http://127.0.0.1:9",
    }
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        account = Account(loop, folder)
        sim = account.sim
        sim.settings = replace(sim.settings, extra_keys=True, refunds=False)
        for text in (
            "submit%0.05=fail:400 Your prompt was refused.",
            f"submit~{WRONG}%1=price:{REAL:g}",
            "submit%0.1=elsewhere:3.5",
        ):
            sim.faults.add(Fault.parse(text))
        before, path = sim.balance, write(folder / "film", scenes(jobs, "Still"))
        first = runner.run(account.run(path, canary=False, stop_on_overcharge=True))
        overcharged = [t for t in sim.tasks.values() if t.model == WRONG]
        over = min(overcharged, key=lambda task: task.ends_at)
        planned = _plan(folder, jobs)
        sim.spend_elsewhere(25.0)
        write(
            folder / "film", [*scenes(jobs, "Still"), {"id": "last", "prompt": "The end", "model": "z-image"}]
        )
        second = runner.run(account.run(path, canary=False))
        loop.now_s += 60.0
        found = _audit(path)
    failed = {task.id for task in sim.tasks.values() if task.error}
    return Found(
        jobs=jobs,
        noticed=first.stopped_because,
        stopped_again=second.stopped_because,
        overcharged=len(overcharged),
        first_noticed=first.stopped_because.partition(" ")[0] == _scene_of(over),
        ledger={str(kind): found.totals("assets")[str(kind)] for kind in Kind},
        truth={
            "slot": sum(c.credits for c in sim.ledger if c.task_id not in failed),
            "failure": sum(c.credits for c in sim.ledger if c.task_id in failed),
            "foreign": sim.elsewhere,
        },
        gone=before - sim.balance,
        planned=planned,
        charged=round(sum(REAL if s["model"] == WRONG else 0.8 for s in scenes(jobs, "Other")), 4),
    )


def _scene_of(task: Task) -> str:
    """Return the scene that a task was made for, by its prompt."""
    return str(int(str(task.input["prompt"]).split()[-1]) + 1)


def _plan(folder: Path, jobs: int) -> float:
    """Return what another film of the same kind is planned to cost."""
    path = write(folder / "another", scenes(jobs, "Other"))
    return api.plan(api.load(path)).credits()


def _audit(path: Path) -> Audit:
    with peek(api.load(path).workspace) as journal:
        assert journal is not None
        notebook = journal.notebook
        return auditing.audit(journal.of_every_film(), notebook.balances(), notebook.said_costs())


def rows(found: Found) -> Iterator[str]:
    yield f"{found.jobs} jobs, {found.gone:,.1f} credits left the account"
    for kind, credits in found.truth.items():
        yield f"{kind}: {found.ledger[kind]:,.2f} by the audit, {credits:,.2f} by the simulator"
    yield f"attributed: {found.attributed:.4%}"
    yield f"stopped: {found.noticed} ({found.overcharged} of that price were sent; the first that was over: {found.first_noticed})"
    yield f"second run stopped: {found.stopped_again or 'no'}"
    yield f"plan after one run: {found.planned:,.2f}, charged {found.charged:,.2f}: {found.plan_error:+.2%}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1000)
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        for row in rows(measure(Path(folder), chosen.jobs)):
            print(row, flush=True)
    print(f"in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
