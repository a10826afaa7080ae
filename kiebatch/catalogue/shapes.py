"""The forms of what the catalogue's files hold: entries, rules, price rows, notes about media, schemas of fields.

`schemas/model.schema.json` validates a file; these types name what passed, so that a misspelt key is a type error.
A value becomes one of them in `model.as_form`, and plain JSON again in `model.as_json`.
"""

# Annotations are evaluated here: as texts each would be compiled when its form is made, and every command waits for that.
from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

from kiebatch._dataclass import dataclass
from kiebatch.model import JSON, Modality

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
        "not": "Schema",
        "default": JSON,
        "step": float,
        "deprecated": bool,
        "unsure": str,
        "discontinued": list[JSON],
        "format": str,
        "media": MediaNote,
        "items": "Schema",
        "properties": "Mapping[str, Schema]",
        "required": list[str],
        "additionalProperties": bool,
        "description": str,
    },
    total=False,
)
"""A JSON Schema of a model's input or of one field, with our notes about media in it."""

# The keywords of a schema that limit a single value, in the order in which they are said.
LIMITS = (
    "type",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
)

Condition = TypedDict(
    "Condition",
    {
        "required": list[str],
        "properties": Mapping[str, Schema],
        "not": "Condition",
        "allOf": "list[Condition]",
    },
    total=False,
)
"""The `if` of a rule: a JSON Schema over what is sent."""


class Consequence(TypedDict, total=False):
    """The `then` of a rule.  `False` in place of a field's schema says that the field may not be there."""

    required: list[str]
    properties: Mapping[str, Schema | Literal[False]]


Rule = TypedDict(
    "Rule",
    {
        "if": Condition,
        "then": Consequence,
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
    values: Mapping[str | float, float]
    media: list[str]


class Outputs(TypedDict, total=False):
    """What a job makes: how many files, in which formats, how long."""

    count: int | CountRule | None
    formats: Sequence[str]
    seconds: SecondsRule
    megapixels: MegapixelRule


class FieldEntry(TypedDict):
    """Where a friendly name goes, where the model's own field has another name; `models.Field` explains the keys."""

    field: str
    values: NotRequired[Mapping[str, JSON]]
    wrap: NotRequired[list[JSON]]


class LintNote(TypedDict, total=False):
    """The numbers behind the prompting notes of a model."""

    best_words: tuple[int, int]
    max_drawn_text: int
    max_edits: int
    max_negative: int
    negative_nouns: bool
    crop_16_9: bool
    edits_given_video: bool
    english: bool
    reads_pictures: bool


class MigrationNote(TypedDict, total=False):
    """How a job moves to the model that takes the place of its own."""

    source: str
    fields: Mapping[str, str]  # old field under `params` -> new one
    values: Mapping[str, Mapping[str, JSON]]  # new field -> old value -> new value
    set: Mapping[str, JSON]  # what is added under `params`
    drop: Mapping[str, str]  # old field -> why it cannot be carried over


class _Entry(TypedDict):
    id: str


class Entry(_Entry, total=False):
    """One model as its file has it; in a file of the user's also a correction, which says only what differs."""

    title: str
    modality: Modality
    task: str
    tasks: list[str]
    family: str
    endpoint: str
    status: str
    superseded_by: str
    superseded_note: str
    aliases: list[str]
    input: Schema
    roles: Mapping[str, Mapping[str, str]]
    follows: list[str]
    output_id: str
    sets: Mapping[str, Mapping[str, JSON]]
    fields: Mapping[str, str | FieldEntry]
    fill: Mapping[str, JSON]
    constraints: list[Rule]
    outputs: Outputs
    prices: list[PriceRow]
    prices_confirmed: str  # the source that saw all rows billed which are not a bound
    prompting: list[str]
    lint: LintNote
    expected_s: float
    voices: Mapping[str, str]
    default_voice: str
    accepts_asset_ids: bool
    sources: list[str]
    as_of: str
    confidence: str
    notes: str
    provenance: Mapping[str, Fact]
    last_day: str
    migration: MigrationNote


class ModelFile(TypedDict):
    """A file of models: those of one maker."""

    models: list[Entry]
    maker: NotRequired[str]


class OldField(TypedDict, total=False):
    """A field name of older notes: what to `use` today, or what to `say` about it."""

    use: str
    say: str


class IntentEntry(TypedDict):
    """Something that people want, with the models to look at first and why."""

    name: str
    words: list[str]
    models: Mapping[str, str]


class Head(TypedDict):
    """What the files of models share: `data/catalogue.yaml`."""

    version: str
    as_of: str
    sources: Mapping[str, str]
    not_models: Mapping[str, str]
    fields: Mapping[str, OldField]
    chat: list[str]
    negative_starters: Mapping[str, list[str]]
    intents: list[IntentEntry]


class Index(TypedDict):
    """The generated index, `data/index.json`: every name, and the file of each model."""

    version: str
    as_of: str
    models: list[tuple[str, str, str, str, str]]  # id, modality, file, status, task
    ids: Mapping[str, list[int]]  # squashed id -> places in `models`
    names: Mapping[str, list[int]]
    endpoints: Mapping[str, list[str]]  # those of their own -> ids
    chat: list[str]
    not_models: Mapping[str, str]
    fields: Mapping[str, OldField]
