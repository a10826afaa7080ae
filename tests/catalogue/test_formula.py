"""What a prompt lacks, said in one quiet line, and only what the model's own notes ask for."""

from __future__ import annotations

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import formula
from kiebatch.errors import Exit, Where
from kiebatch.model import Ask, LocalFile, RoleMedia
from support.film import Film

KLING = "kling-3.0/video"  # its notes: subject, action, camera, setting and light


def lacking(model: str, prompt: str, role: str = "") -> tuple[str, ...]:
    media = (RoleMedia(role=role, ref=LocalFile("a.png"), where=Where()),) if role else ()
    return formula.missing(catalogue.load([]).resolve(model), Ask(prompt=prompt, media=media))


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a keeper with a lantern", ("action", "place", "camera")),
        ("a keeper climbs the stairs in the tower, close-up, lit by a lantern", ()),
        ("a keeper climbs the stairs in the tower", ("light", "camera")),
        ("ein alter Mann steigt die Treppe hinauf", ()),
        ("lighthouse", ()),
    ],
)
def test_the_parts_that_the_notes_ask_for_are_looked_for(prompt: str, parts: tuple[str, ...]) -> None:
    assert lacking(KLING, prompt) == parts


def test_a_model_whose_notes_name_no_formula_asks_for_nothing() -> None:
    assert lacking("z-image", "a keeper with a lantern") == ()


def test_what_a_picture_shows_need_not_be_said() -> None:
    assert lacking("kling-3.0/video", "a keeper with a lantern", "start_frame") == ()


def test_validate_says_it_strict_does_not_count_it_and_a_run_is_silent(film: Film) -> None:
    film.write(
        f"kiebatch: 1\nscenes:\n  - {{id: 1, model: {KLING}, prompt: a keeper climbs the stairs in the tower}}\n"
    )

    said = film.command("validate", "scenes.yaml", "--strict", "--json")

    assert said.code == Exit.OK
    assert [p["code"] for p in said.json["problems"]] == ["formula"]
    assert "the prompt does not say: light, camera" in said.json["problems"][0]["message"]
    assert "does not say" not in film.command("plan", "scenes.yaml").err
