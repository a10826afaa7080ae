"""Warnings about an input that is valid: what it costs, what is going away, what only looks as asked for."""

from __future__ import annotations

from datetime import date

from kiebatch.catalogue import prices
from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.messages import allowed_hint
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.saying import around, bare, say
from kiebatch.catalogue.shapes import Schema
from kiebatch.errors import counted
from kiebatch.model import Price

EXPENSIVE = 3  # warn where an option makes a job cost at least so many times as much


def warn_about_status(draft: Draft, on: date) -> None:
    """Say where a model is closed, closes soon, or has a newer form."""
    model = draft.model
    if model.is_closed(on):
        message = f"`{model.id}` is withdrawn: the service has closed it{around(' on ', model.last_day)}"
        draft.error("model", message, hint=_way_out(model), code="withdrawn")
    elif model.closes_soon(on):
        message = f"`{model.id}` closes on {model.last_day}, in {counted(model.days_left(on) or 0, 'day')}"
        draft.warn("model", message, hint=_way_out(model), code="closing")
    elif model.status == "superseded":
        message = f"`{model.id}` is an older form and may stop any day"
        draft.warn("model", message, hint=newer(model), code="superseded")


def _way_out(model: Model) -> str:
    return around("", newer(model), "; `kiebatch migrate FILE` writes the change")


def newer(model: Model) -> str:
    """Return in words what takes a model's place, and what that lacks; nothing where nothing does."""
    if not model.superseded_by:
        return ""
    return f"`{model.superseded_by}` takes its place{around(', ', model.superseded_note)}"


def warn(draft: Draft) -> None:
    _same_seed(draft)
    for name in draft.input:
        _going_away(draft, name)
    _many_outputs(draft)
    _expensive_options(draft)


def _same_seed(draft: Draft) -> None:
    own = draft.own("seed")
    fixed = draft.model.defaults.get(own or "")
    if draft.ask.takes > 1 and own not in draft.input and fixed not in (None, -1, "-1"):
        draft.warn(
            "takes",
            f"`{draft.model.id}` uses seed {say(fixed)} unless a seed is given, so takes may come out alike",
            hint="`seed: stable` gives each take a seed of its own",
            code="same-seed",
        )


def _going_away(draft: Draft, name: str) -> None:
    """Warn about a field or value that will go, or that may not be there at all."""
    if name in draft.words:
        _going_field(draft, name)
    _going_value(draft, name)


def _going_field(draft: Draft, name: str) -> None:
    schema, model = draft.schema(name), draft.model
    if schema.get("deprecated"):
        draft.warn(
            draft.word(name),
            f"`{name}` is going away on `{model.id}`",
            hint=schema.get("description") or "",
            code="deprecated-field",
        )
    if schema.get("unsure"):
        draft.warn(
            draft.word(name),
            f"it is not sure that `{model.id}` takes `{name}`: {schema.get('unsure')}",
            hint="what it costs is planned by what is asked for",
            code="unsure-field",
        )


def _going_value(draft: Draft, name: str) -> None:
    schema, value = draft.schema(name), draft.input[name]
    gone = schema.get("discontinued") or []
    if value not in gone:
        return
    left = Schema(enum=[option for option in schema.get("enum") or () if option not in gone])
    message, word = f"`{name}: {say(value)}` is marked as discontinued", draft.word(name)
    if name in draft.defaulted:
        message += f"; kiebatch filled it in, since `{draft.model.id}` needs one"
        word = "model"
    draft.warn(word, message, hint=allowed_hint(left, None), code="discontinued-value")


def _many_outputs(draft: Draft) -> None:
    """Warn where a job makes, and bills, several pictures that nobody asked for, or nobody knows how many."""
    model = draft.model
    if not any(row["per"] == "output" for row in model.prices):
        return
    said = model.outputs.get("count")
    if said is None:
        draft.warn(
            "model",
            f"how many pictures `{model.id}` makes, and so its price, is known only afterwards",
            code="unknown-count",
        )
    elif isinstance(said, dict) and "field" in said and said["field"] not in draft.input:
        _count_left_open(draft, said["field"])


def _count_left_open(draft: Draft, field: str) -> None:
    model = draft.model
    count = prices.count(model, {**model.defaults, **draft.input}).value
    if count and count > 1:
        word = next((f for f, t in model.fields.items() if t.name == field), field)
        draft.warn(
            "model",
            f"`{model.id}` makes and bills {say(count)} pictures unless a number is given",
            hint=f"say `params: {{{word}: 1}}` for one",
            code="many-outputs",
        )


def _expensive_options(draft: Draft) -> None:
    """Warn about an option that multiplies the price; a longer clip costs more as everybody expects."""
    model = draft.model
    priced = {name for row in model.prices for name in prices.conditions(row)} - {draft.own("duration")}
    media = {medium.field for medium in draft.media}
    for name in sorted((priced & set(draft.input)) - media):
        word = draft.words.get(name, "")
        if not word.startswith("params."):
            continue
        without_it = {other: value for other, value in draft.input.items() if other != name}
        dear, cheap = prices.price(model, draft.input), prices.price(model, without_it)
        if _is_expensive(dear, cheap):
            said = draft.ask.params.get(bare(word), draft.input[name])
            draft.warn(
                word,
                f"`{bare(word)}: {say(said)}` makes this job {say(dear.amount)} credits instead of "
                f"{say(cheap.amount)}",
                code="dear-option",
            )


def _is_expensive(price: Price, other: Price) -> bool:
    """Whether a price is a multiple of another one; bounds are not compared."""
    if "bound" in (price.kind, other.kind) or price.amount is None or not other.amount:
        return False
    return price.amount >= EXPENSIVE * other.amount
