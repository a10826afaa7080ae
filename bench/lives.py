"""Lives of a film on virtual time: a run that crashes, loses answers, is restarted, until its film is made.

    python -m bench.lives --seeds 0-100000

Planner, engine, journal, client and gate are the real ones, and so is the simulator's application, behind a transport
that opens no socket.  One process, one seed: clock, chance, network and disk all follow from it, so a seed that breaks
an invariant breaks it again in the same way.  A crash is a SIGKILL as far as anybody can see: from that moment no
journal write, no request and no manifest comes through any more, and the next run finds what lies on the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import functools
import json
import logging
import random
import selectors
import shutil
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx

from kiebatch import api, files
from kiebatch.errors import Refused
from kiebatch.model import Asset, Attempt, Rate
from kiebatch.planning import Entry
from kiebatch.project import Opened, open_film
from kiebatch.record import Journal, SqliteJournal, manifest, open_journal
from kiebatch.running import Outcome
from kiebatch.running.events import Event
from kiebatch.settings import Settings
from kiebatch.simulator import Fault, Simulator
from kiebatch.simulator import Settings as Behaviour
from kiebatch.simulator.server.inprocess import Transport
from kiebatch.simulator.state import Charge
from kiebatch.team import Team
from kiebatch.workspace import Workspace

T = TypeVar("T")
P = ParamSpec("P")

EPOCH = 1_790_000_000.0
RATE = Rate(starts=8, window_s=10.0)  # less than the film has jobs, so that the window is met all the time
POLLS = Rate(starts=8, window_s=1.0)
RUNS = 5  # of one life, at most, before its weather clears
HOME_WITHIN_S = 4 * 3600.0  # once the troubles have stopped: a stuck task waits ten minutes in each run


class Broken(AssertionError):
    """An invariant did not hold."""


class Killed(BaseException):
    """The process ends here."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing that is due; with nothing due it is `Broken`."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now_s


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Broken("everybody waits and nothing is due: a deadlock")
        self.loop.now_s += max(0.0, timeout)
        return []


# --- what can be taken out, to see that it is missed ------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """What is broken on purpose: a life must then fail."""

    intents: bool = True  # the journal keeps intents
    quota: bool = True  # the gate keeps the window
    cap: bool = True  # the engine keeps the cap


# --- the film -----------------------------------------------------------------------------------------


def document(edited: bool) -> dict[str, Any]:
    """Return a film of 20 jobs: stills, takes, chains, fallbacks, a clip and a voice; `edited` changes three prompts."""
    again = ", at dawn" if edited else ""
    plain = [{"id": f"p{n}", "prompt": f"Plain shot {n}{again if n < 2 else ''}"} for n in range(7)]
    spare = [
        {"id": f"f{n}", "prompt": f"Shot {n} with a spare", "model": "nano-banana-2", "fallback": "z-image"}
        for n in range(3)
    ]
    first = {"id": "a", "prompt": f"The lighthouse{again}", "takes": 3}
    chain = [
        {"id": "b", "prompt": "Closer", "model": "nano-banana-2", "references": [{"shot": "2a", "take": 2}]},
        {"id": "c", "prompt": "Closer still", "model": "nano-banana-2", "references": [{"shot": "2b"}]},
        {
            "id": "d",
            "prompt": "The lamp",
            "model": "nano-banana-2",
            "references": [{"shot": "2c"}, {"shot": "2b"}],
        },
    ]
    both = {"id": "m", "prompt": "Two models", "model": ["z-image", "nano-banana-2"]}
    clip = {
        "id": "v",
        "prompt": "The lamp turns",
        "model": "kling-3.0/video",
        "duration": 5,
        "start_frame": {"shot": "2c"},
    }
    return {
        "kiebatch": 1,
        "defaults": {"model": "z-image"},
        "scenes": [
            {"id": 1, "shots": [*plain, *spare]},
            {"id": 2, "shots": [first, *chain]},
            {
                "id": 3,
                "shots": [both, clip],
                "voiceover": {
                    "text": "No one had come.",
                    "model": "elevenlabs/text-to-speech-multilingual-v2",
                    "voice": "Rachel",
                },
            },
        ],
    }


