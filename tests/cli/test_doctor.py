"""`kiebatch doctor`: what a run needs, and what to do about what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiebatch.cli import checks
from kiebatch.cli.checks import Level
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


def test_a_machine_with_everything_has_no_problem(film: Film) -> None:
    code, found = looked(film)

    assert code == 0
    assert {name: check["found"] for name, check in found.items() if check["level"] == "problem"} == {}
    assert {"kiebatch", "python", "ffmpeg", "fonts", "git", "state folder", "simulator"} <= set(found)
    assert {"key", "proxy", "network", "account", "clock"} <= set(found)
    assert found["account"]["found"] == "10,000.00 credits"
    assert found["key"]["found"] == "from the environment (KIE_API_KEY)"


def test_nothing_that_it_prints_holds_the_key(film: Film) -> None:
    said = film.command("doctor")
    as_json = film.command("doctor", "--json")

    assert film.sim.key not in said.out + said.err + as_json.out


def test_the_key_of_the_project_is_named_by_its_file(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIE_API_KEY")
    (film.folder / ".env").write_text(f"KIE_API_KEY={film.sim.key}\n", encoding="utf-8")

    _, found = looked(film)

    assert found["key"]["found"] == "from .env"


def test_without_a_key_a_run_cannot_work_and_a_draft_can(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIE_API_KEY")

    code, found = looked(film)
    draft, drafted = looked(film, "--draft")

    assert (code, found["key"]["level"]) == (3, "problem")
    assert "KIE_API_KEY" in found["key"]["hint"]
    assert draft == 0
    assert "key" not in drafted


def test_a_wrong_key_and_a_provider_that_does_not_answer_are_told_apart(film: Film) -> None:
    wrong, refused = looked(film, "--api-key", "not-the-key")
    away, unreached = looked(film, "--base-url", "http://127.0.0.1:9")

    assert (wrong, refused["network"]["level"], refused["account"]["level"]) == (3, "ok", "problem")
    assert (away, unreached["network"]["level"]) == (3, "problem")


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
