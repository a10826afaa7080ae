"""`defaults.params`: for the models that take them, an error where none does."""

from __future__ import annotations

from pathlib import Path

from support.film import Film


def problems_of(film: Film, text: str) -> list[dict[str, object]]:
    film.write(text)
    said = film.command("validate", "scenes.yaml", "--json").json
    return [p for p in said["problems"] if p["code"] == "default-not-taken"]


def test_a_value_that_no_model_of_the_file_takes_is_one_error_with_the_nearest(film: Film) -> None:
    found = problems_of(
        film,
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2, params: {aspect_ratio: "17:9"}}
        scenes:
          - {id: 1, prompt: A small wooden boat nears a white lighthouse at dusk}
          - {id: 2, prompt: A small wooden boat leaves a white lighthouse at dawn}
          - {id: 3, model: z-image, prompt: A small wooden boat and a white lighthouse}
        """,
    )

    assert [(p["severity"], p["line"]) for p in found] == [("error", 2)]
    assert found[0]["message"] == "no model of this file takes `aspect_ratio: 17:9`"
    assert "the nearest is `16:9`" in str(found[0]["hint"])


def test_a_value_that_some_models_take_is_one_warning_for_each_that_does_not(film: Film) -> None:
    found = problems_of(
        film,
        """\
        kiebatch: 1
        defaults: {model: z-image, params: {aspect_ratio: "21:9"}}
        scenes:
          - {id: 1, prompt: A small wooden boat nears a white lighthouse at dusk}
          - {id: 2, prompt: A small wooden boat leaves a white lighthouse at dawn}
          - {id: 3, model: nano-banana-2, prompt: A small wooden boat and a lighthouse}
        """,
    )

    assert [(p["severity"], p["line"]) for p in found] == [("warning", 2)]
    assert "`z-image` does not take `aspect_ratio: 21:9`" in str(found[0]["message"])


def test_a_field_that_no_model_has_is_left_out(film: Film) -> None:
    assert (
        problems_of(film, "kiebatch: 1\ndefaults: {model: z-image, params: {mood: dark}}\nscenes: []\n") == []
    )
    assert Path("scenes.yaml").is_file()
