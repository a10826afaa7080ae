"""The thresholds and the notifier of the person's own config.yaml hold for whatever spends, not for `run` alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kiebatch.errors import Exit
from support.film import Film

ONE = ("generate", "--prompt", "a boat", "--model", "nano-banana-2", "--poll-interval", "0.01")
FILM = """\
kiebatch: 1
defaults: {model: nano-banana-2, enhance: ask}
scenes:
  - {id: 1, prompt: A small boat nears the lighthouse}
"""


def test_generate_is_refused_above_the_persons_own_limit(film: Film) -> None:
    film.configure("reject_above: 5")

    said = film.command(*ONE, "--yes")

    assert said.code == Exit.REFUSED
    assert "`reject_above` in config.yaml is 5 credits" in said.json["error"]
    assert film.sim.charges() == []


@pytest.mark.slow
def test_generate_asks_above_the_persons_own_limit_although_yes_is_exported(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.configure("confirm_above: 0.03$")
    monkeypatch.setenv("KIEBATCH_YES", "1")

    said = film.command(*ONE)

    assert said.code == Exit.REFUSED
    assert "`confirm_above` in config.yaml is 6 credits" in said.json["error"]
    assert film.sim.charges() == []
    assert film.command(*ONE, "--yes").code == 0


def test_enhance_is_refused_above_the_persons_own_limit(film: Film) -> None:
    film.write(FILM)
    film.configure("reject_above: 0.001")

    said = film.command("enhance", "scenes.yaml", "--yes")

    assert said.code == Exit.REFUSED
    assert "`reject_above` in config.yaml is 0.001 credits" in said.err
    assert "nothing was asked" in said.err
    assert film.sim.charges() == []


def test_enhance_asks_above_the_files_limit_although_yes_is_exported(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(FILM + "run: {confirm_above: 0.001}\n")
    monkeypatch.setenv("KIEBATCH_YES", "1")

    said = film.command("enhance", "scenes.yaml")

    assert said.code == Exit.REFUSED
    assert "`confirm_above` in scenes.yaml is 0.001 credits" in said.err
    assert film.sim.charges() == []
    assert film.command("enhance", "scenes.yaml", "--yes").code == 0


@pytest.mark.slow
def test_generate_tells_of_its_end(film: Film, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    teller = tmp_path / "tell.py"
    teller.write_text(
        "import json, os, sys\n"
        f"json.dump([json.load(sys.stdin), os.environ['KIEBATCH_TEXT']], open({str(told)!r}, 'w'))\n"
    )
    film.configure(f"notify: {sys.executable} {teller}")

    said = film.command(*ONE, "--yes")

    (name,) = [Path(path).name for path in said.json["downloaded_files"]]
    assert json.loads(told.read_text()) == [said.json, f"success: {name}"]
