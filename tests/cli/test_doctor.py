"""`kiebatch doctor`: what a run needs, and what to do about what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.buckets import Buckets
from kiebatch.cli import checks, shared_checks
from kiebatch.cli.checks import Check, Level
from kiebatch.settings import Settings
from kiebatch.team import accounts
from support import rights
from support.film import Film

PROXIES = {
    "plain": ({"HTTPS_PROXY": "http://user:secret@proxy.example:3128"}, "http://proxy.example:3128"),
    "none": ({}, "none"),
    "excepted": ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "api.kie.ai"}, "none"),
}
MOUNTS = (
    "/dev/sda1 / ext4 rw 0 0\nserver:/home /mnt/home nfs4 rw 0 0\n//nas/a\\040b /mnt/a\\040b cifs rw 0 0\n"
)


def looked(film: Film, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    said = film.command("doctor", "--json", *options)
    return said.code, {check["name"]: check for check in said.json["checks"]}


@pytest.mark.slow
def test_a_machine_with_everything_has_no_problem(film: Film) -> None:
    code, found = looked(film)

    assert code == 0
    assert {name: check["found"] for name, check in found.items() if check["level"] == "problem"} == {}
    assert {"kiebatch", "python", "ffmpeg", "fonts", "git", "state folder", "simulator"} <= set(found)
    assert {"key", "proxy", "network", "account", "clock"} <= set(found)
    assert found["account"]["found"] == "10,000.00 credits"
    assert found["key"]["found"] == "from the environment (KIE_API_KEY)"


@pytest.mark.slow
def test_nothing_that_it_prints_holds_the_key(film: Film) -> None:
    said = film.command("doctor")
    as_json = film.command("doctor", "--json")

    assert film.sim.key not in said.out + said.err + as_json.out


@pytest.mark.slow
def test_the_key_of_the_project_is_named_by_its_file(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIE_API_KEY")
    (film.folder / ".env").write_text(f"KIE_API_KEY={film.sim.key}\n", encoding="utf-8")

    _, found = looked(film)

    assert found["key"]["found"] == "from .env"


@pytest.mark.slow
def test_without_a_key_a_run_cannot_work_and_a_draft_can(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIE_API_KEY")

    code, found = looked(film)
    draft, drafted = looked(film, "--draft")

    assert (code, found["key"]["level"]) == (3, "problem")
    assert "KIE_API_KEY" in found["key"]["hint"]
    assert draft == 0
    assert "key" not in drafted


@pytest.mark.slow
def test_a_wrong_key_and_a_provider_that_does_not_answer_are_told_apart(film: Film) -> None:
    wrong, refused = looked(film, "--api-key", "not-the-key")
    away, unreached = looked(film, "--base-url", "http://127.0.0.1:9")

    assert (wrong, refused["network"]["level"], refused["account"]["level"]) == (3, "ok", "problem")
    assert (away, unreached["network"]["level"]) == (3, "problem")


@pytest.mark.slow
def test_every_line_that_is_not_good_has_a_way_out(film: Film) -> None:
    _, found = looked(film, "--base-url", "http://127.0.0.1:9", "--api-key", "x")

    assert [name for name, check in found.items() if check["level"] != "ok" and not check["hint"]] == []


def test_an_old_python_is_a_problem() -> None:
    assert checks.python((3, 10, 2)).level is Level.PROBLEM
    assert checks.python((3, 11, 0)).level is Level.OK


@pytest.mark.parametrize(("environ", "found"), PROXIES.values(), ids=PROXIES)
def test_a_proxy_is_shown_without_its_password(environ: dict[str, str], found: str) -> None:
    assert checks.proxy("https://api.kie.ai", environ).found == found


@pytest.mark.parametrize(
    ("folder", "kind"), [("/srv/film", "ext4"), ("/mnt/home/film", "nfs4"), ("/mnt/a b/film", "cifs")]
)
def test_the_disk_of_a_folder_is_the_innermost_mount(folder: str, kind: str) -> None:
    assert checks.disk_of(Path(folder), MOUNTS) == kind


def test_a_journal_on_a_network_disk_is_noted(tmp_path: Path) -> None:
    mounts = f"server:/x {tmp_path.resolve()} nfs4 rw 0 0\n"

    found = checks.state_folder(tmp_path / ".kiebatch", mounts)

    assert (found.level, "network disk" in found.found) == (Level.NOTE, True)


def test_a_state_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with rights.of_an_ordinary_user():
        found = checks.state_folder(tmp_path / ".kiebatch", "")
    tmp_path.chmod(0o700)

    assert found.level is Level.PROBLEM


# --- a store, and a team's ledger ----------------------------------------------------------------------


def the(check: Check | None) -> Check:
    assert check is not None
    return check


@pytest.mark.slow
@pytest.mark.needs("postgres")
def test_a_store_and_a_ledger_are_looked_at_where_they_are_set(
    film: Film, team_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.init(team_url, "studio", cap=20, lease_s=30)
    monkeypatch.setenv("KIEBATCH_STORE", f"file://{tmp_path}")
    monkeypatch.setenv("KIEBATCH_TEAM", team_url)
    monkeypatch.setenv("KIEBATCH_ACCOUNT", "studio")

    code, found = looked(film)

    assert code == 0
    assert found["store"]["found"].endswith("can be read and written")
    assert "answers (PostgreSQL 1" in found["team"]["found"]
    assert not list(tmp_path.rglob("entries"))


@pytest.mark.needs("postgres")
def test_a_ledger_that_a_run_could_not_use_is_a_problem_that_says_why(team_url: str, tmp_path: Path) -> None:
    def team(url: str = team_url) -> Check:
        return the(shared_checks.team(Settings(account="film"), tmp_path, {"KIEBATCH_TEAM": url}))

    empty = team()
    accounts.init(team_url, "studio", cap=20, lease_s=30)
    unknown = team()
    away = team("postgresql://anna:secret-word@127.0.0.1:1/kiebatch?password=secret-word")
    nothing = team("mysql://anna:secret-word@db/x")

    assert {check.level for check in (empty, unknown, away, nothing)} == {Level.PROBLEM}
    assert empty.hint == "`kiebatch team init` makes it"
    assert "known are studio" in unknown.hint
    assert "anna@127.0.0.1:1/kiebatch cannot be reached" in away.found
    assert "PGPASSFILE" in away.hint
    assert "secret-word" not in str([away, nothing])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("file:///mnt/nobody-has-mounted-this", "there is no folder"),
        ("s3://key:secret-word@bucket", "keys and options do not belong into it"),
        ("s3://nobody-has-made-this", "NoSuchBucket"),
    ],
)
def test_a_store_that_a_run_could_not_use_is_a_problem_with_a_way_out(
    s3: Buckets, address: str, words: str
) -> None:
    found = the(shared_checks.store(Settings(store=address)))

    assert found.level is Level.PROBLEM
    assert words in found.found
    assert "KIEBATCH_STORE" in found.hint
    assert "secret-word" not in str(found)


def test_a_bucket_that_answers_is_good(s3: Buckets) -> None:
    found = the(shared_checks.store(Settings(store=s3.make("doctor"))))

    assert (found.level, found.found) == (Level.OK, "s3://doctor/film answers")


def test_a_store_that_can_only_be_read_is_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir(mode=0o500)
    with rights.of_an_ordinary_user():
        found = the(shared_checks.store(Settings(store=f"file://{folder}")))

    assert (found.level, "push" in found.hint) == (Level.NOTE, True)
