"""Fills in what the author left open: the file's defaults, the length of the shot, what the service needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kiebatch.catalogue.conditions import applies, concerned
from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.messages import allowed_hint
from kiebatch.catalogue.inputs.values import coerced, lengths
from kiebatch.catalogue.models import Field, Model
from kiebatch.catalogue.rules import broken
from kiebatch.catalogue.saying import say
from kiebatch.catalogue.shapes import Rule, Schema
from kiebatch.catalogue.validators import validator
from kiebatch.model import JSON, tidy

CLIP_SHORTER = "clip-shorter"


def put_default_params(draft: Draft) -> None:
    """Put the file's defaults where the model has the field, takes the value, and nothing else filled it.

    Defaults are meant for many models: what one of them cannot do is said, not refused.
    """
    taken: dict[str, tuple[str, JSON]] = {}
    for name, value in draft.ask.default_params.items():
        found = default_value(draft.model, name, value)
        if found is None or found.field in draft.input:
            continue
        if found.fits:
            taken[found.field] = (name, value)
            draft.input[found.field] = found.value
            draft.words[found.field] = f"params.{name}"
        else:
            _not_taken(draft, name, value, found.hint)
    for rule in draft.model.constraints:
        own = _default_in_the_way(draft, rule, taken)
        if own is not None:
            del draft.input[own], draft.words[own]
            _not_taken(draft, *taken[own], "")


def _default_in_the_way(draft: Draft, rule: Rule, taken: Collection[str]) -> str | None:
    """Return which of the defaults that were taken breaks a rule that holds without it."""
    candidates = sorted(concerned(rule) & set(taken) & draft.input.keys())
    anyway = _sent_anyway(draft)
    findings = broken(rule, anyway | draft.input, draft.names) if candidates else ()
    if not any(finding.severity == "error" for finding in findings):
        return None
    for own in candidates:
        without = anyway | {name: value for name, value in draft.input.items() if name != own}
        if not broken(rule, without, draft.names):
            return own
    return None


class DefaultValue:
    """One of the file's defaults on one model: its own field and value, and whether it takes that."""

    __slots__ = ("field", "fits", "hint", "value")

    def __init__(self, field: str, schema: Schema, value: JSON, values: Mapping[str, JSON] | None) -> None:
        self.field = field
        self.value = value
        self.fits = validator(schema).is_valid(value)
        self.hint = "" if self.fits else allowed_hint(schema, values, value)


def default_value(model: Model, name: str, value: JSON) -> DefaultValue | None:
    """Return a default as one model would take it; None where it has no such field or the value is null."""
    target = model.fields.get(name)
    if target is None or target.wrap is not None:
        target = Field(name)
    schema = model.properties.get(target.name)
    if value is None or schema is None or "media" in schema:
        return None
    return DefaultValue(target.name, schema, coerced(schema, target.spelt(value), True), target.values)


def _sent_anyway(draft: Draft) -> dict[str, JSON]:
    """Return what the catalogue would fill in."""
    required = draft.model.input.get("required") or ()
    defaults = draft.model.defaults.items()
    return {name: value for name, value in defaults if name in required} | dict(draft.model.fill)


def _not_taken(draft: Draft, name: str, value: JSON, hint: str) -> None:
    draft.warn(
        f"params.{name}",
        f"`{draft.model.id}` does not take `{name}: {say(value)}` from the defaults; it is not sent",
        hint=hint,
        code="default-not-taken",
    )


def put_length(draft: Draft) -> None:
    """Fill the model's own length field: the smallest allowed value that is not shorter than the shot.

    A shot longer than the model can make is an error.  A scene that is one shot gets the longest, with a warning: its
    length says how long the scene is on the timeline, and what 0.1 made of it was shorter without a word.
    """
    own, wanted = draft.own("duration"), draft.ask.duration_s
    if own is None or own in draft.input or wanted is None:
        return
    schema = draft.schema(own)
    possible = lengths(schema)
    if not possible:
        return
    fits = [n for n in possible if n >= wanted - 1e-9]
    longest = max(possible)
    if not fits and not draft.ask.whole_scene:
        draft.error(
            "duration",
            f"`{draft.model.id}` makes at most {say(longest)} s, and the shot lasts {say(wanted)} s",
            hint=f"shorten the shot, or say `params: {{duration: {say(longest)}}}` for the longest it makes",
            code="too-long",
        )
        return
    if not fits:
        draft.warn(
            "duration",
            f"`{draft.model.id}` makes at most {say(longest)} s, and the scene lasts {say(wanted)} s: the clip is shorter",
            hint="divide the scene into shots, or name a model that makes longer clips",
            code=CLIP_SHORTER,
        )
    length = min(fits, default=longest)
    draft.input[own] = coerced(schema, tidy(length), True)
    draft.words[own] = "duration"
    draft.filled.add(own)
    draft.defaulted.append(own)


def fill_in(draft: Draft) -> None:
    """Fill in what the catalogue says: what is always sent, required fields with a default, what a rule calls for."""
    model = draft.model
    for name, value in model.fill.items():
        if name not in draft.input:
            draft.fill(name, value)
            draft.filled.add(name)
    for name in model.input.get("required") or ():
        if name not in draft.input and name in model.defaults:
            draft.fill(name, model.defaults[name])
    for rule in model.constraints:
        if rule.get("then", {}).get("required") and applies(rule, draft.input):
            _fill_in_by(draft, rule)


def _fill_in_by(draft: Draft, rule: Rule) -> None:
    """Fill in what a rule calls for, where there is but one value or the model has a default."""
    properties = rule["then"].get("properties", {})
    for name in rule["then"]["required"]:
        wanted = properties.get(name) or Schema()
        value = wanted.get("const", draft.model.defaults.get(name))
        if name not in draft.input and value is not None:
            draft.fill(name, value)
            draft.filled.add(name)
