"""Every order in which a film's money can move: an exhaustive walk over the real decisions, claims and journal.

    python -m bench.explore
    python -m bench.explore --without claim

No sockets, no clock.  A state is what lies on the disk, what the provider has charged and how far each process has
come; a step is one durable write, one request, one crash, or one thing that a person does.  `planner.plan`,
`claimed_by`, `decide`, `Journal` and `ManifestWriter` are those of the product; the glue between them is told here.
The two processes share no lock, as on a network disk that ignores locks, so that the claim is what guards the money.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.protocol import (
    Book,
    Charge,
    Parts,
    Phase,
    Process,
    State,
    Step,
    Without,
    Work,
    content_of,
    job_for,
    versions,
)
from kiebatch.model import Attempt, Slot
from kiebatch.planning import Action, Plan, Reason
from kiebatch.record.ledger import Claimed

# --- the steps -----------------------------------------------------------------------------------------


@dataclass
class Walk:
    """All steps from a state, within so many runs and troubles."""

    parts: Parts
    runs: int
    troubles: int
    processes: int = 2

    def steps(self, state: State) -> Iterator[Step]:
        for number, process in enumerate(state.processes):
            for at in range(len(process.works)):
                yield from self._work(state, number, at)
            if state.troubles < self.troubles:
                gone = self._with(state, number, None)
                yield Step("crash", gone._replace(troubles=state.troubles + 1))
        if len(state.processes) < self.processes and state.runs < self.runs:
            yield from self._begin(state)
        if state.troubles < self.troubles:
            for step in (*self._edits(state), *self._harms(state)):
                yield Step(step.name, step.after._replace(troubles=state.troubles + 1))
        if not state.processes:
            yield from self._people(state)

    def _with(self, state: State, number: int | None, process: Process | None) -> State:
        """Put a process in the place of another; one that has nothing left to do closes its journal and ends."""
        others = [p for n, p in enumerate(state.processes) if n != number]
        if process is None:
            return state._replace(processes=tuple(others))
        if not process.works:
            return _marked(state._replace(processes=tuple(others)))
        return state._replace(processes=tuple(sorted([*others, process])))

    # -- a run begins

    def _opened(self, state: State) -> State:
        """Open the journal as `open_journal` does: made, found to be lost, or as it is."""
        book, mark = state.book, None if self.parts.without is Without.MARK else state.mark
        if book is None:
            book = Book(self.parts.keep(()), uuid=state.runs + 1, lost=mark is not None)
        elif mark is not None and (mark[0] != book.uuid or _highest(book) < mark[1]):
            book = book._replace(lost=True)
        new = state.book is None or book.lost
        return _marked(state._replace(book=book)) if new else state._replace(book=book)

    def _begin(self, state: State) -> Iterator[Step]:
        for forced in (False, True):
            if forced and state.troubles >= self.troubles:
                continue
            after = self._opened(state)._replace(runs=state.runs + 1)
            assert after.book
            rows = after.book.rows
            if not state.processes:  # what else runs is alive; its intents are its own
                rows = (
                    self.parts.forget_intents(rows)
                    if self.parts.without is Without.INTENT
                    else self.parts.write(rows, "hold_unfinished", "the program ended")
                )
                after = after._replace(book=after.book._replace(rows=rows))
            if forced:
                after = self._forced(after)._replace(troubles=state.troubles + 1)
            plan = self.parts.plan(state.film, state.manifest, rows, forced)
            works = self._works(plan)
            if after.book and after.book.lost and plan.generate:
                works = ()  # nothing is sent until a person decides
            process = Process(state.film, state.manifest, works)
            yield Step("run --force" if forced else "run", self._with(after, None, process))

    def _forced(self, state: State) -> State:
        """Count `--force` as a person's word for each slot that has nothing open: an open one satisfies it."""
        assert state.book
        busy = {a.fingerprint for a in self.parts.attempts(state.book.rows) if a.open or a.undecided}
        asked = [content_of(job) for job in self.parts.films[state.film].jobs]
        return _said(state, [content for content in asked if content not in busy])

    def _works(self, plan: Plan) -> tuple[Work, ...]:
        works = []
        for entry in plan.entries:
            if entry.action is Action.GENERATE:
                works.append(Work(_scene(entry.slot), Phase.DECIDE, entry.cause is Reason.FORCED))
            elif entry.action is Action.RESTORE and entry.attempt:
                works.append(Work(_scene(entry.slot), Phase.COLLECT, attempt=entry.attempt.id))
        for attempt in plan.collect:
            slot = plan.assignment.slot_of(attempt) if plan.assignment else attempt.slot
            works.append(Work(_scene(slot), Phase.COLLECT, attempt=attempt.id, behind=True))
        return tuple(works)

    # -- one job

    def _work(self, state: State, number: int, at: int) -> Iterator[Step]:
        work = state.processes[number].works[at]
        ways = {
            Phase.DECIDE: self._decide,
            Phase.CLAIM: self._claim,
            Phase.SEND: self._send,
            Phase.ANSWER: self._answer,
            Phase.UNSURE: self._unsure,
            Phase.COLLECT: self._collect,
            Phase.ENTER: self._enter,
        }
        for after, now in ways[work.phase](state, state.processes[number], work):
            process = after.processes[number]
            works = [w for n, w in enumerate(process.works) if n != at]
            rest = tuple(sorted([*works, now] if now else works))
            name = f"{work.phase.name.lower()} {work.scene}"
            yield Step(name, self._with(after, number, process._replace(works=rest)))

    def _decide(self, state: State, process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        assert state.book
        rows = state.book.rows
        plan = self.parts.plan(process.film, state.manifest, rows, work.forced)
        entry = next(e for e in plan.entries if e.slot.scene == work.scene)
        if entry.action is Action.GENERATE:
            yield state, work._replace(phase=Phase.CLAIM, seen=_highest(state.book))
        elif entry.action is Action.RESTORE and entry.attempt:
            yield state, work._replace(phase=Phase.COLLECT, attempt=entry.attempt.id)
        else:
            yield state, None

    def _claim(self, state: State, process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        assert state.book
        rows, claimed = self.parts.claim(state.book.rows, process.film, work.scene, work.forced, work.seen)
        if isinstance(claimed, Claimed):
            after = _marked(state._replace(book=state.book._replace(rows=rows)))
            yield after, work._replace(phase=Phase.SEND, attempt=claimed.attempt)
        elif claimed.by.undecided:
            yield state, None
        else:
            yield state, work._replace(phase=Phase.COLLECT, attempt=claimed.by.id)

    def _send(self, state: State, process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        job = self.parts.job(process.film, work.scene)
        charged = state._replace(charges=(*state.charges, Charge(content_of(job), 1)))
        yield charged, work._replace(phase=Phase.ANSWER, task=len(charged.charges))
        if state.troubles < self.troubles:
            yield charged._replace(troubles=state.troubles + 1), work._replace(phase=Phase.UNSURE)
            refused = self._written(state, "refused", work.attempt, "429", "too fast")
            yield refused._replace(troubles=state.troubles + 1), None

    def _answer(self, state: State, _process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        yield (
            self._written(state, "submitted", work.attempt, f"t{work.task}"),
            work._replace(phase=Phase.COLLECT),
        )

    def _unsure(self, state: State, _process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        yield self._written(state, "held", work.attempt, "cut off"), None

    def _collect(self, state: State, _process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        found = self._attempt(state, work.attempt)
        if found is None or found.task_id is None:
            yield state, None
        else:
            yield self._written(state, "saved", work.attempt), work._replace(phase=Phase.ENTER)

    def _enter(self, state: State, process: Process, work: Work) -> Iterator[tuple[State, Work | None]]:
        attempt = self._attempt(state, work.attempt)
        assert attempt is not None
        assert attempt.task_id is not None
        text = state.manifest
        if attempt.task_id not in self.parts.recorded(text):
            rows = state.book.rows if state.book else self.parts.keep(())
            text = self.parts.enter(
                process.known, text, rows, work.attempt, work.scene, process.film, work.behind
            )
        yield self._written(state._replace(manifest=text), "recorded", (work.attempt,)), None

    def _attempt(self, state: State, number: int) -> Attempt | None:
        assert state.book
        return next((a for a in self.parts.attempts(state.book.rows) if a.id == number), None)

    def _written(self, state: State, what: str, *args: Any) -> State:
        assert state.book
        rows = self.parts.write(state.book.rows, what, *args)
        return state._replace(book=state.book._replace(rows=rows))

    # -- what people do, and what happens to files

    def _edits(self, state: State) -> Iterator[Step]:
        for number in range(len(self.parts.films)):
            if number != state.film:
                yield Step(f"film {number}", state._replace(film=number))

    def _harms(self, state: State) -> Iterator[Step]:
        if state.book is None or state.processes:
            return
        if state.copy is None:
            yield Step("copy the journal", state._replace(copy=state.book))
        elif state.copy != state.book:
            yield Step("take the journal back", state._replace(book=state.copy))
        yield Step("the journal is gone", state._replace(book=None))

    def _people(self, state: State) -> Iterator[Step]:
        book = state.book
        if book is None:
            return
        attempts = self.parts.attempts(book.rows)
        known = {a.task_id for a in attempts}
        strays = [(f"t{n}", c) for n, c in enumerate(state.charges, 1) if f"t{n}" not in known]
        for attempt in attempts:
            if not attempt.undecided:
                continue
            own = [task for task, charge in strays if charge.content == attempt.fingerprint]
            if own:
                yield Step("resolve --task-id", self._written(state, "decide", attempt.id, "task-id", own[0]))
                lied = _said(state, [attempt.fingerprint])
                yield Step(
                    "resolve --resubmit, wrongly", self._written(lied, "decide", attempt.id, "resubmit")
                )
            else:
                yield Step("resolve --resubmit", self._written(state, "decide", attempt.id, "resubmit"))
        if book.lost:
            gone = [c.content for t, c in strays if t not in self.parts.recorded(state.manifest)]
            after = _said(state, gone)._replace(book=book._replace(lost=False))
            yield Step("resolve --lost-journal", _marked(after))

    # -- what must hold

    def problem(self, state: State) -> str:
        """Return what does not hold in a state, in words, or nothing."""
        allowed = Counter(state.words)
        for charge, count in Counter(state.charges).items():
            if count > 1 + allowed[charge.content]:
                return f"{_name(charge)} was paid for {count} times"
        doubled = self.parts.doubled(state.manifest)
        if doubled:
            return f"slot {doubled} has two current versions"
        return self._unknown(state, allowed)

    def _unknown(self, state: State, allowed: Counter[str]) -> str:
        """Return a charge that nobody knows of: not in the manifest, the journal, held, in the air, or listed."""
        book = state.book
        lost = book is None or book.lost or (state.mark and (state.mark[0] != book.uuid))
        if lost or (book and state.mark and _highest(book) < state.mark[1]):
            return ""  # the mark says so: nothing is sent before a person has looked
        assert book
        attempts = self.parts.attempts(book.rows)
        known = {a.task_id for a in attempts} | self.parts.recorded(state.manifest)
        unsure = Counter(a.fingerprint for a in attempts if a.undecided or a.state == "intended")
        strays = Counter(c.content for n, c in enumerate(state.charges, 1) if f"t{n}" not in known)
        for content, count in strays.items():
            if count > unsure[content] + allowed[content]:
                return f"{_name(Charge(content, 1))} was paid for and nobody knows of it"
        return ""


def _scene(slot: Slot) -> int:
    assert isinstance(slot.scene, int)
    return slot.scene


def _highest(book: Book) -> int:
    return max((row[0] for row in book.rows.value), default=0)


def _marked(state: State) -> State:
    """Write the mark, as a journal does when it is made, with every intent, when it is decided and when it is closed."""
    return state._replace(mark=(state.book.uuid, _highest(state.book))) if state.book else state


def _said(state: State, contents: Sequence[str]) -> State:
    return state._replace(words=tuple(sorted((*state.words, *contents))))


_NAMES = {content_of(job_for(1, letter)): letter for letter in "abcdz"}


def _name(charge: Charge) -> str:
    return f"`{_NAMES.get(charge.content, charge.content)}`"


# --- the walk ------------------------------------------------------------------------------------------


@dataclass
class Explored:
    """What a walk found: each violation with the steps that lead to it, the first ones."""

    states: int = 0
    steps: int = 0
    complete: bool = True
    violations: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    took_s: float = 0.0


def explore(
    *,
    jobs: int = 2,
    runs: int = 2,
    troubles: int = 2,
    processes: int = 2,
    without: Without | None = None,
    most: int = 1,
    states: int = 50_000_000,
) -> Explored:
    """Walk through all states, nearest first; stop after `most` violations or so many states."""
    began, found = time.perf_counter(), Explored()
    disk = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="explore-", dir=disk) as folder:
        walk = Walk(Parts(versions(jobs), Path(folder), without), runs, troubles, processes)
        start = State(walk.parts.keep(""))
        before: dict[State, tuple[State, str] | None] = {start: None}
        layer = [start]
        while layer and len(found.violations) < most:
            following = []
            for state in layer:
                for step in walk.steps(state):
                    found.steps += 1
                    if step.after in before:
                        continue
                    before[step.after] = (state, step.name)
                    problem = walk.problem(step.after)
                    if problem:
                        found.violations.append((problem, _path(before, step.after)))
                    else:
                        following.append(step.after)
                if len(found.violations) >= most or len(before) >= states:
                    break
            if len(before) >= states:
                found.complete = False
                break
            layer = following
        found.states = len(before)
    found.took_s = time.perf_counter() - began
    return found


def _path(before: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    names = []
    while (step := before[state]) is not None:
        state, name = step
        names.append(name)
    return tuple(reversed(names))


@dataclass(frozen=True)
class World:
    """How much may happen in a walk."""

    jobs: int
    processes: int
    runs: int
    troubles: int


# More troubles with fewer runs at once, and the other way round: what grows is the product of the two.
WORLDS = (World(2, 2, 2, 1), World(1, 2, 3, 3), World(2, 1, 2, 2), World(1, 1, 3, 3))


def _explored(world: World, without: Without | None, most: int) -> Explored:
    return explore(**asdict(world), without=without, most=most)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, help="one walk with so many jobs, in place of the standard ones")
    parser.add_argument("--processes", type=int, default=2, help="how many run at once")
    parser.add_argument("--runs", type=int, default=2, help="how many runs begin")
    parser.add_argument(
        "--troubles", type=int, default=1, help="crashes, lost answers, edits, --force, harm: in all"
    )
    parser.add_argument("--without", type=Without, choices=list(Without), help="take out a guard")
    parser.add_argument("--most", type=int, default=1, help="after how many violations a walk stops")
    chosen = parser.parse_args()
    one = World(chosen.jobs or 2, chosen.processes, chosen.runs, chosen.troubles)
    worlds = (one,) if chosen.jobs else WORLDS
    began, states, violations = time.perf_counter(), 0, 0
    with ProcessPoolExecutor(2) as pool:
        walks = [pool.submit(_explored, world, chosen.without, chosen.most) for world in worlds]
        for world, walk in zip(worlds, walks, strict=True):
            found = walk.result()
            states, violations = states + found.states, violations + len(found.violations)
            for problem, steps in found.violations:
                print(f"{problem}: {'; '.join(steps)}")
            print(
                f"{world.jobs} jobs, {world.processes} at once, {world.runs} runs, {world.troubles} troubles: "
                f"{found.states:,} states, {len(found.violations)} violations in {found.took_s:.0f} s",
                flush=True,
            )
    print(f"{states:,} states, {violations} violations in {time.perf_counter() - began:.0f} s")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
