"""The repository's own habits: workflows, hooks, the release, and one place for each fact."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest
import yaml
from check_jsonschema import main as check_jsonschema

import kiebatch
from support.places import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
# Tags move; a commit does not. The comment says which release it is.
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


class Job(TypedDict):
    """What the tests read of a job of a workflow."""

    steps: list[Mapping[str, str]]
    permissions: NotRequired[Mapping[str, str]]
    strategy: NotRequired[Mapping[str, Mapping[str, list[str]]]]


class Workflow(TypedDict):
    jobs: Mapping[str, Job]
    permissions: Mapping[str, str]


def load(path: Path) -> Workflow:
    found: Workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def steps(workflow: Workflow) -> list[Mapping[str, str]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        *(("github-workflows", path) for path in WORKFLOWS),
        ("dependabot", GITHUB / "dependabot.yml"),
        ("github-issue-config", GITHUB / "ISSUE_TEMPLATE" / "config.yml"),
        ("github-issue-forms", GITHUB / "ISSUE_TEMPLATE" / "bug.yml"),
        ("github-issue-forms", GITHUB / "ISSUE_TEMPLATE" / "model.yml"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_github_files_fit_their_published_schemas(schema: str, file: Path) -> None:
    with pytest.raises(SystemExit) as left:
        check_jsonschema(["--builtin-schema", f"vendor.{schema}", str(file)])

    assert left.value.code == 0


def test_actions_are_pinned_to_a_commit() -> None:
    uses = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]

    assert uses
    assert [line for line in uses if not PINNED.search(line)] == []


def test_workflows_and_the_local_run_call_targets_that_the_makefile_has() -> None:
    scripts = [step["run"] for path in WORKFLOWS for step in steps(load(path)) if "run" in step]
    scripts.append((ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    called = {
        word
        for script in scripts
        for line in re.findall(r"^make (.+)$", script, re.M)
        for word in line.split()
        if "=" not in word
    }

    assert {"lint", "types", "test", "test-all"} <= called <= targets()


def test_workflows_test_every_python_that_the_package_claims() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        classifiers = tomllib.load(file)["project"]["classifiers"]
    claimed = {c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)}
    matrix = load(GITHUB / "workflows" / "ci.yml")["jobs"]["tests"]["strategy"]["matrix"]

    assert set(matrix["python"]) == claimed
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "macos"]


def test_only_the_jobs_that_sign_and_publish_have_more_rights_than_reading() -> None:
    rights = {
        f"{path.stem}.{name}": job.get("permissions", load(path)["permissions"])
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
    }

    assert {name for name, granted in rights.items() if "write" in granted.values()} == {
        "release.build",
        "release.publish",
    }
    assert all("contents" not in granted or granted["contents"] == "read" for granted in rights.values())


def test_the_version_is_written_in_one_place() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)

    assert settings["project"]["dynamic"] == ["version"]
    assert "version" not in settings["project"]
    assert settings["tool"]["hatch"]["version"]["path"] == "kiebatch/__init__.py"


@pytest.mark.parametrize(("tag", "code"), [(f"v{kiebatch.__version__}", 0), ("v99.0", 1)])
def test_a_release_is_refused_when_the_tag_is_not_the_version(tag: str, code: int) -> None:
    recipe = re.search(r"^check-tag:.*\n\t(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert recipe
    command = recipe[1].replace("$(BIN)/", "").replace("$(TAG)", tag)

    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == code, done.stderr


@pytest.mark.slow
def test_the_hooks_of_the_repository_are_a_valid_configuration() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports each by its bare name: with a second one, the whole suite ends before its first test."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))

    assert [name for name, count in names.items() if count > 1] == []
