"""Checks the files of a job against the model's limits, before any upload."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.media_rules import path_of, size_differs
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.rules import broken_by_media
from kiebatch.catalogue.saying import A_KIND, any_of, say
from kiebatch.catalogue.shapes import MediaNote, Schema
from kiebatch.errors import Finding
from kiebatch.model import JSON, Media, MediaFacts

_SLACK_S = 0.05  # containers round the length of what they hold
_MB = 1024 * 1024


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
        limits = limits_of(model, name)
        for medium, fact in given:
            found += _Check(model, medium, fact, limits).findings()
        found += _too_long_together(model, given, limits)
    found += _mask_of_another_size([pair for given in by_field.values() for pair in given])
    found += broken_by_media(model, by_field, input or {})
    return tuple(dict.fromkeys(found))


def limits_of(model: Model, name: str) -> MediaNote:
    """Return the note about the media that a field takes, also where they stand inside objects of a list."""
    schema = model.properties.get(name, Schema())
    if "media" in schema:
        return schema["media"]
    inside = schema.get("items", Schema()).get("properties", {})
    return next((own["media"] for own in inside.values() if "media" in own), MediaNote())


def _too_long_together(
    model: Model, given: Sequence[tuple[Media, MediaFacts]], limits: MediaNote
) -> Iterable[Finding]:
    lengths = [fact.duration_s for _, fact in given if fact.duration_s is not None]
    most = limits.get("total_max_s")
    if most and len(lengths) > 1 and sum(lengths) > most + _SLACK_S:
        yield Finding(
            field=given[-1][0].role,
            message=f"`{model.id}` takes {say(most)} s in all there, found {say(round(sum(lengths), 1))} s",
            code="too-long",
        )


def _mask_of_another_size(given: Sequence[tuple[Media, MediaFacts]]) -> Iterable[Finding]:
    """Refuse a mask whose size is not that of the picture it belongs to: no service stretches one sensibly."""
    masks = [pair for pair in given if pair[0].role == "mask"]
    pictures = [pair for pair in given if pair[1].kind == "image" and pair[0].role != "mask"]
    if pictures:
        first = min(pictures, key=lambda pair: pair[0].role != "source")
        for mask in masks:
            yield from size_differs(first, mask)


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


@dataclass(frozen=True, slots=True)
class _Check:
    """One medium, what its bytes say, and the limits of the field that takes it."""

    model: Model
    medium: Media
    fact: MediaFacts
    limits: MediaNote

    @property
    def shown(self) -> str:
        return f"`{path_of(self.medium.ref)}`"

    def finding(self, message: str, *, hint: str = "", code: str) -> Finding:
        return Finding(field=self.medium.role, message=message, hint=hint, code=code)

    def findings(self) -> Iterable[Finding]:
        wrong_kind = self.wrong_kind()
        if wrong_kind:
            yield wrong_kind
            return
        yield from self.bytes()
        yield from self.sides()
        yield from self.area()
        yield from self.shape()
        yield from self.length()

    def wrong_kind(self) -> Finding | None:
        kinds = self.limits.get("kind") or []
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not kinds or self.fact.kind in kinds:
            return None
        found = A_KIND.get(self.fact.kind, self.fact.kind)
        takes = any_of(A_KIND.get(k, k) for k in kinds)
        return self.finding(
            f"{self.shown} is {found}; `{self.model.id}` takes {takes} there", code="wrong-kind"
        )

    def bytes(self) -> Iterable[Finding]:
        formats = self.limits.get("formats") or []
        if formats and _format(self.fact.extension) not in {_format(f) for f in formats}:
            yield self.finding(
                f"{self.shown} is {self.fact.media_type}; `{self.model.id}` takes {any_of(formats)}",
                hint=f"convert it to {formats[0]}",
                code="wrong-format",
            )
        most = self.limits.get("max_mb")
        if most and self.fact.size_bytes > most * _MB:
            yield self.finding(
                f"{self.shown} has {self.fact.size_bytes / _MB:.1f} MB; `{self.model.id}` takes {say(most)} MB",
                hint="make it smaller",
                code="too-large",
            )

    @property
    def size(self) -> tuple[int, int] | None:
        return (self.fact.width, self.fact.height) if self.fact.width and self.fact.height else None

    def sized(self) -> str:
        return f"{self.shown} has {self.fact.width} x {self.fact.height} pixels"

    def sides(self) -> Iterable[Finding]:
        if self.size is None:
            return
        limits = self.limits
        least = max(limits.get("min_side") or 0, limits.get("min_short_side") or 0)
        if min(self.size) < least:
            yield self.finding(
                f"{self.sized()}; `{self.model.id}` wants at least {say(least)} on each side",
                code="too-small",
            )
        most = min(limits.get("max_side") or math.inf, limits.get("max_long_side") or math.inf)
        if max(self.size) > most:
            yield self.finding(
                f"{self.sized()}; `{self.model.id}` takes at most {say(most)} on a side",
                hint="make it smaller",
                code="too-large",
            )

    def area(self) -> Iterable[Finding]:
        if self.size is None:
            return
        area = self.size[0] * self.size[1]
        most, least = self.limits.get("max_pixels") or math.inf, self.limits.get("min_pixels") or 0
        if area > most:
            yield self.finding(
                f"{self.sized()}; `{self.model.id}` takes at most {most / 1e6:.1f} megapixels",
                hint="make it smaller",
                code="too-large",
            )
        if area < least:
            yield self.finding(
                f"{self.sized()}; `{self.model.id}` wants at least {least / 1e6:.2f} megapixels",
                code="too-small",
            )

    def shape(self) -> Iterable[Finding]:
        if self.size is None:
            return
        ratio = self.size[0] / self.size[1]
        low, high = self.limits.get("min_ratio") or 0, self.limits.get("max_ratio") or math.inf
        if not low - 1e-3 <= ratio <= high + 1e-3:
            yield self.finding(
                f"{self.sized()}; `{self.model.id}` takes shapes from {say(low)} to {say(high)} (width by height), "
                f"found {ratio:.2f}",
                hint="crop it",
                code="wrong-shape",
            )

    def length(self) -> Iterable[Finding]:
        lasts = self.fact.duration_s
        if lasts is None:
            return
        most, least = self.limits.get("max_s", math.inf), self.limits.get("min_s", 0)
        if lasts > most + _SLACK_S:
            yield self.finding(
                f"{self.shown} lasts {lasts:.1f} s; `{self.model.id}` takes {say(most)} s",
                hint="cut it",
                code="too-long",
            )
        if lasts < least - _SLACK_S:
            yield self.finding(
                f"{self.shown} lasts {lasts:.1f} s; `{self.model.id}` wants at least {say(least)} s",
                code="too-short",
            )
