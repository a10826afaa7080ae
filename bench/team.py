"""A studio on one account, mistreated: killed coordinators, a stopped database, partitions, freezes, wrong clocks.

    python -m bench.team kills [--kills 200] [--jobs 1000]
    python -m bench.team stops | partitions | freezes | clocks | claims | together | against

Real processes, a real PostgreSQL, and the simulator's own ledger as the judge: no double charge, no charge that nobody
knows, what is reserved is what is open, the cap holds at every moment, and the window is never met.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from bench import cables, postgres
from bench.cables import Cable
from kiebatch import api
from kiebatch.errors import KieBatchError
from kiebatch.project import open_film
from kiebatch.simulator import Settings as Behaviour
from kiebatch.simulator.server import background
from kiebatch.team import Connection, Team, TeamJournal, accounts

PRICE = 0.8  # of one still
WINDOW_S = 2.0  # the provider's ten seconds, at five times its speed
STARTS = 20
LEASE_S = 3.0
ACCOUNT = "studio"
POINTS = (
    "intend",
    "leaves",
    "submitted",
    "outputs",
    "saved",
    "recorded",
)  # of the journal, where a run freezes

# Hooks, clocks and waits come in as arguments; the run is the real one.
WORKER = """
import json, os, signal, sys, time
from pathlib import Path
from kiebatch import api
from kiebatch.errors import KieBatchError
from kiebatch.model import Rate

scene, url, key, skew_s, drift, freeze_at, window_s = sys.argv[1:8]
began, frozen = time.monotonic(), []

def now():
    return time.time() + float(skew_s) + float(drift) * (time.monotonic() - began)

def hook(point):
    if point == freeze_at and not frozen:
        frozen.append(point)
        os.kill(os.getpid(), signal.SIGSTOP)

try:
    outcome = api.run(
        api.load(Path(scene)), edges=api.Edges(now=now, hook=hook), api_key=key, base_url=url,
        rate=Rate(starts=20, window_s=float(window_s)), poll_rate=Rate(starts=400, window_s=1.0), poll_interval_s=0.1,
        expected_scale=0.05, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 30.0), canary=False,
        call_timeout_s=5.0, force="force" in sys.argv[8:],
    )
    found = {"status": outcome.status, "made": outcome.succeeded + outcome.kept, "because": outcome.stopped_because}
except KieBatchError as error:
    found = {"status": error.status, "made": 0, "because": error.message}
