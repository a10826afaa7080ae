"""Lives with one more kind of trouble each: what people and their tools do between two runs and beside one.

    python -m bench.lives --seeds 0-99 --hardship any

Every kind is a life of `bench/lives.py` whose film is also renamed, forced, doubled, adopted or accepted, whose
journal is lost, whose manifest another tool writes into, or whose provider lies.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from bench.lives import EPOCH, RUNS, Broken, Film, Life, document
from kiebatch import api
from kiebatch.errors import Invalid, Refused
from kiebatch.project import Opened
from kiebatch.provider.callbacks import Hint
from kiebatch.record import manifest, picks_file
from kiebatch.record.picks import Choice, Decision
from kiebatch.running import Outcome
from kiebatch.simulator import Fault
from kiebatch.simulator.state import Task


class Hardship(StrEnum):
    """One kind of trouble."""

    FORCE = "force"  # `run --force --only SLOT`, killed and repeated
    MOVED = "moved"  # scenes are renumbered, with `moved:` lines and without
    FILMS = "films"  # two films in one folder, with one journal
    CACHE = "cache"  # two films that share a `--cache`
    DECISIONS = "decisions"  # adopt and accept, between runs and beside one
    JOURNAL = "journal"  # emptied, deleted, or taken back to an earlier copy
    FOREIGN = "foreign"  # entries of another tool in the manifest
    LIES = "lies"  # the provider repeats ids, mixes up records, and names absurd costs
    STATES = "states"  # two state folders for one film, in turn
    CALLBACKS = "callbacks"  # callbacks that are forged, doubled, late and lost
    BESIDE = "beside"  # pick, adopt, accept and resolve in the middle of a run


PLAIN = tuple(f"p{n}" for n in range(7))  # shots that nothing starts from


def renamed(written: dict[str, Any], *, lines: bool) -> dict[str, Any]:
    """Return a film whose scenes 1 and 3 are 11 and 13, with `moved:` lines for the plain shots or without."""
    new = {1: 11, 3: 13}
    scenes = [{**scene, "id": new.get(scene["id"], scene["id"])} for scene in written["scenes"]]
    moved = {f"1.{shot}": f"11.{shot}" for shot in PLAIN}
    return {**written, "scenes": scenes, **({"moved": moved} if lines else {})}


@functools.cache
def _films() -> dict[tuple[bool, str], Opened]:
    """Return the film as it is written, by whether it is edited and how it is renamed."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="film-") as folder:
        for edited in (False, True):
            written = document(edited)
            ways = {"": written, "lines": renamed(written, lines=True), "bare": renamed(written, lines=False)}
            for way, one in ways.items():
                film = Film.read(Path(folder) / f"{edited}{way}", one)
                found[edited, way] = film.before
    return found


