"""The page for those who come from something else: its figures are measured, and its file is the one that is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import coming_from
from support.places import ROOT
from support.simulated import Sim

PAGE = ROOT / "docs" / "coming-from.md"


@pytest.mark.slow
@pytest.mark.parametrize("title", coming_from.MEASURES)
def test_a_row_of_the_page_is_what_is_measured(title: str, tmp_path: Path, sim: Sim) -> None:
    assert coming_from.row(title, tmp_path, sim) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_has_a_row_for_each_measure_and_no_other_figure() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.count("|") == 5]

    measured = [line.split("|")[1].strip() for line in rows if line.split("|")[2].strip().isdigit()]
    assert measured == list(coming_from.MEASURES)
