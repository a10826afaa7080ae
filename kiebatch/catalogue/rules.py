"""Judges the rules between a model's fields: plain `if`/`then`, and a handful of kinds of ours.

A rule's `if` and `then` are JSON Schema over what is sent.  What that cannot say, or can only say so that nobody
understands the answer, has a `kind`.  `hint` is for what no program can check.  Rules about the bytes of media are
judged in `footage.check_media`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from jsonschema import Draft202012Validator

from kiebatch.errors import Finding
from kiebatch.model import JSON

Rule = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Names:
    """What a person wrote for each of a model's own fields.

    `words` has the fields that the author gave, under the word that was used; `roles` is the model's map from role
    and kind of medium to field; `friendly` maps a field back to the friendly name that it is usually given by.
    """

    model: str
    properties: Mapping[str, Mapping[str, JSON]]
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


_validators: dict[int, tuple[JSON, Draft202012Validator]] = {}


def validator(schema: JSON) -> Draft202012Validator:
    """Return the validator of a schema of the catalogue, made once: 5,000 shots ask for it again and again."""
    known = _validators.get(id(schema))
    if known is None or known[0] is not schema:
        known = _validators[id(schema)] = (schema, Draft202012Validator(schema))
    return known[1]


def applies(rule: Rule, sent: Mapping[str, JSON]) -> bool:
    """Whether a rule's `if` holds."""
    condition = rule.get("if")
    if condition is None:
        return True
    if any(name not in sent for name in condition.get("required") or ()):
        return False
    return validator(condition).is_valid(sent)


def broken(rule: Rule, sent: Mapping[str, JSON], names: Names) -> list[Finding]:
    """Return what breaks one rule; `sent` is the model's own input."""
    if not applies(rule, sent):
        return []
    if "then" in rule:
        return list(_then(rule, sent, names))
    check = _KINDS.get(str(rule["kind"]))
    return list(check(rule, sent, names)) if check else []


def concerned(rule: Rule) -> set[str]:
    """Return the fields that a rule names."""
    found: set[str] = set(rule.get("fields") or ())
    for part in (rule.get("if") or {}, rule.get("then") or {}):
        found |= set(part.get("required") or ()) | set(part.get("properties") or ())
    return found


def spoken(condition: Mapping[str, JSON], names: Names, *, given_only: bool = False) -> str:
    """Say an `if` in words; `given_only` leaves out what rests on values that the author never gave."""
    parts = []
    properties = condition.get("properties") or {}
    for name, wanted in properties.items():
        if given_only and not names.given(name):
            continue
        shown = names.shown(name)
        if "const" in wanted:
            parts.append(f"with `{bare(names.word(name))}: {say(wanted['const'])}`")
        elif "enum" in wanted:
            parts.append(f"with {shown} {any_of(f'`{say(v)}`' for v in wanted['enum'])}")
        elif "minItems" in wanted:
            parts.append(f"with {wanted['minItems']} or more as {shown}")
    parts += [f"with {names.shown(n)}" for n in condition.get("required") or () if n not in properties]
    for nothing in (condition.get("not") or {}, *(c.get("not") or {} for c in condition.get("allOf") or ())):
        parts += [f"without {names.shown(n)}" for n in nothing.get("required") or ()]
    return " " + " and ".join(parts) if parts else ""


def in_words(rule: Rule, names: Names) -> str:
    """Say a rule as a person would: `with `source`: `safety_tolerance` 0, 1 or 2`."""
    when = spoken(rule["if"], names).strip() if "if" in rule else ""
    said = _told(rule, names)
    why = f" ({rule['why']})" if rule.get("why") else ""
    return f"{when}: {said}{why}" if when else f"{said}{why}"


def _told(rule: Rule, names: Names) -> str:
    if "then" in rule:
        then = rule["then"]
        parts = [
            f"needs {names.shown(n)}"
            for n in then.get("required") or ()
            if n not in then.get("properties", {})
        ]
        for name, own in (then.get("properties") or {}).items():
            parts.append(_limit(names.shown(name), own))
        return ", ".join(parts)
    fields = [names.shown(n) for n in rule.get("fields") or ()]
    groups = [" with ".join(names.shown(n) for n in g) for g in rule.get("groups") or ()]
    most = say(rule["max"]) if "max" in rule else ""
    told = {
        "at_least_one": f"at least one of {', '.join(fields)}",
        "exactly_one": f"exactly one of {' or '.join(groups)}",
        "exclusive": f"only one of {' or '.join(groups)}",
        "ignored": f"{', '.join(fields)} ignored",
        "max_total": f"at most {most} of {', '.join(fields)} together",
        "max_total_length": f"at most {most} characters in all of `{rule.get('path', '')}`",
        "max_counted_length": f"at most {most} characters in {names.shown(rule.get('field', ''))}",
        "gap": f"`{rule.get('from', '')}` to `{rule.get('to', '')}` {say(rule.get('min', 0))}{f' to {most}' if most else ' or more'} s",
        "sum": f"`{rule.get('path', '')}` add up to `{rule.get('equals') or rule.get('at_most')}`",
        "same_size": f"{' and '.join(fields)} must have the same size in pixels",
        "same_length": f"{' and '.join(fields)} must be of one length",
        "max_seconds": f"{names.shown(rule.get('field', ''))} at most {most} s",
        "max_seconds_total": f"{' and '.join(fields)} at most {most} s together",
        "max_output_side": f"the result at most {most} pixels on a side",
        "refers_to": f"each `{rule.get('path', '')}` must be one of `{rule.get('to_path', '')}`",
        "unique": f"each `{rule.get('path', '')}` once",
        "hint": str(rule.get("text", "")),
    }
    return told[str(rule["kind"])]


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
    for key, word in (
        ("maxItems", "at most {} as"),
        ("maxLength", "at most {} characters of"),
        ("maximum", "at most {} for"),
    ):
        if key in own:
            return f"{word.format(say(own[key]))} {shown}"
    return shown


def _then(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    when = spoken(rule["if"], names)
    why = f"; {rule['why']}" if rule.get("why") else ""
    causes = [*(rule["if"].get("required") or ()), *(rule["if"].get("properties") or ())]
    wanted = rule["then"].get("properties") or {}
    for name, own in wanted.items():
        if own is False and name in sent:
            yield Finding(
                field=names.word(name),
                message=f"`{names.model}` takes no {names.shown(name)}{when}{why}",
                hint="leave one of the two out",
                code="not-together",
            )
    for problem in validator(rule["then"]).iter_errors(sent):
        if problem.validator is None:
            continue  # a field that may not be there; said above, with its name
        missing = problem.validator == "required"
        name = quoted(problem.message) if missing else str(problem.absolute_path[0])
        own = wanted.get(name)
        exactly = isinstance(own, Mapping) and "const" in own
        if missing or (exactly and not names.given(name)):
            # What has to be said beside something else is shown at that something.
            value = own["const"] if isinstance(own, Mapping) and exactly else None
            needed = f"`{bare(names.word(name))}: {say(value)}`" if exactly else names.shown(name)
            yield Finding(
                field=names.place(name, causes),
                message=f"`{names.model}` needs {needed}{spoken(rule['if'], names, given_only=True)}{why}",
                code="needs-input",
            )
            continue
        yield _not_together(
            str(problem.validator), problem.validator_value, name, own, sent.get(name), when, why, names
        )


def _not_together(
    keyword: str, limit: JSON, name: str, own: JSON, value: JSON, when: str, why: str, names: Names
) -> Finding:
    shown, hint = names.shown(name), ""
    if keyword == "maxItems":
        message = f"`{names.model}` takes at most {limit} as {shown}{when}, found {len(value)}"
    elif keyword == "maxLength":
        message = f"{shown} has {len(value)} characters; `{names.model}` takes {limit}{when}"
        hint = f"{len(value) - limit} too many"
    else:
        message = f"{shown} cannot be `{say(value)}` on `{names.model}`{when}"
        options = names.properties.get(name, {}).get("enum") or ()
        left = [v for v in options if validator(own).is_valid(v)]
        hint = (
            options_hint(left, value) if left else f"it takes `{say(own['const'])}`" if "const" in own else ""
        )
    return Finding(field=names.word(name), message=message + why, hint=hint, code="not-together")


# --- the kinds -----------------------------------------------------------------------------------------


def _given(sent: Mapping[str, JSON], name: str) -> bool:
    return sent.get(name) not in (None, "", [], {})


def _because(rule: Rule) -> str:
    return f" ({rule['why']})" if rule.get("why") else ""


def _when(rule: Rule, names: Names) -> str:
    return spoken(rule["if"], names, given_only=True) if "if" in rule else ""


def _at_least_one(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    fields = rule["fields"]
    if not any(_given(sent, name) for name in fields):
        ways = list(dict.fromkeys(names.shown(n) for n in fields))
        least = "at least one of " if len(ways) > 1 else ""
        yield Finding(
            field=names.place(fields[0]),
            message=f"`{names.model}` needs {least}{', '.join(ways)}{_when(rule, names)}{_because(rule)}",
            code="needs-input",
        )


def _exactly_one(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    groups = rule["groups"]
    full = [g for g in groups if all(_given(sent, n) for n in g)]
    ways = " or ".join(" with ".join(names.shown(n) for n in g) for g in groups)
    if not full:
        started = next((n for g in groups for n in g if _given(sent, n)), groups[0][0])
        yield Finding(
            field=names.place(started),
            message=f"`{names.model}` needs {ways}{_because(rule)}",
            code="needs-input",
        )
    elif len(full) > 1:
        yield Finding(
            field=names.word(full[1][0]),
            message=f"`{names.model}` takes {ways}, not both",
            code="not-together",
        )


def _exclusive(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    used = [given for given in ([n for n in g if _given(sent, n)] for g in rule["groups"]) if given]
    if len(used) > 1:
        first, second = used[0][0], used[1][0]
        yield Finding(
            field=names.word(second),
            message=f"`{names.model}` takes {names.shown(first)} or {names.shown(second)}, not both{_because(rule)}",
            hint="leave one of them out",
            code="not-together",
        )


def _ignored(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    for name in rule["fields"]:
        if name in sent and names.given(name):
            yield Finding(
                field=names.word(name),
                message=f"`{names.model}` ignores {names.shown(name)}{_when(rule, names)}",
                severity="warning",
                code="ignored-field",
            )


def _max_total(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    weights = rule.get("weights") or {}
    given = [n for n in rule["fields"] if _given(sent, n)]
    total = sum((len(sent[n]) if isinstance(sent[n], list) else 1) * weights.get(n, 1) for n in given)
    if total > rule["max"]:
        heavy = "".join(
            f"; each {names.shown(n)} counts {weights[n]}" for n in given if weights.get(n, 1) > 1
        )
        ways = ", ".join(dict.fromkeys(names.shown(n) for n in given))
        yield Finding(
            field=names.word(given[-1]),
            message=f"`{names.model}` takes at most {rule['max']} of {ways} together, found {total}{heavy}",
            code="too-many",
        )


def _max_total_length(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    total = sum(len(str(text)) for text in values_at(sent, rule["path"]))
    if total > rule["max"]:
        name = _top(rule["path"])
        yield Finding(
            field=names.word(name),
            message=f"{names.shown(name)} has {total} characters in all; `{names.model}` takes {rule['max']}",
            hint=f"{total - rule['max']} too many",
            code="too-long",
        )


def _max_counted_length(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    text = str(sent.get(rule["field"]) or "")
    called = re.findall(r"@[\w-]+", text)
    total = len(text) - sum(map(len, called)) + rule["each"] * len(called)
    if called and len(text) <= rule["max"] < total:
        name = rule["field"]
        yield Finding(
            field=names.word(name),
            message=f"{names.shown(name)} counts as {total} characters; `{names.model}` takes {rule['max']}{_because(rule)}",
            code="too-long",
        )


def _gap(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    for start, end in zip(values_at(sent, rule["from"]), values_at(sent, rule["to"]), strict=False):
        if not isinstance(start, int | float) or not isinstance(end, int | float):
            continue
        gap, least, most = end - start, rule["min"], rule.get("max", math.inf)
        if not least <= gap <= most:
            limits = f"at least {say(least)}" if most == math.inf else f"{say(least)} to {say(most)}"
            yield Finding(
                field=names.word(_top(rule["to"])),
                message=f"`{names.model}` wants {limits} s from `{rule['from']}` to `{rule['to']}`, found {say(gap)}{_because(rule)}",
                code="not-together",
            )


def _sum_of(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    numbers = [float(n) for n in values_at(sent, rule["path"]) if isinstance(n, int | float)]
    if not numbers:
        return
    total, name = sum(numbers), _top(rule["path"])
    wrong = ""
    for key, most, words in (("equals", False, ""), ("at_most", True, "at most ")):
        limit = as_number(sent.get(rule.get(key, "")))
        if limit is not None and (total > limit + 1e-6 or (total < limit - 1e-6 and not most)):
            wrong = f"{words}`{bare(names.word(rule[key]))}: {say(limit)}`"
    if not wrong and not rule.get("min", -math.inf) <= total <= rule.get("max", math.inf):
        wrong = f"{say(rule['min'])} to {say(rule['max'])}"
    if wrong:
        yield Finding(
            field=names.word(name),
            message=f"the lengths in {names.shown(name)} must add up to {wrong}, found {say(total)}",
            code="not-together",
        )


def _same_length(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    a, b = rule["fields"][:2]
    lengths = [len(sent[n]) if isinstance(sent.get(n), list) else 0 for n in (a, b)]
    if lengths[0] != lengths[1]:
        yield Finding(
            field=names.word(a),
            message=f"{names.shown(a)} must be as long as {names.shown(b)}, found {lengths[0]} and {lengths[1]}",
            code="not-together",
        )


def _refers_to(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    known = values_at(sent, rule["to_path"])
    for value in values_at(sent, rule["path"]):
        if value not in known:
            yield Finding(
                field=names.word(_top(rule["path"])),
                message=f"`{say(value)}` in `{rule['path']}` is none of `{rule['to_path']}`",
                hint=options_hint(known, value),
                code="not-together",
            )


def _unique(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    values = values_at(sent, rule["path"])
    for value in dict.fromkeys(str(v) for v in values if values.count(v) > 1):
        yield Finding(
            field=names.word(_top(rule["path"])),
            message=f"`{value}` stands twice in `{rule['path']}`",
            code="not-together",
        )


_KINDS: Mapping[str, Callable[[Rule, Mapping[str, JSON], Names], Iterable[Finding]]] = {
    "at_least_one": _at_least_one,
    "exactly_one": _exactly_one,
    "exclusive": _exclusive,
    "ignored": _ignored,
    "max_total": _max_total,
    "max_total_length": _max_total_length,
    "max_counted_length": _max_counted_length,
    "gap": _gap,
    "sum": _sum_of,
    "same_length": _same_length,
    "refers_to": _refers_to,
    "unique": _unique,
}


# --- saying values -------------------------------------------------------------------------------------


def say(value: JSON) -> str:
    """Return a value as a scene file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)[:80]


def bare(word: str) -> str:
    """Return a word without its `params.`."""
    return word.removeprefix("params.")


def any_of(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}" if listed else ""


def options_hint(options: Sequence[JSON], found: JSON = None) -> str:
    """Say what is allowed, and which of it is nearest to what was found."""
    if not options:
        return ""
    listed = (
        "it takes " + any_of(f"`{say(v)}`" for v in options[:24]) + (" and more" if len(options) > 24 else "")
    )
    near = nearest(options, found) if found is not None and len(options) > 1 else None
    return f"{listed}; the nearest is `{say(near)}`" if near is not None else listed


def nearest(options: Sequence[JSON], found: JSON) -> JSON:
    """Return the option nearest to `found`, by size where both have one, else by spelling; None for no likeness."""
    size = _size(found)
    sized = [(abs(math.log(n / size)), i) for i, o in enumerate(options) for n in [_size(o)] if n and size]
    if sized:
        return options[min(sized)[1]]
    close = get_close_matches(str(found).lower(), [str(o).lower() for o in options], n=1, cutoff=0.5)
    return next((o for o in options if close and str(o).lower() == close[0]), None)


def _size(value: JSON) -> float | None:
    """Return a shape, a resolution or a number as one number that can be compared."""
    text = str(value).lower()
    ratio = re.fullmatch(r"(\d+(?:\.\d+)?)[:x/](\d+(?:\.\d+)?)", text)
    if ratio:
        width, height = float(ratio[1]), float(ratio[2])
        return width / height if width and height else None
    lines = re.fullmatch(r"(\d+(?:\.\d+)?)(k|p|s)?", text)
    if lines and float(lines[1]) > 0:
        return float(lines[1]) * (1000 if lines[2] == "k" else 1)
    return None


def as_number(value: JSON) -> float | None:
    """Return a number, or text that reads as one, as a float; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def values_at(value: JSON, path: str) -> list[JSON]:
    """Return what stands at a path such as `text` or `dialogue[].text`, for each item of a list."""
    found = [value]
    for step in path.split("."):
        name, is_list = step.removesuffix("[]"), step.endswith("[]")
        found = [v[name] for v in found if isinstance(v, Mapping) and name in v]
        if is_list:
            found = [item for v in found if isinstance(v, list) for item in v]
    return found


def quoted(message: str) -> str:
    """Return the first quoted word of a message of the JSON Schema library."""
    found = re.match(r"'([^']*)'", message)
    return found[1] if found else message


def _top(path: str) -> str:
    return path.split(".")[0].removesuffix("[]")


A_KIND = {"image": "a picture", "video": "a clip", "audio": "sound", "task": "the task of another shot"}


def listing(words: Iterable[str]) -> str:
    """Return words in code marks, each once."""
    return ", ".join(f"`{w}`" for w in dict.fromkeys(words))