JOBS = 20


@dataclass
class Film:
    """Both versions of the film, read once; every life gets a folder of its own."""

    before: Opened
    after: Opened
    takes: dict[str, int]
    remade: set[str]  # prompts that are asked for again although their words stay

    @classmethod
    def read(cls, folder: Path, *documents: dict[str, Any], remade: Collection[str] = ()) -> Film:
        """Read the film before it is edited and, where that differs, after."""
        versions = []
        for number, written in enumerate(documents):
            path = folder / str(number) / "scenes.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(written), encoding="utf-8")
            versions.append(api.load(path))
        takes: Counter[str] = Counter()
        for opened in versions:
            seen = Counter(job.prompt for job in opened.project.jobs)
            for prompt, count in seen.items():
                takes[prompt] = max(takes[prompt], count)
        return cls(versions[0], versions[-1], dict(takes), set(remade))


# --- one life -----------------------------------------------------------------------------------------


@dataclass
class Life:
    """One film from its first run to its end, by one seed."""

    seed: int
    film: Film
    folder: Path
    sabotage: Sabotage = Sabotage()
    log: Callable[[str], object] = lambda _line: None

    state: str = "state"  # the state folder that the next run uses
    runs: int = 0
    kills: int = 0
    violated: str = ""  # a limit of the account that was not kept
    charges: int = 0
    home_s: float = 0.0  # virtual seconds that the way home took once the troubles had stopped
    jumped_s: float = 0.0  # how far the wall clock was set
    jumps: list[float] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)  # prompts that the user said to send again
    team: Team | None = None  # whose ledger it goes by, where it is not the film's own
    caps: tuple[float | None, ...] = (None, None, 30.0, 6.0)  # of a run; one is drawn
    stalled: tuple[float, float] = (-1.0, -1.0)  # since when the process stood still, and until when
    submits: deque[float] = field(default_factory=deque)
    reads: deque[float] = field(default_factory=deque)

    def live(self) -> None:
        """Live it; `Broken` where an invariant does not hold."""
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            self.begin(runner.get_loop())
            runner.run(self._live())

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open an account at a provider of this life's own, on a loop of virtual time."""
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        lot = self.lot = random.Random(f"life {self.seed}")
        self.sim = Simulator(
            Behaviour(
                seed=self.seed,
                balance=lot.choice([10_000.0, 10_000.0, 60.0]),
                fresh_s=lot.choice([0.0, 3.0]),
                extra_keys=lot.random() < 0.3,
                refunds=lot.random() < 0.8,
                pixels=0.02,
                starts=RATE.starts,
                no_credit_code=lot.choice([402, 500]),
                result_ttl_s=lot.choice([14 * 86400.0, 1200.0]),
            ),
            clock=lambda: EPOCH + self.loop.time(),
        )

    async def _live(self) -> None:
        lot = self.lot
        self.weather(lot.choice([0.0, 0.02, 0.08]))
        opened = self.placed(self.film.before)
        edit_at = lot.choice([2, 3, 99])
        outcome = None
        for number in range(RUNS):
            if number == edit_at:
                opened = self.placed(self.film.after)
            outcome = await self.run(opened, kills=lot.random() < 0.7)
            await self._between(lot)
            if outcome is not None and outcome.status == "success":
                break
        await self.come_home(opened)

    def placed(self, opened: Opened, film: str = "assets") -> Opened:
        workspace = Workspace(
            root=self.folder,
            assets=self.folder / film,
            state=self.folder / self.state,
            scene_file=opened.workspace.scene_file,
            default=film == "assets",
        )
        return dataclasses.replace(opened, workspace=workspace)

    # -- what other lives change

    @property
    def films(self) -> tuple[str, ...]:
        """The assets folders that this life has."""
        return ("assets",)

    @property
    def states(self) -> tuple[str, ...]:
        """The state folders that this life has."""
        return ("state",)

    def more_edges(self) -> dict[str, Any]:
        return {}

    def asked(self, opened: Opened) -> dict[str, Any]:
        """Return how a run is asked for, beside its settings."""
        return {}

    def more_settings(self) -> dict[str, Any]:
        return {}

    def beside(self, point: str) -> None:
        """What somebody else does while a run is at a point."""

    def weather(self, rain: float) -> None:
        """Let it rain trouble: the share of calls that each kind of it spoils."""
        lot = self.lot
        for text in (
            f"submit%{rain}=cut+after",
            f"submit%{rain}=cut",
            f"submit%{rain}=html:520+after",
            f"submit%{rain}=html:502",
            f"submit%{rain}=code:500",
            f"submit%{rain}=no-data+after",
            f"submit%{rain}=slow:200",
            f"submit%{rain * 2}=code:429",
            f"submit%{rain}=code:455",
            f"submit%{rain}=fail:500 Internal error, please try again later.",
            f"submit%{rain / 2}=fail:400 Your prompt was refused.",
            f"submit%{rain / 4}=stuck",
            f"submit%{rain}=fresh:40",
            f"submit%{rain}=no-output:list",
            f"submit%{rain}=links-die:30",
            f"poll%{rain}=code:429",
            f"poll%{rain}=html:502",
            f"poll%{rain}=cut",
            f"poll%{rain}=empty",
            f"upload%{rain}=html:502",
            f"download%{rain}=truncate",
            f"download%{rain}=page",
            f"download%{rain}=gone",
            f"download%{rain}=expired",
            f"download%{rain}=wrong-medium",
            f"credit%{rain}=html:502",
        ):
            if rain:
                self.sim.faults.add(Fault.parse(text))
        if lot.random() < 0.3:
            nth = lot.randrange(2, 8)
            self.sim.faults.add(
                Fault(on="submit", kind="code", value="429", nth=nth, times=lot.randrange(3, 15))
            )

    async def run(self, opened: Opened, *, kills: bool, fair: bool = False) -> Outcome | None:
        lot = self.lot
        self.runs += 1
        killer = _Killer(self, kills=kills, slow=lot.random() < 0.2)
        cap = None if fair else lot.choice(self.caps)
        charged = len(self.sim.ledger)
        settings = Settings(
            api_key=self.sim.settings.key,
            base_url="http://127.0.0.1:9",
            rate=RATE if self.sabotage.quota else Rate(starts=500, window_s=10.0),
            poll_rate=POLLS,
            timeout_s={"image": 300.0, "video": 600.0, "audio": 300.0, "text": 300.0},
            max_credits=cap if self.sabotage.cap else None,
            partial=True,
            allow_unpriced=True,
            in_flight=lot.choice([300, 7]),
            order=lot.choice(["file", "fastest"]),
            canary=lot.random() < 0.5,
            **self.more_settings(),
        )
        edges = api.Edges(
            now=self._wall,
            sleep=asyncio.sleep,
            rng=random.Random(f"{self.seed} {self.runs}"),
            transport=Transport(
                self.sim,
                transit_s=lambda: lot.uniform(0.005, 0.1),
                before=lambda request: self._leaves(request),
            ),
            offload=in_place,
            hook=killer,
            gate_path=self.folder / "gate.sqlite3",
            team=self.team,
        )
        edges = dataclasses.replace(edges, **self.more_edges())
        if not self.sabotage.intents:
            edges = dataclasses.replace(edges, open_journal=_forgetful)
        outcome = None
        try:
            asked = {} if fair else self.asked(opened)
            outcome = await api.run_async(opened, settings=settings, emit=self._event, edges=edges, **asked)
            self.log(f"run {self.runs}: {outcome.status} {outcome.stopped_because}")
        except Killed:
            self.kills += 1
            self.log(f"run {self.runs}: killed at {killer.last}")
        except Refused as refused:
            self.log(f"run {self.runs}: refused, {refused.message}")
        # What was in the air when the process died still arrives.
        await asyncio.sleep(1.0)
        if cap is not None:
            spent = sum(c.credits for c in self.sim.ledger[charged:] if not c.refunded)
            if spent > cap + 1e-6:
                raise Broken(f"the cap of {cap:g} credits was exceeded: {spent:g}")
        self._check()
        return outcome

    def stall(self, seconds: float) -> None:
        """Stand still, as on a slow disk; stalls that follow each other at once are one."""
        now = self.loop.now_s
        began, ended = self.stalled
        self.loop.now_s = now + seconds
        self.stalled = (began if ended == now else now, self.loop.now_s)

    def _event(self, event: Event) -> None:
        # Without the life's folder: a seed tells the same story each time.
        self.log(f"  {self.loop.time():9.2f} {event}".replace(f"{self.folder}/", ""))

    async def _between(self, lot: random.Random) -> None:
        """What happens while nothing runs: time passes, clocks are set, git and the user do things."""
        await asyncio.sleep(lot.choice([0.0, 1.0, 60.0, 3600.0, 20 * 86400.0 if lot.random() < 0.1 else 5.0]))
        if lot.random() < 0.1:
            self.jumped_s += lot.choice([-7200.0, 7200.0, -30.0, 30.0])
            self.jumps.append(self.loop.time())
        if lot.random() < 0.08:
            self.revert()
        if lot.random() < 0.3:
            self.resolve_all(honest=lot.random() < 0.7)

    def revert(self) -> None:
        """Git takes the manifest back to a state that knows less."""
        path = self.folder / "assets" / "manifest.json"
        if not path.exists():
            return
        document = json.loads(path.read_text(encoding="utf-8"))
        heads = [a for a in document["assets"] if "superseded_by" not in a and a.get("version") == 1]
        self.log(f"  the manifest goes back: {len(heads) // 2} entries are gone")
        document["assets"] = heads[: len(heads) // 2]
        path.write_text(json.dumps(document), encoding="utf-8")
        # What git took back and the journal knows comes home by itself.  Ids are given anew on reading.

    def resolve_all(self, *, honest: bool) -> None:
        """Decide what is held, as a user does who looks at the provider's own log of tasks."""
        known = {a.task_id for a in self.attempts()}
        for journal in self._journals():
            self._resolve_all(journal, known, honest=honest)

    def _resolve_all(self, journal: Journal, known: set[str | None], *, honest: bool) -> None:
        with journal:
            journal.hold_unfinished("the program ended")
            for attempt in journal.attempts(states=("held",)):
                prompt = str(attempt.job["prompt"])
                strays = [
                    c
                    for c in self.sim.ledger
                    if c.task_id not in known
                    and c.model == attempt.model
                    and c.input.get("prompt", c.input.get("text")) == prompt
                ]
                if strays:
                    if not honest and self.lot.random() < 0.3:
                        with contextlib.suppress(Refused):  # a shared ledger refuses it for a while
                            journal.decide(attempt.id, "resubmit")
                            self.words[prompt] += 1
                        continue
                    known.add(strays[0].task_id)
                    journal.decide(attempt.id, "task-id", strays[0].task_id)
                else:
                    self._let_go(journal, attempt)

    def _let_go(self, journal: Journal, attempt: Attempt) -> None:
        """Say that a held job was never charged; a shared ledger does not let it be sent again at once."""
        try:
            journal.decide(attempt.id, self.lot.choice(["resubmit", "forget"]))
        except Refused:
            journal.decide(attempt.id, "forget")

    def _journal(self, film: str = "assets") -> Journal:
        workspace = self.placed(self.film.before, film).workspace
        return open_film(workspace, now=self._wall, team=self.team, rebuild=tuple)

    def _journals(self) -> Iterator[Journal]:
        """Open the journal of each film in each state folder, one after the other."""
        now = self.state
        for film in self.films:
            for state in self.states:
                self.state = state
                yield self._journal(film)
        self.state = now

    def attempts(self) -> list[Attempt]:
        """Return the attempts of all films."""
        found = []
        for journal in self._journals():
            with journal:
                found += journal.attempts()
        return found

    def recorded(self) -> list[Asset]:
        """Return the assets of all films."""
        found: list[Asset] = []
        for film in self.films:
            path = self.folder / film / "manifest.json"
            if path.exists():
                found += manifest.parse(path.read_text(encoding="utf-8"), "manifest.json").assets
        return found

    def _wall(self) -> float:
        return EPOCH + self.loop.time() + self.jumped_s

    # -- what must hold

    def _leaves(self, request: httpx.Request) -> None:
        """See a request leave, and check the limits of the account."""
        moment = self.loop.time()
        if request.url.path.endswith("createTask"):
            self._within(self.submits, moment, RATE, "submissions")
        elif request.url.path.endswith("recordInfo"):
            self._within(self.reads, moment, POLLS, "status reads")

    def _within(self, seen: deque[float], moment: float, rate: Rate, what: str) -> None:
        while seen and seen[0] <= moment - rate.window_s:
            seen.popleft()
        # What a process had begun to send when it stood still leaves all at once: it counts as of then.
        began, ended = self.stalled
        seen.append(began if moment == ended else moment)
        # Processes share the wall clock; when that is set, a window of starts is forgotten.
        just_set = any(moment - at < 2 * rate.window_s for at in self.jumps)
        if len(seen) > rate.starts and not just_set:
            # Kept for the check after the run: within it, an exception is the trouble of one task.
            self.violated = self.violated or f"{len(seen)} {what} within {rate.window_s:g} s"

    def _check(self) -> None:
        """Check what must hold after every run, however it ended."""
        if self.violated:
            raise Broken(self.violated)
        for film in self.films:
            self._check_manifest(film)
        fine = [charge for charge in self.sim.ledger if not self.sim.tasks[charge.task_id].error]
        for prompt, count in Counter(map(_words_of, fine)).items():
            asked = self.film.takes[prompt] + (prompt in self.film.remade)
            allowed = len(self.films) * asked + self.words[prompt]
            if count > allowed:
                raise Broken(f"`{prompt}` was paid for {count} times; {allowed} were asked for")
        attempts = self.attempts()
        unsure = Counter(str(a.job["prompt"]) for a in attempts if a.undecided)
        for prompt, count in Counter(self.strays(attempts)).items():
            if count > unsure[prompt] + self.words[prompt]:
                raise Broken(f"a charge for `{prompt}` is not known to anybody")
        self.charges = len(self.sim.ledger)

    def strays(self, attempts: Collection[Attempt]) -> list[str]:
        """Return the prompts of charges whose task no attempt has."""
        known = {a.task_id for a in attempts if a.task_id}
        return [
            str(c.input.get("prompt", c.input.get("text"))) for c in self.sim.ledger if c.task_id not in known
        ]

    def _check_manifest(self, film: str) -> None:
        path = self.folder / film / "manifest.json"
        if not path.exists():
            return
        record = manifest.parse(path.read_text(encoding="utf-8"), "manifest.json")
        if record.repairs:
            raise Broken(f"the manifest needs repairs: {record.repairs[0]}")
        for asset in record.assets:
            if asset.sha256 is None:
                continue  # an entry of another tool
            file = self.folder / asset.filename
            if not file.exists() or files.sha256(file) != asset.sha256:
                raise Broken(f"{asset.filename} is not what the manifest says")
            task = self.sim.tasks.get(asset.task_id or "")
            if task and task.input.get("prompt", task.input.get("text")) != asset.prompt:
                raise Broken(f"{asset.filename} has the picture of another task")

    async def come_home(self, opened: Opened) -> None:
        """Check that in fair weather, with an honest user and nobody who kills, every charge comes home.

        It is saved, failed or listed, and the film is made.
        """
        self.sim.faults.clear()
        self.sim.balance = 10_000.0
        began = self.loop.time()
        outcome = await self._go_on(opened)
        self.home_s = max(self.home_s, self.loop.time() - began)
        if self.home_s > HOME_WITHIN_S:
            raise Broken(f"the way home took {self.home_s / 60:.0f} virtual minutes")
        self._check()
        saved = {a.task_id for a in self.recorded()}
        attempts = {a.task_id: a for a in self.attempts() if a.task_id}
        for charge in self.sim.ledger:
            attempt = attempts.get(charge.task_id)
            if charge.task_id in saved or (attempt and _is_accounted_for(attempt, opened.workspace.film)):
                continue
            if not self.words[_words_of(charge)]:
                raise Broken(f"task {charge.task_id} was paid for and is nowhere: {attempt}")
        waiting = self._unmade(opened)
        if waiting:
            raise Broken(
                f"{waiting[0].slot} is not made: {waiting[0].action}, {waiting[0].reason}; {outcome}"
            )

    async def _go_on(self, opened: Opened) -> Outcome | None:
        """Decide what is held and run, until all is well or nothing more will come of it; return the last outcome."""
        outcome = None
        for _ in range(4):
            self.resolve_all(honest=True)
            outcome = await self.run(opened, kills=False, fair=True)
            if outcome is not None and outcome.status == "success":
                break
        return outcome

    def _unmade(self, opened: Opened) -> list[Entry]:
        """Return what is not made and will not be by itself."""
        path = opened.workspace.manifest_path
        record = manifest.parse(path.read_text(encoding="utf-8"), "manifest.json")
        todo = api.plan(
            dataclasses.replace(opened, manifest=record),
            now=self._wall,
            cache=self.more_settings().get("cache"),
        )
        wanted = [e for e in todo.entries if e.action not in ("keep", "orphan")]
        # A dead link is not sent for ever: what could not be fetched is made by a later run.
        over = [e for e in wanted if e.attempt and e.attempt.state == "failed" and e.attempt.code != "451"]
        waiting = [e for e in wanted if e not in over and not (e.attempt and e.attempt.open)]
        return [e for e in waiting if e.fingerprint is not None or not (e.job and e.job.needs)]


def _is_accounted_for(attempt: Attempt, film: str) -> bool:
    """Whether a charge that has an attempt, and no entry in the manifest, is where it should be."""
    if attempt.state == "failed" or attempt.open:
        return True
    if attempt.state == "saved" and attempt.recorded:
        return True  # git took its entry back, and today's film does not ask for it
    return attempt.film != film  # the other film comes home by itself


def _words_of(charge: Charge) -> str:
    """Return the words that a charge was made for."""
    return str(charge.input.get("prompt", charge.input.get("text")))


class _Killer:
    """The hook that every journal write, request and manifest write passes: slow disks, and the end of the process."""

    def __init__(self, life: Life, *, kills: bool, slow: bool) -> None:
        self.life = life
        self.left = life.lot.choice([life.lot.randrange(1, 30), life.lot.randrange(1, 300)]) if kills else -1
        self.slow = slow
        self.dead = False
        self.last = ""

    def __call__(self, point: str) -> None:
        if self.dead:
            raise Killed
        self.life.beside(point)
        self.left -= 1
        if self.left == 0:
            self.dead, self.last = True, point
            raise Killed
        if self.slow and point.startswith("journal") and self.life.lot.random() < 0.1:
            self.life.stall(self.life.lot.uniform(0.0, 3.0))


async def in_place(work: Callable[P, T], /, *args: P.args, **named: P.kwargs) -> T:
    """Do work on the loop that other programs do beside it: threads know no simulated time."""
    return work(*args, **named)


class _NoIntents(SqliteJournal):
    """A journal that forgets an intent when the process dies: as if nobody had written it down."""

    def hold_unfinished(self, reason: str) -> int:
        with self.database.write("forget") as db:
            return db.execute("DELETE FROM attempts WHERE state = 'intended'").rowcount


def _forgetful(*args: Any, **kwargs: Any) -> SqliteJournal:
    journal = open_journal(*args, **kwargs)
    journal.__class__ = _NoIntents
    return journal


# --- many lives ---------------------------------------------------------------------------------------


@functools.cache
def _film() -> Film:
    with tempfile.TemporaryDirectory(prefix="film-") as folder:
        film = Film.read(
            Path(folder),
            document(False),
            document(True),
            remade=("Closer", "Closer still", "The lamp", "The lamp turns"),
        )
        assert len(film.before.project.jobs) == JOBS
        return film


def lives(
    seeds: range,
    *,
    sabotage: Sabotage = Sabotage(),
    log: Callable[[str], object] = lambda _line: None,
    kind: Callable[..., Life] = Life,
) -> Iterator[tuple[Life, BaseException | None]]:
    """Live one life per seed; yield each with what broke it, if anything did."""
    # A killed run leaves tasks that end in `Killed`, which asyncio reports.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    # Nobody pulls the plug of this machine, so a disk that is none will do.
    disk = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="lives-", dir=disk) as folder:
        film = _film()
        for seed in seeds:
            home = Path(folder) / str(seed)
            home.mkdir()
            life = kind(seed, film, home, sabotage, log)
            try:
                life.live()
                yield life, None
            except Exception as error:
                yield life, error
            finally:
                shutil.rmtree(home, ignore_errors=True)


