"""What slows whom down: too many starts, too many reads, a closed service, a network that is not there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kiebatch.errors import Exit, Refused
from kiebatch.running import Edges
from support.film import Film

TWO = """\
kiebatch: 1
scenes:
  - {id: 1, model: z-image, prompt: A lighthouse at dusk}
  - {id: 2, model: z-image, prompt: A boat below it}
"""


def slowed(gate: Path) -> list[str]:
    """Return which kinds of calls the account's gate was told to slow down."""
    db = sqlite3.connect(gate)
    try:
        return sorted(row[0] for row in db.execute("SELECT kind FROM shares WHERE refused_at > 0"))
    finally:
        db.close()


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "kinds"), [("submit@1=code:455", []), ("poll@1=code:429", ["read"])])
def test_who_is_slowed_down_by_what(film: Film, tmp_path: Path, fault: str, kinds: list[str]) -> None:
    film.write(TWO)
    film.sim.fault(fault)
    gate = tmp_path / "gate.sqlite3"

    outcome = film.run(edges=Edges(gate_path=gate))

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 2)
    assert slowed(gate) == kinds
    assert len(film.sim.charges()) == 2


def test_a_provider_that_cannot_be_reached_is_said_within_seconds(film: Film) -> None:
    film.write(TWO)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    with pytest.raises(Refused, match="cannot be reached"):
        film.run(base_url="http://127.0.0.1:9", edges=Edges(sleep=sleep))

    assert 0 < sum(waits) < 6


@pytest.mark.slow
def test_a_dead_link_is_renewed_by_the_familys_own_call(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: gpt4o-image, prompt: A lighthouse, params: {size: '1:1'}}\n"
    )
    film.sim.fault("download@1x2=gone")

    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    paths = [call[2] for call in film.sim.client().get("/_sim/calls").json()]
    assert {p for p in paths if p.endswith("download-url")} == {"/api/v1/gpt4o-image/download-url"}


@pytest.mark.slow
def test_a_budget_is_used_up_although_its_jobs_wait_for_their_turn(film: Film) -> None:
    film.write(
        "kiebatch: 1\ndefaults: {model: z-image}\nscenes:\n"
        + "".join(f"  - {{id: {n}, prompt: Picture {n}}}\n" for n in range(1, 13))
    )

    outcome = film.run(max_credits=8, partial=True, allow_unpriced=True)

    price = film.sim.charges()[0]["credits"]
    assert outcome.exit_code == Exit.REFUSED
    assert len(film.sim.charges()) == min(12, int(8 / price + 1e-9))
