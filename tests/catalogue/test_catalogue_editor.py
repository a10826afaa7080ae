"""The schema for editors: it completes models and parameters, passes what is right, and refuses what a run refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kiebatch import catalogue, formats
from kiebatch.catalogue import manual
from kiebatch.model import JSON, as_list, as_mapping, under
from kiebatch.scenefile import build, document
from support.places import ROOT

SCHEMA = formats.load("scenes")
VALIDATOR = Draft202012Validator(SCHEMA)
CATALOGUE = catalogue.load()
USABLE = [m for m in CATALOGUE.all() if m.status != "withdrawn"]


def problems(text: str) -> list[str]:
    return [e.message for e in VALIDATOR.iter_errors(document.read(text, "scenes.yaml").value)]


def scene(model: str, **more: JSON) -> str:
    wanted = {"id": 1, "prompt": "Waves break on the rocks", "model": model, **more}
    return "kiebatch: 1\nscenes:\n  - " + json.dumps(wanted, ensure_ascii=False) + "\n"


@pytest.mark.slow
def test_the_schema_is_sound() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_holds_every_usable_model() -> None:
    options = [as_mapping(option) for option in as_list(under(SCHEMA, "$defs", "model_id", "anyOf"))]

    assert {m.id for m in USABLE} <= {option.get("const") for option in options}
    assert all(option.get("description") for option in options if "const" in option)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").rglob("*scenes*.yaml")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_example_passes(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


def test_the_example_of_every_model_passes_in_a_run() -> None:
    for model in USABLE:
        text = manual.example(model)
        _, found = build.build(document.read(text, "scenes.yaml"), CATALOGUE)

        assert [p.message for p in found if p.severity == "error"] == [], text


@pytest.mark.slow
def test_the_example_of_every_model_passes_in_an_editor() -> None:
    for model in USABLE:
        assert problems(manual.example(model)) == [], model.id


@pytest.mark.parametrize(
    "text",
    [
        scene("nano-banana-2", params={"aspect_ratio": "16:10"}),
        scene("nano-banana-2", params={"resolutoin": "4K"}),
        scene("nano-banana-2", params={"duration": 5}),
        scene("seedream/4.5-text-to-image", params={"resolution": "8K"}),
        scene("ideogram/v3-text-to-image", params={"aspect_ratio": "21:9"}),
        scene("kling-2.6/text-to-video", params={"duration": 7}),
        scene("kling-3.0/video", params={"multi_shots": "perhaps"}),
        scene("qwen/text-to-image", params={"guidance_scale": 30}),
        scene("nano-banana-2", takes=0),
        "scenes: []\n",
        "kiebatch: 1\nscenes:\n  - {id: 1, shots: [{id: a, model: z-image, params: {aspect_ratio: 2:1}}]}\n",
        "kiebatch: 1\nscenes:\n  - {id: 1, voiceover: {text: Hello, model: elevenlabs/text-to-speech-turbo-2-5, params: {speed: 3}}}\n",
    ],
)
def test_what_a_run_refuses_an_editor_marks(text: str) -> None:
    assert problems(text) != []


@pytest.mark.parametrize(
    "text",
    [
        scene("nano-banana-2", params={"aspect_ratio": "16:9", "resolution": "4k"}),
        scene("seedream/4.5-text-to-image", params={"resolution": "4K"}),
        scene("seedream/4.5-text-to-image", params={"quality": "high"}),
        scene("kling-3.0/video", params={"duration": 5, "resolution": "720p", "sound": True}),
        scene("kling-3.0/video", params={"duration": "5"}),
        scene("grok-imagine/image-to-video", params={"duration": 8}, start_frame="a.png"),
        scene("wan/2-7-image", params={"count": 1}),
        scene("google/imagen4", params={"seed": 7}),
        scene("Veo 3.1 Fast", params={"anything": 1}),
        scene("someone/new-model", params={"anything": 1}),
        "kiebatch: 1\nscenes:\n  - {id: 1, prompt: x y z, model: [nano-banana-2, z-image]}\n",
    ],
)
def test_what_a_run_takes_an_editor_leaves_in_peace(text: str) -> None:
    assert problems(text) == []
