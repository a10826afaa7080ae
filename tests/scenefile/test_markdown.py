"""The Markdown scene file, rule by rule: what is marked, what it means, and where a problem is shown."""

from __future__ import annotations

import re
import time
from textwrap import dedent

import pytest

from kiebatch import catalogue
from kiebatch.errors import Problem
from kiebatch.scenefile import build, markdown
from kiebatch.scenefile.durations import seconds
from kiebatch.scenefile.markdown.prose import unquoted
from kiebatch.scenefile.shape import FileValues, Medium, SceneValues
from support.places import ROOT
from support.scenes import scenes_of, shots_of, values

CATALOGUE = catalogue.load()


def read(text: str) -> tuple[FileValues, list[Problem]]:
    document, problems = markdown.read(dedent(text), "SCENES.md")
    return values(document), problems


def value(text: str) -> FileValues:
    found, problems = read(text)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return found


def scene(text: str) -> SceneValues:
    """Return the one scene of a text that is given without its heading."""
    (found,) = scenes_of(value("## Scene 1\n" + dedent(text)))
    del found["id"]
    return found


def said(text: str) -> list[str]:
    return [str(p).splitlines()[0] for p in read(text)[1]]


# --- where things are said -----------------------------------------------------------------------------


def test_a_misspelt_key_is_an_error_at_its_line_and_column() -> None:
    _, problems = read("## Scene 1\n- **Prompt**: x\n- **Modle**: z-image\n")

    assert str(problems[0]) == "SCENES.md:3:3: unknown key `Modle`\nhint: did you mean `model`?"


@pytest.mark.parametrize("label", ["Camrea", "Dialogeu", "Lense", "Locations"])
def test_a_misspelt_key_that_is_never_sent_is_a_warning(label: str) -> None:
    _, problems = read(f"## Scene 1\n- **Prompt**: x\n- **{label}**: slow\n")

    assert [(p.severity, p.code) for p in problems] == [("warning", "unknown-key")]
    assert problems[0].hint.startswith("did you mean")


def test_an_unknown_bold_key_is_a_note_and_a_warning() -> None:
    found, problems = read("## Scene 1\n- **Prompt**: x\n- **Mood**: calm\n")

    assert scenes_of(found)[0]["notes"] == "Mood: calm"
    assert [(p.severity, p.code, str(p.where)) for p in problems] == [
        ("warning", "unknown-key", "SCENES.md:3:3")
    ]


def test_two_prompts_in_one_shot_are_an_error_that_shows_both_places() -> None:
    assert said("## Scene 1\n> one\n\ntext\n\n- **Prompt**: two\n") == [
        "SCENES.md:6:3: two prompts in one shot; the first is at SCENES.md:2:3"
    ]


def test_a_key_given_twice_is_an_error() -> None:
    assert said("## Scene 1\n> one\n\n- **Model**: z-image\n- **Model**: nano-banana-2\n") == [
        "SCENES.md:5:3: `model` is given twice; the first is at SCENES.md:4:3"
    ]


def test_problems_of_the_scene_itself_are_shown_in_the_markdown() -> None:
    document, _ = markdown.read("# T\n\n## Scene 1\n- **Model**: z-imagee\n- **Prompt**: x\n", "SCENES.md")

    _, problems = build.build(document, CATALOGUE)

    assert [str(p.where) for p in problems] == ["SCENES.md:4:14"]


def test_a_mistake_in_the_front_matter_has_its_line_in_the_whole_file() -> None:
    assert said("---\ntitle: [x\n---\n## Scene 1\n> x\n")[0].startswith("SCENES.md:2:8: ")
    assert said("---\ntitel: x\n---\n## Scene 1\n> x\n") == ["SCENES.md:2:1: unknown key `titel`"]


