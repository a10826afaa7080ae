"""A document becomes a project; every problem of a file is said at once, at its place."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from kiebatch import catalogue
from kiebatch.errors import Invalid, Problem
from kiebatch.model import Job, LocalFile, Project, ShotOutput, Slot
from kiebatch.scenefile import build as scenes
from kiebatch.scenefile import document

CATALOGUE = catalogue.load()


def build(text: str, **options: Any) -> tuple[Project, list[Problem]]:
    read = document.read(dedent(text), "s.yaml")
    return scenes.build(read, CATALOGUE, scenes.Options(**options))


def project(text: str, **options: Any) -> Project:
    found, problems = build(text, **options)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return found


def errors(text: str) -> list[str]:
    return [str(p).splitlines()[0] for p in build(text)[1] if p.severity == "error"]


def warnings(text: str, **options: Any) -> list[Problem]:
    return [p for p in build(text, **options)[1] if p.severity == "warning"]


def jobs(text: str) -> dict[str, Job]:
    return {str(job.slot): job for job in project(text).jobs}


HEAD = "kiebatch: 1\ndefaults: {model: nano-banana-2}\n"


def test_a_scene_with_a_prompt_is_one_shot_without_a_letter() -> None:
    found = jobs(HEAD + "scenes:\n  - {id: 1, prompt: a boat}\n")

    assert list(found) == ["1"]
    assert found["1"].slot == Slot(1)
    assert found["1"].prompt == "a boat"


def test_slots_are_written_as_film_people_write_them() -> None:
    found = jobs(
        HEAD
        + """\
scenes:
  - id: 2
    shots: [{id: b, prompt: x, takes: 2}, {id: 1, prompt: x}, {id: wide, prompt: x}]
    voiceover: {text: hello, model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
  - {id: 12A, shots: [{id: b, prompt: x}]}
  - {id: intro, shots: [{id: b, prompt: x}]}
"""
    )

    assert list(found) == ["2b", "2b#2", "2.1", "2.wide", "2.vo", "12A.b", "intro.b"]


def test_styles_follow_the_prompt_and_characters_stand_in_front() -> None:
    found = jobs(
        HEAD
        + """\
styles: {storm: "storm light, heavy grain"}
characters: {keeper: a grey-bearded keeper, girl: a girl of nine}
scenes:
  - {id: 1, prompt: He climbs, style: storm, characters: [keeper]}
  - {id: 2, prompt: "{girl} and {keeper} wait, {storm}", characters: [keeper]}
  - {id: 3, prompt: "a {{brace}}"}
"""
    )

    assert found["1"].prompt == "a grey-bearded keeper. He climbs, storm light, heavy grain"
    assert found["2"].prompt == "a girl of nine and a grey-bearded keeper wait, storm light, heavy grain"
    assert found["3"].prompt == "a {brace}"


def test_several_models_are_one_job_each_with_the_model_in_the_slot() -> None:
    found = jobs(HEAD + "scenes:\n  - {id: 4, model: [nano-banana-2, z-image], prompt: two by a stove}\n")

    assert list(found) == ["4@nano-banana-2", "4@z-image"]


def test_three_takes_of_every_still_are_not_three_readings_of_every_line() -> None:
    found = jobs(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2, takes: 3, style: grain, seed: 5}
        styles: {grain: heavy grain}
        scenes:
          - id: 1
            prompt: a boat
            voiceover: {text: No one came., model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
        """
    )

    assert list(found) == ["1", "1#2", "1#3", "1.vo"]
    assert found["1.vo"].prompt == "No one came."


def test_a_stable_seed_differs_between_takes_and_stays_the_same() -> None:
    text = "kiebatch: 1\nscenes:\n  - {id: 1, model: ideogram/v3-text-to-image, prompt: a boat, takes: 2, seed: stable}\n"
    first, second = jobs(text), jobs(text)

    assert first["1"].input["seed"] == second["1"].input["seed"]
    assert first["1"].input["seed"] != first["1#2"].input["seed"]


def test_the_length_of_a_clip_comes_from_the_shot_and_is_said() -> None:
    found = jobs(
        """\
        kiebatch: 1
        scenes:
          - id: 1
            duration: 30
            shots:
              - {id: a, duration: 7, model: kling/v2-5-turbo-text-to-video-pro, prompt: a boat sails}
        """
    )

    assert found["1a"].input["duration"] == "10"
    assert "duration" in found["1a"].defaulted


def test_another_shot_is_named_by_its_slot_and_a_clip_gives_its_last_frame() -> None:
    found = jobs(
        HEAD
        + """\
scenes:
  - id: 2
    shots:
      - {id: a, prompt: a still, takes: 3}
      - id: b
        model: kling/v2-5-turbo-image-to-video-pro
        prompt: he turns
        start_frame: {shot: 2a, take: 2}
      - id: c
        model: kling/v2-5-turbo-image-to-video-pro
        prompt: he runs
        start_frame: {shot: 2b}
"""
    )

    assert [m.ref for m in found["2b"].media] == [ShotOutput(Slot(2, "a", None, 2))]
    assert [m.ref for m in found["2c"].media] == [ShotOutput(Slot(2, "b"), frame="last")]
    assert found["2c"].needs == (Slot(2, "b"),)


