"""The container's recipe, step by step, where there is no docker: what it copies is enough to install and to run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.places import ROOT

RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    line.partition(" ")
    for line in re.sub(r"\\\n\s*", "", RECIPE).splitlines()
    if line and not line.startswith("#")
]


def arguments(step: str) -> list[str]:
    return [rest for name, _, rest in STEPS if name == step]


def copied() -> dict[str, str]:
    """Return the paths that the recipe copies, with where each goes."""
    found: dict[str, str] = {}
    for line in arguments("COPY"):
        *sources, target = shlex.split(line)
        found |= dict.fromkeys(sources, target)
    return found


def test_the_image_is_slim_and_does_not_run_as_root() -> None:
    names = [name for name, _, _ in STEPS]

    assert arguments("FROM") == ["python:3.12-slim"]
    assert arguments("USER") == ["kiebatch"]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert arguments("ENTRYPOINT") == ['["kiebatch"]']
    assert not any(word in RECIPE.lower() for word in ("api_key=", "secret", "token"))


def test_what_is_copied_is_there_and_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert set(copied()) == kept
    assert [name for name in copied() if not (ROOT / name).exists()] == []


def test_ffmpeg_and_fonts_are_in_the_image() -> None:
    packages = {word for line in arguments("RUN") if "apt-get install" in line for word in line.split()}

    assert {"ffmpeg", "git", "fonts-dejavu-core", "fonts-noto-cjk"} <= packages


@pytest.mark.slow
def test_the_copied_files_install_and_a_draft_runs(tmp_path: Path) -> None:
    for source, target in copied().items():
        place = tmp_path / target.lstrip("/")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place / source)
    (install,) = re.findall(r'pip install --no-cache-dir "(/src\[[^"]+\])"', RECIPE)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [str(tmp_path / "venv/bin/pip"), "install", "--quiet", str(tmp_path / install.lstrip("/"))]
    subprocess.run(pip, check=True, capture_output=True)
    shutil.rmtree(tmp_path / "src")

    program, film = str(tmp_path / "venv/bin/kiebatch"), tmp_path / "film"
    film.mkdir()
    subprocess.run([program, "init", "."], cwd=film, check=True, capture_output=True)
    looked = subprocess.run(
        [program, "doctor", "--draft", "--json"], cwd=film, capture_output=True, text=True
    )
    made = subprocess.run(
        [program, "run", "scenes.yaml", "--draft", "--json"], cwd=film, capture_output=True, text=True
    )

    assert json.loads(looked.stdout)["status"] == "ok", looked.stdout
    assert (made.returncode, json.loads(made.stdout)["status"]) == (0, "success")
