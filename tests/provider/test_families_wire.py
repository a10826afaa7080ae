"""The families read the fixtures of `kiebatch/testing/answers`, which were written from the protocol, not from the code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kiebatch.model import JSON, Absent, Done, Running, TaskFailed
from kiebatch.provider import families, policy, read_reply
from kiebatch.provider.families import Endpoint
from kiebatch.testing.fixtures import ANSWERS

FIXTURES = sorted(ANSWERS.glob("*.json"))
PARENT: dict[str, JSON] = {"taskId": "the-parent", "index": 0}
STATES = {"running": Running, "done": Done, "failed": TaskFailed, "absent": Absent}


def exchanges() -> list[Any]:
    found = []
    for path in FIXTURES:
        fixture = json.loads(path.read_text(encoding="utf-8"))
        for exchange in fixture["exchanges"]:
            if "means" in exchange:
                endpoint = exchange.get("endpoint", fixture.get("endpoint"))
                name = f"{fixture['family']}: {exchange['situation']}"
                found.append(pytest.param(families.get(fixture["family"], endpoint), exchange, id=name))
    return found


@pytest.mark.parametrize(("endpoint", "exchange"), exchanges())
def test_an_exchange_of_the_protocol_means_what_it_says(endpoint: Endpoint, exchange: dict[str, Any]) -> None:
    reply = read_reply(200, json.dumps(exchange["reply"]).encode())
    means = exchange["means"]

    if "task" in means:
        verdict = policy.submit(reply, endpoint.task(reply, PARENT))
        assert (verdict.kind, verdict.task_id) == ("accepted", means["task"])
    elif "refused" in means:
        verdict = policy.submit(reply, endpoint.task(reply, PARENT))
        assert verdict.kind in ("refused", "later", "stop")
        assert verdict.code == str(means["refused"])
    else:
        status = endpoint.status(reply)
        assert isinstance(status, STATES[means["status"]])
        if isinstance(status, TaskFailed):
            assert status.code == means["code"]
        if isinstance(status, Done):
            assert [o.url for o in status.outputs if o.url] == means.get("urls", [])
            assert len([o for o in status.outputs if o.text]) == means.get("texts", 0)


def test_the_path_that_a_fixture_reads_is_the_one_the_family_asks_for() -> None:
    for param in exchanges():
        endpoint, exchange = param.values
        method, path = exchange["call"].split(" ")
        asked = {(endpoint.method, endpoint.path)}
        if not endpoint.at_once:
            record = endpoint.record("t")
            asked.add((record.method, record.path))
        assert (method, path) in asked
