"""Whole runs of several films on one account, against the simulator and a real PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench import postgres
from kiebatch import api
from kiebatch.errors import Refused
from kiebatch.model import Rate
from kiebatch.team import accounts
from support.film import Film
from support.killing import killed
from support.ledgers import ACCOUNT

pytestmark = pytest.mark.needs("postgres")

SCENES = """
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 1, prompt: A boat at dawn}
      - {id: 2, prompt: A boat at dawn}
      - {id: 3, prompt: A lamp that turns}
"""


def another(film: Film, name: str = "another") -> Film:
    """Return a second checkout of the same account's films, on another machine so to say."""
    return film.elsewhere(SCENES, name=name)


@pytest.mark.slow
def test_another_film_takes_what_the_first_one_paid_for_and_equal_scenes_stay_two_purchases(
    film: Film, team: str
) -> None:
    film.write(SCENES)
    other = another(film)

    first = film.run()
    reasons = other.reasons()
    second = other.run()

    assert (first.status, second.status) == ("success", "success")
    assert len(film.sim.charges()) == 3
    assert set(reasons.values()) == {"restore: paid for already"}
    assert second.spent == 0
    assert [a["sha256"] for a in other.manifest] == [a["sha256"] for a in film.manifest]
    assert {a["run"] for a in other.manifest} == {first.run_id}
    assert other.run().kept == 3


def test_what_a_colleague_spends_meanwhile_is_no_loss(film: Film, team: str) -> None:
    film.write(SCENES)
    other = film.elsewhere("kiebatch: 1\nscenes: [{id: 1, model: z-image, prompt: A tree}]")
    meanwhile = [threading.Thread(target=other.run)]

    def hook(point: str) -> None:
        if point == "journal.submitted:after" and meanwhile:
            colleague = meanwhile.pop()
            colleague.start()
            colleague.join()

    film.run(edges=api.Edges(hook=hook))

    assert other.manifest
    assert [e for e in film.events if "credits more" in getattr(e, "message", "")] == []


def test_the_plan_says_whose_results_it_takes(film: Film, team: str) -> None:
    film.write(SCENES)
    other = another(film)
    film.run()

    said = other.command("plan", str(other.scene_file)).out

    assert "1, 2, 3: film of " in said
    assert "has paid for it" in said


@pytest.mark.slow
def test_force_buys_another_edition(film: Film, team: str) -> None:
    film.write(SCENES)
    other = another(film)
    film.run()

    other.run(force=True, only=("3",))

    assert len(film.sim.charges()) == 4


def test_a_result_that_the_manifest_lost_is_brought_home_at_no_cost(film: Film, team: str) -> None:
    film.write(SCENES)
    film.run()
    (film.assets / "manifest.json").unlink()
    for picture in (film.assets / "images").iterdir():
        picture.unlink()

    outcome = film.run()

    assert (outcome.status, outcome.spent) == ("success", 0)
    assert len(film.sim.charges()) == 3
    assert len(film.manifest) == 3


def test_a_file_of_the_same_name_and_size_is_not_taken_for_a_result(film: Film, team: str) -> None:
    film.write("kiebatch: 1\nscenes: [{id: 1, model: z-image, prompt: A tree}]")

    killed(
        lambda hook: film.run(edges=api.Edges(hook=hook, gate_path=":memory:")),
        lambda point: point == "journal.asset:after",
    )
    (placed,) = (film.assets / "images").iterdir()
    made = placed.read_bytes()
    placed.write_bytes(made[:-1] + bytes([made[-1] ^ 1]))
    outcome = film.run()

    digests = {hashlib.sha256((film.folder / a["filename"]).read_bytes()).hexdigest() for a in film.manifest}
    assert (outcome.status, len(film.sim.charges())) == ("success", 1)
    assert {a["sha256"] for a in film.manifest} == digests
    assert hashlib.sha256(made).hexdigest() in digests


def test_the_cap_of_the_account_ends_a_run_as_its_own_cap_does(film: Film, team: str) -> None:
    film.write(SCENES)
    accounts.set_cap(team, ACCOUNT, 2, monthly=False)

    outcome = film.run()

    assert outcome.status == "refused"
    assert "cap of 2 credits" in outcome.stopped_because
    assert len(film.sim.charges()) == 2


