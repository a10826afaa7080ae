"""The example workflows and the action: as their schemas want them, and run for real against the simulator."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiebatch.ci import reviewed
from kiebatch.errors import Invalid, Refused
from kiebatch.record import manifest
from support import simulated, workflows
from support.filmrepo import PACKAGE, Film
from support.github_api import GitHub, serving
from support.workflows import Machine, Ran

GITHUB = PACKAGE / "examples" / "ci" / "github.yml"
PLAN = PACKAGE / "examples" / "ci" / "github-plan.yml"
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


@pytest.fixture
def github(machine: Machine) -> Iterator[GitHub]:
    """GitHub's API, which knows one pull request of Ben's, merged into main, and nothing on record for it."""
    with serving() as found:
        machine.environment = {**machine.environment, "GITHUB_API_URL": found.url}
        yield found


@pytest.fixture
def approved(machine: Machine, github: GitHub) -> GitHub:
    """The same, with the plan of main as it is now on record, and approved by Ann."""
    record(machine, github, machine.git("rev-parse", "main").strip())
    return github


def record(machine: Machine, github: GitHub, head: str, *, approved: bool = True) -> None:
    """Put the plan of a pull request's commit on record, and let Ann approve it."""
    ran = machine.github_job(_quick(PLAN, machine), "record", event="workflow_run", head=head)
    assert set(codes(ran).values()) == {0}, [one.output for one in ran or ()]
    github.keep(head, (machine.folder / "artifacts" / f"kiebatch-plan-{head}" / "plan.json").read_bytes())
    if approved:
        github.review(head)


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
    [
        ("vendor.github-workflows", GITHUB),
        ("vendor.github-workflows", PLAN),
        ("vendor.github-actions", ACTION),
        ("vendor.gitlab-ci", GITLAB),
    ],
)
def test_the_files_are_as_their_published_schemas_say(schema: str, file: Path) -> None:
    checker = pytest.importorskip("check_jsonschema")

    with pytest.raises(SystemExit) as left:
        checker.main(["--builtin-schema", schema, str(file)])

    assert left.value.code == 0


def test_no_foreign_text_reaches_a_shell_script() -> None:
    jobs = [job for file in (GITHUB, PLAN) for job in workflows.load(file)["jobs"].values()]
    steps = [step for job in jobs for step in job["steps"]] + workflows.load(ACTION)["runs"]["steps"]

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
    writes = [name for name, job in jobs.items() if "write" in job.get("permissions", {}).values()]
    assert writes == ["run"]
    assert "write" not in json.dumps(workflows.load(PLAN))
    assert "secrets." not in json.dumps(workflows.load(PLAN))
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
    approved: GitHub, machine: Machine, sim: simulated.Sim
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
    assert "1.6 credits** spent" in (machine.folder / "summary-2").read_text(encoding="utf-8")
    assert sim.key not in "".join(one.output for one in [*(first or ()), *(second or ())])


@pytest.mark.slow
def test_a_run_above_the_budget_sends_nothing_and_says_so(
    approved: GitHub, machine: Machine, sim: simulated.Sim
) -> None:
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
def test_a_failed_job_keeps_and_commits_what_the_others_made(
    approved: GitHub, machine: Machine, sim: simulated.Sim
) -> None:
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
    approved: GitHub, machine: Machine, sim: simulated.Sim
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
    approved: GitHub, machine: Machine, film: Film, sim: simulated.Sim
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
    planned = machine.gitlab_job(GITLAB, "kiebatch plan", OPTIONS=QUICK)
    digest = planned[0].output.split("--approved ")[1].split("`")[0]
    given = {"KIE_API_KEY": sim.key, "OPTIONS": QUICK, "APPROVED": digest}

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


# --- what was reviewed is what is bought -----------------------------------------------------------------


@pytest.mark.slow
def test_after_the_merge_exactly_the_approved_plan_is_bought(
    machine: Machine, film: Film, approved: GitHub, sim: simulated.Sim
) -> None:
    film.git("commit", "--quiet", "--allow-empty", "-m", "somebody else's merge")
    film.git("push", "--quiet", "origin", "main")

    ran = machine.github_job(_quick(GITHUB, machine), "run")

    assert set(codes(ran).values()) == {0}, [one.output for one in ran or ()]
    assert len(sim.charges()) == 2


