"""Web addresses in a scene file go out as the person's config says; the file may only be stricter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiebatch.errors import Exit
from kiebatch.project import config, foreign
from kiebatch.project.config import ForeignUrls, UserConfig
from support.film import Film

FILM = """\
kiebatch: 1
run: {foreign_urls: RUN}
scenes:
  - {id: 1, model: nano-banana-2, prompt: a boat, references: ['https://cdn.example/a.png']}
"""


def set_config(text: str) -> None:
    home = Path(os.environ["KIEBATCH_CONFIG_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    (home / config.NAME).write_text(f"kiebatch-config: 1\n{text}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("mine", "file", "holds"),
    [
        ("send", None, "send"),
        ("send", "refuse", "refuse"),
        ("refuse", "send", "refuse"),
        ("upload", "send", "upload"),
        ("upload", "refuse", "refuse"),
    ],
)
def test_of_config_and_file_the_stricter_one_holds(mine: str, file: str | None, holds: str) -> None:
    assert foreign.policy(UserConfig(foreign_urls=ForeignUrls(mine)), {"foreign_urls": file}) == holds


@pytest.mark.parametrize(
    ("url", "trusted", "is_foreign"),
    [
        ("https://cdn.example/a.png", (), True),
        ("https://cdn.example/a.png", ("cdn.example",), False),
        ("https://cdn.example:8443/a.png", ("cdn.example:8443",), False),
        ("https://cdn.example/a.png", ("cdn.example:8443",), True),
        ("https://tempfile.redpandaai.co/a.png", (), False),
        ("https://evilredpandaai.co/a.png", (), True),
        ("https://kie.ai.example/a.png", (), True),
    ],
)
def test_hosts_are_compared_whole(url: str, trusted: tuple[str, ...], is_foreign: bool) -> None:
    assert foreign.is_foreign(url, trusted) is is_foreign


def test_a_refused_address_is_an_error_at_its_place_with_the_way_out(film: Film) -> None:
    film.write(FILM.replace("RUN", "refuse"))

    said = film.command("run", "scenes.yaml", "--yes", "--json")

    assert said.code == Exit.INVALID
    (problem,) = said.json["problems"]
    assert (problem["line"], problem["code"]) == (4, "foreign-url")
    assert "`cdn.example`" in problem["message"]
    assert "trusted_hosts" in problem["hint"]
    assert film.sim.charges() == []


def test_a_trusted_host_is_not_refused(film: Film) -> None:
    set_config("trusted_hosts: [cdn.example]\nforeign_urls: refuse")
    film.write(FILM.replace("run: {foreign_urls: RUN}\n", ""))

    assert film.command("plan", "scenes.yaml").code == 0


def test_the_file_cannot_name_hosts(film: Film) -> None:
    film.write(FILM.replace("foreign_urls: RUN", "trusted_hosts: [cdn.example]"))

    assert film.command("validate", "scenes.yaml").code == Exit.INVALID


def test_an_address_that_cannot_be_copied_first_is_never_sent_itself(film: Film) -> None:
    film.write(FILM.replace("RUN", "upload"))
    film.sim.fault(on="upload", kind="code", value="400 That host says no", times=9)

    said = film.command("run", "scenes.yaml", "--yes", "--poll-interval", "0.01")

    assert said.code == Exit.FAILED
    assert "That host says no" in said.err
    assert film.sim.stats()["requests"]["upload"] >= 1
    assert film.sim.charges() == []


def test_a_trusted_address_is_sent_as_it_is(film: Film) -> None:
    set_config("trusted_hosts: [cdn.example]\nforeign_urls: upload")
    film.write(FILM.replace("run: {foreign_urls: RUN}\n", ""))

    assert film.command("run", "scenes.yaml", "--yes", "--poll-interval", "0.01").code == 0
    assert film.sim.charges()[0]["input"]["image_input"] == ["https://cdn.example/a.png"]
