"""A shot's wish becomes one model's own fields, and everything wrong with it is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch import catalogue
from kiebatch.catalogue import Model, rules
from kiebatch.catalogue.inputs import Built, build
from kiebatch.catalogue.media_limits import check_media
from kiebatch.catalogue.naming import Names, names_of
from kiebatch.errors import Finding, Where
from kiebatch.model import (
    JSON,
    Ask,
    LocalFile,
    Media,
    MediaFacts,
    Modality,
    Ref,
    RoleMedia,
    ShotOutput,
    Slot,
    WebURL,
    as_list,
    under,
)
from kiebatch.testing.fixtures import raw_requests

CATALOGUE = catalogue.load()
MediaKind = Literal["image", "video", "audio"] | None
MODELS = {f"{m.modality}:{m.id}": m for m in CATALOGUE.all()}


class Asked(TypedDict, total=False):
    """Fields of an `Ask` besides its media, as keywords."""

    prompt: str
    negative: tuple[str, ...]
    params: Mapping[str, JSON]
    default_params: Mapping[str, JSON]
    duration_s: float | None
    whole_scene: bool
    seed: int | None
    voice: str | None
    takes: int
    fold_negative: bool
    extra_params: Mapping[str, JSON]


def medium(role: str, ref: str | Ref, kind: MediaKind = None) -> RoleMedia:
    return RoleMedia(role=role, ref=LocalFile(ref) if isinstance(ref, str) else ref, where=Where(), kind=kind)


def ask_of(model: str, *media: RoleMedia, **asked: Unpack[Asked]) -> Built:
    return build(CATALOGUE.resolve(model), Ask(media=media, **asked))


def errors(built: Built) -> list[Finding]:
    return [f for f in built.findings if f.severity == "error"]


def warnings(built: Built) -> list[Finding]:
    return [f for f in built.findings if f.severity == "warning"]


# --- every model: one job that passes, and one that fails for each rule


class Wrong(TypedDict):
    """A job against a rule: where it is `filled`, it is what is sent and not what an author writes."""

    rule: str
    input: dict[str, JSON]
    about: list[str]
    filled: NotRequired[bool]
    warning: NotRequired[bool]


Jobs = TypedDict("Jobs", {"pass": dict[str, JSON], "fail": NotRequired[list[Wrong]]})

JOBS: dict[str, Jobs] = raw_requests()
FAILING = [(key, i) for key, job in JOBS.items() for i in range(len(job.get("fail", ())))]


def as_written(model: Model, sent: Mapping[str, JSON]) -> Ask:
    """Return the wish of a person who writes the model's own fields, and the prompt as a prompt."""
    own = model.fields.get("prompt")
    prompt = sent.get(own.name) if own and own.wrap is None else None
    if own is None or not isinstance(prompt, str):
        return Ask(params=sent)
    return Ask(prompt=prompt, params={name: value for name, value in sent.items() if name != own.name})


def said(model: Model, sent: Mapping[str, JSON]) -> Names:
    return names_of(model, {name: f"params.{name}" for name in sent})


def test_the_jobs_cover_every_model() -> None:
    assert set(JOBS) == set(MODELS)
    assert len(FAILING) == 367


@pytest.mark.parametrize("key", JOBS)
def test_a_right_job_passes(key: str) -> None:
    built = build(MODELS[key], as_written(MODELS[key], JOBS[key]["pass"]))

    assert [f for f in errors(built) if f.code != "withdrawn"] == []
    assert {k: v for k, v in built.input.items() if k not in built.defaulted} == JOBS[key]["pass"]


@pytest.mark.parametrize(("key", "number"), FAILING, ids=[f"{key}-{i}" for key, i in FAILING])
def test_a_job_against_a_rule_of_its_model_is_refused(key: str, number: int) -> None:
    model, wrong = MODELS[key], JOBS[key]["fail"][number]

    if wrong.get("filled"):
        found = [
            f
            for rule in model.constraints
            for f in rules.broken(rule, wrong["input"], said(model, wrong["input"]))
        ]
    else:
        found = list(build(model, as_written(model, wrong["input"])).findings)

    wanted = "warning" if wrong.get("warning") else "error"
    lines = [f"{f.field} {f.message}" for f in found if f.severity == wanted]
    assert any(about in line for about in wrong["about"] for line in lines), (wrong["rule"], lines)


MEDIA_KINDS = ("same_size", "max_seconds", "max_seconds_total", "max_output_side")


