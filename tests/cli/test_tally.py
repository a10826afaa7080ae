"""How far a run is: counts, money, pace, and the time that is left, from durations that were learnt."""

from __future__ import annotations

import pytest

from kiebatch.cli import console, progress
from kiebatch.cli.tally import Expected, Tally, duration
from kiebatch.model import Asset, Slot
from kiebatch.running import events


def _slot(number: int) -> Slot:
    return Slot(number, None)


def _sent(number: int) -> events.Event:
    return events.Submitted(slot=_slot(number), task_id=f"t{number}", credits=8.0)


def _saved(number: int) -> events.Event:
    asset = Asset(
        id="",
        type="image",
        filename=f"assets/{number}.png",
        prompt="",
        model="m",
        parameters={},
        created_at="",
    )
    return events.Saved(slot=_slot(number), task_id=f"t{number}", asset=asset)


def _tally(count: int, usual_s: float = 60.0) -> Tally:
    jobs = {
        str(_slot(n)): Expected(model="stills" if n % 2 else "clips", usual_s=usual_s)
        for n in range(1, count + 1)
    }
    return Tally(jobs=jobs, began=0.0)


def test_a_line_says_jobs_money_pace_and_what_is_left() -> None:
    tally = _tally(4)
    for number in range(1, 5):
        tally.note(_sent(number), now=0.0)
    tally.note(_saved(1), now=40.0)

    assert tally.line(40.0) == "1/4 jobs, 3 in flight, 32 credits ($0.16), 1.5 a minute, about 20 s left"


def test_what_is_not_sent_goes_at_the_pace_so_far_and_then_takes_its_time() -> None:
    tally = _tally(20)
    for number in range(1, 11):
        tally.note(_sent(number), now=30.0)

    assert tally.left_s(30.0) == 30.0 + 60.0


def test_nothing_is_foretold_before_the_first_job_and_after_the_last() -> None:
    tally = _tally(1)
    assert tally.left_s(5.0) is None
    tally.note(_sent(1), now=5.0)
    tally.note(_saved(1), now=9.0)
    assert tally.left_s(9.0) is None


def test_each_model_has_a_line_of_its_own() -> None:
    tally = _tally(3)
    tally.note(_sent(2), now=0.0)
    tally.note(events.JobHeld(slot=_slot(2), reason="no answer"), now=1.0)

    assert tally.model_lines() == ["  clips: 1/1, 1 held", "  stills: 0/2"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 s"), (170, "3 min"), (4800, "80 min"), (7260, "2 h 1 min")]
)
def test_time_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_ci_gets_a_line_a_minute_and_nothing_for_each_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    moments = iter([0.0, 0.0, 1.0, 1.0, 70.0, 70.0, 70.0, 70.0, 71.0, 71.0])
    shown = progress.Progress(_tally(2).jobs, bar=False, by_model=True, clock=lambda: next(moments))

    shown(_sent(1))
    shown(_saved(1))
    shown(_sent(2))

    assert console.in_ci()
    assert capsys.readouterr().err.splitlines() == [
        "1/2 jobs, 0 in flight, 8 credits ($0.04), 0.9 a minute, about 130 s left".replace("130 s", "2 min"),
        "  clips: 0/1",
        "  stills: 1/1",
    ]