print(json.dumps(found))
"""


class Broken(AssertionError):
    """What must hold did not."""


@dataclass
class Studio:
    """Several projects of one account, each with a coordinator that may be at work."""

    folder: Path
    sim: background.Background
    database: str
    window_s: float = WINDOW_S
    seed: int = 1
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    looks: int = 0
    looks_failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lot = random.Random(self.seed)
        os.environ["KIEBATCH_TEAM"] = self.database
        os.environ["KIEBATCH_ACCOUNT"] = ACCOUNT

    # -- projects

    def project(self, name: str, prompts: list[str]) -> None:
        folder = self.folder / name
        folder.mkdir()
        scenes = [{"id": n + 1, "prompt": text, "model": "z-image"} for n, text in enumerate(prompts)]
        (folder / "scenes.yaml").write_text(json.dumps({"kiebatch": 1, "scenes": scenes}), encoding="utf-8")

    def projects(self, jobs: int, count: int = 4) -> list[str]:
        """Make projects that ask for so many jobs together, half of which another project asks for too."""
        names = [f"film{n}" for n in range(count)]
        each = jobs // count
        for n, name in enumerate(names):
            shared = [f"Shared {n // 2} {i}" for i in range(each // 2)]
            own = [f"Own {n} {i}" for i in range(each - each // 2)]
            mixed = [*shared, *own]
            self.lot.shuffle(mixed)
            self.project(name, mixed)
        return names

    # -- coordinators

    def start(
        self,
        name: str,
        *,
        skew_s: float = 0.0,
        drift: float = 0.0,
        freeze_at: str = "",
        cable: Cable | None = None,
        more: tuple[str, ...] = (),
    ) -> subprocess.Popen[str]:
        scene = self.folder / name / "scenes.yaml"
        command = [sys.executable, "-c", WORKER, str(scene), self.sim.url, self.sim.key]
        command += [str(skew_s), str(drift), freeze_at, str(self.window_s), *more]
        process = subprocess.Popen(
            cable.command(command) if cable else command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "KIEBATCH_TEAM": self.through(cable)},
        )
        self.running[name] = process
        return process

    def through(self, cable: Cable | None) -> str:
        """Return the database's address, as it is called at the end of a cable."""
        if cable is None or not self.database:
            return self.database
        return urlsplit(self.database)._replace(netloc=f"postgres@{cable.database}").geturl()

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.kills += 1

    def end(self, name: str, within_s: float = 300.0) -> dict[str, Any]:
        process = self.running.pop(name)
        out, err = process.communicate(timeout=within_s)
        if not out.strip():
            raise Broken(f"{name} said nothing: {err[-500:]}")
        found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        self.answers.append(found)
        return found

    def finish(self, names: list[str], rounds: int = 6) -> None:
        """Let everything come home: honest decisions, nobody who kills."""
        for _ in range(rounds):
            self.resolve(names)
            for name in names:
                self.start(name)
            ended = [self.end(name) for name in names]
            if all(one["status"] == "success" for one in ended):
                return
        raise Broken(f"the films were not made: {self.answers[-len(names) :]}")

    def resolve(self, names: list[str]) -> int:
        """Decide what is held, knowing the provider's own list; return how many were."""
        charges = self.ask("ledger")
        decided = 0
        for name in names:
            with self.journal(name) as journal:
                journal.hold_unfinished("the program ended")
                held = journal.attempts(states=("held",))
                for attempt in held:
                    strays = [
                        c["task_id"]
                        for c in charges
                        if c["input"]["prompt"] == attempt.job["prompt"]
                        and journal.attempt_of_task(c["task_id"]) is None
                    ]
                    journal.decide(
                        attempt.id, "task-id" if strays else "forget", strays[0] if strays else None
                    )
                    decided += 1
        return decided

    def journal(self, name: str) -> TeamJournal:
        workspace = api.load(self.folder / name / "scenes.yaml").workspace
        team = Team(self.database, ACCOUNT)
        journal = open_film(workspace, now=time.time, team=team, rebuild=tuple)
        assert isinstance(journal, TeamJournal)
        return journal

    # -- what must hold

    def ask(self, what: str) -> Any:
        return httpx.get(f"{self.sim.url}/_sim/{what}", timeout=60).json()

    def rows(self, query: str) -> list[dict[str, Any]]:
        connection = Connection(self.database, patience_s=60)
        try:
            return connection.transact(lambda cursor: cursor.execute(query).fetchall())
        finally:
            connection.close()

    @contextlib.contextmanager
    def watched(self, cap: float) -> Iterator[None]:
        """Look at the account and at the charges all the time: the cap must hold at every moment."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.5):
                try:
                    self._within(cap)
                    self.looks += 1
                except (KieBatchError, httpx.HTTPError) as error:  # a look that failed saw nothing
                    self.looks_failed.append(str(error))

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
        print(f"looked at the cap {self.looks} times; {len(self.looks_failed)} looks failed")
        if self.wrong or not self.looks:
            raise Broken("; ".join([*self.wrong, *self.looks_failed][:3]))

    def _within(self, cap: float) -> None:
        charged = self.ask("stats")["charged"]
        (money,) = self.rows("SELECT reserved::float8, spent::float8 FROM accounts")
        if charged > cap + 1e-6 or money["reserved"] + money["spent"] > cap + 1e-6:
            self.wrong.append(f"the cap of {cap:g}: charged {charged:g}, {money}")

    def bill(self) -> dict[str, int]:
        """Return what went wrong, by the simulator's own ledger; all of it must be 0."""
        charges = self.ask("ledger")
        failed = {t["task_id"] for t in self.ask("tasks") if t["phase"] == "failed"}
        attempts = self.rows("SELECT task_id, state, price, billed, job ->> 'prompt' AS prompt FROM attempts")
        known = {a["task_id"] for a in attempts}
        paid = Counter(c["input"]["prompt"] for c in charges if c["task_id"] not in failed)
        unknown = Counter(c["input"]["prompt"] for c in charges if c["task_id"] not in known)
        held = Counter(a["prompt"] for a in attempts if a["state"] in ("held", "intended"))
        (money,) = self.rows("SELECT reserved FROM accounts")
        states = ("claimed", "intended", "held", "submitted", "lost")
        open_ones = sum(a["price"] for a in attempts if a["state"] in states)
        return {
            "charges": len(charges),
            "double": sum(count - 1 for count in paid.values()),
            "charged and unknown": (unknown - held).total(),
            "reserved that is not open": int(money["reserved"] != open_ones),
            "429": int(self.ask("stats")["refusals"].get("429", 0)),
        }

    def judge(self, began: float, **facts: object) -> None:
        """Print what happened, and fail where something was paid twice or lost."""
        bill = self.bill()
        words = {**facts, **bill, "kills": self.kills}
        print(
            ", ".join(f"{name} {value}" for name, value in words.items()),
            f"in {time.monotonic() - began:.0f} s",
        )
        if any(value for name, value in bill.items() if name != "charges"):
            raise Broken(str(bill))