@pytest.mark.slow
def test_what_was_pushed_after_the_approval_is_not_bought(
    machine: Machine, film: Film, approved: GitHub, sim: simulated.Sim
) -> None:
    _edit(film, "A stair", "A stair of gold")
    record(machine, approved, machine.git("rev-parse", "main").strip(), approved=False)

    ran = machine.github_job(_quick(GITHUB, machine), "run")

    (told,) = [one for one in ran or () if one.name == "Run"]
    assert told.code == 2
    assert "the plan is not the one that was approved" in told.output
    assert "2: approved z-image" in told.output
    assert sim.charges() == []


@pytest.mark.parametrize(
    "run",
    [
        {"event": "pull_request", "path": ".github/workflows/kiebatch-plan.yml"},
        {"event": "workflow_run", "path": ".github/workflows/mine.yml"},
    ],
)
def test_a_record_that_the_author_could_have_written_is_none(github: GitHub, run: dict[str, str]) -> None:
    github.keep("abc", b"a plan", run)
    github.review("abc")

    with pytest.raises(Invalid, match="no plan on record"):
        reviewed.plan_of_reviewed_commit(_job(github))


def test_the_plan_that_was_there_when_it_was_approved_counts_and_no_later_one(github: GitHub) -> None:
    for plan in (b"first", b"second"):
        github.keep("abc", plan)
    github.review("abc")
    github.keep("abc", b"later")

    assert reviewed.plan_of_reviewed_commit(_job(github)) == "second"


def test_only_somebody_elses_standing_approval_counts(github: GitHub) -> None:
    github.keep("abc", b"a plan")
    github.review("abc", by="ben")
    github.review("abc", by="a stranger", may="CONTRIBUTOR")
    github.review("abc", by="ann")
    github.review("abc", by="ann", state="CHANGES_REQUESTED")

    with pytest.raises(Invalid, match="nobody has approved pull request 7"):
        reviewed.plan_of_reviewed_commit(_job(github))

    github.review("abc", by="eve", may="OWNER")
    assert reviewed.plan_of_reviewed_commit(_job(github)) == "a plan"


@pytest.mark.slow
def test_a_push_without_a_request_is_run_by_hand(
    machine: Machine, github: GitHub, sim: simulated.Sim
) -> None:
    github.merged = False

    ran = machine.github_job(_quick(GITHUB, machine), "run")

    (told,) = [one for one in ran or () if one.name == "Run"]
    assert told.code == 2
    assert "is the merge of no pull request; nothing was sent" in told.output
    assert "start the run by hand" in told.output
    assert sim.charges() == []


def test_without_the_right_to_read_the_record_the_run_is_refused(github: GitHub) -> None:
    with pytest.raises(Refused, match="GitHub does not tell what was reviewed"):
        reviewed.plan_of_reviewed_commit({**_job(github), "GITHUB_TOKEN": "another token"})


def _job(github: GitHub) -> dict[str, str]:
    return {
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": "ann/film",
        "GITHUB_TOKEN": "a token",
        "GITHUB_SHA": "a merge",
        "GITHUB_REF_NAME": "main",
    }


def _edit(film: Film, old: str, new: str) -> None:
    path = film.root / "scenes.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    film.commit("edited")
    film.git("push", "--quiet", "origin", "main")


# --- the action ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_action_plans_and_refuses_to_spend_where_it_must_not(
    machine: Machine, sim: simulated.Sim
) -> None:
    planned = machine.github_action(ACTION, {"mode": "plan"}, event="pull_request")
    outputs = machine.last["steps"]["kiebatch"]["outputs"]
    own_record = machine.github_action(ACTION, {"mode": "plan", "record": "abc"}, event="pull_request")
    unlimited = machine.github_action(ACTION, {"mode": "run", "api-key": sim.key})
    foreign = machine.github_action(
        ACTION, {"mode": "run", "api-key": sim.key, "max-credits": "9"}, event="pull_request_target"
    )
    wrong = machine.github_action(ACTION, {"mode": "spend"})

    assert codes(planned)["kiebatch"] == 0
    assert outputs["status"] == "work"
    assert json.loads(Path(outputs["result"]).read_text(encoding="utf-8"))["totals"]["jobs"] == 2
    assert [codes(ran)["kiebatch"] for ran in (own_record, unlimited, foreign, wrong)] == [2, 2, 2, 2]
    assert sim.charges() == []
    assert "Keep the journal" in codes(unlimited)


@pytest.mark.slow
def test_the_action_spends_and_commits(machine: Machine, approved: GitHub, sim: simulated.Sim) -> None:
    recorded = machine.github_action(ACTION, {"mode": "plan", "record": "abc"}, event="workflow_run")
    assert (machine.folder / "artifacts" / "kiebatch-plan-abc" / "plan.json").is_file()
    assert set(codes(recorded).values()) == {0}

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
