"""The main job, end to end, over real sockets: a scene file becomes files and a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from kiebatch.errors import Exit, Refused
from kiebatch.running import events
from support import rights
from support.film import Film

TWO_SCENES = """\
kiebatch: 1
title: Two scenes
defaults: {model: nano-banana-2, params: {aspect_ratio: "16:9", output_format: png}}
scenes:
  - {id: 1, prompt: A small boat nears the lighthouse}
  - id: 2
    shots:
      - {id: a, prompt: He climbs a spiral stair, takes: 2}
      - {id: b, prompt: He listens}
"""


@pytest.mark.slow
def test_a_scene_file_becomes_files_and_a_manifest(film: Film) -> None:
    film.write(TWO_SCENES)

    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    assert outcome.succeeded == 4
    assert [(a["scene_id"], a.get("shot"), a["take"]) for a in film.manifest] == [
        (1, None, 1),
        (2, "a", 1),
        (2, "a", 2),
        (2, "b", 1),
    ]
    for entry in film.manifest:
        path = film.folder / entry["filename"]
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert picture.size == (entry["width"], entry["height"])
            assert abs(picture.width / picture.height - 16 / 9) < 0.05
        assert path.stat().st_size == entry["bytes"]
    assert len(film.sim.charges()) == 4


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do_and_touches_nothing(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    manifest = film.assets / "manifest.json"
    before = (manifest.read_bytes(), manifest.stat().st_mtime_ns)

    outcome = film.run()

    assert outcome.kept == 4
    assert (manifest.read_bytes(), manifest.stat().st_mtime_ns) == before
    assert len(film.sim.charges()) == 4


@pytest.mark.slow
def test_one_edited_prompt_makes_exactly_one_new_version(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    film.edit("He listens", "He listens to the sea")

    assert film.reasons()["2b"] == "generate: prompt"
    film.run()

    versions = [a for a in film.manifest if a.get("shot") == "b"]
    assert [(a["version"], "superseded_by" in a) for a in versions] == [(1, True), (2, False)]
    assert versions[0]["superseded_by"] == versions[1]["id"]
    assert versions[1]["filename"] == f"assets/images/scene-02-b.v2-{versions[1]['sha256'][:8]}.png"
    assert (film.folder / versions[0]["filename"]).exists()
    assert len(film.sim.charges()) == 5


@pytest.mark.slow
def test_several_outputs_of_one_task_are_several_assets(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: grok-imagine/text-to-image, prompt: a boat}\n")

    film.run()

    assert [a["output"] for a in film.manifest[1:]] == list(range(2, len(film.manifest) + 1))
    assert len(film.manifest) > 1
    assert len({a["task_id"] for a in film.manifest}) == 1
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_a_failed_job_never_stops_the_others(film: Film) -> None:
    film.write(TWO_SCENES)
    film.sim.fault("submit@2=code:422")

    outcome = film.run()

    assert outcome.exit_code == Exit.FAILED
    assert outcome.succeeded == 3
    assert [f.code for f in outcome.failures] == ["422"]


@pytest.mark.slow
def test_a_run_says_what_happens_as_it_happens(film: Film) -> None:
    film.write(TWO_SCENES)

    film.run()

    kinds = [type(e).__name__ for e in film.events]
    assert kinds.count("Submitted") == kinds.count("Downloaded") == kinds.count("Saved") == 4
    assert isinstance(film.events[-1], events.Finished)


def test_the_command_prints_one_json_document_and_talks_on_stderr(film: Film) -> None:
    film.write(TWO_SCENES)

    said = film.command(
        "run",
        "scenes.yaml",
        "--json",
        "--max-credits",
        "100",
        "--poll-interval",
        "0.01",
        "--events",
        "e.jsonl",
    )

    assert said.code == 0
    assert said.json["status"] == "success"
    assert said.json["jobs"] == {
        "planned": 4,
        "succeeded": 4,
        "failed": 0,
        "held": 0,
        "kept": 0,
        "skipped": 0,
    }
    assert said.json["credits"]["spent"] == 32
    assert len(said.json["assets"]) == 4
    lines = [json.loads(line) for line in Path("e.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["event"] for line in lines} >= {"submitted", "downloaded", "saved", "finished"}
    assert all({"time", "event", "slot", "task_id"} <= set(line) for line in lines)


def test_without_a_terminal_a_run_that_would_spend_needs_consent(film: Film) -> None:
    film.write(TWO_SCENES)

    said = film.command("run", "scenes.yaml")

    assert said.code == Exit.REFUSED
    assert "4 jobs for up to 32 credits ($0.16)" in said.err
    assert "--max-credits" in said.err
    assert film.sim.charges() == []


def test_a_plan_above_the_cap_is_refused_before_anything_is_sent(film: Film) -> None:
    film.write(TWO_SCENES)

    with pytest.raises(Refused, match="needs up to 32 credits, and the cap is 20"):
        film.run(max_credits=20)

    assert film.sim.charges() == []


def test_a_partial_run_goes_up_to_the_cap_and_no_further(film: Film) -> None:
    film.write(TWO_SCENES)

    outcome = film.run(max_credits=20, partial=True)

    assert outcome.exit_code == Exit.REFUSED
    assert sum(c["credits"] for c in film.sim.charges()) == 16
    assert len(outcome.skipped) == 2


def test_a_wrong_key_ends_the_run_at_the_first_answer(film: Film) -> None:
    film.write(TWO_SCENES)

    with pytest.raises(Refused):
        film.run(api_key="wrong")

    assert film.sim.charges() == []


@pytest.mark.slow
def test_no_network_is_said_in_one_sentence(film: Film) -> None:
    film.write(TWO_SCENES)

    with pytest.raises(Refused, match="cannot be reached"):
        film.run(base_url="http://127.0.0.1:9")


def test_an_unwritable_assets_folder_is_said_before_anything_is_sent(film: Film) -> None:
    film.write(TWO_SCENES)
    film.assets.mkdir()
    film.assets.chmod(0o500)

    with rights.of_an_ordinary_user(), pytest.raises(Refused, match="cannot write"):
        film.run()

    assert film.sim.charges() == []


def test_an_assets_folder_that_is_a_file_is_said_before_anything_is_sent(film: Film) -> None:
    film.write(TWO_SCENES)
    film.assets.write_text("not a folder", encoding="utf-8")

    said = film.command("run", "scenes.yaml", "--yes")

    assert said.code in (Exit.REFUSED, Exit.INVALID)
    assert "assets" in said.err
    assert film.sim.charges() == []


@pytest.mark.parametrize(
    ("text", "word"),
    [("{not json", "JSON"), ('{"kiebatch": 2, "assets": []}', "newer"), ("<<<<<<< HEAD\n", "conflict")],
)
def test_a_manifest_that_cannot_be_read_stops_everything_and_is_left_as_it_is(
    film: Film, text: str, word: str
) -> None:
    film.write(TWO_SCENES)
    film.assets.mkdir()
    manifest = film.assets / "manifest.json"
    manifest.write_text(text, encoding="utf-8")

    said = film.command("run", "scenes.yaml", "--yes")

    assert said.code == Exit.INVALID
    assert word in said.err
    assert manifest.read_text(encoding="utf-8") == text
    assert film.sim.charges() == []


@pytest.mark.slow
def test_another_scene_file_on_the_same_assets_is_refused_with_both_ways_out(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    other = film.folder / "other.yaml"
    other.write_text(TWO_SCENES, encoding="utf-8")

    said = film.command("plan", "other.yaml")

    assert said.code == Exit.INVALID
    assert "--assets" in said.err
    assert "scenes.yaml" in said.err


@pytest.mark.slow
def test_plan_check_is_a_gate(film: Film) -> None:
    film.write(TWO_SCENES)
    assert film.command("plan", "scenes.yaml", "--check").code == Exit.DIFFERS
    film.run()
    assert film.command("plan", "scenes.yaml", "--check").code == Exit.OK


def test_a_selected_shot_whose_upstream_is_held_is_a_failure_and_not_up_to_date(film: Film) -> None:
    film.write("""
        kiebatch: 1
        defaults: {model: nano-banana-2}
        scenes: [{id: 1, prompt: The boat}, {id: 2, prompt: Closer, references: [{shot: 1}]}]
    """)
    film.sim.fault("submit@1=cut")
    film.run()

    outcome = film.run(only=("2",))
    checked = film.command("plan", "scenes.yaml", "--check", "--only", "2", "--json")

    assert [(f.code, f.message) for f in outcome.failures] == [("not-made", "upstream 1: held")]
    assert (checked.code, checked.json["status"]) == (Exit.HELD, "work")


def test_the_plan_as_json_has_the_keys_of_the_contract(film: Film) -> None:
    film.write(TWO_SCENES)

    plan = film.command("plan", "scenes.yaml", "--json").json

    assert plan["status"] == "work"
    assert plan["totals"]["jobs"] == 4
    assert plan["totals"]["credits"] == 32
    assert plan["totals"]["usd"] == 0.16
    assert plan["preflight"] == "confirm"
    assert set(plan["jobs"][0]) == {
        "slot", "scene_id", "shot", "take", "model", "endpoint", "action", "reason", "fingerprint", "input",
        "needs", "credits", "state", "defaulted", "warnings", "remote",
    }  # fmt: skip


@pytest.mark.slow
def test_a_saved_plan_is_done_exactly_once_and_only_while_it_fits(film: Film) -> None:
    film.write(TWO_SCENES)
    assert film.command("plan", "scenes.yaml", "--out", "p.json", "--only", "1").code == 0
    run = ("run", "scenes.yaml", "--plan", "p.json", "--yes", "--poll-interval", "0.01")

    assert film.command(*run).code == 0
    assert len(film.sim.charges()) == 1
    assert film.command(*run).code == Exit.INVALID

    film.command("plan", "scenes.yaml", "--out", "p.json")
    film.edit("He listens", "He sleeps")
    said = film.command(*run)
    assert said.code == Exit.INVALID
    assert "2b" in said.err
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_force_makes_a_new_version_of_what_is_selected(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()

    film.run(only=("1",), force=True)

    assert [a["version"] for a in film.manifest if a["scene_id"] == 1] == [1, 2]
    assert len(film.sim.charges()) == 5


@pytest.mark.slow
def test_a_file_that_is_gone_comes_back_from_the_provider_and_costs_nothing(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    path = film.assets / "images" / "scene-01.png"
    content = path.read_bytes()
    path.unlink()

    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    assert path.read_bytes() == content
    assert len(film.sim.charges()) == 4


@pytest.mark.slow
def test_a_file_that_is_gone_for_good_is_reported_and_not_bought(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    (film.assets / "images" / "scene-01.png").unlink()
    film.sim.reset()

    outcome = film.run()

    assert outcome.exit_code == Exit.DIFFERS
    assert film.sim.charges() == []


@pytest.mark.slow
def test_an_altered_file_is_left_alone_and_said(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    path = film.assets / "images" / "scene-01.png"
    path.write_bytes(path.read_bytes() + b"retouched")

    said = film.command("run", "scenes.yaml")

    assert said.code == 0
    assert "adopt" in said.err
    assert path.read_bytes().endswith(b"retouched")


@pytest.mark.slow
def test_accept_keeps_what_there_is_although_it_changed(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    film.edit("He listens", "He sleeps")

    assert film.command("accept", "2b").code == 0

    assert film.reasons()["2b"] == "keep: accepted"


@pytest.mark.slow
def test_adopt_enters_a_file_as_a_new_version_at_no_cost(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    Image.new("RGB", (64, 36), "red").save(film.folder / "mine.png")

    assert film.command("adopt", "2b", "mine.png").code == 0

    assert film.reasons()["2b"] == "keep: adopted"
    assert [a["version"] for a in film.manifest if a.get("shot") == "b"] == [1, 2]
    assert len(film.sim.charges()) == 4


@pytest.mark.slow
def test_entries_and_keys_of_other_tools_are_kept(film: Film) -> None:
    film.assets.mkdir()
    foreign = {
        "version": "1.0",
        "assets": [
            {
                "id": "img-001",
                "type": "image",
                "filename": "assets/images/scene-01.png",
                "prompt": "A small boat nears the lighthouse",
                "model": "Nano Banana 2",
                "parameters": {"size": "16:9", "mood": "grim"},
                "created_at": "2026-01-01T00:00:00.000Z",
                "scene_id": 1,
                "version": 1,
                "stars": 5,
            }
        ],
    }
    (film.assets / "manifest.json").write_text(json.dumps(foreign), encoding="utf-8")
    (film.assets / "images").mkdir()
    Image.new("RGB", (64, 36)).save(film.assets / "images" / "scene-01.png")
    film.write(TWO_SCENES)

    film.run()

    written = json.loads((film.assets / "manifest.json").read_text(encoding="utf-8"))
    assert written["version"] == "1.0"
    assert {k: v for k, v in written["assets"][0].items() if k in foreign["assets"][0]} == foreign["assets"][
        0
    ]
    assert len(film.sim.charges()) == 3


@pytest.mark.slow
def test_a_store_of_results_is_filled_and_saves_buying_them_elsewhere(film: Film, tmp_path: Path) -> None:
    film.write(TWO_SCENES)
    store = tmp_path / "store"
    film.run(cache=store)
    first = (film.assets / "manifest.json").read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    film.folder = elsewhere
    film.write(TWO_SCENES)

    outcome = film.run(cache=store)

    assert outcome.succeeded == 4
    assert len(film.sim.charges()) == 4
    assert len(first) > 0
    assert {a["task_id"] for a in film.manifest} == {a["task_id"] for a in json.loads(first)["assets"]}


@pytest.mark.slow
def test_the_key_goes_nowhere_but_into_its_header(film: Film) -> None:
    film.write(TWO_SCENES)

    said = film.command("run", "scenes.yaml", "--yes", "--poll-interval", "0.01", "--events", "e.jsonl")

    assert film.sim.stats()["key_leaks"] == []
    everything = said.out + said.err + Path("e.jsonl").read_text(encoding="utf-8")
    for path in film.folder.rglob("*"):
        if path.is_file():
            assert film.sim.key.encode() not in path.read_bytes(), path
    assert film.sim.key not in everything


@pytest.mark.slow
def test_a_prompt_that_goes_back_to_what_it_was_costs_nothing(film: Film) -> None:
    film.write(TWO_SCENES)
    film.run()
    film.edit("He listens", "He sleeps")
    film.run()
    film.edit("He sleeps", "He listens")

    assert film.reasons()["2b"] == "restore: made before"
    assert film.plan().credits() == 0
    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    assert len(film.sim.charges()) == 5
    versions = [a for a in film.manifest if a.get("shot") == "b"]
    assert [(a["version"], a["credits"]) for a in versions] == [(1, 8), (2, 8), (3, 0)]
    assert versions[2]["sha256"] == versions[0]["sha256"]
    assert film.reasons()["2b"] == "keep: kept"
    assert film.command("verify").code == 0
