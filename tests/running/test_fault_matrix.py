"""A run is really killed at every step it takes, and run again: one charge per job, or held.

Every journal write, request and write of the manifest passes one hook.  Its points are enumerated from runs that
were recorded, so a step without a row in the table of `docs/reliability.md` fails here; `--update-golden` writes
that table anew.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kiebatch import api
from kiebatch.errors import Invalid
from kiebatch.record import open_journal
from support import reel
from support.killing import killed
from support.places import ROOT
from support.simulated import Sim

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- points: generated -->", "<!-- /points -->"

# What each step is, in the words of the document.
MEANING: Mapping[str, str] = {
    "request.credit": "the balance is read",
    "request.createTask": "the job is submitted",
    "request.recordInfo": "the task's record is read",
    "request.download": "the result is fetched",
    "request.file-stream-upload": "a local picture is uploaded",
    "journal.digests": "digests of files are kept",
    "journal.plan": "a saved plan is marked as carried out",
    "journal.uploaded": "an upload's link is kept",
    "journal.forget_upload": "a dead upload's link is dropped",
    "journal.intend": "the intent is written",
    "journal.submitted": "the task id is written",
    "journal.refused": "a free refusal is written",
    "journal.held": "an unknown outcome is written",
    "journal.took": "the task's duration is learnt",
    "journal.outputs": "the outputs' links are written",
    "journal.asset": "the file is in its place, which is written",
    "journal.saved": "all of a task's files are in their places",
    "journal.failed": "a failed task is written",
    "journal.lost": "a result that cannot be had is written",
    "journal.recorded": "the manifest holds the entry, which is written",
    "journal.settle": "the balance tells that a failure was refunded",
    "journal.hold_unfinished": "intents of a dead run become held",
    "journal.balance": "the balance is noted as evidence for a held job",
    "journal.said_cost": "what the record says of the cost is written down",
    "journal.balance_read": "the balance is written down",
    "journal.decide": "the user's decision about a held job is written",
    "journal.rebuild": "a damaged journal is rebuilt",
    "manifest.write": "the manifest is replaced",
}


@pytest.mark.slow
def test_a_run_killed_at_every_fourth_step_pays_once_or_holds(tmp_path: Path, sim: Sim) -> None:
    assert set(_matrix(tmp_path, sim, SCENARIOS[0], every=4).values()) == {"made", "held"}


@pytest.mark.slow
def test_a_run_killed_at_any_step_pays_once_or_holds(
    tmp_path: Path, sim: Sim, request: pytest.FixtureRequest
) -> None:
    found: dict[str, str] = {}
    for number, scenario in enumerate(SCENARIOS):
        found |= _matrix(tmp_path / str(number), sim, scenario, known=set(found))

    assert {point.rpartition(":")[0] for point in found} == set(MEANING), (
        "a step without a row, or a row without"
    )
    _document(found, update=request.config.getoption("--update-golden"))


# --- what is run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """A film, what goes wrong in it, and what comes before the run that is killed."""

    shots: int = 1  # each from the one before, so that one step at a time is taken
    picture: bool = False
    faults: tuple[str, ...] = ()
    before: Callable[[Path, Sim], None] = lambda _path, _sim: None
    act: Callable[[Path, Sim, Callable[[str], None]], object] = field(
        default=lambda path, sim, hook: _run(path, sim, hook)
    )
    kinds: tuple[str, ...] = ()  # only these steps are of interest
    apart: tuple[str, ...] = ()  # another scenario has these: here another job may be sent at the same time
    failing: tuple[str, ...] = ()  # shots that end without a result, by what goes wrong


def _run(path: Path, sim: Sim, hook: Callable[[str], None] = lambda _point: None, **options: Any) -> Any:
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    edges = api.Edges(hook=hook, gate_path=":memory:", sleep=sleep)
    return reel.run(path, sim, edges=edges, in_flight=1, **options)


def _plan_and_run(path: Path, sim: Sim, hook: Callable[[str], None]) -> None:
    saved = path.with_name("saved.plan")
    if not saved.exists():
        opened = api.load(path)
        saved.write_text(json.dumps(api.save_plan(opened, api.plan(opened))), encoding="utf-8")
    try:
        _run(path, sim, hook, bound=api.read_plan(saved))
    except Invalid:
        _run(path, sim, hook)  # it was carried out, as far as anybody knows


def _held_before(path: Path, sim: Sim) -> None:
    """A first run dies between the submission and its answer."""
    _killed(lambda hook: _run(path, sim, hook), "request.createTask:after")


def _made_before(path: Path, sim: Sim) -> None:
    """The film is made, long enough ago that its files' times tell whether they changed."""
    _run(path, sim)
    for file in (path.parent / "assets" / "images").iterdir():
        os.utime(file, (1.7e9, 1.7e9))


def _decide(path: Path, sim: Sim, hook: Callable[[str], None]) -> None:
    with open_journal(path.parent / ".kiebatch" / "journal.sqlite", now=lambda: 0.0, hook=hook) as journal:
        journal.hold_unfinished("the program ended")
        for attempt in journal.attempts(states=("held",)):
            journal.decide(attempt.id, "task-id", sim.charges()[0]["task_id"])


def _damaged_before(path: Path, sim: Sim) -> None:
    """A first run dies with a task under way, and then the file of the journal is damaged where attempts are not."""
    _killed(lambda hook: _run(path, sim, hook), "journal.submitted:after")
    journal = path.parent / ".kiebatch" / "journal.sqlite"
    with open_journal(journal, now=lambda: 0.0) as opened:
        page = opened.database.connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'attempts_by_state'"
        ).fetchone()[0]
        size = opened.database.connection.execute("PRAGMA page_size").fetchone()[0]
    with journal.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\xff" * 64)