def test_without_a_pick_take_one_is_used_with_a_warning_and_a_pick_is_followed() -> None:
    text = (
        HEAD
        + """\
scenes:
  - {id: 1, prompt: a still, takes: 3}
  - {id: 2, model: kling/v2-5-turbo-image-to-video-pro, prompt: he turns, start_frame: {shot: 1}}
"""
    )

    assert [w.code for w in warnings(text)] == ["no-pick"]
    found, problems = build(text, picked=lambda shot: 3 if shot == "1" else None)
    assert not problems
    assert found.jobs[-1].needs == (Slot(1, None, None, 3),)


def test_characters_bring_their_pictures_along() -> None:
    found = jobs(
        HEAD
        + """\
characters: {keeper: {text: a keeper, references: [refs/keeper.png]}}
scenes: [{id: 1, prompt: "{keeper} waits"}]
"""
    )

    assert [m.ref for m in found["1"].media] == [LocalFile("refs/keeper.png")]


def test_all_problems_of_a_file_are_said_together_each_at_its_place() -> None:
    found = errors(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2, parms: {}}
        scenes:
          - id: 1
            prompt: a boat
            duration: five
          - id: 1
            prompt: again
          - id: 3
            promt: a cat
          - {id: 4, prompt: ""}
          - {id: 5, prompt: "{nobody} waits"}
          - {id: 6, prompt: x, model: nano-banana-99}
          - {id: 7, prompt: x, params: {aspect_ratio: "17:9"}}
          - {id: 8, prompt: x, references: {shot: 99}}
        """
    )

    places = [line.split(": ")[0] for line in found]
    assert places == [
        "s.yaml:2:34",
        "s.yaml:6:15",
        "s.yaml:7:9",
        "s.yaml:10:5",
        "s.yaml:11:21",
        "s.yaml:12:21",
        "s.yaml:13:31",
        "s.yaml:14:47",
        "s.yaml:15:43",
    ]


def test_a_misspelling_names_the_nearest_right_word() -> None:
    _, problems = build("kiebatch: 1\nscenes:\n  - {id: 1, promt: a cat}\n")

    assert problems[0].hint == "did you mean `prompt`?"


@pytest.mark.parametrize(
    "text",
    ["just text", "[]", "scenes: []\n", "- id: scene.movie\n  name: Movie\n"],
)
def test_a_file_of_another_program_is_refused_in_one_friendly_sentence(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        build(text)

    assert "not a kiebatch scene file" in str(caught.value)
    assert "kiebatch: 1" in str(caught.value)


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(Invalid, match="update kiebatch"):
        build("kiebatch: 2\nscenes: []\n")


def test_circles_are_refused_at_their_place() -> None:
    found = errors(
        HEAD
        + """\
scenes:
  - {id: 1, prompt: x, references: {shot: 2}}
  - {id: 2, prompt: x, references: {shot: 3}}
  - {id: 3, prompt: x, references: {shot: 1}}
"""
    )

    assert len(found) == 1
    assert "start from one another in a circle: 1 -> 2 -> 3 -> 1" in found[0]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{shot: 1, take: 4}", "has 2 takes, and take 4"),
        ('{shot: "1#0"}', "has 2 takes, and take 0"),
        ('{shot: "1#second"}', "a take is a number, found `second`"),
        ("{shot: 2, output: 1}", "cannot start from itself"),
        ("{shot: 3}", "makes nothing"),
        ("{shot: 4}", "is skipped"),
        ("http://192.168.0.7/x.png", "inside your own network"),
        ("http://localhost/x.png", "inside your own network"),
        ("ftp://example.com/x.png", "only http and https"),
    ],
)
def test_bad_references_are_refused_in_plain_words(reference: str, said: str) -> None:
    found = errors(
        HEAD
        + f"""\
scenes:
  - {{id: 1, prompt: x, takes: 2}}
  - {{id: 2, prompt: x, references: {reference if reference.startswith("{") else repr(reference)}}}
  - {{id: 3, title: a card}}
  - {{id: 4, prompt: x, skip: later}}
"""
    )

    assert len(found) == 1
    assert said in found[0]


def test_slots_that_differ_in_case_alone_are_an_error() -> None:
    found = errors(HEAD + "scenes:\n  - {id: 2b, prompt: x}\n  - {id: 2, shots: [{id: B, prompt: x}]}\n")

    assert len(found) == 1
    assert "read alike" in found[0]


def test_a_warning_can_be_silenced_where_it_arises() -> None:
    text = (
        HEAD
        + """\
scenes:
  - {id: 1, prompt: a still, takes: 3}
  - {id: 2, prompt: more, references: {shot: 1}, ignore_warnings: [no-pick]}
"""
    )

    assert warnings(text) == []


def test_the_authors_file_name_stays_inside_the_assets_folder() -> None:
    assert scenes.output_stem("public/assets/images/scene-01.png", "public/assets") == "images/scene-01"
    assert scenes.output_stem("assets/images/a b.png", "assets") == "images/a-b"
    assert scenes.output_stem("hero", "assets") == "hero"
    assert scenes.output_stem("../x.png", "assets") is None
    assert scenes.output_stem("/etc/x", "assets") is None


def test_comments_order_and_board_keys_change_no_fingerprint() -> None:
    from kiebatch.model import fingerprint

    first = jobs(
        HEAD + "scenes:\n  - {id: 1, prompt: a boat, params: {aspect_ratio: '16:9', resolution: 1K}}\n"
    )
    second = jobs(
        """\
        # a comment
        kiebatch: 1
        scenes:
          - prompt: "  a boat  "
            id: 1
            camera: push in
            notes: nicer
            params: {resolution: 1K, aspect_ratio: 16:9}
            model: nano-banana-2
        """
    )

    assert fingerprint(first["1"], str) == fingerprint(second["1"], str)
