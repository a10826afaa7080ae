"""What jobs were billed takes the place of the catalogue's price: sooner where it is more, later where it is less."""

from __future__ import annotations

from typing import Literal

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import Measured
from kiebatch.catalogue.measured import Bill, learnt
from kiebatch.model import JSON

DAY = "2026-11-27"
PARAMS = {"resolution": "2K"}


def bill(credits: float, *, agreed: bool = True, bound: bool = False) -> Bill:
    return Bill(model="m", params=PARAMS, listed=8.0, bound=bound, credits=credits, agreed=agreed)


def row(credits: float, kind: Literal["exact", "estimate"] = "exact", jobs: int = 3) -> Measured:
    return Measured(model="m", params=PARAMS, listed=8.0, credits=credits, kind=kind, as_of=DAY, jobs=jobs)


def learn(*bills: Bill, known: tuple[Measured, ...] = ()) -> list[tuple[float, str]]:
    return [(one.credits, one.kind) for one in learnt(known, bills, DAY)]


def test_a_higher_charge_is_learnt_from_one_job() -> None:
    assert learn(bill(12, agreed=False)) == [(12, "exact")]


def test_of_charges_that_differ_the_highest_counts() -> None:
    assert learn(bill(8), bill(12), bill(10)) == [(12, "estimate")]


def test_a_price_that_record_and_balance_confirm_is_exact() -> None:
    assert learn(bill(8)) == [(8, "exact")]


def test_a_price_that_a_record_alone_repeats_stays_what_it_was() -> None:
    assert learn(bill(8, agreed=False)) == []


@pytest.mark.parametrize(
    "bills",
    [
        (bill(0, agreed=False),) * 5,  # a record that lies
        (bill(4),) * 2,  # too few
        (bill(4), bill(4), bill(5)),  # charges that differ
        (bill(4, bound=True),) * 5,  # the listed price is only the most
    ],
    ids=["unconfirmed", "few", "unequal", "bound"],
)
def test_a_lower_price_is_not_learnt_where_it_could_be_wrong(bills: tuple[Bill, ...]) -> None:
    assert learn(*bills) == []


def test_a_lower_price_that_record_and_balance_agree_on_is_learnt() -> None:
    assert learn(bill(4), bill(4), bill(4)) == [(4, "exact")]


def test_a_price_that_was_raised_stays_until_enough_jobs_agree_on_less() -> None:
    assert learn(bill(8), known=(row(12),)) == []
    assert learn(bill(8), bill(8), bill(8), known=(row(12),)) == [(8, "exact")]


def test_a_price_is_exact_no_longer_once_charges_differ() -> None:
    assert learn(bill(12), bill(10), known=(row(12),)) == [(12, "estimate")]


def test_only_jobs_with_the_same_parameters_and_listed_price_go_by_the_bill() -> None:
    given: dict[str, JSON] = {"prompt": "a", "aspect_ratio": "16:9", "resolution": "2K"}
    listed = catalogue.price(_model(()), given)
    assert listed.amount is not None
    params = {"resolution": "2K"}
    seen = Measured(
        model="nano-banana-2",
        params=params,
        listed=listed.amount,
        credits=listed.amount + 4,
        kind="exact",
        as_of=DAY,
        jobs=1,
    )

    here = catalogue.price(_model((seen,)), given)
    elsewhere = catalogue.price(_model((seen,)), {**given, "resolution": "4K"})

    assert (here.amount, here.kind, here.authoritative, here.listed) == (
        listed.amount + 4,
        "exact",
        True,
        listed.amount,
    )
    assert elsewhere == catalogue.price(_model(()), {**given, "resolution": "4K"})


def test_a_cap_goes_on_reserving_the_listed_price_where_the_bill_is_lower() -> None:
    given: dict[str, JSON] = {"prompt": "a", "resolution": "1K"}
    listed = catalogue.price(_model(()), given).amount
    assert listed is not None
    seen = Measured(
        model="nano-banana-2",
        params={"resolution": "1K"},
        listed=listed,
        credits=1,
        kind="exact",
        as_of=DAY,
        jobs=9,
    )

    price = catalogue.price(_model((seen,)), given)

    assert (price.amount, price.reserved) == (1, listed)


def _model(measured: tuple[Measured, ...]) -> catalogue.Model:
    found = catalogue.load(measured=measured).get("nano-banana-2")
    assert found is not None
    return found
