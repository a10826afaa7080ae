"""What is shipped works elsewhere, and what is checked in as a finished project is finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kiebatch
from support.film import Film
from support.places import ROOT


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


@pytest.mark.slow
def test_the_wheel_alone_makes_the_demo(tmp_path: Path) -> None:
    built = tmp_path / "built"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    wheel = next(built.glob("*.whl"))
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
    assert {"py.typed", "schemas", "data", "simulator"} <= {p.name for p in (inside / "kiebatch").iterdir()}


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
