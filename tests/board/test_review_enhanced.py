"""An enhanced prompt in the review: both texts are shown, and a person keeps, edits or drops the better one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiebatch.board import publish
from kiebatch.board.actions import Action, Kind
from kiebatch.board.live import LiveFilm
from kiebatch.board.panel_data import panel_data
from kiebatch.board.proposals import Proposals
from kiebatch.errors import Invalid
from kiebatch.planning import planning
from kiebatch.prompts import lock
from support.film import Film

FILM = """
kiebatch: 1
defaults: {model: nano-banana-2, enhance: ask}
scenes:
  - {id: 1, prompt: A boat}
  - {id: 2, prompt: A lamp}
"""


@pytest.fixture
def enhanced(film: Film) -> Film:
    """A film whose prompts were made better by a command, with what was made of them."""
    film.write(FILM)
    tool = film.folder / "better.py"
    tool.write_text(
        "import json, sys\nprint(json.load(sys.stdin)['prompt'] + ' in storm light')\n", encoding="utf-8"
    )
    assert film.command("enhance", "scenes.yaml", "--command", f"python3 {tool}").code == 0
    return film


def _proposals(film: Film, *, may_write: bool = True) -> Proposals:
    live = LiveFilm(film.load)
    return Proposals(live, may_write=may_write, may_run=True)


def _lock(film: Film) -> Path:
    return film.folder / lock.NAME


def test_both_texts_are_told_for_a_take_and_for_what_was_made_of_it(enhanced: Film) -> None:
    enhanced.run()

    panel = next(p for p in publish.film_of(enhanced.load()).panels if p.name == "1")
    found = json.loads(json.dumps(panel_data(panel, {}, served=True)))  # as the page reads it

    (take,) = found["takes"]
    (version,) = take["versions"]
    assert found["prompts"][take["raw"] - 1] == found["prompts"][version["raw"] - 1] == "A boat"
    assert found["prompts"][version["p"] - 1] == "A boat in storm light"
    assert _proposals(enhanced).prompt("1#1") == {
        "prompt": "A boat",
        "raw": "A boat",
        "enhanced": "A boat in storm light",
    }


def test_other_words_are_written_into_the_lock_and_cost_what_they_cost(enhanced: Film) -> None:
    enhanced.run()
    proposals = _proposals(enhanced)

    proposal = proposals.propose(Action(kind=Kind.ENHANCED, slot="1#1", prompt="A boat in fog"))

    assert ([job["slot"] for job in proposal.jobs], proposal.total) == (["1"], "8 credits")
    assert "A boat in fog" in proposal.difference
    assert "fog" not in _lock(enhanced).read_text(encoding="utf-8"), (
        "nothing is changed before it is confirmed"
    )
    proposals.apply(proposal)
    assert [job.prompt for job in enhanced.load().project.jobs] == ["A boat in fog", "A lamp in storm light"]


def test_dropped_words_are_not_sent_any_more_and_what_was_made_stays(enhanced: Film) -> None:
    enhanced.run()
    proposals = _proposals(enhanced)

    proposal = proposals.propose(Action(kind=Kind.PLAIN, slot="1#1"))

    assert (proposal.makes, proposal.may, proposal.total) == (False, True, "0 credits")
    proposals.apply(proposal)
    assert [job.prompt for job in enhanced.load().project.jobs] == ["A boat", "A lamp in storm light"]
    assert planning.plan(enhanced.load()).status == "up-to-date"


def test_a_page_that_may_not_write_changes_no_lock(enhanced: Film) -> None:
    proposals = _proposals(enhanced, may_write=False)
    before = _lock(enhanced).read_bytes()

    proposal = proposals.propose(Action(kind=Kind.PLAIN, slot="1#1"))

    assert not proposal.may
    with pytest.raises(Invalid):
        proposals.apply(proposal)
    assert _lock(enhanced).read_bytes() == before


def test_somebody_elses_change_of_the_lock_is_not_written_over(enhanced: Film) -> None:
    proposals = _proposals(enhanced)
    proposal = proposals.propose(Action(kind=Kind.ENHANCED, slot="1#1", prompt="A boat in fog"))
    _lock(enhanced).write_text(_lock(enhanced).read_text(encoding="utf-8") + "\n", encoding="utf-8")

    with pytest.raises(Invalid, match="changed meanwhile"):
        proposals.apply(proposal)


def test_the_same_words_none_and_a_take_without_a_better_prompt_are_refused(enhanced: Film) -> None:
    proposals = _proposals(enhanced)
    for prompt in ("", "A boat in storm light"):
        with pytest.raises(Invalid):
            proposals.propose(Action(kind=Kind.ENHANCED, slot="1#1", prompt=prompt))
    _lock(enhanced).unlink()
    with pytest.raises(Invalid, match="no enhanced prompt"):
        proposals.propose(Action(kind=Kind.PLAIN, slot="1#1"))