@pytest.mark.slow
def test_a_result_that_nobody_has_any_more_is_missing_and_says_whose_it_is(film: Film, team: str) -> None:
    film.write(SCENES)
    other = another(film)
    film.run()
    film.sim.fault("download%1=gone")

    outcome = other.run(only=("3",))

    assert outcome.missing == 1
    assert len(film.sim.charges()) == 3
    assert any(f"{film.folder.name} of" in getattr(event, "message", "") for event in other.events)


@pytest.mark.slow
def test_a_film_whose_attempts_a_team_keeps_is_not_run_without_it(
    film: Film, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(SCENES)
    film.run()
    monkeypatch.delenv("KIEBATCH_TEAM")

    with pytest.raises(Refused, match="ledger of a team"):
        film.run()


@pytest.mark.slow
def test_a_job_takes_ten_transactions_at_most_where_the_window_is_full(film: Film, team: str) -> None:
    jobs = 40
    scenes = "".join(f"      - {{id: {n}, prompt: Boat {n}}}\n" for n in range(1, jobs + 1))
    film.write(f"    kiebatch: 1\n    defaults: {{model: z-image}}\n    scenes:\n{scenes}")
    before = postgres.commits(team)

    film.run(rate=Rate(starts=5, window_s=0.4), poll_interval_s=0.1, expected_scale=0.01)

    assert postgres.commits(team) - before <= 10 * jobs


@pytest.mark.slow
def test_a_draft_is_nobodys_business(film: Film, team: str) -> None:
    film.write(SCENES)

    assert film.run(draft=True).status == "success"
    assert accounts.status(team, ACCOUNT, link_kept_s=1).spent == 0


@pytest.mark.slow
def test_without_a_team_no_driver_is_loaded(film: Film) -> None:
    film.write(SCENES)
    program = (
        "import sys; from kiebatch.cli import app; code = app.exit_code(sys.argv[1:]);"
        "print({'psycopg', 'procrastinate', 'obstore'} & {name.split('.')[0] for name in sys.modules}, code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "plan", "scenes.yaml"],
        cwd=film.folder,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip().splitlines()[-1] == "set() 0"


def test_the_ledger_that_cannot_be_reached_sends_nothing(
    film: Film, team: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film.write(SCENES)
    monkeypatch.setenv("KIEBATCH_TEAM", "postgresql://studio:secret@127.0.0.1:1/kiebatch")

    with pytest.raises(Refused, match="cannot be reached") as refused:
        film.run()

    assert "secret" not in str(refused.value)
    assert film.sim.charges() == []


# --- the commands -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_team_is_made_looked_at_and_capped(
    film: Film, team_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = film.command("team", "init", team_url, "--account", "studio", "--cap", "20")
    assert made.out.splitlines() == [f"export KIEBATCH_TEAM={team_url}", "export KIEBATCH_ACCOUNT=studio"]
    for line in made.out.splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
    film.write(SCENES)
    film.run()

    status = film.command("team", "status", "--json").json
    capped = film.command("team", "cap", "30", "--per", "month")

    assert (status["spent"], status["reserved"], status["cap"]) == (2.4, 0, 20)
    assert status["window"] >= 3  # a start that passed while the ledger wrote is booked again
    assert capped.out.strip() == "`studio` may spend 30 credits a month"
    assert "cap 30 a month" in film.command("team", "status").out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("init",), "say where"),
        (("init", "mysql://x"), "does not name a PostgreSQL database"),
        (("status",), "works alone"),
        (("cap", "much"), "a cap is a number"),
        (("cap", "3", "--per", "week"), "`month`"),
    ],
)
def test_what_a_team_cannot_be_told_is_said(film: Film, args: tuple[str, ...], words: str) -> None:
    said = film.command("team", *args)

    assert said.code == 2
    assert words in said.err


@pytest.mark.slow
def test_status_and_board_show_what_is_here_while_the_ledger_is_away_and_a_plan_does_not(
    film: Film, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(SCENES)
    film.run(only=("3",))
    monkeypatch.setenv("KIEBATCH_TEAM", "postgresql://nobody@127.0.0.1:1/none")
    scene = str(film.scene_file)

    status = film.command("status", scene)
    told = json.loads(film.command("status", scene, "--json").out)
    board = film.command("board", scene)
    plan = film.command("plan", scene)

    assert (status.code, board.code) == (0, 0)
    assert "cannot be reached" in status.out
    assert "cannot be reached" in board.err
    assert told["counts"]["done"] == 1
    assert told["ledger_away"] is True
    assert plan.code != 0
    assert "cannot be reached" in plan.err
    assert len(film.sim.charges()) == 1
