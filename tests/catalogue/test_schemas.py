"""A law of the whole catalogue: what an entry's own schema allows passes, and each single violation is refused.

The violation is refused naming the author's word for the field, whatever the model calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch import catalogue
from kiebatch.catalogue import Model
from kiebatch.catalogue.inputs import Built, build
from kiebatch.catalogue.shapes import Schema
from kiebatch.model import JSON, Ask
from kiebatch.testing.fixtures import raw_requests

MODELS = {f"{m.modality}:{m.id}": m for m in catalogue.load().all() if m.status == "current"}
JOBS = raw_requests()


def violations(schema: Schema) -> Iterator[JSON]:
    """Yield values that a schema does not allow, one for each of its limits."""
    if "enum" in schema:
        yield "none of these"
    kind = schema.get("type")
    if kind == "string" and "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if kind in ("integer", "number") and "anyOf" not in schema and "enum" not in schema:
        if "maximum" in schema:
            yield schema["maximum"] + 1
        if "minimum" in schema:
            yield schema["minimum"] - 1
        yield "not a number"
    if kind == "boolean":
        yield "maybe"
    if kind == "array":
        yield {"a": "mapping"}


def shot_of(model: Model, sent: Mapping[str, JSON]) -> Ask:
    """Return a shot as an author writes it: the prompt as a prompt, the rest under `params`."""
    target = model.fields.get("prompt")
    prompt = sent.get(target.name) if target and target.wrap is None else None
    if target is None or not isinstance(prompt, str):
        return Ask(params=sent)
    return Ask(prompt=prompt, params={name: value for name, value in sent.items() if name != target.name})


def named(model: Model, name: str) -> set[str]:
    """Return the words by which an author may know a field."""
    return {name} | {friendly for friendly, target in model.fields.items() if target.name == name}


def refusals(built: Built) -> list[str]:
    return [f"{f.field} {f.message}" for f in built.findings if f.severity == "error"]


def fields(model: Model) -> Iterable[tuple[str, Schema]]:
    media = {name for roles in model.roles.values() for name in roles.values()}
    return [(n, s) for n, s in model.properties.items() if n not in media and "media" not in s]


@pytest.mark.parametrize("key", MODELS)
def test_each_single_violation_is_refused_naming_the_authors_field(key: str) -> None:
    model = MODELS[key]
    right = JOBS[key]["pass"]

    for name, schema in fields(model):
        for wrong in violations(schema):
            lines = refusals(build(model, shot_of(model, {**right, name: wrong})))
            assert any(word in line for word in named(model, name) for line in lines), (name, wrong, lines)


@given(st.data())
def test_any_value_that_the_schema_lists_passes_its_own_field(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(MODELS)))
    model = MODELS[key]
    listed = [(name, schema) for name, schema in fields(model) if schema.get("enum")]
    if not listed:
        return
    name, schema = data.draw(st.sampled_from(listed))
    value = data.draw(st.sampled_from(schema["enum"]))

    built = build(model, shot_of(model, {**JOBS[key]["pass"], name: value}))

    refused = [f for f in built.findings if f.severity == "error" and f.code == "not-allowed"]
    assert not any(word in f.field for word in named(model, name) for f in refused)


@given(st.data())
def test_a_field_that_no_entry_has_is_refused_where_the_entry_is_sure(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(MODELS)))
    model = MODELS[key]
    name = data.draw(st.from_regex(r"zz_[a-z]{3,12}", fullmatch=True))

    built = build(model, shot_of(model, {**JOBS[key]["pass"], name: 1}))

    sure = model.input.get("additionalProperties", True) is False
    assert any(name in line for line in refusals(built)) is sure
