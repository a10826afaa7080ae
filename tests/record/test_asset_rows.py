"""Assets as the journal and the stores keep them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from kiebatch.model import JSON, Asset
from kiebatch.record import asset_from, asset_to

FULL = Asset(
    id="clip-007",
    type="video",
    filename="assets/clips/a.mp4",
    prompt="the boat",
    model="kling-2.6",
    parameters={"input": {"prompt": "the boat", "duration": 5}},
    created_at="2026-05-04T08:00:00.000Z",
    scene_id=3,
    version=2,
    superseded_by="clip-009",
    shot="a",
    take=2,
    output=1,
    task_id="t",
    fingerprint="sha256:1",
    sha256="0" * 64,
    bytes=5,
    media_type="video/mp4",
    width=1280,
    height=720,
    duration=5.04,
    credits=55,
    draft=True,
    made_from=("img-001", "img-002"),
    extra={"note": "of another tool"},
)


def test_every_field_comes_back_as_it_was() -> None:
    usual = {field.name: field.default for field in dataclasses.fields(Asset)}

    assert all(getattr(FULL, name) != value for name, value in usual.items() if name != "output")
    assert asset_from(json.loads(json.dumps(asset_to(FULL)))) == FULL


def test_a_row_of_an_older_version_and_one_of_a_newer_are_read() -> None:
    older: dict[str, JSON] = {"id": "img-001", "type": "image", "filename": "a.png", "made_from": None}
    plain = Asset(id="img-001", type="image", filename="a.png")

    assert asset_from(older) == plain
    assert asset_from({**older, "mood": "calm"}) == plain


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 1},
        {"filename": None},
        {"prompt": []},
        {"parameters": "x"},
        {"scene_id": True},
        {"shot": 1.5},
        {"output": "1"},
        {"bytes": "5"},
        {"duration": False},
        {"draft": 1},
    ],
)
def test_what_is_not_an_asset_is_not_taken_for_one(wrong: dict[str, JSON]) -> None:
    with pytest.raises(TypeError):
        asset_from({**asset_to(FULL), **wrong})


def test_a_row_that_names_no_file_is_not_an_asset() -> None:
    with pytest.raises(KeyError):
        asset_from({"id": "img-001", "type": "image"})
