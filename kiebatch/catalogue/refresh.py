"""Compares the provider's own listing with the catalogue, and returns a candidate to review.

The provider's answers (protocol 7.3) name models, their input schemas and their prices in words.  Nothing of that
goes into the catalogue by itself: prices move, schemas slip, and what a person should know (roles, limits of media,
how to prompt) is not in them.  So a refresh is a text to read: what came, what went, and for each model that changed
a unified diff of its entry.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from kiebatch.catalogue.models import JOBS_ENDPOINT, Model
from kiebatch.catalogue.names import Catalogue
from kiebatch.errors import plain
from kiebatch.model import JSON

_COMPARED = (
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
    "default",
    "items",
    "properties",
    "required",
)
_MODALITY = (
    ("video", r"video|avatar|lip"),
    ("audio", r"speech|audio|music|sound|voice|song"),
    ("image", r""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model that the provider shows otherwise than the catalogue: what changed in words, and the diff."""

    model: str
    kind: str  # new, gone, input, price
    words: tuple[str, ...]
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Everything that a refresh found, in the order of the model ids."""

    changes: tuple[Change, ...]
    asked: int

    @property
    def text(self) -> str:
        """The candidate as one text: a unified diff with the findings as lines before each part."""
        parts = []
        for change in self.changes:
            lines = [f"# {change.model}: {change.kind}", *(f"#   {word}" for word in change.words)]
            parts.append("\n".join(lines) + "\n" + change.diff)
        return "\n".join(parts)

    def as_json(self) -> JSON:
        return {
            "asked": self.asked,
            "changes": [
                {"model": c.model, "kind": c.kind, "what": list(c.words), "diff": c.diff}
                for c in self.changes
            ],
        }


def compare(
    catalogue: Catalogue,
    listed: Sequence[Mapping[str, JSON]],
    schemas: Mapping[str, JSON],
    prices: Sequence[Mapping[str, JSON]] = (),
    *,
    today: str,
    whole: bool = True,
) -> Candidate:
    """Return what the provider says otherwise than the catalogue.

    `listed` are the entries of the model listing, `schemas` the answers about single models by id, `prices` the rows
    of the price list.  `whole` says that `listed` is all there is, so that what is missing in it is gone.
    """
    changes: list[Change] = []
    credits = _credits_by_model(prices)
    ids = [str(entry.get("model") or "") for entry in listed]
    for entry in listed:
        model_id = str(entry.get("model") or "")
        known = catalogue.get(model_id)
        input_schema = find_input(schemas.get(model_id))
        if known is None:
            changes.append(_new(model_id, entry, input_schema, today))
            continue
        if input_schema:
            changes += _input_changes(known, input_schema)
        changes += _price_changes(known, credits.get(model_id, set()))
    if whole:
        for model in catalogue.all():
            if (
                model.family == "jobs"
                and model.status == "current"
                and model.origin == "shipped"
                and model.id not in ids
            ):
                words = ("the provider no longer lists it",)
                changes.append(Change(model=model.id, kind="gone", words=words))
    return Candidate(changes=tuple(sorted(changes, key=lambda c: (c.model, c.kind))), asked=len(ids))


def find_input(answer: JSON) -> Mapping[str, JSON] | None:
    """Return the input schema inside an OpenAPI document, wherever it stands; None where there is none."""
    found: list[Mapping[str, JSON]] = []

    def walk(node: JSON, name: str) -> None:
        if isinstance(node, list):
            for one in node:
                walk(one, name)
        elif isinstance(node, Mapping):
            if name == "input" and isinstance(node.get("properties"), Mapping):
                found.append(node)
                return
            for key, value in node.items():
                walk(value, str(key))

    walk(answer, "")
    return found[0] if found else None


def _plain_schema(schema: JSON, *, top: bool = True) -> JSON:
    """Return the parts of a schema that both sides can say, in one order."""
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, JSON] = {}
    for key in _COMPARED:
        if key not in schema:
            continue
        value = schema[key]
        if key == "properties" and isinstance(value, Mapping):
            value = {str(k): _plain_schema(v, top=False) for k, v in sorted(value.items())}
        elif key == "items":
            value = _plain_schema(value, top=False)
        elif key in ("required",) and isinstance(value, list):
            value = sorted(str(v) for v in value)
        found[key] = value
    return found


def _input_changes(model: Model, schema: Mapping[str, JSON]) -> list[Change]:
    before, after = _plain_schema(model.input), _plain_schema(schema)
    words: list[str] = []
    old, new = before.get("properties") or {}, after.get("properties") or {}
    words += [f"new field `{plain(name, 80)}`" for name in new if name not in old]
    words += [f"field `{name}` is gone" for name in old if name not in new]
    for name in sorted(set(old) & set(new)):
        for key in _COMPARED:
            left, right = old[name].get(key), new[name].get(key)
            if left != right and (
                right is not None or key in ("enum", "maxLength", "maximum", "minimum", "maxItems")
            ):
                words.append(f"`{name}`: {key} was {_shown(left)}, is {_shown(right)}")
    needed = set(after.get("required") or ()), set(before.get("required") or ())
    words += [f"`{plain(name, 80)}` is required now" for name in sorted(needed[0] - needed[1])]
    words += [f"`{name}` is no longer required" for name in sorted(needed[1] - needed[0])]
    if not words:
        return []
    diff = _diff({"id": model.id, "input": before}, {"id": model.id, "input": after}, model)
    return [Change(model=model.id, kind="input", words=tuple(words), diff=diff)]


def _shown(value: JSON) -> str:
    return "not said" if value is None else plain(value, 120)


def _diff(before: JSON, after: JSON, model: Model) -> str:
    texts = [
        yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100) for value in (before, after)
    ]
    lines = difflib.unified_diff(
        texts[0].splitlines(keepends=True),
        texts[1].splitlines(keepends=True),
        fromfile=f"catalogue/{model.modality}/{model.id}",
        tofile=f"provider/{model.modality}/{model.id}",
    )
    return "".join(lines)


def _new(model_id: str, entry: Mapping[str, JSON], schema: Mapping[str, JSON] | None, today: str) -> Change:
    """Return a draft of an entry for a model that the catalogue does not have."""
    tasks = [re.sub(r"[^a-z]+", "-", str(t).lower()).strip("-") for t in entry.get("taskType") or ()] or [
        "unknown"
    ]
    words = " ".join([*tasks, model_id])
    modality = next(kind for kind, pattern in _MODALITY if re.search(pattern, words))
    properties = {str(k): _plain_schema(v) for k, v in ((schema or {}).get("properties") or {}).items()}
    draft: dict[str, Any] = {
        "id": plain(model_id, 200),
        "title": plain(entry.get("title") or model_id, 200),
        "modality": modality,
        "task": tasks[0],
        "family": "jobs",
        "endpoint": JOBS_ENDPOINT,
        "status": "current",
        "input": {
            "type": "object",
            "required": list((schema or {}).get("required") or ()),
            "properties": properties,
        },
        "outputs": {"count": 1},
        "sources": [f"the provider's own listing, {today}"],
        "as_of": today,
        "confidence": "medium",
        "notes": plain(f"prices in words: {entry.get('pricingDesc') or 'none'}", 500),
    }
    text = yaml.safe_dump([draft], sort_keys=False, allow_unicode=True, width=100)
    diff = (
        "--- /dev/null\n"
        + f"+++ provider/{modality}/{draft['id']}\n"
        + "".join(f"+{line}\n" for line in text.splitlines())
    )
    return Change(model=draft["id"], kind="new", words=(f"{draft['title']}, {', '.join(tasks)}",), diff=diff)


def _credits_by_model(prices: Sequence[Mapping[str, JSON]]) -> dict[str, set[float]]:
    """Return the credits of a price list by the model id that a row's link carries.  Rows without one say nothing."""
    found: dict[str, set[float]] = {}
    for row in prices:
        link = urlsplit(str(row.get("anchor") or ""))
        ids = parse_qs(link.query).get("model") or []
        try:
            credits = float(str(row.get("creditPrice")))
        except ValueError:
            continue
        for model_id in ids:
            found.setdefault(unquote(model_id), set()).add(credits)
    return found


def _price_changes(model: Model, credits: set[float]) -> list[Change]:
    ours = {float(row["credits"]) for row in model.prices}
    if not credits or credits <= ours:
        return []
    words = [f"credits {_numbers(credits - ours)} are new in the price list"]
    if ours - credits:
        words.append(f"credits {_numbers(ours - credits)} are not in it")
    return [Change(model=model.id, kind="price", words=tuple(words))]


def _numbers(values: set[float]) -> str:
    return ", ".join(f"{v:g}" for v in sorted(values))
