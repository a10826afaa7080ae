"""What was reviewed is what is bought: the digest of a plan's effects, and the runs that go by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from kiebatch import api
from kiebatch.errors import Exit
from kiebatch.model import JSON
from kiebatch.planning import effects
from support.film import Film, Said

CHAIN = """
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 1, prompt: The boat}
      - {id: 2, model: nano-banana-2, prompt: Closer, references: [{shot: 1}]}
      - {id: 3, prompt: The lamp}
"""
QUICK = ("--rate", "500/1s", "--poll-interval", "0.01", "--no-canary")


WRITTEN: dict[str, JSON] = {
    "slot": "1",
    "model": "z-image",
    "content": "sha256:1",
    "credits": 4,
    "reserve": 4,
    "instead": ["flux-2", "sha256:2"],
    "replaces": ["sha256:3"],
}


def digest(film: Film, *options: str) -> str:
    return str(film.command("plan", "scenes.yaml", "--json", *options).json["effects"]["digest"])


def run(film: Film, approved: str, *options: str) -> Said:
    return film.command("run", "scenes.yaml", "--approved", approved, *QUICK, *options)


def killed_in_flight(film: Film, approved: str) -> None:
    """Run under an approval until the boat and the lamp are submitted, and die before any is collected."""
    seen = 0

    def dies(point: str) -> None:
        nonlocal seen
        seen += point == "journal.submitted:after"
        if seen == 2 and point == "request.recordInfo:before":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film.run(approved=approved, edges=api.Edges(hook=dies, gate_path=":memory:"))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"purchases": []},
        {"purchases": ["1"], "cap": None},
        {"purchases": [{"slot": "1"}], "cap": None},
        {"purchases": [{**WRITTEN, "credits": "much"}], "cap": None},
        {"purchases": [{**WRITTEN, "instead": ["z-image"]}], "cap": None},
        {"purchases": [WRITTEN], "cap": "5$"},
    ],
)
def test_what_is_not_what_a_plan_buys_means_nothing(value: JSON) -> None:
    assert effects.read_effects(value) is None


def test_what_a_plan_buys_is_read_as_it_was_written() -> None:
    found = effects.read_effects({"purchases": [WRITTEN], "cap": 5})

    assert found is not None
    assert effects.read_effects(found.as_json()) == found
    assert found.as_json()["purchases"] == [WRITTEN]


# --- what the digest is ----------------------------------------------------------------------------------


def test_format_order_and_notes_leave_the_digest_as_it_is(film: Film) -> None:
    film.write(CHAIN)
    before = digest(film)

    film.write("""
        # reordered, quoted, with notes
        kiebatch: 1
        title: The light
        defaults:
          model: z-image
        scenes:
          - {id: 3, prompt: "The  lamp ", notes: a real one}
          - id: 2
            prompt: Closer
            model: nano-banana-2
            references:
              - shot: 1
          - {id: 1, prompt: The boat}
    """)

    assert digest(film) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("The boat", "Another boat"),
        ("{id: 3, prompt: The lamp}", "{id: 3, prompt: The lamp, model: nano-banana}"),
        ("{id: 3, prompt: The lamp}", "{id: 3, prompt: The lamp, takes: 2}"),
        ("      - {id: 3", "      - {id: 4"),
        ("references: [{shot: 1}]", "references: [{shot: 3}]"),
        ("{id: 3, prompt: The lamp}", "{id: 3, prompt: The lamp, fallback: nano-banana}"),
        ("defaults:", "run: {max_credits: 90}\n    defaults:"),
    ],
)
def test_whatever_would_buy_something_else_has_another_digest(film: Film, old: str, new: str) -> None:
    film.write(CHAIN)
    before = digest(film)
    film.write(CHAIN.replace(old, new))

    assert digest(film) != before


def test_a_price_is_part_of_the_digest(film: Film) -> None:
    film.write(CHAIN)
    before = digest(film)
    (film.folder / "models").mkdir()
    text = 'models:\n  - {id: z-image, prices: [{credits: 7, as_of: "2026-11-20"}]}\n'
    (film.folder / "models" / "mine.yaml").write_text(text, encoding="utf-8")

    assert digest(film) != before


@pytest.mark.slow
def test_a_picture_that_is_made_by_then_stands_in_the_digest_by_its_content(film: Film) -> None:
    film.write(CHAIN)
    film.run(only=("1",))
    before = digest(film, "--only", "2")
    film.run(only=("1",), force=True)

    assert digest(film, "--only", "2") != before


def test_the_digest_is_in_every_form_of_the_plan(film: Film, tmp_path: Path, monkeypatch: Any) -> None:
    film.write(CHAIN)
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    found = digest(film)
    film.command("plan", "scenes.yaml", "--out", "p.json")

    assert found in film.command("plan", "scenes.yaml").out
    assert found in summary.read_text(encoding="utf-8")
    assert json.loads(Path("p.json").read_text(encoding="utf-8"))["effects"]["digest"] == found


# --- a run by it -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_approved_run_buys_its_plan_without_another_word_of_consent(film: Film) -> None:
    film.write(CHAIN)
    said = run(film, digest(film), "--json")

    assert said.code == Exit.OK, said.err
    assert len(film.sim.charges()) == 3
    assert said.json["approved"].startswith("sha256:")


@pytest.mark.slow
def test_another_plan_than_the_approved_one_sends_nothing_and_is_shown_beside_it(film: Film) -> None:
    film.write(CHAIN)
    film.run(only=("3",))  # from now on the project has a state folder, and remembers plans
    approved = digest(film)
    film.edit("The boat", "Two boats")
    charged = len(film.sim.charges())

    said = run(film, approved)

    assert said.code == Exit.INVALID
    assert "the plan is not the one that was approved; nothing was sent" in said.err
    assert approved in said.err
    assert digest(film) in said.err
    assert "\n1: approved z-image for 0.8 credits" in said.err
    assert "\n2:" not in said.err
    assert len(film.sim.charges()) == charged


def test_an_unknown_digest_shows_what_would_be_bought(film: Film) -> None:
    film.write(CHAIN)

    said = run(film, "0" * 64)

    assert said.code == Exit.INVALID
    assert "\n3: now z-image for 0.8 credits" in said.err


@pytest.mark.slow
def test_an_approved_plan_that_was_interrupted_goes_on_and_buys_nothing_twice(film: Film) -> None:
    film.write(CHAIN)
    approved = digest(film)
    killed_in_flight(film, approved)
    assert digest(film) != approved  # for what is left is less

    said = run(film, approved)
    again = run(film, approved)

    assert (said.code, again.code) == (Exit.OK, Exit.OK), said.err
    assert len(film.sim.charges()) == 3


@pytest.mark.slow
def test_what_is_left_of_a_changed_plan_is_refused_and_what_was_paid_for_comes_home(film: Film) -> None:
    film.write(CHAIN)
    approved = digest(film)
    killed_in_flight(film, approved)
    film.edit("Closer", "Closer still")

    said = run(film, approved)

    assert said.code == Exit.INVALID
    assert len(film.sim.charges()) == 2
    assert len(film.manifest) == 2


@pytest.mark.slow
def test_an_approval_is_for_one_purchase_of_each_slot(film: Film) -> None:
    film.write(CHAIN)
    film.run()
    approved = digest(film, "--force", "--only", "1")

    first = run(film, approved, "--force", "--only", "1")
    second = run(film, approved, "--force", "--only", "1")

    assert (first.code, second.code) == (Exit.OK, Exit.OK)
    assert len(film.sim.charges()) == 4


def test_an_approval_to_force_fits_once_also_where_no_journal_remembers_it(film: Film) -> None:
    film.write(CHAIN)
    film.run()
    approved = digest(film, "--force", "--only", "1")
    run(film, approved, "--force", "--only", "1")
    shutil.rmtree(film.folder / ".kiebatch")  # as in a fresh clone

    said = run(film, approved, "--force", "--only", "1")

    assert said.code == Exit.INVALID
    assert "the plan is not the one that was approved" in said.err
    assert len(film.sim.charges()) == 4


def test_an_approval_of_a_first_purchase_forces_no_second_one(film: Film) -> None:
    film.write("kiebatch: 1\ndefaults: {model: z-image}\nscenes: [{id: 1, prompt: The boat}]\n")
    approved = digest(film)
    run(film, approved)
    shutil.rmtree(film.folder / ".kiebatch")

    said = run(film, approved, "--force")

    assert said.code == Exit.INVALID
    assert len(film.sim.charges()) == 1


def test_a_forced_version_that_was_lost_before_the_manifest_comes_home_under_its_approval(film: Film) -> None:
    film.write(CHAIN)
    film.run()
    approved = digest(film, "--force", "--only", "1")

    def dies(point: str) -> None:
        if point == "journal.saved:after":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film.run(approved=approved, only=("1",), force=True, edges=api.Edges(hook=dies, gate_path=":memory:"))
    said = run(film, approved, "--force", "--only", "1")

    assert said.code == Exit.OK, said.err
    assert len(film.sim.charges()) == 4
    assert sum(entry["scene_id"] == 1 for entry in film.manifest) == 2


@pytest.mark.slow
def test_a_failure_that_may_have_been_billed_is_not_tried_again_under_the_same_approval(film: Film) -> None:
    film.write("kiebatch: 1\ndefaults: {model: z-image}\nscenes: [{id: 1, prompt: The boat}]\n")
    approved = digest(film)
    film.sim.reset(refunds=False)
    film.sim.fault("submit@1=fail:500 Internal error")

    first = run(film, approved)
    second = run(film, approved)

    assert first.code == Exit.FAILED
    assert len(film.sim.charges()) == 1
    assert "bought under this approval already" in second.err + second.out


@pytest.mark.slow
def test_an_approval_goes_on_where_its_first_jobs_were_billed_less_than_their_price(film: Film) -> None:
    lines = "".join(f"  - {{id: {number}, prompt: Still {number}}}\n" for number in range(1, 5))
    film.write(f"kiebatch: 1\ndefaults: {{model: nano-banana-2}}\nscenes:\n{lines}")
    film.sim.change(extra_keys=True)
    film.sim.fault("submit@1x3=price:6")
    film.sim.fault("submit@4=fail:500 Internal error")
    approved = digest(film)

    first = run(film, approved)
    (left,) = film.command("plan", "scenes.yaml", "--json").json["effects"]["purchases"]
    again = run(film, approved)

    assert (first.code, left["credits"], again.code) == (Exit.FAILED, 6, Exit.OK), again.err
    assert len(film.sim.charges()) == 5


@pytest.mark.slow
def test_a_saved_plan_and_a_digest_go_together(film: Film) -> None:
    film.write(CHAIN)
    film.command("plan", "scenes.yaml", "--only", "3", "--out", "p.json")
    approved = digest(film, "--only", "3")

    other = film.command("run", "--plan", "p.json", "--approved", digest(film), *QUICK)
    said = film.command("run", "--plan", "p.json", "--approved", approved, *QUICK)

    assert other.code == Exit.INVALID
    assert "the saved plan is not the one that was approved" in other.err
    assert said.code == Exit.OK, said.err
    assert len(film.sim.charges()) == 1


def test_a_plan_can_be_held_against_an_approval_without_buying(film: Film) -> None:
    film.write(CHAIN)
    approved = digest(film)

    assert film.command("plan", "scenes.yaml", "--approved", approved).code == Exit.OK
    film.edit("The boat", "Two boats")
    assert film.command("plan", "scenes.yaml", "--approved", approved).code == Exit.INVALID


@pytest.mark.parametrize("options", [("--approved", "abc"), ("--approved", "1" * 64, "--partial")])
def test_what_is_no_approval_is_refused(film: Film, options: tuple[str, ...]) -> None:
    film.write(CHAIN)

    said = film.command("run", "scenes.yaml", *options)

    assert said.code == Exit.INVALID
    assert film.sim.charges() == []


def test_a_lower_cap_of_the_person_refuses_an_approved_plan(film: Film) -> None:
    film.write(CHAIN)

    said = run(film, digest(film), "--max-credits", "1")

    assert said.code == Exit.REFUSED
    assert film.sim.charges() == []
