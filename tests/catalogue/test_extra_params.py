"""Fields that the catalogue does not know go through `extra_params`, with the rules for media."""

from __future__ import annotations

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import Catalogue
from kiebatch.catalogue.inputs import Built, build
from kiebatch.errors import Finding
from kiebatch.model import JSON, Ask


def made(shipped: Catalogue, extra: dict[str, JSON], model: str = "nano-banana-2") -> Built:
    return build(shipped.resolve(model), Ask(prompt="A boat", extra_params=extra))


def errors(built: Built) -> list[Finding]:
    return [f for f in built.findings if f.severity == "error"]


def test_an_unknown_field_is_sent_as_it_is_with_a_warning(shipped: Catalogue) -> None:
    built = made(shipped, {"new_switch": {"depth": 3}})

    assert built.ok
    assert built.input["new_switch"] == {"depth": 3}
    assert [f.code for f in built.findings] == ["extra-params"]
    assert "the price is unknown" in built.findings[0].message


def test_it_counts_as_if_it_were_under_params(shipped: Catalogue) -> None:
    assert made(shipped, {"new_switch": 3}).authored["new_switch"] == 3


def test_a_signed_address_in_it_counts_without_its_signature(shipped: Catalogue) -> None:
    built = made(shipped, {"extra_url": "https://a.example/1.png?X-Amz-Signature=abc"})

    assert built.authored["extra_url"] == "https://a.example/1.png"


@pytest.mark.parametrize("name", ["prompt", "aspect_ratio", "image_input", "resolution"])
def test_a_field_that_the_catalogue_knows_belongs_under_params(shipped: Catalogue, name: str) -> None:
    (error,) = errors(made(shipped, {name: "x"}))

    assert (error.code, error.hint) == ("extra-params", "write it under `params`")


@pytest.mark.parametrize(
    "extra",
    [
        {"callBackUrl": "https://a.example/cb"},
        {"callback_url": "https://a.example/cb"},
        {"calBackUrl": "https://a.example/cb"},
        {"webhook": "https://a.example/cb"},
        {"options": {"callBackUrl": "https://a.example/cb"}},
    ],
)
def test_a_callback_address_is_refused_at_any_depth(shipped: Catalogue, extra: dict[str, JSON]) -> None:
    assert [f.code for f in errors(made(shipped, extra))] == ["extra-params"]


@pytest.mark.parametrize(
    "value",
    [
        "refs/keeper.png",
        ["refs/keeper.png"],
        {"image": "refs/keeper.png"},
        "file:///etc/passwd",
        "http://localhost:8000/a.png",
        "http://192.168.0.1/a.png",
        "http://169.254.169.254/latest/meta-data",
        "https://user:word@a.example/a.png",
        "data:image/png;base64,AAAA",
    ],
)
def test_paths_and_addresses_in_it_pass_the_rules_for_media(shipped: Catalogue, value: JSON) -> None:
    assert [f.code for f in errors(made(shipped, {"new_picture": value}))] == ["extra-params"]


def test_the_answer_to_a_refused_unknown_field_names_the_way_through(shipped: Catalogue) -> None:
    built = build(shipped.resolve("z-image"), Ask(prompt="A boat", params={"new_switch": 3}))

    assert "`extra_params` sends it as it is" in errors(built)[0].hint


def test_the_price_is_unknown_unless_a_row_names_the_field(shipped: Catalogue) -> None:
    model = shipped.resolve("nano-banana-2")
    sent = {"prompt": "x", "resolution": "2K"}

    assert catalogue.price(model, sent).amount == 12
    assert catalogue.price(model, {**sent, "new": 1}, extra=["new"]).amount is None
    assert catalogue.price(model, sent, extra=["resolution"]).amount == 12


def test_many_pictures_are_takes(shipped: Catalogue) -> None:
    built = build(shipped.resolve("nano-banana-2"), Ask(prompt="A boat", params={"num_images": 4}))

    assert "write `takes: N`" in errors(built)[0].hint
