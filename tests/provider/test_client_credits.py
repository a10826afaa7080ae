from __future__ import annotations

import json

import pytest

from kiebatch.cli import app
from support.simulated import Sim


@pytest.fixture
def environ(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> Sim:
    monkeypatch.setenv("KIE_API_KEY", sim.key)
    monkeypatch.setenv("KIE_BASE_URL", sim.url)
    return sim


def test_credits_are_shown_in_words_and_as_json(environ: Sim, capsys: pytest.CaptureFixture[str]) -> None:
    environ.balance = 5916.25

    assert app.exit_code(["credits"]) == 0
    assert capsys.readouterr().out == "5,916.25 credits, about USD 29.58\n"

    assert app.exit_code(["credits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"balance": 5916.25}


def test_a_wrong_key_ends_with_4_and_is_not_shown(environ: Sim, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.exit_code(["credits", "--json", "--api-key", "wrong-key"]) == 4

    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "refused"
    assert "wrong-key" not in said.out + said.err
