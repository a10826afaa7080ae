"""Answers that come while the database is away are kept on the disk until they can be written."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.proxy import Proxy
from kiebatch.team import Away
from support.ledgers import Ledgers, sent, team_ledgers

pytestmark = pytest.mark.needs("postgres")


@pytest.mark.slow
def test_an_answer_that_cannot_be_written_is_kept_and_written_by_the_next_run(
    team_url: str, tmp_path: Path
) -> None:
    ledgers = team_ledgers(team_url, tmp_path, lease_s=0.3)
    port = urlsplit(team_url).port
    assert port is not None
    kept = tmp_path / "one" / "unwritten.jsonl"
    with Proxy(port) as proxy:
        behind = team_url.replace(f":{port}/", f":{proxy.port}/")
        journal = Ledgers("postgres", tmp_path, ledgers.clock, behind).team_journal()
        attempt = sent(journal)
    with pytest.raises(Away, match="cannot be reached"):
        journal.submitted(attempt, "t")
    journal.close()
    assert kept.exists()

    with ledgers.journal(run="r2") as again:
        assert [(a.state, a.task_id) for a in again.attempts()] == [("submitted", "t")]
    assert not kept.exists()


def test_an_answer_is_written_once_the_database_is_back(team_url: str, tmp_path: Path) -> None:
    ledgers = team_ledgers(team_url, tmp_path)
    port = urlsplit(team_url).port
    assert port is not None
    with Proxy(port) as proxy:
        behind = team_url.replace(f":{port}/", f":{proxy.port}/")
        journal = Ledgers("postgres", tmp_path, ledgers.clock, behind).team_journal()
        attempt = sent(journal)
        proxy.drop()
        journal.submitted(attempt, "t")

        assert journal.attempt(attempt).state == "submitted"
        assert not (tmp_path / "one" / "unwritten.jsonl").exists()
        journal.close()
