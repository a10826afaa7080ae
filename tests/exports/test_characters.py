"""A sheet per character: where they come from and where they appear."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.exports import characters, sheet
from support import made_film
from support.film import Film
from support.places import ROOT

SCENES = """\
kiebatch: 1
title: The Lighthouse
defaults: {model: nano-banana-2}
characters:
  keeper: {text: a bearded man, references: [refs/keeper.png]}
  Old_Hanne: {text: a woman of eighty, references: [{shot: 2a, take: 2}]}
  nobody: {text: who is not in it}
scenes:
  - {id: 1, prompt: "{keeper} waits"}
  - id: 2
    shots:
      - {id: a, takes: 2, prompt: A portrait}
      - {id: b, prompt: They talk, characters: [keeper, Old_Hanne]}
  - {id: 3, prompt: The sea}
"""


def make(folder: Path) -> object:
    (folder / "refs").mkdir(parents=True)
    Image.new("RGB", (64, 64), (250, 0, 250)).save(folder / "refs" / "keeper.png")
    return made_film.make(folder, SCENES)


@pytest.mark.slow
def test_each_character_has_a_sheet_with_references_and_their_shots_in_story_order(tmp_path: Path) -> None:
    opened = make(tmp_path / "film")

    pages = characters.export(*made_film.arguments(opened, tmp_path / "s.png", columns=3))  # type: ignore[arg-type]

    assert [page.name for page in pages] == ["s-keeper.png", "s-old_hanne.png"]
    with Image.open(pages[0]) as keeper:
        wide = sheet.WIDTH // 3
        first, second = (
            ImageStat.Stat(keeper.convert("RGB").crop((x - 20, 380, x + 20, 420))).mean
            for x in (wide // 2 + 30, wide // 2 + wide)
        )
    assert first == pytest.approx([250, 0, 250], abs=3)  # the reference
    assert second == pytest.approx([200, 120, 40], abs=3)  # shot 1


def test_a_part_of_the_film_has_the_sheets_of_who_is_in_it(tmp_path: Path) -> None:
    opened = make(tmp_path / "film")

    pages = characters.export(*made_film.arguments(opened, tmp_path / "s.png", only=("1",)))  # type: ignore[arg-type]

    assert [page.name for page in pages] == ["s-keeper.png"]
    with pytest.raises(Invalid, match="no shot shows a character"):
        characters.export(*made_film.arguments(opened, tmp_path / "s.png", only=("3",)))  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_recipe_makes_references_once_and_uses_them_everywhere(film: Film) -> None:
    shutil.copy(ROOT / "examples" / "cast" / "scenes.yaml", film.scene_file)

    first = film.run(only=("cast",))
    assert film.command("pick", "cast.hanne#2").code == 0
    whole = film.run()

    asked = {e["filename"]: e.get("made_from", []) for e in film.manifest}
    hanne = next(e["id"] for e in film.manifest if e.get("shot") == "hanne" and e.get("take") == 2)
    driver = next(e["id"] for e in film.manifest if e.get("shot") == "driver" and e.get("take", 1) == 1)
    assert (first.succeeded, whole.succeeded) == (5, 3)
    assert asked["assets/images/scene-01.png"] == [hanne]
    assert sorted(asked["assets/images/scene-03.png"]) == sorted([hanne, driver])
    assert app.exit_code(["export", "characters", str(film.scene_file)]) == 0
    assert {p.name for p in (film.folder / "export").iterdir()} == {"film-hanne.png", "film-driver.png"}
