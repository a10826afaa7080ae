"""The hooks that others put into their pre-commit configuration, run by pre-commit itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kiebatch.project import SCENE_FILES
from support.places import ROOT

HOOKS = ROOT / ".pre-commit-hooks.yaml"
GOOD = "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: A small boat nears the lighthouse}\n"
BAD = GOOD.replace("model:", "modle:")


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def committed(folder: Path) -> Path:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with what kiebatch installs from, and its hooks."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in ("kiebatch", "schemas"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", HOOKS.name):
        shutil.copy(ROOT / name, folder / name)
    return committed(folder)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "scenes.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "manifest.json").write_text('{"kiebatch": 1, "assets": []}\n', encoding="utf-8")
    return committed(tmp_path)


def tried(hooks: Path, film: Path, hook: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pre_commit",
        "try-repo",
        str(hooks),
        hook,
        "--all-files",
        "--verbose",
        "--color=never",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PRE_COMMIT_HOME"] = str(hooks.parent / "pre-commit")
    return subprocess.run(command, cwd=film, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "name", ["scenes.yaml", "SCENES.md", "film/scenes.yml", "ASSET-PLAN.md", *SCENE_FILES]
)
def test_the_hook_looks_at_every_usual_name_of_a_scene_file(name: str) -> None:
    validate = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))[0]

    assert re.search(validate["files"], name)


@pytest.mark.slow
def test_a_scene_file_that_is_wrong_stops_the_commit(hooks: Path, film: Path) -> None:
    fine = tried(hooks, film, "kiebatch-validate")
    (film / "scenes.yaml").write_text(BAD, encoding="utf-8")
    wrong = tried(hooks, film, "kiebatch-validate")

    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert "valid: 1 scene, 1 job" in fine.stdout
    assert wrong.returncode == 1
    assert "scenes.yaml:3:13: " in wrong.stdout
    assert "did you mean `model`?" in wrong.stdout


@pytest.mark.slow
def test_a_file_that_the_manifest_does_not_know_stops_the_commit(hooks: Path, film: Path) -> None:
    fine = tried(hooks, film, "kiebatch-verify")
    (film / "assets" / "images").mkdir()
    (film / "assets" / "images" / "stray.png").write_bytes(b"a stray picture")
    git(film, "add", "--all")
    stray = tried(hooks, film, "kiebatch-verify")

    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert stray.returncode == 1
    assert "stray.png" in stray.stdout
