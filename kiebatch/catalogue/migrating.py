"""Moves a job from a model that closes to the one that takes its place: fields, values, and what is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kiebatch.catalogue.inputs.defaults import default_value
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.names import Catalogue
from kiebatch.catalogue.saying import around
from kiebatch.model import JSON


@dataclass(frozen=True, slots=True)
class Moved:
    """The `params` of one shot for the new model, and what cannot be carried over with the reason for each."""

    params: Mapping[str, JSON]
    lost: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Migration:
    """The way from one model to its successor.  `source` says who named it."""

    old: Model
    new: Model

    @property
    def source(self) -> str:
        return self.old.migration.get("source") or next(iter(self.new.sources), "")

    def moved(self, params: Mapping[str, JSON]) -> Moved:
        """Return the old model's `params` as the new one takes them."""
        given: dict[str, JSON] = {}
        lost: dict[str, str] = {}
        for name, value in params.items():
            new = self._new_name(name)
            reason = "" if new else self._why_lost(name)
            if new:
                value = self._new_value(new, value)
                reason = self._why_not(new, value)
            if reason:
                lost[name] = reason
            else:
                given[new] = value
        for name, value in self.old.migration.get("set", {}).items():
            given.setdefault(name, value)
        return Moved(given, lost)

    def _new_name(self, name: str) -> str:
        """Return what a field is called on the new model; empty where it has none."""
        mapped = self.old.migration.get("fields", {}).get(name)
        if mapped:
            return mapped
        if name in self.old.migration.get("drop", {}):
            return ""
        if name in self.old.fields and name in self.new.fields:
            return name
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
        for one in (name, snake):
            if one in self.new.properties or one in self.new.fields:
                return one
        return ""

    def _new_value(self, name: str, value: JSON) -> JSON:
        return self.old.migration.get("values", {}).get(name, {}).get(str(value), value)

    def _why_lost(self, name: str) -> str:
        return self.old.migration.get("drop", {}).get(name) or f"`{self.new.id}` has no `{name}`"

    def _why_not(self, name: str, value: JSON) -> str:
        found = default_value(self.new, name, value)
        if found is None or found.fits:
            return ""
        return f"`{self.new.id}` does not take `{name}: {value}`{around('; ', found.hint)}"

    def lacks(self) -> tuple[str, ...]:
        """Return what the old model takes and the new one does not: roles, seed, what to avoid, a voice."""
        friendly = ("seed", "negative_prompt", "voice", "duration", "resolution")
        roles = [role for role in self.old.roles if role not in self.new.roles]
        return (*roles, *(n for n in friendly if n in self.old.fields and n not in self.new.fields))


def migration(old: Model, catalogue: Catalogue) -> Migration | None:
    """Return the way from a model to its successor; None where it has none."""
    new = catalogue.get(old.superseded_by or "")
    return None if new is None else Migration(old, new)
