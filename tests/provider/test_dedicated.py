"""Which way a job goes: the dedicated endpoints beside the current form, as the commands show and use them."""

from __future__ import annotations

import sqlite3

import pytest

from kiebatch.errors import Exit
from kiebatch.model import Output, Slot
from kiebatch.record import Claimed, Intent, Key, open_journal
from support.film import Film

BOTH = """\
kiebatch: 1
scenes:
  - {id: 1, model: veo3_fast, prompt: A gull over a lighthouse}
  - {id: 2, model: veo-3-1, prompt: A gull over a lighthouse}
"""
MARKET = "/api/v1/jobs/createTask"
VEO = "/api/v1/veo/generate"


def test_the_plan_shows_which_endpoint_each_job_goes_to(film: Film) -> None:
    film.write(BOTH)

    shown = film.command("plan", "scenes.yaml")
    listed = film.command("plan", "scenes.yaml", "--json").json

    head, first, second = shown.out.splitlines()[:3]
    assert (head.split()[-1], first.split()[-1], second.split()[-1]) == ("endpoint", VEO, MARKET)
    assert [j["endpoint"] for j in listed["jobs"]] == [VEO, MARKET]


def test_where_all_go_one_way_the_plan_says_nothing_of_it(film: Film) -> None:
    film.write(BOTH.replace("veo3_fast", "z-image").replace("veo-3-1", "z-image"))

    assert "endpoint" not in film.command("plan", "scenes.yaml").out


@pytest.mark.slow
def test_a_dedicated_models_name_picks_its_endpoint(film: Film) -> None:
    film.write(BOTH)

    assert film.run().exit_code == Exit.OK

    assert {a["model"]: a["parameters"]["endpoint"] for a in film.manifest} == {
        "veo3_fast": VEO,
        "veo-3-1": MARKET,
    }
    assert {t["family"] for t in film.sim.tasks()} == {"veo", "jobs"}


@pytest.mark.parametrize("code", [404, 505])
@pytest.mark.parametrize(
    ("model", "path", "current"),
    [("veo3_fast", VEO, "veo-3-1"), ("suno/generate", "/api/v1/generate", "ai-music-api/generate")],
)
def test_a_closed_endpoint_names_the_current_model(
    film: Film, model: str, path: str, current: str, code: int
) -> None:
    film.write(f"kiebatch: 1\nscenes:\n  - {{id: 1, model: {model}, prompt: a slow shanty}}\n")
    film.sim.fault(on=path, kind="code", value=str(code))

    said = film.command("run", "scenes.yaml", "--yes", "--json")

    assert said.code == Exit.FAILED
    (failure,) = said.json["failures"]
    assert failure["hint"] == f"this endpoint is closed; use the model `{current}`"
    assert film.sim.charges() == []


def test_a_journal_of_the_first_format_is_brought_up_to_date(film: Film) -> None:
    path = film.folder / "journal.sqlite3"
    with open_journal(path, now=lambda: 1.0) as journal:
        intent = Intent(run_id="r", slot=Slot(1), key=Key("f"), model="m", family="suno", job={}, credits=1)
        claimed = journal.claim(intent)
        assert isinstance(claimed, Claimed)
        attempt = claimed.attempt
        journal.submitted(attempt, "t", [Output(number=1, url="https://x/1.mp3")])
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE outputs DROP COLUMN output_id")
        raw.execute("DROP TABLE about")
        for index in ("attempts_by_key", "attempts_by_task"):
            raw.execute(f"DROP INDEX {index}")
        for column in ("film", "take", "twin", "edition", "seen_state", "seen_at"):
            raw.execute(f"ALTER TABLE attempts DROP COLUMN {column}")
        raw.execute("PRAGMA user_version = 1")
    raw.close()

    with open_journal(path, now=lambda: 2.0) as journal:
        journal.outputs(attempt, [Output(number=2, url="https://x/2.mp3", id="track-2")])

        assert [(s.output.url, s.output.id) for s in journal.outputs_of(attempt)] == [
            ("https://x/1.mp3", ""),
            ("https://x/2.mp3", "track-2"),
        ]
