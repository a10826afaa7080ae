"""What a job costs, by its model's price rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from itertools import filterfalse

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.measured import as_measured
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.saying import as_number, is_given, values_at
from kiebatch.catalogue.shapes import CountRule, MegapixelRule, PriceRow, Schema
from kiebatch.model import JSON, USD_PER_CREDIT, MediaFacts, Price, PriceKind, one_or_more, tidy

MediaByRef = Mapping[str, MediaFacts]


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number that is known, or the most it can be, or not known at all."""

    value: float | None
    exact: bool = True


_UNKNOWN = _Amount(None, False)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a price is asked for: the input as it is sent, the same with the service's defaults, what media hold."""

    model: Model
    input: Mapping[str, JSON]
    sent: Mapping[str, JSON]
    media: MediaByRef


def price(
    model: Model,
    input: Mapping[str, JSON],
    *,
    media: MediaByRef | None = None,
    at: datetime | None = None,
    extra: Collection[str] = (),
) -> Price:
    """Return what one job costs in credits, by the rows of the catalogue.

    `input` is what is sent, with each medium as the text of its ref; `media` is what is known of those; `at` is the
    moment of the submission, now by default; `extra` names fields that the catalogue does not know, which make the
    price unknown unless a row names them.  Of the rows whose conditions hold, the one with the most conditions
    sets the price; rows that add (`input` pictures, seconds of given clips) come on top.  Where credits and dollars
    disagree the higher counts.

    - exact: follows from what is sent, and every row was seen billed
    - estimate: follows from what is sent, by a price list that was not compared with a bill
    - bound: rests on the most that a thing can be
    - unknown: a row is missing, has ended, or a length has no limit

    The word of the user's own entry is what is shown; `Price.reserve` is the higher of it and what ships.  What such
    jobs were billed on this account beats both.
    """
    listed = _listed_price(model, input, media or {}, at or datetime.now(UTC))
    if not set(extra) <= {name for row in model.prices for name in conditions(row)}:
        return Price(amount=None, kind="unknown", as_of=listed.as_of)
    return as_measured(listed, model, input)


def _listed_price(model: Model, input: Mapping[str, JSON], media: MediaByRef, moment: datetime) -> Price:
    own = _price(model, input, media, moment)
    shipped = [_price(floor, input, media, moment) for floor in model.floors]
    known = [one for one in shipped if one.amount is not None]
    if not known:
        return own
    dearest = max(known, key=lambda one: one.amount or 0.0)
    if own.amount is None:
        return dearest
    if own.amount >= (dearest.amount or 0.0):
        return own
    return replace(own, reserve=dearest.amount)


def _price(model: Model, input: Mapping[str, JSON], media: MediaByRef, at: datetime) -> Price:
    job = _Job(model, input, {**model.defaults, **input}, media)
    live, gone = _rows_at(at, job)
    note = _ended_words(gone[0]) if gone else ""
    base = _base(job, live)
    if base is None:
        return Price(amount=None, kind="unknown", as_of=_oldest(gone), note=note)
    added = list(_added(job, live))
    rows = [base[0], *(row for row, extra in added if extra.value)]
    amount = _sum(base[1], *(extra for _, extra in added))
    if amount.value is None:
        return Price(amount=None, kind="unknown", as_of=_oldest(rows), note=note)
    return _found(rows, amount, note)


def _rows_at(at: datetime, job: _Job) -> tuple[list[PriceRow], list[PriceRow]]:
    """Return the rows that hold at a moment, and those that have ended and could have set the price."""
    over = [row for row in job.model.prices if ended(row, at)]
    live = _without_regular([row for row in job.model.prices if row not in over])
    return live, [row for row in over if _could_set(row, job)]


def _ended_words(row: PriceRow) -> str:
    return f"the price of {row['credits']:g} credits ended on {row.get('until')}"


def _could_set(row: PriceRow, job: _Job) -> bool:
    """Whether a row may be the one that sets a job's price."""
    return not _adds(row) and _holds(conditions(row), job) is not False


def _found(rows: Sequence[PriceRow], amount: _Amount, note: str) -> Price:
    until = min((row["until"] for row in rows if "until" in row), default=None)
    if not note and until:
        note = f"this price ends on {until}"
    kind = _kind(rows, amount)
    return Price(
        amount=tidy(amount.value or 0.0, 4),
        kind=kind,
        as_of=_oldest(rows),
        until=until,
        authoritative=kind == "exact" and all(_is_billed(row) for row in rows),
        note=note,
    )


