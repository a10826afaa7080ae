"""Presets: read with every mistake at its place, and chosen for a model and what goes into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiebatch import catalogue, prompts
from kiebatch.errors import Exit, Invalid
from kiebatch.model import LocalFile, Media
from kiebatch.prompts import InputPattern, Preset, instruction, pattern_of, presets
from support.film import Film

GOOD = """\
---
key: mine
label: Mine
version: 3
models: [kling*]
modalities: [video]
rules: [One action.]
---
For {{model_key}}: {{user_prompt}}
"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / name).write_text(text, encoding="utf-8")


def test_a_preset_is_read_whole() -> None:
    preset = presets.parse(GOOD, "mine.md")

    assert (preset.key, preset.version, preset.models, preset.modalities) == (
        "mine",
        3,
        ("kling*",),
        ("video",),
    )
    assert preset.template == "For {{model_key}}: {{user_prompt}}"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (GOOD.replace("{{model_key}}", "{{model_kye}}"), "p.md:9:5", "did you mean `model_key`?"),
        (GOOD.replace("{{user_prompt}}", "words"), "p.md:9:1", "never says `{{user_prompt}}`"),
        (GOOD.replace("label:", "lable:"), "p.md:3:1", "did you mean `label`?"),
        (GOOD.replace("version: 3", "version: 0"), "p.md:4:10", "counts from 1"),
        (GOOD.replace("[video]", "[vidoe]"), "p.md:6:13", "did you mean `video`?"),
        (GOOD.replace("key: mine", "key: My Preset"), "p.md:2:6", "small letters"),
        (
            GOOD.replace("rules: [One action.]", "input_patterns: [single]"),
            "p.md:7:17",
            "has no value `single`",
        ),
        ("no front matter {{user_prompt}}", "p.md:1:1", "between two lines of `---`"),
    ],
)
def test_a_mistake_is_said_at_its_place(text: str, place: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        presets.parse(text, "p.md")

    said = str(caught.value)
    assert f"{place}: " in said
    assert says in said


def test_all_mistakes_of_all_files_are_said_together(tmp_path: Path) -> None:
    write(tmp_path, "a.md", GOOD.replace("{{model_key}}", "{{x}} {{y}}"))
    write(tmp_path, "b.md", "nothing")

    with pytest.raises(Invalid) as caught:
        prompts.load(tmp_path)

    assert len(caught.value.problems) == 3


def test_the_shipped_dozen_reads_and_fits_every_modality() -> None:
    known = prompts.load()

    assert len(known.all) == 12
    for model in catalogue.load([]).all():
        if model.modality == "text":
            continue
        choice = known.choose(model, InputPattern.PROMPT_ONLY)
        assert choice.preset is not None, model.id
        assert model.modality in choice.preset.modalities


def test_the_projects_preset_beats_the_users_which_beats_the_shipped_one(tmp_path: Path) -> None:
    project, home = tmp_path / "film", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    shipped = prompts.load()["clip"]
    clip = GOOD.replace("key: mine", "key: clip")
    write(home, "c.md", clip.replace("Mine", "The user's"))

    assert prompts.load(project, home)["clip"].label == "The user's"
    write(project, "c.md", clip.replace("Mine", "The film's"))
    assert prompts.load(project, home)["clip"].label == "The film's"
    assert shipped.origin == "shipped"


def named(key: str, **more: object) -> Preset:
    return Preset(key=key, template="{{user_prompt}}", **more)  # type: ignore[arg-type]


def test_the_more_precise_preset_is_taken() -> None:
    kling = catalogue.load([]).resolve("kling-3.0/video")
    single, only = InputPattern.SINGLE_IMAGE, InputPattern.PROMPT_ONLY
    all_of_them = [
        named("video", modalities=("video",)),
        named("video-single", modalities=("video",), input_patterns=(single,)),
        named("kling", models=("kling*",)),
        named("kling-single", models=("kling*",), input_patterns=(single,)),
        named("draft", models=("kling-3.0/video",), status=presets.Status.DRAFT),
        named("image", modalities=("image",)),
    ]
    known = prompts.Presets(tuple(all_of_them))

    def chosen(pattern: InputPattern, key: str = "") -> str:
        found = known.choose(kling, pattern, key).preset
        return found.key if found else ""

    assert (chosen(single), chosen(only), chosen(only, "draft")) == ("kling-single", "kling", "draft")
    assert prompts.Presets((all_of_them[5],)).choose(kling, only).preset is None
    with pytest.raises(Invalid, match="there is no preset `klin`"):
        known.choose(kling, only, "klin")


def medium(role: str, name: str) -> Media:
    return Media(role=role, field="f", index=None, ref=LocalFile(name))


@pytest.mark.parametrize(
    ("model", "media", "pattern"),
    [
        ("nano-banana-2", [], "prompt_only"),
        ("kling-3.0/video", [("start_frame", "a.png")], "single_image"),
        ("kling-3.0/video", [("start_frame", "a.png"), ("end_frame", "b.png")], "first_last_frames"),
        ("qwen/image-edit", [("source", "a.png")], "image_edit"),
        ("nano-banana-2", [("references", "a.png"), ("references", "b.png")], "multi_reference"),
        ("nano-banana-2", [("references", "a.png")], "single_image"),
        ("kling-2.6/motion-control", [("references", "a.png"), ("source", "b.mp4")], "motion_control"),
    ],
)
def test_what_goes_in_makes_the_pattern(model: str, media: list[tuple[str, str]], pattern: str) -> None:
    found = catalogue.load([]).resolve(model)

    assert pattern_of(found, [medium(role, name) for role, name in media]) == pattern


def test_the_instruction_has_the_authors_words_and_the_rules() -> None:
    preset = presets.parse(GOOD, "mine.md")

    said = instruction(preset, {"user_prompt": "a {{boat}}", "model_key": "kling-3.0/video"})

    assert said.startswith("For kling-3.0/video: a {{boat}}\n")
    assert "- One action." in said


def test_the_command_lists_shows_and_says_which_one_a_model_gets(film: Film) -> None:
    write(film.folder, "mine.md", GOOD)

    listed = film.command("presets", "--json").json["presets"]
    whole = film.command("presets", "mine").out
    choices = film.command("presets", "--for", "kling-3.0/video", "--json").json["choices"]

    assert {"mine", "clip", "image"} <= {preset["key"] for preset in listed}
    assert "For {{model_key}}" in whole
    assert {c["preset"] for c in choices} == {"mine"}
    assert "`kling-3.0/video`" in choices[0]["why"]
    assert film.command("presets", "nine").code == Exit.INVALID