def test_a_mistake_in_a_yaml_fence_has_its_line_in_the_whole_file() -> None:
    assert said("## Scene 1\n> x\n\n- `deep`:\n\n```yaml\na: 1\na: 2\n```\n") == [
        "SCENES.md:8:1: the key `a` is given twice; the first is at line 7"
    ]


def test_a_length_that_is_none_is_an_error() -> None:
    assert said("## Scene 1\n- **Duration**: soon\n- **Prompt**: x\n") == [
        "SCENES.md:2:17: `Duration` must be a length, found `soon`"
    ]


# --- what is marked ------------------------------------------------------------------------------------


def test_a_line_that_is_not_indented_does_not_go_on_with_the_value_above() -> None:
    found, problems = read("## Scene 1\n- **Prompt**: a boat\n  at dusk\nHe must look older.\n")

    assert scenes_of(found)[0]["prompt"] == "a boat at dusk"
    assert scenes_of(found)[0]["notes"] == "He must look older."
    assert [p.code for p in problems] == ["not-indented"]


def test_a_quote_below_a_heading_of_the_writer_s_own_is_no_prompt() -> None:
    assert scene("> a boat\n\n### Dialogue\n> Who is there?\n")["prompt"] == "a boat"


def test_a_quote_below_an_unknown_label_is_no_prompt() -> None:
    found = scene("**Dialogue:**\n> Who is there?\n\n**Prompt:**\n> a boat\n")

    assert found["prompt"] == "a boat"


def test_a_fence_of_no_kind_is_a_note() -> None:
    assert scene("> a boat\n\n```\nnot this\n```\n")["prompt"] == "a boat"


def test_a_prompt_outside_every_scene_is_not_sent_and_said_so() -> None:
    _, problems = read("- **Prompt**: lost\n\n## Scene 1\n> x\n")

    assert [(p.code, p.where.line) for p in problems] == [("outside-scene", 1)]


def test_an_example_in_the_middle_of_a_sentence_is_no_field() -> None:
    assert scene("> a boat\n\nWrite - **Prompt**: x to have one.\n")["prompt"] == "a boat"


def test_a_note_right_below_the_heading_that_has_a_colon_stays_a_note() -> None:
    found = scene("Remember what Mo said: nothing red.\n\n> a wall\n")

    assert found == {"notes": "Remember what Mo said: nothing red.", "prompt": "a wall"}


def test_a_rule_right_below_flat_keys_makes_no_heading_of_them() -> None:
    assert scene("Prompt: a boat\nCamera: slow\n---\n") == {"prompt": "a boat", "camera": "slow"}


def test_words_that_a_writer_struck_are_not_sent() -> None:
    assert scene("> a boat ~~with a dog~~ at dusk\n")["prompt"] == "a boat at dusk"


def test_an_empty_prompt_line_is_a_card_and_a_warning() -> None:
    found, problems = read("## Scene 1\n- **Prompt**:\n\n## Scene 2\n> x\n")

    assert "prompt" not in scenes_of(found)[0]
    assert [p.code for p in problems] == ["empty-prompt"]


def test_a_scene_without_a_prompt_is_an_error_only_if_it_names_a_model() -> None:
    document, _ = markdown.read(
        "## Scene 1\nA card.\n\n## Scene 2\n- **Prompt**: x\n- **Model**: z-image\n", "S.md"
    )

    _, problems = build.build(document, CATALOGUE)

    assert problems == []


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("5", 5), ("5s", 5), ("5 seconds", 5), ("0:05", 5), ("0:00-0:05", 5), ("0:00 – 0:05", 5), ("~5 s", 5),
        ("≈ 30 s", 30), ("1:02:03", 3723), ("2.5s", 2.5), ("2,5 s", 2.5), ("1m30s", 90), ("12 seconds (288 frames)", 12),
        ("5秒", 5), ("５ 秒", 5), ("5초", 5), ("5 Sekunden", 5), ("soon", None), ("0:05-0:02", None), ("5-6", None),
    ],
)  # fmt: skip
def test_a_length_is_read_as_people_write_it(text: str, length: float | None) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ('"wholly"', "wholly"), ("“wholly”", "wholly"), ("„ganz“", "ganz"), ("« tout »", "tout"), ("「全部」", "全部"),
        ("‘It’s late’", "It’s late"), ('"a" and "b"', '"a" and "b"'), ("“a” and “b”", "“a” and “b”"), ("'", "'"),
        ('"she said “no”"', "she said “no”"), ("it's", "it's"),
    ],
)  # fmt: skip
def test_one_pair_of_quotes_around_the_whole_is_taken_off(text: str, bare: str) -> None:
    assert unquoted(text) == bare


