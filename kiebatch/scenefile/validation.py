"""Checks a scene file's values against the JSON schema, and says in words what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import validator
from kiebatch.errors import Problems, did_you_mean, shortened
from kiebatch.formats import load
from kiebatch.model import JSON, Document, Path, as_list, as_mapping, json_of, under
from kiebatch.scenefile.durations import seconds

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

# --- the schema, said in words -------------------------------------------------------------------------


def check_scenes(document: Document, problems: Problems) -> JSON:
    """Report what the schema refuses, and return the value without the refused parts."""
    value = document.value
    errors = list(validator(load("scenes.base")).iter_errors(value))
    if not errors:
        return value
    value = copy.deepcopy(value)
    for error in sorted(errors, key=lambda e: -len(e.absolute_path)):
        _say(_Refusal.of(_deepest(error)), document, problems)
        _prune(value, _Refusal.of(error))
    return value


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One finding of the schema: the rule, the part of the schema that has it, and the value with its path."""

    rule: str
    schema: JSON
    value: JSON
    path: Path
    message: str

    @classmethod
    def of(cls, error: ValidationError) -> _Refusal:
        path = tuple(error.absolute_path)
        return cls(str(error.validator), json_of(error.schema), json_of(error.instance), path, error.message)

    @property
    def limit(self) -> JSON:
        """What the rule says: the least value, the known words, the keys that are required."""
        return under(self.schema, self.rule)

    @property
    def known_keys(self) -> list[str]:
        return list(as_mapping(under(self.schema, "properties")))

    @property
    def unknown_keys(self) -> list[str]:
        known = self.known_keys
        return [key for key in as_mapping(self.value) if key not in known]


def _deepest(error: ValidationError) -> ValidationError:
    """Return the error that a person means: of alternatives, the one that the value comes nearest to."""
    while error.validator in ("anyOf", "oneOf") and error.context:
        if error.absolute_path and error.absolute_path[-1] == "duration":
            return error.context[0]  # almost everybody means a number and no `voice`
        same_type = [e for e in error.context if e.validator != "type" or len(e.path) > 0]
        if not same_type:
            return error
        error = max(same_type, key=lambda e: len(e.absolute_path))
    return error


def _say(refusal: _Refusal, document: Document, problems: Problems) -> None:
    """Report one finding of the schema in words."""
    path = refusal.path
    if refusal.rule == "additionalProperties":
        _say_unknown_keys(refusal, document, problems)
    elif refusal.rule == "required":
        there = as_mapping(refusal.value)
        for key in as_list(refusal.limit):
            if key not in there:
                where = document.where(path)
                problems.error(where, f"{_in(path, document)}`{key}` is missing", code="missing")
    else:
        message, hint = _words(refusal)
        code = "wrong-type" if refusal.rule in ("type", "anyOf", "oneOf") else "invalid"
        subject = f"{_in(path, document)}`{_name(path)}`" if _name(path) else "the file"
        problems.error(document.where(path), f"{subject} {message}", hint=hint, code=code)


def _say_unknown_keys(refusal: _Refusal, document: Document, problems: Problems) -> None:
    path, allowed = refusal.path, refusal.known_keys
    for key in refusal.unknown_keys:
        hint = did_you_mean(key.strip(), allowed) or f"known here: {', '.join(allowed)}"
        if key != key.strip():
            hint = f"the line begins with blanks of another kind (no-break spaces); {hint}"
        where = document.where((*path, key), key=True)
        message = f"{_in(path, document)}unknown key `{key.strip()}`"
        problems.error(where, message, hint=hint, code="unknown-key")


def _name(path: Path) -> str:
    """Return the key that a value belongs to; an item of a list goes by the name of the list."""
    if not path:
        return ""
    last = path[-1]
    if isinstance(last, str):
        return last
    return str(path[-2]) if len(path) > 1 else ""


def _words(refusal: _Refusal) -> tuple[str, str]:
    """Return what a value must be, with what it is, and the way out."""
    found, rule, limit = _shown(refusal.value), refusal.rule, refusal.limit
    if rule in _LIMITS:
        return f"{_LIMITS[rule].format(limit)}, found {found}", ""
    match rule:
        case "enum":
            allowed = [str(v) for v in as_list(limit)]
            choices = ", ".join(f"`{v}`" for v in allowed)
            return f"must be one of {choices}, found {found}", did_you_mean(str(refusal.value), allowed)
        case "type" | "anyOf" | "oneOf":
            return f"must be {_expected(refusal.schema)}, found {found}", _way_out(refusal)
        case "pattern" | "maxLength":
            return _words_of_a_pattern(str(limit), refusal.value, found)
        case "minLength":
            return "is empty", ""
    return f": {refusal.message}", ""


