"""A project that the program of 0.1 made, in the hands of today's: nothing is bought again, nothing is rewritten.

`tests/golden/project-0.1/README.md` says what the project holds and how it was made.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from support.film import Film
from support.places import GOLDEN

PROJECT = GOLDEN / "project-0.1"
SCENE_FILES = {"film": "scenes.yaml", "markdown": "SCENES.md"}
SETTLED = {"film": ["--only", "2-12", "--only", "10"], "markdown": []}  # scene 20 holds what was left open
QUICK = ["--yes", "--no-canary", "--timeout", "1", "--poll-interval", "0.05", "--rate", "1000/1s"]
OPEN = {"20.failed", "20.forgotten", "20.resubmit", "20.new"}  # what 0.1 would have bought in its next run
# What another name was given to since; the meaning is the same.
RENAMED = {"saved, not yet recorded": "saved"}

HOUR, YEAR = 3600.0, 365 * 86400.0


def unpack(name: str, film: Film, *, age_s: float = HOUR) -> None:
    """Copy a film of 0.1 into the current project, as if its last run had ended `age_s` seconds ago."""
    shutil.copytree(PROJECT / name, film.folder, dirs_exist_ok=True)
    (film.folder / "state").rename(film.folder / ".kiebatch")
    for folder in ("cache", "plans"):
        shutil.copytree(PROJECT / folder, film.folder.parent / folder)
    with contextlib.closing(sqlite3.connect(journal_of(film))) as journal:
        (last,) = journal.execute("SELECT max(intended_at) FROM attempts").fetchone()
        shift = time.time() - age_s - last
        journal.execute(
            "UPDATE attempts SET intended_at = intended_at + ?1, submitted_at = submitted_at + ?1,"
            " ended_at = ended_at + ?1",
            (shift,),
        )
        journal.execute("UPDATE outputs SET seen_at = seen_at + ?", (shift,))
        journal.execute("UPDATE uploads SET uploaded_at = uploaded_at + ?", (shift,))
        journal.commit()


def journal_of(film: Film) -> Path:
    return film.folder / ".kiebatch" / "journal.sqlite"


def manifest_of(film: Film) -> tuple[bytes, int]:
    path = film.assets / "manifest.json"
    return path.read_bytes(), path.stat().st_mtime_ns


def decisions(jobs: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {job["slot"]: (job["action"], RENAMED.get(job["reason"], job["reason"])) for job in jobs}


def planned(name: str) -> dict[str, tuple[str, str]]:
    """Return what 0.1 itself planned for the film, right after it had made it."""
    return decisions(json.loads((PROJECT / f"{name}.plan.json").read_text(encoding="utf-8")))


def test_the_journal_of_0_1_holds_an_attempt_in_every_state() -> None:
    with contextlib.closing(sqlite3.connect(PROJECT / "film" / "state" / "journal.sqlite")) as journal:
        states = {state for (state,) in journal.execute("SELECT DISTINCT state FROM attempts")}

    assert states == {
        *("intended", "held", "submitted", "refused"),
        *("failed", "lost", "saved", "forgotten"),
    }


@pytest.mark.parametrize("age_s", [HOUR, YEAR], ids=["an-hour-later", "a-year-later"])
@pytest.mark.parametrize("name", ["film", "markdown"])
def test_the_plan_finds_what_0_1_found_and_nothing_else(film: Film, name: str, age_s: float) -> None:
    unpack(name, film, age_s=age_s)

    said = film.command("plan", SCENE_FILES[name], "--json")

    assert decisions(said.json["jobs"]) == planned(name)


def test_plan_check_of_the_settled_film_finds_nothing(film: Film) -> None:
    unpack("markdown", film)

    assert film.command("plan", "SCENES.md", "--check").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["film", "markdown"])
def test_a_run_of_what_is_settled_charges_nothing_and_leaves_the_manifest_as_it_is(
    film: Film, name: str
) -> None:
    unpack(name, film)
    before = manifest_of(film)

    film.command("run", SCENE_FILES[name], *QUICK, *SETTLED[name])

    assert film.sim.charges() == []
    assert manifest_of(film) == before


@pytest.mark.slow
def test_looking_at_the_project_changes_no_file_of_it(film: Film) -> None:
    unpack("film", film)
    before = manifest_of(film)
    picks = (film.assets / "picks.yaml").read_bytes()

    codes = {command: film.command(command, "scenes.yaml").code for command in ("validate", "status")}
    damage = film.command("verify", "scenes.yaml", "--json").json["problems"]

    assert codes == {"validate": 0, "status": 0}
    assert film.command("log").code == 0
    assert [(p["kind"], p["file"]) for p in damage] == [("extra", "assets/images/scene-20-unrecorded.jpg")]
    assert manifest_of(film) == before
    assert (film.assets / "picks.yaml").read_bytes() == picks


@pytest.mark.slow
def test_a_run_of_everything_buys_only_what_0_1_would_have_bought(film: Film) -> None:
    unpack("film", film)
    before = film.manifest

    film.command("run", "scenes.yaml", *QUICK)

    bought = {charge["input"]["prompt"] for charge in film.sim.charges()}
    assert len(film.sim.charges()) == len(OPEN)
    assert bought == {
        "A task that failed and may be tried again",
        "A held job that was forgotten",
        "A held job that may be sent again",
        "A job that was never sent",
    }
    assert [entry for entry in film.manifest if entry in before] == before


@pytest.mark.slow
def test_a_picture_that_0_1_had_saved_and_not_entered_is_entered_at_no_cost(film: Film) -> None:
    unpack("film", film)

    film.command("run", "scenes.yaml", *QUICK, "--only", "20.unrecorded")

    assert film.sim.charges() == []
    assert "assets/images/scene-20-unrecorded.jpg" in [entry["filename"] for entry in film.manifest]


def rebuild_from_cache(film: Film, *only: str) -> None:
    """Run a checkout that holds scenes and picks, and neither assets nor a journal, with 0.1's cache."""
    for folder in ("images", "clips", "audio"):
        shutil.rmtree(film.assets / folder)
    (film.assets / "manifest.json").unlink()
    shutil.rmtree(film.folder / ".kiebatch")
    selected = [word for name in only for word in ("--only", name)]
    film.command("run", "scenes.yaml", *QUICK, "--cache", "../cache", *selected)


