"""Jobs that differ in their words alone are built once, and each is what it would be on its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import Model, prices
from kiebatch.catalogue.inputs import Builder, build
from kiebatch.model import JSON, Ask

NOW = dt.datetime(2026, 7, 30, tzinfo=dt.UTC)
WORDS = (
    "a boat in the storm",
    "a gull, 12 seconds",
    "  blanks around  ",
    "",
    "https://example.com/a.png?token=1&sig=2",
    "@anna and @bob " * 150,
    "long " * 700,
    "longer " * 4000,
    "{brace} \u00e9 \U0001f600",
    "x",
)
ALL = catalogue.load([])


def asks(model: Model) -> Iterator[Ask]:
    """Yield asks that differ from each other in more than their words."""
    yield Ask(duration_s=5.0, takes=3)
    yield Ask(duration_s=600.0, whole_scene=True, fold_negative=True, negative=("blur",))
    yield Ask(duration_s=5.0, seed=7, negative=("blur", "text"), voice="Nobody")
    yield Ask(default_params={"aspect_ratio": "16:9", "resolution": "2K", "nothing": 1})
    yield Ask(params={"duration": 5, "no_such_field": True}, extra_params={"zoom": 1})
    yield Ask(params={"duration": 5.0, "no_such_field": 1}, extra_params={"zoom": True})
    yield Ask(params={name: own.get("default", 1) for name, own in model.properties.items()})
    for name, own in model.properties.items():
        options: list[JSON] = [*own.get("enum", ()), True, False]
        yield from (Ask(params={name: value}) for value in options)
        yield Ask(default_params={name: ["a"]}, params={name: {"a": 1}})


@pytest.mark.parametrize("model", ALL.all()[::9], ids=lambda model: f"{model.id}-{model.modality}")
def test_what_is_built_once_is_what_each_would_be_alone(model: Model) -> None:
    check(model)


@pytest.mark.slow
def test_that_holds_for_every_model() -> None:
    for model in ALL.all():
        check(model)


def check(model: Model) -> None:
    builder = Builder(at=NOW)
    for ask in asks(model):
        for text in (*WORDS, *WORDS[:3]):
            one = replace(ask, prompt=text, prompt_raw=text)

            found = builder.build(model, one)

            alone = build(model, one, on=NOW.date())
            assert found.built == alone
            assert list(found.built.input) == list(alone.input)
            assert list(found.built.authored) == list(alone.authored)
            if alone.ok:
                assert found.price == prices.price(model, alone.input, at=NOW, extra=one.extra_params)


def test_the_words_of_a_second_shot_cost_no_second_pricing() -> None:
    builder, model = Builder(at=NOW), ALL.resolve("nano-banana-2")

    first, second = (builder.build(model, Ask(prompt=text)) for text in ("a boat", "a gull"))

    assert second.price is first.price
    assert second.built.input["prompt"] == "a gull"
