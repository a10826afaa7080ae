"""Fixtures for pytest: a simulator on a loopback port, and an environment that leads every command to it.

pytest finds them by itself once kiebatch is installed:

    def test_my_film(kie_env, kie_sim, tmp_path):
        film = kiebatch.load("scenes.yaml", assets=tmp_path / "assets")
        kiebatch.run(film, api_key=kie_sim.key, base_url=kie_sim.url)
        assert len(kie_sim.charges()) == 3
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiebatch import testing


@pytest.fixture(scope="session")
def _kie_running() -> Iterator[testing.Sim]:
    with testing.start() as running:
        sim = testing.Sim(running)
        yield sim
        sim.close()


@pytest.fixture
def kie_sim(_kie_running: testing.Sim) -> testing.Sim:
    """A simulator of the kie.ai API: `.url`, `.key`, `.charges()`, `.fault(...)`.  Empty for every test."""
    _kie_running.reset()
    return _kie_running


@pytest.fixture
def kie_env(kie_sim: testing.Sim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which kiebatch talks to `kie_sim` and leaves the user's own key and state alone."""
    variables = testing.environment(kie_sim, tmp_path / "kiebatch")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables
