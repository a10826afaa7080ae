"""Checks of the rules whose `kind` speaks of what is sent; `rules.KINDS` says which belongs to which."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from kiebatch.catalogue.conditions import spoken
from kiebatch.catalogue.naming import Names
from kiebatch.catalogue.saying import around, as_number, bare, is_given, options_hint, say, top, values_at
from kiebatch.catalogue.shapes import Condition, Rule
from kiebatch.errors import Finding
from kiebatch.model import JSON, as_list


def _because(rule: Rule) -> str:
    return around(" (", rule.get("why"), ")")


def _when(rule: Rule, names: Names) -> str:
    return spoken(rule.get("if", Condition()), names, given_only=True)


def at_least_one(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    fields = rule["fields"]
    if not any(is_given(sent.get(name)) for name in fields):
        ways = list(dict.fromkeys(names.shown(n) for n in fields))
        least = "at least one of " if len(ways) > 1 else ""
        yield Finding(
            field=names.place(fields[0]),
            message=f"`{names.model}` needs {least}{', '.join(ways)}{_when(rule, names)}{_because(rule)}",
            code="needs-input",
        )


def exactly_one(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    groups = rule["groups"]
    full = [group for group in groups if all(is_given(sent.get(name)) for name in group)]
    ways = " or ".join(" with ".join(map(names.shown, group)) for group in groups)
    if not full:
        fields = [name for group in groups for name in group]
        started = next((name for name in fields if is_given(sent.get(name))), fields[0])
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


def exclusive(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    used = [given for given in ([n for n in g if is_given(sent.get(n))] for g in rule["groups"]) if given]
    if len(used) > 1:
        first, second = used[0][0], used[1][0]
        yield Finding(
            field=names.word(second),
            message=f"`{names.model}` takes {names.shown(first)} or {names.shown(second)}, not both{_because(rule)}",
            hint="leave one of them out",
            code="not-together",
        )


def ignored(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    for name in rule["fields"]:
        if name in sent and names.given(name):
            yield Finding(
                field=names.word(name),
                message=f"`{names.model}` ignores {names.shown(name)}{_when(rule, names)}",
                severity="warning",
                code="ignored-field",
            )


def max_total(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    weights = rule.get("weights") or {}
    given = [n for n in rule["fields"] if is_given(sent.get(n))]
    total = sum(_pieces(sent[n]) * weights.get(n, 1) for n in given)
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


def _pieces(value: JSON) -> int:
    """Return how many media or values a field was given."""
    return len(value) if isinstance(value, list) else 1


def max_total_length(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    total = sum(len(str(text)) for text in values_at(sent, rule["path"]))
    if total > rule["max"]:
        name = top(rule["path"])
        yield Finding(
            field=names.word(name),
            message=f"{names.shown(name)} has {total} characters in all; `{names.model}` takes {rule['max']}",
            hint=f"{total - rule['max']} too many",
            code="too-long",
        )


def max_counted_length(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
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


def gap(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    for start, end in zip(values_at(sent, rule["from"]), values_at(sent, rule["to"]), strict=False):
        if not isinstance(start, int | float) or not isinstance(end, int | float):
            continue
        gap, least, most = end - start, rule["min"], rule.get("max", math.inf)
        if not least <= gap <= most:
            limits = f"at least {say(least)}" if most == math.inf else f"{say(least)} to {say(most)}"
            yield Finding(
                field=names.word(top(rule["to"])),
                message=f"`{names.model}` wants {limits} s from `{rule['from']}` to `{rule['to']}`, found {say(gap)}{_because(rule)}",
                code="not-together",
            )


def sum_of(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    numbers = [float(n) for n in values_at(sent, rule["path"]) if isinstance(n, int | float)]
    wrong = _wrong_sum(rule, sum(numbers), sent, names) if numbers else ""
    if wrong:
        name = top(rule["path"])
        yield Finding(
            field=names.word(name),
            message=f"the lengths in {names.shown(name)} must add up to {wrong}, found {say(sum(numbers))}",
            code="not-together",
        )


def _wrong_sum(rule: Rule, total: float, sent: Mapping[str, JSON], names: Names) -> str:
    """Return what a sum should be, in words; nothing where it is right."""
    equals, at_most = rule.get("equals", ""), rule.get("at_most", "")
    limit = as_number(sent.get(equals))
    if limit is not None and abs(total - limit) > 1e-6:
        return f"`{bare(names.word(equals))}: {say(limit)}`"
    limit = as_number(sent.get(at_most))
    if limit is not None and total > limit + 1e-6:
        return f"at most `{bare(names.word(at_most))}: {say(limit)}`"
    if not rule.get("min", -math.inf) <= total <= rule.get("max", math.inf):
        return f"{say(rule['min'])} to {say(rule['max'])}"
    return ""


def same_length(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    a, b = rule["fields"][:2]
    of_a, of_b = (len(as_list(sent.get(name))) for name in (a, b))
    if of_a != of_b:
        yield Finding(
            field=names.word(a),
            message=f"{names.shown(a)} must be as long as {names.shown(b)}, found {of_a} and {of_b}",
            code="not-together",
        )


def refers_to(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    known = values_at(sent, rule["to_path"])
    for value in values_at(sent, rule["path"]):
        if value not in known:
            yield Finding(
                field=names.word(top(rule["path"])),
                message=f"`{say(value)}` in `{rule['path']}` is none of `{rule['to_path']}`",
                hint=options_hint(known, value),
                code="not-together",
            )


def unique(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    values = values_at(sent, rule["path"])
    for value in dict.fromkeys(str(v) for v in values if values.count(v) > 1):
        yield Finding(
            field=names.word(top(rule["path"])),
            message=f"`{value}` is twice in `{rule['path']}`",
            code="not-together",
        )


def pictures_or_clip(rule: Rule, sent: Mapping[str, JSON], names: Names) -> Iterable[Finding]:
    """Several pictures or a single clip; what an address without an ending leads to is left to the service."""
    for group in values_at(sent, rule["path"]):
        if not isinstance(group, list) or not group:
            continue
        kinds = [_kind_by_ending(str(one)) for one in group]
        too_few = len(kinds) < rule["min"] and "image" in kinds
        mixed = "video" in kinds and len(kinds) > 1
        if too_few or mixed:
            yield Finding(
                field=names.word(top(rule["path"])),
                message=f"each `{rule['path']}` of `{names.model}` takes {say(rule['min'])} to {say(rule['max'])} "
                f"pictures, or one clip; found {len(group)}{_because(rule)}",
                code="not-together",
            )


def _kind_by_ending(address: str) -> str:
    ending = address.split("?")[0].split("#")[0].rsplit(".", 1)[-1].lower()
    return _KINDS_BY_ENDING.get(ending, "")


_KINDS_BY_ENDING = {
    **dict.fromkeys(("mp4", "mov", "webm", "m4v"), "video"),
    **dict.fromkeys(("png", "jpg", "jpeg", "webp", "gif", "bmp"), "image"),
}
