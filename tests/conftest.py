"""What the tests share: one simulator per session, and golden files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import simulated

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files, to be read in the diff"
    )


@pytest.fixture(scope="session")
def _running() -> Iterator[simulated.Sim]:
    with simulated.start() as running:
        sim = simulated.Sim(running)
        yield sim
        sim.close()


@pytest.fixture
def sim(_running: simulated.Sim) -> simulated.Sim:
    """A simulator on a free loopback port: `.url`, `.key`, `.charges()`, `.fault(...)`.  Empty for every test."""
    _running.reset()
    return _running


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `tests/golden/<name>`; `--update-golden` writes it instead."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path} differs; --update-golden rewrites it"

    return check
