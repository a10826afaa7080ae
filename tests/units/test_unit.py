"""A unit is JSON without secrets, has one key for the same work, and knows how urgent it is."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kiebatch.media import derivatives
from kiebatch.model import Output
from kiebatch.units import KINDS, Order, Unit, derive, download, upload

SIGNED = "https://media.example/1.png?signature=hush"


def a_download(**more: object) -> Unit:
    output = Output(number=1, url=SIGNED)
    return replace(download("7", "task", output, "image", timeout_s=60), **more)  # type: ignore[arg-type]


def test_a_unit_comes_back_from_its_json_as_it_was() -> None:
    unit = a_download()

    assert Unit.from_json(json.loads(unit.to_json())) == unit


def test_a_units_json_holds_no_address() -> None:
    assert "hush" not in a_download().to_json()
    assert "media.example" not in a_download().to_json()


def test_the_same_work_has_the_same_key_and_other_work_another() -> None:
    other_task = download("7", "another", Output(number=1, url=SIGNED), "image", timeout_s=60)
    other_number = download("7", "task", Output(number=2, url=SIGNED), "image", timeout_s=60)
    keys = {a_download().key, other_task.key, other_number.key, upload("a" * 64, "host", timeout_s=9).key}

    assert a_download().key == download("7", "task", Output(number=1, url=SIGNED), "image", timeout_s=5).key
    assert len(keys) == 4


def test_a_derivative_is_asked_for_where_its_type_has_one() -> None:
    clip = derive("a" * 64, "video", "web")

    assert clip is not None
    assert clip.needs == ("ffmpeg",)
    assert clip.timeout_s > derivatives.TIMEOUT_S
    assert derive("a" * 64, "image", "peaks") is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 4e9)), min_size=2, max_size=8))
def test_of_two_links_the_one_that_dies_next_goes_first(deaths: list[float | None]) -> None:
    orders = [Order(unit=a_download(), dies_at=at) for at in deaths]

    first = max(orders, key=lambda order: order.priority)

    known = [at for at in deaths if at is not None]
    if known:
        assert first.dies_at is not None
        assert first.dies_at // 60 == min(known) // 60
    assert all(0 < order.priority < 2**31 for order in orders)


def test_a_download_goes_before_whatever_can_wait() -> None:
    late = Order(unit=a_download())
    others = [Order(unit=a_download(kind=kind)) for kind in KINDS[1:]]

    assert all(late.priority > other.priority for other in others)
