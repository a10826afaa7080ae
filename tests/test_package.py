"""What is shipped works elsewhere, and what is checked in as a finished project is finished."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import kiebatch
from support import tools
from support.film import Film
from support.places import ROOT

# A path that the tests find below the repository.
READS_THE_REPOSITORY = re.compile(r"\bROOT /")


def run(*args: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist, and the wheel that was built from it."""
    built = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return built


@pytest.mark.slow
def test_the_wheel_alone_makes_the_demo(tmp_path: Path, distributions: Path) -> None:
    wheel = next(distributions.glob("*.whl"))
    inside = tmp_path / "inside"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(inside)
    film = tmp_path / "film"
    film.mkdir()

    where = run("-c", "import kiebatch; print(kiebatch.__file__)", cwd=film, path=inside)
    assert where.stdout.strip() == str(inside / "kiebatch" / "__init__.py")
    started = run("-m", "kiebatch", "init", ".", cwd=film, path=inside)
    assert started.returncode == 0, started.stderr
    made = run("-m", "kiebatch", "run", "scenes.yaml", "--draft", "--json", cwd=film, path=inside)

    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["jobs"]["succeeded"] == 4
    assert {"py.typed", "_schemas", "simulator"} <= {p.name for p in (inside / "kiebatch").iterdir()}


@pytest.mark.slow
def test_the_distributions_carry_the_version_that_the_package_names(distributions: Path) -> None:
    names = sorted(path.name for path in distributions.iterdir())

    assert names == [
        f"kiebatch-{kiebatch.__version__}-py3-none-any.whl",
        f"kiebatch-{kiebatch.__version__}.tar.gz",
    ]


@dataclass(frozen=True)
class Unpacked:
    """The sdist in a folder, whose own package goes before the checkout that is installed here."""

    folder: Path

    def python(self, *args: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)} | ({"CI": "true"} if tools.IN_CI else {})
        for name in [name for name in environment if name.startswith(("COV_CORE", "COVERAGE_"))]:
            del environment[name]
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory, distributions: Path) -> Unpacked:
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        archive.extractall(place, filter="data")
    return Unpacked(place / f"kiebatch-{kiebatch.__version__}")


@pytest.mark.slow
def test_the_sdist_holds_every_file_of_the_repository(unpacked: Unpacked) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the checkout, and this is not one")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}

    held = {str(path.relative_to(unpacked.folder)) for path in unpacked.folder.rglob("*") if path.is_file()}

    assert tracked - held == {".git-blame-ignore-revs"}
    assert held - tracked == {"PKG-INFO"}


@pytest.mark.slow
def test_the_tests_of_the_sdist_can_be_collected_without_the_checkout(unpacked: Unpacked) -> None:
    where = unpacked.python("-c", "import kiebatch; print(kiebatch.__file__)")
    done = unpacked.python("-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q")

    assert Path(where.stdout.strip()).is_relative_to(unpacked.folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_what_reads_the_repository_passes_without_the_checkout(unpacked: Unpacked) -> None:
    """The other tests read nothing but the package and what lies beside them, so they cannot see the difference."""
    tests = [
        str(path.relative_to(unpacked.folder))
        for path in sorted((unpacked.folder / "tests").rglob("test_*.py"))
        if READS_THE_REPOSITORY.search(path.read_text(encoding="utf-8"))
    ]

    done = unpacked.python(
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-n",
        "auto",
        "--dist",
        "worksteal",
        "-m",
        "not slow",
        *tests,
    )

    assert len(tests) > 20
    assert done.returncode == 0, done.stdout[-8000:]


def test_a_run_on_the_finished_project_finds_nothing_to_do(film: Film, tmp_path: Path) -> None:
    manifest = ROOT / "assets" / "manifest.json"
    before = (manifest.read_bytes(), manifest.stat().st_mtime_ns)

    said = film.command(
        "run",
        str(ROOT / "examples" / "lighthouse" / "scenes.yaml"),
        "--draft",
        "--assets",
        str(ROOT / "assets"),
        "--state",
        str(tmp_path / "state"),
        "--json",
    )

    assert said.code == 0, said.err
    assert said.json["jobs"]["kept"] == said.json["jobs"]["kept"] + said.json["jobs"]["planned"] > 20
    assert (manifest.read_bytes(), manifest.stat().st_mtime_ns) == before


def test_the_library_exports_what_the_commands_do() -> None:
    assert {"load", "plan", "run", "generate", "resolve", "verify", "diff", "Invalid", "Refused"} <= set(
        kiebatch.__all__
    )
    for name in kiebatch.__all__:
        assert getattr(kiebatch, name) is not None
