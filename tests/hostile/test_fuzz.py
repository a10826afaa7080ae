"""Cases by chance: documents with a few values changed, given to every reader."""

from __future__ import annotations

import random

import pytest

from bench import fuzz
from bench.fuzzing.kind import changed

# Kinds of which most cases must get past validation: else the code behind it is not reached.
REACHING = ("yaml", "markdown", "manifest", "picks", "journal", "replies", "callbacks", "timeline", "media")


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_300_cases_of_each_kind_end_in_an_answer(kind: str) -> None:
    if kind == "timeline":
        pytest.importorskip("opentimelineio")

    report = fuzz.run(fuzz.KINDS[kind], 300)

    assert report.failures == []
    assert kind not in REACHING or report.accepted_share >= 0.5


@pytest.mark.parametrize("kind", [kind for kind in fuzz.KINDS if kind != "timeline"])
def test_a_few_cases_of_each_kind_end_in_an_answer(kind: str) -> None:
    assert fuzz.run(fuzz.KINDS[kind], 5, seed=9).failures == []


def test_a_case_is_made_from_its_number_alone() -> None:
    value = {"a": [1, 2, {"b": "c"}], "d": None}

    assert changed(value, random.Random(5), 3) == changed(value, random.Random(5), 3)
    assert value == {"a": [1, 2, {"b": "c"}], "d": None}
