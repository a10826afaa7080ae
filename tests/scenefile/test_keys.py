"""Keys of the scene file: takes of their own words, variables, extra fields, presets, tags, `moved`, `--model`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiebatch.model import Line, fingerprint
from kiebatch.settings import settings
from support.scenes import HEAD, built, built_markdown, jobs, of_code


def test_a_take_with_its_own_words_leaves_the_other_takes_alone() -> None:
    before = jobs(HEAD + "scenes: [{id: 1, prompt: He waits, takes: 2}]\n")
    after = jobs(HEAD + "scenes: [{id: 1, prompt: He waits, takes: [~, ~, {prompt: He turns away}]}]\n")

    assert [job.prompt for job in after.values()] == ["He waits", "He waits", "He turns away"]
    assert {slot: after[slot] for slot in before} == before


def test_a_take_of_its_own_words_gets_the_style_and_the_character_too() -> None:
    found = jobs(
        HEAD + "styles: {wet: wet film}\nscenes: [{id: 1, prompt: a, style: wet, takes: [~, {prompt: b}]}]\n"
    )

    assert [job.prompt for job in found.values()] == ["a, wet film", "b, wet film"]


def test_an_empty_prompt_of_a_take_is_an_error_at_its_place() -> None:
    _, problems = built(HEAD + 'scenes:\n  - {id: 1, prompt: a, takes: [~, {prompt: ""}]}\n')

    assert [str(p.where) for p in of_code(problems, "empty-prompt")] == ["s.yaml:4:44"]


def test_a_list_of_takes_on_a_scene_with_shots_is_an_error() -> None:
    _, problems = built(HEAD + "scenes: [{id: 1, takes: [~, ~], shots: [{id: a, prompt: x}]}]\n")

    assert "belongs on a shot" in problems[0].message


def test_markdown_says_the_words_of_one_take() -> None:
    project, problems = built_markdown(
        """\
        ## Scene 1
        > He waits

        - **Model**: nano-banana-2
        - **Takes**: 2
        - **Take 3 prompt**: He turns away
        """
    )

    assert problems == []
    assert [job.prompt for job in project.jobs] == ["He waits", "He waits", "He turns away"]


def test_variables_stand_in_prompts_styles_and_characters() -> None:
    text = (
        HEAD
        + """\
vars: {light: blue hour, year: 1950}
styles: {look: "{light}, grain"}
characters: {ann: "Ann in {year}"}
scenes: [{id: 1, prompt: "{ann} at {light}", style: look}]
"""
    )

    assert jobs(text)["1"].prompt == "Ann in 1950 at blue hour, blue hour, grain"
    assert jobs(text, variables={"light": "noon"})["1"].prompt == "Ann in 1950 at noon, noon, grain"


def test_a_variable_of_the_command_line_needs_no_line_in_the_file() -> None:
    assert (
        jobs(HEAD + 'scenes: [{id: 1, prompt: "at {light}"}]\n', variables={"light": "noon"})["1"].prompt
        == "at noon"
    )


def test_an_extra_field_is_sent_counts_in_the_fingerprint_and_makes_the_price_unknown() -> None:
    plain = jobs(HEAD + "scenes: [{id: 1, prompt: x}]\n")["1"]
    project, problems = built(HEAD + "scenes: [{id: 1, prompt: x, extra_params: {new_field: 3}}]\n")
    job = project.jobs[0]

    assert job.input["new_field"] == 3
    assert job.authored == {**plain.authored, "new_field": 3}
    assert fingerprint(job, str) != fingerprint(plain, str)
    assert job.price.kind == "unknown"
    assert [p.severity for p in of_code(problems, "extra-params")] == ["warning"]


@pytest.mark.parametrize("field", ["aspect_ratio", "callBackUrl"])
def test_a_known_field_or_a_callback_address_is_refused_among_the_extra_fields(field: str) -> None:
    _, problems = built(HEAD + f"scenes: [{{id: 1, prompt: x, extra_params: {{{field}: y}}}}]\n")

    assert [p.severity for p in of_code(problems, "extra-params")] == ["error"]


def test_preset_enhance_and_tags_are_carried_and_change_no_fingerprint() -> None:
    plain = jobs(HEAD + "scenes: [{id: 1, shots: [{id: a, prompt: x}]}]\n")["1a"]
    found = jobs(
        HEAD
        + "tags: film\nscenes: [{id: 1, preset: cine, tags: [night], shots: [{id: a, prompt: x, enhance: ask, tags: [b]}]}]\n"
    )["1a"]

    assert (found.preset, found.enhance, found.tags) == ("cine", "ask", ("film", "night", "b"))
    assert fingerprint(found, str) == fingerprint(plain, str)


def test_dialogue_is_read_line_by_line_and_never_sent() -> None:
    project, _ = built(
        HEAD
        + """\
scenes:
  - id: 1
    prompt: a door
    lens: 35 mm
    dialogue: |
      ANN: Who is there?
      Nobody answers.
      BEN: Me.
  - {id: 2, prompt: a hall, dialogue: [{speaker: ANN, line: Come in.}]}
