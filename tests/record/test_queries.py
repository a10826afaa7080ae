"""Questions about results."""

from __future__ import annotations

from dataclasses import replace

from kiebatch.record import queries
from kiebatch.record.queries import Result, Standing
from support.records import an_asset


def result(number: int, slot: str, task_id: str, output: int = 1) -> Result:
    asset = replace(an_asset(minute=number, task_id=task_id, output=output), id=f"img-{number:03d}")
    return Result(asset, slot, Standing.CURRENT)


def test_the_latest_of_a_slot_are_all_outputs_of_its_newest_task() -> None:
    older, first, second = result(1, "1", "a"), result(2, "1", "b"), result(3, "1", "b", output=2)
    other = result(4, "2", "c")

    assert queries.latest([older, first, second, other], "slot") == [first, second, other]


def test_an_asset_without_a_task_stands_alone() -> None:
    older, newer = result(1, "1", ""), result(2, "1", "")

    assert queries.latest([older, newer], "slot") == [newer]
