"""Judges rules of the form `if` and `then`, JSON Schema over what is sent, and says them in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kiebatch.catalogue.naming import Names
from kiebatch.catalogue.saying import any_of, bare, options_hint, quoted, say
from kiebatch.catalogue.shapes import Rule, Schema
from kiebatch.catalogue.validators import validator
from kiebatch.errors import Finding
from kiebatch.model import JSON

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def applies(rule: Rule, sent: Mapping[str, JSON]) -> bool:
    """Whether a rule's `if` holds."""
    condition = rule.get("if")
    if condition is None:
        return True
    if any(name not in sent for name in condition.get("required") or ()):
        return False
    return validator(condition).is_valid(sent)


def concerned(rule: Rule) -> set[str]:
    """Return the fields that a rule names."""
    found: set[str] = set(rule.get("fields") or ())
    for part in (rule.get("if") or {}, rule.get("then") or {}):
        found |= set(part.get("required") or ()) | set(part.get("properties") or ())
    return found


def spoken(condition: Schema, names: Names, *, given_only: bool = False) -> str:
    """Say an `if` in words; `given_only` leaves out what rests on values that the author never gave."""
    properties = condition.get("properties") or {}
    parts: list[str] = []
    for name, wanted in properties.items():
        if names.given(name) or not given_only:
            parts += _value_words(name, wanted, names)
    parts += [
        f"with {names.shown(name)}" for name in condition.get("required") or () if name not in properties
    ]
    for part in (condition, *(condition.get("allOf") or ())):
        absent = (part.get("not") or {}).get("required") or ()
        parts += [f"without {names.shown(name)}" for name in absent]
    return " " + " and ".join(parts) if parts else ""


def _value_words(name: str, wanted: Schema, names: Names) -> Iterable[str]:
    shown = names.shown(name)
    if "const" in wanted:
        yield f"with `{bare(names.word(name))}: {say(wanted['const'])}`"
    elif "enum" in wanted:
        yield f"with {shown} {any_of(f'`{say(v)}`' for v in wanted['enum'])}"
    elif "minItems" in wanted:
        yield f"with {wanted['minItems']} or more as {shown}"


def then_words(then: Schema, names: Names) -> str:
    """Say a `then` in words: what is needed, and what a field may be."""
    properties = then.get("properties") or {}
    parts = [f"needs {names.shown(n)}" for n in then.get("required") or () if n not in properties]
    parts += [_limit(names.shown(name), own) for name, own in properties.items()]
    return ", ".join(parts)


def _limit(shown: str, own: JSON) -> str:
    if own is False:
        return f"no {shown}"
    if "const" in own:
        return f"{shown} must be `{say(own['const'])}`"
    if "enum" in own:
        return f"{shown} {any_of(f'`{say(v)}`' for v in own['enum'])}"
    if "not" in own:
        barred = own["not"].get("enum") or [own["not"].get("const")]
        return f"{shown} not {any_of(f'`{say(v)}`' for v in barred)}"
    if "maxItems" in own:
        return f"at most {say(own['maxItems'])} as {shown}"
    if "maxLength" in own:
        return f"at most {say(own['maxLength'])} characters of {shown}"
    if "maximum" in own:
        return f"at most {say(own['maximum'])} for {shown}"
    return shown


def unmet(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    """Yield what breaks the `then` of a rule whose `if` holds."""
    wanted = rule["then"].get("properties") or {}
    for name, own in wanted.items():
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
    own = (rule["then"].get("properties") or {}).get(name)
    exactly = isinstance(own, Mapping) and "const" in own
    if not missing and not (exactly and not names.given(name)):
        return _not_together(rule, problem, name, sent.get(name), names)
    # What has to be said beside something else is shown at that something.
    needed = names.shown(name)
    if isinstance(own, Mapping) and exactly:
        needed = f"`{bare(names.word(name))}: {say(own['const'])}`"
    causes = [*(rule["if"].get("required") or ()), *(rule["if"].get("properties") or ())]
    when = spoken(rule["if"], names, given_only=True)
    return Finding(
        field=names.place(name, causes),
        message=f"`{names.model}` needs {needed}{when}{_why(rule)}",
        code="needs-input",
    )


def _not_together(rule: Rule, problem: ValidationError, name: str, value: JSON, names: Names) -> Finding:
    limit: JSON = problem.validator_value
    shown, when = names.shown(name), spoken(rule["if"], names)
    hint = ""
    if problem.validator == "maxItems":
        message = f"`{names.model}` takes at most {limit} as {shown}{when}, found {len(value)}"
    elif problem.validator == "maxLength":
        message = f"{shown} has {len(value)} characters; `{names.model}` takes {limit}{when}"
        hint = f"{len(value) - limit} too many"
    else:
        message = f"{shown} cannot be `{say(value)}` on `{names.model}`{when}"
        hint = _left_hint((rule["then"].get("properties") or {}).get(name), name, value, names)
    return Finding(field=names.word(name), message=message + _why(rule), hint=hint, code="not-together")


def _left_hint(own: JSON, name: str, value: JSON, names: Names) -> str:
    """Say which of a field's options are left under a condition."""
    options = names.properties.get(name, {}).get("enum") or ()
    left = [v for v in options if validator(own).is_valid(v)]
    if left:
        return options_hint(left, value)
    return f"it takes `{say(own['const'])}`" if "const" in own else ""


def _why(rule: Rule) -> str:
    return f"; {rule['why']}" if rule.get("why") else ""
