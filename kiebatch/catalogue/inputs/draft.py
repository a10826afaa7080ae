"""The input of one job while it is being made: fields, where each was written, media, findings."""

from __future__ import annotations

from dataclasses import field

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.naming import Names, names_of
from kiebatch.catalogue.saying import bare
from kiebatch.catalogue.shapes import Schema
from kiebatch.errors import Finding
from kiebatch.model import JSON, Ask, Media


@dataclass(slots=True, kw_only=True)
class Draft:
    """The fields of one job as they come together.

    - `words` remembers under which word the author gave each field
    - `defaulted` names what was filled in, `filled` those of it that are left out again where a rule bars them
    - `implied` are fields that a role sets, which say nothing that the role does not
    - `wrapped` is what the author said that lies inside a nested field
    - `voice` is the voice as the service calls it
    """

    model: Model
    ask: Ask
    voice: str = ""
    input: dict[str, JSON] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    media: list[Media] = field(default_factory=list)
    defaulted: list[str] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)
    implied: set[str] = field(default_factory=set)
    wrapped: dict[str, JSON] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def names(self) -> Names:
        """How the author calls the fields; it sees words that are added later, too."""
        return names_of(self.model, self.words)

    def word(self, name: str) -> str:
        return self.names.word(name)

    def schema(self, name: str) -> Schema:
        return self.model.properties.get(name, Schema())

    def own(self, friendly: str) -> str | None:
        """Return the model's own field for a friendly name, or None."""
        target = self.model.fields.get(friendly)
        return target.name if target else None

    def error(self, field: str, message: str, *, hint: str = "", code: str = "invalid-input") -> None:
        self.findings.append(Finding(field=field, message=message, hint=hint, code=code))

    def warn(self, field: str, message: str, *, hint: str = "", code: str) -> None:
        self.findings.append(Finding(field=field, message=message, hint=hint, severity="warning", code=code))

    def put(self, name: str, value: JSON, word: str) -> None:
        """Set a field that the author wrote as `word`; an error where another word has set it."""
        if name in self.input and self.words.get(name) != word:
            self.said_twice(name, word)
            return
        self.input[name] = value
        self.words[name] = word

    def said_twice(self, name: str, word: str) -> None:
        first = self.words.get(name, name)
        shown = (first, word) if bare(first) == bare(word) else (bare(first), bare(word))
        self.error(
            word, f"`{shown[0]}` and `{shown[1]}` both set `{name}`", hint="say it once", code="said-twice"
        )

    def fill(self, name: str, value: JSON) -> None:
        """Fill in a field that the author left open."""
        self.input[name] = value
        self.defaulted.append(name)
