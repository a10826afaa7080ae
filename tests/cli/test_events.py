"""What a run tells programs: `--events` as its schema says, and `--log` with levels and without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kiebatch import formats
from kiebatch.cli.logbook import Logbook
from kiebatch.model import Slot, as_mapping
from kiebatch.running import events
from support.film import Film
from support.places import ROOT

SCENES = """\
kiebatch: 1
defaults: {model: nano-banana-2}
scenes:
  - {id: 1, prompt: A small boat}
  - {id: 2, prompt: The stairs}
  - {id: 3, prompt: The lamp}
  - {id: 4, model: kling-3.0/video, prompt: He stops, start_frame: {shot: 2}, params: {sound: false, mode: std, multi_shots: false}}
"""
QUICK = ["--yes", "--no-canary", "--poll-interval", "0.01", "--in-flight", "1"]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def told(film: Film) -> list[dict[str, Any]]:
    """The events of a run in which a job is saved, one fails, one is held, and one is not sent."""
    film.write(SCENES)
    film.sim.fault("submit@1=lasts:0.2")
    film.sim.fault("submit@2=fail:422 not allowed")
    film.sim.fault("submit@3=cut+after")
    film.command("run", "scenes.yaml", *QUICK, "--events", "events.jsonl", "--log", "run.log")
    return lines(film.folder / "events.jsonl")


@pytest.mark.slow
def test_every_event_is_as_its_schema_says(told: list[dict[str, Any]]) -> None:
    schema = json.loads(formats.path("events").read_text(encoding="utf-8"))
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())

    assert [error.message for event in told for error in check.iter_errors(event)] == []
    assert {event["event"] for event in told} == set(schema["properties"]["event"]["enum"])
    assert told[-1]["event"] == "finished"


def test_an_event_that_lacks_its_keys_does_not_pass() -> None:
    check = jsonschema.Draft202012Validator(as_mapping(formats.load("events")))
    event = {"time": "2026-11-27T10:00:00.000+01:00", "event": "failed", "slot": "1", "task_id": None}

    assert not check.is_valid(event)
    assert check.is_valid({**event, "code": "422", "message": "no", "retryable": False})


def test_every_event_and_key_is_on_its_page() -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    schema = json.loads(formats.path("events").read_text(encoding="utf-8"))
    keys = {key for part in schema["allOf"] for key in part["then"]["properties"]}

    assert [name for name in {*schema["properties"]["event"]["enum"], *keys} if f"`{name}`" not in page] == []


@pytest.mark.slow
def test_a_log_has_levels_and_says_what_events_do_not(film: Film, told: list[dict[str, Any]]) -> None:
    log = lines(film.folder / "run.log")

    levels = {line.get("event", "message"): line["level"] for line in log}
    assert levels["saved"] == "info"
    assert levels["failed"] == "error"
    assert levels["held"] == levels["skipped"] == "warning"
    assert levels["running"] == "debug"
    assert len([line for line in log if "event" in line]) == len(told)
    assert all(line["message"] for line in log)


def test_the_key_is_in_no_line_even_where_an_answer_repeats_it(tmp_path: Path) -> None:
    failed = events.JobFailed(
        slot=Slot(1), model="m", task_id="t", code="401", message="the key kie-secret is not known"
    )

    with Logbook(tmp_path / "run.log", "kie-secret") as log:
        log.write(failed, {"event": "failed", "slot": "1", "message": failed.message})

    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "kie-secret" not in text
    assert "the key *** is not known" in text


@pytest.mark.slow
def test_a_log_can_go_to_stderr(film: Film) -> None:
    film.write(SCENES.partition("  - {id: 2")[0])

    said = film.command("run", "scenes.yaml", *QUICK, "--log", "-", "--json")

    assert said.json["status"] == "success"
    assert '"event": "saved"' in said.err
