"""A job that costs more than its price stops the batch; what a record says of a cost is believed within reason."""

from __future__ import annotations

import sqlite3

import pytest

from kiebatch.errors import Exit
from kiebatch.project import peek
from kiebatch.record.notebook import Reading
from kiebatch.running.events import Noticed
from support.film import Film


def stills(film: Film, count: int) -> None:
    lines = "".join(f"  - {{id: {n}, prompt: Still {n}}}\n" for n in range(1, count + 1))
    film.write(f"kiebatch: 1\ndefaults: {{model: z-image}}\nscenes:\n{lines}")
    film.sim.change(extra_keys=True)


def warnings(film: Film) -> list[str]:
    return [e.message for e in film.events if isinstance(e, Noticed) and e.level == "warning"]


def readings(film: Film) -> list[Reading]:
    with peek(film.load().workspace) as journal:
        assert journal is not None
        return journal.notebook.balances()


def test_a_job_that_costs_more_than_its_price_stops_the_batch(film: Film) -> None:
    stills(film, 4)
    film.sim.fault("submit@1x4=price:1.2")

    outcome = film.run(in_flight=1, stop_on_overcharge=True)

    assert outcome.exit_code == Exit.REFUSED
    assert outcome.stopped_because == "1 (z-image) cost 1.2 credits, and its price was 0.8"
    assert outcome.succeeded == len(film.sim.charges()) < 4  # what was sent is collected
    assert outcome.spent == pytest.approx(film.sim.stats()["charged"])


@pytest.mark.slow
def test_a_batch_below_the_threshold_goes_on_with_a_warning(film: Film) -> None:
    stills(film, 3)
    film.sim.fault("submit@1=price:1.2")

    outcome = film.run(in_flight=1)

    assert outcome.exit_code == Exit.OK
    assert "1 (z-image) cost 1.2 credits, and its price was 0.8" in warnings(film)


@pytest.mark.slow
def test_a_large_batch_stops_by_itself_and_goes_on_where_the_person_wants_it(film: Film) -> None:
    lines = "".join(f"  - {{id: {n}, prompt: Still {n}}}\n" for n in range(1, 9))
    film.write(f"kiebatch: 1\ndefaults: {{model: nano-banana-2}}\nscenes:\n{lines}")
    film.sim.change(extra_keys=True)
    film.sim.fault("submit@1=price:30")

    stopped = film.command("run", "scenes.yaml", "--yes", "--in-flight", "1", "--json")
    after = film.command("run", "scenes.yaml", "--yes", "--no-stop-on-overcharge", "--json")

    assert stopped.code == Exit.REFUSED
    assert stopped.json["status"] == "refused"
    assert "cost 30 credits, and its price was 8" in stopped.json["reason"]
    assert after.code == Exit.OK, after.err
    assert len(film.sim.charges()) == 8


@pytest.mark.parametrize("said", ["-5", "1e9"])
def test_an_absurd_cost_is_in_no_record_of_ours(film: Film, said: str) -> None:
    stills(film, 1)
    film.sim.fault(f"submit=costs:{said}")

    outcome = film.run()

    assert any("that is not believed" in message for message in warnings(film))
    assert outcome.spent == pytest.approx(0.8)
    assert film.manifest[0]["credits"] == pytest.approx(0.8)


def test_a_run_writes_down_the_balance_before_and_after_it(film: Film) -> None:
    stills(film, 2)
    before = film.sim.balance

    film.run()

    assert [r.balance for r in readings(film)] == pytest.approx([before, before - 1.6])
    assert len({(r.account, r.run_id) for r in readings(film)}) == 1
    assert all(r.asked_at <= r.at for r in readings(film))


@pytest.mark.slow
def test_a_journal_without_readings_is_read_and_completed(film: Film) -> None:
    stills(film, 1)
    film.run()
    path = film.load().workspace.journal_path
    with sqlite3.connect(path) as older:
        older.execute("DROP TABLE balances")
        older.execute("DROP TABLE said_costs")
    older.close()
    assert readings(film) == []

    film.edit("Still 1", "Another")
    film.run()

    assert len(readings(film)) == 2
