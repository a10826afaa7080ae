"""What a job costs, by its model's price rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kiebatch.catalogue.models import Model
from kiebatch.catalogue.rules import as_number, values_at
from kiebatch.model import JSON, USD_PER_CREDIT, MediaFacts, Price

# --- prices --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number that is known, or the most it can be, or not known at all."""

    value: float | None
    exact: bool = True


_UNKNOWN = _Amount(None, False)


def price(model: Model, input: Mapping[str, JSON], *, media: Mapping[str, MediaFacts] | None = None) -> Price:
    """Return what one job costs in credits, by the rows of the catalogue.

    `input` is what is sent, with each medium as the text of its ref, and `media` what is known of those.  Of the rows
    whose conditions hold, the one with the most conditions sets the price; rows that add (`input` pictures, seconds of
    given clips) come on top.  Where credits and dollars disagree the higher counts.  A price is a bound when it rests
    on the most a thing can be, and unknown when a row is missing or a length has no limit.  A user's entry is never
    cheaper than the shipped one.
    """
    own = _price(model, input, media or {})
    for floor in model.floors:
        least = _price(floor, input, media or {})
        if least.amount is not None and (own.amount is None or own.amount < least.amount):
            own = least
    return own


def _price(model: Model, input: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> Price:
    sent = {**model.defaults, **input}
    base = [row for row in model.prices if not _adds(row)]
    states = [(row, _holds(row.get("when") or {}, sent, input)) for row in base]
    sure = [row for row, state in states if state is True]
    open_ = [row for row, state in states if state is None]
    chosen: list[tuple[Mapping[str, JSON], _Amount]] = []
    if sure:
        most = max(len(row.get("when") or {}) for row in sure)
        chosen = [(row, _cost(model, row, sent, media)) for row in sure if len(row.get("when") or {}) == most]
    # A condition on something that is not said leaves several rows possible: the dearest is the bound.
    chosen += [(row, replace(_cost(model, row, sent, media), exact=False)) for row in open_]
    if not chosen or any(amount.value is None for _, amount in chosen):
        return Price(amount=None, kind="unknown", as_of=_oldest(row for row, _ in chosen))
    dearest = max(chosen, key=lambda pair: pair[1].value or 0)
    rows, total, exact = [dearest[0]], dearest[1].value or 0.0, dearest[1].exact and not open_
    for row in model.prices:
        state = _holds(row.get("when") or {}, sent, input) if _adds(row) else False
        if state is False:
            continue
        more = _cost(model, row, sent, media)
        if more.value is None:
            return Price(amount=None, kind="unknown", as_of=_oldest(rows))
        if more.value:
            rows.append(row)
        total += more.value
        exact = exact and more.exact and state is True
    tidy = round(total, 4)
    return Price(
        amount=int(tidy) if tidy == int(tidy) else tidy,
        kind="exact" if exact else "bound",
        as_of=_oldest(rows),
    )


def _adds(row: Mapping[str, JSON]) -> bool:
    return row["per"] == "input" or bool(row.get("adds"))


def _oldest(rows: Iterable[Mapping[str, JSON]]) -> str | None:
    return min((str(row["as_of"]) for row in rows if row.get("as_of")), default=None)


def _holds(when: Mapping[str, JSON], sent: Mapping[str, JSON], input: Mapping[str, JSON]) -> bool | None:
    """Whether all conditions hold; None where one is about a field that is neither sent nor has a default."""
    open_ = False
    for name, wanted in when.items():
        if wanted in ("given", "absent"):
            given = input.get(name) not in (None, "", [], {})
            if given is not (wanted == "given"):
                return False
        elif name not in sent:
            open_ = True
        elif not any(_alike(sent[name], one) for one in (wanted if isinstance(wanted, list) else [wanted])):
            return False
    return None if open_ else True


def _alike(a: JSON, b: JSON) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return str(a).lower() == str(b).lower()


def _cost(
    model: Model, row: Mapping[str, JSON], sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]
) -> _Amount:
    credits = max(float(row["credits"]), float(row.get("usd") or 0) / USD_PER_CREDIT)
    times = _times(model, row, sent, media)
    if times.value is None:
        return _UNKNOWN
    return _Amount(credits * times.value, times.exact and not row.get("bound"))


def _times(
    model: Model, row: Mapping[str, JSON], sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]
) -> _Amount:
    """Return how often a row's credits are charged."""
    per = row["per"]
    if per == "job":
        return _Amount(1)
    if per == "output":
        return count(model, sent)
    if per == "second":
        total = _Amount(0) if row.get("adds") else seconds(model, sent, media)
        for name in row.get("plus") or ():
            total = _sum(total, _media_seconds(model, name, sent, media))
        return total
    if per == "minute":
        length = _sum(*(_media_seconds(model, name, sent, media) for name in row["of"]))
        return _UNKNOWN if length.value is None else _Amount(math.ceil(length.value / 60), length.exact)
    if per == "1000 characters":
        characters = sum(len(str(text)) for path in row["of"] for text in values_at(sent, path))
        return _Amount(math.ceil(characters / 1000), exact=False)
    if per == "input":
        given = sum(len(_listed(sent.get(name))) for name in row["of"])
        return _Amount(max(0, given - int(row.get("free") or 0)))
    if per == "megapixel":
        return _megapixels(model, sent, media)
    if per == "output side":
        return _by_side(row, sent, media)
    return _UNKNOWN  # tokens: nobody knows before the job has run


