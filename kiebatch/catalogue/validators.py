"""Judges values by a JSON Schema, and asks jsonschema only about what does not fit.

To import jsonschema takes longer than to plan a film, and nearly every value fits.  So a schema becomes a few nested
functions first, which say whether a value fits.  Findings are always worded by jsonschema, and so is everything about a
schema with a keyword that is not in the tables below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from kiebatch.model import JSON

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

Test = Callable[[JSON], bool]


class Validator:
    """Judges values by one schema."""

    def __init__(self, schema: JSON) -> None:
        self.schema = schema

    @cached_property
    def test(self) -> Test | None:
        """Whether a value fits, as a function; None where only jsonschema can tell."""
        try:
            return _Schema(self.schema).test(self.schema)
        except (_CannotTell, KeyError, TypeError, re.error):  # jsonschema says what is wrong with the schema
            return None

    def is_valid(self, value: JSON) -> bool:
        """Whether the value fits the schema."""
        if self.test is not None:
            return self.test(value)
        return self._whole.is_valid(value)

    def iter_errors(self, value: JSON) -> Iterable[ValidationError]:
        """Return what does not fit, as jsonschema says it."""
        if self.test is not None and self.test(value):
            return ()
        return self._whole.iter_errors(value)

    @cached_property
    def _whole(self) -> Draft202012Validator:
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema)


_validators: dict[int, Validator] = {}


def validator(schema: JSON) -> Validator:
    """Return the validator of a schema that ships, made once: 5,000 shots ask for it again and again."""
    known = _validators.get(id(schema))
    if known is None or known.schema is not schema:
        known = _validators[id(schema)] = Validator(schema)
    return known


# --- keywords ------------------------------------------------------------------------------------------


class _CannotTell(Exception):
    """A schema says something that is not in the tables."""


# They judge nothing: words for people, and notes of the catalogue.
_SILENT = frozenset(
    [
        "$comment",
        "$defs",
        "$schema",
        "default",
        "deprecated",
        "description",
        "discontinued",
        "examples",
        "format",
        "media",
        "step",
        "title",
        "unsure",
    ]
)


class _Schema:
    """A whole schema, in which `$ref` finds its parts."""

    def __init__(self, root: JSON) -> None:
        self._root = root
        self._parts: dict[str, Test] = {}

    def test(self, schema: JSON) -> Test:
        """Return the function that judges by one part of the schema."""
        if isinstance(schema, bool):
            return lambda value: schema
        tests = [
            _keyword(keyword)(self, given, schema)
            for keyword, given in schema.items()
            if keyword not in _SILENT
        ]
        if len(tests) == 1:
            return tests[0]
        return lambda value: all(test(value) for test in tests)

    def part(self, name: str) -> Test:
        """Return the function of `#/$defs/NAME`; a part may hold itself."""
        prefix, _, last = name.rpartition("/")
        if prefix != "#/$defs" or "~" in last or "%" in last:
            raise _CannotTell(name)
        if name not in self._parts:
            self._parts[name] = lambda value: self._parts[name](value)
            self._parts[name] = self.test(self._root["$defs"][last])
        return self._parts[name]


def _keyword(name: str) -> Callable[[_Schema, JSON, JSON], Test]:
    found = _KEYWORDS.get(name)
    if found is None:
        raise _CannotTell(name)
    return found


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: JSON) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: Mapping[str, Test] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_whole,
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _type(_whole: _Schema, given: JSON, _schema: JSON) -> Test:
    if isinstance(given, str):
        return _TYPES[given]
    kinds = [_TYPES[kind] for kind in given]
    return lambda value: any(fits(value) for fits in kinds)


def _same(value: JSON) -> Hashable:
    """Return what is equal for values that are equal in JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return "object", frozenset((name, _same(one)) for name, one in value.items())
    if isinstance(value, list):
        return "array", tuple(_same(one) for one in value)
    return isinstance(value, bool), value


def _enum(_whole: _Schema, given: Sequence[JSON], _schema: JSON) -> Test:
    options = {_same(one) for one in given}
    return lambda value: _same(value) in options


def _of_kind(kind: str, judge: Callable[[JSON, JSON], bool]) -> Callable[[_Schema, JSON, JSON], Test]:
    """Return a keyword that judges values of one kind by what it is given, and lets all others pass."""
    applies = _TYPES[kind]

    def keyword(_whole: _Schema, given: JSON, _schema: JSON) -> Test:
        return lambda value: not applies(value) or judge(value, given)

    return keyword


def _pattern(_whole: _Schema, given: str, _schema: JSON) -> Test:
    search = re.compile(given).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _properties(whole: _Schema, given: Mapping[str, JSON], _schema: JSON) -> Test:
    tests = {name: whole.test(own) for name, own in given.items()}

    def fits(value: JSON) -> bool:
        if not isinstance(value, dict):
            return True
        for name, one in value.items():
            test = tests.get(name)
            if test is not None and not test(one):
                return False
        return True

    return fits


def _additional(whole: _Schema, given: JSON, schema: JSON) -> Test:
    known = frozenset(schema.get("properties") or ())
    if given is False:
        return lambda value: not isinstance(value, dict) or value.keys() <= known
    test = whole.test(given)
    return lambda value: (
        not isinstance(value, dict) or all(test(one) for name, one in value.items() if name not in known)
    )


def _names(whole: _Schema, given: JSON, _schema: JSON) -> Test:
    test = whole.test(given)
    return lambda value: not isinstance(value, dict) or all(test(name) for name in value)


def _items(whole: _Schema, given: JSON, _schema: JSON) -> Test:
    test = whole.test(given)
    return lambda value: not isinstance(value, list) or all(test(one) for one in value)


def _all_differ(value: JSON, given: JSON) -> bool:
    return not given or len({_same(one) for one in value}) == len(value)


def _any_of(whole: _Schema, given: Sequence[JSON], _schema: JSON) -> Test:
    tests = [whole.test(one) for one in given]
    return lambda value: any(test(value) for test in tests)


def _all_of(whole: _Schema, given: Sequence[JSON], _schema: JSON) -> Test:
    tests = [whole.test(one) for one in given]
    return lambda value: all(test(value) for test in tests)


def _not(whole: _Schema, given: JSON, _schema: JSON) -> Test:
    test = whole.test(given)
    return lambda value: not test(value)


_KEYWORDS: Mapping[str, Callable[[_Schema, JSON, JSON], Test]] = {
    "$ref": lambda whole, given, _schema: whole.part(given),
    "additionalProperties": _additional,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": lambda whole, given, schema: _enum(whole, [given], schema),
    "enum": _enum,
    "exclusiveMaximum": _of_kind("number", lambda value, given: not value >= given),
    "exclusiveMinimum": _of_kind("number", lambda value, given: not value <= given),
    "items": _items,
    "maxItems": _of_kind("array", lambda value, given: len(value) <= given),
    "maxLength": _of_kind("string", lambda value, given: len(value) <= given),
    "maximum": _of_kind("number", lambda value, given: not value > given),
    "minItems": _of_kind("array", lambda value, given: len(value) >= given),
    "minLength": _of_kind("string", lambda value, given: len(value) >= given),
    "minimum": _of_kind("number", lambda value, given: not value < given),
    "not": _not,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _names,
    "required": _of_kind("object", lambda value, given: all(name in value for name in given)),
    "type": _type,
    "uniqueItems": _of_kind("array", _all_differ),
}
