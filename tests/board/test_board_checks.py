"""The board says what is not as expected, by today's file, from what the manifest keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiebatch.board import publish
from support import made_film

UNMET = "Not as expected: size: 192x108; expected 1:1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = made_film.SCENES.replace(
        "prompt: A small boat", 'expect: {size: "1:1", like: 2a}\n    prompt: A small boat'
    )
    made_film.make(tmp_path / "film", text)
    return tmp_path / "film"


def page(folder: Path) -> str:
    target = folder / "board.html"
    publish.write(made_film.open_(folder), target)
    return target.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_what_is_unmet_stands_beside_the_picture_and_has_a_filter(folder: Path) -> None:
    text = page(folder)

    assert f'<p class="say unmet">{UNMET}</p>' in text
    assert 'data-filter="unmet"' in text
    assert "like: not judged: the next run measures it" in text


@pytest.mark.needs("ffmpeg")
def test_a_changed_expectation_is_judged_when_the_page_is_written(folder: Path) -> None:
    scenes = folder / "scenes.yaml"
    scenes.write_text(scenes.read_text(encoding="utf-8").replace('"1:1"', '"16:9"'), encoding="utf-8")

    text = page(folder)

    assert "Not as expected" not in text.partition("<script>")[0]
    assert 'data-filter="unmet"' not in text


@pytest.mark.needs("ffmpeg")
def test_words_that_a_command_printed_are_shown_as_words(folder: Path) -> None:
    manifest = folder / "assets" / "manifest.json"
    document = json.loads(manifest.read_text(encoding="utf-8"))
    words = "<img src=x onerror=alert(1)>"
    document["assets"][0]["checks"] = {
        "command": {"verdict": "unmet", "value": 1, "said": words, "against": "./check.sh {file}"}
    }
    manifest.write_text(json.dumps(document), encoding="utf-8")
    scenes = folder / "scenes.yaml"
    text = scenes.read_text(encoding="utf-8").replace("like: 2a", "command: './check.sh {file}'")
    scenes.write_text(text, encoding="utf-8")

    assert "onerror" in page(folder)
    assert words not in page(folder)
