"""The commands as a person or a script meets them: exit codes, one JSON document, messages with a way out."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from kiebatch.cli import app
from kiebatch.errors import Exit
from kiebatch.record import open_journal
from support.film import Film

ONE = "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat}\n"
AUTHOR = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
FAST = ("--poll-interval", "0.01", "--yes")


@pytest.mark.slow
def test_init_starts_a_project_that_runs_at_once_as_a_draft(film: Film) -> None:
    assert film.command("init", "new").code == 0

    said = film.command("run", "new/scenes.yaml", "--draft", "--json")

    assert said.code == 0
    assert said.json["jobs"]["succeeded"] == 4
    names = {p.name for p in (film.folder / "new").iterdir()}
    assert {"scenes.yaml", "scenes.schema.json", ".gitignore", ".env.example", "draft"} <= names
    assert film.sim.charges() == []


def test_init_never_touches_what_is_there(film: Film) -> None:
    film.write(ONE)

    said = film.command("init", ".")

    assert said.code == Exit.INVALID
    assert film.scene_file.read_text(encoding="utf-8") == ONE


def test_init_from_a_writers_markdown_file(film: Film) -> None:
    (film.folder / "notes.md").write_text(
        "# Film\n\n## Scene 1: Arrival\n- **Model**: nano-banana-2\n- **Visual**: a boat at dusk\n\nMind the gulls.\n",
        encoding="utf-8",
    )

    assert film.command("init", "new", "--from", "notes.md").code == 0

    said = film.command("plan", "new/scenes.yaml", "--json")
    assert [j["input"]["prompt"] for j in said.json["jobs"]] == ["a boat at dusk"]


def test_validate_says_everything_that_is_wrong_and_sends_nothing(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, promt: a boat}\n  - {id: 2, model: nanobanana-9, prompt: x}\n"
    )

    said = film.command("validate", "scenes.yaml", "--json")

    assert said.code == Exit.INVALID
    assert said.json["status"] == "invalid"
    assert [p["line"] for p in said.json["problems"] if p["severity"] == "error"] == [3, 4]
    assert {"file", "line", "column", "severity", "code", "message", "hint"} == set(said.json["problems"][0])


def test_validate_counts_what_a_good_file_holds(film: Film) -> None:
    film.write(ONE)

    said = film.command("validate", "scenes.yaml", "--json")

    assert said.code == 0
    assert (said.json["status"], said.json["scenes"], said.json["jobs"]) == ("valid", 1, 1)


def test_json_is_one_document_also_when_the_words_are_wrong(film: Film) -> None:
    said = film.command("plan", "nothing.yaml", "--json")
    assert said.code == Exit.INVALID
    assert said.json["status"] == "invalid"
    said = film.command("plan", "--bogus", "--json")
    assert said.code == Exit.INVALID
    assert said.json["problems"]


def test_a_misspelt_command_names_the_nearest(film: Film) -> None:
    assert "did you mean `validate`?" in film.command("vaildate").err


def test_status_says_what_is_held_and_resolve_decides(film: Film) -> None:
    film.write(ONE)
    film.sim.fault("submit@1=html:502+after")

    said = film.command("run", "scenes.yaml", *FAST, "--json")

    assert said.code == Exit.HELD
    assert said.json["status"] == "held"
    assert said.json["held"][0]["slot"] == "1"
    assert film.command("run", "scenes.yaml", *FAST).code == Exit.HELD
    assert len(film.sim.charges()) == 1
    assert film.command("status", "--json").json["counts"] == {"held": 1}

    evidence = film.command("resolve", "1")
    assert evidence.code == Exit.INVALID
    assert "it was charged" in evidence.err

    task = film.sim.charges()[0]["task_id"]
    assert film.command("resolve", "1", "--task-id", task).code == 0
    assert film.command("run", "scenes.yaml", *FAST).code == 0
    assert len(film.sim.charges()) == 1
    assert film.manifest[0]["task_id"] == task


def test_resubmit_is_the_users_word_and_sends_again(film: Film) -> None:
    film.write(ONE)
    film.sim.fault("submit@1=html:502")
    assert film.command("run", "scenes.yaml", *FAST).code == Exit.HELD

    assert film.command("resolve", "1", "--resubmit").code == 0

    assert film.command("run", "scenes.yaml", *FAST).code == 0
    assert len(film.sim.charges()) == 1


def test_a_mistyped_task_id_can_be_put_right(film: Film) -> None:
    film.write(ONE)
    film.sim.fault("submit@1=html:502+after")
    assert film.command("run", "scenes.yaml", *FAST).code == Exit.HELD
    assert film.command("resolve", "1", "--task-id", "mistyped").code == 0
    # A run finds this out after the 90 s in which a fresh task may be invisible.
    with open_journal(film.folder / ".kiebatch" / "journal.sqlite", now=time.time) as journal:
        (attempt,) = journal.attempts()
        journal.lost(attempt.id, "not-found", "recordInfo is null")

    assert film.command("resolve", "1", "--task-id", film.sim.charges()[0]["task_id"]).code == 0

    assert film.command("run", "scenes.yaml", *FAST).code == 0
    assert len(film.sim.charges()) == 1
    assert film.command("resolve", "1", "--forget").code == Exit.INVALID


def test_resolve_of_what_is_not_held_is_refused(film: Film) -> None:
    film.write(ONE)
    film.run()

    assert film.command("resolve", "1", "--forget").code == Exit.INVALID


@pytest.mark.parametrize("option", ["--max-credits", "--timeout", "--poll-interval"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_cap_that_is_no_number_is_refused_and_nothing_is_spent(film: Film, option: str, value: str) -> None:
    film.write(ONE)

    said = film.command("run", "scenes.yaml", *FAST, option, value)

    assert said.code == Exit.INVALID
    assert "must be a number" in said.err
    assert film.sim.charges() == []


@pytest.mark.slow
def test_generate_makes_one_picture_and_answers_with_five_keys(film: Film) -> None:
    said = film.command("generate", "--prompt", "a boat", "--set", "aspect_ratio=16:9", "--yes")

    assert said.code == 0
    assert set(said.json) == {"task_id", "model", "image_urls", "downloaded_files", "status"}
    assert said.json["model"] == "gpt-image-2-text-to-image"
    assert said.json["status"] == "success"
    with Image.open(said.json["downloaded_files"][0]) as picture:
        assert abs(picture.width / picture.height - 16 / 9) < 0.05
    assert film.command("generate", "--prompt", "a boat", "--set", "aspect_ratio=16:9").json == said.json
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_generate_takes_images_to_mean_img2img_and_uploads_them(film: Film) -> None:
    Image.new("RGB", (200, 100), "red").save("in.png")

    said = film.command(
        "generate", "--prompt", "at night", "--image", "in.png", "--model", "nano-banana-2", "-y"
    )

    assert said.code == 0
    assert film.sim.charges()[0]["input"]["image_input"][0].startswith(film.sim.url)
    said = film.command("generate", "--prompt", "at night", "--image", "in.png", "-y")
    assert said.json["model"] == "gpt-image-2-image-to-image"


@pytest.mark.parametrize(
    "args",
    [
        ("--prompt", ""),
        ("--prompt", "x", "--mode", "img2img"),
        ("--prompt", "x", "--set", "aspect_ratio"),
        ("--prompt", "x", "--model", "no-such-model"),
        ("--prompt", "x", "--image", "gone.png"),
        ("--task-id", "t"),
    ],
)
def test_generate_refuses_bad_input_before_anything_is_sent(film: Film, args: tuple[str, ...]) -> None:
    assert film.command("generate", *args).code == Exit.INVALID
    assert film.sim.charges() == []


@pytest.mark.slow
def test_generate_reads_the_prompt_from_stdin(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a boat {with braces}\n"))

    assert film.command("generate", "--prompt", "-", "--model", "z-image", "--yes").code == 0
    assert film.sim.charges()[0]["input"]["prompt"] == "a boat {with braces}"


def test_a_task_made_elsewhere_is_collected_at_no_cost(film: Film) -> None:
    with film.sim.client() as client:
        body = {"model": "nano-banana-2", "input": {"prompt": "a gull"}}
        task = client.post("/api/v1/jobs/createTask", json=body).json()["data"]["taskId"]

    said = film.command("generate", "--task-id", task, "--model", "nano-banana-2")

    assert said.code == 0, said.err
    assert said.json["task_id"] == task
    assert Path(said.json["downloaded_files"][0]).stat().st_size > 0
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_a_wait_that_times_out_keeps_the_task_which_the_next_run_collects(film: Film) -> None:
    film.write(ONE)
    film.sim.change(speed=20.0)

    outcome = film.run(timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.05))

    assert [(f.code, f.retryable) for f in outcome.failures] == [("timeout", True)]
    film.sim.change(speed=4000.0)
    assert film.reasons() == {"1": "restore: in flight"}
    assert film.run(timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 20.0)).exit_code == Exit.OK
    assert len(film.sim.charges()) == 1


def test_the_key_of_the_projects_env_file_is_found_and_nothing_else_in_it(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(ONE)
    monkeypatch.delenv("KIE_API_KEY")
    (film.folder / ".env").write_text(f"KIE_BASE_URL=https://elsewhere.example\nKIE_API_KEY={film.sim.key}\n")

    assert film.command("run", "scenes.yaml", *FAST).code == 0


def test_without_a_key_nothing_is_sent_and_the_way_out_is_named(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(ONE)
    monkeypatch.delenv("KIE_API_KEY")

    said = film.command("run", "scenes.yaml", *FAST)

    assert said.code == Exit.REFUSED
    assert "KIE_API_KEY" in said.err


def test_a_bug_of_ours_is_exit_70_with_a_log(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.COMMANDS, "broken", ("no_such_module", "It breaks."))

    said = film.command("broken", "--json")

    assert said.code == Exit.BUG
    log = said.json["problems"][0]["message"].rsplit(" ", 1)[-1]
    assert "no_such_module" in Path(log).read_text(encoding="utf-8")
    Path(log).unlink()


def test_python_dash_m_is_the_same_program_and_a_closed_pipe_is_no_bug(film: Film) -> None:
    film.write(ONE)
    done = subprocess.run(
        f"{sys.executable} -m kiebatch schema | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == "{"
    assert "bug" not in done.stderr


def test_the_shell_completes_commands(film: Film) -> None:
    environment = {"_KIEBATCH_COMPLETE": "complete_bash", "COMP_WORDS": "kiebatch ver", "COMP_CWORD": "1"}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "kiebatch")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "verify" in done.stdout, done.stderr


def test_the_schema_is_what_ships(film: Film) -> None:
    schema = json.loads(film.command("schema").out)

    assert schema["$schema"].endswith("2020-12/schema")
    assert "scenes" in schema["properties"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("chek", "validate"),
        ("check", "validate"),
        ("lint", "validate"),
        ("resume", "run"),
        ("statsu", "status"),
    ],
)
def test_what_other_programs_call_a_command_leads_to_ours(film: Film, typed: str, meant: str) -> None:
    assert f"did you mean `{meant}`?" in film.command(typed).err


def test_a_word_that_is_near_nothing_is_given_no_command(film: Film) -> None:
    assert "did you mean" not in film.command("frobnicate").err


def test_costs_takes_the_scene_file_of_the_film(film: Film) -> None:
    film.write(ONE)
    assert film.command("run", "scenes.yaml", *FAST).code == 0

    assert film.command("costs", "scenes.yaml", "--json").json["total"]["credits"] == 8


def test_a_report_reads_the_film_as_its_run_did(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, prompt: 'a boat, {light}'}\n")
    reading = ("--image-model", "nano-banana-2", "--var", "light=dusk")
    assert film.command("run", "scenes.yaml", *FAST, *reading).code == 0
    for words in (["init", "-q"], ["add", "."], [*AUTHOR, "commit", "-qm", "made"]):
        subprocess.run(["git", *words], cwd=film.folder, check=True)

    assert film.command("report", "--json", *reading).json["planned"]["jobs"] == 0
    without = film.command("report", "--json")
    assert without.json["planned"] is None
    assert "without the plan, since the scene file cannot be read" in without.err


def test_a_plan_lists_what_asks_for_an_enhanced_prompt_and_has_none(film: Film) -> None:
    film.write(ONE.replace("prompt: a boat", "prompt: a boat, enhance: ask"))

    assert film.command("plan", "scenes.yaml", "--json").json["not_enhanced"] == ["1"]
    assert (
        "without an enhanced prompt: 1 (`kiebatch enhance` makes them"
        in film.command("plan", "scenes.yaml").out
    )
