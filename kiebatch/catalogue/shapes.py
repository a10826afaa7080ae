"""The forms of what the catalogue's files hold: rules, price rows, notes about media, schemas of fields.

`schemas/model.schema.json` validates a file; these types name what passed, so that a misspelt key is a type error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from kiebatch._dataclass import dataclass
from kiebatch.model import JSON

RuleKind = Literal[
    "at_least_one",
    "exactly_one",
    "exclusive",
    "ignored",
    "max_total",
    "max_total_length",
    "max_counted_length",
    "gap",
    "sum",
    "same_length",
    "refers_to",
    "unique",
    "pictures_or_clip",
    "same_size",
    "max_seconds",
    "max_seconds_total",
    "max_output_side",
    "hint",
]
Per = Literal[
    "job",
    "output",
    "second",
    "minute",
    "input",
    "megapixel",
    "output side",
    "1000 characters",
    "1M input tokens",
    "1M output tokens",
]


class MediaNote(TypedDict, total=False):
    """What the service takes as a medium.  Pixels, seconds, frames a second, megabytes (2^20 bytes)."""

    kind: str | list[str]
    formats: list[str]
    max_mb: float
    min_side: float
    max_side: float
    min_short_side: float
    max_long_side: float
    min_pixels: float
    max_pixels: float
    min_ratio: float  # width / height
    max_ratio: float
    min_s: float
    max_s: float
    total_max_s: float  # of all media of the field together
    min_fps: float
    max_fps: float
    max_pages: int
    note: str


Schema = TypedDict(
    "Schema",
    {
        "type": str,
        "enum": list[JSON],
        "const": JSON,
        "pattern": str,
        "minLength": int,
        "maxLength": int,
        "minItems": int,
        "maxItems": int,
        "minimum": float,
        "maximum": float,
        "exclusiveMinimum": float,
        "multipleOf": float,
        "anyOf": "list[Schema]",
        "allOf": "list[Schema]",
        "not": "Schema",
        "default": JSON,
        "step": float,
        "deprecated": bool,
        "unsure": str,
        "discontinued": list[JSON],
        "format": str,
        "media": MediaNote,
        "items": "Schema",
        # A Schema each; in a condition also `false`: the field may not be there.
        "properties": Mapping[str, JSON],
        "required": list[str],
        "additionalProperties": bool,
        "description": str,
    },
    total=False,
)
"""A JSON Schema of one field, or of a condition over fields, with our notes about media in it."""

Rule = TypedDict(
    "Rule",
    {
        "if": Schema,
        "then": Schema,
        "kind": RuleKind,
        "fields": list[str],
        "groups": list[list[str]],
        "weights": Mapping[str, int],
        "field": str,
        "factor": str,
        "path": str,
        "to_path": str,
        "from": str,
        "to": str,
        "equals": str,
        "at_most": str,
        "min": float,
        "max": float,
        "each": int,
        "text": str,
        "why": str,
    },
    total=False,
)
"""A rule between fields: `if` and `then`, or a `kind` with the keys that `kiebatch.catalogue.rules` says."""


class _PriceRow(TypedDict):
    per: Per
    credits: float


class PriceRow(_PriceRow, total=False):
    """One row of prices.  `until` is the last moment at which it holds, `confirmed` the source that saw it billed."""

    when: Mapping[str, JSON]
    usd: float
    of: list[str]
    plus: list[str]
    plus_min_s: float
    adds: bool
    free: int
    factor: str
    steps: list[tuple[float | None, float]]
    bound: bool
    until: str
    confirmed: str
    as_of: str
    source: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What jobs of one model, parameters and listed price cost: the most that was charged, seen on `as_of`."""

    model: str
    params: Mapping[str, JSON]
    listed: float
    credits: float
    kind: Literal["exact", "estimate"]  # estimate: the charges differed
    as_of: str
    jobs: int

    @property
    def about(self) -> tuple[str, str, float]:
        return self.model, repr(sorted(self.params.items())), self.listed


class Fact(TypedDict, total=False):
    """Where one fact of a model comes from, where that is not where the entry comes from."""

    source: str
    as_of: str
    confidence: str
    note: str


CountCase = TypedDict("CountCase", {"if": Mapping[str, JSON], "default": int})


class CountRule(TypedDict, total=False):
    """How many files a job makes, by a field of its own."""

    field: str
    default: int
    at_most: bool
    when: list[CountCase]


class SecondsRule(TypedDict, total=False):
    """Where the length of a clip or sound comes from; `rounds_up` says that whole seconds were seen billed."""

    field: str
    media: list[str]
    longest: bool
    max: float
    frames: str
    rate: str
    rounds_up: bool


class MegapixelRule(TypedDict, total=False):
    """Where the number of megapixels that are billed comes from."""

    field: str
    values: Mapping[JSON, float]
    media: list[str]


class Outputs(TypedDict, total=False):
    """What a job makes: how many files, in which formats, how long."""

    count: int | CountRule | None
    formats: Sequence[str]
    seconds: SecondsRule
    megapixels: MegapixelRule