def test_a_fence_keeps_its_lines_and_its_quotes() -> None:
    assert scene('```prompt\n"one\n  two"\n```\n')["prompt"] == '"one\n  two"'


def test_the_heading_s_length_gives_way_to_the_field_and_says_so() -> None:
    found, problems = read("## Scene 1 (5s)\n- **Duration**: 8s\n- **Prompt**: x\n")

    assert scenes_of(found)[0]["duration"] == 8
    assert [p.code for p in problems] == ["conflict"]


def test_none_is_no_voice_over_and_no_music() -> None:
    assert scene("> x\n\n- **Voiceover**: none\n- **Music**: —\n- **Text overlay**: (none)\n") == {
        "prompt": "x"
    }
    assert scene('> x\n\n- **Voiceover**: "none"\n')["voiceover"] == "none"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("16:9", {"aspect_ratio": "16:9"}), ("16:9 (wide)", {"aspect_ratio": "16:9"}), ("1920x1080", {"aspect_ratio": "16:9"}),
        ("2K", {"resolution": "2K"}), ("9:16, 1080p", {"aspect_ratio": "9:16", "resolution": "1080p"}),
    ],
)  # fmt: skip
def test_a_size_is_a_ratio_or_a_resolution(text: str, params: dict[str, str]) -> None:
    assert scene(f"> x\n\n- **Size/Ratio**: {text}\n")["params"] == params


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("2a", {"shot": "2a"}), ("2A take 2", {"shot": "2a", "take": 2}), ("2a#2", {"shot": "2a", "take": 2}),
        ("2a, take 2", {"shot": "2a", "take": 2}), ("2a last frame", {"shot": "2a", "frame": "last"}),
        ("last frame of 2a", {"shot": "2a", "frame": "last"}), ("Scene 2, Shot a", {"shot": "2a"}), ("a", {"shot": "2a"}),
        ("shot a", {"shot": "2a"}), ("2a output 2", {"shot": "2a", "output": 2}), ("02a", {"shot": "2a"}),
        ("2a@z-image take 2", {"shot": "2a", "take": 2, "model": "z-image"}), ("refs/2a.png", "refs/2a.png"),
        ("https://example.com/2a", "https://example.com/2a"), ("![start](2a)", "2a"), ("`2a`", "2a"), ("the_name", "the_name"),
    ],
)  # fmt: skip
def test_a_frame_is_another_shot_a_path_or_a_name(text: str, frame: Medium) -> None:
    found = value(f"## Scene 2\n### Shot a\n> x\n### Shot b\n> y\n- **Start frame**: {text}\n")

    assert shots_of(scenes_of(found)[0])[1]["start_frame"] == frame


def test_a_path_with_spaces_or_umlauts_stays_what_the_file_is_called() -> None:
    found = scene("> x\n\n![start: a](<my refs/küste 1.png>)\n![b](my%20refs/b.png)\n")

    assert found["start_frame"] == "my refs/küste 1.png"
    assert found["references"] == ["my refs/b.png"]


def test_names_are_found_however_they_are_spelt() -> None:
    found = value(
        "## Characters\n### Old keeper\n> a man\n\n## Scene 1\n- **Characters**: old keeper\n- **Prompt**: {OLD KEEPER} waits\n"
    )

    assert found["characters"] == {"Old-keeper": {"text": "a man"}}
    assert scenes_of(found)[0]["characters"] == ["Old-keeper"]
    assert scenes_of(found)[0]["prompt"] == "{Old-keeper} waits"


