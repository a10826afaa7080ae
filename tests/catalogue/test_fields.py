"""Fields and limits that the audit of October 2026 corrected: refusing less, warning more."""

from __future__ import annotations

from typing import get_args

import pytest

from kiebatch import formats
from kiebatch.catalogue import Catalogue, media_limits, rules
from kiebatch.catalogue.inputs import Built, build
from kiebatch.catalogue.lint import check
from kiebatch.catalogue.shapes import RuleKind
from kiebatch.errors import Where
from kiebatch.model import JSON, Ask, LocalFile, Media, MediaFacts, RoleMedia, WebURL, as_list, under

PICTURE, CLIP = "https://a.example/1.png", "https://a.example/1.mp4"


def built(shipped: Catalogue, model: str, params: dict[str, JSON], prompt: str = "A boat") -> Built:
    return build(shipped.resolve(model), Ask(prompt=prompt, params=params))


@pytest.mark.parametrize(
    ("urls", "fits"),
    [
        ([CLIP], True),
        ([PICTURE, PICTURE], True),
        ([PICTURE] * 4, True),
        (["https://a.example/without-an-ending"], True),
        ([PICTURE], False),
        ([CLIP, PICTURE], False),
        ([PICTURE] * 5, False),
    ],
)
@pytest.mark.parametrize(
    ("model", "field"), [("kling-3.0/video", "kling_elements"), ("kling-3.0-omni/text-to-video", "elements")]
)
def test_an_element_is_several_pictures_or_one_clip(
    shipped: Catalogue, model: str, field: str, urls: list[str], fits: bool
) -> None:
    element = {"name": "keeper", "description": "a keeper", "element_input_urls": urls}

    assert built(shipped, model, {field: [element]}).ok is fits


def test_a_reference_video_of_407696_pixels_is_taken(shipped: Catalogue) -> None:
    model = shipped.resolve("bytedance/seedance-2-5")
    medium = Media(role="references", field="reference_video_urls", index=0, ref=LocalFile("a.mp4"))

    def findings(width: int, height: int) -> int:
        facts = MediaFacts(
            kind="video", media_type="video/mp4", extension=".mp4", width=width, height=height, duration_s=5
        )
        return len(media_limits.check_media(model, [medium], {"file:a.mp4": facts}))

    assert findings(568, 718) == 0  # 407,824
    assert findings(560, 718) == 1


@pytest.mark.parametrize(
    ("prompt", "warns"), [("Replace the boat by a whale", True), ("A whale swims past", False)]
)
def test_words_of_editing_beside_a_reference_video_are_a_warning(
    shipped: Catalogue, prompt: str, warns: bool
) -> None:
    video = RoleMedia(role="references", ref=WebURL(CLIP), kind="video", where=Where())

    codes = [
        f.code for f in check(shipped.resolve("bytedance/seedance-2-5"), Ask(prompt=prompt, media=(video,)))
    ]

    assert ("edits-given-video" in codes) is warns


def test_a_tier_of_veo_is_sent_with_a_warning(shipped: Catalogue) -> None:
    job = built(shipped, "veo-3-1", {"model": "veo3_lite"})

    assert job.input["model"] == "veo3_lite"
    assert [f.code for f in job.findings] == ["unsure-field"]


@pytest.mark.parametrize(
    ("name", "model"),
    [("gemini-omni-character", "gemini-omni/character"), ("gemini-omni-audio", "gemini-omni/audio")],
)
def test_names_of_the_listing_are_aliases(shipped: Catalogue, name: str, model: str) -> None:
    assert shipped.resolve(name).id == model


def test_a_voice_that_the_list_lacks_is_a_warning(shipped: Catalogue) -> None:
    job = build(shipped.resolve("google/gemini-3-8-flash-tts"), Ask(prompt="Hello", voice="Fola"))

    assert job.ok
    assert [f.code for f in job.findings] == ["unknown-voice"]
    assert [under(one, "voice_name") for one in as_list(job.input["speakers"])] == ["Fola"]


def test_a_mask_of_another_size_than_its_picture_is_refused_for_every_model_that_takes_one(
    shipped: Catalogue,
) -> None:
    masked = [m for m in shipped.all() if "mask" in m.roles]

    def facts(width: int) -> MediaFacts:
        return MediaFacts(kind="image", media_type="image/png", extension=".png", width=width, height=1000)

    assert len(masked) >= 4
    for model in masked:
        picture = next(iter((model.roles.get("source") or model.roles.get("references") or {}).values()))
        role = "source" if "source" in model.roles else "references"
        media = [
            Media(role=role, field=picture, index=None, ref=LocalFile("a.png")),
            Media(
                role="mask",
                field=next(iter(model.roles["mask"].values())),
                index=None,
                ref=LocalFile("m.png"),
            ),
        ]
        same = media_limits.check_media(model, media, {"file:a.png": facts(1000), "file:m.png": facts(1000)})
        other = media_limits.check_media(model, media, {"file:a.png": facts(1000), "file:m.png": facts(900)})
        assert [f.code for f in same if f.code == "mask-size"] == []
        assert [f.code for f in other if f.code == "mask-size"] == ["mask-size"], model.id


def test_every_kind_of_rule_is_in_the_table_and_in_the_schema() -> None:
    in_schema = under(formats.load("model"), "$defs", "constraint", "properties", "kind", "enum")

    assert set(rules.KINDS) == set(get_args(RuleKind)) == set(as_list(in_schema))