"""
    )

    first, second = project.scenes
    assert first.lines == (Line("ANN", "Who is there? Nobody answers."), Line("BEN", "Me."))
    assert second.lines == (Line("ANN", "Come in."),)
    assert (first.lens, project.jobs[0].prompt) == ("35 mm", "a door")


def test_markdown_knows_the_words_of_film_people_in_their_languages() -> None:
    project, problems = built_markdown(
        """\
        ## Szene 1
        > Eine Tür

        - **Modell**: nano-banana-2
        - **Dialog (ANNA)**: "Wer ist da?"
        - **Drehort**: Hafen
        - **Tageszeit**: Nacht
        - **Einstellungsgröße**: Nahe
        - **Objektiv**: 85 mm
        """
    )

    scene = project.scenes[0]
    assert problems == []
    assert scene.lines == (Line("ANNA", "Wer ist da?"),)
    assert (scene.location, scene.time_of_day, scene.shot_size, scene.lens) == (
        "Hafen",
        "Nacht",
        "Nahe",
        "85 mm",
    )


def test_two_lines_of_dialogue_in_a_scene_are_both_kept() -> None:
    project, problems = built_markdown(
        "## Scene 1\n> a door\n\n**Model**: nano-banana-2\n\n**Dialogue**: ANN: Hello\n\n**Dialogue**: BEN: Go\n"
    )

    assert problems == []
    assert [line.speaker for line in project.scenes[0].lines] == ["ANN", "BEN"]


# --- moved ---------------------------------------------------------------------------------------------


def moved(lines: str, ids: str = "1, 2, 30") -> tuple[dict[str, str], list[str]]:
    scenes = ", ".join(f"{{id: {i}, prompt: p{i}}}" for i in ids.split(", "))
    project, problems = built(HEAD + f"moved: {lines}\nscenes: [{scenes}]\n")
    return dict(project.moved), [f"{p.severity}: {p.message}" for p in problems]


def test_all_lines_of_moved_apply_at_once_so_that_two_scenes_can_swap() -> None:
    assert moved("{1: 2, 2: 1}") == ({"1": "2", "2": "1"}, [])


def test_a_target_that_is_gone_is_followed_further() -> None:
    assert moved("{4: 20, 20: 30}") == ({"4": "30", "20": "30"}, [])
    assert moved('{"4b": 20, "20": 30}') == ({"4b": "30", "20": "30"}, [])


def test_a_target_that_leads_nowhere_names_the_nearest_shot() -> None:
    found, problems = moved("{4: 20, 20: 31}")

    assert found == {}
    assert problems == [
        "error: `moved` names `31` (through `20`), and there is no such shot",
        "error: `moved` names `31`, and there is no such shot",
    ]


def test_targets_that_lead_in_a_circle_are_refused() -> None:
    assert "in a circle" in moved("{4: 5, 5: 4}")[1][0]


def test_two_old_slots_cannot_both_go_on_in_one() -> None:
    assert moved("{8: 1, 9: 1}")[1] == [
        "warning: `moved` sends both `8` and `9` to `1`; only one line of versions can go on"
    ]


# --- models of the command line ------------------------------------------------------------------------


def test_a_model_of_the_command_line_serves_shots_that_name_none_and_overrides_nothing() -> None:
    text = "kiebatch: 1\nscenes: [{id: 1, prompt: x}, {id: 2, model: z-image, prompt: y}]\n"

    found = jobs(text, model="nano-banana-2")

    assert [job.model for job in found.values()] == ["nano-banana-2", "z-image"]


def test_models_of_the_command_line_go_by_what_a_shot_is() -> None:
    text = """\
        kiebatch: 1
        scenes:
          - {id: 1, prompt: x}
          - {id: 2, type: video, prompt: y}
          - {id: 3, prompt: z, voiceover: {text: Hello}}
        """
    options = {
        "video": "kling/v2-5-turbo-text-to-video-pro",
        "audio": "elevenlabs/text-to-speech-multilingual-v2",
    }

    found = jobs(text, model="nano-banana-2", models=options)

    assert [(slot, job.modality) for slot, job in found.items()] == [
        ("1", "image"),
        ("2", "video"),
        ("3", "image"),
        ("3.vo", "audio"),
    ]


def test_a_wrong_model_in_the_defaults_is_one_error_however_many_shots_there_are() -> None:
    _, problems = built(
        "kiebatch: 1\ndefaults: {model: nano-banan-99}\nscenes: [{id: 1, prompt: x}, {id: 2, prompt: y}]\n"
    )

    assert [p.code for p in problems] == ["unknown-model"]


# --- thresholds ----------------------------------------------------------------------------------------


def test_thresholds_of_the_file_are_credits_or_dollars() -> None:
    project, problems = built(
        HEAD
        + 'run: {warn_above: 10, confirm_above: "5$", reject_above: 20 $}\nscenes: [{id: 1, prompt: x}]\n'
    )
    chosen = settings({}, {}, project.run)

    assert problems == []
    assert (chosen.warn_above, chosen.confirm_above, chosen.reject_above) == (10, 1000, 4000)


def test_a_file_that_uses_none_of_these_keys_gives_jobs_without_them() -> None:
    job = jobs(HEAD + "scenes: [{id: 1, prompt: x}]\n")["1"]

    assert (job.extra_params, job.preset, job.enhance, job.tags) == ({}, "", "off", ())


def test_takes_of_the_same_words_differ_in_their_slot_and_their_seed_alone() -> None:
    plain = jobs(HEAD + "scenes: [{id: 1, prompt: x, takes: 2}]\n")
    seeded = jobs(
        "kiebatch: 1\nscenes: [{id: 1, model: ideogram/v3-text-to-image, prompt: x, takes: 2, seed: 5}]\n"
    )

    assert plain["1#2"] == replace(plain["1"], slot=plain["1#2"].slot)
    assert [job.input["seed"] for job in seeded.values()] == [5, 6]
