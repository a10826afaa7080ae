"""Checks the files of a job against the model's limits, before any upload."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from kiebatch.catalogue.inputs import names_of
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.rules import A_KIND, any_of, applies, as_number, listing, say, spoken
from kiebatch.errors import Finding
from kiebatch.model import JSON, LocalFile, Media, MediaFacts, Ref


def check_media(
    model: Model,
    media: Sequence[Media],
    facts: Mapping[str, MediaFacts],
    input: Mapping[str, JSON] | None = None,
) -> tuple[Finding, ...]:
    """Return what is wrong with the files of a job, before any upload: formats, bytes, pixels, seconds, mask size.

    `facts` is keyed by the text of a ref; media without facts (addresses, outputs that are not made yet) are passed
    over.  `input` is the job's input, for rules that depend on other fields.
    """
    found: list[Finding] = []
    by_field: dict[str, list[tuple[Media, MediaFacts]]] = {}
    for medium in media:
        fact = facts.get(str(medium.ref))
        if fact:
            by_field.setdefault(medium.field, []).append((medium, fact))
    for name, given in by_field.items():
        limits = _limits(model, name)
        for medium, fact in given:
            found += _one_medium(model, medium, fact, limits)
        lengths = [fact.duration_s for _, fact in given if fact.duration_s is not None]
        if limits.get("total_max_s") and len(lengths) > 1 and sum(lengths) > limits["total_max_s"] + 0.05:
            found.append(
                Finding(
                    field=given[-1][0].role,
                    message=f"`{model.id}` takes {say(limits['total_max_s'])} s in all there, found {say(round(sum(lengths), 1))} s",
                    code="too-long",
                )
            )
    sent = input or {}
    for rule in model.constraints:
        if not applies(rule, sent):
            continue
        check = _MEDIA_RULES.get(str(rule.get("kind")))
        if check:
            found += check(model, rule, by_field, sent)
    return tuple(dict.fromkeys(found))


def _limits(model: Model, name: str) -> Mapping[str, JSON]:
    schema = model.properties.get(name, {})
    if "media" in schema:
        return dict(schema["media"])
    nested = (schema.get("items") or {}).get("properties") or {}
    return next((dict(p["media"]) for p in nested.values() if "media" in p), {})


_SAME_FORMAT = {
    "jpg": "jpeg",
    "jfif": "jpeg",
    "pjpeg": "jpeg",
    "pjp": "jpeg",
    "tif": "tiff",
    "mov": "mov",
    "m4v": "mp4",
}


def _format(text: str) -> str:
    text = text.lower().lstrip(".")
    return _SAME_FORMAT.get(text, text)


def _one_medium(
    model: Model, medium: Media, fact: MediaFacts, limits: Mapping[str, JSON]
) -> Iterable[Finding]:
    shown = f"`{_path(medium.ref)}`"

    def finding(message: str, hint: str = "", code: str = "media") -> Finding:
        return Finding(field=medium.role, message=message, hint=hint, code=code)

    kinds = limits.get("kind")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds or ())
    if kinds and fact.kind not in kinds:
        yield finding(
            f"{shown} is {A_KIND.get(fact.kind, fact.kind)}; `{model.id}` takes {any_of(A_KIND.get(k, k) for k in kinds)} there",
            code="wrong-kind",
        )
        return
    formats = [str(f) for f in limits.get("formats") or ()]
    if formats and _format(fact.extension) not in {_format(f) for f in formats}:
        yield finding(
            f"{shown} is {fact.media_type}; `{model.id}` takes {any_of(formats)}",
            hint=f"convert it to {formats[0]}",
            code="wrong-format",
        )
    most = limits.get("max_mb")
    if most and fact.size_bytes > most * 1024 * 1024:
        yield finding(
            f"{shown} has {fact.size_bytes / 1024 / 1024:.1f} MB; `{model.id}` takes {say(most)} MB",
            hint="make it smaller",
            code="too-large",
        )
    if fact.width and fact.height:
        yield from _pixels(model, shown, fact.width, fact.height, limits, finding)
    if fact.duration_s is not None:
        if "max_s" in limits and fact.duration_s > limits["max_s"] + 0.05:
            yield finding(
                f"{shown} lasts {fact.duration_s:.1f} s; `{model.id}` takes {say(limits['max_s'])} s",
                hint="cut it",
                code="too-long",
            )
        if "min_s" in limits and fact.duration_s < limits["min_s"] - 0.05:
            yield finding(
                f"{shown} lasts {fact.duration_s:.1f} s; `{model.id}` wants at least {say(limits['min_s'])} s",
                code="too-short",
            )


def _pixels(
    model: Model,
    shown: str,
    width: int,
    height: int,
    limits: Mapping[str, JSON],
    finding: Callable[..., Finding],
) -> Iterable[Finding]:
    short, long_, size = min(width, height), max(width, height), f"{shown} has {width} x {height} pixels"
    least = max(limits.get("min_side") or 0, limits.get("min_short_side") or 0)
    if short < least:
        yield finding(f"{size}; `{model.id}` wants at least {say(least)} on each side", code="too-small")
    most = min(limits.get("max_side") or math.inf, limits.get("max_long_side") or math.inf)
    if long_ > most:
        yield finding(
            f"{size}; `{model.id}` takes at most {say(most)} on a side",
            hint="make it smaller",
            code="too-large",
        )
    area = width * height
    if area > (limits.get("max_pixels") or math.inf):
        yield finding(
            f"{size}; `{model.id}` takes at most {limits['max_pixels'] / 1e6:.1f} megapixels",
            hint="make it smaller",
            code="too-large",
        )
    if area < (limits.get("min_pixels") or 0):
        yield finding(
            f"{size}; `{model.id}` wants at least {limits['min_pixels'] / 1e6:.2f} megapixels",
            code="too-small",
        )
    ratio = width / height
    low, high = limits.get("min_ratio") or 0, limits.get("max_ratio") or math.inf
    if not low - 1e-3 <= ratio <= high + 1e-3:
        yield finding(
            f"{size}; `{model.id}` takes shapes from {say(low)} to {say(high)} (width by height), found {ratio:.2f}",
            hint="crop it",
            code="wrong-shape",
        )


_ByField = Mapping[str, Sequence[tuple[Media, MediaFacts]]]


def _same_size(
    model: Model, rule: Mapping[str, JSON], given: _ByField, sent: Mapping[str, JSON]
) -> Iterable[Finding]:
    sizes = [
        (m, f.width, f.height) for name in rule["fields"] for m, f in list(given.get(name, ()))[:1] if f.width
    ]
    for medium, width, height in sizes[1:]:
        first = sizes[0]
        if (width, height) != first[1:]:
            yield Finding(
                field=medium.role,
                message=f"`{_path(medium.ref)}` has {width} x {height} pixels, and `{_path(first[0].ref)}` {first[1]} x {first[2]}: they must be equal",
                code="mask-size",
            )


def _max_seconds(
    model: Model, rule: Mapping[str, JSON], given: _ByField, sent: Mapping[str, JSON]
) -> Iterable[Finding]:
    for medium, fact in given.get(rule["field"], ()):
        if fact.duration_s is not None and fact.duration_s > rule["max"] + 0.05:
            when = spoken(rule["if"], names_of(model)) if "if" in rule else ""
            yield Finding(
                field=medium.role,
                message=f"`{_path(medium.ref)}` lasts {fact.duration_s:.1f} s; `{model.id}` takes {say(rule['max'])} s {when}".rstrip(),
                hint="cut it",
                code="too-long",
            )


def _max_seconds_total(
    model: Model, rule: Mapping[str, JSON], given: _ByField, sent: Mapping[str, JSON]
) -> Iterable[Finding]:
    total, last = 0.0, "params"
    for name in rule["fields"]:
        for medium, fact in given.get(name, ()):
            total, last = total + (fact.duration_s or 0), medium.role
        total += max(0.0, as_number(sent.get(name)) or 0) if name not in given else 0
    if total > rule["max"] + 0.05 and last != "params":
        yield Finding(
            field=last,
            message=f"`{model.id}` takes {say(rule['max'])} s of {listing(rule['fields'])} together, found {say(round(total, 1))}",
            code="too-long",
        )


def _max_output_side(
    model: Model, rule: Mapping[str, JSON], given: _ByField, sent: Mapping[str, JSON]
) -> Iterable[Finding]:
    factor = as_number(sent.get(rule["factor"], model.defaults.get(rule["factor"]))) or 1
    for medium, fact in given.get(rule["field"], ()):
        side = max(fact.width or 0, fact.height or 0) * factor
        if side > rule["max"]:
            yield Finding(
                field=medium.role,
                message=f"`{_path(medium.ref)}` times {say(factor)} would be {say(side)} pixels on a side; `{model.id}` makes {rule['max']}",
                hint="choose a smaller factor",
                code="too-large",
            )


_MEDIA_RULES: Mapping[
    str, Callable[[Model, Mapping[str, JSON], _ByField, Mapping[str, JSON]], Iterable[Finding]]
] = {
    "same_size": _same_size,
    "max_seconds": _max_seconds,
    "max_seconds_total": _max_seconds_total,
    "max_output_side": _max_output_side,
}


def _path(ref: Ref) -> str:
    return ref.path if isinstance(ref, LocalFile) else str(ref)
