"""Turns the words of a shot into the prompt that is sent: styles, characters and variables in their places.

A prompt that is a JSON object is sent as it is; nothing is put before or behind it, and its braces are its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from enum import StrEnum

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.errors import did_you_mean, nearest
from kiebatch.model import Path
from kiebatch.scenefile.placeholders import unfilled
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import Source, listed, placed_names

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")
# What may be a key of `styles`, `characters` or `vars`; `{2}`, `{a b}` and `{"a"` are braces.
_NAME = re.compile(r"[^\W\d][^\s{}@#,\"'`:;=()\[\]$]*")
_CLOSED = (".", "!", "?")


class Origin(StrEnum):
    """Where a part of a prompt comes from."""

    PROMPT = "prompt"
    STYLE = "style"
    CHARACTER = "character"
    VARIABLE = "variable"
    JOINT = "joint"  # the full stop, comma or blank between two parts


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a prompt; `name` is that of the style, character or variable."""

    text: str
    origin: Origin
    name: str = ""
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What a shot says to one model.  The texts of the parts, joined, are the prompt."""

    parts: tuple[Part, ...] = ()
    characters: tuple[str, ...] = ()  # those that it names, whose pictures go along
    is_json: bool = False

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def style(self) -> str:
        return ", ".join(part.text for part in self.parts if part.origin is Origin.STYLE)


def words_of(source: Source, spec: ShotSpec, model: Model, take: int) -> Words | None:
    """Return what one take says to one model; None, with errors, where a name in it means nothing."""
    written, path = spec.words(take)
    prompt = _Prompt(source, spec, model, path)
    _warn_placeholders(source, spec, model, written, path)
    if is_json_object(written):
        return prompt.as_json(written)
    if _almost_json(written):
        message = f"shot `{spec.name}`: the prompt looks like JSON, and is not: {_almost_json(written)}"
        hint = "mend it, and it is sent as it is, without styles and characters"
        source.warning(spec, path, message, hint=hint, code="json-prompt")
    return prompt.words(written)


@dataclass(slots=True)
class _Prompt:
    source: Source
    spec: ShotSpec
    model: Model
    path: Path
    used: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def words(self, written: str) -> Words | None:
        own = _stripped(self._expanded(written))
        self._report_unknown()
        in_front = self._in_front()
        if self.unknown or in_front is None:
            return None
        # A full stop stays behind a character, the blank does not.
        parts = _stripped([*in_front, *own]) if in_front else own
        for style in self._styles():
            if parts:
                parts.append(Part(", ", Origin.JOINT))
            parts.append(style)
        return Words(tuple(parts), self.source.alike(self.used))

    def as_json(self, written: str) -> Words | None:
        """Return a JSON prompt as it is; what would have been put around it is named in a warning."""
        named = self._characters_named()
        if named is None:
            return None
        names = tuple(name for name, _ in named)
        left_out = list(self._left_out_of_json(names))
        if left_out:
            message = (
                f"shot `{self.spec.name}`: the prompt is a JSON object, so {_and(left_out)} cannot be added"
            )
            hint = "write them into the JSON"
            self.source.warning(self.spec, self.path, message, hint=hint, code="json-prompt")
        parts = (Part(written.strip(), Origin.PROMPT, path=self.path),)
        return Words(parts, names, is_json=True)

    def _left_out_of_json(self, characters: Sequence[str]) -> Iterator[str]:
        """Yield what would be put around another prompt, in words."""
        for part in self._styles():
            yield f"the style `{part.name or part.text}`"
        for name in characters:
            if self.source.characters[name].get("text"):
                yield f"the words of `{name}`"
        folds = self.source.options.fold_negative and "negative_prompt" not in self.model.fields
        if folds and self.source.negatives(self.spec, self.model.modality):
            yield "the negative prompt"

    # -- names in the text

    def _expanded(self, written: str) -> list[Part]:
        parts: list[Part] = []
        at = depth = 0
        for token in _TOKEN.finditer(written):
            parts.append(self._own(written[at : token.start()]))
            at = token.end()
            text = token.group(0)
            if token.group(1) is not None:
                parts.append(self._named(text, token.group(1).strip()))
            elif text == "{":
                depth += 1
                parts.append(self._own(text))
            elif depth and text in ("}", "}}"):
                # It closes a brace that opened no name, so that `}}` is two of them.
                depth = max(0, depth - len(text))
                parts.append(self._own(text))
            else:
                parts.append(self._own(text[0]))
        parts.append(self._own(written[at:]))
        return [part for part in parts if part.text]

    def _own(self, text: str) -> Part:
        return Part(text, Origin.PROMPT, path=self.path)

    def _named(self, written: str, name: str) -> Part:
        source = self.source
        if name in source.characters:
            self.used.append(name)
            text = str(source.characters[name].get("text") or name)
            path: Path = ("characters", name)
            return Part(with_variables(source, text).strip(), Origin.CHARACTER, name, path)
        if name in source.styles:
            text = with_variables(source, source.styles[name]).strip()
            return Part(text, Origin.STYLE, name, ("styles", name))
        if name in source.variables:
            return Part(source.variables[name], Origin.VARIABLE, name, ("vars", name))
        if _NAME.fullmatch(name):
            self.unknown.append(name)
        return self._own(written)

    def _report_unknown(self) -> None:
        for name in self.unknown:
            known = [*self.source.styles, *self.source.characters, *self.source.variables]
            near = nearest(name, known)
            hint = (
                f"did you mean `{{{near}}}`?"
                if near
                else "write `{{` for a brace, or fill it: " + _fill(name)
            )
            message = f"shot `{self.spec.name}`: there is no style, character or variable called `{name}`"
            self.source.error(self.path or self.spec.path, message, hint=hint, code="unknown-name")

    # -- what goes around the text

    def _characters_named(self) -> list[tuple[str, Path]] | None:
        """Return the characters that the shot lists, each with its place; None when one is unknown."""
        if self.model.modality == "audio":
            return []
        names, path = self.source.setting(self.spec, self.model.modality, "characters")
        found: list[tuple[str, Path]] = []
        for name, place in placed_names(names, path):
            if name not in self.source.characters:
                message = f"shot `{self.spec.name}`: there is no character `{name}`"
                hint = did_you_mean(name, self.source.characters)
                self.source.error(place, message, hint=hint, code="unknown-name")
                return None
            found.append((name, place))
        return found

    def _in_front(self) -> list[Part] | None:
        named = self._characters_named()
        if named is None:
            return None
        parts: list[Part] = []
        for name, _ in named:
            if name in self.used:
                continue
            self.used.append(name)
            text = with_variables(self.source, str(self.source.characters[name].get("text") or "")).strip()
            if text:
                parts.append(Part(text, Origin.CHARACTER, name, ("characters", name)))
                parts.append(Part(" " if text.endswith(_CLOSED) else ". ", Origin.JOINT))
        return parts

    def _styles(self) -> list[Part]:
        source, spec = self.source, self.spec
        style, path = source.setting(spec, self.model.modality, "style")
        found: list[Part] = []
        for name, place in placed_names(style, path):
            if name in source.styles:
                text = with_variables(source, source.styles[name]).strip()
                found.append(Part(text, Origin.STYLE, name, ("styles", name)))
            elif " " in name.strip() or not source.styles:
                words = with_variables(source, name).strip()  # the words themselves
                found.append(Part(words, Origin.STYLE, "", place))
            else:
                message = f"shot `{spec.name}`: there is no style `{name}`"
                hint = did_you_mean(name, source.styles) or f"known: {', '.join(source.styles)}"
                source.error(place, message, hint=hint, code="unknown-name")
        return [part for part in found if part.text]


def with_variables(source: Source, text: str) -> str:
    """Return the words of a style, a character or a negative prompt with variables in their places."""
    known = source.variables
    if not known or "{" not in text:
        return text
    return re.sub(r"\{([^{}\n]*)\}", lambda m: known.get(m.group(1).strip(), m.group(0)), text)


def negatives_of(source: Source, spec: ShotSpec, model: Model) -> tuple[str, ...]:
    """Return what a shot asks to avoid, each once."""
    found = [text for value, _ in source.negatives(spec, model.modality) for text in listed(value)]
    return tuple(dict.fromkeys(with_variables(source, text) for text in found))


def _stripped(parts: Sequence[Part]) -> list[Part]:
    """Return parts without white space at either end of the whole."""
    found = list(parts)
    while found and not found[0].text.strip():
        found.pop(0)
    while found and not found[-1].text.strip():
        found.pop()
    if found:
        found[0] = _with_text(found[0], found[0].text.lstrip())
        found[-1] = _with_text(found[-1], found[-1].text.rstrip())
    return found


def _with_text(part: Part, text: str) -> Part:
    return part if part.text == text else replace(part, text=text)


# --- JSON ----------------------------------------------------------------------------------------------


def is_json_object(text: str) -> bool:
    """Whether a whole prompt is a JSON object."""
    if not _in_braces(text):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _almost_json(text: str) -> str:
    """Return what keeps a prompt that was meant as JSON from being JSON, empty where it was not meant so."""
    if not _in_braces(text) or not re.search(r"\"\s*:", text):
        return ""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} (line {error.lineno} of the prompt)"
    return ""


def _in_braces(text: str) -> bool:
    bare = text.strip()
    return bare.startswith("{") and bare.endswith("}")


# --- placeholders --------------------------------------------------------------------------------------


def _warn_placeholders(source: Source, spec: ShotSpec, model: Model, written: str, path: Path) -> None:
    """Warn about `{{subject}}`, `[STYLE]` and `<hero>`: templates that nothing filled in."""
    if model.modality not in ("image", "video") or is_json_object(written):
        return
    known = source.names
    for found in unfilled(written, known, model.prompting):
        message = (
            f"shot `{spec.name}`: `{found.written}` looks like a placeholder, and is sent as `{found.sent}`"
        )
        hint = f"write `{{{found.name}}}`" if found.name in known else f"fill it: {_fill(found.name)}"
        source.warning(spec, path, message, hint=hint, code="placeholder")


def _fill(name: str) -> str:
    return (
        f"a style, a character, or `vars: {{{name}: ...}}` at the top and `{{{name}}}` in the prompt"
        f" (`--var {name}=...` beats it)"
    )


def _and(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
