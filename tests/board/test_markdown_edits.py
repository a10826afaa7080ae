"""The review edits a Markdown scene file in whatever shape it is written, and changes nothing else in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiebatch import api
from kiebatch.board import edits
from kiebatch.board.sources import CannotEdit, Changed, Source
from kiebatch.model import Slot

HEAD = "---\ndefaults: {model: nano-banana-2}\n---\n# The Lighthouse\n\nA note for people.  \n\n"
REST = "\n## Scene 9: The end\n\n> The light goes out.\n\n<!-- a comment stays -->\n"

SHAPES = {
    "a field": "## Scene 1: Arrival\n- **Duration**: 5s\n- **Prompt**: A boat nears the light\n- **Notes**: wide\n",
    "a field in quotes": '## Scene 1\n- **Prompt**: "A boat nears the light"   \n- **Camera**: pan\n',
    "a field in typographic quotes": "## Scene 1\n- **Prompt**: “A boat nears the light”\n",
    "a field over two lines": "## Scene 1\n- **Prompt**: A boat\n  nears the light\n- **Camera**: pan\n",
    "a plain key": "## Scene 1\nPrompt: A boat nears the light\nCamera: pan\n",
    "a visual": "## Scene 1\n- **Visual**: A boat nears the light\n- **Voiceover**: “No one came.”\n",
    "a quote": "## Scene 1\n\n> A boat nears\n> the light\n\n- **Camera**: pan\n",
    "a fence": "## Scene 1\n\n```prompt\nA boat nears the light\n```\n\nSome prose.\n",
    "a fence below its key": "## Scene 1\n\nPrompt:\n\n```\nA boat nears the light\n```\n",
    "a table": "## Scene 1\n\n| # | Prompt | Camera |\n|---|---|---|\n| a | A boat nears the light | pan |\n| b | The stairs | tilt |\n",
    "a shot of a scene": "## Scene 1\n\n### Shot a: climbing\n> A boat nears the light\n\n- Takes: 2\n\n### Shot b\n> Rain\n",
    "windows line ends": "## Scene 1\r\n- **Prompt**: A boat nears the light\r\n- **Camera**: pan\r\n",
}
WORDS = {
    "plain words": "A small boat comes home at dawn",
    "signs that mean something": 'He says: "look" | *up* at <the> [light] #1 _now_ ~ 5 & > 3',
    "two paragraphs": "First this.\n\nThen that.",
    "lines": "line one\nline two",
    "other scripts": "灯台に小さな船 — « naïve » 🛥",
}


def source(folder: Path, body: str) -> Source:
    head, rest = (text.replace("\n", "\r\n") if "\r\n" in body else text for text in (HEAD, REST))
    (folder / "SCENES.md").write_bytes((head + body + rest).encode())
    return Source(api.load(folder / "SCENES.md"))


def slot(folder: Path) -> Slot:
    return api.load(folder / "SCENES.md").project.jobs[0].slot


def check_nothing_else(changed: Changed, body: str) -> None:
    """The lines before and after the scene stay to the byte."""
    after = changed.edit.after.replace("\r\n", "\n")
    assert after.startswith(HEAD)
    assert after.endswith(REST)
    for line in body.replace("\r\n", "\n").split("\n"):
        if line and not any(word in line for word in ("boat", "nears", "light", "Prompt", "Takes")):
            assert line in after
    assert ("\r\n" in changed.edit.after) == ("\r\n" in body)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_a_prompt_is_changed_in_the_shape_that_it_has(tmp_path: Path, body: str, words: str) -> None:
    film = source(tmp_path, body)
    if "|" in body and "\n" in words:
        with pytest.raises(CannotEdit, match="cannot be edited"):
            film.with_prompt(slot(tmp_path), words)
        return

    changed = film.with_prompt(slot(tmp_path), words)

    first = slot(tmp_path)
    assert edits.prompt_of(changed.reading[0].value, first.scene, first.shot) == words
    check_nothing_else(changed, body)


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_a_shot_gets_one_more_take(tmp_path: Path, body: str) -> None:
    film = source(tmp_path, body)
    before = len([j for j in api.load(tmp_path / "SCENES.md").project.jobs if j.slot.scene == 1])
    if "|" in body:
        with pytest.raises(CannotEdit):
            film.with_take(slot(tmp_path), 1)
        return

    changed = film.with_take(slot(tmp_path), 2 if "Takes" in body else 1)

    check_nothing_else(changed, body)
    (tmp_path / "SCENES.md").write_bytes(changed.edit.after.encode())
    assert len([j for j in api.load(tmp_path / "SCENES.md").project.jobs if j.slot.scene == 1]) == before + 1


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("body", [b for b in SHAPES.values() if "|" not in b])
def test_a_take_gets_words_of_its_own_and_the_others_keep_theirs(
    tmp_path: Path, body: str, words: str
) -> None:
    film = source(tmp_path, body)
    takes = 2 if "Takes" in body else 1
    old = {j.slot: j.prompt for j in api.load(tmp_path / "SCENES.md").project.jobs}

    changed = film.with_take(slot(tmp_path), takes, words)

    check_nothing_else(changed, body)
    (tmp_path / "SCENES.md").write_bytes(changed.edit.after.encode())
    now = {j.slot: j.prompt for j in api.load(tmp_path / "SCENES.md").project.jobs}
    new = Slot(slot(tmp_path).scene, slot(tmp_path).shot, None, takes + 1)
    assert now.pop(new) == words
    assert now == old


def test_two_files_of_one_film_are_edited_where_the_words_are(tmp_path: Path) -> None:
    (tmp_path / "SCENES.md").write_text("## Scene 1: Arrival\n- **Camera**: pan\n")
    plan = "## Scene 1\n### Visual\n- **Model**: nano-banana-2\n- **Prompt**: A boat\n"
    (tmp_path / "ASSET-PLAN.md").write_text(plan)

    changed = Source(api.load(tmp_path / "SCENES.md")).with_prompt(Slot(1, None), "A ship")

    assert changed.edit.path.name == "ASSET-PLAN.md"
    assert changed.edit.after == plan.replace("A boat", "A ship")
