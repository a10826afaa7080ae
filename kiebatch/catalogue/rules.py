"""Judges the rules between a model's fields: plain `if`/`then`, and the kinds of the table below.

A rule's `if` and `then` are JSON Schema over what is sent.  What that cannot say, or can only say in an answer that is hard to
understand, has a `kind`.  `hint` is for what no program can check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import media_rules as media
from kiebatch.catalogue import rule_checks as checks
from kiebatch.catalogue.conditions import applies, spoken, then_words, unmet
from kiebatch.catalogue.media_rules import GivenMedia
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.naming import Names
from kiebatch.catalogue.saying import around, say
from kiebatch.catalogue.shapes import Condition, Rule, RuleKind
from kiebatch.errors import Finding
from kiebatch.model import JSON

Words = Callable[[Rule, Names], str]
Check = Callable[[Rule, Mapping[str, JSON], Names], Iterable[Finding]]
MediaCheck = Callable[[Model, Rule, GivenMedia, Mapping[str, JSON]], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of rule: how it is said, and what checks it.  `media` needs the bytes of the files, `check` does not."""

    words: Words
    check: Check | None = None
    media: MediaCheck | None = None


def _fields(rule: Rule, names: Names) -> str:
    return ", ".join(names.shown(name) for name in rule["fields"])


def _both(rule: Rule, names: Names) -> str:
    return " and ".join(names.shown(name) for name in rule["fields"])


def _groups(rule: Rule, names: Names) -> str:
    return " or ".join(" with ".join(names.shown(name) for name in group) for group in rule["groups"])


def _gap_words(rule: Rule, _names: Names) -> str:
    most = f" to {say(rule['max'])}" if "max" in rule else " or more"
    return f"`{rule['from']}` to `{rule['to']}` {say(rule['min'])}{most} s"


KINDS: Mapping[RuleKind, Kind] = {
    "at_least_one": Kind(words=lambda r, n: f"at least one of {_fields(r, n)}", check=checks.at_least_one),
    "exactly_one": Kind(words=lambda r, n: f"exactly one of {_groups(r, n)}", check=checks.exactly_one),
    "exclusive": Kind(words=lambda r, n: f"only one of {_groups(r, n)}", check=checks.exclusive),
    "ignored": Kind(words=lambda r, n: f"{_fields(r, n)} ignored", check=checks.ignored),
    "max_total": Kind(
        words=lambda r, n: f"at most {say(r['max'])} of {_fields(r, n)} together", check=checks.max_total
    ),
    "max_total_length": Kind(
        words=lambda r, n: f"at most {say(r['max'])} characters in all of `{r['path']}`",
        check=checks.max_total_length,
    ),
    "max_counted_length": Kind(
        words=lambda r, n: f"at most {say(r['max'])} characters in {n.shown(r['field'])}",
        check=checks.max_counted_length,
    ),
    "gap": Kind(words=_gap_words, check=checks.gap),
    "sum": Kind(
        words=lambda r, n: f"`{r['path']}` add up to `{r.get('equals') or r.get('at_most')}`",
        check=checks.sum_of,
    ),
    "same_length": Kind(words=lambda r, n: f"{_both(r, n)} must be of one length", check=checks.same_length),
    "refers_to": Kind(
        words=lambda r, n: f"each `{r['path']}` must be one of `{r['to_path']}`", check=checks.refers_to
    ),
    "unique": Kind(words=lambda r, n: f"each `{r['path']}` once", check=checks.unique),
    "pictures_or_clip": Kind(
        words=lambda r, n: (
            f"each `{r['path']}` takes {say(r['min'])} to {say(r['max'])} pictures, or one clip"
        ),
        check=checks.pictures_or_clip,
    ),
    "same_size": Kind(
        words=lambda r, n: f"{_both(r, n)} must have the same size in pixels", media=media.same_size
    ),
    "max_seconds": Kind(
        words=lambda r, n: f"{n.shown(r['field'])} at most {say(r['max'])} s", media=media.max_seconds
    ),
    "max_seconds_total": Kind(
        words=lambda r, n: f"{_both(r, n)} at most {say(r['max'])} s together", media=media.max_seconds_total
    ),
    "max_output_side": Kind(
        words=lambda r, n: f"the result at most {say(r['max'])} pixels on a side", media=media.max_output_side
    ),
    "hint": Kind(words=lambda r, n: r["text"]),
}


def broken(rule: Rule, sent: Mapping[str, JSON], names: Names) -> list[Finding]:
    """Return what breaks one rule; `sent` is the model's own input."""
    if not applies(rule, sent):
        return []
    if "then" in rule:
        return list(unmet(rule, sent, names))
    check = KINDS[rule["kind"]].check
    if check is None:
        return []
    return list(check(rule, sent, names))


def broken_by_media(model: Model, given: GivenMedia, sent: Mapping[str, JSON]) -> Iterable[Finding]:
    """Yield what breaks the rules that need the bytes of media; `sent` is the model's own input."""
    for rule in model.constraints:
        check = KINDS[rule["kind"]].media if "kind" in rule else None
        if check and applies(rule, sent):
            yield from check(model, rule, given, sent)


def in_words(rule: Rule, names: Names) -> str:
    """Say a rule as a person would: `with `source`: `safety_tolerance` 0, 1 or 2`."""
    when = spoken(rule.get("if", Condition()), names).strip()
    said = then_words(rule["then"], names) if "then" in rule else KINDS[rule["kind"]].words(rule, names)
    return f"{around('', when, ': ')}{said}{around(' (', rule.get('why'), ')')}"
