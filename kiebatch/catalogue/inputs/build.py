"""Builds a job's input in ten steps: what the author wrote, what is filled in, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import field
from datetime import UTC, date, datetime

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.conditions import concerned
from kiebatch.catalogue.inputs.defaults import fill_in, put_default_params, put_length
from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.messages import in_words
from kiebatch.catalogue.inputs.params import read_extra, read_params
from kiebatch.catalogue.inputs.roles import place_media
from kiebatch.catalogue.inputs.values import integers_in, lasting
from kiebatch.catalogue.inputs.warnings import warn, warn_about_status
from kiebatch.catalogue.inputs.words import put_negative, put_prompt, put_seed, put_voice, voice_id
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.rules import broken
from kiebatch.catalogue.saying import bare
from kiebatch.catalogue.shapes import Rule
from kiebatch.errors import Finding
from kiebatch.model import JSON, Ask, Media

LARGEST = 2**53  # beyond it JSON readers round, and another number would be sent than was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A job's input.

    `input` is what would be sent, with each medium as the text of its ref; `media` says where those are.
    `authored` is what the author asked for, in one spelling whatever the words were, for the fingerprint: without
    media and without what the catalogue filled in.  `authored_before` is the same as 0.1 took it, where that differs.
    `defaulted` names what was filled in.
    """

    input: Mapping[str, JSON]
    media: tuple[Media, ...] = ()
    authored: Mapping[str, JSON] = field(default_factory=dict)
    authored_before: Mapping[str, JSON] | None = None
    defaulted: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


def build(model: Model, ask: Ask, *, on: date | None = None) -> Built:
    """Return the model's own input for what a shot asks, with every finding.  Reads no file.

    `on` is the day of the submission, today by default: models have a last one.
    """
    draft = Draft(model=model, ask=ask, voice=voice_id(model, ask))
    warn_about_status(draft, on or datetime.now(UTC).date())
    read_params(draft)
    put_prompt(draft)
    put_negative(draft)
    put_seed(draft)
    put_voice(draft)
    place_media(draft)
    put_default_params(draft)
    extra = read_extra(draft)
    written = set(draft.input) - {m.field for m in draft.media} - draft.implied
    put_length(draft)
    fill_in(draft)
    _check(draft, extra)
    length = {name for name in draft.input if draft.words.get(name) == "duration"}
    warn(draft)
    authored = _authored(draft, written | length)
    return Built(
        input=dict(draft.input),
        media=tuple(draft.media),
        authored=authored,
        authored_before=_authored(draft, written) if length and ask.whole_scene else None,
        defaulted=tuple(draft.defaulted),
        findings=tuple(dict.fromkeys(draft.findings)),
    )


def _authored(draft: Draft, names: set[str]) -> dict[str, JSON]:
    return draft.wrapped | {name: lasting(draft.input[name]) for name in sorted(names) if name in draft.input}


def _check(draft: Draft, extra: set[str]) -> None:
    """Check the whole input by the model's schema and rules; `extra` are fields that no schema names."""
    _check_numbers(draft)
    wrong = {f.field for f in draft.findings if f.severity == "error"}  # once is enough
    known = {name: value for name, value in draft.input.items() if name not in extra}
    for problem in draft.model.validator.iter_errors(known):
        found = in_words(draft, problem)
        if found and found.field not in wrong:
            draft.findings.append(found)
    _check_rules(draft, wrong)


def _check_numbers(draft: Draft) -> None:
    for name, value in draft.input.items():
        if any(abs(n) > LARGEST for n in integers_in(value)):
            word = draft.word(name)
            message = f"`{bare(word)}` is larger than 2^53"
            draft.error(word, message, hint="programs on the way would round it", code="too-large")


def _check_rules(draft: Draft, wrong: set[str]) -> None:
    for rule in draft.model.constraints:
        findings = broken(rule, draft.input, draft.names)
        if not findings:
            continue
        # What the catalogue filled in may be barred here: then it is left to the service.
        barred = _barred(draft, rule)
        for name in barred:
            del draft.input[name]
            draft.defaulted.remove(name)
        if not barred:
            draft.findings += [finding for finding in findings if finding.field not in wrong]


def _barred(draft: Draft, rule: Rule) -> Set[str]:
    """Return what was filled in, is not required, and without which a broken rule holds."""
    required = set(draft.model.input.get("required") or ())
    filled = (concerned(rule) & draft.filled & draft.input.keys()) - required
    trimmed = {name: value for name, value in draft.input.items() if name not in filled}
    return filled if filled and not broken(rule, trimmed, draft.names) else frozenset()
