"""Prices as they were billed: what the jobs of one account really cost, by model and parameters.

A measured price takes the place of the catalogue's for jobs with the same parameters and the same listed price.  A
higher one is learnt from one job, a lower one only where record and balance agree on several, and a cap goes on
reserving the listed price: no record can make a cap unsafe.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.shapes import Measured, SecondsRule
from kiebatch.model import JSON, Price, tidy

ROUNDING = 0.01  # credits: what two sums may differ by and still agree
_ENOUGH = 3  # jobs that must agree before a price is lowered


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one job was charged.  `agreed`: the balance of the account says the same."""

    model: str
    params: Mapping[str, JSON]
    listed: float
    bound: bool  # its listed price is only the most that it can cost
    credits: float
    agreed: bool


def params_of(model: Model, input: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the parameters that a job's price depends on; of media and lists only whether they are given."""
    sent = {**model.defaults, **input}
    return {name: _plain(sent.get(name)) for name in sorted(set(_names(model))) if name in sent}


def _names(model: Model) -> Iterator[str]:
    """Yield the fields that a model's price rests on: conditions and factors of its rows, what says how much it makes."""
    for row in model.prices:
        yield from row.get("when") or ()
        yield row.get("factor", "")
    count = model.outputs.get("count")
    if isinstance(count, Mapping):
        yield count.get("field", "")
        for case in count.get("when") or ():
            yield from case["if"]
    seconds = model.outputs.get("seconds") or SecondsRule()
    yield from (seconds.get("field", ""), seconds.get("frames", ""), seconds.get("rate", ""))
    yield (model.outputs.get("megapixels") or {}).get("field", "")


def _plain(value: JSON) -> JSON:
    if isinstance(value, str | int | float | bool) and not str(value).startswith(("file:", "shot:", "http")):
        return value
    return bool(value)


def as_measured(listed: Price, model: Model, input: Mapping[str, JSON]) -> Price:
    """Return a price by what such jobs were billed; the listed one where none was."""
    if not model.measured or listed.amount is None:
        return listed
    params = params_of(model, input)
    fitting = [m for m in model.measured if m.listed == listed.amount and m.params == params]
    if not fitting:
        return listed
    seen = max(fitting, key=lambda m: m.credits)
    found = replace(
        listed,
        amount=tidy(seen.credits),
        kind=seen.kind,
        as_of=seen.as_of,
        authoritative=seen.kind == "exact",
        # A cap goes on reserving the listed price where bills are lower.
        reserve=listed.reserved if seen.credits < (listed.reserved or 0.0) else None,
        listed=None,
        note="",
    )
    if seen.credits == listed.amount:
        return found
    note = f"billed {seen.credits:g} credits on this account, and listed at {listed.amount:g}"
    return replace(found, listed=listed.amount, note=note)


# --- learning ------------------------------------------------------------------------------------------


def learnt(known: Sequence[Measured], bills: Iterable[Bill], day: str) -> list[Measured]:
    """Return the measured prices that bills add to those that are known, or change: the new rows alone."""
    groups: dict[tuple[str, str, float], list[Bill]] = {}
    for bill in bills:
        key = (bill.model, repr(sorted(bill.params.items())), bill.listed)
        groups.setdefault(key, []).append(bill)
    before = {one.about: one for one in known}
    found = (_learnt(before.get(key), group, day) for key, group in groups.items())
    return [one for one in found if one is not None]


def _learnt(before: Measured | None, bills: Sequence[Bill], day: str) -> Measured | None:
    row, listed = _row(bills, day), bills[0].listed
    highest, equal = max(bill.credits for bill in bills), row.kind == "exact"
    known = before.credits if before else listed
    if highest > known + ROUNDING:
        return row
    if before and before.kind == "exact" and not equal:
        return replace(row, credits=before.credits)
    if not equal or not all(bill.agreed for bill in bills):
        return None
    if highest < known - ROUNDING:
        return row if _may_lower(bills) else None
    if before:
        return replace(before, jobs=before.jobs + len(bills), as_of=day)
    return replace(row, credits=listed)


def _row(bills: Sequence[Bill], day: str) -> Measured:
    """Return what bills of like jobs say of their price: the highest, exact where all are equal."""
    first, costs = bills[0], [bill.credits for bill in bills]
    equal = max(costs) - min(costs) <= ROUNDING
    return Measured(
        model=first.model,
        params=first.params,
        listed=first.listed,
        credits=round(max(costs), 4),
        kind="exact" if equal else "estimate",
        as_of=day,
        jobs=len(bills),
    )


def _may_lower(bills: Sequence[Bill]) -> bool:
    """Whether bills that agree are enough for a lower price; a price that is only the most it can be stays."""
    return len(bills) >= _ENOUGH and not bills[0].bound
