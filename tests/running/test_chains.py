"""Media in, shots from shots: uploads, chains, picks, fallbacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from kiebatch.errors import Exit, Invalid
from support.film import Film
from support.places import ROOT

CHAIN = """\
kiebatch: 1
defaults: {model: nano-banana-2, params: {aspect_ratio: "16:9"}}
scenes:
  - id: 1
    shots:
      - {id: a, prompt: A keeper on a stair, takes: 2}
      - id: b
        model: kling/v2-5-turbo-image-to-video-pro
        prompt: he turns his head slowly
        start_frame: {shot: 1a, take: 2}
      - id: c
        model: kling/v2-5-turbo-image-to-video-pro
        prompt: he runs down
        start_frame: {shot: 1b}
  - {id: 2, prompt: A gull}
"""


@pytest.mark.slow
def test_a_clip_starts_from_a_still_and_the_next_from_its_last_frame(film: Film) -> None:
    film.write(CHAIN)

    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    by_slot = {(a["scene_id"], a.get("shot"), a["take"]): a for a in film.manifest}
    assert by_slot[1, "b", 1]["made_from"] == [by_slot[1, "a", 2]["id"]]
    assert by_slot[1, "c", 1]["made_from"] == [by_slot[1, "b", 1]["id"]]
    assert by_slot[1, "b", 1]["parameters"]["input"]["image_url"] == "shot:1a#2"
    assert by_slot[1, "c", 1]["parameters"]["input"]["image_url"] == "shot:1b/frame:last"
    assert film.reasons() == dict.fromkeys(["1a", "1a#2", "1b", "1c", "2"], "keep: kept")


@pytest.mark.slow
def test_a_changed_still_makes_its_clips_again_and_nothing_else(film: Film) -> None:
    film.write(CHAIN)
    film.run()
    film.edit("A keeper on a stair", "A keeper on a ladder")

    assert film.reasons() == {
        "1a": "generate: prompt",
        "1a#2": "generate: prompt",
        "1b": "generate: upstream 1a#2",
        "1c": "generate: upstream 1b",
        "2": "keep: kept",
    }
    assert film.run().succeeded == 4


def test_a_failed_still_skips_its_clips_which_cost_nothing(film: Film) -> None:
    film.write(CHAIN)
    film.sim.fault("submit@2=code:422")

    outcome = film.run(in_flight=1)  # so that the second submission is take 2

    assert outcome.exit_code == Exit.FAILED
    assert {str(s.slot) for s in outcome.skipped} == {"1b", "1c"}
    assert len(film.sim.charges()) == 2


def test_a_local_picture_is_uploaded_once_per_content(film: Film) -> None:
    (film.folder / "refs").mkdir()
    Image.new("RGB", (300, 200), "navy").save(film.folder / "refs" / "keeper.png")
    Image.new("RGB", (300, 200), "navy").save(film.folder / "refs" / "same.png")
    film.write(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2}
        characters: {keeper: {text: a keeper, references: refs/keeper.png}}
        scenes:
          - {id: 1, prompt: "{keeper} waits"}
          - {id: 2, prompt: "{keeper} sleeps"}
          - {id: 3, prompt: a wall, references: [refs/same.png]}
        """
    )

    film.run()

    assert film.sim.stats()["requests"].get("upload", film.sim.stats()["requests"].get("uploads")) == 1
    assert film.manifest[0]["parameters"]["input"]["image_input"] == ["file:refs/keeper.png"]


def test_a_reference_with_new_content_is_a_change_and_a_new_name_is_none(film: Film) -> None:
    Image.new("RGB", (300, 200), "navy").save(film.folder / "a.png")
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a wall, references: [a.png]}\n"
    )
    film.run()
    (film.folder / "a.png").rename(film.folder / "b.png")
    film.edit("a.png", "b.png")
    assert film.reasons() == {"1": "keep: kept"}

    Image.new("RGB", (300, 200), "red").save(film.folder / "b.png")
    assert film.reasons() == {"1": "generate: references"}


