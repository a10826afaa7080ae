"""Races between an approval and what happens before and while its plan is carried out, with the real planner.

    python -m bench.approved --seeds 0-1000

One race is one pull request: its plan is made and approved, then things happen (another merge, a price, a reference, the
manifest, the journal, a forced push, a rebase), then it is run under the approval, interrupted, and run again; some with
`--force`.  Nothing is
sent: a purchase is an attempt in the journal and an asset in the manifest.  What a plan asks for is described once more
here, in words and contents and without a fingerprint, and that description decides what was right.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kiebatch import catalogue
from kiebatch.errors import Invalid
from kiebatch.model import (
    JSON,
    Asset,
    Attempt,
    Document,
    Job,
    LocalFile,
    Price,
    Project,
    Ref,
    Shot,
    ShotOutput,
    fingerprint,
    job_record,
    stamp,
)
from kiebatch.planning import Action, Approval, Entry, Facts, Plan, Reason, Selection, effects, planner
from kiebatch.planning.order import output_of, upstream_first
from kiebatch.record.manifest import Manifest
from kiebatch.record.manifest.keys import sort_key

CATALOGUE = catalogue.load()
MODELS = ("z-image", "nano-banana-2", "google/nano-banana")
Line = tuple[Any, ...]  # what one purchase is, in words and contents


@dataclass
class World:
    """A repository and its journal: the scene file, the references, the prices, and what was made."""

    scenes: list[dict[str, Any]]
    cap: float | None = None
    media: dict[str, str] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MODELS, 8.0))
    manifest: Manifest = field(default_factory=Manifest)
    attempts: list[Attempt] = field(default_factory=list)
    count: int = 0

    def project(self) -> Project:
        run = {} if self.cap is None else {"run": {"max_credits": self.cap}}
        value: JSON = {"kiebatch": 1, "defaults": {"model": "z-image"}, **run, "scenes": self.scenes}
        project, problems = catalogue_build(Document(value=value, places={}, file="scenes.yaml"))
        wrong = [p for p in problems if p.severity == "error"]
        assert not wrong, wrong
        scenes = [dataclasses.replace(s, shots=tuple(map(self._priced, s.shots))) for s in project.scenes]
        return dataclasses.replace(project, scenes=tuple(scenes))

    def _priced(self, shot: Shot) -> Shot:
        jobs = tuple(dataclasses.replace(job, price=self._price(job)) for job in shot.jobs)
        return dataclasses.replace(shot, jobs=jobs)

    def _price(self, job: Job) -> Price:
        return Price(amount=self.prices[job.model], kind="exact")

    def plan(self, *, force: bool = False) -> Plan:
        digests = {a.filename: a.sha256 for a in self.manifest.assets}
        saved = {(a.task_id or "", 1): f"bytes of {a.task_id}" for a in self.attempts if a.state == "saved"}
        facts = Facts(
            digests=digests,
            media=self.media,
            attempts=self.attempts,
            intact=lambda _asset: True,
            saved=saved,
        )
        return planner.plan(self.project(), self.manifest, facts, Selection(force=force))

    def digest_of(self, ref: Ref) -> str:
        if isinstance(ref, LocalFile):
            return self.media[ref.path]
        assert isinstance(ref, ShotOutput)
        asset = self.made(ref)
        assert asset is not None
        return asset.sha256 or ""

    def made(self, ref: ShotOutput) -> Asset | None:
        line = self.manifest.of(ref.slot.scene, ref.slot.shot)
        return output_of([a for a in line if a.current and a.take == ref.slot.take], ref)

    def remembers(self, task_id: str | None) -> bool:
        """Whether the journal knows a task."""
        return any(a.task_id == task_id for a in self.attempts)

    def has_result_of(self, task_id: str | None) -> bool:
        return any(a.task_id == task_id for a in self.manifest.assets)

    def lose(self, scene: Any) -> None:
        """Take a scene's entries out of the manifest, as a merge that went wrong does."""
        kept = tuple(a for a in self.manifest.assets if a.scene_id != scene)
        self.manifest = Manifest(assets=kept)

    def saved(self, job: Job, task_id: str, content: str) -> None:
        """Enter a result into the manifest."""
        self.count += 1
        slot = job.slot
        current = [a for a in self.manifest.of(slot.scene, slot.shot) if a.current and a.take == slot.take]
        name = f"img-{self.count:03d}"
        older = [dataclasses.replace(a, superseded_by=name) for a in current]
        others = [a for a in self.manifest.assets if a not in current]
        asset = Asset(
            id=name,
            type="image",
            filename=f"assets/images/{name}.png",
            prompt=job.prompt,
            model=job.model,
            parameters={"input": dict(job.input)},
            scene_id=slot.scene,
            shot=slot.shot,
            take=slot.take,
            version=1 + max((a.version for a in current), default=0),
            task_id=task_id,
            created_at=stamp(self.count),
            fingerprint=content,
            sha256=f"bytes of {task_id}",
        )
        self.manifest = Manifest(assets=tuple(sorted((*others, *older, asset), key=sort_key)))

    def buy(self, job: Job, state: Any, approval: Approval | None, *, billed: bool | None = None) -> Attempt:
        """Write an attempt into the journal, and its result where it has one."""
        number = 1 + max((a.id for a in self.attempts), default=0)
        record = job_record(job) | (approval.record(job.slot) if approval else {})
        attempt = Attempt(
            id=number,
            slot=job.slot,
            model=job.model,
            family=job.family,
            fingerprint=fingerprint(job, self.digest_of),
            state=state,
            job=record,
            task_id=f"task {number}.{self.count}",
            retryable=True,
            billed=billed,
            recorded=state == "saved",
            ended_at=None if state == "submitted" else float(self.count),
            take=job.slot.take,
        )
        self.attempts.append(attempt)
        if state == "saved":
            self.saved(job, attempt.task_id or "", attempt.fingerprint)
        return attempt

    def settle(self) -> None:
        """Collect what is in flight, and enter what the manifest has lost; at no cost."""
        jobs = {job.slot: job for job in self.project().jobs}
        recorded = {a.task_id for a in self.manifest.assets}
        for index, attempt in enumerate(self.attempts):
            lacking = attempt.state == "saved" and attempt.task_id not in recorded
            if attempt.state == "submitted" or lacking:
                self.attempts[index] = self._ended(attempt)
                self.saved(jobs[attempt.slot], attempt.task_id or "", attempt.fingerprint)

    def _ended(self, attempt: Attempt) -> Attempt:
        self.count += 1
        return dataclasses.replace(attempt, state="saved", recorded=True, ended_at=float(self.count))


