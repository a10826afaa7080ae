"""How a person calls a model's own fields: by the word that was written, a role, or a friendly name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.saying import bare
from kiebatch.catalogue.shapes import Schema


@dataclass(frozen=True, slots=True)
class Names:
    """What a person wrote for each of a model's own fields.

    `words` has the fields that the author gave, under the word that was used; `roles` is the model's map from role
    and kind of medium to field; `friendly` maps a field back to the friendly name that it is usually given by.
    """

    model: str
    properties: Mapping[str, Schema]
    roles: Mapping[str, Mapping[str, str]]
    friendly: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)

    def word(self, name: str) -> str:
        """Return where a field is written in the scene file: `references`, `prompt`, `params.mode`."""
        if name in self.words:
            return self.words[name]
        for role, fields in self.roles.items():
            if name in fields.values():
                return role
        return self.friendly.get(name, f"params.{name}")

    def shown(self, name: str) -> str:
        """Return the word in backticks, as a message says it."""
        if name not in self.words and any(fields.get("task") == name for fields in self.roles.values()):
            return f"`{self.word(name)}: {{..., as: task}}`"
        return f"`{bare(self.word(name))}`"

    def given(self, name: str) -> bool:
        """Whether the author gave this field, in any words."""
        return name in self.words

    def place(self, name: str, others: Iterable[str] = ()) -> str:
        """Return where to show that `name` is missing: its own word, or that of what calls for it."""
        word = self.word(name)
        if not word.startswith("params.") or self.given(name):
            return word
        return next((self.word(other) for other in others if self.given(other)), "params")


def names_of(model: Model, words: Mapping[str, str] | None = None) -> Names:
    """Return how a person calls the model's own fields; `words` are those that were written."""
    said = ("prompt", "seed", "negative_prompt", "voice")
    friendly = {model.fields[f].name: f for f in said if f in model.fields}
    return Names(model.id, model.properties, model.roles, friendly, {} if words is None else words)
