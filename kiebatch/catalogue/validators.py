"""Judges values by a JSON Schema, and asks jsonschema only about what does not fit.

To import jsonschema takes longer than to plan a film, and nearly every value fits.  So a schema becomes a few nested
functions first, which say whether a value fits.  Findings are always worded by jsonschema, and so is everything about a
schema with a keyword that is not in the tables below.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeGuard

from kiebatch.model import JSON

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

Test = Callable[[JSON], bool]
Schema = Mapping[str, object] | bool  # a form of the catalogue, or what a schema's file holds


class Validator:
    """Judges values by one schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @cached_property
    def test(self) -> Test | None:
        """Whether a value fits, as a function; None where only jsonschema can tell."""
        try:
            return _Whole(self.schema).test(self.schema)
        except (_CannotTell, re.error):  # jsonschema says what is wrong with the schema
            return None

    def is_valid(self, value: JSON) -> bool:
        """Whether the value fits the schema."""
        if self.test is not None:
            return self.test(value)
        return self._jsonschema.is_valid(value)

    def iter_errors(self, value: JSON) -> Iterable[ValidationError]:
        """Return what does not fit, as jsonschema says it."""
        if self.test is not None and self.test(value):
            return ()
        return self._jsonschema.iter_errors(value)

    @cached_property
    def _jsonschema(self) -> Draft202012Validator:
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema)


_validators: dict[int, Validator] = {}


def validator(schema: Schema) -> Validator:
    """Return the validator of a schema that ships, made once: 5,000 shots ask for it again and again."""
    known = _validators.get(id(schema))
    if known is None or known.schema is not schema:
        known = _validators[id(schema)] = Validator(schema)
    return known


# --- what a schema may say -----------------------------------------------------------------------------


class _CannotTell(Exception):
    """A schema says something that is not in the tables, or that no schema may say."""


def _mapping(given: object) -> Mapping[str, object]:
    if isinstance(given, Mapping):
        return given
    raise _CannotTell(given)


def _list(given: object) -> Sequence[object]:
    if isinstance(given, list | tuple):
        return given
    raise _CannotTell(given)


def _text(given: object) -> str:
    if isinstance(given, str):
        return given
    raise _CannotTell(given)