def test_every_rule_of_the_catalogue_is_broken_by_some_job() -> None:
    unbroken = []
    for key, model in MODELS.items():
        jobs = [wrong["input"] for wrong in JOBS[key].get("fail", ())]
        for rule in model.constraints:
            if rule.get("kind") == "hint" or rule.get("kind") in (*MEDIA_KINDS, "max_counted_length"):
                continue  # hints check nothing; the others have tests of their own
            if not any(rules.broken(rule, job, said(model, job)) for job in jobs):
                unbroken.append((key, rule))

    assert unbroken == []


def test_what_the_catalogue_fills_in_makes_a_plain_prompt_enough_where_the_model_needs_no_more() -> None:
    for model in MODELS.values():
        takes = {f for fields in model.roles.values() for f in fields.values()}
        needs = (
            set(model.input.get("required") or ()) - {model.fields["prompt"].name}
            if "prompt" in model.fields
            else {""}
        )
        needs -= set(model.defaults) | set(model.fill) | ({"voice"} if "voice" in model.fields else set())
        if model.status == "current" and not needs and not takes:
            assert not errors(build(model, Ask(prompt="Waves break on the rocks"))), model.id


# --- roles


def test_one_list_for_all_pictures_takes_the_source_first_then_the_references() -> None:
    built = ask_of("nano-banana-2", medium("references", "a.png"), medium("source", "b.png"), prompt="a boat")

    assert built.input["image_input"] == ["file:b.png", "file:a.png"]
    assert [(m.role, m.field, m.index) for m in built.media] == [
        ("source", "image_input", 0),
        ("references", "image_input", 1),
    ]
    assert "image_input" not in built.authored


def test_first_and_last_frame_find_the_fields_of_each_model() -> None:
    frames = medium("end_frame", "b.png"), medium("start_frame", "a.png")

    assert ask_of("kling-3.0/video", *frames, prompt="He waits").input["image_urls"] == [
        "file:a.png",
        "file:b.png",
    ]
    seedance = ask_of("bytedance/seedance-2", *frames, prompt="He waits").input
    assert (seedance["first_frame_url"], seedance["last_frame_url"]) == ("file:a.png", "file:b.png")
    kling = ask_of("kling/v2-1-pro", *frames, prompt="He waits").input
    assert (kling["image_url"], kling["tail_image_url"]) == ("file:a.png", "file:b.png")


def test_references_are_sorted_by_what_they_are() -> None:
    built = ask_of(
        "bytedance/seedance-2",
        medium("references", "a.png"),
        medium("references", "b.mp4"),
        medium("references", "c.mp3"),
        medium("references", ShotOutput(Slot(1)), kind="video"),
        medium("references", WebURL("https://example.com/d.wav?x=1")),
        prompt="He waits",
    )

    assert built.input["reference_image_urls"] == ["file:a.png"]
    assert built.input["reference_video_urls"] == ["file:b.mp4", "shot:1"]
    assert built.input["reference_audio_urls"] == ["file:c.mp3", "https://example.com/d.wav?x=1"]


def test_references_of_a_clip_set_the_mode_that_they_need_without_entering_the_fingerprint() -> None:
    built = ask_of("veo-3-1", medium("references", "a.png"), prompt="She waves", duration_s=4)

    assert built.input["generation_type"] == "REFERENCE_2_VIDEO"
    assert "generation_type" not in built.authored
    assert "duration" not in built.input, "references make 8 seconds, whatever the shot lasts"
    assert not errors(built)


def test_a_list_of_objects_says_under_which_key_its_medium_stands() -> None:
    built = ask_of("pixverse-v6/reference-to-video", medium("references", "a.png"), prompt="She waves at him")

    assert built.input["image_references"] == [{"image_url": "file:a.png"}]
    assert (built.media[0].field, built.media[0].index, built.media[0].key) == (
        "image_references",
        0,
        "image_url",
    )


def test_the_task_of_another_shot_goes_where_a_task_is_wanted() -> None:
    built = ask_of("grok-imagine/upscale", medium("source", ShotOutput(Slot(2, "a"), as_task=True)))

    assert built.input == {"task_id": "task:2a"}
    assert not errors(built)


@pytest.mark.parametrize(
    ("model", "media", "field", "message"),
    [
        ("google/imagen4", [("references", "a.png")], "references", "takes no `references`"),
        ("qwen/image-edit", [("references", "a.png")], "references", "takes no `references`"),
        ("kling-3.0/video", [("end_frame", "a.png")], "end_frame", "needs a `start_frame`"),
        (
            "kling-3.0/video",
            [("start_frame", "a.mp4")],
            "start_frame",
            "takes a picture as `start_frame`, found a clip",
        ),
        ("qwen/image-edit", [("source", "a.png"), ("source", "b.png")], "source", "found 2"),
        ("recraft/crisp-upscale", [], "source", "needs a picture as `source`"),
        ("kling-2.6/image-to-video", [], "start_frame", "needs a picture as `start_frame`"),
        (
            "nano-banana-pro",
            [("references", f"{i}.png") for i in range(9)],
            "references",
            "at most 8 pictures",
        ),
        (
            "veo-3-1",
            [("start_frame", "a.png"), ("references", "b.png")],
            "references",
            "either frames or references",
        ),
        (
            "bytedance/seedance-2",
            [("start_frame", "a.png"), ("references", "b.png")],
            "references",
            "not both",
        ),
    ],
)
def test_media_that_a_model_cannot_use_are_refused_at_their_role(
    model: str, media: list[tuple[str, str]], field: str, message: str
) -> None:
    found = errors(ask_of(model, *(medium(*m) for m in media), prompt="" if "crisp" in model else "He waits"))

    assert any(f.field == field and message in f.message for f in found), found


