"""A long film through a storm, killed again and again, until it is made; then the bill is read.

    python -m bench.soak [--jobs 2000] [--strength 1.0] [--kills 25] [--seed 1]

Real processes, real sockets, real SIGKILLs at random moments.  The weather: 429s in bursts, 5xx, resets, slow and
truncated downloads, pages in place of files, tasks that never end, success without addresses.  What is held is decided
between runs by somebody who looks at the provider's own list.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from kiebatch import api
from kiebatch.record import open_journal
from kiebatch.simulator import Settings as Behaviour
from kiebatch.simulator.server import background

WORKER = """
import asyncio, json, sys
from pathlib import Path
from kiebatch import api
from kiebatch.errors import Refused
from kiebatch.model import Rate

async def sleep(seconds):
    await asyncio.sleep(seconds / 50)

try:
    outcome = api.run(
        api.load(Path(sys.argv[1])), edges=api.Edges(gate_path=":memory:", sleep=sleep),
        api_key=sys.argv[3], base_url=sys.argv[2],
        rate=Rate(starts=200, window_s=1.0), poll_rate=Rate(starts=400, window_s=1.0), poll_interval_s=0.1,
        expected_scale=0.005, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 6.0), canary=False,
    )
except Refused:
    sys.exit()  # the storm is too strong for a start; the next run begins again
print(json.dumps({"status": outcome.status, "succeeded": outcome.succeeded, "failed": len(outcome.failures)}))
"""


class Soak:
    """One film, one simulator, one seed."""

    def __init__(self, folder: Path, sim: background.Background, jobs: int, seed: int) -> None:
        self.lot = random.Random(seed)
        self.sim = sim
        self.scene_file = folder / "scenes.yaml"
        scenes = [{"id": n + 1, "prompt": f"Still {n}", "model": "z-image"} for n in range(jobs)]
        self.scene_file.write_text(json.dumps({"kiebatch": 1, "scenes": scenes}), encoding="utf-8")
        self.runs = self.kills = 0

    def ask(self, what: str) -> Any:
        return httpx.get(f"{self.sim.url}/_sim/{what}", timeout=60).json()

    def tell(self, what: str, body: Any) -> None:
        httpx.post(f"{self.sim.url}/_sim/{what}", json=body, timeout=60).raise_for_status()

    def run(self, *, kill_after_s: float | None) -> dict[str, Any]:
        self.runs += 1
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(self.scene_file), self.sim.url, self.sim.key],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            out, _ = worker.communicate(timeout=kill_after_s)
            return dict(json.loads(out)) if out.strip() else {"status": "error"}
        except subprocess.TimeoutExpired:
            os.kill(worker.pid, signal.SIGKILL)
            worker.communicate()
            self.kills += 1
            time.sleep(0.3)  # what was in the air arrives
            return {"status": "killed"}

    def resolve(self) -> int:
        """Decide what is held, knowing the provider's list; return how many were."""
        with open_journal(api.load(self.scene_file).workspace.journal_path, now=time.time) as journal:
            journal.hold_unfinished("the program ended")
            known = {a.task_id for a in journal.attempts()}
            strays = {
                c["input"]["prompt"]: c["task_id"] for c in self.ask("ledger") if c["task_id"] not in known
            }
            held = journal.attempts(states=("held",))
            for attempt in held:
                task_id = strays.pop(attempt.job["prompt"], None)
                journal.decide(attempt.id, "task-id" if task_id else "forget", task_id)
        return len(held)

    def bill(self) -> dict[str, int]:
        """Return jobs, charges, double charges and lost ones."""
        charges = self.ask("ledger")
        failed = self.ask("stats")
        manifest = json.loads(
            (self.scene_file.parent / "assets" / "manifest.json").read_text(encoding="utf-8")
        )
        saved = {a["task_id"] for a in manifest["assets"]}
        with open_journal(api.load(self.scene_file).workspace.journal_path, now=time.time) as journal:
            attempts = {a.task_id: a.state for a in journal.attempts() if a.task_id}
        over = {t["task_id"] for t in self.ask("tasks") if t["phase"] == "failed"}
        paid = Counter(c["input"]["prompt"] for c in charges if c["task_id"] not in over)
        listed = ("failed", "lost", "submitted")
        lost = [c for c in charges if c["task_id"] not in saved and attempts.get(c["task_id"]) not in listed]
        return {
            "made": len({a["scene_id"] for a in manifest["assets"]}),
            "charges": len(charges),
            "failed tasks": len(over),
            "struck by trouble": len(failed["struck"]),
            "double charges": sum(count - 1 for count in paid.values()),
            "lost": len(lost),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    behaviour = Behaviour.quick(speed=200.0, pixels=0.03, seed=chosen.seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as name, background.start(behaviour) as sim:
        soak = Soak(Path(name), sim, chosen.jobs, chosen.seed)
        soak.tell("storm", {"strength": chosen.strength})
        soak.tell("faults", ["submit%0.002=stuck", "submit%0.01=links-die:1", "submit%0.01=no-output:list"])
        began, held = time.perf_counter(), 0
        for _ in range(chosen.kills):
            soak.run(kill_after_s=soak.lot.uniform(1.0, 12.0))
            held += soak.resolve()
        soak.tell("faults/clear", {})
        for _ in range(6):
            outcome = soak.run(kill_after_s=None)
            held += soak.resolve()
            if outcome["status"] == "success":
                break
        facts = {
            "jobs": chosen.jobs,
            "runs": soak.runs,
            "kills": soak.kills,
            "held and decided": held,
            **soak.bill(),
        }
        print(
            ", ".join(f"{name} {value}" for name, value in facts.items()),
            f"in {time.perf_counter() - began:.0f} s",
        )
        sys.exit(1 if facts["double charges"] or facts["lost"] else 0)


if __name__ == "__main__":
    main()