@contextlib.contextmanager
def studio(
    cap: float | None = None, *, lease_s: float = LEASE_S, window_s: float = WINDOW_S
) -> Iterator[tuple[Studio, postgres.Server]]:
    behaviour = Behaviour.quick(speed=20.0, starts=STARTS, window_s=window_s, pixels=0.03)
    with (
        tempfile.TemporaryDirectory(prefix="studio-") as name,
        postgres.server(fsync=True) as server,
        background.start(behaviour) as sim,
    ):
        os.environ["KIEBATCH_STATE_HOME"] = f"{name}/state"
        os.environ["KIEBATCH_CONFIG_HOME"] = f"{name}/config"
        accounts.init(server.url, ACCOUNT, cap=cap, lease_s=lease_s)
        found = Studio(Path(name), sim, server.url, window_s)
        try:
            yield found, server
        finally:
            for process in found.running.values():
                process.kill()
                process.communicate()


def kills(count: int, jobs: int, every_s: tuple[float, float] = (0.3, 1.5)) -> None:
    """SIGKILL coordinators at random moments, while four of them make films that share half of their jobs."""
    cap = jobs * PRICE
    with studio(cap) as (found, _), found.watched(cap):
        began, names = time.monotonic(), found.projects(jobs)
        held = 0
        while found.kills < count:
            for name in names:
                if name not in found.running:
                    found.start(name)
            time.sleep(found.lot.uniform(*every_s))
            done = [name for name, process in found.running.items() if process.poll() is not None]
            for name in done:
                found.end(name)
            alive = [name for name in names if name in found.running]
            if alive:
                found.kill(found.lot.choice(alive))
            elif all(one["status"] == "success" for one in found.answers[-4:]):
                break
        for name in list(found.running):
            found.end(name)
        held += found.resolve(names)
        found.finish(names)
        if held > found.kills:
            raise Broken(f"{held} jobs were held after {found.kills} kills")
        found.judge(began, jobs=jobs, held=held)


def stops(count: int, jobs: int) -> None:
    """Stop PostgreSQL at once and start it again, while four coordinators are at work."""
    cap = jobs * PRICE
    with studio(cap, lease_s=6.0) as (found, server), found.watched(cap):
        began, names = time.monotonic(), found.projects(jobs)
        stopped = 0
        for name in names:
            found.start(name)
        while stopped < count:
            time.sleep(found.lot.uniform(1.0, 3.0))
            server.stop("immediate")
            time.sleep(found.lot.uniform(0.0, 1.5))
            server.start()
            stopped += 1
            for name in names:
                if found.running[name].poll() is not None:
                    found.end(name)
                    found.start(name)
        ended = [found.end(name) for name in names]
        by_themselves = sum(one["status"] == "success" for one in ended)
        found.finish(names)
        found.judge(began, jobs=jobs, stops=stopped, went_on_by_themselves=by_themselves)


