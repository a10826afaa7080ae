"""Small corrections of the user's on shipped models: one price, one limit, an alias, a date.

A patch is an entry of a `models/*.yaml` that names a model by its id and says only what differs.  Mappings are merged
key by key (`null` takes a key away), aliases are added, a price row takes the place of the shipped rows with the same
conditions, any other list is replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from kiebatch.catalogue.shapes import Fact, PriceRow
from kiebatch.model import JSON

NEEDED = ("title", "modality", "task", "family", "endpoint", "status", "input", "outputs")
_ADDED = ("aliases",)


def is_whole(entry: Mapping[str, JSON]) -> bool:
    """Whether an entry says all that a model needs, rather than what differs."""
    return all(key in entry for key in NEEDED)


def patched(base: Mapping[str, JSON], patch: Mapping[str, JSON], file: str) -> dict[str, JSON]:
    """Return a shipped entry with the user's facts over it; `file` is their source, unless the patch names one."""
    facts = {**(base.get("provenance") or {}), **_facts_of(patch, file), **(patch.get("provenance") or {})}
    found = dict(base)
    for key, value in patch.items():
        if key == "prices":
            found[key] = _prices(base.get(key) or [], value, file)
        elif key in _ADDED:
            found[key] = list(dict.fromkeys([*(base.get(key) or []), *value]))
        elif key != "provenance":
            found[key] = _merged(base.get(key), value)
    return {key: value for key, value in found.items() if value is not None} | {"provenance": facts}


def _merged(base: JSON, patch: JSON) -> JSON:
    if not isinstance(base, Mapping) or not isinstance(patch, Mapping):
        return patch
    found = {**base, **{key: _merged(base.get(key), value) for key, value in patch.items()}}
    return {key: value for key, value in found.items() if key not in patch or patch[key] is not None}


def _prices(base: list[PriceRow], rows: Iterable[Mapping[str, JSON]], file: str) -> list[PriceRow]:
    """Return the shipped rows with the user's in place of those with the same conditions."""
    usual = {row["per"] for row in base if row["per"] != "input" and not row.get("adds")}
    per = next(iter(usual)) if len(usual) == 1 else "job"
    mine = [cast(PriceRow, {"per": per, "source": file, **row}) for row in rows]
    replaced = [_about(row) for row in mine]
    return [*(row for row in base if _about(row) not in replaced), *mine]


def _about(row: PriceRow) -> tuple[Mapping[str, JSON], str, bool]:
    """Return what a row prices, by which a user's row takes the place of a shipped one."""
    return row.get("when") or {}, row["per"], bool(row.get("adds"))


def _facts_of(patch: Mapping[str, JSON], file: str) -> dict[str, Fact]:
    """Return where each patched fact comes from, by its path: `prices`, `input.duration.maximum`."""
    fact = Fact(source=file)
    if patch.get("as_of"):
        fact["as_of"] = str(patch["as_of"])
    return {path: fact for key, value in patch.items() for path in _paths(key, value)}


def _paths(key: str, value: JSON) -> Iterable[str]:
    if key in ("id", "modality", "as_of", "provenance", "sources", "confidence"):
        return
    if key != "input" or not isinstance(value, Mapping):
        yield key
        return
    for name, schema in (value.get("properties") or {}).items():
        if isinstance(schema, Mapping):
            yield from (f"input.{name}.{limit}" for limit in schema)
        else:
            yield f"input.{name}"
    yield from (f"input.{name}" for name in value if name != "properties")
