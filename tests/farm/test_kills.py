"""Workers are killed and the database is restarted while units are executed: nothing is lost, and little is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import farm

pytestmark = [pytest.mark.needs("postgres"), pytest.mark.slow]


def test_every_output_is_stored_once_whatever_is_killed(tmp_path: Path) -> None:
    found = farm.killed(tmp_path, units=60, kills=8, restarts=1, workers=2, scale=0.05)

    assert found.wrong == []
    assert (found.kills, found.restarts, found.parked) == (8, 1, 0)
    assert found.started <= found.units + 8 * found.kills
