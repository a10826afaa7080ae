"""A part of `python -m bench.expect`: faults that are planted in stills are found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import expect, planted


@pytest.mark.slow
def test_planted_faults_of_stills_are_found_without_a_false_alarm(tmp_path: Path) -> None:
    tally, _ = expect.count(planted.stills(tmp_path, 24))

    assert tally.wrong == []
    assert (tally.planted, tally.found) == (18, 18)
