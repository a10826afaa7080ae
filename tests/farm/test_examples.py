"""The files of `examples/farm` are what systemd and compose read, and their commands are ours."""

from __future__ import annotations

import configparser
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.waiting import until
from kiebatch.cli.app import exit_code
from support import farms
from support.places import ROOT

FARM = ROOT / "examples" / "farm"


def service() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FARM / "kiebatch-worker@.service", encoding="utf-8")
    return parser


def compose() -> Any:
    return yaml.safe_load((FARM / "compose.yaml").read_text(encoding="utf-8"))


def environment() -> dict[str, str]:
    lines = (FARM / "farm.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def unit_command() -> list[str]:
    return shlex.split(service()["Service"]["ExecStart"])[2:]


def test_systemd_starts_the_worker_always_but_not_where_it_would_not_help() -> None:
    found = service()["Service"]

    assert found["Restart"] == "always"
    assert found["RestartPreventExitStatus"] == "2"
    assert unit_command()[0] == "worker"
    assert found["EnvironmentFile"] == "/etc/kiebatch/farm.env"


def test_a_worker_gets_team_and_store_and_no_key() -> None:
    assert {"KIEBATCH_TEAM", "KIEBATCH_STORE"} <= set(environment())
    assert "KIE_API_KEY" not in environment()
    services = compose()["services"]
    assert all("KIE_API_KEY" not in one.get("environment", {}) for one in services.values())


def test_compose_makes_the_ledger_before_the_workers_and_restarts_them() -> None:
    services = compose()["services"]

    assert services["worker"]["restart"] == "always"
    assert "ledger" in services["worker"]["depends_on"]
    assert services["ledger"]["command"][:2] == ["team", "init"]


@pytest.mark.parametrize("command", [unit_command(), compose()["services"]["worker"]["command"]])
def test_the_commands_are_understood(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = exit_code(command)

    assert code == 2  # it is understood, and says what it lacks here
    assert "needs KIEBATCH_TEAM and KIEBATCH_STORE" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.needs("postgres")
@pytest.mark.parametrize("command", [unit_command(), compose()["services"]["worker"]["command"]])
def test_the_commands_work_until_they_are_told_to_end(
    command: list[str], team_url: str, tmp_path: Path
) -> None:
    with farms.farm(team_url, tmp_path) as farm:
        farm.prepare(1)
        farm.workers.append(
            subprocess.Popen([sys.executable, "-m", "kiebatch", *command], env=farm.environ())
        )
        until(lambda: farm.alive() == 1, "the worker's life")
        farm.workers[0].terminate()

        assert farm.workers[0].wait(60) == 0
        assert farm.alive() == 0
