"""`export animatic` in a team: workers encode its segments, and the film is the one that a machine alone makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.farm import Farm
from bench.waiting import until
from kiebatch.cli.app import exit_code
from support import farms, made_film

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres"), pytest.mark.needs("ffmpeg")]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return made_film.make(tmp_path / "lighthouse").workspace.root


def exported(film: Path, name: str) -> bytes:
    target = film.parent / name
    code = exit_code(
        ["export", "animatic", "--project", str(film), "--size", "320x180", "--captions", "-o", str(target)]
    )
    assert code == 0
    return target.read_bytes()


def alone(film: Path) -> bytes:
    """Export as a machine without a team does, and forget the pieces."""
    made = exported(film, "alone.mp4")
    shutil.rmtree(film / ".kiebatch" / "animatic")
    return made


def in_the_team(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KIEBATCH_TEAM", "KIEBATCH_STORE"):
        monkeypatch.setenv(name, farm.environ()[name])


def segments(farm: Farm) -> list[tuple[str, bool]]:
    """Return how each segment that was asked for ended, and whether a worker began it."""
    rows = farm.ask("SELECT state, started FROM units WHERE kind = 'segment'")
    return [(row["state"], row["started"] > 0) for row in rows]


def test_workers_encode_the_segments_and_the_film_is_the_same(
    film: Path, team_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone(film)
    with farms.farm(team_url, tmp_path) as farm:
        farm.prepare(0)
        farm.start(kinds="segment", jobs=2)
        until(lambda: farm.alive() == 1, "the worker's life")
        in_the_team(farm, monkeypatch)

        assert exported(film, "together.mp4") == expected
        assert segments(farm) == [("made", True)] * 4
        assert len(list((farm.store / "segments").iterdir())) == 4


def test_a_segment_that_the_store_lost_is_encoded_all_the_same(
    film: Path, team_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone(film)
    with farms.farm(team_url, tmp_path) as farm:
        farm.prepare(0)
        farm.start(kinds="segment", jobs=2)
        until(lambda: farm.alive() == 1, "the worker's life")
        in_the_team(farm, monkeypatch)
        exported(film, "together.mp4")
        shutil.rmtree(film / ".kiebatch" / "animatic")
        shutil.rmtree(farm.store / "segments")
        shutil.rmtree(tmp_path / "worker-0" / "kept")

        assert exported(film, "once-more.mp4") == expected


def test_without_a_worker_this_machine_encodes_and_stores_nothing(
    film: Path, team_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone(film)
    with farms.farm(team_url, tmp_path) as farm:
        farm.prepare(0)
        in_the_team(farm, monkeypatch)

        assert exported(film, "here.mp4") == expected
        assert segments(farm) == []
        assert not (farm.store / "segments").exists()


def test_without_the_database_this_machine_encodes_and_says_so(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_team(Farm("postgresql://studio@127.0.0.1:1/none", tmp_path, "", "image"), monkeypatch)

    assert exported(film, "here.mp4")
    assert "without the team's workers" in capsys.readouterr().err