def test_a_style_of_the_file_stands_behind_every_prompt_also_one_with_a_style() -> None:
    found = value(
        "## Style\n> heavy grain, dusk\n\n## Styles\n### storm\n> rain\n\n## Scene 1\n> x\n- **Style**: storm\n"
    )

    assert found["defaults"]["style"] == "heavy grain, dusk"
    assert scenes_of(found)[0]["style"] == ["storm", "heavy grain, dusk"]


def test_words_that_nobody_marked_in_a_style_are_asked_for() -> None:
    _, problems = read("## Style\nheavy grain\n\n## Scene 1\n> x\n")

    assert [(p.code, p.hint) for p in problems] == [
        ("unmarked", "put `> ` in front of the words that are meant for the model")
    ]


# --- headings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "ident", "title"),
    [
        ("Scene 1", 1, None), ("Scene 01: A", 1, "A"), ("SCENE 1 - INT. HOUSE - NIGHT", 1, "INT. HOUSE - NIGHT"),
        ("Scene v2-s001", "v2-s001", None), ("Scene 12A — B", "12A", "B"), ("Scene 1.1", "1.1", None), ("Scene 1. B", 1, "B"),
        ("Scene 1 Arrival", 1, "Arrival"), ("Frame 3: C", 3, "C"), ("Beat intro", "intro", None), ("🎬 Scene 2: D 🎉", 2, "D 🎉"),
        ("Scene 4 (see below)", 4, "(see below)"), ('Scene "01": E', "01", "E"), ("S#5. 도착", 5, "도착"), ("第三场 楼梯", 3, "楼梯"),
        ("Scene #6", 6, None), ("Szene 7 – Straße (5 s)", 7, "Straße"),
    ],
)  # fmt: skip
def test_ids_are_written_in_the_heading(heading: str, ident: int | str, title: str | None) -> None:
    (found,) = scenes_of(value(f"## {heading}\n> x\n"))

    assert (found["id"], found.get("title")) == (ident, title)


@pytest.mark.parametrize(
    "heading",
    ["Scene overview", "Scenery", "Scene list", "The scene", "Scene of the crime", "Frame rate", "Notes"],
)
def test_not_every_heading_with_the_word_is_a_scene(heading: str) -> None:
    found = value(f"## {heading}\n> not this\n\n## Scene 1\n> x\n")

    assert [s["id"] for s in scenes_of(found)] == [1]


def test_frames_in_a_scene_are_its_shots() -> None:
    (found,) = scenes_of(value("## Scene 1\n### Frame 1\n> x\n### Frame 2: y\n> y\n"))

    assert [s["id"] for s in shots_of(found)] == [1, 2]


def test_a_heading_that_is_nearly_a_scene_says_why_its_quote_is_not_sent() -> None:
    _, problems = read("## Scene of the crime\n> a room\n\n## Scene 2\n> x\n")

    assert [(p.code, p.where.line) for p in problems] == [("outside-scene", 1)]


@pytest.mark.parametrize("heading", ["Prompt", "Voiceover"])
def test_words_below_a_heading_that_says_prompt_need_their_mark(heading: str) -> None:
    found, problems = read(f"## Scene 1\n> x\n## Scene 2\n### {heading}\nNo one had come.\n")

    assert "No one had come." not in str(scenes_of(found)[1].get("prompt"))
    assert [p.code for p in problems] == ["unmarked"]


def test_an_act_is_a_label_until_the_next_one() -> None:
    found = value("## Act I\n### Scene 1\n> x\n## Act II: End\n### Scene 2\n> y\n## Scene 3\n> z\n")

    assert [s.get("group") for s in scenes_of(found)] == ["Act I", "Act II: End", None]