def _kind(rows: Sequence[PriceRow], amount: _Amount) -> PriceKind:
    if not amount.exact:
        return "bound"
    return "exact" if all(row.get("confirmed") for row in rows) else "estimate"


def _is_billed(row: PriceRow) -> bool:
    return row.get("confirmed", "").startswith("bills-")


def _base(job: _Job, rows: Sequence[PriceRow]) -> tuple[PriceRow, _Amount] | None:
    """Return the row that sets the price, and how much it comes to; None where no row can be trusted."""
    states = [(row, _holds(conditions(row), job)) for row in filterfalse(_adds, rows)]
    # A condition on something that is not said leaves several rows possible: the dearest is the bound.
    open_ = [row for row, state in states if state is None]
    closest = _closest([row for row, state in states if state])
    costs = [(row, _cost(job, row)) for row in (*closest, *open_)]
    if not costs or any(amount.value is None for _, amount in costs):
        return None
    row, amount = max(costs, key=lambda cost: cost[1].value or 0)
    return row, replace(amount, exact=amount.exact and not open_)


def _closest(rows: Sequence[PriceRow]) -> list[PriceRow]:
    """Return the rows with the most conditions."""
    most = max((len(conditions(row)) for row in rows), default=0)
    return [row for row in rows if len(conditions(row)) == most]


def _added(job: _Job, rows: Iterable[PriceRow]) -> Iterable[tuple[PriceRow, _Amount]]:
    for row in filter(_adds, rows):
        state = _holds(conditions(row), job)
        if state is not False:
            amount = _cost(job, row)
            yield row, replace(amount, exact=amount.exact and state is True)


def ended(row: PriceRow, at: datetime) -> bool:
    """Whether a row's last moment has passed.  A day alone counts to its end, in UTC."""
    until = row.get("until")
    if not until:
        return False
    last = datetime.fromisoformat(until.replace("Z", "+00:00"))
    if "T" not in until:
        last = datetime.combine(last.date(), time.max)
    return at > (last if last.tzinfo else last.replace(tzinfo=UTC))


def _without_regular(rows: Sequence[PriceRow]) -> list[PriceRow]:
    """Return the rows without the regular prices that a price with a last day takes the place of until then."""
    promoted = [_about(row) for row in rows if "until" in row]
    return [row for row in rows if "until" in row or _about(row) not in promoted]


def _about(row: PriceRow) -> tuple[JSON, ...]:
    return (conditions(row), row["per"], row.get("plus"), row.get("adds"))


def _adds(row: PriceRow) -> bool:
    return row["per"] == "input" or bool(row.get("adds"))


def _oldest(rows: Iterable[PriceRow]) -> str | None:
    return min((str(row["as_of"]) for row in rows if row.get("as_of")), default=None)


def conditions(row: PriceRow) -> Mapping[str, JSON]:
    """Return the values of fields for which a row holds; none where it always does."""
    return row.get("when") or {}


def _holds(when: Mapping[str, JSON], job: _Job) -> bool | None:
    """Whether all conditions hold; None where one is about a field that is neither sent nor has a default."""
    open_ = False
    for name, wanted in when.items():
        if wanted in ("given", "absent"):
            if is_given(job.input.get(name)) is not (wanted == "given"):
                return False
        elif name not in job.sent:
            open_ = True
        elif not _is_one_of(job.sent[name], wanted):
            return False
    return None if open_ else True


def _is_one_of(value: JSON, wanted: JSON) -> bool:
    return any(_alike(value, one) for one in one_or_more(wanted))


def _alike(a: JSON, b: JSON) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return str(a).lower() == str(b).lower()


def credits_of(row: PriceRow) -> float:
    """Return a row's credits: the higher of its two figures where the list's dollars disagree with its credits."""
    return max(float(row["credits"]), float(row.get("usd") or 0) / USD_PER_CREDIT)


def _cost(job: _Job, row: PriceRow) -> _Amount:
    times = _times(job, row)
    if times.value is None:
        return _UNKNOWN
    return _Amount(credits_of(row) * times.value, times.exact and not row.get("bound"))


# --- how often a row's credits are charged -------------------------------------------------------------


