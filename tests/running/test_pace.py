"""Whole runs on virtual time, at the provider's own limits: what is refused, and who gets how much of the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import makespan, neighbour
from kiebatch.simulator import Simulator

pytestmark = pytest.mark.slow

FULL_WINDOWS = 3


def starts_in_any_window(sim: Simulator) -> int:
    """Return the most submissions that the service counted in any 10 seconds."""
    at = [moment for moment, operation, _ in sim.calls if operation == "submit"]
    return max(sum(first <= moment < first + 10.0 for moment in at) for first in at)


@pytest.mark.parametrize("transit_s", [(0.002, 0.012), (0.02, 0.12), (0.1, 0.3)])
def test_no_start_is_refused_and_every_window_is_full_whatever_the_transit(
    tmp_path: Path, transit_s: tuple[float, float]
) -> None:
    scenes = makespan.stills(20 * FULL_WINDOWS)

    _, account = makespan.batch(tmp_path, scenes, transit_s=transit_s, canary=False)

    sim = account.sim
    first = min(task.made_at for task in sim.tasks.values())
    assert account.refused == 0
    assert starts_in_any_window(sim) == 20
    # Seven starts of the first window are probes, and each waits for the answer to the one before.
    late_s = max(task.made_at for task in sim.tasks.values()) - first - 10.0 * (FULL_WINDOWS - 1)
    assert late_s < 2 * 7 * sum(transit_s)


def test_a_single_refusal_costs_no_pause(tmp_path: Path) -> None:
    calm_s, _ = makespan.batch(tmp_path / "calm", makespan.stills(60), canary=False)

    refused_s, account = makespan.batch(
        tmp_path / "refused", makespan.stills(60), fault="submit@30=code:429", canary=False
    )

    assert account.refused == 1
    assert len(account.sim.tasks) == 60
    assert refused_s < 1.1 * calm_s


def test_beside_a_neighbour_most_of_what_is_left_is_used(tmp_path: Path) -> None:
    found = neighbour.shared(tmp_path, seed=3)

    assert found.share >= 0.92
    assert found.refused_share < 0.06
