"""Headings, labels, tables and lengths as writers put them; what nearly was a prompt is named with its line."""

from __future__ import annotations

from textwrap import dedent

import pytest

from kiebatch.errors import Problem
from kiebatch.scenefile import markdown
from kiebatch.scenefile.shape import FileValues
from support.scenes import built_markdown, of_code, scenes_of, shots_of, values

DEFAULTS = "## Defaults\n- **Model**: nano-banana-2\n\n"


def read(text: str) -> tuple[FileValues, list[Problem]]:
    document, problems = markdown.read(dedent(text), "SCENES.md")
    return values(document), problems


def prompts(text: str) -> dict[str, str]:
    """Return what a text has made, by slot; it may have warnings and no errors."""
    project, problems = built_markdown(DEFAULTS + "# Film\n\n" + dedent(text))
    assert [str(p) for p in problems if p.severity == "error"] == []
    return {str(job.slot): job.prompt for job in project.jobs}


def places(problems: list[Problem], code: str) -> list[str]:
    return [f"{p.where.line}:{p.where.column}" for p in of_code(problems, code)]


# --- headings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "scene"),
    [
        ("## 1. The kitchen", {"id": 1, "title": "The kitchen"}),
        ("## 12A) The yard", {"id": "12A", "title": "The yard"}),
        ("## SC 1 - The kitchen", {"id": 1, "title": "The kitchen"}),
        ("## Sc. 4: The kitchen", {"id": 4, "title": "The kitchen"}),
        ("### #3 — The lamp — 10s", {"id": 3, "title": "The lamp", "duration": 10}),
        ("## INT. KITCHEN - DAY", {"id": "int-kitchen-day", "title": "INT. KITCHEN - DAY"}),
        ("## EXT. CAFÉ - NUIT", {"id": "ext-cafe-nuit", "title": "EXT. CAFÉ - NUIT"}),
        ("## INT/EXT. CAR - DUSK", {"id": "int-ext-car-dusk", "title": "INT/EXT. CAR - DUSK"}),
        ("## 7. INT. KITCHEN - DAY", {"id": 7, "title": "INT. KITCHEN - DAY"}),
        ("## 7 INT. KITCHEN - DAY", {"id": 7, "title": "INT. KITCHEN - DAY"}),
    ],
)
def test_numbers_and_sluglines_open_scenes_where_no_heading_says_scene(
    heading: str, scene: dict[str, object]
) -> None:
    found, problems = read(f"# The film\n\n{heading}\n> Steam rises from a pot\n")

    assert problems == []
    assert found["scenes"] == [{**scene, "prompt": "Steam rises from a pot"}]


def test_they_open_none_beside_a_scene_heading_and_the_quote_below_is_named() -> None:
    found, problems = read("## Scene 1\n> A boat\n\n# 2. The yard\n> A dog\n")

    assert [s["id"] for s in scenes_of(found)] == [1]
    assert places(problems, "outside-scene") == ["4:1"]


def test_a_bare_quote_is_no_prompt_where_the_prompts_have_labels() -> None:
    text = """\
        ## 1. The kitchen
        **Prompt:** Steam rises from a pot

        ## 2. Feedback
        > Could the kitchen be warmer?
        """
    _, problems = read(text)

    assert prompts(text) == {"1": "Steam rises from a pot"}
    assert places(problems, "near-prompt") == ["5:1"]


def test_the_second_of_the_same_words_asks_for_a_number() -> None:
    _, problems = read("## INT. HALL - DAY\n> a\n\n## INT. HALL - DAY\n> b\n")

    assert [(str(p.where), p.hint) for p in problems] == [
        ("SCENES.md:4:1", "number it, as in `## 7. INT. HALL - DAY`")
    ]


def test_numbered_sections_are_sections() -> None:
    text = "## 1. Characters\n### ann\n> a tall woman\n\n## 2. The hall\n> {ann} waits\n"

    assert prompts(text) == {"2": "a tall woman waits"}


def test_a_heading_at_level_one_above_scenes_is_the_films_title() -> None:
    found, _ = read("# Scene 12 Productions\n\n## Characters\n### ann\n> Ann\n\n## Scene 1\n> {ann} waits\n")

    assert found["title"] == "Scene 12 Productions"
    assert list(found["characters"]) == ["ann"]
    assert [s["id"] for s in scenes_of(found)] == [1]