def _times(job: _Job, row: PriceRow) -> _Amount:
    """Return how often a row's credits are charged; unknown for tokens, which are not known before the job has run."""
    measures = {
        "job": lambda: _Amount(1),
        "output": lambda: count(job.model, job.sent),
        "second": lambda: _row_seconds(job, row),
        "minute": lambda: _minutes(job, row),
        "1000 characters": lambda: _thousands(job, row),
        "input": lambda: _inputs(job, row),
        "megapixel": lambda: _megapixels(job),
        "output side": lambda: _by_side(job, row),
    }
    measure = measures.get(row["per"])
    if measure is None:
        return _UNKNOWN
    return measure()


def _row_seconds(job: _Job, row: PriceRow) -> _Amount:
    total = _Amount(0) if row.get("adds") else seconds(job.model, job.sent, job.media)
    for name in row.get("plus") or ():
        given = _rounded_up(_media_seconds(job, name), known=False)
        least = row.get("plus_min_s") or 0
        if given.value is not None and 0 < given.value < least:
            # Bills showed that short clips count as longer; whether every model does so is not known.
            given = _Amount(float(least), exact=bool(row.get("confirmed")))
        total = _sum(total, given)
    return total


def _minutes(job: _Job, row: PriceRow) -> _Amount:
    length = _sum(*(_media_seconds(job, name) for name in row.get("of") or ()))
    if length.value is None:
        return _UNKNOWN
    return _rounded_up(_Amount(length.value / 60, length.exact), known=False)


def _thousands(job: _Job, row: PriceRow) -> _Amount:
    characters = sum(len(str(text)) for path in row.get("of") or () for text in values_at(job.sent, path))
    return _Amount(math.ceil(characters / 1000), exact=False)


def _inputs(job: _Job, row: PriceRow) -> _Amount:
    given = sum(len(_listed(job.sent.get(name))) for name in row.get("of") or ())
    return _Amount(max(0, given - int(row.get("free") or 0)))


def _rounded_up(amount: _Amount, *, known: bool) -> _Amount:
    """Round up to whole units; a bound unless it was whole before or the provider is known to round so."""
    if amount.value is None:
        return amount
    whole = float(math.ceil(amount.value - 1e-6))
    return _Amount(whole, amount.exact and (known or abs(whole - amount.value) < 1e-6))


def count(model: Model, sent: Mapping[str, JSON]) -> _Amount:
    """Return how many outputs a job makes; unknown where only the service knows."""
    said = model.outputs.get("count", 1)
    if said is None:
        return _UNKNOWN
    if isinstance(said, int | float):
        return _Amount(float(said))
    number = as_number(_asked_count(said, sent))
    return _UNKNOWN if number is None else _Amount(number, exact=not said.get("at_most") or number == 1)


def _asked_count(said: CountRule, sent: Mapping[str, JSON]) -> JSON:
    value = sent.get(said.get("field", ""))
    if value is not None:
        return value
    for case in said.get("when") or ():
        if all(name in sent and _alike(sent[name], wanted) for name, wanted in case["if"].items()):
            value = case["default"]
    return said.get("default", 1) if value is None else value


def seconds(model: Model, sent: Mapping[str, JSON], media: MediaByRef) -> _Amount:
    """Return how long a clip or sound will be, in billed seconds: by its own length field or the media it follows."""
    rule = model.outputs.get("seconds") or {}
    if "frames" in rule:
        frames, rate = as_number(sent.get(rule["frames"])), as_number(sent.get(rule.get("rate", "")))
        return _Amount(frames / rate) if frames and rate else _UNKNOWN
    value = as_number(sent.get(rule.get("field", "")))
    if value is not None and value > 0:
        found = _Amount(value)
    else:
        job = _Job(model, sent, sent, media)
        found = _rounded_up(_followed(job), known=bool(rule.get("rounds_up")))
    limit = rule.get("max")
    if limit and (found.value is None or found.value > limit):
        return _Amount(float(limit), exact=False)
    return found


def _followed(job: _Job) -> _Amount:
    """Return the seconds of the media that a clip follows, else the most that its own length field takes."""
    rule = job.model.outputs.get("seconds") or {}
    given = [name for name in rule.get("media") or () if job.sent.get(name)]
    if given:
        return _longest([_media_seconds(job, name) for name in given])
    most = _most(job.model.properties.get(rule.get("field", ""), {}))
    return _Amount(most, exact=False) if most else _UNKNOWN


