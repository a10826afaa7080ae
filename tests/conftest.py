"""What the tests share: one simulator per session, and golden files."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bench import buckets, postgres
from support import simulated, tools
from support.film import Film
from support.places import GOLDEN

# A deadline, or a check of how fast examples come, would be an assertion about how busy the machine is.
settings.register_profile(
    "fast", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("fast"), max_examples=200)


def pytest_configure(config: pytest.Config) -> None:
    # `make test` leaves out what is slow, and tries each property less often than `make test-all`.
    settings.load_profile("fast" if "not slow" in (config.option.markexpr or "") else "thorough")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files, to be read in the diff"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        if missing := tools.missing(mark.args):
            pytest.skip(f"needs {', '.join(missing)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that does not run is a failure: nobody reads the reasons of skips there."""
    report = yield
    if tools.IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def _running() -> Iterator[simulated.Sim]:
    with simulated.start() as running:
        sim = simulated.Sim(running)
        yield sim
        sim.close()


@pytest.fixture(scope="session")
def _buckets() -> Iterator[buckets.Buckets]:
    with buckets.start() as running:
        yield running


@pytest.fixture
def s3(_buckets: buckets.Buckets, monkeypatch: pytest.MonkeyPatch) -> buckets.Buckets:
    """An S3 server on a free loopback port, and the environment that leads to it: `.make(bucket)` gives a store."""
    for name, value in {**buckets.KEYS, "AWS_ENDPOINT_URL": _buckets.url}.items():
        monkeypatch.setenv(name, value)
    return _buckets


@pytest.fixture
def network(s3: buckets.Buckets, monkeypatch: pytest.MonkeyPatch) -> Iterator[buckets.Network]:
    """The network before the S3 server, which can misbehave."""
    with buckets.between(s3) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
        yield found


@pytest.fixture
def sim(_running: simulated.Sim) -> Iterator[simulated.Sim]:
    """A simulator on a free loopback port: `.url`, `.key`, `.charges()`, `.fault(...)`.  Empty for every test."""
    _running.reset()
    yield _running
    assert _running.stats()["bugs"] == []


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    with postgres.server() as running:
        yield running


@pytest.fixture
def team_url(postgres_server: postgres.Server) -> str:
    """Return the address of an empty schema of this test's own.  Its test needs `postgres`."""
    return postgres.new_schema(postgres_server.url)


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


_numbers = itertools.count()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _places_of_our_own(_homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own key, state and models out of the tests."""
    home = _homes / str(next(_numbers))  # made by who needs it
    monkeypatch.setenv("KIEBATCH_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("KIEBATCH_CONFIG_HOME", str(home / "config"))
    for name in (
        "KIE_API_KEY",
        "KIE_BASE_URL",
        "KIE_UPLOAD_URL",
        "KIE_WEBHOOK_KEY",
        "KIEBATCH_STORE",
        "KIEBATCH_TEAM",
        "KIEBATCH_ACCOUNT",
        "GITHUB_STEP_SUMMARY",
        "CI",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def film(
    tmp_path: Path, sim: simulated.Sim, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Film:
    """An empty project folder, the current one, and a simulator that makes its films."""
    folder = tmp_path / "film"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KIE_API_KEY", sim.key)
    monkeypatch.setenv("KIE_BASE_URL", sim.url)
    monkeypatch.setenv("KIEBATCH_SPEED", "4000")
    return Film(folder, sim, capsys)


@pytest.fixture(scope="session")
def tsc(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the command of the TypeScript compiler: the one on the PATH, else one installed for this session."""
    if shutil.which("tsc"):
        return ["tsc"]
    folder = tmp_path_factory.mktemp("typescript")
    npm = shutil.which("npm")
    done = None
    if npm:
        done = subprocess.run(
            [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "typescript@5"],
            capture_output=True,
            text=True,
        )
    compiler = folder / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        said = done.stderr if done else "there is no npm"
        pytest.skip(f"needs TypeScript: {said}")
    return [str(compiler)]