def test_a_model_that_starts_from_a_task_says_how_to_name_one() -> None:
    found = errors(ask_of("grok-imagine/upscale", medium("source", ShotOutput(Slot(2, "a")))))
    other = errors(
        ask_of("nano-banana-2", medium("source", ShotOutput(Slot(2, "a"), as_task=True)), prompt="a boat")
    )

    assert found[0].hint == "write `{shot: 2a, as: task}`"
    assert "cannot start from another shot's task" in other[0].message


def test_addresses_in_a_raw_field_are_media_and_paths_are_not() -> None:
    raw = ask_of(
        "nano-banana-2", prompt="a boat", params={"image_input": ["https://example.com/a.png?sig=1"]}
    )
    role = ask_of(
        "nano-banana-2", medium("source", WebURL("https://example.com/a.png?sig=1")), prompt="a boat"
    )
    path = ask_of("nano-banana-2", prompt="a boat", params={"image_input": ["refs/a.png"]})

    assert raw.media == role.media
    assert raw.authored == role.authored == {"prompt": "a boat"}
    assert errors(path)[0].code == "local-path"
    assert "image_input" not in path.input


def test_a_path_deep_in_a_raw_field_never_reaches_the_api() -> None:
    elements = [
        {"name": "keeper", "description": "a man", "element_input_urls": ["refs/a.png", "refs/b.png"]}
    ]

    found = errors(ask_of("kling-3.0/video", prompt="@keeper waits", params={"kling_elements": elements}))

    assert {f.code for f in found} == {"local-path"}


def test_a_path_for_a_model_that_nobody_knows_never_reaches_the_api() -> None:
    built = build(
        catalogue.unknown("new/model", "image"), Ask(params={"pictures": ["refs/a.png"], "mood": "calm.ish"})
    )

    assert [f.code for f in errors(built)] == ["local-path"]


def test_documents_in_a_raw_field_must_be_addresses_too() -> None:
    found = errors(
        ask_of("wan/3-0-video", prompt="Waves break", params={"reference_file_urls": ["plan.pdf"]})
    )

    assert [f.code for f in found] == ["local-path"]


def test_a_renewed_signature_deep_in_a_raw_field_is_the_same_wish() -> None:
    def wish(signature: str) -> Built:
        url = f"https://example.com/a.png?X-Amz-Signature={signature}"
        elements = [{"name": "keeper", "description": "a man", "element_input_urls": [url, url]}]
        return ask_of("kling-3.0/video", prompt="@keeper waits", params={"kling_elements": elements})

    assert wish("1").authored == wish("2").authored
    assert wish("1").input != wish("2").input


def test_a_role_and_the_raw_field_for_it_are_said_twice() -> None:
    built = ask_of(
        "nano-banana-2",
        medium("source", "a.png"),
        prompt="a boat",
        params={"image_input": ["https://example.com/b.png"]},
    )

    assert [f.code for f in errors(built)] == ["said-twice"]


# --- friendly fields


