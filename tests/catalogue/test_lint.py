"""Prompts that a model is known to handle badly are warned about, good ones are left in peace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import lint
from kiebatch.errors import Where
from kiebatch.model import Ask, LocalFile, RoleMedia

CATALOGUE = catalogue.load()


def codes(
    model: str, prompt: str, *roles: str, shot: float | None = None, ask: Ask | None = None
) -> list[str]:
    """Return the codes of what is warned about; `ask` has what the shot says besides prompt and pictures."""
    media = tuple(RoleMedia(role=role, ref=LocalFile("a.png"), where=Where()) for role in roles)
    asked = replace(ask or Ask(), prompt=prompt, media=media)
    return [f.code for f in lint.check(CATALOGUE.resolve(model), asked, shot)]


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        ("nano-banana-2", "A small boat nears the lighthouse at dusk, storm light, 35 mm film, heavy grain"),
        ("seedream/4.5-text-to-image", "A keeper climbs a spiral stair, lantern in hand, low warm light"),
        ("google/imagen4", 'A brass plate on a door that reads "Keeper", macro, shallow focus'),
        ("flux1-kontext", "Change the coat to red and keep everything else as it is"),
        ("veo-3-1", "Waves crash against the rocks as the lamp turns above; the wind howls"),
        ("kling-3.0/video", "The keeper climbs the spiral stairs, lantern in hand; the camera follows"),
        ("z-image", "一只小船在黄昏时分驶近灯塔"),
        ("elevenlabs/text-to-speech-multilingual-v2", "No one had come for years."),
        ("ai-music-api/generate", "calm piano"),
    ],
)
def test_good_prompts_are_left_in_peace(model: str, prompt: str) -> None:
    assert codes(model, prompt) == []


def test_a_clip_from_a_picture_may_say_little() -> None:
    assert codes("kling-3.0/video", "He stops and listens", "start_frame", shot=5) == []


@pytest.mark.parametrize(
    ("code", "model", "prompt"),
    [
        ("prompt-long", "seedream/4.5-text-to-image", "a grey stone tower by the sea " * 14),
        ("prompt-short", "nano-banana-2", "lighthouse"),
        ("prompt-language", "flux1-kontext", "Ersetze den gelben Mantel durch einen roten"),
        ("prompt-language", "flux1-kontext", "把外套换成红色"),
        ("many-edits", "flux1-kontext", "Change the coat to red, remove the hat, add a lamp, make the sky dark and swap the dog"),
        ("drawn-text", "google/imagen4", 'A sign that says "Welcome to the lighthouse museum"'),
        ("drawn-text", "google/imagen4", 'Four signs: "Here", "There", "Up" and "Down"'),
        ("vague-words", "nano-banana-2", "a beautiful amazing boat on a stunning sea"),
        ("no-motion", "veo-3-1", "A lighthouse at night under a stormy sky, black rocks, grey sea"),
    ],
)  # fmt: skip
def test_each_weakness_has_its_warning(code: str, model: str, prompt: str) -> None:
    assert codes(model, prompt) == [code]


def test_a_surgical_model_may_do_three_changes() -> None:
    assert codes("flux1-kontext", "Change the coat to red, remove the hat and add a lamp") == []


@pytest.mark.parametrize(
    ("negative", "code"),
    [
        (("no text",), "negative-phrase"),
        (("avoid people, blur",), "negative-phrase"),
        (("boat",), "negative-contradicts"),
        (tuple(f"thing{i}" for i in range(11)), "negative-many"),
        (("watermark, logo", "blur"), None),
    ],
)
def test_negative_lists_are_short_plain_and_do_not_contradict(
    negative: tuple[str, ...], code: str | None
) -> None:
    found = codes("google/imagen4", "A small boat near the lighthouse at dusk", ask=Ask(negative=negative))

    assert found == ([code] if code else [])


def test_a_list_that_is_not_sent_is_not_looked_at() -> None:
    assert (
        codes("nano-banana-2", "A small boat near the lighthouse at dusk", ask=Ask(negative=("no boat",)))
        == []
    )
    folded = codes(
        "nano-banana-2",
        "A small boat near the lighthouse at dusk",
        ask=Ask(negative=("no boat",), fold_negative=True),
    )
    assert folded == ["negative-phrase", "negative-contradicts"]


def test_what_the_prompt_rules_out_itself_is_no_contradiction() -> None:
    assert (
        codes("google/imagen4", "An empty beach at dawn with no people on it", ask=Ask(negative=("people",)))
        == []
    )


def test_a_prompt_for_a_start_frame_should_say_what_moves_not_what_is_seen() -> None:
    prompt = "A bearded man wearing a yellow coat, grey hair, blue eyes, soft lighting, blurred background; he turns"

    assert codes("kling-2.6/image-to-video", prompt, "start_frame") == ["redescribes-picture"]
    assert codes("kling-2.6/text-to-video", prompt) == []


def test_more_actions_than_seconds_are_counted_by_the_length_of_the_clip() -> None:
    prompt = "A man walks, runs, jumps, climbs, waves and laughs by the sea"

    assert codes("veo-3-1", prompt, shot=4) == ["many-actions"]
    assert codes("veo-3-1", prompt, shot=8) == []
    assert codes("veo-3-1", prompt, shot=8, ask=Ask(params={"duration": 4})) == ["many-actions"]


def test_a_model_without_16_9_says_how_to_get_it() -> None:
    found = lint.check(
        CATALOGUE.resolve("4o-image-api"), Ask(prompt="A boat on a wide sea", params={"aspect_ratio": "16:9"})
    )

    assert [f.code for f in found] == ["crop-16-9"]
    assert "3:2" in found[0].hint


def test_every_warning_is_a_warning_with_a_known_code_a_place_and_advice() -> None:
    prompts = [
        "lighthouse",
        "a beautiful amazing boat " * 40,
        'Say "one", "two", "three", "four"',
        "换成红色",
    ]
    for model in CATALOGUE.all():
        for prompt in prompts:
            for found in lint.check(model, Ask(prompt=prompt, negative=("no boat", "boat")), 3):
                assert found.severity == "warning"
                assert found.code in lint.CODES
                assert found.field in ("prompt", "negative_prompt")
                assert found.hint
