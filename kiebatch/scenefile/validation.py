"""Checks a scene file's values against the JSON schema, and says in words what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema

from kiebatch.errors import Problems, nearest
from kiebatch.formats import load
from kiebatch.model import JSON, Document, Path

# --- the schema, said in words -------------------------------------------------------------------------


def check_scenes(document: Document, problems: Problems) -> JSON:
    """Report what the schema refuses, and return the value without the refused parts."""
    validator = jsonschema.Draft202012Validator(load("scenes.base"))
    value = document.value
    errors = list(validator.iter_errors(value))
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
        same_type = [e for e in error.context if e.validator != "type" or len(e.path) > 0]
        if not same_type:
            return error
        error = max(same_type, key=lambda e: len(e.absolute_path))
    return error


def _say(error: Any, document: Document, problems: Problems) -> None:
    path: Path = tuple(error.absolute_path)
    where = document.where(path)
    name = str(path[-1]) if path and isinstance(path[-1], str) else (str(path[-2]) if len(path) > 1 else "")
    subject = f"{_in(path, document)}`{name}`" if name else "the file"
    found = _shown(error.instance)
    if error.validator == "additionalProperties":
        allowed = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in allowed:
                near = nearest(key, allowed)
                problems.error(
                    document.where((*path, key), key=True),
                    f"{_in(path, document)}unknown key `{key}`",
                    hint=f"did you mean `{near}`?" if near else f"known here: {', '.join(allowed)}",
                    code="unknown-key",
                )
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        for key in missing:
            problems.error(where, f"{_in(path, document)}`{key}` is missing", code="missing")
    elif error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        near = nearest(str(error.instance), allowed)
        problems.error(
            where,
            f"{subject} must be one of {', '.join(f'`{v}`' for v in allowed)}, found {found}",
            hint=f"did you mean `{near}`?" if near else "",
        )
    elif error.validator == "const":
        problems.error(where, f"{subject} must be `{error.validator_value}`, found {found}")
    elif error.validator in ("type", "anyOf", "oneOf"):
        problems.error(
            where, f"{subject} must be {_expected(error.schema)}, found {found}", code="wrong-type"
        )
    elif error.validator == "pattern" and error.schema.get("pattern", "").startswith("^[0-9]+/"):
        problems.error(where, f"{subject} must look like `20/10s`, found {found}")
    elif error.validator in ("pattern", "maxLength"):
        problems.error(
            where, f"{subject} must be a short word of letters, digits, `_`, `-` and `.`, found {found}"
        )
    elif error.validator in ("minimum", "exclusiveMinimum"):
        word = "at least" if error.validator == "minimum" else "more than"
        problems.error(where, f"{subject} must be {word} {error.validator_value}, found {found}")
    elif error.validator == "maximum":
        problems.error(where, f"{subject} must be at most {error.validator_value}, found {found}")
    elif error.validator == "minLength":
        problems.error(where, f"{subject} is empty")
    else:
        problems.error(where, f"{subject}: {error.message}")


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
                ident = found.get("id") if isinstance(found, dict) else None
                parts.append(
                    f"{word} {ident}" if ident is not None else f"{word} number {int(path[i + 1]) + 1}"
                )
                break
    return ", ".join(parts) + ": " if parts else ""