@pytest.mark.parametrize(
    ("model", "friendly", "raw"),
    [
        ("seedream/4.5-text-to-image", {"resolution": "4K"}, {"quality": "high"}),
        ("seedream/5-pro-text-to-image", {"resolution": "2k"}, {"quality": "high"}),
        ("ideogram/v3-text-to-image", {"aspect_ratio": "16:9"}, {"image_size": "landscape_16_9"}),
        ("qwen2/text-to-image", {"aspect_ratio": "16:9"}, {"image_size": "16:9"}),
        ("4o-image-api", {"aspect_ratio": "3:2"}, {"size": "3:2"}),
        ("runway", {"resolution": "1080p", "duration": 5, "aspect_ratio": "16:9"}, {"quality": "1080p", "duration": 5, "aspect_ratio": "16:9"}),
        ("kling-3.0/video", {"resolution": "720p", "duration": 5}, {"mode": "std", "duration": "5"}),
        ("kling-3.0/video", {"duration": "5s"}, {"duration": "5"}),
        ("wan/2-7-text-to-video", {"aspect_ratio": "16:9"}, {"ratio": "16:9"}),
        ("wan/2-7-image", {"count": 2}, {"n": 2}),
        ("bytedance/seedream-v4-text-to-image", {"resolution": "4K", "count": 3}, {"image_resolution": "4K", "max_images": 3}),
        ("google/imagen4", {"seed": 7}, {"seed": "7"}),
        ("google/imagen4-fast", {"seed": "7"}, {"seed": 7}),
        ("bytedance/seedance-2", {"resolution": "4K"}, {"resolution": "4k"}),
        ("hailuo/02-text-to-video-standard", {"duration": 6}, {"duration": "6"}),
        ("veo-3-1", {"aspect_ratio": "auto"}, {"aspect_ratio": "Auto"}),
    ],
)  # fmt: skip
def test_the_friendly_and_the_raw_spelling_are_one_wish(
    model: str, friendly: dict[str, JSON], raw: dict[str, JSON]
) -> None:
    first = ask_of(model, prompt="Waves break on the rocks", params=friendly)
    second = ask_of(model, prompt="Waves break on the rocks", params=raw)

    assert not errors(first)
    assert first.input == second.input
    assert first.authored == second.authored


def test_every_friendly_value_of_every_model_is_its_own_value_in_other_words() -> None:
    for model in MODELS.values():
        for friendly, target in model.fields.items():
            for said, own in (target.values or {}).items():
                first = build(model, Ask(params={friendly: said}))
                second = build(model, Ask(params={target.name: own}))

                assert first.input[target.name] == second.input[target.name] == own, (
                    model.id,
                    friendly,
                    said,
                )
                assert first.authored == second.authored


def test_saying_both_is_an_error() -> None:
    built = ask_of(
        "seedream/4.5-text-to-image", prompt="a boat", params={"quality": "high", "resolution": "4K"}
    )

    assert [(f.field, f.code) for f in errors(built)] == [("params.resolution", "said-twice")]


def test_a_prompt_said_as_a_param_too_is_said_twice() -> None:
    found = errors(ask_of("nano-banana-2", prompt="a boat", params={"prompt": "a ship"}))

    assert found[0].message == "`params.prompt` and `prompt` both set `prompt`"


def test_a_prompt_goes_where_the_model_has_its_text() -> None:
    assert ask_of("elevenlabs/text-to-speech-turbo-2-5", prompt="Hello").input["text"] == "Hello"
    assert ask_of("ai-music-api/boost-music-style", prompt="calm").input["content"] == "calm"
    turns = ask_of("google/gemini-3-1-flash-tts", prompt="Hello", voice="Puck").input
    assert turns["dialogue_turns"] == [{"speaker_id": "Speaker 1", "text": "Hello"}]
    assert [under(one, "voice_name") for one in as_list(turns["speakers"])] == ["Puck"]


def test_voices_go_by_name_and_an_unknown_one_is_sent_as_written() -> None:
    model = "elevenlabs/text-to-speech-multilingual-v2"

    assert ask_of(model, prompt="Hello", voice="rachel").input["voice"] == "21m00Tcm4TlvDq8ikWAM"
    assert ask_of(model, prompt="Hello", params={"voice": "James"}).input["voice"] == "EkK5I93UQWFDigLMpZcX"
    unknown = ask_of(model, prompt="Hello", voice="Jamse")
    assert unknown.input["voice"] == "Jamse"
    assert (warnings(unknown)[0].code, warnings(unknown)[0].hint) == (
        "unknown-voice",
        "did you mean `James`?",
    )
    assert errors(ask_of("nano-banana-2", prompt="a boat", voice="James"))[0].code == "no-voice"


def test_the_name_and_the_id_of_a_voice_are_one_wish() -> None:
    model = "elevenlabs/text-to-speech-multilingual-v2"

    assert (
        ask_of(model, prompt="Hello", voice="James").authored
        == ask_of(model, prompt="Hello", params={"voice": "EkK5I93UQWFDigLMpZcX"}).authored
    )


# --- lengths, defaults, negatives, seeds


@pytest.mark.parametrize(
    ("model", "lasts", "sent"),
    [
        ("kling-2.6/text-to-video", 3, "5"),
        ("kling-2.6/text-to-video", 5, "5"),
        ("kling-2.6/text-to-video", 5.5, "10"),
        ("kling-3.0/video", 4.2, "5"),
        ("veo-3-1", 5, 6),
        ("bytedance/seedance-2", 2, 4),
        ("grok-imagine/text-to-video", 9.5, 10),
        ("runway", 6, 10),
    ],
)
def test_a_shots_length_takes_the_smallest_that_is_not_shorter(model: str, lasts: float, sent: JSON) -> None:
    built = ask_of(
        model, prompt="Waves break on the rocks", duration_s=lasts, params={"aspect_ratio": "16:9"}
    )

    assert built.input["duration"] == sent
    assert "duration" in built.defaulted
    assert built.authored["duration"] == sent, "a length filled from the shot counts as it is sent"