def catalogue_build(document: Document) -> tuple[Project, list[Any]]:
    from kiebatch.scenefile import build

    return build.build(document, CATALOGUE)


# --- what a plan asks for, said once more ----------------------------------------------------------------


@dataclass
class Bought:
    """What was bought under an approval: the tasks with their slots, and each slot's line."""

    tasks: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)

    def known(self, slot: str, world: World) -> bool:
        """Whether the journal or the manifest still tells that a slot was bought."""
        tasks = [task for task, owner in self.tasks.items() if owner == slot]
        return any(world.remembers(task) or world.has_result_of(task) for task in tasks)


def described(todo: Plan, world: World, bought: Bought) -> dict[str, Line]:
    """Return what a plan would buy, by slot; `bought` is what an approval paid for."""
    coming = {str(e.slot) for e in todo.generate}
    tasks = bought.tasks

    def named(ref: Ref) -> str:
        if isinstance(ref, LocalFile):
            return world.media[ref.path]
        assert isinstance(ref, ShotOutput)
        (upstream,) = [e for e in todo.entries if e.slot == ref.slot]
        asset = output_of(upstream.older or upstream.current, ref)
        if str(ref.slot) in coming:
            return f"new {ref.slot}"
        if upstream.action is Action.RESTORE and upstream.attempt:
            task = upstream.attempt.task_id
            return f"new {ref.slot}" if task in tasks else f"bytes of {task}"
        assert asset is not None
        return f"new {ref.slot}" if asset.task_id in tasks else str(asset.sha256)

    def instead_of(entry: Entry) -> str | None:
        if entry.cause is not Reason.FORCED:
            return None
        (asset,) = entry.current
        if asset.task_id in tasks and world.remembers(asset.task_id):
            return str(bought.lines[str(entry.slot)][-1])
        return asset.sha256

    return {str(e.slot): _line(e.job, named, instead_of(e)) for e in todo.generate if e.job}


