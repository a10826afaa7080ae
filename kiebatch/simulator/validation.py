"""Refuses what a model's schema refuses, in the provider's words (protocol 1.6)."""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch.catalogue import Model, Schema
from kiebatch.model import JSON
from kiebatch.simulator.state import Simulator
from kiebatch.simulator.wire import Refusal


def check(sim: Simulator, known: Model, given: Mapping[str, JSON]) -> None:
    """Raise `Refusal` for the first field that is missing or wrong; note the fields that no schema names.

    Numbers and switches are taken as text too, and unknown fields are taken (protocol 3.1).
    """
    for name in known.input.get("required") or ():
        if given.get(name) in (None, "", []):
            raise Refusal(sim.settings.missing_field_code, required(sim, name))
    for name, value in given.items():
        schema = known.properties.get(name)
        if schema is None:
            if known.known:
                sim.unknown_fields[f"{known.id} {name}"] += 1
        elif value is not None:
            _check_value(name, schema, value)


def required(sim: Simulator, name: str) -> str:
    """Return the text for a missing field: the newer one names none."""
    return f"{name} is required" if sim.settings.missing_field_code == 500 else "This field is required"


def _check_value(name: str, schema: Schema, value: JSON) -> None:
    options = [str(choice).lower() for choice in schema.get("enum") or ()]
    if options and str(value).lower() not in options:
        raise Refusal(422, f"{name} is not within the range of allowed options")
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        raise Refusal(422, f"{name} exceeds range: at most {schema['maxLength']} characters")
    if isinstance(value, list):
        _check_items(name, schema, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(name, schema, value)
    _check_type(name, schema.get("type", ""), value)


def _check_number(name: str, schema: Schema, value: float) -> None:
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    if not low <= value <= high:
        raise Refusal(422, f"{name} out of range: {low} to {high}")


def _check_items(name: str, schema: Schema, value: list[JSON]) -> None:
    if len(value) > schema.get("maxItems", len(value)):
        raise Refusal(422, f"{name} exceeds range: at most {schema['maxItems']} items")
    if len(value) < schema.get("minItems", 0):
        raise Refusal(422, f"{name} is required")


def _check_type(name: str, wanted: str, value: JSON) -> None:
    if wanted in ("array", "object") and not isinstance(value, list if wanted == "array" else Mapping):
        raise Refusal(422, f"{name} does not match: expected {wanted}")
    if wanted == "string" and isinstance(value, list | Mapping):
        raise Refusal(422, f"{name} does not match: expected string")
