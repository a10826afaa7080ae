"""The walk-throughs of CONTRIBUTING.md work as they are written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kiebatch.model import Done, Running, TaskFailed
from kiebatch.provider import read_reply
from support import made_film
from support.film import Film
from support.places import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(title: str, language: str) -> str:
    """Return the first code block of a language in one of the page's walk-throughs."""
    section = PAGE.split(f"## Walk-through: {title}\n")[1].split("\n## ")[0]
    found = re.search(rf"^ *```{language}\n(.*?)^ *```$", section, re.M | re.S)
    assert found, f"{title} has no {language} block"
    return dedent(found[1])


def module(title: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(block(title, "python"), f"CONTRIBUTING.md, {title}", "exec", dont_inherit=True), names)
    return names


@pytest.mark.slow
def test_the_model_of_the_walk_through_is_planned_and_made(film: Film) -> None:
    (film.folder / "models").mkdir()
    (film.folder / "models" / "acme.yaml").write_text(block("add a model", "yaml"), encoding="utf-8")
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: acme/lantern, prompt: A lantern in a window}\n")

    shown = film.command("models", "acme/lantern")
    planned = film.command("plan", "scenes.yaml", "--json").json
    made = film.command("run", "scenes.yaml", "--draft", "--json")

    assert (shown.code, planned["totals"]["credits"]) == (0, 6)
    assert (made.code, made.json["jobs"]["succeeded"]) == (0, 1)


def test_the_family_of_the_walk_through_reads_its_fixture() -> None:
    (endpoint,) = module("add an API family")["ENDPOINTS"]
    fixture = json.loads(block("add an API family", "json"))
    states = {"running": Running, "done": Done, "failed": TaskFailed}

    assert (endpoint.family, endpoint.path) == (fixture["family"], fixture["endpoint"])
    for exchange in fixture["exchanges"]:
        status = endpoint.status(read_reply(200, json.dumps(exchange["reply"]).encode()))
        means = exchange["means"]
        assert isinstance(status, states[means["status"]])
        if isinstance(status, Done):
            assert [output.url for output in status.outputs] == means["urls"]
        if isinstance(status, TaskFailed):
            assert status.code == means["code"]


@pytest.mark.needs("ffmpeg")
def test_the_export_of_the_walk_through_writes_its_file(tmp_path: Path) -> None:
    film = made_film.make(tmp_path / "film")

    written = module("add an export")["export"](*made_film.arguments(film, tmp_path / "markers.txt"))

    lines = written[0].read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1] for line in lines][:2] == ["1", "2a"]
    assert lines[0].startswith("00:00:00:00\t")


def test_the_files_that_the_walk_throughs_name_are_there() -> None:
    named = set(re.findall(r"`((?:kiebatch|tests|schemas|docs|\.github)/[\w./-]+\.\w+)`", PAGE))
    to_be_made = {name for name in named if "lantern" in name or "markers" in name}

    assert len(named) > 10
    assert [name for name in sorted(named - to_be_made) if not (ROOT / name).exists()] == []
