"""One model of the catalogue, and its fields, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from kiebatch.catalogue.shapes import (
    Entry,
    Fact,
    LintNote,
    Measured,
    MigrationNote,
    Outputs,
    PriceRow,
    Rule,
    Schema,
)
from kiebatch.catalogue.validators import Validator
from kiebatch.model import JSON, Modality, as_json

FRIENDLY = ("prompt", "aspect_ratio", "resolution", "duration", "seed", "negative_prompt", "count", "voice")
JOBS_ENDPOINT = "/api/v1/jobs/createTask"
CLOSING_DAYS = 30  # so long before its last day a model is warned about
USUALLY_S = 60.0  # what a job takes where nobody wrote down how long


@dataclass(frozen=True, slots=True)
class Field:
    """Where a friendly name goes: the model's own field, and its spelling of each value where that differs.

    `wrap` is a template for fields that hold lists of objects; `{prompt}` and `{voice}` stand for the values.
    """

    name: str
    values: Mapping[str, JSON] | None = None
    wrap: JSON = None

    def spelt(self, value: JSON) -> JSON:
        """Return the model's own spelling of a friendly value; the value itself where it has none."""
        meant = str(value).lower()
        return next((own for said, own in (self.values or {}).items() if str(said).lower() == meant), value)

    def said(self, own: JSON) -> JSON:
        """Return the friendly spelling of the model's own value; the value itself where it has none."""
        return next((said for said, value in (self.values or {}).items() if value == own), own)


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """One model as the catalogue knows it.

    `input` is the JSON Schema of what is sent; a property that takes media has a `media` note with its limits.
    `roles` maps a role and a kind of medium (`image`, `video`, `audio`, `task`) to the field that takes it, `sets`
    what naming a role sets besides, `fill` what is sent unless the author says otherwise.  Prices are rows in
    credits; the first rule of `price` says how they are read.
    """

    id: str
    title: str
    modality: Modality
    task: str
    tasks: tuple[str, ...] = ()
    family: str = "jobs"
    maker: str = ""
    status: str = "current"  # current, superseded, withdrawn
    superseded_by: str | None = None
    superseded_note: str = ""  # what the newer one lacks
    aliases: tuple[str, ...] = ()
    endpoint: str = JOBS_ENDPOINT
    input: Schema = field(default_factory=Schema)
    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    follows: tuple[str, ...] = ()  # models whose tasks it starts from
    output_id: str = ""  # the field that takes the id of the very output of such a task
    sets: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    fill: Mapping[str, JSON] = field(default_factory=dict)
    constraints: tuple[Rule, ...] = ()
    outputs: Outputs = field(default_factory=Outputs)
    prices: tuple[PriceRow, ...] = ()
    prompting: tuple[str, ...] = ()
    lint: LintNote = field(default_factory=LintNote)
    expected_s: float = USUALLY_S
    voices: Mapping[str, str] = field(default_factory=dict)
    default_voice: str | None = None
    accepts_asset_ids: bool = False
    sources: tuple[str, ...] = ()
    as_of: str = ""
    confidence: str = ""
    notes: str = ""
    origin: str = "shipped"  # or the file of a user
    floors: tuple[Model, ...] = ()  # shipped models that this one replaces: a cap reserves their price, too
    measured: tuple[Measured, ...] = ()  # what its jobs were billed on the account that is used
    provenance: Mapping[str, Fact] = field(
        default_factory=dict
    )  # facts that come from elsewhere, by their path
    last_day: str = ""  # the last day on which the service takes jobs for it
    migration: MigrationNote = field(default_factory=MigrationNote)  # how a job moves to `superseded_by`
    raw: Entry = field(repr=False)  # the entry as its file has it

    @cached_property
    def properties(self) -> Mapping[str, Schema]:
        """The model's own input fields with the schema of each."""
        return self.input.get("properties", {})

    def role_of(self, field: str) -> str | None:
        """Return the first role whose media go to one of the model's own fields; None where none does."""
        place = self.place_of(field)
        return place[0] if place else None

    def place_of(self, field: str) -> tuple[str, str] | None:
        """Return the first role and kind of medium that go to one of the model's own fields."""
        places = ((role, kind, name) for role, own in self.roles.items() for kind, name in own.items())
        return next(((role, kind) for role, kind, name in places if name == field), None)

    @cached_property
    def defaults(self) -> Mapping[str, JSON]:
        """What the service assumes where a field is not sent."""
        return {name: p["default"] for name, p in self.properties.items() if "default" in p}

    @cached_property
    def validator(self) -> Validator:
        return Validator(self.input)

    @property
    def state(self) -> str:
        """How its facts are known: `seen live`, from the `docs`, or `inferred` from what others write."""
        said = " ".join((*self.sources, *(row.get("confirmed") or "" for row in self.prices)))
        if any(word in said for word in ("listing-", "recordings-", "bills-")):
            return "seen live"
        return "docs" if "docs" in said else "inferred"

    @property
    def known(self) -> bool:
        """Whether the catalogue has this model; False for one that only `--allow-unknown-model` lets through."""
        return bool(self.sources) or self.origin != "unknown"

    def days_left(self, on: date) -> int | None:
        """Return the days until the last one, 0 on it and negative after it; None where none is known."""
        return (date.fromisoformat(self.last_day) - on).days if self.last_day else None

    def is_closed(self, on: date) -> bool:
        """Whether the service takes no more jobs for it."""
        left = self.days_left(on)
        return self.status == "withdrawn" or (left is not None and left < 0)

    def closes_soon(self, on: date) -> bool:
        left = self.days_left(on)
        return left is not None and 0 <= left <= CLOSING_DAYS

    def as_json(self) -> dict[str, JSON]:
        """Return the keys of contract section 8, `models`."""
        return {
            "model": self.id,
            "title": self.title,
            "modality": self.modality,
            "task": self.task,
            "tasks": list(self.tasks),
            "family": self.family,
            "maker": self.maker,
            "endpoint": self.endpoint,
            "status": self.status,
            "superseded_by": self.superseded_by,
            "aliases": list(self.aliases),
            "input": as_json(self.input),
            "roles": self.roles,
            "fields": {name: f.name for name, f in self.fields.items()},
            "constraints": [as_json(rule) for rule in self.constraints],
            "outputs": as_json(self.outputs),
            "credits": [as_json(row) for row in self.prices],
            "prompting": list(self.prompting),
            "expected_s": self.expected_s,
            "voices": self.voices,
            "as_of": self.as_of,
            "source": list(self.sources),
            "confidence": self.confidence,
            "notes": self.notes,
            "origin": self.origin,
            "state": self.state,
            "provenance": {path: as_json(fact) for path, fact in self.provenance.items()},
            "last_day": self.last_day or None,
            "migration": as_json(self.migration),
        }


def unknown(model_id: str, modality: Modality) -> Model:
    """Return a model that takes everything and has no price, for `--allow-unknown-model`."""
    return Model(
        id=model_id,
        title=model_id,
        modality=modality,
        task="unknown",
        input={"type": "object"},
        fields={"prompt": Field("prompt")},
        origin="unknown",
        raw=Entry(id=model_id),
    )