@dataclass
class Tally:
    """What came of some lives."""

    lives: int
    broken: int = 0
    runs: int = 0
    kills: int = 0
    charges: int = 0
    virtual_s: float = 0.0
    home_s: float = 0.0  # the longest time until all had come home, in virtual seconds


def tally(chosen: str, kind: Callable[..., Life], *, verbose: bool) -> Tally:
    """Live some seeds, `7` or `0-99` with both ends, and print which of them broke; `verbose` stops at the first."""
    first, _, last = chosen.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    sums = Tally(len(seeds))
    for life, error in lives(seeds, log=print if verbose else lambda _line: None, kind=kind):
        sums.virtual_s, sums.home_s = sums.virtual_s + life.loop.time(), max(sums.home_s, life.home_s)
        sums.runs += life.runs
        sums.kills += life.kills
        sums.charges += life.charges
        if error is not None:
            sums.broken += 1
            print(f"seed {life.seed} broke: {type(error).__name__}: {error}", flush=True)
            if verbose:
                raise error
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-999", help="a seed or a range, both ends included")
    parser.add_argument("--verbose", action="store_true", help="every event of every life")
    parser.add_argument("--hardship", help="a new kind of trouble, or `any` (see bench/hardships.py)")
    chosen = parser.parse_args()
    kind: Callable[..., Life] = Life
    if chosen.hardship:
        from bench import hardships

        kind = hardships.named(chosen.hardship)
    began = time.perf_counter()
    sums = tally(chosen.seeds, kind, verbose=chosen.verbose)
    took_s = time.perf_counter() - began
    print(
        f"{sums.lives} lives of {JOBS} jobs, {sums.runs} runs, {sums.kills} kills, {sums.charges} charges: "
        f"{sums.broken} broken; {took_s:.0f} s, {took_s / sums.lives * 1000:.0f} ms a life; "
        f"{sums.virtual_s / took_s:,.0f} virtual seconds a second, home within {sums.home_s / 60:.0f} virtual minutes"
    )
    sys.exit(1 if sums.broken else 0)


if __name__ == "__main__":
    main()
