"""Builds and prices the inputs of many jobs, and works out once what jobs share that differ in their words alone.

A film has thousands of shots on a few models with the same parameters.  Their inputs differ in one text: what is
filled in, what is warned about and what it costs is the same, unless a limit or a price rests on that text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import prices
from kiebatch.catalogue.inputs.build import Built, build
from kiebatch.catalogue.inputs.values import lasting
from kiebatch.catalogue.measured import params_of
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.naming import Names, names_of
from kiebatch.catalogue.rules import broken
from kiebatch.catalogue.saying import top
from kiebatch.catalogue.shapes import Condition, Rule
from kiebatch.catalogue.validators import validator
from kiebatch.model import JSON, Ask, Price

_MOST_KEPT = 1000  # a seed for each shot makes every input another one
# What a schema may say beside its fields if each is to be judged alone.
_EACH_FIELD_ALONE = {"type", "properties", "required", "additionalProperties", "description"}


@dataclass(frozen=True, slots=True)
class Priced:
    """A job's input and what it costs; no price where the input cannot be sent."""

    built: Built
    price: Price


@dataclass(slots=True)
class Builder:
    """Builds inputs at one moment: `at` says which prices hold."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _words: dict[str, _Words | None] = field(default_factory=dict)  # by model
    _known: dict[Hashable, Priced] = field(default_factory=dict)

    def build(self, model: Model, ask: Ask) -> Priced:
        """Return the model's own input for what a shot asks, with every finding, and its price."""
        words = self._words_of(model)
        text = ask.prompt.strip()
        key = _key(model, ask) if words and words.can_change(ask, text) else None
        if words is None or key is None:
            return self._new(model, ask)
        known = self._known.get(key)
        if known is None:
            found = self._new(model, ask)
            if words.may_be(text, found.built):
                self._keep(key, found)
            return found
        built = words.put(text, known.built)
        return Priced(built, known.price) if words.may_be(text, built) else self._new(model, ask)

    def _new(self, model: Model, ask: Ask) -> Priced:
        built = build(model, ask, on=self.at.date())
        if not built.ok:
            return Priced(built, Price(amount=None, kind="unknown"))
        return Priced(built, prices.price(model, built.input, at=self.at, extra=ask.extra_params))

    def _keep(self, key: Hashable, found: Priced) -> None:
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[key] = found

    def _words_of(self, model: Model) -> _Words | None:
        if model.id not in self._words:
            self._words[model.id] = _Words.of(model)
        return self._words[model.id]


@dataclass(frozen=True, slots=True)
class _Words:
    """The field of a model's words, where nothing but limits rests on what they say."""

    model: Model
    name: str
    names: Names

    @classmethod
    def of(cls, model: Model) -> _Words | None:
        target = model.fields.get("prompt")
        if target is None or target.wrap is not None or not model.input.keys() <= _EACH_FIELD_ALONE:
            return None
        name = target.name
        if "discontinued" in model.properties.get(name, {}) or _is_paid_by(model, name):
            return None
        if any(_weighs(rule, name) for rule in model.constraints):
            return None
        return cls(model, name, names_of(model))

    def can_change(self, ask: Ask, text: str) -> bool:
        """Whether the words of what is asked for are its prompt and nothing else, and it has no media."""
        if not text or ask.media or (ask.negative and ask.fold_negative):
            return False
        return not any(self.name in given for given in (ask.params, ask.default_params, ask.extra_params))

    def may_be(self, text: str, built: Built) -> bool:
        """Whether a text keeps the limits of the model, so that no finding is about it."""
        if built.input.get(self.name) != text:
            return False
        schema = self.model.properties.get(self.name)
        if schema is not None and not validator(schema).is_valid(text):
            return False
        kinds = (rule for rule in self.model.constraints if "kind" in rule)
        return not any(broken(rule, built.input, self.names) for rule in kinds)

    def put(self, text: str, built: Built) -> Built:
        """Return an input with other words."""
        before = built.authored_before
        return replace(
            built,
            input={**built.input, self.name: text},
            authored=self._over(text, built.authored),
            authored_before=None if before is None else self._over(text, before),
        )

    def _over(self, text: str, authored: Mapping[str, JSON]) -> Mapping[str, JSON]:
        return _Over(authored, self.name, lasting(text)) if self.name in authored else authored


class _Over(Mapping[str, JSON]):
    """A mapping with another value under one of its keys, in a third of the memory of a copy."""

    __slots__ = ("_base", "_name", "_value")

    def __init__(self, base: Mapping[str, JSON], name: str, value: JSON) -> None:
        self._base = base
        self._name = name
        self._value = value

    def __getitem__(self, name: str) -> JSON:
        return self._value if name == self._name else self._base[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)

    def __repr__(self) -> str:
        return repr(dict(self))


def _weighs(rule: Rule, name: str) -> bool:
    """Whether a rule asks for other things by the value of a field."""
    return _looks_at(rule.get("if", {}), name) or name in rule.get("then", {}).get("properties", {})


def _looks_at(condition: Condition, name: str) -> bool:
    inner = (*condition.get("allOf", ()), *([condition["not"]] if "not" in condition else ()))
    return name in condition.get("properties", {}) or any(_looks_at(one, name) for one in inner)


def _is_paid_by(model: Model, name: str) -> bool:
    """Whether what a job costs rests on the value of a field."""
    paths = (path for row in model.prices for path in (*row.get("of", ()), *row.get("plus", ())))
    return name in map(top, paths) or name in params_of(model, {name: ""})


def _key(model: Model, ask: Ask) -> Hashable | None:
    """Return what is equal for asks that differ in their words alone; None where that cannot be told."""
    key = (
        model.id,
        model.modality,
        ask.negative,
        _frozen(ask.params),
        _frozen(ask.default_params),
        _frozen(ask.extra_params),
        ask.duration_s,
        ask.whole_scene,
        ask.seed,
        ask.voice,
        ask.takes,
    )
    try:
        hash(key)
    except TypeError:  # lists and mappings
        return None
    return key


def _frozen(values: Mapping[str, JSON]) -> Hashable:
    # 1, 1.0 and true are equal to Python and not in JSON.
    return tuple((name, type(value), value) for name, value in values.items())