def test_a_shot_longer_than_the_model_makes_is_refused_with_the_longest() -> None:
    found = errors(ask_of("kling-2.6/text-to-video", prompt="He waits", duration_s=12))

    assert (found[0].field, found[0].code) == ("duration", "too-long")
    assert "params: {duration: 10}" in found[0].hint


def test_params_leave_the_shots_length_alone() -> None:
    built = ask_of("kling-2.6/text-to-video", prompt="He waits", duration_s=12, params={"duration": 5})

    assert built.input["duration"] == "5"
    assert not errors(built)


def test_a_length_that_a_mode_does_not_take_is_left_to_the_service() -> None:
    simple = ask_of("ai-music-api/generate", prompt="calm piano", duration_s=30)
    custom = ask_of(
        "ai-music-api/generate",
        prompt="la la",
        duration_s=30,
        params={"custom_mode": True, "title": "Sea", "style": "piano"},
    )

    assert "duration" not in simple.input
    assert custom.input["duration"] == 30


def test_required_fields_with_a_default_are_filled_named_and_not_fingerprinted() -> None:
    built = ask_of("kling-3.0/video", prompt="He waits")

    assert set(built.defaulted) == {"sound", "duration", "mode", "multi_shots", "aspect_ratio"}
    assert built.authored == {"prompt": "He waits"}
    assert not errors(built)


def test_defaults_go_only_to_models_that_have_the_field() -> None:
    defaults: dict[str, JSON] = {"aspect_ratio": "16:9", "output_format": "png", "sound": True}

    assert ask_of("nano-banana-pro", prompt="a boat", default_params=defaults).input == {
        "prompt": "a boat",
        "aspect_ratio": "16:9",
        "output_format": "png",
    }
    music = ask_of("ai-music-api/generate", prompt="calm piano", default_params=defaults)
    assert not set(defaults) & set(music.input)


def test_a_default_that_this_model_does_not_take_is_said_and_not_sent() -> None:
    built = ask_of("kling-3.0/video", prompt="He waits", default_params={"aspect_ratio": "21:9"})

    assert "aspect_ratio" in built.input or not built.input.get("aspect_ratio")
    assert [f.code for f in warnings(built)] == ["default-not-taken"]
    assert built.input.get("aspect_ratio") != "21:9"


@pytest.mark.parametrize(
    ("model", "defaults", "media", "dropped", "sent"),
    [
        ("gpt-image-2-text-to-image", {"resolution": "4K"}, [], True, {}),
        (
            "gpt-image-2-text-to-image",
            {"resolution": "4K", "aspect_ratio": "16:9"},
            [],
            False,
            {"resolution": "4K"},
        ),
        (
            "kling-3.0-omni/image-to-video",
            {"aspect_ratio": "16:9"},
            ["start_frame"],
            True,
            {"aspect_ratio": "auto"},
        ),
        ("kling-2.6/text-to-video", {"sound": True}, [], False, {"sound": True}),
    ],
)
def test_a_default_that_breaks_a_rule_between_fields_is_said_and_not_sent(
    model: str, defaults: dict[str, JSON], media: list[str], dropped: bool, sent: dict[str, JSON]
) -> None:
    built = ask_of(
        model, *(medium(role, "a.png") for role in media), prompt="Waves break", default_params=defaults
    )

    assert not errors(built)
    assert ("default-not-taken" in [f.code for f in warnings(built)]) is dropped
    assert sent.items() <= built.input.items()


def test_a_shots_own_params_win_over_the_defaults() -> None:
    built = ask_of(
        "nano-banana-pro",
        prompt="a boat",
        params={"aspect_ratio": "1:1"},
        default_params={"aspect_ratio": "16:9"},
    )

    assert built.input["aspect_ratio"] == "1:1"
    assert not built.findings


def test_a_negative_prompt_is_sent_warned_about_or_folded_but_never_silently_dropped() -> None:
    has = ask_of("ideogram/v3-text-to-image", prompt="a boat", negative=("text", "logo"))
    lacks = ask_of("nano-banana-2", prompt="a boat", negative=("text", "logo"))
    folded = ask_of("nano-banana-2", prompt="a boat", negative=("text", "logo"), fold_negative=True)

    assert has.authored["negative_prompt"] == "text, logo"
    assert [(f.field, f.code) for f in warnings(lacks)] == [("negative_prompt", "no-negative-prompt")]
    assert folded.input["prompt"] == "a boat. Avoid: text, logo."
    assert not folded.findings


