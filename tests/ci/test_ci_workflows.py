"""The example workflows and the action: as their schemas want them, and run for real against the simulator."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kiebatch.record import manifest
from support import simulated, workflows
from support.filmrepo import PACKAGE, Film
from support.workflows import Machine, Ran

GITHUB = PACKAGE / "examples" / "ci" / "github.yml"
GITLAB = PACKAGE / "examples" / "ci" / "gitlab.yml"
ACTION = PACKAGE / "action.yml"
QUICK = "--poll-interval 0.05 --rate 1000/1s --no-canary"


@pytest.fixture
def film(tmp_path: Path) -> Film:
    found = Film(tmp_path / "film")
    found.manifest_path.unlink()
    found.assets.rmdir()
    scenes = "kiebatch: 1\ndefaults: {model: z-image}\nscenes:\n  - {id: 1, prompt: A boat}\n  - {id: 2, prompt: A stair}\n"
    (found.root / "scenes.yaml").write_text(scenes, encoding="utf-8")
    found.commit("scenes")
    return found


@pytest.fixture
def machine(tmp_path: Path, film: Film, sim: simulated.Sim) -> Machine:
    origin = tmp_path / "origin.git"
    film.git("clone", "--quiet", "--bare", ".", str(origin))
    film.git("remote", "add", "origin", str(origin))
    subprocess.run(["git", "config", "receive.advertisePushOptions", "true"], cwd=origin, check=True)
    environment = {"KIE_BASE_URL": sim.url}
    return Machine(tmp_path / "ci", origin, environment, {"KIE_API_KEY": sim.key})


def codes(ran: list[Ran] | None) -> dict[str, int]:
    assert ran is not None
    return {one.name: one.code for one in ran if not one.name.startswith("actions/")}


def pushed(machine: Machine) -> manifest.Manifest:
    return manifest.parse(machine.git("show", "main:assets/manifest.json"), "manifest.json")


def summary(machine: Machine) -> str:
    return (machine.folder / f"summary-{machine.runs}").read_text(encoding="utf-8")


# --- as the schemas want them --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-workflows", GITHUB), ("vendor.github-actions", ACTION), ("vendor.gitlab-ci", GITLAB)],
)
def test_the_files_are_as_their_published_schemas_say(schema: str, file: Path) -> None:
    checker = pytest.importorskip("check_jsonschema")

    with pytest.raises(SystemExit) as left:
        checker.main(["--builtin-schema", schema, str(file)])

    assert left.value.code == 0


def test_no_foreign_text_reaches_a_shell_script() -> None:
    workflow, action = workflows.load(GITHUB), workflows.load(ACTION)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]] + action["runs"]["steps"]

    assert not any("${{" in step.get("run", "") for step in steps)


def test_nothing_that_the_workflows_commit_starts_them_again() -> None:
    pushes = workflows.load(GITHUB)["on"]["push"]
    rules = workflows.load(GITLAB)["kiebatch run"]["rules"]

    starts = {*pushes["paths"], *rules[0]["changes"]} - {
        "assets/picks.yaml"
    }  # which people write, and no run
    assert not any(path.startswith(("assets", "*", ".")) for path in starts)
    assert "[skip ci]" in GITHUB.read_text(encoding="utf-8")
    assert "-o ci.skip" in GITLAB.read_text(encoding="utf-8")


def test_only_the_main_branch_gets_the_key_and_the_right_to_push() -> None:
    jobs = workflows.load(GITHUB)["jobs"]

    assert "secrets." not in json.dumps(jobs["draft"])
    assert workflows.load(GITHUB)["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if job.get("permissions") == {"contents": "write"}] == ["run"]
    assert "pull_request_target" not in GITHUB.read_text(encoding="utf-8")


# --- a pull request ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_pull_request_from_a_fork_is_drafted_without_a_key(
    machine: Machine, film: Film, sim: simulated.Sim
) -> None:
    base = machine.git("rev-parse", "main").strip()
    film.make(9, colour="red")
    film.commit("a picture by hand")
    film.git("push", "--quiet", "origin", "main")

    ran = machine.github_job(GITHUB, "draft", event="pull_request", base=base)

    assert set(codes(ran).values()) == {0}
    assert sim.charges() == []
    assert machine.github_job(GITHUB, "run", event="pull_request") is None
    machine.runs -= 1
    assert "kiebatch plan: work" in summary(machine)
    assert "kiebatch run: success" in summary(machine)
    assert "- **9**: added, +4 credits" in summary(machine)
    assert "![" not in summary(machine)
    kept = machine.folder / "artifacts" / "draft"
    assert len(list((kept / "draft" / "images").iterdir())) == 2
    assert ET.parse(kept / "draft.xml").getroot().get("tests") == "2"
    assert (kept / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_pull_request_with_a_broken_scene_file_is_annotated(machine: Machine, film: Film) -> None:
    (film.root / "scenes.yaml").write_text(
        "kiebatch: 1\nscenes:\n  - {id: 1, promt: A boat}\n", encoding="utf-8"
    )
    film.commit("broken")
    film.git("push", "--quiet", "origin", "main")

    ran = machine.github_job(GITHUB, "draft", event="pull_request", base="main")

    assert codes(ran)["Check the scene file"] == 2
    assert "Draft" not in codes(ran)
    (told,) = [one.output for one in ran or () if one.name == "Check the scene file"]
    assert "::error file=scenes.yaml,line=3,col=" in told


# --- the main branch -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_main_branch_spends_commits_and_then_has_nothing_to_do(
    machine: Machine, sim: simulated.Sim
) -> None:
    first = machine.github_job(_quick(GITHUB, machine), "run")
    head = machine.git("rev-parse", "main")
    second = machine.github_job(_quick(GITHUB, machine), "run")

    assert set(codes(first).values()) == set(codes(second).values()) == {0}
    assert len(sim.charges()) == 2
    assert len(pushed(machine).assets) == 2
    assert machine.git("log", "-1", "--format=%s", "main").strip() == "kiebatch: new assets [skip ci]"
    assert machine.git("rev-parse", "main") == head
    assert "nothing new to commit" in (second or [])[-2].output
    assert "1.6 credits** spent" in (machine.folder / "summary-1").read_text(encoding="utf-8")
    assert sim.key not in "".join(one.output for one in [*(first or ()), *(second or ())])


def test_a_run_above_the_budget_sends_nothing_and_says_so(machine: Machine, sim: simulated.Sim) -> None:
    file = _quick(GITHUB, machine, credits="1")

    ran = machine.github_job(file, "run")

    assert codes(ran)["Run"] == 4
    assert codes(ran)["Keep the journal"] == codes(ran)["Commit what was made"] == 0
    assert sim.charges() == []
    assert "kiebatch run: refused" in summary(machine)
    (told,) = [one.output for one in ran or () if one.name == "Run"]
    assert "\n::error title=kiebatch::" in "\n" + told
    kept = machine.folder / "artifacts" / "kiebatch"
    assert ET.parse(kept / "kiebatch.xml").getroot().get("errors") == "1"


@pytest.mark.slow
def test_a_failed_job_keeps_and_commits_what_the_others_made(machine: Machine, sim: simulated.Sim) -> None:
    sim.fault("submit@1=fail:422 ::error::not a command")

    ran = machine.github_job(_quick(GITHUB, machine), "run")

    assert codes(ran)["Run"] == 1
    assert codes(ran)["Commit what was made"] == 0
    assert len(pushed(machine).assets) == 1
    assert "### Failed" in summary(machine)
    assert (
        len([row for one in ran or () for row in one.output.splitlines() if row.startswith("::error")]) == 1
    )


@pytest.mark.slow
def test_a_killed_step_leaves_its_journal_and_the_next_run_pays_nothing_twice(
    machine: Machine, sim: simulated.Sim
) -> None:
    machine.kill_when = lambda _workspace: len(sim.charges()) == 2

    first = machine.github_job(_quick(GITHUB, machine), "run")
    second = machine.github_job(_quick(GITHUB, machine), "run")

    assert codes(first)["Run"] == -9
    assert codes(first)["Keep the journal"] == 0
    assert codes(second)["Run"] in (0, 5)  # 5 where the very moment between sending and noting was hit: held
    assert len(sim.charges()) == 2


@pytest.mark.slow
def test_what_was_made_joins_what_others_pushed_meanwhile(
    machine: Machine, film: Film, sim: simulated.Sim
) -> None:
    pushed_by_others: list[str] = []

    def meanwhile(_workspace: Path) -> bool:
        if sim.charges() and not pushed_by_others:
            film.make(9, minute=1)
            film.commit("by hand")
            pushed_by_others.append(film.git("push", "--quiet", "origin", "main"))
        return False

    machine.kill_when = meanwhile

    ran = machine.github_job(_quick(GITHUB, machine), "run")

    assert codes(ran)["Commit what was made"] == 0
    assert [asset.scene_id for asset in pushed(machine).assets] == [1, 2, 9]
    assert len({asset.id for asset in pushed(machine).assets}) == 3


@pytest.mark.slow
def test_gitlab_spends_commits_and_keeps_the_journal(machine: Machine, sim: simulated.Sim) -> None:
    given = {"KIE_API_KEY": sim.key, "OPTIONS": QUICK}

    first = machine.gitlab_job(GITLAB, "kiebatch run", **given)
    second = machine.gitlab_job(GITLAB, "kiebatch run", **given)

    assert codes(first) == codes(second) == {"kiebatch run": 0, "after_script": 0}
    assert len(sim.charges()) == 2
    assert len(pushed(machine).assets) == 2
    assert "nothing new to commit" in second[1].output


@pytest.mark.slow
def test_gitlab_drafts_without_a_key(machine: Machine, sim: simulated.Sim) -> None:
    ran = machine.gitlab_job(GITLAB, "kiebatch draft")

    assert codes(ran) == {"kiebatch draft": 0}, ran[0].output
    assert ET.parse(machine.workspace / "draft.xml").getroot().get("tests") == "2"
    assert sim.charges() == []


# --- the action ----------------------------------------------------------------------------------------


def test_the_action_plans_and_refuses_to_spend_where_it_must_not(
    machine: Machine, sim: simulated.Sim
) -> None:
    planned = machine.github_action(ACTION, {"mode": "plan"}, event="pull_request")
    outputs = machine.last["steps"]["kiebatch"]["outputs"]
    unlimited = machine.github_action(ACTION, {"mode": "run", "api-key": sim.key})
    foreign = machine.github_action(
        ACTION, {"mode": "run", "api-key": sim.key, "max-credits": "9"}, event="pull_request_target"
    )
    wrong = machine.github_action(ACTION, {"mode": "spend"})

    assert codes(planned)["kiebatch"] == 0
    assert outputs["status"] == "work"
    assert json.loads(Path(outputs["result"]).read_text(encoding="utf-8"))["totals"]["jobs"] == 2
    assert [codes(ran)["kiebatch"] for ran in (unlimited, foreign, wrong)] == [2, 2, 2]
    assert sim.charges() == []
    assert "Keep the journal" in codes(unlimited)


@pytest.mark.slow
def test_the_action_spends_and_commits(machine: Machine, sim: simulated.Sim) -> None:
    ran = machine.github_action(
        ACTION, {"mode": "run", "api-key": sim.key, "max-credits": "9", "options": QUICK}
    )

    assert set(codes(ran).values()) == {0}, [one.output for one in ran]
    assert machine.last["steps"]["kiebatch"]["outputs"]["status"] == "success"
    assert len(pushed(machine).assets) == 2


def _quick(file: Path, machine: Machine, credits: str = "200") -> Path:
    """The same workflow with the options of a test filled in where users fill in theirs."""
    text = file.read_text(encoding="utf-8")
    text = text.replace('OPTIONS: ""', f'OPTIONS: "{QUICK}"').replace(
        'MAX_CREDITS: "200"', f'MAX_CREDITS: "{credits}"'
    )
    path = machine.folder / file.name
    path.write_text(text, encoding="utf-8")
    return path
