"""Small corrections of the user's on shipped models: one price, one limit, an alias, a date.

A patch is an entry of a `models/*.yaml` that names a model by its id and says only what differs.  Mappings are merged
key by key (`null` takes a key away), aliases are added, a price row takes the place of the shipped rows with the same
conditions, any other list is replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kiebatch.catalogue.shapes import Entry, Fact, PriceRow
from kiebatch.model import as_form

NEEDED = ("title", "modality", "task", "family", "endpoint", "status", "input", "outputs")


def is_whole(entry: Entry) -> bool:
    """Whether an entry says all that a model needs, rather than what differs."""
    return all(key in entry for key in NEEDED)


def patched(base: Entry, patch: Entry, file: str) -> Entry:
    """Return a shipped entry with the user's facts over it; `file` is their source, unless the patch names one."""
    facts = {**base.get("provenance", {}), **_facts_of(patch, file), **patch.get("provenance", {})}
    differs = {key: _merged(base.get(key), value) for key, value in patch.items() if key != "provenance"}
    found = {**base, **differs}
    if "prices" in patch:
        found["prices"] = _prices(base.get("prices", []), patch["prices"], file)
    if "aliases" in patch:
        found["aliases"] = list(dict.fromkeys([*base.get("aliases", []), *patch["aliases"]]))
    said = {key: value for key, value in found.items() if value is not None}
    return as_form(Entry, said | {"provenance": facts})


def _merged(base: object, patch: object) -> object:
    if not isinstance(base, Mapping) or not isinstance(patch, Mapping):
        return patch
    found = {**base, **{key: _merged(base.get(key), value) for key, value in patch.items()}}
    return {key: value for key, value in found.items() if key not in patch or patch[key] is not None}


def _prices(base: Iterable[PriceRow], rows: Iterable[PriceRow], file: str) -> list[PriceRow]:
    """Return the shipped rows with the user's in place of those with the same conditions."""
    usual = {row["per"] for row in base if row["per"] != "input" and not row.get("adds")}
    per = next(iter(usual)) if len(usual) == 1 else "job"
    mine: list[PriceRow] = [{"per": per, "source": file, **row} for row in rows]
    replaced = [_about(row) for row in mine]
    return [*(row for row in base if _about(row) not in replaced), *mine]


def _about(row: PriceRow) -> tuple[Mapping[str, object], str, bool]:
    """Return what a row prices, by which a user's row takes the place of a shipped one."""
    return row.get("when", {}), row["per"], row.get("adds", False)


def _facts_of(patch: Entry, file: str) -> dict[str, Fact]:
    """Return where each patched fact comes from, by its path: `prices`, `input.duration.maximum`."""
    fact = Fact(source=file)
    if patch.get("as_of"):
        fact["as_of"] = patch["as_of"]
    return {path: fact for key, value in patch.items() for path in _paths(key, value)}


def _paths(key: str, value: object) -> Iterable[str]:
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
