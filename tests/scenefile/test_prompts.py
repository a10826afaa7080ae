"""What is sent as a prompt: JSON as it is, braces that open no name, and placeholders that nothing filled are named."""

from __future__ import annotations

import pytest

from kiebatch import catalogue
from kiebatch.scenefile.placeholders import unfilled
from support.scenes import HEAD, built, jobs, of_code

JSON_PROMPT = '{"subject": "a ferry", "camera": {"lens": "35mm", "move": "push in"}}'


def one(prompt: str, more: str = "", top: str = "") -> str:
    quoted = "'" + prompt.replace("'", "''") + "'"
    return f"{HEAD}{top}scenes:\n  - {{id: 1, {more}prompt: {quoted}}}\n"


# --- JSON ----------------------------------------------------------------------------------------------


def test_a_prompt_that_is_a_json_object_is_sent_as_it_is() -> None:
    assert jobs(one(JSON_PROMPT))["1"].prompt == JSON_PROMPT


def test_what_would_have_been_put_around_it_is_one_warning() -> None:
    top = "styles: {wet: wet film}\ncharacters: {mate: a tall mate}\n"
    project, problems = built(one(JSON_PROMPT, "style: wet, characters: [mate], ", top))

    (warning,) = of_code(problems, "json-prompt")
    assert project.jobs[0].prompt == JSON_PROMPT
    assert "the style `wet` and the words of `mate` cannot be added" in warning.message


def test_the_pictures_of_its_characters_go_along() -> None:
    top = "characters: {mate: {references: [refs/mate.png]}}\n"

    assert len(jobs(one(JSON_PROMPT, "characters: [mate], ", top))["1"].media) == 1


def test_a_negative_prompt_is_not_folded_into_it() -> None:
    project, problems = built(one(JSON_PROMPT, "negative_prompt: fog, "), fold_negative=True)

    assert project.jobs[0].input["prompt"] == JSON_PROMPT
    assert "the negative prompt cannot be added" in of_code(problems, "json-prompt")[0].message


def test_a_prompt_that_is_nearly_json_is_a_warning_that_says_why() -> None:
    _, problems = built(one('{"subject": "a ferry",}'))

    (warning,) = of_code(problems, "json-prompt")
    assert "looks like JSON, and is not" in warning.message


def test_no_lint_reads_json_as_prose() -> None:
    assert built(one(JSON_PROMPT), lint=True)[1] == []


# --- braces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("{2} of {3}", "{2} of {3}"),
        ("{}", "{}"),
        ('say {"a"', 'say {"a"'),
        ("a {{brace}}", "a {brace}"),
        ("a { b", "a { b"),
        ('{"a": {"b": 1}} and more', '{"a": {"b": 1}} and more'),
    ],
)
def test_a_brace_that_opens_no_name_is_a_brace(written: str, sent: str) -> None:
    assert jobs(one(written))["1"].prompt == sent


def test_all_unknown_names_are_reported_at_once() -> None:
    _, problems = built(one("{ann} and {ben} and {ann2}"))

    assert len(of_code(problems, "unknown-name")) == 3


# --- placeholders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "placeholder",
    [
        "{{subject}}",
        "{{ $json.light }}",
        "[STYLE FOUNDATION]",
        "[insert subject]",
        "[character_name]",
        "<hero>",
        "${mood}",
        "%NAME%",
        "__COLOUR__",
        "{main subject}",
    ],
)
def test_a_placeholder_that_nothing_fills_is_named_with_the_ways(placeholder: str) -> None:
    _, problems = built(one(f"a boat, {placeholder}, at dusk"))

    (warning,) = of_code(problems, "placeholder")
    assert f"`{placeholder}`" in warning.message
    assert "--var" in warning.hint


@pytest.mark.parametrize(
    "text",
    [
        "[wide shot] a boat",
        "a sign that says <b>OPEN</b>",
        "100% wool",
        "a [link](x.png)",
        "snake_case and __init__.py",
        "me@example.com",
        "5 < 6 > 4",
        "[0:00-0:02] a boat",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert unfilled(text, (), ()) == []


def test_a_form_that_the_models_notes_name_is_no_placeholder() -> None:
    notes = ("Name pictures as [Image 1], people as <hero> or @image1.",)

    assert unfilled("[Image 2] beside <hero> and @image3", (), notes) == []


def test_a_model_that_takes_names_behind_an_at_may_have_them() -> None:
    assert unfilled("@mate waits", {"mate"}, ("Call people @name.",)) == []
    assert [u.name for u in unfilled("@mate waits", {"mate"}, ())] == ["mate"]


def test_a_known_name_in_other_brackets_is_told_to_be_in_braces() -> None:
    _, problems = built(one("@mate waits", top="characters: {mate: a tall mate}\n"))

    (warning,) = of_code(problems, "placeholder")
    assert warning.hint == "write `{mate}`"


def test_forms_of_voices_and_music_are_no_placeholders() -> None:
    text = "kiebatch: 1\nscenes:\n  - id: 1\n    voiceover: {text: '[WHISPERS] Who is there?', model: elevenlabs/text-to-dialogue-v3}\n"
    if catalogue.load().get("elevenlabs/text-to-dialogue-v3") is None:
        text = text.replace("elevenlabs/text-to-dialogue-v3", "elevenlabs/text-to-speech-multilingual-v2")

    assert of_code(built(text)[1], "placeholder") == []


# --- comments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("    prompt: neon in #00ffcc, rain", 21),
        ("    negative_prompt: fog #and rain", 26),
        ("    style: wet film #5219", 21),
        ("    voiceover: Who #is there?", 20),
    ],
)
def test_a_text_that_yaml_cuts_is_a_warning_at_the_hash(line: str, column: int) -> None:
    _, problems = built(f"{HEAD}scenes:\n  - id: 1\n{line}\n    model: nano-banana-2\n")

    assert [(p.where.line, p.where.column) for p in of_code(problems, "cut-text")] == [(5, column)]


@pytest.mark.parametrize("line", ['prompt: "a boat" # soon', "title: a boat # soon", "takes: 2 # soon"])
def test_a_comment_behind_anything_else_is_a_comment(line: str) -> None:
    assert of_code(built(f"{HEAD}scenes:\n  - id: 1\n    {line}\n")[1], "cut-text") == []


def test_the_warning_can_be_left_out() -> None:
    text = f"{HEAD}scenes:\n  - id: 1\n    prompt: a boat #5\n    ignore_warnings: [cut-text]\n"

    assert of_code(built(text)[1], "cut-text") == []
