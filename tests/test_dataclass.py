"""Our dataclasses are those of the standard library in all but what their making costs."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import field
from typing import Any

import pytest

from kiebatch._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    a: int
    b: str = "x"
    seen: list[int] = field(default_factory=list, compare=False)
    secret: str = field(default="", repr=False)


OURS = Ours


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ours:  # type: ignore[no-redef]  # of the same name, so that both are written alike
    a: int
    b: str = "x"
    seen: list[int] = field(default_factory=list, compare=False)
    secret: str = field(default="", repr=False)


THEIRS = Ours
VALUES: tuple[dict[str, Any], ...] = (
    {"a": 1},
    {"a": 1, "b": "x"},
    {"a": 1, "seen": [3]},
    {"a": 1, "secret": "s"},
    {"a": 2, "b": "y"},
)


def test_values_are_written_and_compared_as_the_standard_library_does() -> None:
    ours, theirs = [OURS(**v) for v in VALUES], [THEIRS(**v) for v in VALUES]

    assert [repr(one) for one in ours] == [repr(one) for one in theirs]
    assert [[a == b for b in ours] for a in ours] == [[a == b for b in theirs] for a in theirs]
    assert len(set(ours)) == len(set(theirs)) == 3
    assert ours[0] != theirs[0]


def test_values_are_replaced_copied_and_made_into_dicts() -> None:
    value = OURS(a=1, seen=[2])

    assert dataclasses.replace(value, b="z") == OURS(a=1, b="z")
    assert copy.deepcopy(value) == value
    assert dataclasses.asdict(value) == {"a": 1, "b": "x", "seen": [2], "secret": ""}


def test_a_value_without_fields_equals_another_of_its_class_alone() -> None:
    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    @dataclass(frozen=True, slots=True)
    class Other:
        pass

    assert len({Nothing(), Nothing(), Other()}) == 2
    assert repr(Nothing()).endswith("Nothing()")


def test_the_methods_that_a_class_has_of_its_own_stay() -> None:
    @dataclass(frozen=True)
    class Own:
        a: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    assert Own(1) == Own(2)
    assert (hash(Own(1)), repr(Own(1))) == (7, "own")


def test_what_can_change_has_no_hash() -> None:
    @dataclass(slots=True)
    class Tally:
        count: int = 0

    tally = Tally()
    tally.count += 1

    assert tally == Tally(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(tally)
