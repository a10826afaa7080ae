"""Files that are not where their name says: the nearest name, the folder and the shot; Unicode forms are one name."""

from __future__ import annotations

import io
import unicodedata

from PIL import Image

from support.film import Film

SHOT = "kiebatch: 1\nscenes: [{id: 1, model: google/nano-banana-edit, prompt: a boat, references: refs/café.png}]\n"


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(stream, "PNG")
    return stream.getvalue()


def test_a_name_in_another_unicode_form_is_the_same_file(film: Film) -> None:
    (film.folder / "refs").mkdir()
    (film.folder / "refs" / unicodedata.normalize("NFD", "café.png")).write_bytes(png(512, 512))
    film.scene_file.write_text(unicodedata.normalize("NFC", SHOT), encoding="utf-8")

    assert film.command("validate", "scenes.yaml").code == 0


def test_a_misspelt_reference_names_the_shot_the_folder_and_the_nearest_file(film: Film) -> None:
    (film.folder / "refs").mkdir()
    (film.folder / "refs" / "keeper.png").write_bytes(png(512, 512))
    film.scene_file.write_text(SHOT.replace("café", "keper"), encoding="utf-8")

    (problem,) = film.command("validate", "scenes.yaml", "--json").json["problems"]

    assert problem["message"] == "shot `1`: there is no file `refs/keper.png` in refs"
    assert problem["hint"] == "did you mean `refs/keeper.png`?"


def test_a_folder_that_is_not_there_is_named(film: Film) -> None:
    film.scene_file.write_text(SHOT, encoding="utf-8")

    (problem,) = film.command("validate", "scenes.yaml", "--json").json["problems"]

    assert problem["message"].endswith("there is no folder refs")


def test_a_misspelt_scene_file_names_the_one_beside_it(film: Film) -> None:
    film.scene_file.write_text(SHOT, encoding="utf-8")

    assert "did you mean scenes.yaml?" in film.command("validate", "scene.yaml").err


def test_the_name_of_a_shot_where_a_file_is_meant_says_how_a_shot_is_named(film: Film) -> None:
    film.write(
        """
        kiebatch: 1
        scenes:
          - {id: 1, model: nano-banana-2, prompt: a boat}
          - {id: 2, model: google/nano-banana-edit, prompt: the boat at night, references: ["1"]}
        """
    )

    problems = film.command("validate", "scenes.yaml", "--json").json["problems"]

    assert "for the result of that shot: {shot: 1}" in [problem["hint"] for problem in problems]
