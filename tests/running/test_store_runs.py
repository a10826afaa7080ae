"""A film whose results are in a store: nobody pays twice, nothing is lost when the store fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.buckets import Buckets, Network, files_of
from kiebatch import api
from kiebatch.errors import Exit
from kiebatch.planning import Action, Reason, effects
from kiebatch.record import StoreFailed
from support import reel
from support.simulated import Sim


@pytest.fixture
def store(tmp_path: Path) -> str:
    (tmp_path / "results").mkdir()
    return f"file://{tmp_path / 'results'}"


def head(path: Path) -> dict[str, Any]:
    """The manifest without its assets."""
    found = json.loads((path.parent / "assets" / "manifest.json").read_text(encoding="utf-8"))
    found.pop("assets")
    return dict(found)


def without_media(path: Path) -> Path:
    """Make a colleague's checkout: the scene file and the manifest, as git brings them."""
    clone = path.parent.with_name(f"{path.parent.name}-clone")
    (clone / "assets").mkdir(parents=True)
    shutil.copy(path, clone / path.name)
    shutil.copy(path.parent / "assets" / "manifest.json", clone / "assets")
    return clone / path.name


def actions(path: Path, **options: Any) -> list[tuple[Action, bool]]:
    return [(entry.action, entry.remote) for entry in api.plan(api.load(path), **options).entries]


@pytest.mark.slow
def test_a_run_puts_its_results_into_the_store_and_names_it(tmp_path: Path, sim: Sim, store: str) -> None:
    film = reel.write(tmp_path / "film", shots=2)

    reel.run(film, sim, store=store)

    assert head(film)["store"] == store
    found = files_of(tmp_path / "results")
    assert [a["sha256"] for a in reel.assets(film) if f"sha256/{a['sha256'][:2]}" not in str(found)] == []
    assert sum(name.startswith("entries/") for name in found) == 2


@pytest.mark.slow
def test_another_film_takes_the_first_ones_results_and_keeps_who_paid(
    tmp_path: Path, sim: Sim, store: str
) -> None:
    ours = reel.write(tmp_path / "ours", shots=2)
    theirs = reel.write(tmp_path / "theirs", shots=2)
    reel.run(ours, sim, store=store)

    outcome = reel.run(theirs, sim, store=store)

    assert (outcome.status, outcome.succeeded, outcome.spent) == ("success", 2, 0)
    assert len(sim.charges()) == 2
    assert [a["run"] for a in reel.assets(theirs)] == [a["run"] for a in reel.assets(ours)]
    assert not list((theirs.parent / ".kiebatch" / "parts").glob("store-*"))


def test_another_film_takes_what_a_fallback_made_and_what_was_made_from_that(
    tmp_path: Path, sim: Sim
) -> None:
    cache = tmp_path / "cache"
    ours, theirs = (reel.write(tmp_path / name, shots=2, chained=True) for name in ("ours", "theirs"))
    for film in (ours, theirs):
        reel.edit(film, "s1", fallback="google/nano-banana")
    sim.fault("submit@1=fail:500 Internal error")
    reel.run(ours, sim, cache=cache)
    charged = len(sim.charges())

    planned = actions(theirs, cache=cache)
    outcome = reel.run(theirs, sim, cache=cache)

    assert planned == [(Action.RESTORE, False)] * 2
    assert (outcome.status, outcome.succeeded, len(sim.charges())) == ("success", 2, charged)
    made = [[(a["model"], a["fingerprint"]) for a in reel.assets(film)] for film in (ours, theirs)]
    assert made[0] == made[1]
    assert [model for model, _ in made[0]] == ["google/nano-banana", "nano-banana-2"]


@pytest.mark.slow
def test_a_checkout_without_media_is_up_to_date(tmp_path: Path, sim: Sim, store: str) -> None:
    film = reel.write(tmp_path / "film", shots=2, chained=True)
    reel.run(film, sim, store=store)
    clone = without_media(film)
    before = (clone.parent / "assets" / "manifest.json").read_bytes()

    outcome = reel.run(clone, sim)

    assert actions(clone) == [(Action.KEEP, True)] * 2
    assert (outcome.exit_code, outcome.kept, len(sim.charges())) == (Exit.OK, 2, 2)
    assert (clone.parent / "assets" / "manifest.json").read_bytes() == before


