"""`--model`, `--var` and their like say how a scene file is read, in every command that reads one for work."""

from __future__ import annotations

import pytest

from support.film import Film

FAST = ("--poll-interval", "0.01")
NO_MODEL = 'kiebatch: 1\nscenes: [{id: 1, prompt: "a boat at {light}"}]\n'


def test_a_writers_file_is_planned_with_a_model_and_a_variable_of_the_command_line(film: Film) -> None:
    film.scene_file.write_text(NO_MODEL)

    refused = film.command("plan", "scenes.yaml", "--var", "light=noon")
    planned = film.command("plan", "scenes.yaml", "--model", "nano-banana-2", "--var", "light=noon", "--json")

    assert refused.code == 2
    assert "--model" in refused.err
    assert planned.json["jobs"][0]["model"] == "nano-banana-2"
    assert planned.json["jobs"][0]["input"]["prompt"] == "a boat at noon"


@pytest.mark.slow
def test_a_saved_plan_keeps_the_model_and_the_variables_that_it_was_made_with(film: Film) -> None:
    film.scene_file.write_text(NO_MODEL)
    made = film.command(
        "plan", "scenes.yaml", "--image-model", "nano-banana-2", "--var", "light=noon", "--out", "p.json"
    )

    ran = film.command("run", "--plan", "p.json", *FAST, "--yes")

    assert (made.code, ran.code) == (0, 0)
    assert film.manifest[0]["prompt"] == "a boat at noon"


def test_validate_takes_the_same_options_and_names_a_variable_that_fills_nothing(film: Film) -> None:
    film.scene_file.write_text(NO_MODEL)

    found = film.command(
        "validate", "scenes.yaml", "--model", "z-image", "--var", "light=x", "--var", "lihgt=noon"
    )

    assert found.code == 0
    assert "`--var lihgt=...` fills nothing" in found.err


def test_a_variable_without_a_value_is_refused(film: Film) -> None:
    assert "--var takes NAME=VALUE" in film.command("plan", "scenes.yaml", "--var", "light").err


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("status", "scenes.yaml"),
        ("board", "scenes.yaml"),
        ("export", "csv", "scenes.yaml"),
        ("pick", "1", "--file", "scenes.yaml"),
        ("accept", "1", "--file", "scenes.yaml"),
    ],
    ids=lambda command: str(command[0]),
)
def test_what_looks_at_a_film_reads_it_as_the_run_did(film: Film, command: tuple[str, ...]) -> None:
    film.scene_file.write_text(NO_MODEL)
    reading = ("--model", "nano-banana-2", "--var", "light=noon")
    film.command("run", "scenes.yaml", *reading, *FAST, "--yes")

    alone = film.command(*command)
    told = film.command(*command, *reading)

    assert (alone.code, told.code) == (2, 0)


@pytest.mark.slow
def test_status_says_done_of_a_shot_that_the_command_line_gave_its_model(film: Film) -> None:
    film.scene_file.write_text(NO_MODEL)
    reading = ("--model", "nano-banana-2", "--var", "light=noon")
    film.command("run", "scenes.yaml", *reading, *FAST, "--yes")

    assert film.command("status", "scenes.yaml", *reading, "--json").json["counts"] == {"done": 1}
