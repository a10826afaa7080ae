"""Editing a scene file from the review: one value changes, every comment and blank line stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.board import edits
from kiebatch.errors import Invalid
from kiebatch.scenefile import document

FILM = """\
# Our film.
kiebatch: 1
styles: {storm: storm light}
scenes:
  - id: 1   # the arrival
    prompt: A boat, {storm}   # not too dark
    voiceover: {text: "No one had come.", model: x}

  - id: 2
    shots:
      # low angle first
      - id: a
        takes: 2   # at least
        prompt: "{keeper} climbs: slowly"
      - {id: b, prompt: He listens}
      - id: c
        prompt: |
          He turns.

          The light goes out.

        # and then
        camera: close
      - id: d
        prompt: >-
          folded
          words
  - id: 3
    prompt: &same A ship
    voiceover: Nobody
  - id: 4
    prompt: *same
"""


def changed(scene: object, shot: object, prompt: str) -> list[tuple[str, str]]:
    new = edits.with_prompt(FILM, "f.yaml", scene, shot, prompt)  # type: ignore[arg-type]
    lines = edits.diff(FILM, new, "f.yaml").split("\n")
    return [(line[0], line[1:].strip()) for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("scene", "shot", "prompt", "expected"),
    [
        (1, None, "A ship", [("-", "prompt: A boat, {storm}   # not too dark"), ("+", "prompt: A ship   # not too dark")]),
        (
            1,
            None,
            "{storm}: a boat",
            [("-", "prompt: A boat, {storm}   # not too dark"), ("+", 'prompt: "{storm}: a boat"   # not too dark')],
        ),
        (2, "a", 'He says "no"', [("-", 'prompt: "{keeper} climbs: slowly"'), ("+", 'prompt: "He says \\"no\\""')]),
        (2, "b", "He waits", [("-", "- {id: b, prompt: He listens}"), ("+", "- {id: b, prompt: He waits}")]),
        (2, "b", "He waits, then", [("-", "- {id: b, prompt: He listens}"), ("+", '- {id: b, prompt: "He waits, then"}')]),
        (2, "c", "He runs.\n\nThe light goes out.\n", [("-", "He turns."), ("+", "He runs.")]),
        (1, "vo", "Come.", [("-", 'voiceover: {text: "No one had come.", model: x}'), ("+", 'voiceover: {text: "Come.", model: x}')]),
        (3, "vo", "Somebody", [("-", "voiceover: Nobody"), ("+", "voiceover: Somebody")]),
    ],
)  # fmt: skip
def test_only_the_prompt_changes(
    scene: object, shot: object, prompt: str, expected: list[tuple[str, str]]
) -> None:
    assert changed(scene, shot, prompt) == expected


def test_the_prompt_is_read_as_it_was_written() -> None:
    value = document.read(FILM, "f.yaml").value

    assert edits.prompt_of(value, 1, None) == "A boat, {storm}"
    assert edits.prompt_of(value, 2, "d") == "folded words"
    assert edits.prompt_of(value, 1, "vo") == "No one had come."


def test_a_number_of_takes_is_changed_or_added_and_comments_stay() -> None:
    more = edits.with_take(FILM, "f.yaml", 2, "a", 2)
    first = edits.with_take(FILM, "f.yaml", 1, None, 1)
    flow = edits.with_take(FILM, "f.yaml", 2, "b", 1)

    assert edits.diff(FILM, more, "").split("\n")[3:5] == [
        "-        takes: 2   # at least",
        "+        takes: 3   # at least",
    ]
    assert "  - id: 1   # the arrival\n    takes: 2\n    prompt: A boat" in first
    assert "- {id: b, takes: 2, prompt: He listens}" in flow


@pytest.mark.parametrize(
    "first", ["references: [a.png]", "references:\n    - a.png\n    - b.png", "params: {seed: 5}"]
)
def test_a_number_of_takes_comes_behind_a_first_key_that_is_no_text(first: str) -> None:
    film = f"scenes:\n- id: 1\n  shots:\n  - {first}\n    id: a\n    prompt: A boat\n"

    changed = edits.with_take(film, "f.yaml", 1, "a", 1)

    assert changed == film.replace("    id: a\n", "    takes: 2\n    id: a\n")


def test_a_value_that_others_share_is_not_touched() -> None:
    with pytest.raises(Invalid, match="without touching something else"):
        edits.with_prompt(FILM, "f.yaml", 4, None, "A boat")


def test_a_shot_that_is_not_there_is_said() -> None:
    with pytest.raises(Invalid, match="shot z of scene 2"):
        edits.with_prompt(FILM, "f.yaml", 2, "z", "A boat")


@pytest.mark.slow
@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), min_size=1),
    st.sampled_from([(1, None), (2, "a"), (2, "b"), (2, "c"), (2, "d"), (1, "vo"), (3, "vo")]),
)
def test_any_words_go_in_as_they_are_or_not_at_all(prompt: str, place: tuple[int, str | None]) -> None:
    try:
        new = edits.with_prompt(FILM, "f.yaml", *place, prompt)
    except Invalid:
        return
    assert edits.prompt_of(document.read(new, "f.yaml").value, *place) == prompt
    assert new.count("#") - prompt.count("#") == FILM.count("#")


@pytest.mark.parametrize(
    "prompt", ["no", "16:9", "a # b", "- x", "*x", "&x", "!x", "it's", "tab\there", "two\nlines", "ünï 漢字 🎬", "'", '"', "a: b", "%x"]
)  # fmt: skip
@pytest.mark.parametrize("place", [(1, None), (2, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "vo")])
def test_words_that_mean_something_in_yaml_stay_words(prompt: str, place: tuple[int, str | None]) -> None:
    new = edits.with_prompt(FILM, "f.yaml", *place, prompt)

    assert edits.prompt_of(document.read(new, "f.yaml").value, *place) == prompt


TAKES = """\
kiebatch: 1
scenes:
  - id: 1
    prompt: A boat   # the first
    takes: 2   # at least
  - id: 2
    prompt: He listens
    takes: [~, {prompt: He turns away}]   # two
  - id: 3
    prompt: A ship
    takes:
      - ~
      # the better one
      - prompt: A tall ship
    voiceover: No one had come.