@pytest.mark.slow
def test_a_cache_of_0_1_still_gives_its_results(film: Film) -> None:
    unpack("film", film)

    rebuild_from_cache(film, "2-5", "7-8", "10")

    assert film.sim.charges() == []
    assert len(film.manifest) == 18


@pytest.mark.slow
def test_a_cache_of_0_1_still_gives_what_a_fallback_made(film: Film) -> None:
    unpack("film", film)

    rebuild_from_cache(film, "6")

    assert film.sim.charges() == []


@pytest.mark.slow
def test_a_plan_that_0_1_saved_is_carried_out_once(film: Film) -> None:
    unpack("film", film)

    first = film.command("run", "--plan", "../plans/next.plan", *QUICK)
    second = film.command("run", "--plan", "../plans/next.plan", *QUICK)

    assert second.code == 2
    assert [charge["input"]["prompt"] for charge in film.sim.charges()] == ["A job that was never sent"]
    assert "saved 20.new" in first.err


@pytest.mark.slow
def test_a_plan_that_0_1_carried_out_is_not_carried_out_again(film: Film) -> None:
    unpack("film", film)

    said = film.command("run", "--plan", "../plans/spent.plan", *QUICK)

    assert (said.code, film.sim.charges()) == (2, [])


# What 0.1 does before it reads a journal or changes a byte of it: `PRAGMA user_version`, refused where it is above 2.
KNOWN_TO_0_1 = 2


@pytest.mark.slow
@pytest.mark.parametrize("upgraded", [True, False], ids=["upgraded", "new"])
def test_0_1_refuses_the_journal_of_today_where_it_looks_for_it(film: Film, upgraded: bool) -> None:
    if upgraded:
        unpack("film", film)
        film.command("run", "scenes.yaml", *QUICK, *SETTLED["film"])
    else:
        film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: z-image, prompt: The boat}\n")
        film.run()

    with contextlib.closing(sqlite3.connect(journal_of(film))) as journal:
        (version,) = journal.execute("PRAGMA user_version").fetchone()

    assert version > KNOWN_TO_0_1
    assert not journal_of(film).with_name("journal.sqlite-wal").exists()  # all of it is in the one file
