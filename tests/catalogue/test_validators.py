"""Our own look at a schema says what jsonschema says."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from kiebatch import formats
from kiebatch.catalogue import Catalogue
from kiebatch.catalogue.validators import Schema, Validator
from kiebatch.model import JSON
from kiebatch.testing import fixtures

LEAVES: list[JSON] = [
    None,
    True,
    False,
    0,
    1,
    -3,
    70,
    0.0,
    1.0,
    0.5,
    -2.5,
    1e300,
    "",
    "a",
    "1",
    "20/10s",
    "ab ab",
]
PAIRS = list(itertools.product(LEAVES, LEAVES))
NESTED: list[JSON] = [{"a": {"b": one}, "c": [two]} for one, two in PAIRS[::5]]
VALUES: list[JSON] = [
    *LEAVES,
    [],
    {},
    *([one] for one in LEAVES),
    *([one, two] for one, two in PAIRS),
    *({"a": one} for one in LEAVES),
    *({"a": one, "b": two} for one, two in PAIRS),
    *([[one], [two]] for one, two in PAIRS[::7]),
    *NESTED,
]
SCHEMAS: tuple[Schema, ...] = (
    True,
    False,
    {"type": "integer"},
    {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    {"maximum": 1, "exclusiveMinimum": -2.5},
    {"type": ["string", "null"], "minLength": 1, "maxLength": 4},
    {"enum": [1, "a", None, [True], {"a": 0}]},
    {"const": True},
    {"const": 0},
    {"pattern": "^[0-9]+/"},
    {"items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
    {"uniqueItems": True},
    {"uniqueItems": False},
    {"not": {"items": {"type": "string"}, "uniqueItems": True}},
    {"properties": {"a": {"type": "integer"}, "b": False}, "required": ["a"], "additionalProperties": False},
    {"properties": {"a": True}, "additionalProperties": {"type": "string"}},
    {"propertyNames": {"enum": ["a", "b"]}},
    {"anyOf": [{"type": "string"}, {"required": ["a"], "type": "object"}]},
    {"allOf": [{"not": {"required": ["a"]}}, {"not": {"required": ["b"]}}]},
    {
        "$defs": {"tree": {"type": ["object", "integer"], "additionalProperties": {"$ref": "#/$defs/tree"}}},
        "$ref": "#/$defs/tree",
        "description": "a tree of whole numbers",
    },
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_value_fits_here_and_there(schema: Schema) -> None:
    ours, theirs = Validator(schema), Draft202012Validator(schema)

    assert ours.test is not None
    assert [value for value in VALUES if ours.test(value) != theirs.is_valid(value)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"multipleOf": 2},
        {"properties": {"a": {"patternProperties": {"^a": False}}}},
        {"$ref": "other.json#/$defs/a"},
        {"$id": "https://schemas.test/a"},
        {"prefixItems": [True], "items": False},
        {"type": "text"},
        {"minLength": "1"},
        {"required": "a"},
        {"properties": ["a"]},
        {"items": [{"type": "string"}]},
    ],
    ids=str,
)
def test_a_schema_that_says_more_is_left_to_jsonschema(schema: Schema) -> None:
    assert Validator(schema).test is None


def test_what_does_not_fit_is_worded_by_jsonschema() -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "required": ["b"]}
    value = {"a": "x"}

    said = [(e.message, list(e.absolute_path)) for e in Validator(schema).iter_errors(value)]

    assert said == [
        (e.message, list(e.absolute_path)) for e in Draft202012Validator(schema).iter_errors(value)
    ]
    assert len(said) == 2


def altered(value: JSON) -> Iterator[JSON]:
    """Yield the value, and the value with one of its parts gone or of another kind."""
    yield value
    others: tuple[JSON, ...] = (None, True, 7, -0.5, "x", ["x", "x"], {"x": 1})
    if isinstance(value, dict):
        for name in value:
            yield {key: one for key, one in value.items() if key != name}
        for name, one in ((name, one) for name in value for one in others):
            yield {**value, name: one}
        yield {**value, "unheard-of": 1}


def test_every_schema_of_the_catalogue_is_judged_alike(shipped: Catalogue) -> None:
    samples = fixtures.requests()
    judged = 0
    for model in shipped.all():
        sample = samples.get(f"{model.modality}:{model.id}")
        schemas = [model.input, *(r[part] for r in model.constraints for part in ("if", "then") if part in r)]
        inputs = [sample.input, *(refused for _, refused in sample.refused)] if sample else [{}]
        for schema in schemas:
            ours, theirs = Validator(schema), Draft202012Validator(schema)
            assert ours.test is not None or "multipleOf" in str(schema), model.id
            for value in (ours.test and inputs) or ():
                judged += 1
                assert ours.is_valid(value) == theirs.is_valid(value), (model.id, schema, value)

    assert judged > 1000


def test_the_schema_of_scene_files_is_judged_alike() -> None:
    schema = formats.load("scenes.base")
    ours, theirs = Validator(schema), Draft202012Validator(schema)
    film: dict[str, JSON] = {
        "kiebatch": 1,
        "defaults": {"model": "nano-banana-2", "params": {"seed": 1}},
        "styles": {"storm": "storm light"},
        "characters": {"keeper": "a keeper"},
        "references": {"hall": "hall.png"},
        "run": {"rate": "20/10s", "max_credits": 5},
        "moved": {"1": 2},
    }
    scene: dict[str, JSON] = {
        "id": 1,
        "prompt": "Waves",
        "duration": 5,
        "tags": ["a", "b"],
        "references": ["hall"],
        "takes": 2,
    }
    films: list[JSON] = [{**one, "scenes": [scene]} for one in altered(film) if isinstance(one, dict)]
    films += [{**copy.deepcopy(film), "scenes": [one, scene]} for one in altered(scene)]
    films += [
        {**film, "scenes": [{"id": 1, "shots": [one]}]}
        for one in altered({**scene, "start_frame": {"shot": 2}})
    ]

    assert ours.test is not None
    verdicts = [ours.test(value) for value in films]

    assert verdicts == [theirs.is_valid(value) for value in films]
    assert {True, False} == set(verdicts)
