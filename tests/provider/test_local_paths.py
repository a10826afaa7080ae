"""A path of this machine never leaves it in a request, whoever builds the request."""

from __future__ import annotations

import pytest

from kiebatch import testing
from kiebatch.errors import Invalid
from kiebatch.model import JSON, under
from kiebatch.provider import families


@pytest.mark.parametrize(
    "job_input",
    [
        {"image_urls": ["/local/room.png"]},
        {"image_input": ["https://example.com/a.png", "refs/b.png"]},
        {"video_url": "clip"},
        {"inputImage": "~/pictures/me.jpg"},
        {"anything": {"deep": ["C:\\Users\\me\\a.png"]}},
        {"image_url": "file:refs/a.png"},
        {"first": "shot:2a"},
        {"prompt": "../secret/voice of mine.mp3"},
    ],
)
@pytest.mark.parametrize("family", ["jobs", "flux-kontext", "runway"])
def test_a_path_in_place_of_an_address_is_refused(family: str, job_input: dict[str, JSON]) -> None:
    with pytest.raises(Invalid, match="would be sent as an address"):
        families.get(family).request("m", {"prompt": "x", **job_input})


@pytest.mark.parametrize(
    "text",
    [
        "/imagine a boat",
        "16:9",
        "a boat.png drawn on paper",
        "~ a wave ~",
        "shot: a boat",
        "https://x.example/a",
    ],
)
def test_words_are_not_paths(text: str) -> None:
    body = families.get("jobs").request("m", {"prompt": text}).body

    assert body is not None
    assert under(body, "input", "prompt") == text


def test_no_request_that_a_model_takes_is_refused() -> None:
    for name, sample in testing.requests().items():
        families.get("jobs").request(name, dict(sample.input))