def test_a_seed_is_sent_in_the_models_own_type_or_warned_about() -> None:
    assert ask_of("google/imagen4", prompt="a boat", seed=5).input["seed"] == "5"
    assert ask_of("wan/2-7-image", prompt="a boat", seed=5).input["seed"] == 5
    assert [f.code for f in warnings(ask_of("nano-banana-2", prompt="a boat", seed=5))] == ["no-seed"]


def test_takes_on_a_model_with_a_fixed_seed_are_warned_about() -> None:
    assert [f.code for f in warnings(ask_of("qwen3/text-to-image", prompt="a boat", takes=3))] == [
        "same-seed"
    ]
    assert not warnings(ask_of("qwen3/text-to-image", prompt="a boat", takes=3, seed=4))
    assert not warnings(ask_of("nano-banana-2", prompt="a boat", takes=3))


# --- what is refused, and how it is said


@pytest.mark.parametrize(
    ("model", "params", "field", "message", "hint"),
    [
        ("nano-banana-2", {"aspect_ratio": "16:10"}, "params.aspect_ratio", "cannot be `16:10`", "nearest is `3:2`"),
        ("nano-banana-2", {"resolution": "8K"}, "params.resolution", "cannot be `8K`", "nearest is `4K`"),
        ("ideogram/v3-text-to-image", {"aspect_ratio": "21:9"}, "params.aspect_ratio", "`21:9`", "nearest is `16:9`"),
        ("4o-image-api", {"aspect_ratio": "16:9"}, "params.aspect_ratio", "cannot be `16:9`", "nearest is `3:2`"),
        ("kling-2.6/text-to-video", {"duration": 7}, "params.duration", "cannot be `7`", "`5` or `10`"),
        ("nano-banana-2", {"resolutoin": "4K"}, "params.resolutoin", "has no field `resolutoin`", "did you mean `resolution`?"),
        ("nano-banana-2", {"duration": 5}, "params.duration", "has no `duration`", "cannot be chosen"),
        ("nano-banana-2", {"count": 4}, "params.count", "has no `count`", "takes: N"),
        ("qwen/text-to-image", {"guidance_scale": 30}, "params.guidance_scale", "at most 20, found 30", "0 to 20"),
        ("qwen/text-to-image", {"num_inference_steps": "many"}, "params.num_inference_steps", "a whole number", ""),
        ("nano-banana-pro", {"input_prompt": "x"}, "params.input_prompt", "no field `input_prompt`", "write `prompt`"),
        ("nano-banana-pro", {"variants": 2}, "params.variants", "no field `variants`", "takes: N"),
        ("nano-banana-pro", {"X-API-KEY": "k"}, "params.X-API-KEY", "no field", "KIE_API_KEY"),
        ("nano-banana-pro", {"callBackUrl": "https://x.example"}, "params.callBackUrl", "no field", "polled"),
        ("gpt-image-2-text-to-image", {"resolution": "4K"}, "params.resolution", "with `aspect_ratio: auto`", "`1K`"),
        ("flux1-kontext", {"safety_tolerance": 9}, "params.safety_tolerance", "cannot be `9`", "nearest is `6`"),
        ("grok-imagine-image-2-0/text-to-image", {}, "params", "needs `aspect_ratio`", "`16:9`"),
    ],
)  # fmt: skip
def test_messages_name_the_field_as_written_what_is_allowed_and_the_nearest_fit(
    model: str, params: dict[str, JSON], field: str, message: str, hint: str
) -> None:
    found = errors(ask_of(model, prompt="Waves break on the rocks", params=params))

    assert len(found) == 1, found
    assert found[0].field == field
    assert message in found[0].message
    assert hint in found[0].hint


def test_a_prompt_is_measured_in_characters() -> None:
    fits, over = "漁" * 1000, "漁" * 1001

    assert not errors(ask_of("z-image", prompt=fits, params={"aspect_ratio": "1:1"}))
    found = errors(ask_of("z-image", prompt=over, params={"aspect_ratio": "1:1"}))
    assert (found[0].field, found[0].code, found[0].hint) == ("prompt", "too-long", "1 too many")


def test_names_in_a_kling_prompt_count_more_than_they_are_long() -> None:
    text = "@keeper " + "a" * 2485

    assert "counts as" in errors(ask_of("kling-3.0/video", prompt=text))[0].message


def test_a_model_without_a_prompt_says_so() -> None:
    found = errors(ask_of("topaz/image-upscale", medium("source", "a.png"), prompt="sharper"))

    assert [(f.field, f.code) for f in found] == [("prompt", "no-prompt")]