"""


@pytest.mark.parametrize(
    ("scene", "takes", "line"),
    [
        (1, 2, '    takes: [~, ~, {prompt: "He waits: \\"now\\""}]   # at least\n'),
        (2, 2, '    takes: [~, {prompt: He turns away}, {prompt: "He waits: \\"now\\""}]   # two\n'),
        (3, 2, '      - prompt: A tall ship\n      - {prompt: "He waits: \\"now\\""}\n'),
    ],
)
def test_a_take_gets_words_of_its_own_and_everything_else_stays(scene: int, takes: int, line: str) -> None:
    changed = edits.with_take(TAKES, "f.yaml", scene, None, takes, 'He waits: "now"')

    assert line in changed
    found = document.read(changed, "f.yaml").value
    assert edits.prompt_of(found, scene, None, takes + 1) == 'He waits: "now"'
    assert edits.prompt_of(found, scene, None, 1) == edits.prompt_of(
        document.read(TAKES, "f.yaml").value, scene, None, 1
    )


def test_one_more_take_of_a_list_has_the_shots_own_words() -> None:
    assert "takes: [~, {prompt: He turns away}, ~]   # two" in edits.with_take(TAKES, "f.yaml", 2, None, 2)


def test_a_voice_that_is_plain_text_becomes_one_that_can_have_takes() -> None:
    changed = edits.with_take(TAKES, "f.yaml", 3, "vo", 1)

    assert 'voiceover: {text: "No one had come.", takes: 2}\n' in changed
