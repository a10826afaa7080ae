"""Reads models from YAML files: those that ship, and those of the user and the project."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from kiebatch import formats
from kiebatch.catalogue.models import FRIENDLY, Field, Model
from kiebatch.catalogue.shapes import PriceRow
from kiebatch.catalogue.validators import validator
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

DATA = Path(__file__).parent / "data"
LARGEST_FILE = 200_000  # values in a user's file of models; all shipped files together hold 50,000


# --- reading -------------------------------------------------------------------------------------------


def read_yaml(path: Path) -> JSON:
    """Return the values of a data file."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=formats.yaml_loader())


def squash(name: str) -> str:
    """Return a name without case, blanks and punctuation: `flux2/pro` and `Flux 2 Pro` are one spelling."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def spellings(entry: Mapping[str, JSON]) -> Iterable[str]:
    """Yield the squashed names by which a model is known besides its id: aliases and display names."""
    title = str(entry["title"])
    bare = re.sub(r"\s*\([^)]*\)", "", title)
    inside = re.findall(r"\(([^)]*)\)", title)
    for name in (*entry.get("aliases", ()), title, bare, *inside):
        if squash(name):
            yield squash(name)


# The keys of an entry that a Model has under the same name, and how each is read.
_READ: Mapping[str, Callable[[JSON], Any]] = {
    "id": str,
    "title": str,
    "modality": str,
    "task": str,
    "family": str,
    "status": str,
    "superseded_by": str,
    "superseded_note": str,
    "aliases": tuple,
    "endpoint": str,
    "input": dict,
    "roles": dict,
    "follows": tuple,
    "output_id": str,
    "sets": dict,
    "fill": dict,
    "constraints": tuple,
    "outputs": dict,
    "prompting": tuple,
    "lint": dict,
    "expected_s": float,
    "voices": dict,
    "default_voice": str,
    "accepts_asset_ids": bool,
    "sources": tuple,
    "as_of": str,
    "confidence": str,
    "notes": str,
    "provenance": dict,
    "last_day": str,
    "migration": dict,
}


def model(entry: Mapping[str, JSON], maker: str, origin: str = "shipped") -> Model:
    """Return the Model of one entry of a data file; what the entry does not say is as `Model` has it."""
    said = {key: read(entry[key]) for key, read in _READ.items() if entry.get(key)}
    return Model(
        **said,
        tasks=tuple(entry.get("tasks") or (entry["task"],)),
        maker=maker,
        fields=_fields(entry),
        prices=tuple(_price_rows(entry)),
        origin=origin,
        raw=entry,
    )


def _fields(entry: Mapping[str, JSON]) -> dict[str, Field]:
    """Return the friendly names of a model: those that its own fields bear, then those that the entry translates."""
    properties = (entry.get("input") or {}).get("properties") or {}
    fields = {name: Field(name) for name in FRIENDLY if name in properties}
    for name, target in (entry.get("fields") or {}).items():
        if isinstance(target, str):
            fields[name] = Field(target)
        else:
            fields[name] = Field(target["field"], target.get("values"), target.get("wrap"))
    return fields


def _price_rows(entry: Mapping[str, JSON]) -> Iterable[PriceRow]:
    """Yield the rows of an entry, each with the source that saw it billed."""
    source = entry.get("prices_confirmed")
    for row in entry.get("prices") or ():
        if source and not row.get("bound"):
            row = {"confirmed": source, **row}
        yield cast(PriceRow, row)


@lru_cache(maxsize=1)
def index() -> Mapping[str, Any]:
    """Return the generated index: version, date, every name, and the file of each model."""
    found: dict[str, Any] = json.loads((DATA / "index.json").read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=64)
def shipped_models(file: str) -> Mapping[str, Model]:
    data = read_yaml(DATA / "models" / file)
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


def own_entries(path: Path) -> list[tuple[Mapping[str, JSON], str]]:
    """Return the entries of a user's file and its maker, checked by the schema of all such files."""
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
    return [(entry, data.get("maker", "")) for entry in data["models"]]


def _problem(path: Path, error: ValidationError) -> Problem:
    place = ".".join(map(str, error.absolute_path)) or "the file"
    return Problem(
        where=Where(str(path)),
        message=f"`{place}`: {error.message[:200]}",
        hint="`kiebatch schema model` prints the form of an entry; docs/catalogue.md explains it",
        code="model-file",
    )
