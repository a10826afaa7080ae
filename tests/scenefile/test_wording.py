"""The author's words: with names in place of descriptions, and without the style."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kiebatch.model import LocalFile, Shot, ShotOutput, Slot, WebURL
from support import made_film

HEAD = """\
kiebatch: 1
defaults: {model: nano-banana-2}
styles: {storm: storm light, grain: heavy grain}
vars: {port: Husum}
references: {coat: refs/coat.png}
characters:
  Hanne: {text: a woman of eighty, references: [refs/hanne.png, coat, "https://example.com/h.png", {shot: 2a, take: 2}]}
  keeper: a bearded man
scenes:
  - {id: 2, shots: [{id: a, prompt: A portrait, takes: 2}]}
"""


def shot(folder: Path, scene: str) -> Shot:
    refs = folder / "film" / "refs"
    refs.mkdir(parents=True)
    for name in ("coat.png", "hanne.png"):
        Image.new("RGB", (8, 8)).save(refs / name)
    opened = made_film.make(folder / "film", f"{HEAD}  - {scene}\n")
    return opened.project.scenes[1].shots[0]


@pytest.mark.parametrize(
    ("scene", "words", "described"),
    [
        ('{id: 1, prompt: "{Hanne} waits in {port}, {storm}"}',
         "Hanne waits in Husum", "a woman of eighty waits in Husum"),
        ("{id: 1, prompt: She waits, characters: [Hanne], style: grain}",
         "She waits", "a woman of eighty. She waits"),
        ('{id: 1, prompt: "A {{brace}}"}', "A {brace}", "A {brace}"),
        ("{id: 1, title: A card}", "", ""),
    ],
)  # fmt: skip
def test_words_and_description(scene: str, words: str, described: str, tmp_path: Path) -> None:
    found = shot(tmp_path, scene)

    assert (found.words, found.described) == (words, described)


def test_who_is_in_it_and_in_which_style(tmp_path: Path) -> None:
    found = shot(
        tmp_path, '{id: 1, prompt: "{keeper} and {Hanne}, {storm}", characters: keeper, style: grain}'
    )

    assert found.characters == ("keeper", "Hanne")
    assert found.styles == ("storm", "grain")


def test_the_cast_has_words_and_pictures(tmp_path: Path) -> None:
    project = made_film.make(tmp_path / "film", HEAD).project

    assert project.styles == {"storm": "storm light", "grain": "heavy grain"}
    assert project.characters["keeper"].text == "a bearded man"
    assert project.characters["Hanne"].pictures == (
        LocalFile("refs/hanne.png"),
        LocalFile("refs/coat.png"),
        WebURL("https://example.com/h.png"),
        ShotOutput(Slot("2a", take=2)),
    )