def test_bad_references_are_refused_together_before_anything_is_uploaded(film: Film) -> None:
    (film.folder / "page.png").write_text("<!doctype html><title>no</title>", encoding="utf-8")
    (film.folder / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    film.write(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2}
        scenes:
          - {id: 1, prompt: x, references: [gone.png]}
          - {id: 2, prompt: x, references: [page.png]}
          - {id: 3, prompt: x, references: [cut.png]}
          - {id: 4, prompt: x, references: "http://10.0.0.1/x.png"}
        """
    )

    with pytest.raises(Invalid) as caught:
        film.load()

    assert len(caught.value.problems) == 4
    assert film.sim.stats()["requests"].get("upload", 0) == 0


@pytest.mark.slow
def test_a_pick_is_what_chains_use_and_a_changed_pick_makes_only_the_dependants_again(film: Film) -> None:
    film.write(CHAIN.replace("{shot: 1a, take: 2}", "{shot: 1a}"))
    stills = film.run(until_picks=True)
    assert stills.succeeded == 3
    assert {str(s.slot) for s in stills.skipped} == {"1b", "1c"}

    assert film.command("pick", "1a#2", "--note", "better light").code == 0
    assert film.run(until_picks=True, only=("1b",)).succeeded == 1
    by_shot = {(a.get("shot"), a["take"]): a["id"] for a in film.manifest}
    assert next(a for a in film.manifest if a.get("shot") == "b")["made_from"] == [by_shot["a", 2]]

    film.run()
    film.command("pick", "1a#1")
    assert film.reasons() == {
        "1a": "keep: kept",
        "1a#2": "keep: kept",
        "1b": "generate: upstream 1a",
        "1c": "generate: upstream 1b",
        "2": "keep: kept",
    }


def test_a_fallback_is_used_when_the_first_model_refuses_and_is_recorded(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, fallback: z-image, prompt: a gull,"
        " params: {aspect_ratio: '16:9'}}\n"
    )
    film.sim.fault("submit@1=code:505")

    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    assert [(a["model"], a["fallback_for"]) for a in film.manifest] == [("z-image", "nano-banana-2")]
    assert film.reasons() == {"1": "keep: kept"}


def test_a_dearer_fallback_is_priced_in_the_plan_as_a_bound(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: z-image, fallback: nano-banana-2, prompt: a gull,"
        " params: {aspect_ratio: '16:9'}}\n"
    )

    (job,) = film.command("plan", "scenes.yaml", "--json").json["jobs"]

    assert (job["credits"]["amount"], job["credits"]["kind"]) == (8, "bound")
    assert "≤8" in film.command("plan", "scenes.yaml").out


@pytest.mark.slow
def test_a_store_of_results_covers_chains_and_two_rebuilds_are_the_same_to_the_byte(
    film: Film, tmp_path: Path
) -> None:
    film.write(CHAIN)
    store = tmp_path / "store"
    film.run(cache=store)
    bought = len(film.sim.charges())
    rebuilt = []
    for name in ("one", "two"):
        film.folder = tmp_path / name / "film"
        film.folder.mkdir(parents=True)
        film.write(CHAIN)
        assert film.run(cache=store).exit_code == Exit.OK
        rebuilt.append((film.assets / "manifest.json").read_bytes())

    assert len(film.sim.charges()) == bought
    assert rebuilt[0] == rebuilt[1]


EXAMPLES = ROOT / "examples"
FILMS = sorted(
    [*EXAMPLES.glob("**/scenes.yaml"), *EXAMPLES.glob("**/SCENES.md")], key=lambda path: path.as_posix()
)
QUICK = ("minimal", "character")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=p.parent.name, marks=[] if p.parent.name in QUICK else pytest.mark.slow)
        for p in FILMS
    ],
)
def test_every_example_runs_as_a_draft(path: Path, film: Film) -> None:
    said = film.command(
        "run",
        str(path),
        "--draft",
        "--assets",
        str(film.folder / "out"),
        "--state",
        str(film.folder / "state"),
    )

    assert said.code == 0, said.err


@pytest.mark.slow
def test_a_still_that_git_lfs_left_as_a_pointer_is_never_uploaded_in_its_place(film: Film) -> None:
    film.write(CHAIN)
    film.run()
    still = next(a for a in film.manifest if a["scene_id"] == 1 and a.get("shot") == "a" and a["take"] == 2)
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{still['sha256']}\nsize {still['bytes']}\n"
    )
    (film.folder / still["filename"]).write_text(pointer, encoding="utf-8")
    shutil.rmtree(film.folder / ".kiebatch")  # another machine knows no link
    charged = len(film.sim.charges())
    film.edit("he turns his head slowly", "he turns around")

    outcome = film.run()

    assert outcome.exit_code == Exit.DIFFERS
    assert "run `git lfs pull`" in next(s.reason for s in outcome.skipped if str(s.slot) == "1b")
    assert len(film.sim.charges()) == charged