@dataclass
class HardLife(Life):
    """A life with one hardship, by its seed or as chosen."""

    hardship: Hardship | None = None
    naming: str = ""
    edited: bool = False
    committed: bytes = b""  # the fullest manifest that git has taken back
    kept: bytes = b""  # an earlier copy of the journal
    done: Counter[str] = field(default_factory=Counter)  # what was done to it
    excused: set[tuple[str, int]] = field(default_factory=set)  # state folder and attempt

    def __post_init__(self) -> None:
        kinds = tuple(Hardship)
        self.hardship = self.hardship or kinds[self.seed % len(kinds)]
        self.luck = random.Random(f"hardship {self.hardship} {self.seed}")

    @property
    def films(self) -> tuple[str, ...]:
        two = self.hardship in (Hardship.FILMS, Hardship.CACHE)
        return ("assets", "other") if two else ("assets",)

    def version(self, film: str = "assets") -> Opened:
        return self.placed(_films()[self.edited, self.naming], film)

    async def _live(self) -> None:
        self.weather(self.lot.choice([0.0, 0.02, 0.08]))
        edit_at = self.lot.choice([2, 3, 99])
        for number in range(RUNS):
            self.edited = self.edited or number >= edit_at
            self.state = self.luck.choice(self.states)
            await self.run(self.version(self.luck.choice(self.films)), kills=self.lot.random() < 0.7)
            await self._between(self.lot)
            self.suffer()
        for film in self.films:
            for state in self.states:
                self.state = state
                self.lost_journal()
                await self.come_home(self.version(film))

    # -- each hardship

    def weather(self, rain: float) -> None:
        super().weather(rain)
        if self.hardship is Hardship.LIES:
            for lie in ("costs:0", "costs:-5", "costs:100000", "other-id"):
                self.sim.faults.add(Fault.parse(f"submit%0.06={lie}"))

    def asked(self, opened: Opened) -> dict[str, Any]:
        if self.hardship is not Hardship.FORCE or self.luck.random() < 0.4:
            return {}
        scene = opened.project.scenes[0]
        shot = self.luck.choice(PLAIN)
        job = next(j for j in opened.project.jobs if (j.slot.scene, j.slot.shot) == (scene.id, shot))
        self.words[job.prompt] += 1
        self.done["forced"] += 1
        return {"force": True, "only": (str(job.slot),)}

    def more_settings(self) -> dict[str, Any]:
        if self.hardship is Hardship.CALLBACKS:
            return {"callback_url": "https://film.example/hook"}
        return {"cache": self.folder / "cache"} if self.hardship is Hardship.CACHE else {}

    def more_edges(self) -> dict[str, Any]:
        return {"listening": self.listening} if self.hardship is Hardship.CALLBACKS else {}

    def beside(self, point: str) -> None:
        if not point.startswith("request."):
            return
        if self.hardship is Hardship.DECISIONS and self.luck.random() < 0.03:
            self.decide()
        if self.hardship is Hardship.BESIDE and self.luck.random() < 0.08:
            self.luck.choice([self.decide, self.pick, self.resolve_beside])()

    def suffer(self) -> None:
        """Do what this life's hardship does between two runs."""
        match self.hardship:
            case Hardship.MOVED:
                self.naming = self.luck.choice(["", "lines", "bare"])
                self.done["renamed"] += 1
            case Hardship.DECISIONS:
                self.decide()
            case Hardship.JOURNAL:
                self.lost_journal()
                self.harm()
            case Hardship.FOREIGN:
                self.enter_foreign()
            case Hardship.LIES:
                self.repeat_ids()

    def repeat_ids(self) -> None:
        """Let answers name the account's first task again, once that is known to be somebody's."""
        first = next(iter(self.sim.tasks), "")
        if not self.done["repeats ids"] and first in {a.task_id for a in self.attempts()}:
            self.sim.faults.add(Fault.parse("submit%0.06=same-id"))
            self.done["repeats ids"] += 1

    def revert(self) -> None:
        path = self.folder / "assets" / "manifest.json"
        if path.exists():  # every commit can be restored: of two, the one that knows more
            self.committed = max(self.committed, path.read_bytes(), key=len)
        super().revert()

    async def run(self, opened: Opened, *, kills: bool, fair: bool = False) -> Outcome | None:
        self.excuse()
        opened = self.placed(opened, opened.workspace.assets.name)
        try:
            return await super().run(opened, kills=kills, fair=fair)
        except Invalid as error:
            # Git took so much back that most files lie there without an entry: a person does what the hint says.
            if "it was lost" not in str(error) or not self.committed:
                raise
            (self.folder / "assets" / "manifest.json").write_bytes(self.committed)
            self.done["git restore"] += 1
            return await super().run(opened, kills=kills, fair=fair)

    def decide(self) -> None:
        """Adopt a file, or accept what there is, for a shot that nothing starts from."""
        opened = self.version()
        path = opened.workspace.manifest_path
        if not path.exists():
            return
        record = manifest.parse(path.read_text(encoding="utf-8"), "manifest.json")
        opened = dataclasses.replace(opened, manifest=record)
        slot = f"1.{self.luck.choice(PLAIN)}"
        try:
            if self.luck.random() < 0.5:
                file = self.folder / f"own-{self.luck.getrandbits(40)}.png"
                Image.new("RGB", (64, 36), (self.luck.randrange(256), 80, 120)).save(file)
                api.adopt(opened, slot, file, now=self._wall)
                self.done["adopted"] += 1
            else:
                api.accept(opened, [slot])
                self.done["accepted"] += 1
        except Invalid as error:  # there is nothing yet that could be accepted
            self.log(f"  {error.message}")

    def enter_foreign(self) -> None:
        """Enter what another tool has made: for a scene of its own, and beside a shot of ours."""
        path = self.folder / "assets" / "manifest.json"
        if not path.exists():
            return
        written = json.loads(path.read_text(encoding="utf-8"))
        for scene in (1, 99):
            number = self.luck.getrandbits(40)
            picture = self.folder / "assets" / "images" / f"foreign-{number}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(picture)
            written["assets"].append(
                {
                    "id": f"foreign-{number}",
                    "type": "image",
                    "filename": f"assets/images/{picture.name}",
                    "prompt": "Somebody else's picture",
                    "model": "4o Image",
                    "parameters": {},
                    "created_at": datetime.fromtimestamp(EPOCH, UTC).isoformat(),
                    "scene_id": scene,
                }
            )
            self.done["foreign"] += 1
        path.write_text(json.dumps(written), encoding="utf-8")

    # -- two state folders

    @property
    def states(self) -> tuple[str, ...]:
        return ("state", "elsewhere") if self.hardship is Hardship.STATES else ("state",)

    def excuse(self) -> None:
        """Allow once more what the other state folder alone knows: nobody could tell that it was paid for."""
        recorded = {asset.task_id for asset in self.recorded()}
        here = self.state
        for state in self.states:
            if state == here:
                continue
            self.state = state
            with self._journal() as journal:
                for attempt in journal.attempts():
                    unknown = attempt.open or attempt.undecided or attempt.state == "saved"
                    mark = (state, attempt.id)
                    if unknown and attempt.task_id not in recorded and mark not in self.excused:
                        self.excused.add(mark)
                        self.words[str(attempt.job["prompt"])] += 1
        self.state = here

    # -- callbacks

    @contextlib.asynccontextmanager
    async def listening(self, _address: str, heard: Callable[[Hint], object], **_: Any) -> AsyncIterator[str]:
        """Take the simulator's callbacks to a run, as badly as a network and a stranger can."""
        ringing = asyncio.create_task(self._ring(heard))
        try:
            yield "film.example"
        finally:
            ringing.cancel()

    async def _ring(self, heard: Callable[[Hint], object]) -> None:
        while True:
            await asyncio.sleep(1.0)
            for task, _ in self.sim.due_callbacks():
                for hint in self._hints(task):
                    self.loop.call_later(self.luck.choice([0.0, 0.0, 5.0, 120.0]), heard, hint)

    def _hints(self, task: Task) -> Iterator[Hint]:
        """Yield what is told of a task: nothing, the truth once or twice, and what a stranger makes up."""
        token = parse_qs(urlsplit(task.callback or "").query).get("kiebatch", [""])[0]
        true = Hint(task.id, token)
        yield from self.luck.choice([[], [true], [true], [true, true]])
        if self.luck.random() < 0.3:
            other = self.luck.choice(list(self.sim.tasks))
            yield self.luck.choice([Hint(other, token), Hint(task.id, f"{token}0"), Hint("0" * 32, token)])
            self.done["forged"] += 1

    # -- in the middle of a run

    def pick(self) -> None:
        """Pick or reject a take, as somebody does who looks at the board while the film is made."""
        choice: Choice = self.luck.choice(("pick", "reject"))
        decision = Decision(slot=f"2a#{self.luck.randrange(1, 4)}", choice=choice)
        picks_file.decide(self.version().workspace, [decision])
        self.done[choice] += 1

    def resolve_beside(self) -> None:
        """Try to decide a held job while a run is at work, which holds the film: that is refused."""
        try:
            api.resolve(self.version().workspace, f"1.{self.luck.choice(PLAIN)}", "resubmit")
        except Invalid:
            self.done["nothing held"] += 1
        except Refused:
            self.done["resolve refused"] += 1
        else:
            raise Broken("a job was decided while a run was at work")

    # -- the journal

    @property
    def _path(self) -> Path:
        return self.folder / "state" / "journal.sqlite"

    def harm(self) -> None:
        """Keep a copy of the journal, or empty it, delete it, take it back to the copy."""
        if not self._path.exists():
            return
        way = self.luck.choice(["keep", "keep", "empty", "delete", "back"])
        if way == "keep":
            self.kept = self._path.read_bytes()
        elif way == "empty":
            self._path.write_bytes(b"")
        elif way == "delete":
            self._path.unlink()
        elif self.kept:
            self._path.write_bytes(self.kept)
        self.done[way] += 1

    def lost_journal(self) -> None:
        """Do what `resolve --lost-journal` does, as a person who looked at the provider's log of tasks."""
        if self.hardship is not Hardship.JOURNAL:
            return
        with self._journal() as journal:
            if journal.incomplete:
                journal.found_again()
                self.done["found again"] += 1
                charged = Counter(self._prompts())
                for prompt in charged:
                    # Whatever is open or unknown may be sent once more: the person said so.
                    self.words[prompt] = max(self.words[prompt], charged[prompt])

    def _prompts(self) -> list[str]:
        return [str(c.input.get("prompt", c.input.get("text"))) for c in self.sim.ledger]

    def _check(self) -> None:
        if self.hardship is Hardship.JOURNAL:
            with self._journal() as journal:
                lost = journal.incomplete
            if lost:
                return self._check_manifests()
        return super()._check()

    def _check_manifests(self) -> None:
        for film in self.films:
            self._check_manifest(film)
        doubled = Counter(
            (a.scene_id, a.shot, a.take, a.model, a.output)
            for a in self.recorded()
            if a.current and a.fingerprint
        )
        if any(count > 1 for count in doubled.values()):
            raise Broken(f"two current versions: {doubled.most_common(1)}")


def named(name: str) -> Callable[..., Life]:
    """Return what makes lives with one hardship; `any` goes by the seed."""
    return HardLife if name == "any" else functools.partial(HardLife, hardship=Hardship(name))
