"""Judges rules of the form `if` and `then`, JSON Schema over what is sent, and says them in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from kiebatch.catalogue.naming import Names
from kiebatch.catalogue.saying import any_of, around, bare, options_hint, quoted, say, size_of
from kiebatch.catalogue.shapes import Condition, Consequence, Rule, Schema
from kiebatch.catalogue.validators import validator
from kiebatch.errors import Finding
from kiebatch.model import JSON, json_of

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def applies(rule: Rule, sent: Mapping[str, JSON]) -> bool:
    """Whether a rule's `if` holds."""
    condition = rule.get("if")
    if condition is None:
        return True
    if any(name not in sent for name in condition.get("required", ())):
        return False
    return validator(condition).is_valid(sent)


def concerned(rule: Rule) -> set[str]:
    """Return the fields that a rule names."""
    found = set(rule.get("fields", ()))
    for part in (rule.get("if", Condition()), rule.get("then", Consequence())):
        found |= {*part.get("required", ()), *part.get("properties", ())}
    return found


def spoken(condition: Condition, names: Names, *, given_only: bool = False) -> str:
    """Say an `if` in words; `given_only` leaves out what rests on values that the author never gave."""
    properties = condition.get("properties", {})
    parts: list[str] = []
    for name, wanted in properties.items():
        if names.given(name) or not given_only:
            parts += _value_words(name, wanted, names)
    parts += [f"with {names.shown(name)}" for name in condition.get("required", ()) if name not in properties]
    for part in (condition, *condition.get("allOf", ())):
        absent = part.get("not", Condition()).get("required", ())
        parts += [f"without {names.shown(name)}" for name in absent]
    return around(" ", " and ".join(parts))


def _value_words(name: str, wanted: Schema, names: Names) -> Iterable[str]:
    shown = names.shown(name)
    if "const" in wanted:
        yield f"with `{bare(names.word(name))}: {say(wanted['const'])}`"
    elif "enum" in wanted:
        yield f"with {shown} {any_of(f'`{say(v)}`' for v in wanted['enum'])}"
    elif "minItems" in wanted:
        yield f"with {wanted['minItems']} or more as {shown}"


def then_words(then: Consequence, names: Names) -> str:
    """Say a `then` in words: what is needed, and what a field may be."""
    properties = then.get("properties", {})
    parts = [f"needs {names.shown(n)}" for n in then.get("required", ()) if n not in properties]
    parts += [_limit(names.shown(name), own) for name, own in properties.items()]
    return ", ".join(parts)


def _limit(shown: str, own: Schema | Literal[False]) -> str:
    if own is False:
        return f"no {shown}"
    if "const" in own:
        return f"{shown} must be `{say(own['const'])}`"
    if "enum" in own:
        return f"{shown} {any_of(f'`{say(v)}`' for v in own['enum'])}"
    if "not" in own:
        barred = own["not"].get("enum") or [own["not"].get("const")]
        return f"{shown} not {any_of(f'`{say(v)}`' for v in barred)}"
    for keyword, what in _AT_MOST.items():
        if keyword in own:
            return f"at most {say(own[keyword])} {what} {shown}"
    return shown


_AT_MOST: Mapping[Literal["maxItems", "maxLength", "maximum"], str] = {
    "maxItems": "as",
    "maxLength": "characters of",
    "maximum": "for",
}


def unmet(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    """Yield what breaks the `then` of a rule whose `if` holds."""
    for name, own in rule["then"].get("properties", {}).items():
        if own is False and name in sent:
            yield Finding(
                field=names.word(name),
                message=f"`{names.model}` takes no {names.shown(name)}{spoken(rule['if'], names)}{_why(rule)}",
                hint="leave one of the two out",
                code="not-together",
            )
    for problem in validator(rule["then"]).iter_errors(sent):
        if problem.validator is not None:  # None: a field that may not be there, said above with its name
            yield _finding(rule, problem, sent, names)


def _finding(rule: Rule, problem: ValidationError, sent: Mapping[str, JSON], names: Names) -> Finding:
    missing = problem.validator == "required"
    name = quoted(problem.message) if missing else str(problem.absolute_path[0])
    own = rule["then"].get("properties", {}).get(name) or Schema()
    if not missing and ("const" not in own or names.given(name)):
        return _not_together(rule, problem, name, sent.get(name), names)
    # What has to be said beside something else is shown at that something.
    needed = f"`{bare(names.word(name))}: {say(own['const'])}`" if "const" in own else names.shown(name)
    causes = [*rule["if"].get("required", ()), *rule["if"].get("properties", ())]
    when = spoken(rule["if"], names, given_only=True)
    return Finding(
        field=names.place(name, causes),
        message=f"`{names.model}` needs {needed}{when}{_why(rule)}",
        code="needs-input",
    )


def _not_together(rule: Rule, problem: ValidationError, name: str, value: JSON, names: Names) -> Finding:
    shown, when = names.shown(name), spoken(rule["if"], names)
    limit, size = json_of(problem.validator_value), size_of(value)
    hint = ""
    if problem.validator == "maxItems":
        message = f"`{names.model}` takes at most {limit} as {shown}{when}, found {size}"
    elif problem.validator == "maxLength" and isinstance(limit, int | float):
        message = f"{shown} has {size} characters; `{names.model}` takes {limit}{when}"
        hint = f"{size - limit} too many"
    else:
        message = f"{shown} cannot be `{say(value)}` on `{names.model}`{when}"
        own = rule["then"].get("properties", {}).get(name) or Schema()
        hint = _left_hint(own, name, value, names)
    return Finding(field=names.word(name), message=message + _why(rule), hint=hint, code="not-together")


def _left_hint(own: Schema, name: str, value: JSON, names: Names) -> str:
    """Say which of a field's options are left under a condition."""
    options = names.properties.get(name, Schema()).get("enum", ())
    left = [v for v in options if validator(own).is_valid(v)]
    if left:
        return options_hint(left, value)
    return f"it takes `{say(own['const'])}`" if "const" in own else ""


def _why(rule: Rule) -> str:
    return around("; ", rule.get("why"))