def _line(job: Job, named: Callable[[Ref], str], instead_of: str | None) -> Line:
    words = " ".join(job.prompt.split())
    media = tuple(named(medium.ref) for medium in job.media)
    return (
        job.model,
        words,
        repr(sorted(job.input.items() - {("prompt", job.prompt)}, key=str)) if not media else "",
        media,
        job.price.amount,
        instead_of,
    )


# --- what happens ------------------------------------------------------------------------------------------


def film(chance: random.Random) -> World:
    """Return a film of 3 to 7 scenes, some of which start from another or from a file, some made already."""
    scenes: list[dict[str, Any]] = []
    for number in range(1, chance.randint(4, 8)):
        scene: dict[str, Any] = {"id": number, "prompt": f"Shot {number} of the lighthouse"}
        if number > 1 and chance.random() < 0.5:
            scene |= {"model": "nano-banana-2", "references": [{"shot": chance.randint(1, number - 1)}]}
        elif chance.random() < 0.3:
            scene |= {"model": "nano-banana-2", "references": [f"refs/{chance.randint(1, 2)}.png"]}
        scenes.append(scene)
    world = World(scenes, media={"refs/1.png": "the keeper", "refs/2.png": "the boat"})
    for job in upstream_first(world.project().jobs):
        there = all(world.made(ShotOutput(slot)) for slot in job.needs)
        if there and chance.random() < 0.5:
            world.buy(job, chance.choice(("saved", "saved", "submitted")), None)
    return world


def edit(world: World, chance: random.Random) -> None:
    scene = chance.choice(world.scenes)
    scene["prompt"] += f", {chance.choice(('at dawn', 'in rain', 'in snow'))}"


def second_merge(world: World, chance: random.Random) -> None:
    """Somebody else's request is merged; half of the time it has been run, too."""
    edit(world, chance)
    if chance.random() < 0.5:
        world.settle()
        for entry in buy_all(world, world.plan()):
            assert entry.job is not None
            world.buy(entry.job, chance.choice(("saved", "submitted")), None)


def price(world: World, chance: random.Random) -> None:
    world.prices[chance.choice(MODELS)] += chance.choice((-1.0, 2.0))


def reference(world: World, chance: random.Random) -> None:
    world.media[f"refs/{chance.randint(1, 2)}.png"] += " retouched"


def manifest(world: World, chance: random.Random) -> None:
    """A result is made anew by somebody, or its entry is lost while the journal has it."""
    world.settle()
    jobs: dict[Any, Job] = {job.slot.scene: job for job in world.project().jobs}
    made = [a for a in world.manifest.assets if a.current and a.scene_id in jobs]
    if not made:
        return
    asset = chance.choice(made)
    if chance.random() < 0.7:
        world.saved(jobs[asset.scene_id], f"foreign task {world.count}", asset.fingerprint or "")
    else:
        world.lose(asset.scene_id)


def journal(world: World, chance: random.Random) -> None:
    """An older journal comes back, or none at all."""
    world.settle()
    world.attempts = world.attempts[: chance.randint(0, len(world.attempts))]


def forced_push(world: World, chance: random.Random) -> None:
    scene = chance.choice(world.scenes)
    scene["prompt"] = f"Something else for shot {scene['id']}"


def rebase(world: World, chance: random.Random) -> None:
    """Nothing that counts: order, blanks, notes, keys in another order, a file under another name."""
    chance.shuffle(world.scenes)
    for scene in world.scenes:
        scene["prompt"] = f"  {scene['prompt'].replace(' ', '  ', 1)}\n"
        scene["notes"] = "as discussed"


def cap(world: World, chance: random.Random) -> None:
    world.cap = chance.choice((None, 500.0))


EVENTS: Mapping[str, Callable[[World, random.Random], None]] = {
    "second merge": second_merge,
    "price": price,
    "reference": reference,
    "manifest": manifest,
    "journal": journal,
    "forced push": forced_push,
    "rebase": rebase,
    "cap": cap,
}


