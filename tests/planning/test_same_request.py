"""What is sent decides beside what was asked: a default that is said aloud buys nothing once more."""

from __future__ import annotations

import pytest
from PIL import Image

from support.film import Film

CLIP = "kiebatch: 1\nscenes:\n  - {id: 1, model: kling-2.6/text-to-video, prompt: a boat}\n"


@pytest.mark.slow
@pytest.mark.parametrize("aloud", ["{sound: false}", '{aspect_ratio: "1:1"}', "{duration: 5, sound: false}"])
def test_a_default_said_aloud_keeps_what_was_made_without_it(film: Film, aloud: str) -> None:
    film.write(CLIP)
    film.run()

    film.write(CLIP.replace("prompt: a boat", f"prompt: a boat, params: {aloud}"))

    assert film.reasons() == {"1": "keep: kept"}
    film.run()
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_and_left_out_again_keeps_what_was_made_with_it(film: Film) -> None:
    film.write(CLIP.replace("prompt: a boat", "prompt: a boat, params: {sound: false}"))
    film.run()

    film.write(CLIP)

    assert film.reasons() == {"1": "keep: kept"}


@pytest.mark.slow
def test_another_value_is_another_request(film: Film) -> None:
    film.write(CLIP)
    film.run()

    film.write(CLIP.replace("prompt: a boat", "prompt: a boat, params: {sound: true}"))

    assert film.reasons() == {"1": "generate: params"}


def test_a_picture_under_the_same_name_with_other_content_is_another_request(film: Film) -> None:
    picture = film.folder / "lamp.png"
    Image.new("RGB", (512, 512), "teal").save(picture)
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a lamp, references: [lamp.png]}\n"
    )
    film.run()

    Image.new("RGB", (512, 512), "red").save(picture)

    assert film.reasons() == {"1": "generate: references"}
