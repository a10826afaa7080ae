"""Checks a scene file's values against the JSON schema, and says in words what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kiebatch.catalogue import validator
from kiebatch.errors import Problems, did_you_mean
from kiebatch.formats import load
from kiebatch.model import JSON, Document, Path, under
from kiebatch.scenefile.durations import seconds

# --- the schema, said in words -------------------------------------------------------------------------


def check_scenes(document: Document, problems: Problems) -> JSON:
    """Report what the schema refuses, and return the value without the refused parts."""
    value = document.value
    errors = list(validator(load("scenes.base")).iter_errors(value))
    if not errors:
        return value
    value = copy.deepcopy(value)
    for error in sorted(errors, key=lambda e: -len(e.absolute_path)):
        _say(_deepest(error), document, problems)
        _prune(value, list(error.absolute_path), error)
    return value


def _deepest(error: Any) -> Any:
    """Return the error that a person means: of alternatives, the one that the value comes nearest to."""
    while error.validator in ("anyOf", "oneOf") and error.context:
        if error.absolute_path and error.absolute_path[-1] == "duration":
            return error.context[0]  # almost everybody means a number and no `voice`
        same_type = [e for e in error.context if e.validator != "type" or len(e.path) > 0]
        if not same_type:
            return error
        error = max(same_type, key=lambda e: len(e.absolute_path))
    return error


def _say(error: Any, document: Document, problems: Problems) -> None:
    """Report one finding of the schema in words."""
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        _say_unknown_keys(error, path, document, problems)
    elif error.validator == "required":
        for key in [key for key in error.validator_value if key not in error.instance]:
            where = document.where(path)
            problems.error(where, f"{_in(path, document)}`{key}` is missing", code="missing")
    else:
        message, hint = _words(error)
        code = "wrong-type" if error.validator in ("type", "anyOf", "oneOf") else "invalid"
        subject = f"{_in(path, document)}`{_name(path)}`" if _name(path) else "the file"
        problems.error(document.where(path), f"{subject} {message}", hint=hint, code=code)


def _say_unknown_keys(error: Any, path: Path, document: Document, problems: Problems) -> None:
    allowed = list(error.schema.get("properties", {}))
    for key in [key for key in error.instance if key not in allowed]:
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


def _words(error: Any) -> tuple[str, str]:
    """Return what a value must be, with what it is, and the way out."""
    found, limit = _shown(error.instance), error.validator_value
    match error.validator:
        case "enum":
            allowed = [str(v) for v in limit]
            choices = ", ".join(f"`{v}`" for v in allowed)
            return f"must be one of {choices}, found {found}", did_you_mean(str(error.instance), allowed)
        case "const":
            return f"must be `{limit}`, found {found}", ""
        case "type" | "anyOf" | "oneOf":
            return f"must be {_expected(error.schema)}, found {found}", _way_out(error)
        case "pattern" if str(limit).startswith("^[0-9]+/"):
            return f"must look like `20/10s`, found {found}", ""
        case "pattern" if "\\$" in str(limit):
            return f"takes credits (`120`) or dollars (`5$`), found {found}", ""
        case "pattern" | "maxLength":
            hint = "take out the comma" if str(error.instance).endswith(",") else ""
            return f"must be a short word of letters, digits, `_`, `-` and `.`, found {found}", hint
        case "minimum":
            return f"must be at least {limit}, found {found}", ""
        case "exclusiveMinimum":
            return f"must be more than {limit}, found {found}", ""
        case "maximum":
            return f"must be at most {limit}, found {found}", ""
        case "minLength":
            return "is empty", ""
        case _:
            return f": {error.message}", ""


def _way_out(error: Any) -> str:
    """Return what to type where a value has the wrong type."""
    name, value = _name(tuple(error.absolute_path)), error.instance
    if str(error.schema.get("pattern", "")).startswith("^[0-9]+/"):
        return "a rate looks like `20/10s`"
    if name in ("scenes", "shots") and isinstance(value, dict):
        return "each begins with `- `, as in `- id: 1`"
    if name in ("prompt", "text") and isinstance(value, dict):
        return "to send JSON, put it in quotes, or on the lines below `prompt: |`"
    if name == "duration" and isinstance(value, str):
        length = seconds(value)
        return f"write `duration: {length}`, in seconds" if length else did_you_mean(value.lower(), ["voice"])
    takes_text = "text" in _expected(error.schema)
    if takes_text and isinstance(value, bool | int | float):
        return f'write `"{str(value).lower()}"`, in quotes'
    return ""


def _prune(value: JSON, path: list[str | int], error: Any) -> None:
    """Take what was refused out of `value`, so that the rest can still be checked."""
    if error.validator == "additionalProperties":
        target = value_at(value, path)
        if isinstance(target, dict):
            for key in list(target):
                if key not in error.schema.get("properties", {}):
                    del target[key]
        return
    if error.validator == "required":
        _remove(value, path)
        return
    _remove(value, path)


def _remove(value: JSON, path: list[str | int]) -> None:
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


def _expected(schema: Mapping[str, Any]) -> str:
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "array": "a list",
        "object": "a group of keys",
        "boolean": "true or false",
        "null": "empty",
    }
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_expected(s) for s in schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "$ref" in schema:
        return "{shot: ...}" if "shot_output" in schema["$ref"] else "a path, a URL, a name or {shot: ...}"
    kind: Any = schema.get("type", "something else")
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(words.get(str(k), str(k)) for k in kinds)


def _shown(value: JSON) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    text = str(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


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
