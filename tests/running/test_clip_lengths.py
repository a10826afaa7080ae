"""Lengths that the author wrote: met, or shortened with a warning; what 0.1 made of them is kept."""

from __future__ import annotations

import json

from support.film import Film

ONE_SHOT = """\
kiebatch: 1
defaults: {video: {model: kling-3.0/video}}
scenes:
  - {id: 1, model: kling-3.0/video, prompt: A boat, duration: DURATION}
"""


def film_of(film: Film, duration: int) -> None:
    film.write(ONE_SHOT.replace("DURATION", str(duration)))


def test_the_length_of_a_scene_without_shots_is_that_of_its_clip(film: Film) -> None:
    film_of(film, 10)

    film.run()

    assert [charge["input"]["duration"] for charge in film.sim.charges()] == ["10"]


def test_a_scene_longer_than_its_model_can_make_gets_the_longest_with_a_warning(film: Film) -> None:
    film_of(film, 30)

    said = film.command("validate", "scenes.yaml", "--json").json
    plan = film.command("plan", "scenes.yaml", "--json").json

    (problem,) = [p for p in said["problems"] if p["code"] == "clip-shorter"]
    assert problem["line"] == 4
    assert plan["jobs"][0]["input"]["duration"] == "15"


def test_a_shot_longer_than_its_model_can_make_is_an_error(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - id: 1\n    shots:\n"
        "      - {id: a, model: kling-3.0/video, prompt: A boat, duration: 30}\n"
    )

    said = film.command("validate", "scenes.yaml", "--json")

    assert said.code == 2
    assert "too-long" in [p["code"] for p in said.json["problems"]]


def test_what_was_made_without_the_length_is_kept_with_the_warning(film: Film) -> None:
    film.write(ONE_SHOT.replace(", duration: DURATION", ""))  # what 0.1 sent, and took for asked
    film.run()
    film_of(film, 10)

    plan = film.command("plan", "scenes.yaml", "--json").json
    film.run()

    assert [(j["action"], j["reason"]) for j in plan["jobs"]] == [("keep", "kept")]
    assert "clip-shorter" in json.dumps(plan["jobs"][0]["warnings"])
    assert len(film.sim.charges()) == 1
