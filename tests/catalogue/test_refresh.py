"""What `models refresh` makes of the provider's listing: what is new, what differs, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from kiebatch import catalogue
from kiebatch.catalogue import Catalogue, refresh
from kiebatch.catalogue.inputs import build
from kiebatch.catalogue.refresh import Answers, Change
from kiebatch.model import JSON, Ask
from support.film import Film

NEW_INPUT: JSON = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "maxLength": 900},
        "image_urls": {"type": "array", "maxItems": 4, "items": {"type": "string", "format": "uri"}},
        "mask_url": {"type": "string"},
        "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9"]},
    },
}


def answer(
    schema: JSON, path: str = "/api/v1/jobs/createTask", more: Mapping[str, JSON] | None = None
) -> dict[str, JSON]:
    """Return the provider's answer about one model, its input behind a reference with an encoded name."""
    request: JSON = {
        "type": "object",
        "properties": {"input": {"$ref": "#/components/schemas/New%20Banana%20Input"}},
    }
    return {
        "openapi": {
            "paths": {path: {"post": {"requestBody": request}}},
            "components": {"schemas": {"New Banana Input": schema, **(more or {})}},
        }
    }


def listed(model: str, task: str = "Text to Image", words: str = "") -> dict[str, JSON]:
    return {
        "model": model,
        "title": model.title(),
        "taskType": [task],
        "provider": "Banana",
        "pricingDesc": words,
    }


def compared(
    shipped: Catalogue,
    *entries: Mapping[str, JSON],
    schemas: Mapping[str, JSON] | None = None,
    failed: Mapping[str, str] | None = None,
    kept_words: Mapping[str, str] | None = None,
) -> dict[tuple[str, str], Change]:
    answers = Answers(listed=entries, schemas=schemas or {}, failed=failed or {}, whole=False)
    found = refresh.compare(shipped, answers, today="2026-11-27", kept_words=kept_words)
    return {(change.model, change.kind): change for change in found.changes}


def test_chat_models_are_not_drafted(shipped: Catalogue) -> None:
    by_path = answer({"type": "object", "properties": {}}, path="/grok-9/v1/chat/completions")

    found = compared(
        shipped,
        listed("gpt-5-2", "Chat"),
        listed("gpt-9", "Chat"),
        listed("grok-9", ""),
        schemas={"grok-9": by_path},
    )

    assert set(found) == {("gpt-9", "chat"), ("grok-9", "chat")}
    assert all(change.entry is None for change in found.values())


def test_a_reference_with_an_encoded_name_is_followed(shipped: Catalogue) -> None:
    schema = json.loads(json.dumps(shipped.resolve("z-image").input))
    schema["properties"]["prompt"] = {"$ref": "#/components/schemas/Prompt"}
    document = answer(schema, more={"Prompt": {"type": "string", "maxLength": 5}})

    found = compared(shipped, listed("z-image"), schemas={"z-image": document})

    assert "`prompt`: maxLength was 1000, is 5" in found["z-image", "input"].words


def test_all_of_is_merged_and_one_of_is_named_as_not_compared(shipped: Catalogue) -> None:
    whole = json.loads(json.dumps(shipped.resolve("z-image").input))
    halves = {"allOf": [whole, {"properties": {"seed": {"type": "integer"}}}]}

    merged = compared(shipped, listed("z-image"), schemas={"z-image": answer(halves)})
    forms = compared(shipped, listed("z-image"), schemas={"z-image": answer({"oneOf": [whole, whole]})})
    empty = compared(shipped, listed("z-image"), schemas={"z-image": {"openapi": None}})

    assert merged["z-image", "input"].words == ("new field `seed`",)
    assert "one of 2 forms" in forms["z-image", "not-compared"].words[0]
    assert "no `input`" in empty["z-image", "not-compared"].words[0]


def test_a_circle_of_references_ends(shipped: Catalogue) -> None:
    circle = {"$ref": "#/components/schemas/New%20Banana%20Input"}

    assert ("z-image", "not-compared") in compared(
        shipped, listed("z-image"), schemas={"z-image": answer(circle)}
    )


def test_a_call_that_failed_is_said(shipped: Catalogue) -> None:
    found = compared(shipped, listed("z-image"), failed={"z-image": "429 too fast"})

    assert found["z-image", "not-compared"].words == ("its schema could not be read: 429 too fast",)


def test_price_words_are_compared_as_text_so_that_an_ended_promotion_shows(shipped: Catalogue) -> None:
    before = [listed("z-image", words="0.8 credits, promotion until 2026-12-01")]
    kept = refresh.price_words(before)

    found = compared(shipped, listed("z-image", words="1.6 credits"), kept_words=kept)

    assert found["z-image", "price-words"].words == (
        "were: 0.8 credits, promotion until 2026-12-01",
        "are: 1.6 credits",
    )
    assert not compared(shipped, *before, kept_words=kept)


def test_a_name_of_the_listing_that_is_an_alias_is_known(shipped: Catalogue) -> None:
    assert not compared(shipped, listed("gemini-omni-character"))


def test_a_draft_can_be_pasted_as_it_is(shipped: Catalogue, tmp_path: Path) -> None:
    answers = Answers(
        listed=[listed("new-banana-9", "Image to Image", "5 credits")],
        schemas={"new-banana-9": answer(NEW_INPUT)},
        whole=False,
    )
    found = refresh.compare(shipped, answers, today="2026-11-27")
    pasted = tmp_path / "mine.yaml"
    pasted.write_text(found.text, encoding="utf-8")

    model = catalogue.load([pasted]).resolve("new-banana-9")

    assert model.roles == {"references": {"image": "image_urls"}, "mask": {"image": "mask_url"}}
    assert model.input["additionalProperties"] is False
    assert build(model, Ask(prompt="A boat", params={"aspect_ratio": "16:9"})).ok
    assert not build(model, Ask(prompt="A boat", params={"aspect_ratio": "2:1"})).ok


@pytest.mark.slow
@pytest.mark.parametrize("name", ["z-image", "nano-banana-2"])
def test_write_puts_what_differs_into_the_persons_own_file(film: Film, name: str) -> None:
    import os

    found = film.command("models", "refresh", "--every", "0", "--write", "--json")
    own = Path(os.environ["KIEBATCH_CONFIG_HOME"]) / "models" / "refreshed.yaml"

    assert found.code == 0
    assert not own.exists(), "the simulator says what the files say"
    assert (own.parent.parent / "price-words.json").is_file()
    assert name in json.loads((own.parent.parent / "price-words.json").read_text(encoding="utf-8"))


def test_what_is_written_corrects_the_shipped_model(shipped: Catalogue, tmp_path: Path) -> None:
    schema = json.loads(json.dumps(shipped.resolve("z-image").input))
    schema["properties"]["prompt"]["maxLength"] = 5
    answers = Answers(listed=[listed("z-image")], schemas={"z-image": answer(schema)}, whole=False)
    found = refresh.compare(shipped, answers, today="2026-11-27")
    file = tmp_path / "refreshed.yaml"
    file.write_text(yaml.safe_dump(found.as_file()), encoding="utf-8")

    assert catalogue.load([file]).resolve("z-image").properties["prompt"]["maxLength"] == 5
