"""Checks of the rules between fields that need the bytes of media: sizes in pixels, lengths in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kiebatch.catalogue.conditions import spoken
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.naming import names_of
from kiebatch.catalogue.saying import as_number, listing, say
from kiebatch.catalogue.shapes import Condition, Rule
from kiebatch.errors import Finding
from kiebatch.model import JSON, LocalFile, Media, MediaFacts, Ref

GivenMedia = Mapping[str, Sequence[tuple[Media, MediaFacts]]]


def same_size(model: Model, rule: Rule, given: GivenMedia, sent: Mapping[str, JSON]) -> Iterable[Finding]:
    first, *others = [list(given.get(name, ()))[:1] for name in rule["fields"]]
    for other in others:
        if first and other:
            yield from size_differs(first[0], other[0])


def size_differs(first: tuple[Media, MediaFacts], other: tuple[Media, MediaFacts]) -> Iterable[Finding]:
    """Yield a finding at `other` where both sizes in pixels are known and differ."""
    one, two = [(fact.width, fact.height) for _, fact in (first, other)]
    if one[0] and two[0] and one != two:
        yield Finding(
            field=other[0].role,
            message=f"`{path_of(other[0].ref)}` has {two[0]} x {two[1]} pixels, and `{path_of(first[0].ref)}` "
            f"{one[0]} x {one[1]}: they must be equal",
            code="mask-size",
        )


def max_seconds(model: Model, rule: Rule, given: GivenMedia, sent: Mapping[str, JSON]) -> Iterable[Finding]:
    for medium, fact in given.get(rule["field"], ()):
        if fact.duration_s is not None and fact.duration_s > rule["max"] + 0.05:
            when = spoken(rule.get("if", Condition()), names_of(model))
            yield Finding(
                field=medium.role,
                message=f"`{path_of(medium.ref)}` lasts {fact.duration_s:.1f} s; `{model.id}` takes {say(rule['max'])} s {when}".rstrip(),
                hint="cut it",
                code="too-long",
            )


def max_seconds_total(
    model: Model, rule: Rule, given: GivenMedia, sent: Mapping[str, JSON]
) -> Iterable[Finding]:
    total, last = 0.0, "params"
    for name in rule["fields"]:
        for medium, fact in given.get(name, ()):
            total, last = total + (fact.duration_s or 0), medium.role
        if name not in given:
            total += max(0.0, as_number(sent.get(name)) or 0)
    if total > rule["max"] + 0.05 and last != "params":
        yield Finding(
            field=last,
            message=f"`{model.id}` takes {say(rule['max'])} s of {listing(rule['fields'])} together, found {say(round(total, 1))}",
            code="too-long",
        )


def max_output_side(
    model: Model, rule: Rule, given: GivenMedia, sent: Mapping[str, JSON]
) -> Iterable[Finding]:
    factor = as_number(sent.get(rule["factor"], model.defaults.get(rule["factor"]))) or 1
    for medium, fact in given.get(rule["field"], ()):
        side = max(fact.width or 0, fact.height or 0) * factor
        if side > rule["max"]:
            yield Finding(
                field=medium.role,
                message=f"`{path_of(medium.ref)}` times {say(factor)} would be {say(side)} pixels on a side; `{model.id}` makes {rule['max']}",
                hint="choose a smaller factor",
                code="too-large",
            )


def path_of(ref: Ref) -> str:
    return ref.path if isinstance(ref, LocalFile) else str(ref)