def test_integers_beyond_what_json_readers_keep_are_refused() -> None:
    found = errors(ask_of("qwen/text-to-image", prompt="a boat", seed=2**53 + 1))

    assert [f.code for f in found] == ["too-large"]


def test_older_withdrawn_and_dying_things_are_said() -> None:
    old = ask_of("veo3_fast", prompt="Waves break on the rocks")
    gone = build(MODELS["video:sora-2-text-to-video"], Ask(prompt="Waves"))
    engine = ask_of("ai-music-api/generate", prompt="calm", params={"model": "V5"})

    assert [(f.field, f.code) for f in warnings(old)] == [("model", "superseded")]
    assert warnings(old)[0].hint == "`veo-3-1` takes its place, whose tier is named by params.model"
    assert errors(gone)[0].code == "withdrawn"
    assert [f.code for f in warnings(engine)] == ["discontinued-value"]


def test_a_model_that_makes_many_pictures_unless_told_otherwise_is_warned_about() -> None:
    many = ask_of("wan/2-7-image", prompt="a boat")

    assert [f.code for f in warnings(many)] == ["many-outputs"]
    assert "4 pictures" in warnings(many)[0].message
    assert "count: 1" in warnings(many)[0].hint
    assert not warnings(ask_of("wan/2-7-image", prompt="a boat", params={"count": 1}))


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        (
            "bytedance/seedance-2",
            {"resolution": "4K"},
            "`resolution: 4K` makes this job 1040 credits instead of 205",
        ),
        ("gpt-image/1.5-text-to-image", {"quality": "high"}, "22 credits instead of 4"),
        ("kling-3.0/video", {"mode": "4K"}, "335 credits instead of 90"),
        ("kling-3.0/video", {"sound": True}, ""),
        ("kling-3.0/video", {"duration": 15}, ""),
        ("bytedance/seedance-2", {"resolution": "1080p"}, ""),
    ],
)
def test_an_option_that_multiplies_the_price_is_warned_about(
    model: str, params: dict[str, JSON], message: str
) -> None:
    found = [
        f
        for f in warnings(ask_of(model, prompt="Waves break on the rocks", params=params))
        if f.code == "dear-option"
    ]

    assert bool(found) is bool(message)
    assert not message or message in found[0].message


def test_a_field_that_an_unsure_entry_does_not_have_is_sent_with_a_warning() -> None:
    built = ask_of("flux1-kontext", prompt="Make the coat red", params={"model": "flux-kontext-max"})

    assert built.input["model"] == "flux-kontext-max"
    assert [f.code for f in warnings(built)] == ["unsure-field"]


def test_a_model_that_nobody_knows_gets_its_params_as_they_are() -> None:
    built = build(catalogue.unknown("new/model", "image"), Ask(prompt="a boat", params={"size": 3}))

    assert built.input == {"size": 3, "prompt": "a boat"}
    assert not built.findings


@given(
    st.sampled_from(sorted(k for k, m in MODELS.items() if m.status == "current")),
    st.dictionaries(st.sampled_from(["aspect_ratio", "resolution", "duration", "seed", "count", "quality", "n"]), st.one_of(st.integers(-5, 2**60), st.text(max_size=8), st.booleans(), st.none(), st.lists(st.integers(), max_size=2)), max_size=3),
    st.text(max_size=40),
)  # fmt: skip
def test_nothing_that_a_person_can_write_breaks_the_builder(
    key: str, params: dict[str, JSON], prompt: str
) -> None:
    built = build(MODELS[key], Ask(prompt=prompt, params=params, duration_s=5, seed=3, takes=2))

    assert set(built.authored) <= set(built.input) | {"prompt", "voice"}
    assert all(f.field and f.message for f in built.findings)


# --- files


class Known(TypedDict, total=False):
    size_bytes: int
    width: int
    height: int
    duration_s: float


def facts(kind: Modality = "image", extension: str = ".png", **known: Unpack[Known]) -> MediaFacts:
    media_type = {".png": "image/png", ".gif": "image/gif", ".mp4": "video/mp4", ".mp3": "audio/mpeg"}[
        extension
    ]
    return MediaFacts(kind=kind, media_type=media_type, extension=extension, **known)


def checked(model: str, role: str, file: MediaFacts, **sent: JSON) -> list[Finding]:
    found = CATALOGUE.resolve(model)
    kind = "video" if file.kind == "video" else "audio" if file.kind == "audio" else "image"
    field = found.roles[role][kind] if kind in found.roles[role] else next(iter(found.roles[role].values()))
    media = (Media(role=role, field=field, index=0, ref=LocalFile("a.png")),)
    return list(check_media(found, media, {"file:a.png": file}, sent))