def test_a_scene_at_level_one_that_has_a_prompt_stays_a_scene() -> None:
    found, _ = read("# Scene 1\n> A boat\n\n## Scene 2\n> A quay\n")

    assert [s["id"] for s in scenes_of(found)] == [1, 2]


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("5-13s", 8),
        ("0:05-0:13", 8),
        ("5–13 s", 8),
        ("5s to 13s", 8),
        ("10s", 10),
        ("~4 sec", 4),
        ("1m30s", 90),
    ],
)
def test_a_length_reads_alike_wherever_it_is_written(written: str, length: int) -> None:
    in_brackets = read(f"## Scene 1: A ({written})\n> x\n")[0]
    behind_a_dash = read(f"## Scene 1: A — {written}\n> x\n")[0]
    as_a_field = read(f"## Scene 1: A\n> x\n\n- **Duration**: {written}\n")[0]
    in_a_column = read(f"| # | Time | Prompt |\n|---|---|---|\n| 1 | {written} | x |\n")[0]

    for found in (in_brackets, behind_a_dash, as_a_field, in_a_column):
        assert scenes_of(found)[0]["duration"] == length


@pytest.mark.parametrize("title", ["Studio 54", "Take 5", "Apollo - 13", "The last 10s"])
def test_a_number_in_a_title_is_no_length(title: str) -> None:
    (scene,) = scenes_of(read(f"## Scene 1: {title}\n> x\n")[0])

    assert (scene["title"], "duration" in scene) == (title, False)


# --- labels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Kling prompt", "video"),
        ("Kling 2.6 Pro prompt", "video"),
        ("Veo Prompt", "video"),
        ("Veo 3.1 prompt", "video"),
        ("Higgsfield prompt", "video"),
        ("Runway Gen-4 prompt", "video"),
        ("Midjourney prompt", "image"),
        ("MJ prompt", "image"),
        ("Nano Banana Prompt", "image"),
        ("Flux-Prompt", "image"),
        ("Kling prompt (v2)", "video"),
    ],
)
@pytest.mark.parametrize(
    "form", ["- **{}:** {}", "**{}:** {}", "- {}: {}", "**{}**\n\n> {}", "**{}:**\n\n```\n{}\n```"]
)
def test_a_label_that_names_a_tool_is_that_prompt(label: str, kind: str, form: str) -> None:
    if form == "**{}**\n\n> {}":
        form = "**{}:**\n\n> {}"
    found, problems = read("## Scene 1\n" + form.format(label, "Harbour lights in the rain"))

    assert [p for p in problems if p.severity == "error"] == []
    assert found["scenes"] == [{"id": 1, "type": kind, "prompt": "Harbour lights in the rain"}]


def test_a_picture_and_a_clip_by_their_tools_are_two_shots() -> None:
    found, _ = read("## Scene 1\n- **Midjourney prompt**: a boat\n- **Kling prompt**: it sinks\n")

    assert [(s["id"], s["prompt"]) for s in shots_of(scenes_of(found)[0])] == [
        ("image", "a boat"),
        ("video", "it sinks"),
    ]


def test_beside_a_prompt_that_0_1_read_a_tools_prompt_stays_a_note_and_is_named() -> None:
    text = "## Scene 1\n- **Prompt**: a boat\n- **Kling prompt**: it sinks\n"

    assert prompts(text) == {"1": "a boat"}
    assert places(read(text)[1], "near-prompt") == ["3:3"]


def test_the_one_model_of_the_file_serves_a_tool_of_another_kind_with_a_warning() -> None:
    text = "## Scene 1\n**Veo Prompt:**\n```\nA boat rolls\n```\n"
    _, problems = built_markdown(DEFAULTS + text)

    assert prompts(text) == {"1": "A boat rolls"}
    assert places(problems, "other-medium") == ["5:1"]


@pytest.mark.parametrize("label", ["Old prompt", "Rejected prompt", "System prompt", "Alternative prompt"])
@pytest.mark.parametrize("form", ["- **{}**: {}", "**{}:** {}", "- {}: {}"])
def test_any_other_prompt_is_a_warning_with_the_line_that_would_make_it_one(label: str, form: str) -> None:
    text = "## Scene 1\n> a boat\n\n" + form.format(label, "a ship")
    _, problems = read(text)

    assert prompts(text) == {"1": "a boat"}
    assert [p.code for p in problems] == ["near-prompt"]
    assert f'`labels: {{"{label}": prompt}}`' in problems[0].hint


def test_that_line_makes_it_one() -> None:
    found, problems = read('---\nlabels: {"Old prompt": prompt}\n---\n## Scene 1\n- **Old prompt**: a ship\n')

    assert problems == []
    assert scenes_of(found)[0]["prompt"] == "a ship"