def count(model: Model, sent: Mapping[str, JSON]) -> _Amount:
    """Return how many outputs a job makes; unknown where only the service knows."""
    said = model.outputs.get("count", 1)
    if said is None:
        return _UNKNOWN
    if not isinstance(said, Mapping):
        return _Amount(float(said))
    value = sent.get(said.get("field", ""))
    if value is None:
        value = said.get("default", 1)
        for case in said.get("when") or ():
            if _holds(case["if"], sent, sent):
                value = case["default"]
    number = as_number(value)
    return _UNKNOWN if number is None else _Amount(number, exact=not said.get("at_most") or number == 1)


def seconds(model: Model, sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> _Amount:
    """Return how long a clip or sound will be, by its own length field or by the media it follows."""
    rule = model.outputs.get("seconds") or {}
    if "frames" in rule:
        frames, rate = as_number(sent.get(rule["frames"])), as_number(sent.get(rule["rate"]))
        return _Amount(frames / rate) if frames and rate else _UNKNOWN
    found = _UNKNOWN
    value = as_number(sent.get(rule.get("field", "")))
    if value is not None and value > 0:
        found = _Amount(value)
    else:
        lengths = [
            _media_seconds(model, name, sent, media) for name in rule.get("media") or () if sent.get(name)
        ]
        if lengths and all(one.value is not None for one in lengths):
            longest = max(one.value or 0 for one in lengths)
            found = _Amount(longest, len(lengths) == 1 and lengths[0].exact)
        elif not lengths and rule.get("field"):
            most = _most(model.properties.get(rule["field"], {}))
            found = _Amount(most, exact=False) if most else _UNKNOWN
    limit = rule.get("max")
    if limit and (found.value is None or found.value > limit):
        return _Amount(float(limit), exact=False)
    return found


def _most(schema: Mapping[str, JSON]) -> float | None:
    numbers = [n for n in map(as_number, schema.get("enum") or ()) if n is not None]
    for part in (schema, *(schema.get("anyOf") or ())):
        if "maximum" in part:
            numbers.append(float(part["maximum"]))
    return max(numbers, default=None)


def _media_seconds(
    model: Model, name: str, sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]
) -> _Amount:
    """Return the seconds of all media in a field; the limit of the field where a length is not known."""
    limits = model.properties.get(name, {}).get("media") or {}
    total, exact = 0.0, True
    for ref in _listed(sent.get(name)):
        facts = media.get(str(ref))
        if facts and facts.duration_s is not None:
            total += facts.duration_s
        elif limits.get("max_s"):
            total, exact = total + float(limits["max_s"]), False
        else:
            return _UNKNOWN
    if not exact and limits.get("total_max_s"):
        total = min(total, float(limits["total_max_s"]))
    return _Amount(total, exact)


def _megapixels(model: Model, sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> _Amount:
    rule = model.outputs.get("megapixels") or {}
    if "values" in rule:
        value = rule["values"].get(sent.get(rule["field"]))
        return _sum(_Amount(float(value), exact=False)) if value else _UNKNOWN
    total = 0.0
    for name in rule.get("media") or ():
        for ref in _listed(sent.get(name)):
            facts = media.get(str(ref))
            if not facts or not facts.width or not facts.height:
                return _UNKNOWN
            total += math.ceil(facts.width * facts.height / 1_000_000)
    return _Amount(total, exact=False) if total else _UNKNOWN


def _by_side(row: Mapping[str, JSON], sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> _Amount:
    """Return the share of the dearest step that the size of the result costs."""
    factor = as_number(sent.get(row["factor"])) or 1
    for name in row["of"]:
        for ref in _listed(sent.get(name)):
            facts = media.get(str(ref))
            if facts and facts.width and facts.height:
                side = max(facts.width, facts.height) * factor
                for limit, credits in row["steps"]:
                    if limit is None or side <= limit:
                        return _Amount(float(credits) / float(row["credits"]), exact=False)
    return _Amount(1, exact=False)


def _sum(*amounts: _Amount) -> _Amount:
    if any(a.value is None for a in amounts):
        return _UNKNOWN
    return _Amount(sum(a.value or 0 for a in amounts), all(a.exact for a in amounts))


def _listed(value: JSON) -> list[JSON]:
    if value is None or value == "":
        return []
    return [one for one in value if one] if isinstance(value, list) else [value]


def cheapest(model: Model) -> str:
    """Return the lowest price of a model in words, `from 4 credits a second`; nothing where none is known."""
    rows = [row for row in model.prices if not _adds(row)]
    if not rows:
        return ""
    row = min(rows, key=lambda r: float(r["credits"]))
    least = float(row["steps"][0][1] if "steps" in row else row["credits"])
    units = {"job": "", "output": "", "output side": "", "second": " a second", "minute": " a minute"}
    unit = units.get(row["per"], f" per {row['per']}")
    lowest = "from " if "steps" in row or len({r["credits"] for r in rows}) > 1 else ""
    return f"{lowest}{least:g} credit{'' if least == 1 else 's'}{unit}"