MB = 1024 * 1024


@pytest.mark.parametrize(
    ("model", "role", "file", "code"),
    [
        ("nano-banana-2", "references", facts(size_bytes=29 * MB, width=100, height=100), None),
        ("nano-banana-2", "references", facts(size_bytes=31 * MB), "too-large"),
        ("nano-banana-2", "references", facts(extension=".gif"), "wrong-format"),
        ("nano-banana-2", "references", facts("video", ".mp4"), "wrong-kind"),
        ("recraft/remove-background", "source", facts(width=200, height=800), "too-small"),
        ("recraft/remove-background", "source", facts(width=5000, height=3000), "too-large"),
        ("bytedance/seedance-2", "start_frame", facts(width=3000, height=400), "wrong-shape"),
        ("bytedance/seedance-2", "start_frame", facts(width=1920, height=1080), None),
        ("bytedance/seedance-2", "references", facts("video", ".mp4", duration_s=16.0, width=1000, height=700), "too-long"),
        ("kling-3.0/motion-control", "source", facts("video", ".mp4", duration_s=2.0, width=800, height=800), "too-short"),
        ("seedream/5-pro-layer-decomposition", "source", facts(width=400, height=400), "too-small"),
    ],
)  # fmt: skip
def test_files_are_measured_before_any_upload(
    model: str, role: str, file: MediaFacts, code: str | None
) -> None:
    assert [f.code for f in checked(model, role, file)] == ([code] if code else [])


def test_seconds_of_all_references_together_have_a_limit() -> None:
    model = CATALOGUE.resolve("bytedance/seedance-2")
    media = tuple(
        Media(role="references", field="reference_video_urls", index=i, ref=LocalFile(f"{i}"))
        for i in range(2)
    )
    long = facts("video", ".mp4", duration_s=9.0, width=1000, height=700)

    found = check_media(model, media, {"file:0": long, "file:1": long})

    assert "15 s in all" in found[0].message


@pytest.mark.parametrize(
    "model", [k for k, m in MODELS.items() if any(r.get("kind") == "same_size" for r in m.constraints)]
)
def test_a_mask_must_have_the_size_of_its_picture(model: str) -> None:
    rule = next(r for r in MODELS[model].constraints if r.get("kind") == "same_size")
    picture, mask = (
        Media(role=role, field=f, index=None, ref=LocalFile(role))
        for role, f in zip(("source", "mask"), rule["fields"], strict=True)
    )
    sizes = {"file:source": facts(width=800, height=600), "file:mask": facts(width=800, height=601)}

    assert [f.code for f in check_media(MODELS[model], (picture, mask), sizes)] == ["mask-size"]
    assert check_media(MODELS[model], (picture, mask), {**sizes, "file:mask": sizes["file:source"]}) == ()


@pytest.mark.parametrize(
    ("model", "sent", "seconds", "refused"),
    [
        ("kling-2.6/motion-control", {"character_orientation": "image"}, 12.0, True),
        ("kling-2.6/motion-control", {"character_orientation": "video"}, 12.0, False),
        ("kling-3.0/motion-control", {"character_orientation": "image"}, 12.0, True),
        ("kling-3.0/motion-control", {}, 12.0, False),
    ],
)
def test_how_long_a_driving_clip_may_be_depends_on_the_orientation(
    model: str, sent: dict[str, JSON], seconds: float, refused: bool
) -> None:
    found = checked(
        model, "source", facts("video", ".mp4", duration_s=seconds, width=800, height=800), **sent
    )

    assert bool(found) is refused


@pytest.mark.parametrize("model", ["wan/3-0-video", "wan/3-0-video-prime"])
def test_seconds_that_go_in_and_come_out_have_a_limit_together(model: str) -> None:
    found = MODELS[f"video:{model}"]
    media = tuple(
        Media(role="references", field="reference_video_urls", index=i, ref=LocalFile(f"{i}"))
        for i in range(2)
    )
    known = {f"file:{i}": facts("video", ".mp4", duration_s=9.0, width=1000, height=700) for i in range(2)}

    assert any(
        "together" in f.message
        for f in check_media(
            found, media, known, {"duration": 15, "reference_video_urls": ["file:0", "file:1"]}
        )
    )
    assert not any(
        "together" in f.message
        for f in check_media(
            found, media, known, {"duration": 5, "reference_video_urls": ["file:0", "file:1"]}
        )
    )


def test_an_enlargement_that_would_be_too_large_is_refused() -> None:
    big = facts(width=9000, height=4000)

    assert [f.code for f in checked("topaz/image-upscale", "source", big, upscale_factor="4")] == [
        "too-large"
    ]
    assert checked("topaz/image-upscale", "source", big, upscale_factor="1") == []
