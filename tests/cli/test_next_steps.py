"""What to do next, as data: a program that understands no trouble follows it, and stays within its cap."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from kiebatch.cli import app, next_steps
from kiebatch.errors import Exit
from kiebatch.model import JSON
from kiebatch.simulator import faults
from support.film import Film
from support.places import ROOT

ROBOT = ROOT / "examples" / "robot.py"
SCENES = """
kiebatch: 1
scenes:
  - {id: 1, model: nano-banana-2, prompt: A lamp, references: [lamp.png]}
"""
CAP = 60.0
RUN = ("kiebatch", "run", "scenes.yaml", "--max-credits", f"{CAP:g}")
QUICK = ("--poll-interval", "0.01", "--timeout", "0.6", "--rate", "1000/1s")
PLACES = ("submit", "poll", "credit", "upload", "download")
VALUES = {
    "names-task": "429",
    "code": "500",
    "http": "503",
    "html": "502",
    "garbage": "list",
    "slow": "0.05",
    "retry-after": "0",
    "fail": "500 Internal error",
    "fail-envelope": "501",
    "lasts": "0.05",
    "fresh": "0.05",
    "state": "word",
    "no-output": "list",
    "urls-as-text": "json",
    "outputs": "2",
    "extension": "bin",
    "costs": "0",
    "price": "7",
    "elsewhere": "5",
    "links-die": "0.01",
    "wrong-type": "text/plain",
    "redirect": "http://127.0.0.1:1/x",
    "late": "0.05",
}
# What no program can decide: a submission that was charged and whose answer never came (its task is listed at
# kie.ai/logs, where a person looks), and a task that may still bring its result.
NEED_A_PERSON = frozenset(
    {f"submit={kind}+after" for kind in ("code", "http", "html", "empty", "garbage", "no-data", "cut")}
    | {"submit=cut-middle+after", "submit=stuck", "submit=other-id"}
)


def _ways() -> Iterator[str]:
    """Every way in which a fault of the simulator can strike a run, without its value."""
    for kind in faults.TRANSPORT:
        if kind == "names-task":  # before the call there is no task to name
            yield "submit=names-task+after"
            continue
        for place in PLACES:
            yield f"{place}={kind}"
            yield f"{place}={kind}+after"
    yield from (f"submit={kind}" for kind in faults.TASK)
    yield from (f"download={kind}" for kind in faults.DOWNLOAD)
    yield from (f"callback={kind}" for kind in faults.CALLBACK)


WAYS = tuple(_ways())
# So many take no second of their own: the others are slow together.
FEW = ("submit=html", "submit=names-task+after", "submit=no-output", "download=page")


def _with_value(way: str) -> str:
    head, _, tail = way.partition("=")
    kind, plus, after = tail.partition("+")
    value = f":{VALUES[kind]}" if kind in VALUES else ""
    return f"{head}={kind}{value}{plus}{after}"


@pytest.fixture(scope="module")
def robot() -> ModuleType:
    spec = importlib.util.spec_from_file_location("robot", ROBOT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _follow(film: Film, robot: ModuleType, way: str) -> tuple[bool, Any]:
    film.write(SCENES)
    Image.new("RGB", (512, 512), "teal").save(film.folder / "lamp.png")
    film.sim.fault(_with_value(way))

    def do(command: Sequence[str]) -> tuple[int, Any]:
        said = film.command(*command[1:], "--json")
        return said.code, said.json

    listening: tuple[str, ...] = ()
    if way.startswith("callback"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        listening = ("--callback-url", f"http://{address}/kie", "--listen", address)
    succeeded, answer = robot.follow([*RUN, *QUICK, *listening], do)
    return succeeded, answer


def _holds(film: Film, robot: ModuleType, way: str) -> None:
    """A robot makes the film within its cap; what it cannot decide it leaves, with nothing lost."""
    succeeded, answer = _follow(film, robot, way)

    assert succeeded == (way not in NEED_A_PERSON), answer
    assert sum(charge["credits"] for charge in film.sim.charges()) <= CAP
    if succeeded:
        assert len([a for a in film.manifest if "superseded_by" not in a]) >= 1
        return
    status = film.command("status", "--json").json["counts"]
    assert status.keys() <= {"held", "in-flight"}, "kept until a person decides"
    assert len(film.sim.charges()) == 1
    assert not any(step["safe"] and "resolve" in step["command"] for step in answer["next"])


@pytest.mark.slow
@pytest.mark.parametrize("way", FEW)
def test_a_robot_without_a_model_resolves_what_goes_wrong(film: Film, robot: ModuleType, way: str) -> None:
    _holds(film, robot, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way not in FEW])
def test_a_robot_without_a_model_resolves_all_but_what_needs_a_person(
    film: Film, robot: ModuleType, way: str
) -> None:
    _holds(film, robot, way)


def test_the_robot_is_short_and_the_kinds_that_it_resolves_are_95_in_100() -> None:
    plain = {way.partition("=")[2].removesuffix("+after") for way in WAYS}
    assert plain == set(faults.KINDS), "every fault of the simulator is tried"
    left = {way.partition("=")[2] for way in NEED_A_PERSON if not way.endswith("+after")}

    assert 1 - len(left) / len(faults.KINDS) >= 0.95
    assert 1 - len(NEED_A_PERSON) / len(WAYS) >= 0.92
    assert len(ROBOT.read_text(encoding="utf-8").splitlines()) <= 60


def test_what_is_left_of_the_cap_is_what_the_next_run_may_spend(film: Film) -> None:
    film.write(SCENES.replace(", references: [lamp.png]", ""))
    film.sim.fault("submit=fail:500 Internal error")

    said = film.command("run", "scenes.yaml", "--max-credits", "20", *QUICK, "--json")

    assert said.json["credits"]["reserved"] == 8
    assert said.json["next"] == [
        {
            "command": "kiebatch run scenes.yaml --rate 1000/1s --poll-interval 0.01 --timeout 0.6 --max-credits 12",
            "spends": True,
            "safe": True,
            "why": "collects what is paid for, and makes what is not",
        }
    ]


def test_without_a_cap_no_run_is_safe(film: Film) -> None:
    film.write(SCENES.replace(", references: [lamp.png]", ""))
    film.sim.fault("submit=fail:500 Internal error")

    said = film.command("run", "scenes.yaml", "--yes", *QUICK, "--json")

    assert [(step["spends"], step["safe"]) for step in said.json["next"]] == [(True, False)]
    assert "--max-credits" not in said.json["next"][0]["command"]


def test_a_cap_that_prices_do_not_reach_makes_no_run_safe(film: Film) -> None:
    film.write(SCENES.replace(", references: [lamp.png]", ""))
    film.sim.fault("submit=fail:500 Internal error")

    said = film.command("run", "scenes.yaml", "--max-credits", "20", "--allow-unpriced", *QUICK, "--json")

    assert [step["safe"] for step in said.json["next"]] == [False]


@pytest.mark.slow
def test_the_key_is_in_no_step(film: Film) -> None:
    film.write(SCENES.replace(", references: [lamp.png]", ""))
    film.sim.fault("submit=fail:500 Internal error")

    said = film.command("run", "scenes.yaml", "--yes", "--api-key", film.sim.key, *QUICK, "--json")

    assert film.sim.key not in said.out


def test_the_same_steps_are_hints_on_stderr(film: Film) -> None:
    film.write(SCENES.replace(", references: [lamp.png]", ""))
    film.sim.fault("submit=html:502+after")

    said = film.command("run", "scenes.yaml", "--max-credits", "20")

    assert said.code == Exit.HELD
    assert "hint: `kiebatch resolve 1 --task-id T`: its task is listed at kie.ai/logs: collect it" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "scenes.yaml", "--yes"),
        ("run", "scenes.yaml", "--max-credits", "100"),
        ("enhance", "scenes.yaml", "--only", "1", "--yes"),
        ("enhance", "scenes.yaml", "--only", "1", "--max-credits", "0.001"),
    ],
)
def test_where_going_up_to_the_cap_does_not_help_nobody_is_told_to(
    film: Film, words: tuple[str, ...]
) -> None:
    film.write(SCENES.replace("id: 1,", "id: 1, enhance: ask,"))
    Image.new("RGB", (512, 512), "teal").save(film.folder / "lamp.png")
    film.configure("reject_above: 0.01")

    said = film.command(*words, "--json")

    assert said.code == Exit.REFUSED
    assert [step["command"] for step in said.json["next"]] == ["kiebatch plan scenes.yaml"]


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        (("validate", "broken.yaml"), []),
        (("plan", "broken.yaml"), ["kiebatch validate broken.yaml"]),
        (("run", "scenes.yaml", "--nonsense"), ["kiebatch run --help"]),
        (("run", "scenes.yaml"), ["kiebatch plan scenes.yaml"]),
        (
            ("run", "scenes.yaml", "--max-credits", "1"),
            ["kiebatch plan scenes.yaml", "kiebatch run scenes.yaml --partial --max-credits 1"],
        ),
        (("plan", "scenes.yaml", "--check"), ["kiebatch run scenes.yaml"]),
        (("verify",), ["kiebatch run"]),
    ],
)
def test_every_answer_that_is_not_success_has_steps(
    film: Film, words: tuple[str, ...], steps: list[str]
) -> None:
    film.write(SCENES)
    Image.new("RGB", (512, 512), "teal").save(film.folder / "lamp.png")
    (film.folder / "broken.yaml").write_text(
        "kiebatch: 1\nscenes:\n  - {id: 1, promt: x}\n", encoding="utf-8"
    )

    said = film.command(*words, "--json")

    assert said.code != 0
    assert [step["command"] for step in said.json["next"]] == steps


def test_a_command_that_a_hint_names_is_said_once_and_its_reason_is_the_hint(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, prompt: A boat}\n")

    said = film.command("validate", "scenes.yaml")
    steps = film.command("validate", "scenes.yaml", "--json").json["next"]

    assert said.err.count("`kiebatch models`") == 1
    assert [(step["command"], step["why"].startswith("name one here")) for step in steps] == [
        ("kiebatch models", True)
    ]


def test_a_list_that_is_refused_is_sent_to_no_command_that_takes_scene_files_alone(film: Film) -> None:
    (film.folder / "shots.csv").write_text(f"id,prompt\n1,{'x' * 200_000}\n", encoding="utf-8")

    said = film.command("convert", "shots.csv", "--to", "yaml")

    assert (said.code, "kiebatch validate" in said.err) == (2, False)


def test_a_scene_file_with_its_usual_name_is_found_before_the_first_run(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: A boat}\n")

    assert [job["slot"] for job in film.command("plan", "--json").json["jobs"]] == ["1"]


@pytest.mark.slow
def test_a_success_has_no_next(film: Film) -> None:
    film.write(SCENES)
    Image.new("RGB", (512, 512), "teal").save(film.folder / "lamp.png")

    assert "next" not in film.command("validate", "scenes.yaml", "--json").json
    assert "next" not in film.command(*RUN[1:], *QUICK, "--json").json


def test_a_file_in_another_folder_is_resolved_where_it_lies(film: Film, tmp_path: Path) -> None:
    asked = next_steps.typed(
        app.Commands(name="kiebatch").get_command(None, "run"), ["film/scenes.yaml", "--max-credits", "9"]
    )
    answer: dict[str, JSON] = {
        "status": "held",
        "held": [{"slot": "2b", "charged": False}],
        "credits": {"reserved": 4.5},
    }

    steps = [step.command for step in next_steps.of(asked, answer)]

    assert steps == [
        "kiebatch resolve 2b --project film --resubmit",
        "kiebatch run film/scenes.yaml --max-credits 4.5",
    ]


def test_words_that_a_shell_would_take_apart_stay_one(film: Film) -> None:
    film.write(SCENES)
    (film.folder / "scenes.yaml").rename(film.folder / "my film.yaml")

    said = film.command("plan", "my film.yaml", "--json").json

    assert json.dumps(said["next"]).count("'my film.yaml'") == len(said["next"])