@pytest.mark.slow
def test_a_job_that_starts_from_a_file_in_the_store_brings_it(tmp_path: Path, sim: Sim, store: str) -> None:
    film = reel.write(tmp_path / "film", shots=2, chained=True)
    reel.run(film, sim, store=store)
    clone = without_media(film)
    reel.edit(clone, "s2", prompt="The keeper climbs the stairs")

    outcome = reel.run(clone, sim, store=store)

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 1)
    first = reel.current(clone)["s1"]
    assert (clone.parent / first["filename"]).read_bytes() == (film.parent / first["filename"]).read_bytes()


@pytest.mark.slow
def test_without_the_store_such_a_job_is_not_sent_and_says_what_brings_its_file(
    tmp_path: Path, sim: Sim, store: str
) -> None:
    film = reel.write(tmp_path / "film", shots=2, chained=True)
    reel.run(film, sim, store=store)
    clone = without_media(film)
    reel.edit(clone, "s2", prompt="The keeper climbs the stairs")

    outcome = reel.run(clone, sim)

    assert outcome.exit_code == Exit.FAILED
    assert "kiebatch pull 1.s1" in outcome.failures[0].message
    assert len(sim.charges()) == 2


@pytest.mark.slow
def test_a_prompt_that_goes_back_takes_its_older_version_although_that_is_in_the_store(
    tmp_path: Path, sim: Sim, store: str
) -> None:
    film = reel.write(tmp_path / "film", shots=1)
    before = film.read_bytes()
    reel.run(film, sim, store=store)
    reel.edit(film, "s1", prompt="Another prompt")
    reel.run(film, sim, store=store)
    clone = without_media(film)
    clone.write_bytes(before)

    outcome = reel.run(clone, sim)

    assert (outcome.status, outcome.succeeded, len(sim.charges())) == ("success", 1, 2)


@pytest.mark.slow
def test_a_manifest_that_names_a_store_sends_nothing_there(tmp_path: Path, sim: Sim, store: str) -> None:
    (tmp_path / "theirs").mkdir()
    film = reel.write(tmp_path / "film", shots=2)
    reel.run(film, sim, store=store, only=["1.s1"])
    manifest = film.parent / "assets" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(store, f"file://{tmp_path / 'theirs'}"))

    reel.run(film, sim)
    reel.run(film, sim, store=store, force=True, only=["1.s2"])

    assert files_of(tmp_path / "theirs") == []
    assert head(film)["store"] == f"file://{tmp_path / 'theirs'}"


def test_another_tools_key_of_that_name_makes_no_file_remote(tmp_path: Path, sim: Sim) -> None:
    film = reel.write(tmp_path / "film", shots=1)
    reel.run(film, sim)
    clone = without_media(film)
    manifest = clone.parent / "assets" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"kiebatch": 1,', '"kiebatch": 1,\n  "store": "shop",'))

    assert actions(clone) == [(Action.RESTORE, False)]


@pytest.mark.slow
def test_a_forced_version_is_what_others_take_from_then_on(tmp_path: Path, sim: Sim, store: str) -> None:
    film = reel.write(tmp_path / "film", shots=1)
    reel.run(film, sim, store=store)
    reel.run(film, sim, store=store, force=True)
    other = reel.write(tmp_path / "other", shots=1)

    reel.run(other, sim, store=store)

    assert len(sim.charges()) == 2
    assert reel.current(other)["s1"]["sha256"] == reel.current(film)["s1"]["sha256"]


def test_a_draft_leaves_the_store_alone(tmp_path: Path, sim: Sim, store: str) -> None:
    film = reel.write(tmp_path / "film", shots=1)

    api.run(
        api.load(film, draft=True),
        edges=api.Edges(gate_path=":memory:"),
        api_key=sim.key,
        base_url=sim.url,
        draft=True,
        store=store,
        **reel.QUICK,
    )

    assert files_of(tmp_path / "results") == []
    assert "store" not in json.loads((film.parent / "draft" / "manifest.json").read_text())


# --- stores that fail ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_result_that_the_store_does_not_take_is_kept_and_told(
    tmp_path: Path, sim: Sim, s3: Buckets, network: Network
) -> None:
    bucket = s3.make("does-not-take")
    film = reel.write(tmp_path / "film", shots=3)
    network.fault(403, method="PUT")
    events: list[Any] = []

    outcome = reel.run(film, sim, store=bucket, emit=events.append)

    assert (outcome.status, outcome.succeeded) == ("success", 3)
    warnings = [event.message for event in events if getattr(event, "level", "") == "warning"]
    assert any("`kiebatch push`" in message and "3 results" in message for message in warnings)
    # It is known here that they are not there: the provider is asked for one that is lost meanwhile.
    (film.parent / reel.assets(film)[0]["filename"]).unlink()
    assert actions(film)[0] == (Action.RESTORE, False)


