"""The skill for coding agents says what the program does: every command in it runs."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import yaml

from kiebatch.cli.app import COMMANDS
from kiebatch.errors import Exit
from support import transcripts
from support.film import Film
from support.places import ROOT

SKILL = ROOT / "skills" / "kiebatch" / "SKILL.md"
TEXT = SKILL.read_text(encoding="utf-8")


def written_commands() -> list[str]:
    """Return every kiebatch command of the page, in a block or in a line."""
    blocks = [command.text for command in transcripts.commands(TEXT)]
    inline = re.findall(r"`(kiebatch [^`]+)`", TEXT)
    lines = re.findall(r"```text\n(kiebatch .+)\n```", TEXT)
    return [*blocks, *inline, *lines]


def test_the_head_says_what_the_skill_is_for() -> None:
    head = yaml.safe_load(TEXT.split("---\n")[1])

    assert head["name"] == SKILL.parent.name
    assert set(head) == {"name", "description"}
    assert 100 < len(head["description"]) <= 1024


@pytest.mark.slow
def test_every_command_of_the_skill_runs(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(film.folder)
    unfinished = {"kiebatch resolve"}  # needs a held job, and a person
    found = [command for command in dict.fromkeys(written_commands()) if command not in unfinished]

    ran = {command: film.command(*shlex.split(command)[1:]) for command in found}

    assert len(found) > 8
    assert {command: said.err for command, said in ran.items() if said.code != 0} == {}
    for command, said in ran.items():
        if "--json" in command:
            json.loads(said.out)


@pytest.mark.slow
def test_the_cap_of_the_skill_is_what_the_example_costs(film: Film) -> None:
    film.command("init", "film")

    made = film.command("run", "film/scenes.yaml", "--max-credits", "40", "--json")

    assert (made.code, made.json["status"]) == (0, "success")
    assert sum(charge["credits"] for charge in film.sim.charges()) <= 40


def test_every_exit_code_but_a_bug_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.M)}

    assert explained == {int(code) for code in Exit} - {int(Exit.BUG)}


def test_commands_and_options_that_are_named_exist(film: Film) -> None:
    names = {shlex.split(command)[1] for command in written_commands()}
    spending = film.command("run", "--help").out

    assert names <= set(COMMANDS)
    for option in re.findall(r"`(--[a-z-]+)`", TEXT):
        assert option in spending, option
