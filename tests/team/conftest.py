"""A team's ledger for the tests of whole runs."""

from __future__ import annotations

import pytest

from kiebatch.team import accounts
from support.ledgers import ACCOUNT


@pytest.fixture
def team(team_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ledger of a team with a cap of 100 credits, and the environment that names it."""
    accounts.init(team_url, ACCOUNT, cap=100, lease_s=30)
    monkeypatch.setenv("KIEBATCH_TEAM", team_url)
    monkeypatch.setenv("KIEBATCH_ACCOUNT", ACCOUNT)
    return team_url