@pytest.mark.slow
def test_a_store_that_cannot_be_asked_stops_purchases_and_not_what_is_paid_for(
    tmp_path: Path, sim: Sim, s3: Buckets, network: Network
) -> None:
    bucket = s3.make("cannot-be-asked")
    film = reel.write(tmp_path / "film", shots=1)
    reel.run(film, sim, store=bucket)
    (film.parent / "assets" / "manifest.json").unlink()  # what the journal knows is brought home
    document = reel.write(tmp_path / "film", shots=2)
    network.fault(403)

    with pytest.raises(StoreFailed, match="403"):
        reel.run(document, sim, store=bucket)

    assert len(sim.charges()) == 1
    assert [asset["shot"] for asset in reel.assets(film)] == ["s1"]
    network.mend()
    assert reel.run(document, sim, store=bucket).succeeded == 1


@pytest.mark.slow
def test_a_result_that_a_killed_run_had_saved_comes_into_the_store_with_the_next(
    tmp_path: Path, sim: Sim, store: str
) -> None:
    film = reel.write(tmp_path / "film", shots=1)

    def dies(point: str) -> None:
        if point == "journal.saved:after":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reel.run(film, sim, store=store, edges=api.Edges(gate_path=":memory:", hook=dies))
    assert not (tmp_path / "results" / "sha256").exists()

    outcome = reel.run(film, sim, store=store)

    assert (outcome.exit_code, len(sim.charges())) == (Exit.OK, 1)
    other = reel.write(tmp_path / "other", shots=1)
    assert reel.run(other, sim, store=store).spent == 0
    assert len(sim.charges()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kept_in", ["store", "cache"])
def test_damaged_bytes_of_the_right_size_block_a_job_for_one_run_alone(
    tmp_path: Path, sim: Sim, store: str, kept_in: str
) -> None:
    kept: dict[str, Any] = {"store": store} if kept_in == "store" else {"cache": tmp_path / "results"}
    reel.run(reel.write(tmp_path / "ours", shots=1), sim, **kept)
    for path in (tmp_path / "results" / "sha256").rglob("*"):
        if path.is_file():
            path.write_bytes(b"x" * path.stat().st_size)
    theirs = reel.write(tmp_path / "theirs", shots=1)

    first, second = (reel.run(theirs, sim, **kept) for _ in range(2))

    assert (first.exit_code, first.failures[0].code) == (Exit.FAILED, "not-made")
    assert (second.exit_code, second.succeeded, len(sim.charges())) == (Exit.OK, 1, 2)
    # What was made replaces the damaged result for everybody.
    others = reel.write(tmp_path / "others", shots=1)
    assert reel.run(others, sim, **kept).spent == 0


@pytest.mark.slow
def test_a_saved_plan_may_be_answered_by_the_store(tmp_path: Path, sim: Sim, store: str) -> None:
    film = reel.write(tmp_path / "film", shots=1)
    opened = api.load(film)
    bound = api.save_plan(opened, api.plan(opened))
    reel.run(reel.write(tmp_path / "other", shots=1), sim, store=store)

    outcome = reel.run(film, sim, store=store, bound=bound)

    assert (outcome.succeeded, outcome.spent, len(sim.charges())) == (1, 0, 1)


@pytest.mark.slow
def test_an_approved_plan_is_bought_but_for_what_the_bucket_has(
    tmp_path: Path, sim: Sim, s3: Buckets
) -> None:
    bucket = s3.make("approved")
    reel.run(reel.write(tmp_path / "other", shots=1), sim, store=bucket)
    film = reel.write(tmp_path / "film", shots=2)
    digest = effects.of_plan(api.plan(api.load(film))).digest

    outcome = reel.run(film, sim, store=bucket, approved=digest)

    assert (outcome.exit_code, outcome.succeeded, len(sim.charges())) == (Exit.OK, 2, 2)


def test_a_plan_asks_no_bucket(tmp_path: Path, sim: Sim, s3: Buckets, network: Network) -> None:
    from kiebatch.record import results_of
    from kiebatch.settings import Settings

    film = reel.write(tmp_path / "film", shots=1)
    settings = Settings(store=s3.make("a-plan-asks-none"))

    todo = api.plan(api.load(film), results=results_of(settings, network=False))

    assert [entry.cause for entry in todo.entries] == [Reason.NEW]
    assert network.requests == []