def test_a_bare_dotted_number_below_an_act_is_a_scene() -> None:
    found = value("## ACTE I — Le quai\n### 1.1 La carte (≈ 30 s)\n> x\n### 1.2 Le train\n> y\n")

    assert [(s["id"], s["title"]) for s in scenes_of(found)] == [("1.1", "La carte"), ("1.2", "Le train")]


def test_a_shot_of_another_scene_is_an_error() -> None:
    assert said("## Scene 2\n### Shot 3a\n> x\n")[0] == "SCENES.md:2:1: shot `3a` is written in scene 2"


def test_a_picture_and_a_clip_in_one_scene_need_to_say_whose_model_it_is() -> None:
    assert said("## Scene 1\n- **Image prompt**: x\n- **Video prompt**: y\n- **Model**: z-image\n")[
        0
    ].startswith("SCENES.md:4:3: there is a picture and a clip here: which of them has this `model`?")


def test_voices_of_several_shots_are_the_scene_s() -> None:
    found = scene("### Shot a\n> x\n- **Voiceover**: one\n### Shot b\n> y\n- **Voiceover**: two\n")

    assert found["voiceover"] == "one\ntwo"


# --- two files of one film -----------------------------------------------------------------------------


STORY = """\
# The Lighthouse

## Scene 1: Arrival (5s)
- **Visual**: A small boat nears the lighthouse
- **Voiceover**: "No one had come."

## Scene 2: The stairs
- **Visual**: He climbs
- **Camera**: low

## Scene 3: Empty
Only a card.
"""
PLAN = """\
# Asset plan

## Scene 1
### Visual
- **Model**: z-image
- **Prompt**: "A small boat nears the lighthouse at dusk, 35 mm"
### Audio
- **Voiceover**: "No one had come."
- **Voice**: Rachel
- **Model**: elevenlabs/text-to-speech-multilingual-v2

## Scene 2
- **Model**: z-image
- **Camera**: high
- **Duration**: 4s

## Scene 2A
> A lamp
"""


def joined(*texts: tuple[str, str]) -> tuple[FileValues, list[Problem]]:
    document, problems = markdown.join([markdown.read(text, name) for text, name in texts])
    return values(document), problems


def test_story_and_plan_are_joined_by_scene_id() -> None:
    found, _ = joined((STORY, "SCENES.md"), (PLAN, "ASSET-PLAN.md"))

    assert [s["id"] for s in scenes_of(found)] == [1, 2, "2A", 3]
    assert found["title"] == "The Lighthouse"
    assert scenes_of(found)[0] == {
        "id": 1,
        "title": "Arrival",
        "duration": 5,
        "visual": "A small boat nears the lighthouse",
        "prompt": "A small boat nears the lighthouse at dusk, 35 mm",
        "model": "z-image",
        "voiceover": {
            "text": "No one had come.",
            "voice": "Rachel",
            "model": "elevenlabs/text-to-speech-multilingual-v2",
        },
    }


def test_the_plan_wins_and_a_conflict_shows_both_places() -> None:
    found, problems = joined((PLAN, "ASSET-PLAN.md"), (STORY, "SCENES.md"))

    assert scenes_of(found)[1]["camera"] == "high"
    assert [str(p) for p in problems] == [
        "ASSET-PLAN.md:14:15: warning: scene 2: `camera` is `high` here and `low` at SCENES.md:9:15; this one is taken"
    ]


def test_a_story_without_prompts_is_no_foreign_file_beside_its_plan() -> None:
    found, problems = joined(("## Scene 1: A\nA card.\n", "SCENES.md"), (PLAN, "ASSET-PLAN.md"))

    assert [p for p in problems if p.code == "no-prompt"] == []
    assert scenes_of(found)[0]["title"] == "A"


def test_two_files_without_any_prompt_are_refused_once() -> None:
    _, problems = joined(("## Scene 1\nx\n", "SCENES.md"), ("## Scene 1\ny\n", "ASSET-PLAN.md"))

    assert [p.code for p in problems] == ["no-prompt"]