def test_a_refusal_lists_the_lines_that_nearly_were_prompts() -> None:
    _, problems = read("## Scene 1\n- **Old prompt**: a ship\n\n## Scene 2\n- **System prompt**: be brief\n")

    assert [p.code for p in problems] == ["no-prompt", "near-prompt", "near-prompt"]
    assert places(problems, "near-prompt") == ["2:3", "5:3"]


@pytest.mark.parametrize(
    "text",
    [
        "**Prompt:** a ship",
        "Prompt: a ship",
        "- **Image prompt**: a ship",
        "**Kling prompt:**\n\n```\na ship\n```",
        "```prompt\na ship\n```",
        "> **Prompt:** a ship",
    ],
)
def test_a_marked_prompt_outside_of_scenes_is_always_named(text: str) -> None:
    _, problems = read(f"# Film\n\n{text}\n\n## Scene 1\n> a boat\n")

    assert places(problems, "outside-scene") == ["3:3" if text[0] in "->" else "3:1"]


# --- tables --------------------------------------------------------------------------------------------


def test_an_id_cell_is_an_id_as_a_whole() -> None:
    text = """\
        | Slot | Scene | Prompt |
        |---|---|---|
        | `b-lamp` | The lamp room | A brass lamp |
        | `b-rope` | The quay | A wet rope |
        | `b-door` | "Who is there?" | An oak door |
        """

    assert prompts(text) == {"b-lamp": "A brass lamp", "b-rope": "A wet rope", "b-door": "An oak door"}


@pytest.mark.parametrize("name", ["#", "ID", "Shot", "Slot", "Nr", "Ref", "Clip", "Key"])
def test_these_columns_hold_ids(name: str) -> None:
    assert prompts(f"| {name} | Prompt |\n|---|---|\n| 1 | a |\n| 2 | b |\n") == {"1": "a", "2": "b"}


def test_a_sentence_in_the_id_column_is_one_error_that_names_the_columns() -> None:
    _, problems = read(
        "| Shot | Time | Prompt |\n|---|---|---|\n| The wide one | 3s | a |\n| The close one | 3s | b |\n"
    )

    assert [p.code for p in problems] == ["bad-id"]
    assert "`Shot`, `Time`, `Prompt`" in problems[0].hint


def test_a_numbered_title_in_the_id_column_is_its_number() -> None:
    assert prompts("| Scene | Prompt |\n|---|---|\n| 1: Arrival | a |\n| 2 – Stairs | b |\n") == {
        "1": "a",
        "2": "b",
    }


def test_a_table_of_prompts_without_ids_is_named() -> None:
    _, problems = read("## Scene 1\n> a boat\n\n# Cut\n\n| Time | Visual |\n|---|---|\n| 0:05 | Logo |\n")

    assert places(problems, "near-prompt") == ["6:1"]
    assert "`Time`, `Visual`" in problems[0].message


def test_prompts_in_the_front_matter_are_named_at_their_lines() -> None:
    _, problems = read("---\nshots:\n  - prompt: a boat\n  - prompt: a ship\n---\n## Scene 1\n> x\n")

    assert places(problems, "near-prompt") == ["3:13", "4:13"]


@pytest.mark.parametrize("text", ['- hero.png: "A boat at dusk"', '**hero.png**: "A boat at dusk"'])
def test_words_in_quotes_beside_the_name_of_a_picture_are_named(text: str) -> None:
    _, problems = read(f"# Film\n\n{text}\n\n## Scene 1\n> x\n")

    assert [p.code for p in problems] == ["near-prompt"]
    assert "- **Output**: hero.png" in problems[0].hint


def test_a_quote_below_the_name_of_a_picture_is_named() -> None:
    _, problems = read("# Film\n\n## hero.png\n> A boat\n\n## Scene 1\n> x\n")

    assert places(problems, "outside-scene") == ["3:1"]


def test_a_text_of_the_front_matter_that_yaml_cuts_is_named() -> None:
    _, problems = read("---\nstyles: {a: x}\nnegative_prompt: no #logo\n---\n## Scene 1\n> x\n")

    assert places(problems, "cut-text") == ["3:21"]


def test_a_table_of_prompts_in_a_section_is_named() -> None:
    _, problems = read("## Scene 1\n> x\n\n## Defaults\n\n| # | Prompt |\n|---|---|\n| 1 | a boat |\n")

    assert places(problems, "outside-scene") == ["6:1"]