def _number(given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given
    raise _CannotTell(given)


# --- keywords ------------------------------------------------------------------------------------------


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


class _Whole:
    """A whole schema, in which `$ref` finds its parts."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._parts: dict[str, Test] = {}

    def test(self, schema: object) -> Test:
        """Return the function that judges by one part of the schema."""
        if isinstance(schema, bool):
            return lambda value: schema
        said = _mapping(schema)
        tests = [
            _keyword(keyword)(self, given, said) for keyword, given in said.items() if keyword not in _SILENT
        ]
        return _all(tests)

    def part(self, name: str) -> Test:
        """Return the function of `#/$defs/NAME`; a part may hold itself."""
        prefix, _, last = name.rpartition("/")
        parts = _mapping(_mapping(self._root).get("$defs"))
        if prefix != "#/$defs" or "~" in last or "%" in last or last not in parts:
            raise _CannotTell(name)
        if name not in self._parts:
            self._parts[name] = lambda value: self._parts[name](value)
            self._parts[name] = self.test(parts[last])
        return self._parts[name]


Keyword = Callable[[_Whole, object, Mapping[str, object]], Test]


def _keyword(name: str) -> Keyword:
    found = _KEYWORDS.get(name)
    if found is None:
        raise _CannotTell(name)
    return found


# Functions in one another: `all` and `any` over a generator, for each value, took a third of the time.


def _all(tests: Sequence[Test]) -> Test:
    """Return a function that says whether a value passes all tests."""
    return functools.reduce(_both, tests) if tests else lambda value: True


def _both(first: Test, second: Test) -> Test:
    return lambda value: first(value) and second(value)


def _any(tests: Sequence[Test]) -> Test:
    """Return a function that says whether a value passes any of some tests."""
    return functools.reduce(_either, tests) if tests else lambda value: False


def _either(first: Test, second: Test) -> Test:
    return lambda value: first(value) or second(value)


def _is_number(value: JSON) -> TypeGuard[float]:
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


def _of_type(name: object) -> Test:
    found = _TYPES.get(_text(name))
    if found is None:
        raise _CannotTell(name)
    return found


def _type(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    if isinstance(given, str):
        return _of_type(given)
    return _any([_of_type(kind) for kind in _list(given)])


def _same(value: object) -> Hashable:
    """Return what is equal for values that are equal in JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return "object", frozenset((name, _same(one)) for name, one in value.items())
    if isinstance(value, list):
        return "array", tuple(_same(one) for one in value)
    return isinstance(value, bool), value


def _enum(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    options = {_same(one) for one in _list(given)}
    return lambda value: _same(value) in options


def _number_that(fits: Callable[[float, float], bool]) -> Keyword:
    """Return a keyword that compares a number with its limit, and lets all other values pass."""

    def keyword(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
        limit = _number(given)
        return lambda value: not _is_number(value) or fits(value, limit)

    return keyword


def _length_that(kind: type[list[JSON]] | type[str], fits: Callable[[float, float], bool]) -> Keyword:
    """Return a keyword that compares the length of a list or of a text with its limit."""

    def keyword(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
        limit = _number(given)
        return lambda value: not isinstance(value, kind) or fits(len(value), limit)

    return keyword


def _pattern(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    search = re.compile(_text(given)).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _properties(whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    tests = {name: whole.test(own) for name, own in _mapping(given).items()}

    def fits(value: JSON) -> bool:
        if not isinstance(value, dict):
            return True
        for name, one in value.items():
            test = tests.get(name)
            if test is not None and not test(one):
                return False
        return True

    return fits


def _additional(whole: _Whole, given: object, schema: Mapping[str, object]) -> Test:
    known = frozenset(_mapping(schema.get("properties", {})))
    if given is False:
        return lambda value: not isinstance(value, dict) or value.keys() <= known
    test = whole.test(given)
    return lambda value: (
        not isinstance(value, dict) or all(test(one) for name, one in value.items() if name not in known)
    )


def _names(whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    test = whole.test(given)
    return lambda value: not isinstance(value, dict) or all(map(test, value))


def _required(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    names = {_text(name) for name in _list(given)}
    return lambda value: not isinstance(value, dict) or names <= value.keys()


def _items(whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    test = whole.test(given)
    return lambda value: not isinstance(value, list) or all(map(test, value))


def _unique(_whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    if not given:
        return lambda value: True
    return lambda value: not isinstance(value, list) or len({_same(one) for one in value}) == len(value)


def _any_of(whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    return _any([whole.test(one) for one in _list(given)])


def _all_of(whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    return _all([whole.test(one) for one in _list(given)])


def _not(whole: _Whole, given: object, _schema: Mapping[str, object]) -> Test:
    test = whole.test(given)
    return lambda value: not test(value)


_KEYWORDS: Mapping[str, Keyword] = {
    "$ref": lambda whole, given, _schema: whole.part(_text(given)),
    "additionalProperties": _additional,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": lambda whole, given, schema: _enum(whole, [given], schema),
    "enum": _enum,
    # Not `value < given`: NaN fits every limit, as it does in jsonschema.
    "exclusiveMaximum": _number_that(lambda value, given: not value >= given),
    "exclusiveMinimum": _number_that(lambda value, given: not value <= given),
    "items": _items,
    "maxItems": _length_that(list, operator.le),
    "maxLength": _length_that(str, operator.le),
    "maximum": _number_that(lambda value, given: not value > given),
    "minItems": _length_that(list, operator.ge),
    "minLength": _length_that(str, operator.ge),
    "minimum": _number_that(lambda value, given: not value < given),
    "not": _not,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _names,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique,
}
