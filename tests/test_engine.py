"""The engine against a simulator over real sockets: what a run leaves behind, and what it costs."""

from __future__ import annotations

from pathlib import Path

import reel
from simulated import Sim


def test_a_film_is_made_and_a_second_run_finds_nothing_to_do(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)

    first = reel.run(project, sim)
    second = reel.run(project, sim)

    assert (first.status, first.succeeded) == ("success", 3)
    assert (second.status, second.planned, second.kept) == ("success", 0, 3)
    assert len(sim.charges()) == 3