def _longest(lengths: Sequence[_Amount]) -> _Amount:
    """Return the longest of several media; which of them the service goes by is a guess."""
    known = [length.value for length in lengths if length.value is not None]
    if len(known) < len(lengths):
        return _UNKNOWN
    return _Amount(max(known), len(lengths) == 1 and lengths[0].exact)


def _most(schema: Schema) -> float | None:
    numbers = [n for n in map(as_number, schema.get("enum") or ()) if n is not None]
    for part in (schema, *(schema.get("anyOf") or ())):
        if "maximum" in part:
            numbers.append(float(part["maximum"]))
    return max(numbers, default=None)


def _media_seconds(job: _Job, name: str) -> _Amount:
    """Return the seconds of all media in a field; the limit of the field where a length is not known."""
    limits = job.model.properties.get(name, {}).get("media") or {}
    total, exact = 0.0, True
    for facts in _facts(job, name):
        if facts and facts.duration_s is not None:
            total += facts.duration_s
        elif limits.get("max_s"):
            total, exact = total + float(limits["max_s"]), False
        else:
            return _UNKNOWN
    if not exact and limits.get("total_max_s"):
        total = min(total, float(limits["total_max_s"]))
    return _Amount(total, exact)


def _megapixels(job: _Job) -> _Amount:
    rule = job.model.outputs.get("megapixels", MegapixelRule())
    if "values" in rule:
        value = job.sent.get(rule.get("field", ""))
        total = rule["values"].get(value, 0.0) if isinstance(value, str | int | float) else 0.0
    else:
        total = _media_megapixels([facts for name in rule.get("media", ()) for facts in _facts(job, name)])
    return _Amount(float(total), exact=False) if total else _UNKNOWN


def _media_megapixels(found: Sequence[MediaFacts | None]) -> float:
    """Return the megapixels of pictures, each rounded up; 0 where the size of one is not known."""
    sizes = [facts.width * facts.height for facts in found if facts and facts.width and facts.height]
    if len(sizes) < len(found):
        return 0.0
    return sum(math.ceil(size / 1_000_000) for size in sizes)


def _by_side(job: _Job, row: PriceRow) -> _Amount:
    """Return the share of the dearest step that the size of the result costs."""
    factor = as_number(job.sent.get(row.get("factor", ""))) or 1
    for name in row.get("of") or ():
        for facts in _facts(job, name):
            if facts and facts.width and facts.height:
                return _step(row, max(facts.width, facts.height) * factor)
    return _Amount(1, exact=False)


def _step(row: PriceRow, side: float) -> _Amount:
    for limit, credits in row.get("steps") or ():
        if limit is None or side <= limit:
            return _Amount(float(credits) / float(row["credits"]), exact=False)
    return _Amount(1, exact=False)


def _facts(job: _Job, name: str) -> list[MediaFacts | None]:
    """Return the facts of each medium in a field; None for one that was not looked at."""
    return [job.media.get(str(ref)) for ref in _listed(job.sent.get(name))]


def _sum(*amounts: _Amount) -> _Amount:
    if any(a.value is None for a in amounts):
        return _UNKNOWN
    return _Amount(sum(a.value or 0 for a in amounts), all(a.exact for a in amounts))


def _listed(value: JSON) -> list[JSON]:
    if value is None or value == "":
        return []
    return [one for one in value if one] if isinstance(value, list) else [value]


_PER = {"job": "", "output": "", "output side": "", "second": " a second", "minute": " a minute"}


def cheapest(model: Model, at: datetime | None = None) -> str:
    """Return the lowest price of a model in words, `from 4 credits a second`; nothing where none is known."""
    moment = at or datetime.now(UTC)
    rows = [row for row in model.prices if not _adds(row) and not ended(row, moment)]
    if not rows:
        return ""
    row = min(rows, key=lambda row: row["credits"])
    steps = row.get("steps", [])
    credits = next((credits for _, credits in steps), row["credits"])
    noun = "credit" if credits == 1 else "credits"
    unit = _PER.get(row["per"], f" per {row['per']}")
    differ = steps or len({row["credits"] for row in rows}) > 1
    return f"{'from ' if differ else ''}{credits:g} {noun}{unit}"
