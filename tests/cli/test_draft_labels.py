"""What a draft's panels are called."""

from __future__ import annotations

from pathlib import Path

from kiebatch.cli.draft_labels import labels
from support import made_film

SCENES = """\
kiebatch: 1
defaults: {model: nano-banana-2, style: film}
styles: {film: 35 mm film grain and street lamps}
characters: {keeper: {text: a bearded old man}}
scenes:
  - id: 1
    camera: slow push-in
    takes: 3
    prompt: "{keeper} waits"
  - {id: 2, prompt: A boat}
"""


def test_a_take_that_is_made_alone_keeps_its_number(tmp_path: Path) -> None:
    project = made_film.make(tmp_path / "film", SCENES).project
    second = project.jobs[1]

    assert labels(project, [second]) == {
        "a bearded old man waits, 35 mm film grain and street lamps": [
            "1#2, slow push-in\na bearded old man waits"
        ]
    }


def test_without_a_run_a_label_names_no_take(tmp_path: Path) -> None:
    project = made_film.make(tmp_path / "film", SCENES).project

    assert list(labels(project).values()) == [["1, slow push-in\na bearded old man waits"], ["2\nA boat"]]
