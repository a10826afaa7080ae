"""Films of one account whose results are in a store: what one machine has paid for is everybody's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiebatch import api
from kiebatch.planning import Action, Reason
from kiebatch.record import results_of
from kiebatch.running import Outcome
from kiebatch.running.events import Noticed
from support.film import TWO_SHOTS, Film

pytestmark = pytest.mark.needs("postgres")

OTHER_SCENES = """
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 9, prompt: A lamp that turns}
"""


@pytest.fixture
def store(tmp_path: Path) -> str:
    (tmp_path / "results").mkdir()
    return f"file://{tmp_path / 'results'}"


@pytest.fixture
def made(film: Film, team: str, store: str) -> Film:
    """The film of machine A, made and stored."""
    film.write(TWO_SHOTS)
    assert film.run(store=store).succeeded == 2
    return film


def elsewhere(film: Film, scenes: str = TWO_SHOTS, *, name: str = "elsewhere") -> Film:
    """Return a film in a folder of another machine, so to say: nothing but the scene file."""
    other = film.elsewhere(scenes, name=name)
    other.assets.mkdir()
    return other


def checkout(film: Film, store: str, **changed: str) -> Film:
    """Return a checkout of a film on another machine: its manifest, which names no store, and no media."""
    other = elsewhere(film)
    head = json.loads((film.assets / "manifest.json").read_text(encoding="utf-8"))
    assert head.pop("store") == store
    head["assets"] = [{**asset, **changed} for asset in head["assets"]]
    (other.assets / "manifest.json").write_text(json.dumps(head), encoding="utf-8")
    return other


def forget(film: Film) -> None:
    """Let the provider have nothing any more."""
    film.sim.fault("download%1=gone")


def warnings(film: Film) -> list[str]:
    return [e.message for e in film.events if isinstance(e, Noticed) and e.level == "warning"]


def planned(film: Film, store: str) -> set[tuple[Action, Reason]]:
    results = results_of(film.settings(store=store), network=False)
    return {(entry.action, entry.cause) for entry in film.plan(results=results).entries}


@pytest.mark.slow
@pytest.mark.parametrize("scenes", [TWO_SHOTS, OTHER_SCENES])
def test_another_machine_takes_the_results_from_the_store_although_the_provider_has_forgotten_them(
    made: Film, store: str, scenes: str
) -> None:
    other = elsewhere(made, scenes)
    forget(made)

    todo = planned(other, store)
    outcome = other.run(store=store)

    assert todo == {(Action.RESTORE, Reason.PAID)}
    assert (outcome.status, outcome.spent, len(made.sim.charges())) == ("success", 0, 2)
    theirs = {a["sha256"]: a["run"] for a in made.manifest}
    assert {a["sha256"]: a["run"] for a in other.manifest}.items() <= theirs.items()
    assert all((other.folder / a["filename"]).is_file() for a in other.manifest)


@pytest.mark.slow
def test_without_the_store_the_provider_gives_it_while_it_has_it(made: Film) -> None:
    other = elsewhere(made, OTHER_SCENES)

    outcome = other.run()

    assert (outcome.status, outcome.spent, len(made.sim.charges())) == ("success", 0, 2)
    assert {a["run"] for a in other.manifest} == {a["run"] for a in made.manifest}


@pytest.mark.slow
@pytest.mark.parametrize("manifest", [False, True])
def test_what_neither_has_is_missing_and_names_who_has_it_until_somebody_forces_a_new_edition(
    made: Film, store: str, manifest: bool
) -> None:
    other = checkout(made, store) if manifest else elsewhere(made)
    forget(made)

    outcome = other.run(only=("2",))

    assert (outcome.missing, len(made.sim.charges())) == (1, 2)
    assert any(f"{made.folder.name} of " in message and "--force" in message for message in warnings(other))
    made.sim.clear_faults()
    forced = other.run(only=("2",), force=True, store=store)
    assert (forced.succeeded, len(made.sim.charges())) == (1, 3)


@pytest.mark.slow
def test_the_plan_of_a_checkout_names_who_has_a_file_that_the_provider_has_dropped(
    made: Film, store: str
) -> None:
    other = checkout(made, store, created_at="2020-01-01T00:00:00Z")

    entries = other.plan().entries

    assert {(entry.action, entry.cause) for entry in entries} == {(Action.MISSING, Reason.FILE_MISSING)}
    assert all(f"{made.folder.name} of " in entry.note for entry in entries)


@pytest.mark.slow
def test_what_came_into_the_store_after_the_plan_is_taken_from_there_where_the_provider_has_lost_it(
    made: Film, store: str
) -> None:
    other = elsewhere(made, OTHER_SCENES)
    away = Path(store.removeprefix("file://"))
    hidden = away.with_name("hidden")
    away.rename(hidden)
    away.mkdir()
    forget(made)

    def comes_back(point: str) -> None:
        if point == "journal.begin:after" and hidden.exists():
            away.rmdir()
            hidden.rename(away)

    outcome = other.run(store=store, edges=api.Edges(gate_path=":memory:", hook=comes_back))

    assert (outcome.status, outcome.spent, len(made.sim.charges())) == ("success", 0, 2)


@pytest.mark.slow
def test_two_who_force_at_once_get_an_edition_each_and_later_films_take_the_newest(
    made: Film, store: str
) -> None:
    other = elsewhere(made, OTHER_SCENES)
    second: list[Outcome] = []

    def meanwhile(point: str) -> None:
        if point == "journal.intend:after" and not second:
            second.append(other.run(force=True, store=store))

    first = made.run(
        force=True, only=("2",), store=store, edges=api.Edges(gate_path=":memory:", hook=meanwhile)
    )

    assert (first.succeeded, second[0].succeeded) == (1, 1)
    assert len(made.sim.charges()) == 4
    entries = sorted(p.name for p in Path(store.removeprefix("file://"), "entries").rglob("*-e*.json"))
    assert [name.rpartition("-")[2] for name in entries] == ["e1.json", "e2.json"]
    third = elsewhere(made, OTHER_SCENES, name="third")
    assert third.run(store=store).spent == 0
    assert third.manifest[0]["sha256"] == other.manifest[0]["sha256"]