def buy_all(world: World, todo: Plan, stop: int = 99) -> Iterator[Entry]:
    """Carry a plan out, upstream first, as far as `stop` purchases; yield what is bought."""
    by_slot = {e.slot: e for e in todo.entries}
    for job in upstream_first([e.job for e in todo.generate if e.job]):
        if stop == 0:
            return
        if any(world.made(ShotOutput(slot)) is None for slot in job.needs):
            continue
        stop -= 1
        yield by_slot[job.slot]


# --- one race ------------------------------------------------------------------------------------------------


@dataclass
class Race:
    """One pull request, its approval, and what came of it."""

    seed: int
    events: list[str] = field(default_factory=list)
    runs: int = 0
    refused: int = 0
    bought: float = 0.0
    outside: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)

    def run(self) -> Race:
        chance = random.Random(self.seed)
        world = film(chance)
        for _ in range(chance.randint(1, 2)):
            edit(world, chance)
        reviewed = copy.deepcopy(world)
        self._force = chance.random() < 0.3
        plan = reviewed.plan(force=self._force)
        digest = effects.of_plan(plan, cap=reviewed.cap).digest
        self._approved = described(plan, reviewed, Bought())
        self._cap = reviewed.cap
        self._under = Bought()
        for _ in range(chance.randint(1, 3)):
            for _ in range(chance.choice((0, 0, 1, 1, 2))):
                self._happen(world, chance)
            self._attempt(world, digest, chance)
        return self

    def _happen(self, world: World, chance: random.Random) -> None:
        name = chance.choice(list(EVENTS))
        self.events.append(name)
        EVENTS[name](world, chance)

    def _attempt(self, world: World, digest: str, chance: random.Random) -> None:
        self.runs += 1
        plan = world.plan(force=self._force)
        now = described(plan, world, self._under)
        paid = self._under.tasks.items()
        remembered = {slot: self._under.lines[slot] for task, slot in paid if world.remembers(task)}
        equal = {**remembered, **now} == self._approved and world.cap == self._cap
        try:
            todo, approval = effects.approved(plan, digest, cap=world.cap)
        except Invalid:
            self.refused += 1
            if equal or not plan.generate:
                self.needless.append(f"seed {self.seed}: refused an equal plan after {self.events}")
            return
        world.settle()
        for entry in buy_all(world, todo, chance.choice((1, 2, 99))):
            self._buy(world, entry, approval, now, chance)

    def _buy(
        self,
        world: World,
        entry: Entry,
        approval: Approval,
        now: Mapping[str, Line],
        chance: random.Random,
    ) -> None:
        job, slot = entry.job, str(entry.slot)
        assert job is not None
        assert entry.action is Action.GENERATE
        if not approval.covers(job, fingerprint(job, world.digest_of)):
            self.outside.append(f"seed {self.seed}: the last look lets nothing of {slot} through")
            return
        if self._approved.get(slot) != now[slot]:
            self.outside.append(f"seed {self.seed}: {slot} was not approved as {now[slot]}, {self.events}")
        if self._under.known(slot, world):
            self.outside.append(f"seed {self.seed}: {slot} is bought twice, {self.events}")
        ends = chance.choice(("saved", "saved", "submitted", "failed"))
        billed = chance.choice((True, False, None)) if ends == "failed" else None
        attempt = world.buy(job, ends, approval, billed=billed)
        self.bought += job.price.amount or 0.0
        if not (ends == "failed" and billed is False):
            self._under.lines[slot] = now[slot]
            self._under.tasks[attempt.task_id or ""] = slot


def races(seeds: range) -> Iterator[Race]:
    return (Race(seed).run() for seed in seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-1000")
    first, _, last = parser.parse_args().seeds.partition("-")
    found = list(races(range(int(first), int(last or int(first) + 1))))
    happened = Counter(name for race in found for name in race.events)
    print(f"{len(found)} races, {sum(r.runs for r in found)} runs, {sum(r.refused for r in found)} refused")
    print(f"events: {', '.join(f'{name} {count}' for name, count in sorted(happened.items()))}")
    print(f"{sum(r.bought for r in found):g} credits within an approved digest")
    wrong = [line for race in found for line in (*race.outside, *race.needless)]
    print(
        f"{sum(len(r.outside) for r in found)} purchases outside, {sum(len(r.needless) for r in found)} needless refusals"
    )
    print("\n".join(wrong[:20]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