SCENARIOS = (
    Scenario(shots=2, picture=True, apart=("journal.recorded", "manifest.write")),
    Scenario(kinds=("journal.recorded", "manifest.write")),
    Scenario(faults=("submit@1=code:429",), kinds=("journal.refused",)),
    Scenario(faults=("submit@1=cut+after",), kinds=("journal.held",)),
    Scenario(
        faults=("submit@1=fail:500 Internal error",),
        kinds=("journal.failed", "journal.settle"),
        failing=("s1",),
    ),
    Scenario(faults=("download@1x9=wrong-medium",), kinds=("journal.lost",)),
    Scenario(picture=True, faults=("submit@1=code:451",), kinds=("journal.forget_upload",)),
    Scenario(faults=("submit@1=costs:0.8",), kinds=("journal.said_cost",)),
    Scenario(act=_plan_and_run, kinds=("journal.plan",)),
    Scenario(before=_held_before, kinds=("journal.hold_unfinished", "journal.balance")),
    Scenario(before=_held_before, act=_decide, kinds=("journal.decide",)),
    Scenario(before=_damaged_before, kinds=("journal.rebuild",)),
    Scenario(before=_made_before, kinds=("journal.digests",)),
)


# --- killing ------------------------------------------------------------------------------------------


def _matrix(
    folder: Path, sim: Sim, scenario: Scenario, *, known: Collection[str] = (), every: int = 1
) -> dict[str, str]:
    """Return how it ended for every step of one scenario (or every second, third, ...): `made` or `held`."""
    steps: list[str] = []
    path = _begin(folder / "recorded", sim, scenario)
    scenario.act(path, sim, steps.append)
    points = [p for p in dict.fromkeys(steps) if p not in known and not p.startswith(scenario.apart)]
    if scenario.kinds:
        points = [p for p in points if p.startswith(scenario.kinds)]
        assert points, f"{scenario.kinds} was not reached; reached were {sorted(set(steps))}"
    return {point: _one(folder / str(n), sim, scenario, point) for n, point in enumerate(points[::every])}


def _begin(folder: Path, sim: Sim, scenario: Scenario) -> Path:
    sim.reset()
    path = reel.write(folder, shots=scenario.shots, chained=True)
    if scenario.picture:
        Image.new("RGB", (64, 48), (90, 60, 30)).save(folder / "ref.png")
        reel.edit(path, "s1", model="nano-banana-2", references=["ref.png"])
    scenario.before(path, sim)
    for fault in scenario.faults:
        sim.fault(fault)
    return path


def _one(folder: Path, sim: Sim, scenario: Scenario, point: str) -> str:
    path = _begin(folder, sim, scenario)

    _killed(lambda hook: scenario.act(path, sim, hook), point)
    scenario.act(path, sim, lambda _point: None)
    outcome = _run(path, sim)

    per_prompt = _count(sim)
    held = {str(h.slot) for h in outcome.held}
    assert all(count == 1 for count in per_prompt.values()), f"{point}: paid twice: {per_prompt}"
    settle_held(path, sim)
    _run(path, sim)
    made = {a["shot"] for a in reel.assets(path) if "superseded_by" not in a}
    wanted = {f"s{n + 1}" for n in range(scenario.shots)}
    assert made | set(scenario.failing) >= wanted, f"{point}: {wanted - made} is not made"
    assert all(count == 1 for count in _count(sim).values()), f"{point}: paid twice after all: {_count(sim)}"
    return "held" if held else "made"


def _killed(act: Callable[[Callable[[str], None]], object], point: str) -> None:
    """Do something in a process of its own that is killed at a point."""
    killed(act, lambda reached: reached == point)


def _count(sim: Sim) -> Counter[str]:
    """Return the charges of every prompt whose task was not refunded."""
    return Counter(c["input"]["prompt"] for c in sim.charges() if not c["refunded"])


def settle_held(path: Path, sim: Sim) -> None:
    """Decide what is held as somebody does who looks at the provider's list of tasks."""
    opened = api.load(path)
    with open_journal(opened.workspace.journal_path, now=lambda: 0.0) as journal:
        known = {a.task_id for a in journal.attempts()}
        held = {str(a.slot): a.job["prompt"] for a in journal.attempts() if a.undecided}
    for slot, prompt in held.items():
        stray = [c for c in sim.charges() if c["input"]["prompt"] == prompt and c["task_id"] not in known]
        if stray:
            api.resolve(opened.workspace, slot, "task-id", stray[0]["task_id"])
        else:
            api.resolve(opened.workspace, slot, "forget")


def _document(found: Mapping[str, str], *, update: bool) -> None:
    """Compare the table in the document with what was found, or write it."""
    rows = ["| step | killed | what the next run does |", "| --- | --- | --- |"]
    moments = {"before": "before", "sent": "when it has left", "after": "after"}
    for step, meaning in MEANING.items():
        for moment, words in moments.items():
            outcome = found.get(f"{step}:{moment}")
            if outcome:
                does = (
                    "holds the job; `resolve` decides"
                    if outcome == "held"
                    else "finishes, one charge per job"
                )
                rows.append(f"| {meaning} (`{step}`) | {words} | {does} |")
    table = "\n".join(rows)
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"
    if update:
        DOCUMENT.write_text(wanted, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == wanted, "--update-golden writes the table anew"