def partitions(count: int, jobs: int) -> None:
    """Cut a coordinator off from the database, not from the provider, for shorter and longer than its lease."""
    cap = jobs * PRICE
    with (
        studio(cap) as (found, server),
        cables.cable(urlsplit(found.sim.url).port or 0, server.port) as cable,
        found.watched(cap),
    ):
        print(cable.kind)
        began, names = time.monotonic(), found.projects(jobs)
        cut_off = names[0]
        sent_while_cut = 0
        for number in range(count):
            for name in names:
                if name in found.running and found.running[name].poll() is not None:
                    found.end(name)
                if name not in found.running:
                    found.start(name, cable=cable if name == cut_off else None)
            time.sleep(found.lot.uniform(1.0, 2.0))
            cable.cut()
            time.sleep(LEASE_S / 2)  # what had its intent written has left by now
            before = len(found.ask("calls"))
            time.sleep((1.0, 2.0, 6.0)[number % 3])
            mine = found.ask("calls")[before:]
            sent_while_cut += _of_cut_off(mine)
            cable.mend()
        for name in list(found.running):
            found.end(name)
        found.finish(names)
        found.judge(began, jobs=jobs, partitions=count, sent_while_cut_off=sent_while_cut)


def _of_cut_off(calls: list[Any]) -> int:
    """Return how many submissions of the first film's own jobs are among some calls."""
    return sum("Own 0 " in json.dumps(call) for call in calls)


def freezes(rounds: int, lease_s: float = LEASE_S) -> None:
    """SIGSTOP a coordinator at every hook point, for shorter and longer than its lease, while others work on."""
    cap = len(POINTS) * rounds * 2 * (6 + 1) * PRICE  # a job that is held and forgotten counts as spent
    with studio(cap, lease_s=lease_s) as (found, _), found.watched(cap):
        began = time.monotonic()
        frozen, jobs = 0, 0
        for number, point in enumerate(POINTS * rounds):
            for moment in ("before", "after"):
                names = [f"{point}-{moment}-{number}-{n}" for n in range(2)]
                prompts = [f"{point} {moment} {number} {i}" for i in range(6)]
                jobs += len(prompts)
                for name in names:
                    found.project(name, prompts)
                process = found.start(names[0], freeze_at=f"journal.{point}:{moment}")
                if _stopped(process):
                    frozen += 1
                    found.start(names[1])
                    time.sleep((0.5, lease_s + 1.5, 2 * lease_s)[number % 3])
                    process.send_signal(signal.SIGCONT)
                for name in names:
                    if name in found.running:
                        found.end(name)
                found.finish(names)
        found.judge(began, jobs=jobs, frozen=frozen)


