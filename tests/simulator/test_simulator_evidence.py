"""docs/simulator.md says of each answer what it rests on, so that nobody takes the simulator for the service."""

from __future__ import annotations

from collections import defaultdict

import pytest

from kiebatch.testing import fixtures
from support.places import ROOT

PAGE = ROOT / "docs" / "simulator.md"
BEGIN, END = "<!-- evidence -->\n", "<!-- end of evidence -->"
# The confidence that a fixture states, and what it means.
GROUNDS = {
    "high": "Seen in a recording, or said alike by several documents",
    "medium": "Said by one document alone",
    "low": "Not known: chosen, because something had to be",
}


def evidence() -> str:
    """Return the lists: for each ground the families, and for each its situations with their sections."""
    found: dict[str, dict[str, list[str]]] = {ground: defaultdict(list) for ground in GROUNDS}
    for exchange in fixtures.answers():
        found[exchange.confidence][exchange.family].append(f"{exchange.situation} ({exchange.section})")
    parts = []
    for ground, families in found.items():
        lines = [f"- {family}: {'; '.join(dict.fromkeys(each))}" for family, each in sorted(families.items())]
        parts.append(
            f"**{GROUNDS[ground]}** ({sum(map(len, families.values()))} answers)\n\n"
            + "\n".join(lines)
            + "\n"
        )
    return "\n".join(parts)


def test_the_page_says_what_each_answer_rests_on(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(f"{before}{BEGIN}{evidence()}{END}{after}", encoding="utf-8")
        return

    assert written == evidence(), "pytest --update-golden rewrites it"


def test_every_fixture_says_how_sure_it_is() -> None:
    assert {exchange.confidence for exchange in fixtures.answers()} == set(GROUNDS)
