"""Numbers, addresses, paths, dates and tags that somebody else wrote: one problem at its place, never a bug of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiebatch import addresses
from kiebatch.errors import Invalid
from kiebatch.model import canonical_url, natural
from kiebatch.planning import saved
from kiebatch.scenefile import document, limits, numbers
from support.film import Film

BIG = "9" * 5000
HEAD = "kiebatch: 1\ndefaults: {model: nano-banana-2}\n"
YAML = [
    f"scenes: [{{id: {BIG}, prompt: a boat}}]",
    f"scenes: [{{id: 1, prompt: a boat, seed: {BIG}}}]",
    f"scenes: [{{id: 1, prompt: a boat, seed: -{BIG}}}]",
    f"scenes: [{{id: 1, prompt: a boat, seed: 0x{BIG}}}]",
    f"scenes: [{{id: 1, prompt: a boat, seed: 0o{'7' * 5000}}}]",
    f"scenes: [{{id: 1, prompt: a boat, params: {{seed: {BIG}}}}}]",
    "scenes: [{id: 1, prompt: a boat, params: {seed: 1e400}}]",
    "scenes: [{id: 1, prompt: a boat, params: {seed: -1e400}}]",
    f"scenes: [{{id: 1, prompt: a boat, duration: {BIG}}}]",
    "scenes: [{id: 1, prompt: a boat, duration: 1e400}]",
    f"scenes: [{{id: 1, prompt: a boat, takes: {BIG}}}]",
    f"scenes: [{{id: 1, prompt: a boat, model: {BIG}}}]",
    f"scenes: [{{id: 1, prompt: a boat, title: {BIG}}}]",
    f"scenes: [{{id: 1, prompt: a boat}}]\nrun: {{in_flight: {BIG}}}",
    f"scenes: [{{id: 1, prompt: a boat}}]\nrun: {{timeout: {BIG}}}",
    "scenes: [{id: 1, prompt: a boat}]\nrun: {max_credits: 1e400}",
    f"scenes: [{{id: 1, prompt: a boat}}]\nvars: {{x: {BIG}}}",
    "scenes: [{id: !!int abc, prompt: a boat}]",
    "scenes: [{id: 1, prompt: a boat, duration: !!float abc}]",
    "scenes: [{id: 1, prompt: a boat, seed: !!int '0x'}]",
    "scenes: [{id: 1, prompt: !!binary abc}]",
    "scenes: [{id: 1, prompt: !!timestamp 2026-13-45}]",
    "scenes: [{id: 1, prompt: !!python/object/apply:os.system [ls]}]",
    "scenes: [{id: 1, prompt: !<!x> a}]",
    'scenes: [{id: 1, prompt: "\\ud800"}]',
    "scenes: [{id: 1, prompt: a boat, references: [{shot: '1#" + "9" * 4400 + "'}]}]",
    'scenes: [{id: 1, prompt: a boat}]\nassets: "a\\0b"',
    f"scenes: [{{id: 1, prompt: a boat}}]\nassets: {'a' * 300}",
    f"scenes: [{{id: 1, prompt: a boat, output: {'a' * 300}}}]",
    "scenes: [{id: 1, prompt: a boat, output: ../../x}]",
    "scenes: [{id: 1, prompt: a boat, model: flux-2/image-to-image, references: ['https://[::1']}]",
    "scenes: [{id: 1, prompt: a boat, references: ['https://example.org:99999/x.png']}]",
    "scenes: [{id: 1, prompt: a boat, references: ['https://[v1.x]/x.png']}]",
    "scenes: " + "[" * 70 + "]" * 70,
    "scenes: &a [*a]",
    "x: &a [1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"y{n}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
    + "scenes: *j",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", YAML, ids=range(len(YAML)))
def test_a_value_that_cannot_be_converted_is_a_problem_at_its_place(film: Film, text: str) -> None:
    film.scene_file.write_text(HEAD + text + "\n", encoding="utf-8")

    said = film.command("validate", "scenes.yaml", "--json")

    errors = [problem for problem in said.json["problems"] if problem["severity"] == "error"]
    assert (said.code, said.json["status"]) == (2, "invalid"), said
    assert all(problem["line"] for problem in errors), errors


HONEST = [
    "scenes: [{id: 1, prompt: 'https://[::1 a boat'}]",
    "scenes: [{id: 1, prompt: a boat, title: 'http://[x', notes: 'https://x:y/', dialogue: '//['}]",
    "scenes: [{id: 20261127103055123, prompt: a boat}]",
    "scenes: [{id: 1, prompt: a boat, negative_prompt: 'https://[::1'}]",
]


@pytest.mark.parametrize("text", HONEST)
def test_words_are_words_whatever_they_look_like(film: Film, text: str) -> None:
    film.scene_file.write_text(HEAD + text + "\n", encoding="utf-8")

    assert film.command("validate", "scenes.yaml").code == 0
    assert film.command("plan", "scenes.yaml").code == 0


MARKDOWN = [
    f"## Scene {BIG}: One\n- **Prompt**: a boat\n",
    f"## Scene 1: One\n- **Prompt**: a boat\n- **Seed**: {BIG}\n",
    f"## Scene 1: One\n- **Prompt**: a boat\n- **Duration**: {BIG}\n",
    f"## Scene 1: One\n- **Prompt**: a boat\n- **Takes**: {BIG}\n",
    f"## Scene 1: One\n- **Take {BIG} prompt**: a boat\n",
    f"## Scene 1: One\n- **Prompt**: a boat\n- **Aspect ratio**: {BIG}:{BIG}\n",
    "## Scene 1: One\n- **Prompt**: a boat\n- **Duration**: 1e400\n",
    "## Scene 1: One\n- **Prompt**: https://[::1\n",
    "## Scene 1: One\n![a](https://[::1/x.png)\n- **Prompt**: a boat\n",
    f"## Scene 1: One\n- **Prompt**: a boat\n- **References**: {'a' * 300}.png\n",
    f"---\nkiebatch: {BIG}\n---\n## Scene 1: One\n- **Prompt**: a boat\n",
]


@pytest.mark.parametrize("text", MARKDOWN, ids=range(len(MARKDOWN)))
def test_markdown_has_the_same_guards(film: Film, text: str) -> None:
    (film.folder / "SCENES.md").write_text(
        text + "\n## Defaults\n- **Model**: nano-banana-2\n", encoding="utf-8"
    )

    said = film.command("validate", "SCENES.md", "--json")

    assert said.code in (0, 2), said
    assert "a bug in kiebatch" not in said.err


def plan_of(film: Film) -> dict[str, Any]:
    film.write(HEAD + "scenes: [{id: 1, prompt: a boat}]\n")
    assert film.command("plan", "scenes.yaml", "--out", "plan.json").code == 0
    found: dict[str, Any] = json.loads((film.folder / "plan.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_every_key_of_a_saved_plan_may_hold_anything(film: Film) -> None:
    plan = plan_of(film)
    values: list[Any] = [
        5,
        -1,
        1.5,
        None,
        True,
        "x",
        "",
        [],
        [5],
        [None],
        [[]],
        [{}],
        {},
        {"a": 5},
        [{"slot": 5}],
    ]

    for key in plan:
        for value in values:
            (film.folder / "edited.json").write_text(json.dumps({**plan, key: value}), encoding="utf-8")
            said = film.command("run", "scenes.yaml", "--plan", "edited.json")

            assert said.code in (2, 4), (key, value, said)
    assert film.sim.charges() == []


@pytest.mark.parametrize(
    "text", ["", "[]", "5", '"x"', "null", "{}", "{", "[" * 5000, '{"kiebatch-plan": 2}', "\0"]
)
def test_what_is_not_a_plan_says_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(text, encoding="utf-8")

    with pytest.raises(Invalid, match="not a plan"):
        saved.read_plan(tmp_path / "p.json")


@pytest.mark.parametrize("option", ["--state", "--assets", "--project", "--cache"])
@pytest.mark.parametrize("name", ["a" * 5000, "/".join(["a" * 200] * 40)])
def test_a_folder_with_a_name_that_none_can_have_is_bad_usage(film: Film, option: str, name: str) -> None:
    film.write(HEAD + "scenes: [{id: 1, prompt: a boat}]\n")

    said = film.command("run", "scenes.yaml", "--draft", option, name)

    assert said.code == 2, said
    assert "longer than a file name may be" in said.err


@pytest.mark.parametrize(
    "command", ["validate", "plan", "run", "status", "verify", "board", "convert", "log"]
)
def test_a_file_with_a_name_that_none_can_have_is_bad_usage(film: Film, command: str) -> None:
    assert film.command(command, "a" * 5000).code == 2


def test_a_link_in_a_circle_is_said(film: Film) -> None:
    (film.folder / "scenes.yaml").symlink_to("scenes.yaml")

    said = film.command("validate", "scenes.yaml")

    assert said.code == 2
    assert "scenes.yaml" in said.err


@pytest.mark.parametrize("text", ["+5", "-5", "0", "9" * 18])
def test_a_whole_number_is_read(text: str) -> None:
    assert numbers.whole(text) == int(text)


@pytest.mark.parametrize("text", ["", "+", "9" * 19, BIG, "1.5", "x", "1_0x", "٣x"])
def test_what_is_not_a_whole_number_is_none(text: str) -> None:
    assert numbers.whole(text) is None


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e400", "x", "."])
def test_what_is_not_a_finite_number_is_none(text: str) -> None:
    assert numbers.real(text) is None


def test_sorting_and_naming_take_any_text() -> None:
    assert natural(f"2{BIG}") > natural("10")
    assert natural("2") < natural("10") < natural("12A")
    assert canonical_url("https://[::1") == "https://[::1"
    assert addresses.split("https://[::1") is None


# --- sizes ---------------------------------------------------------------------------------------------


def test_a_file_over_32_mib_is_not_read(film: Film) -> None:
    with film.scene_file.open("wb") as stream:
        stream.truncate(33 * 2**20)

    said = film.command("validate", "scenes.yaml")

    assert (said.code, "it has more than 32 MiB" in said.err) == (2, True)


@pytest.mark.slow
def test_more_scenes_than_a_file_may_have_are_one_sentence() -> None:
    text = "kiebatch: 1\nscenes:\n" + "- {id: 1}\n" * (limits.MAX_SCENES + 1)

    with pytest.raises(Invalid, match="100,001 entries") as caught:
        document.read(text, "scenes.yaml")
    assert len(caught.value.problems) == 1


@pytest.mark.slow
def test_a_list_of_a_flow_is_counted_too() -> None:
    with pytest.raises(Invalid, match="entries"):
        document.read("kiebatch: 1\nscenes: [" + "1," * (limits.MAX_SCENES + 1) + "]", "scenes.yaml")


@pytest.mark.parametrize("letter", ["a", "é", "中", "🎬"])
def test_a_prompt_over_64_kib_is_a_problem_at_its_place(film: Film, letter: str) -> None:
    film.scene_file.write_text(
        HEAD + f"scenes:\n- id: 1\n  prompt: {letter * (limits.MAX_TEXT // len(letter.encode()) + 1)}\n",
        encoding="utf-8",
    )

    said = film.command("validate", "scenes.yaml", "--json")

    (problem,) = said.json["problems"]
    assert (said.code, problem["line"], problem["code"]) == (2, 5, "too-large")


def test_a_long_prompt_in_markdown_is_a_problem_too(film: Film) -> None:
    (film.folder / "SCENES.md").write_text(
        f"## Defaults\n- **Model**: nano-banana-2\n\n## Scene 1: One\n- **Prompt**: {'a b ' * 20_000}\n",
        encoding="utf-8",
    )

    said = film.command("validate", "SCENES.md", "--json")

    assert (said.code, said.json["problems"][0]["code"]) == (2, "too-large")