def _stopped(process: subprocess.Popen[str], within_s: float = 60.0) -> bool:
    """Wait until a process has stopped itself; False where it ended first."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        state = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        if state == "T":
            return True
        time.sleep(0.02)
    return False


def clocks(jobs: int) -> None:
    """Four coordinators whose clocks are an hour slow, an hour fast, right, and drifting."""
    with studio() as (found, _):
        began, names = time.monotonic(), found.projects(jobs)
        wrong = ((-3600.0, 0.0), (3600.0, 0.0), (0.0, 0.0), (0.0, 0.5))
        for name, (skew_s, drift) in zip(names, wrong, strict=True):
            found.start(name, skew_s=skew_s, drift=drift)
        for name in names:
            found.end(name)
        found.finish(names)
        found.judge(began, jobs=jobs)


def claims(processes: int = 4, each: int = 500) -> None:
    """How many claims with their intents one account takes in a second, from several processes."""
    program = (
        "import sys, time; from pathlib import Path; from bench.team import claim_many;"
        "claim_many(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))"
    )
    with studio(lease_s=600.0) as (found, server):
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", program, server.url, str(found.folder), str(n), str(each)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(processes)
        ]
        figures = [json.loads(worker.communicate(timeout=300)[0]) for worker in workers]
        began, ended = min(f["began"] for f in figures), max(f["ended"] for f in figures)
        slowest = max(f["p99_ms"] for f in figures)
        print(f"{processes * each / (ended - began):.0f} claims and intents a second, p99 {slowest:.0f} ms")


def claim_many(url: str, folder: Path, number: int, count: int) -> None:
    """Claim so many keys, one after the other, and print when."""
    from kiebatch.model import Slot
    from kiebatch.record import Claimed, Intent, Key, open_journal
    from kiebatch.team import open_journal as open_team_journal

    state = folder / f"claims{number}"
    state.mkdir()
    local = open_journal(state / "journal.sqlite", now=time.time)
    team = Team(url, ACCOUNT)
    took = []
    with open_team_journal(
        team, local, name="claims", state=state, hook=lambda _point: None, read_only=False
    ) as journal:
        journal.begin(f"r{number}", 90.0)
        began = time.time()
        for n in range(count):
            at = time.perf_counter()
            claimed = journal.claim(
                Intent(
                    run_id=f"r{number}",
                    slot=Slot(n),
                    key=Key(f"sha256:{number}-{n}"),
                    model="z-image",
                    family="jobs",
                    job={"prompt": "x"},
                    credits=PRICE,
                    reserved=PRICE,
                )
            )
            assert isinstance(claimed, Claimed)
            journal.intended(claimed.attempt)
            took.append(time.perf_counter() - at)
        ended = time.time()
    print(json.dumps({"began": began, "ended": ended, "p99_ms": sorted(took)[int(count * 0.99)] * 1000}))


def together(jobs: int) -> None:
    """How long four coordinators need for the same jobs, against the bound of the provider's own window."""
    with studio(lease_s=30.0, window_s=10.0) as (found, _):
        prompts = [f"Together {i}" for i in range(jobs)]
        names = [f"film{n}" for n in range(4)]
        began = time.monotonic()
        for name in names:
            found.project(name, prompts)
            found.start(name)
        for name in names:
            found.end(name)
        created = sorted(c["time"] for c in found.ask("ledger"))
        bound_s = ((jobs - 1) // STARTS) * found.window_s
        print(
            f"{jobs} starts in {created[-1] - created[0]:.1f} s: {(created[-1] - created[0]) / bound_s:.3f} of the bound"
        )
        found.judge(began, jobs=jobs)


def against(jobs: int) -> None:
    """A run over PostgreSQL against the same over SQLite: from the first start to the last, in CPU seconds, and in transactions."""
    with studio(lease_s=30.0) as (found, server):
        for name, database in (("sqlite", ""), ("postgres", server.url)):
            found.project(name, [f"{name} {i}" for i in range(jobs)])
            os.environ["KIEBATCH_TEAM"] = found.database = database
            before = os.times()
            seen = len(found.ask("ledger"))
            commits = postgres.commits(server.url)
            started = time.monotonic()
            found.start(name)
            found.end(name)
            took_s = time.monotonic() - started
            after = os.times()
            created = sorted(c["time"] for c in found.ask("ledger")[seen:])
            cpu_s = (
                after.children_user + after.children_system - before.children_user - before.children_system
            )
            a_job = (postgres.commits(server.url) - commits) / jobs
            print(
                f"{name}: {created[-1] - created[0]:.2f} s of starts, {took_s:.1f} s in all, {cpu_s:.1f} s of CPU,"
                f" {a_job:.1f} transactions a job"
            )


MODES: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "kills": lambda chosen: kills(chosen.count or 200, chosen.jobs or 1000),
    "stops": lambda chosen: stops(chosen.count or 20, chosen.jobs or 400),
    "partitions": lambda chosen: partitions(chosen.count or 30, chosen.jobs or 400),
    "freezes": lambda chosen: freezes(chosen.count or 3, chosen.lease),
    "clocks": lambda chosen: clocks(chosen.jobs or 400),
    "claims": lambda chosen: claims(),
    "together": lambda chosen: together(chosen.jobs or 200),
    "against": lambda chosen: against(chosen.jobs or 200),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--count", type=int, help="kills, stops, partitions, or rounds of freezes")
    parser.add_argument("--jobs", type=int)
    parser.add_argument(
        "--lease", type=float, default=LEASE_S, help="seconds of silence, of freezes; truly 30"
    )
    chosen = parser.parse_args()
    MODES[chosen.mode](chosen)


if __name__ == "__main__":
    main()