def test_a_place_after_joining_names_the_file_it_stands_in() -> None:
    document, _ = markdown.join([markdown.read(STORY, "SCENES.md"), markdown.read(PLAN, "ASSET-PLAN.md")])

    assert str(document.where(("scenes", 0, "prompt"))) == "ASSET-PLAN.md:6:15"
    assert str(document.where(("scenes", 1, "prompt"))) == "SCENES.md:8:15"


# --- size ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    ["[", "*a ", "_a", "~~", "`", "<a ", "![a](b) ", "{x", "“", "(", "> ", "- a\n", "- **Mood**: a\n", "![a](b.png)\n", "word: x\n", "|a", "---\n", "\t- x\n"],
)  # fmt: skip
def test_no_text_takes_more_than_its_length_to_read(line: str) -> None:
    def taken(size: int) -> float:
        text = "## Scene 1\n- **Prompt**: x\n" + line * (size // len(line))
        start = time.process_time()
        markdown.read(text, "f.md")
        return time.process_time() - start

    small, large = taken(4_000), taken(32_000)

    assert large < max(0.3, 24 * small)


# --- the page that teaches it --------------------------------------------------------------------------


def test_every_example_of_the_page_works() -> None:
    page = (ROOT / "docs" / "scenes-markdown.md").read_text(encoding="utf-8")
    examples = re.findall(r"````markdown\n(.*?)````", page, re.S)

    for example in examples:
        document, problems = markdown.read(example, "SCENES.md")
        project, more = build.build(document, CATALOGUE)
        assert [str(p) for p in (*problems, *more) if p.severity == "error"] == []
        assert project.jobs
    assert len(examples) == 4


def test_a_character_may_have_a_name_in_any_script() -> None:
    document, problems = markdown.read(
        "## 角色\n### 陈言\n> 一个男孩\n\n## 场景 1\n- **提示词**：{陈言}坐在桌前\n- **模型**：z-image\n",
        "S.md",
    )

    project, more = build.build(document, CATALOGUE)

    assert [*problems, *more] == []
    assert project.jobs[0].prompt == "一个男孩坐在桌前"


def test_a_scene_below_a_section_of_a_higher_level_is_no_character() -> None:
    found = value("# Characters\n## keeper\n> a man\n\n## Scene 1\n> x\n")

    assert list(found["characters"]) == ["keeper"]
    assert [s["id"] for s in scenes_of(found)] == [1]


def test_a_table_may_have_both_time_codes_and_lengths() -> None:
    found = scene(
        """
        | # | Time | Prompt | Duration |
        |---|---|---|---|
        | a | 0:00-0:05 | A boat | 4s |
        | b | 0:05-0:09 | A gull | |
        """
    )
    assert [shot["duration"] for shot in shots_of(found)] == [4, 4]


def test_joined_files_keep_the_order_of_the_story() -> None:
    story = "## Scene 1\nx\n\n## Scene 2\ny\n\n## Scene 4\nz\n"
    plan = "".join(f"## Scene {n}\n- **Prompt**: p\n\n" for n in ("1", "1B", "3", "4", "5"))
    found, _ = joined((story, "SCENES.md"), (plan, "ASSET-PLAN.md"))
    assert [str(s["id"]) for s in scenes_of(found)] == ["1", "1B", "2", "3", "4", "5"]


@pytest.mark.parametrize("title", ["Negativer Prompt", "Negative Prompts", "Negatieve prompt"])
def test_what_to_avoid_is_known_by_the_names_that_people_use(title: str) -> None:
    found = value(f"## {title}\n- text\n\n## Scene 1\n- **Prompt**: a\n- **{title}**: logo\n")
    assert found["negative_prompt"] == "text"
    assert scenes_of(found)[0]["negative_prompt"] == "logo"
