"""A run that ends early, in every way in which a person or a machine ends it, and the run after it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.waiting import until
from kiebatch import api
from kiebatch.errors import Refused
from kiebatch.running.events import Event, Noticed
from support import reel
from support.places import TESTS
from support.simulated import Sim

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from support import reel
from kiebatch.simulator import KEY
from pathlib import Path
from types import SimpleNamespace
from kiebatch.running.events import Noticed, Submitted
def emit(event):
    if isinstance(event, Submitted):
        print("submitted", flush=True)
    if isinstance(event, Noticed) and event.message.startswith("stopping"):
        print("stopping", flush=True)
sim = SimpleNamespace(url=sys.argv[3], key=KEY)
outcome = reel.run(Path(sys.argv[2]), sim, emit=emit, **json.loads(sys.argv[4]))
print(json.dumps({"exit": int(outcome.exit_code), "succeeded": outcome.succeeded}))
"""


def started(project: Path, sim: Sim, **options: Any) -> subprocess.Popen[str]:
    """Run a film in a process of its own; return when its first job is submitted."""
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(TESTS),
        str(project),
        sim.url,
        json.dumps(options),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    heard(process, "submitted")
    return process


def heard(process: subprocess.Popen[str], word: str) -> None:
    """Wait until the process says that something has happened."""
    assert process.stdout
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"the process ended and never said {word}")


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=20)
    return dict(json.loads(out.strip().splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_submitting_and_collects_what_is_paid_for(
    tmp_path: Path, sim: Sim, number: signal.Signals
) -> None:
    project = reel.write(tmp_path, shots=5)
    sim.fault("submit@1=lasts:1.5")

    process = started(project, sim, in_flight=1)
    os.kill(process.pid, number)
    outcome = ended(process)

    assert outcome == {"exit": 130, "succeeded": 1}
    assert len(sim.charges()) == 1
    assert reel.run(project, sim).status == "success"
    assert len(sim.charges()) == 5


@pytest.mark.slow
def test_the_second_signal_leaves_at_once_and_the_next_run_collects(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)
    sim.fault("submit@1x3=lasts:2.5")

    process = started(project, sim)
    os.kill(process.pid, signal.SIGINT)
    heard(process, "stopping")
    os.kill(process.pid, signal.SIGINT)
    outcome = ended(process)

    assert outcome == {"exit": 130, "succeeded": 0}, "it left before the tasks were over"
    assert reel.run(project, sim).status == "success"
    assert len(sim.charges()) == 3


@pytest.mark.slow
def test_an_answer_on_its_way_when_the_user_leaves_makes_a_held_job_not_a_second_charge(
    tmp_path: Path, sim: Sim
) -> None:
    project = reel.write(tmp_path, shots=2)
    sim.fault("submit@2=slow:3")

    process = started(project, sim, in_flight=1)
    until(lambda: sim.stats()["requests"].get("submit", 0) == 2, "the second submission")
    os.kill(process.pid, signal.SIGINT)
    heard(process, "stopping")
    os.kill(process.pid, signal.SIGINT)
    ended(process)
    outcome = reel.run(project, sim)

    assert (outcome.status, len(outcome.held), len(sim.charges())) == ("held", 1, 2)


@pytest.mark.slow
def test_a_machine_that_dies_with_its_disk_loses_nothing_that_is_in_the_state_folder(
    tmp_path: Path, sim: Sim
) -> None:
    workspace, state = tmp_path / "checkout", tmp_path / "durable"
    project = reel.write(workspace, shots=4)
    text = project.read_text(encoding="utf-8")
    sim.fault("submit@1x4=lasts:0.6")
    process = started(project, sim, state=str(state))
    for _ in range(3):
        heard(process, "submitted")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(workspace)

    workspace.mkdir()
    project.write_text(text, encoding="utf-8")
    outcome = reel.run(project, sim, state=state)

    assert outcome.status in ("success", "held")
    assert outcome.succeeded + len(outcome.held) == 4
    assert len(outcome.held) <= 1, "only a submission without an answer may be held"
    assert len(sim.charges()) == 4


@pytest.mark.slow
def test_a_timeout_ends_the_wait_and_the_next_run_collects_at_no_cost(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=1)
    sim.fault("submit@1=lasts:0.8")

    first = reel.run(project, sim, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.2))
    second = reel.run(project, sim)

    assert [(f.code, f.retryable) for f in first.failures] == [("timeout", True)]
    assert (second.status, second.spent, len(sim.charges())) == ("success", 0, 1)


@pytest.mark.slow
def test_the_second_run_in_a_project_says_who_holds_it(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=1)
    sim.fault("submit@1=lasts:1.5")
    process = started(project, sim)
    said: list[Event] = []

    with pytest.raises(Refused, match=f"process {process.pid}"):
        reel.run(project, sim, wait=False)
    outcome = reel.run(project, sim, emit=said.append)

    ended(process)
    assert any(isinstance(e, Noticed) and f"process {process.pid}" in e.message for e in said)
    assert (outcome.status, outcome.planned, len(sim.charges())) == ("success", 0, 1)


def test_status_says_what_is_paid_for_and_unsaved_and_when_it_expires(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=2)
    sim.fault("submit@1=lasts:30")
    reel.run(project, sim, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.2))

    found = api.status(project)

    assert {s.slot: s.state for s in found.slots} == {"1.s1": "in-flight", "1.s2": "done"}
    (waiting,) = (s for s in found.slots if s.state == "in-flight")
    assert waiting.expires_at
    assert "not yet saved" in found.warnings[0]