_LIMITS = {
    "const": "must be `{}`",
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be more than {}",
    "maximum": "must be at most {}",
}


def _words_of_a_pattern(pattern: str, value: JSON, found: str) -> tuple[str, str]:
    if pattern.startswith("^[0-9]+/"):
        return f"must look like `20/10s`, found {found}", ""
    if "\\$" in pattern:
        return f"takes credits (`120`) or dollars (`5$`), found {found}", ""
    hint = "take out the comma" if str(value).endswith(",") else ""
    return f"must be a short word of letters, digits, `_`, `-` and `.`, found {found}", hint


def _way_out(refusal: _Refusal) -> str:
    """Return what to type where a value has the wrong type."""
    name, value = _name(refusal.path), refusal.value
    if str(under(refusal.schema, "pattern")).startswith("^[0-9]+/"):
        return "a rate looks like `20/10s`"
    if isinstance(value, dict):
        return _INSTEAD_OF_A_GROUP.get(name, "")
    if name == "duration" and isinstance(value, str):
        return _length_to_write(value)
    if isinstance(value, bool | int | float) and "text" in _expected(refusal.schema):
        return f'write `"{str(value).lower()}"`, in quotes'
    return ""


_INSTEAD_OF_A_GROUP = {
    **dict.fromkeys(("scenes", "shots"), "each begins with `- `, as in `- id: 1`"),
    **dict.fromkeys(("prompt", "text"), "to send JSON, put it in quotes, or on the lines below `prompt: |`"),
}


def _length_to_write(written: str) -> str:
    length = seconds(written)
    return f"write `duration: {length}`, in seconds" if length else did_you_mean(written.lower(), ["voice"])


def _prune(value: JSON, refusal: _Refusal) -> None:
    """Take what was refused out of `value`, so that the rest can still be checked."""
    if refusal.rule != "additionalProperties":
        _remove(value, refusal.path)
        return
    group = value_at(value, refusal.path)
    for key in refusal.unknown_keys:
        if isinstance(group, dict):
            group.pop(key, None)


def _remove(value: JSON, path: Path) -> None:
    if not path:
        return
    parent, last = value_at(value, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent.pop(str(last), None)
    elif isinstance(parent, list) and isinstance(last, int) and last < len(parent):
        parent[last] = None  # keep the numbers of the others; None is passed over


def value_at(value: JSON, path: Sequence[str | int]) -> JSON:
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a group of keys",
    "boolean": "true or false",
    "null": "empty",
}


def _expected(schema: JSON) -> str:
    """Return what a schema expects, in words."""
    said = as_mapping(schema)
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(map(_expected, as_list(said["anyOf"]))))
    if "const" in said:
        return f"`{said['const']}`"
    if "shot_output" in str(said.get("$ref")):
        return "{shot: ...}"
    if "$ref" in said:
        return "a path, a URL, a name or {shot: ...}"
    kinds = as_list(said.get("type")) or [said.get("type", "something else")]
    return " or ".join(_TYPES.get(str(kind), str(kind)) for kind in kinds)


def _shown(value: JSON) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{shortened(str(value), 60)}`"


def _in(path: Path, document: Document) -> str:
    """Return `scene 2, shot b: ` for a path inside them."""
    parts = []
    for key, word in (("scenes", "scene"), ("shots", "shot")):
        for i, step in enumerate(path[:-1]):
            if step == key and isinstance(path[i + 1], int):
                found = value_at(document.value, path[: i + 2])
                parts.append(_called(word, under(found, "id"), int(path[i + 1]) + 1))
                break
    return ", ".join(parts) + ": " if parts else ""


def _called(word: str, ident: JSON, number: int) -> str:
    """Return `scene 2`, or `scene number 3` for one without an id; an id that says `scene` itself stays alone."""
    if ident is None:
        return f"{word} number {number}"
    text = str(ident)
    return f"`{text}`" if text.lower().startswith(word) else f"{word} {text}"
