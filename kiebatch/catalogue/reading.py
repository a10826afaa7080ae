"""Reads models from YAML files: those that ship, and those of the user and the project."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from kiebatch import formats
from kiebatch.catalogue.models import FRIENDLY, USUALLY_S, Field, Model
from kiebatch.catalogue.shapes import Entry, FieldEntry, Head, Index, ModelFile, PriceRow
from kiebatch.catalogue.validators import validator
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, as_form

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

DATA = Path(__file__).parent / "data"
LARGEST_FILE = 200_000  # values in a user's file of models; all shipped files together hold 50,000


# --- reading -------------------------------------------------------------------------------------------


def read_yaml(path: Path) -> JSON:
    """Return the values of a data file."""
    found: JSON = yaml.load(path.read_text(encoding="utf-8"), Loader=formats.yaml_loader())
    return found


def squash(name: str) -> str:
    """Return a name without case, blanks and punctuation: `flux2/pro` and `Flux 2 Pro` are one spelling."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def spellings(title: str, aliases: Iterable[str] = ()) -> Iterable[str]:
    """Yield the squashed names by which a model is known besides its id: aliases and display names."""
    bare = re.sub(r"\s*\([^)]*\)", "", title)
    inside = re.findall(r"\(([^)]*)\)", title)
    for name in (*aliases, title, bare, *inside):
        if squash(name):
            yield squash(name)


def model(entry: Entry, maker: str, origin: str = "shipped") -> Model:
    """Return the Model of one entry of a data file."""
    return Model(
        id=entry["id"],
        title=entry["title"],
        modality=entry["modality"],
        task=entry["task"],
        tasks=tuple(entry.get("tasks") or (entry["task"],)),
        family=entry["family"],
        maker=maker,
        status=entry["status"],
        superseded_by=entry.get("superseded_by"),
        superseded_note=entry.get("superseded_note", ""),
        aliases=tuple(entry.get("aliases", ())),
        endpoint=entry["endpoint"],
        input=entry["input"],
        roles=entry.get("roles", {}),
        follows=tuple(entry.get("follows", ())),
        output_id=entry.get("output_id", ""),
        sets=entry.get("sets", {}),
        fields=_fields(entry),
        fill=entry.get("fill", {}),
        constraints=tuple(entry.get("constraints", ())),
        outputs=entry["outputs"],
        prices=tuple(_price_rows(entry)),
        prompting=tuple(entry.get("prompting", ())),
        lint=entry.get("lint", {}),
        expected_s=float(entry.get("expected_s", USUALLY_S)),
        voices=entry.get("voices", {}),
        default_voice=entry.get("default_voice"),
        accepts_asset_ids=entry.get("accepts_asset_ids", False),
        sources=tuple(entry.get("sources", ())),
        as_of=entry.get("as_of", ""),
        confidence=entry.get("confidence", ""),
        notes=entry.get("notes", ""),
        origin=origin,
        provenance=entry.get("provenance", {}),
        last_day=entry.get("last_day", ""),
        migration=entry.get("migration", {}),
        raw=entry,
    )


def _fields(entry: Entry) -> dict[str, Field]:
    """Return the friendly names of a model: those that its own fields bear, then those that the entry translates."""
    properties = entry["input"].get("properties", {})
    fields = {name: Field(name) for name in FRIENDLY if name in properties}
    return fields | {name: _field(target) for name, target in entry.get("fields", {}).items()}


def _field(target: str | FieldEntry) -> Field:
    if isinstance(target, str):
        return Field(target)
    return Field(target["field"], target.get("values"), target.get("wrap"))


def _price_rows(entry: Entry) -> Iterable[PriceRow]:
    """Yield the rows of an entry, each with the source that saw it billed."""
    source = entry.get("prices_confirmed")
    for row in entry.get("prices", ()):
        if source and not row.get("bound"):
            row = {"confirmed": source, **row}
        yield row


@lru_cache(maxsize=1)
def index() -> Index:
    """Return the generated index: version, date, every name, and the file of each model."""
    found: Index = json.loads((DATA / "index.json").read_text(encoding="utf-8"))
    return found


def head() -> Head:
    """Return what the files of models share: their date, their sources, and names that are not those of models."""
    return as_form(Head, read_yaml(DATA / "catalogue.yaml"))


def models_in(path: Path) -> ModelFile:
    """Return a file of models that ships; tests hold it to its schema."""
    return as_form(ModelFile, read_yaml(path))


@lru_cache(maxsize=64)
def shipped_models(file: str) -> Mapping[str, Model]:
    data = models_in(DATA / "models" / file)
    return {entry["id"]: model(entry, data["maker"]) for entry in data["models"]}


def _weight(value: JSON, known: dict[int, int] | None = None) -> int:
    """Return how many values a document holds with its aliases written out, without writing them out."""
    known = {} if known is None else known
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = 1  # what holds itself would never end
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_weight(one, known) for one in inner)
    return known[id(value)]


def own_models(path: Path) -> ModelFile:
    """Return a user's file of models, checked by the schema of all such files."""
    try:
        data = read_yaml(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid([Problem(where=Where(str(path)), message=f"cannot be read: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(str(path), mark.line + 1, mark.column + 1) if mark else Where(str(path))
        raise Invalid([Problem(where=where, message=str(getattr(error, "problem", error)))]) from error
    if _weight(data) > LARGEST_FILE:
        raise Invalid([Problem(where=Where(str(path)), message="is too large for a file of models")])
    errors = sorted(
        validator(formats.load("model")).iter_errors(data),
        key=lambda e: [str(p) for p in e.absolute_path],
    )
    if errors:
        raise Invalid([_problem(path, error) for error in errors[:20]])
    return as_form(ModelFile, data)


def _problem(path: Path, error: ValidationError) -> Problem:
    place = ".".join(map(str, error.absolute_path)) or "the file"
    return Problem(
        where=Where(str(path)),
        message=f"`{place}`: {error.message[:200]}",
        hint="`kiebatch schema model` prints the form of an entry; docs/catalogue.md explains it",
        code="model-file",
    )
