"""Nobody pays twice and nothing that was paid for is lost: what strangers found, each with its right answer."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiebatch import api
from kiebatch.errors import Exit, Invalid, Refused
from kiebatch.model import Asset
from kiebatch.record import Key, ManifestWriter, ResultCache
from support.film import Film
from support.killing import killed
from support.places import GOLDEN
from support.records import an_asset

TWO = """
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 1, prompt: The boat}
      - {id: 2, prompt: The lamp}
"""
CHAIN = """
    kiebatch: 1
    scenes:
      - {id: 1, model: z-image, prompt: The boat}
      - {id: 2, model: nano-banana-2, prompt: Closer, references: [{shot: 1}]}
"""


def killed_in_flight(film: Film, count: int = 1) -> None:
    """Run until `count` tasks are submitted, and die before any is collected."""
    seen = 0

    def dies(point: str) -> bool:
        nonlocal seen
        seen += point == "journal.submitted:after"
        return seen == count and point == "request.recordInfo:before"

    killed(lambda hook: film.run(edges=api.Edges(hook=hook, gate_path=":memory:")), dies)


def journal(film: Film) -> Path:
    return film.folder / ".kiebatch" / "journal.sqlite"


# --- one map from results to slots ---------------------------------------------------------------------


def test_renumbered_scenes_keep_their_results_and_the_plan_names_the_lines(film: Film) -> None:
    film.write(TWO)
    film.run()
    film.write(
        """
        kiebatch: 1
        defaults: {model: z-image}
        scenes:
          - {id: 1, prompt: A new beginning}
          - {id: 2, prompt: The boat}
          - {id: 3, prompt: The lamp}
        """
    )

    plan = film.plan()
    film.run()

    assert film.reasons() == {"1": "keep: kept", "2": "keep: kept", "3": "keep: kept"}
    assert {str(e.slot): e.reason for e in plan.entries} == {
        "1": "new",
        "2": "moved from 1",
        "3": "moved from 2",
    }
    assert plan.moved == {"1": "2", "2": "3"}
    assert len(film.sim.charges()) == 3


def test_the_lines_of_a_renumbered_file_can_be_written_into_it(film: Film) -> None:
    film.write(TWO)
    film.run()
    film.edit(
        "  - {id: 1, prompt: The boat}\n",
        "  - {id: 1, prompt: New}  # first\n  - {id: 2, prompt: The boat}\n",
    )
    film.edit("{id: 2, prompt: The lamp}", "{id: 3, prompt: The lamp}")

    said = film.command("plan", "scenes.yaml", "--write-moved")

    assert said.code == Exit.OK, said.err
    text = film.scene_file.read_text(encoding="utf-8")
    assert "# first" in text
    assert "moved" in text
    assert film.reasons() == {"1": "generate: new", "2": "keep: kept", "3": "keep: kept"}


def test_a_late_result_of_earlier_words_stays_behind_what_a_renamed_shot_keeps(film: Film) -> None:
    film.write("kiebatch: 1\nscenes: [{id: 1, model: nano-banana-2, prompt: A boat at dawn}]\n")
    film.sim.fault("poll~nano-banana-2%1=html:502")
    film.run(timeout_s={"image": 0.1})
    film.edit("nano-banana-2, prompt: A boat at dawn", "z-image, prompt: A boat in the rain")
    film.run(timeout_s={"image": 0.5})
    film.edit("id: 1", "id: 2")
    film.sim.clear_faults()

    outcome = film.run()

    assert (outcome.status, len(film.sim.charges()), len(film.manifest)) == ("success", 2, 2)
    assert film.reasons()["2"].startswith("keep: ")
    assert [a["prompt"] for a in film.manifest if "superseded_by" not in a] == ["A boat in the rain"]


def test_taking_a_moved_line_out_again_buys_nothing(film: Film) -> None:
    film.write(TWO)
    film.run()
    film.edit("scenes:", "moved: {2: 20}\nscenes:")
    film.edit("id: 2", "id: 20")
    film.run()
    film.edit("moved: {2: 20}\n", "")

    film.run()

    assert len(film.sim.charges()) == 2


@pytest.mark.parametrize(
    ("moved", "ids"), [("{2: 20, 20: 30}", (1, 30)), ("{1: 2, 2: 1}", (2, 1))], ids=["chain", "swap"]
)
def test_moved_lines_are_followed_and_apply_at_once(film: Film, moved: str, ids: tuple[int, int]) -> None:
    film.write(TWO)
    film.run()
    film.write(
        f"""
        kiebatch: 1
        defaults: {{model: z-image}}
        moved: {moved}
        scenes:
          - {{id: {ids[0]}, prompt: The boat}}
          - {{id: {ids[1]}, prompt: The lamp}}
        """
    )

    film.run()

    assert len(film.sim.charges()) == 2


def test_a_moved_shot_whose_upstream_must_be_restored_is_not_bought_again(film: Film) -> None:
    film.write(CHAIN)
    film.run()
    film.edit("The boat", "The ship")
    film.run()
    film.edit("The ship", "The boat")
    film.edit("scenes:", "moved: {2: 20}\nscenes:")
    film.edit("id: 2", "id: 20")

    film.run()

    assert len(film.sim.charges()) == 4  # two for the boat, two for the ship


def unwritten(film: Film, until: str = "") -> None:
    """Run with a disk that takes no manifest, and die at a step where one is named: the journal alone knows."""
    submitted = 0

    def full(point: str) -> None:
        nonlocal submitted
        submitted += point == "journal.submitted:after"
        if point == "manifest.write:before":
            raise Refused("the disk is full")
        if submitted == 2 and point == until:
            raise KeyboardInterrupt

    with pytest.raises((Refused, KeyboardInterrupt)):
        film.run(edges=api.Edges(hook=full, gate_path=":memory:"))


@pytest.mark.parametrize("until", ["", "request.recordInfo:before"], ids=["saved", "in flight"])
@pytest.mark.parametrize(
    ("moved", "charges"),
    [
        ("  - {id: 20, model: nano-banana-2, prompt: Closer, references: [{shot: 1}]}", 2),
        (
            "  - {id: 2, model: z-image, prompt: A gull}\n"
            "  - {id: 3, model: nano-banana-2, prompt: Closer, references: [{shot: 1}]}",
            3,
        ),
    ],
    ids=["renamed", "pushed down"],
)
def test_a_chained_result_that_only_the_journal_knows_is_found_under_its_new_name(
    film: Film, moved: str, charges: int, until: str
) -> None:
    film.write(CHAIN)
    unwritten(film, until)
    film.edit(
        "      - {id: 2, model: nano-banana-2, prompt: Closer, references: [{shot: 1}]}".strip(),
        moved.strip(),
    )

    outcome = film.run()

    assert outcome.status == "success", outcome
    assert len(film.sim.charges()) == charges
    assert set(film.reasons().values()) <= {"keep: kept", "keep: moved from 2"}


def test_a_seed_that_is_stable_stays_when_a_second_model_comes_beside_the_first(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: z-image, prompt: The boat, seed: stable}\n")
    film.run()
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: [z-image, nano-banana-2], prompt: The boat, seed: stable}\n"
    )

    film.run()

    assert [charge["model"] for charge in film.sim.charges()] == ["z-image", "nano-banana-2"]


@pytest.mark.parametrize(
    ("written", "edited"),
    [
        ("The boat  at dusk", "The boat at dusk"),
        ("Un café", "Un cafe\u0301"),
        ("The\u00a0boat", "The boat"),
        ('"The boat   "', "The boat"),
    ],
)
def test_what_an_editor_changes_unseen_makes_nothing_stale(film: Film, written: str, edited: str) -> None:
    film.write(f"kiebatch: 1\nscenes:\n  - {{id: 1, model: z-image, prompt: {written}}}\n")
    film.run()
    film.write(f"kiebatch: 1\nscenes:\n  - {{id: 1, model: z-image, prompt: {edited}}}\n")

    assert film.reasons() == {"1": "keep: kept"}


# --- journals that are gone, and films -----------------------------------------------------------------


def _truncate(path: Path) -> None:
    path.write_bytes(b"")


def _remove(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM attempts")
    raw.close()


def _remove_all_but_a_write_that_was_cut_off(path: Path) -> None:
    """Leave what SQLite has beside a file while it writes it; for another file of that name it is poison."""
    with sqlite3.connect(path, isolation_level=None) as raw:
        raw.execute("PRAGMA cache_size = 1")  # so that pages are written, and kept beside, before the commit
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE attempts SET message = hex(randomblob(100000))")
        left = path.with_name(f"{path.name}-journal").read_bytes()
        raw.execute("ROLLBACK")
    raw.close()
    path.unlink()
    path.with_name(f"{path.name}-journal").write_bytes(left)


@pytest.mark.parametrize("harm", [_truncate, _remove, _empty, _remove_all_but_a_write_that_was_cut_off])
def test_a_journal_that_is_lost_sends_nothing_until_a_person_decides(film: Film, harm: Any) -> None:
    film.write(TWO)
    killed_in_flight(film, 2)
    harm(journal(film))

    for _ in range(2):
        with pytest.raises(Refused, match="does not know all that was sent"):
            film.run()
    said = film.command("resolve", "--lost-journal")
    film.run()

    assert said.code == Exit.OK
    assert "kie.ai/logs" in said.out
    assert len(film.sim.charges()) == 4  # the person said so


def test_a_copy_of_the_one_file_is_enough_after_a_kill(film: Film, tmp_path: Path) -> None:
    film.write(TWO)
    killed_in_flight(film, 2)
    for file in journal(film).parent.iterdir():
        if file.suffix not in (".sqlite", ".mark") and file.is_file():
            file.unlink()

    outcome = film.run()

    assert (outcome.status, len(film.sim.charges())) == ("success", 2)


def test_a_fresh_clone_without_journal_and_mark_is_normal(film: Film) -> None:
    film.write(TWO)
    film.run()
    shutil.rmtree(film.folder / ".kiebatch")

    outcome = film.run()

    assert (outcome.status, outcome.kept, len(film.sim.charges())) == ("success", 2, 2)


def test_two_films_in_a_folder_never_mix(film: Film) -> None:
    film.write(TWO)
    (film.folder / "other.yaml").write_text(film.scene_file.read_text().replace("The", "That"))
    killed_in_flight(film, 2)

    said = film.command(
        "run", "other.yaml", "--assets", "others", "--yes", "--rate", "500/1s", "--poll-interval", "0.05"
    )
    film.run()

    assert said.code == Exit.OK, said.err
    assert len(film.sim.charges()) == 4
    assert {a["prompt"] for a in film.manifest} == {"The boat", "The lamp"}
    others = json.loads((film.folder / "others" / "manifest.json").read_text())["assets"]
    assert {a["prompt"] for a in others} == {"That boat", "That lamp"}


def test_two_runs_with_other_state_folders_share_the_lock_of_the_film(film: Film) -> None:
    film.write(TWO)
    said: list[str] = []

    def second(point: str) -> None:
        if point == "journal.submitted:after" and not said:
            found = film.command("run", "scenes.yaml", "--yes", "--no-wait", "--state", "elsewhere")
            said.append(f"{found.code} {found.err}")

    film.run(edges=api.Edges(hook=second, gate_path=":memory:"))

    assert said[0].startswith("4 ")
    assert "another run holds this project" in said[0]
    assert len(film.sim.charges()) == 2


# --- a provider that lies ------------------------------------------------------------------------------


def test_a_cost_of_zero_in_the_records_gives_no_room_back(film: Film) -> None:
    shots = "\n".join(f"      - {{id: {n}, prompt: Shot {n}}}" for n in range(1, 9))
    film.write(f"kiebatch: 1\ndefaults: {{model: z-image}}\nscenes:\n{shots.replace('      -', '  -')}\n")
    price = film.plan().entries[0].job.price.amount  # type: ignore[union-attr]

    assert price is not None
    film.sim.fault("submit%1=costs:0")

    outcome = film.run(max_credits=3 * price, partial=True, in_flight=1)

    assert len(film.sim.charges()) == 3
    assert outcome.exit_code == Exit.REFUSED


def test_a_task_id_that_another_slot_has_is_held(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@2=same-id")

    outcome = film.run(in_flight=1)

    assert (outcome.succeeded, len(outcome.held)) == (1, 1)
    assert "already" in outcome.held[0].reason
    assert len(film.manifest) == 1


def test_a_task_id_of_a_held_slot_is_not_taken_by_the_wrong_one(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@1=cut+after")
    film.sim.fault("submit@2=same-id")

    outcome = film.run(in_flight=1)
    first = film.sim.charges()[0]["task_id"]

    assert {str(held.slot) for held in outcome.held} == {"1", "2"}
    assert f"kiebatch resolve 1 --task-id {first}" in next(
        h.reason for h in outcome.held if str(h.slot) == "2"
    )
    assert not (film.assets / "manifest.json").exists() or film.manifest == []

    said = film.command("resolve", "1", "--task-id", first)
    film.run()

    assert said.code == Exit.OK, said.err
    assert [(a["scene_id"], a["prompt"]) for a in film.manifest] == [(1, "The boat")]


def test_a_record_of_another_task_is_not_an_answer(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@1=other-id")

    outcome = film.run(timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.3))

    assert [f.code for f in outcome.failures] == ["timeout"]
    assert len(film.manifest) == 1


def test_a_forced_version_that_was_in_flight_is_not_bought_twice(film: Film) -> None:
    film.write(TWO)
    film.run()

    killed(
        lambda hook: film.run(force=True, only=("2",), edges=api.Edges(hook=hook, gate_path=":memory:")),
        lambda point: point == "request.recordInfo:before",
    )
    outcome = film.run(force=True, only=("2",))

    assert (outcome.status, len(film.sim.charges())) == ("success", 3)


# --- one task's trouble is that task's -----------------------------------------------------------------


def test_a_planned_job_that_was_not_made_is_a_failure_with_its_reason(film: Film) -> None:
    film.write(
        """
        kiebatch: 1
        scenes:
          - {id: 1, model: z-image, prompt: The boat}
          - id: 2
            model: nano-banana-2
            prompt: Closer
            references: [{shot: 1, output: 3}]
        """
    )

    said = film.command(
        "run", "scenes.yaml", "--yes", "--json", "--rate", "500/1s", "--poll-interval", "0.05"
    )

    assert (said.code, said.json["status"]) == (Exit.FAILED, "failed")
    (failure,) = said.json["failures"]
    assert (failure["code"], "output 3" in failure["message"]) == ("not-made", True)


def test_a_file_that_was_adopted_while_the_slot_was_made_is_superseded(film: Film, tmp_path: Path) -> None:
    writer = ManifestWriter(film.assets / "manifest.json", lock=film.folder / "lock", now=lambda: 0.0)
    other = ManifestWriter(film.assets / "manifest.json", lock=film.folder / "lock", now=lambda: 0.0)
    adopted = replace(an_asset(1), filename="assets/images/adopted.png")
    other.enter([adopted])
    other.flush(force=True)
    made = replace(an_asset(1, minute=5), filename="assets/images/made.png")

    writer.enter([made], slot=_slot(made))
    writer.flush(force=True)

    current = [a["filename"] for a in film.manifest if "superseded_by" not in a]
    assert current == ["assets/images/made.png"]


def _slot(asset: Asset) -> Any:
    from kiebatch.model import Slot

    assert asset.scene_id is not None
    return Slot(asset.scene_id, asset.shot, None, asset.take)


def test_a_state_folder_on_another_disk_loses_nothing(film: Film) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == film.folder.stat().st_dev:
        pytest.skip("needs two file systems")
    state = other / f"kiebatch-test-{os.getpid()}"
    film.write(TWO)

    try:
        said = film.command(
            "run",
            "scenes.yaml",
            "--yes",
            "--state",
            str(state),
            "--rate",
            "500/1s",
            "--poll-interval",
            "0.05",
        )
    finally:
        shutil.rmtree(state, ignore_errors=True)

    assert said.code == Exit.OK, said.err
    assert len(film.manifest) == len(film.sim.charges()) == 2


# --- manifests that are lost or another program's ------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n", "{}", '{"kiebatch": 1}'])
def test_an_empty_manifest_is_damage_and_buys_nothing(film: Film, text: str) -> None:
    film.write(TWO)
    film.run()
    shutil.rmtree(film.folder / ".kiebatch")
    (film.assets / "manifest.json").write_text(text)

    said = film.command("plan", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert "git restore" in said.err
    assert (film.assets / "manifest.json").read_text() == text


def test_a_manifest_that_is_gone_beside_its_pictures_is_noticed(film: Film) -> None:
    film.write(TWO)
    film.run()
    shutil.rmtree(film.folder / ".kiebatch")
    (film.assets / "manifest.json").unlink()

    said = film.command("run", "scenes.yaml", "--yes")

    assert said.code == Exit.INVALID
    assert "git restore" in said.err
    assert "kiebatch adopt" in said.err
    assert len(film.sim.charges()) == 2


def test_pictures_of_a_lost_manifest_can_be_made_again_by_force_and_stay(film: Film) -> None:
    film.write(TWO)
    film.run()
    shutil.rmtree(film.folder / ".kiebatch")
    (film.assets / "manifest.json").unlink()
    film.edit("The boat", "The ship")
    film.edit("The lamp", "The bell")
    before = {path: path.read_bytes() for path in (film.assets / "images").iterdir()}

    refused = film.command("run", "scenes.yaml", "--yes")
    forced = film.command("run", "scenes.yaml", "--yes", "--force", "--poll-interval", "0.05")

    assert refused.code == Exit.INVALID
    assert "--force" in refused.err
    assert forced.code == Exit.OK, forced.err
    assert len(film.sim.charges()) == 4
    assert {path: path.read_bytes() for path in before} == before
    assert len({entry["filename"] for entry in film.manifest} - {str(p) for p in before}) == 2


def test_a_renamed_shot_beside_pictures_of_a_lost_manifest_names_the_same_way_out(film: Film) -> None:
    film.write(TWO)
    film.run()
    shutil.rmtree(film.folder / ".kiebatch")
    (film.assets / "manifest.json").unlink()
    film.edit("scenes:", "moved: {1: 2, 2: 1}\nscenes:")

    refused = film.command("run", "scenes.yaml", "--yes")

    assert refused.code == Exit.INVALID
    assert "git restore" in refused.err
    assert len(film.sim.charges()) == 2


def test_a_web_apps_manifest_is_left_alone(film: Film) -> None:
    film.write(TWO)
    film.assets.mkdir()
    text = '{"name": "An app", "icons": []}'
    (film.assets / "manifest.json").write_text(text)

    said = film.command("run", "scenes.yaml", "--yes")

    assert said.code == Exit.INVALID
    assert "--assets" in said.err
    assert (film.assets / "manifest.json").read_text() == text
    assert film.sim.charges() == []


# --- errors in the scene file, stuck tasks, saved plans ------------------------------------------------


def test_an_error_in_the_scene_file_does_not_keep_paid_results_away(film: Film) -> None:
    film.write(TWO)
    killed_in_flight(film, 2)
    film.edit("The lamp", "The lamp, model: no-such-model")

    planned = film.command("plan", "scenes.yaml", "--json")
    ran = film.command("run", "scenes.yaml", "--yes")

    waiting = [p for p in planned.json["problems"] if p["code"] == "waiting"]
    assert (planned.code, len(waiting)) == (Exit.INVALID, 2)
    assert ran.code == Exit.INVALID
    assert len(film.manifest) == len(film.sim.charges()) == 2


def test_a_stuck_task_says_since_when_and_can_be_given_up(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@1=stuck")
    film.run(timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.2))

    status = film.command("status", "--json").json
    (stuck,) = [s for s in status["slots"] if s["state"] == "in-flight"]
    said = film.command("resolve", stuck["slot"], "--forget")
    outcome = film.run()

    assert "since 20" in stuck["message"]
    assert said.code == Exit.OK
    assert (outcome.status, len(film.sim.charges())) == ("success", 3)


def test_what_is_printed_for_a_held_slot_that_was_renamed_is_what_resolve_takes(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@2=cut+after")
    film.run(in_flight=1)
    film.edit("scenes:", "moved: {2: 20}\nscenes:")
    film.edit("id: 2", "id: 20")

    status = film.command("status", "--json").json
    (held,) = [s["slot"] for s in status["slots"] if s["state"] == "held"]
    said = film.command("resolve", held, "--resubmit")

    assert (held, said.code) == ("20", Exit.OK)


def test_a_saved_plan_does_not_buy_what_was_made_since(film: Film) -> None:
    film.write(TWO)
    film.run()
    film.command("plan", "scenes.yaml", "--force", "--only", "1", "--out", "saved.plan")
    film.run(force=True, only=("1",))

    said = film.command("run", "--plan", "saved.plan", "--yes")

    assert said.code == Exit.INVALID
    assert "made since" in said.err
    assert len(film.sim.charges()) == 3


def test_a_saved_plan_goes_on_when_something_else_in_the_file_has_changed(film: Film) -> None:
    film.write(TWO)
    film.command("plan", "scenes.yaml", "--only", "1", "--out", "saved.plan")
    film.edit("The lamp", "Another lamp")

    said = film.command("run", "--plan", "saved.plan", "--yes", "--rate", "500/1s", "--poll-interval", "0.05")

    assert said.code == Exit.OK, said.err
    assert [c["input"]["prompt"] for c in film.sim.charges()] == ["The boat"]


def test_what_changed_while_a_run_waited_for_another_is_read_again(film: Film) -> None:
    film.write(TWO)
    opened = film.load()
    film.edit("  - {id: 2, prompt: The lamp}\n", "")
    fresh = replace(opened, again=film.load)

    from kiebatch.project import opening

    assert [str(j.slot) for j in opening.read_again(fresh, moved_on=True).project.jobs] == ["1"]


# --- caches --------------------------------------------------------------------------------------------


def test_two_scenes_with_the_same_words_stay_two_purchases_in_a_cache(film: Film, tmp_path: Path) -> None:
    film.write(TWO.replace("The lamp", "The boat"))
    film.run(cache=tmp_path / "cache")
    first = {a["scene_id"]: a["sha256"] for a in film.manifest}
    shutil.rmtree(film.assets)
    shutil.rmtree(film.folder / ".kiebatch")

    film.run(cache=tmp_path / "cache")

    assert len(film.sim.charges()) == 2
    assert {a["scene_id"]: a["sha256"] for a in film.manifest} == first
    assert len(set(first.values())) == 2


def test_a_rebuild_from_a_cache_is_priced_along_its_chains_and_needs_no_key(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(CHAIN)
    film.run(cache=tmp_path / "cache")
    shutil.rmtree(film.assets)
    shutil.rmtree(film.folder / ".kiebatch")

    plan = film.plan(cache=tmp_path / "cache")
    outcome = film.run(cache=tmp_path / "cache", api_key="")

    assert plan.credits() == 0
    assert {e.reason for e in plan.entries} == {"paid for already"}
    assert (outcome.status, len(film.sim.charges())) == ("success", 2)


def test_a_rebuild_from_a_cache_makes_no_shot_before_what_it_starts_from(film: Film, tmp_path: Path) -> None:
    film.write(CHAIN)
    film.run(cache=tmp_path / "cache")
    shutil.rmtree(film.assets)
    shutil.rmtree(film.folder / ".kiebatch")

    film.edit("The boat", "A ship")
    killed_in_flight(film)  # its task is collected first, and the shot that starts from it must wait
    film.edit("A ship", "The boat")

    outcome = film.run(cache=tmp_path / "cache")
    boat = next(a for a in film.manifest if a["prompt"] == "The boat")
    closer = next(a for a in film.manifest if a["prompt"] == "Closer")

    assert (outcome.status, len(film.sim.charges())) == ("success", 3)
    assert closer["made_from"] == [boat["id"]]


@pytest.mark.parametrize(
    "entry",
    [
        "null",
        "[]",
        "{",
        '{"outputs": [{"filename": ".git/hooks/evil.png", "sha256": "x"}]}',
        '{"outputs": 5}',
    ],
)
def test_a_cache_entry_that_cannot_be_used_is_a_miss_and_is_replaced(
    film: Film, tmp_path: Path, entry: str
) -> None:
    film.write(TWO)
    cache = tmp_path / "cache"
    film.run(cache=cache)
    keys = [Key(a["fingerprint"]) for a in film.manifest]
    for path in (cache / "entries").rglob("*.json"):
        path.write_text(entry)
    shutil.rmtree(film.assets)
    shutil.rmtree(film.folder / ".kiebatch")

    film.run(cache=cache)

    assert len(film.sim.charges()) == 4
    assert all(ResultCache(cache).has(key) for key in keys)
    assert not (film.folder / ".git").exists()


def test_an_entry_of_another_tool_beside_ours_never_reaches_the_parser_of_slots(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: z-image, prompt: The boat}\n")
    film.run()
    manifest = json.loads((film.assets / "manifest.json").read_text())
    foreign = {
        "id": "img-002",
        "type": "image",
        "filename": "assets/images/foreign.png",
        "prompt": "Something else",
        "model": "4o Image",
        "parameters": {},
        "created_at": "2026-03-01T10:00:00.000Z",
        "scene_id": 1,
        "version": 1,
    }
    manifest["assets"].append(foreign)
    (film.assets / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(film.assets / "images" / "scene-01.png", film.assets / "images" / "foreign.png")

    said = film.command("log", "--json")

    assert said.code == Exit.OK, said.err
    for slot in said.json["slots"]:
        assert film.command("log", slot["slot"]).code == Exit.OK


def test_a_name_of_another_tool_that_two_models_share_counts_as_either(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: seedream/4.5-text-to-image, prompt: The boat}\n")
    film.assets.mkdir()
    (film.assets / "images").mkdir()
    shutil.copy(GOLDEN / "sheet.png", film.assets / "images" / "scene-01.png")
    entry = {
        "id": "img-001",
        "type": "image",
        "filename": "assets/images/scene-01.png",
        "prompt": "The boat",
        "model": "Seedream 4.5",
        "parameters": {},
        "created_at": "2026-03-01T10:00:00.000Z",
        "scene_id": 1,
        "version": 1,
    }
    (film.assets / "manifest.json").write_text(json.dumps({"version": "1.0", "assets": [entry]}))

    assert film.reasons() == {"1": "keep: kept"}


def test_picks_with_a_key_of_a_newer_version_are_read(film: Film) -> None:
    film.write(TWO)
    film.run()
    (film.assets / "picks.yaml").write_text(
        "- {slot: '1', choice: pick, at: '2026-01-01T00:00:00Z', by: me, mood: good}\n"
    )

    assert film.command("plan", "scenes.yaml").code in (Exit.OK, Exit.DIFFERS)


def test_a_cap_in_the_scene_file_is_no_consent(film: Film) -> None:
    film.write(TWO.replace("kiebatch: 1", "kiebatch: 1\n    run: {max_credits: 100000}"))

    said = film.command("run", "scenes.yaml")

    assert said.code == Exit.REFUSED
    assert film.sim.charges() == []


def test_the_right_error_is_raised_for_a_plan_that_was_spent(film: Film) -> None:
    film.write(TWO)
    opened = film.load()
    saved = api.save_plan(opened, api.plan(opened, only=["1"]), only=["1"])
    api.run(opened, settings=film.settings(), only=["1"], bound=saved)

    with pytest.raises(Invalid):
        api.run(opened, settings=film.settings(), only=["1"], bound=saved)
    assert len(film.sim.charges()) == 1
