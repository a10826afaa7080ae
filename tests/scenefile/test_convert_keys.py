"""Every key of the scene file survives the way to Markdown and back."""

from __future__ import annotations

from kiebatch.scenefile import convert, document, markdown
from support.scenes import HEAD, built, scenes

SCENES = (
    HEAD
    + """\
vars: {hour: dusk}
tags: [film]
scenes:
  - id: 1
    title: The door
    prompt: "A door at {hour}"
    dialogue: "ANN: Who is there?\\nBEN: Me."
    action: She turns
    location: A hall
    time_of_day: night
    shot_size: close-up
    lens: 85 mm
    preset: cine
    enhance: ask
    tags: [night, b]
    extra_params: {new_field: 3, other: [1, {deep: "true"}]}
    takes: [~, {prompt: "The door opens"}, ~]
    ignore_warnings: [extra-params]
  - id: 2
    shots:
      - {id: a, prompt: A quay, tags: [c], lens: 35 mm}
    voiceover:
      text: No one came.
      model: elevenlabs/text-to-speech-multilingual-v2
      voice: Rachel
      takes: [~, {prompt: Nobody came.}]
      tags: [voice]
"""
)


def test_every_key_survives_the_way_to_markdown_and_back() -> None:
    first = document.read(SCENES, "scenes.yaml")

    again, problems = markdown.read(convert.to_markdown(first), "SCENES.md")

    assert problems == []
    assert again.value == first.value
    ours, theirs = (built(convert.to_yaml(d))[0].jobs for d in (first, again))
    assert ours == theirs
    assert [job.prompt for job in ours] == [
        *("A door at dusk", "The door opens", "A door at dusk"),
        *("A quay", "No one came.", "Nobody came."),
    ]


def test_dialogue_as_a_list_becomes_its_lines() -> None:
    text = HEAD + "scenes: [{id: 1, prompt: x, dialogue: [{speaker: ANN, line: Hello}, {line: Hm}]}]\n"

    again, _ = markdown.read(convert.to_markdown(document.read(text, "x")), "x.md")

    assert scenes(again)[0]["dialogue"] == "ANN: Hello\nHm"
