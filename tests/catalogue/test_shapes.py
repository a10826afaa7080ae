"""The forms that the type checker goes by say what the schema of model files says."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from kiebatch import formats
from kiebatch.catalogue import Catalogue, shapes
from kiebatch.model import as_json, as_list, as_mapping, json_of, under

DEFINITIONS = under(formats.load("model"), "$defs")


@pytest.mark.parametrize(
    ("form", "path"),
    [
        (shapes.Entry, ("model",)),
        (shapes.Entry, ("patch",)),
        (shapes.Rule, ("constraint",)),
        (shapes.Condition, ("condition",)),
        (shapes.PriceRow, ("price",)),
        (shapes.PriceRow, ("patched price",)),
        (shapes.MediaNote, ("media",)),
        (shapes.Fact, ("fact",)),
        (shapes.LintNote, ("model", "properties", "lint")),
        (shapes.MigrationNote, ("model", "properties", "migration")),
        (shapes.Outputs, ("model", "properties", "outputs")),
        (shapes.SecondsRule, ("model", "properties", "outputs", "properties", "seconds")),
    ],
)
def test_a_form_has_the_keys_of_the_schema(form: type, path: tuple[str, ...]) -> None:
    assert set(form.__annotations__) == set(as_mapping(under(DEFINITIONS, *path, "properties")))


def test_the_schema_of_a_field_has_three_keys_more_for_conditions_and_whole_inputs() -> None:
    in_schema = set(as_mapping(under(DEFINITIONS, "property", "properties")))

    assert set(shapes.Schema.__annotations__) - in_schema == {"const", "not", "additionalProperties"}
    assert in_schema <= set(shapes.Schema.__annotations__)


def test_prices_are_for_what_the_schema_lists() -> None:
    units = as_list(under(DEFINITIONS, "price", "properties", "per", "enum"))

    assert list(get_args(shapes.Per)) == list(units)


def test_an_entry_as_json_is_what_its_file_has(shipped: Catalogue) -> None:
    for model in shipped.all():
        assert as_json(model.raw) == model.raw


def test_what_json_has_no_word_for_becomes_its_text() -> None:
    assert json_of({"day": date(2026, 11, 27), "pair": (1, True)}) == {"day": "2026-11-27", "pair": [1, True]}
