"""The film as every export shows it: one answer about lengths, and the shots that were asked for."""

from __future__ import annotations

import csv as spreadsheet
from pathlib import Path

import opentimelineio as otio
import pytest

from kiebatch.board import film_builder as boards
from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.exports import cut
from kiebatch.project import Opened
from support import made_film

VOICE_ALONE = """\
kiebatch: 1
defaults: {model: nano-banana-2}
scenes:
  - id: 1
    voiceover: {text: "No one had come for years.", model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
  - id: 2
    duration: 20
    shots:
      - {id: a, prompt: He climbs, duration: 3}
      - {id: b, prompt: He stops, model: kling-3.0/video, duration: 5}
  - id: 3
    prompt: Empty
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made_film.make(tmp_path_factory.mktemp("films") / "lighthouse")


@pytest.mark.parametrize("scenes", [made_film.SCENES, VOICE_ALONE])
def test_board_list_and_timeline_agree_on_the_length_of_every_shot(scenes: str, tmp_path: Path) -> None:
    opened = made_film.make(tmp_path / "film", scenes)

    board = boards.build(opened.project, opened.manifest, opened.picks)
    on_board = [p.duration_s for p in board.panels if p.kind == "shot" and p.duration_s]
    whole = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)
    on_time = [whole.seconds(shot.frames) for shot in whole.shots]
    written = [float(row["seconds"]) for row in rows(opened, tmp_path) if row["seconds"]]
    played = [clip.trimmed_range().duration.to_seconds() for clip in timeline(opened, tmp_path)]

    assert on_board == on_time == written == played
    assert board.seconds == pytest.approx(sum(on_time))


def test_a_scene_of_a_voice_alone_has_its_time_in_the_film(tmp_path: Path) -> None:
    opened = made_film.make(tmp_path / "film", VOICE_ALONE)

    whole = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)

    assert [(s.name, s.start, s.frames) for s in whole.shots][:2] == [("1", 0, 72), ("2a", 72, 72)]


def test_chosen_shots_keep_the_films_times_and_take_the_sounds_of_their_scenes(film: Opened) -> None:
    found = chosen(film, only=("2-3",))

    assert [(s.name, s.start) for s in found.shots] == [("2a", 48), ("2b", 120), ("3", 156)]
    assert [s.name for s in found.sounds] == ["2.music"]


def test_what_plays_on_its_own_begins_at_zero_and_has_no_gaps(film: Opened) -> None:
    found = cut.closed_up(chosen(film, only=("1", "2b")))

    assert [(s.name, s.start, s.end) for s in found.shots] == [("1", 0, 48), ("2b", 48, 84)]
    assert [(s.name, s.start, s.end) for s in found.sounds] == [("1.vo", 0, 48), ("2.music", 48, 84)]


def test_only_what_somebody_picked(film: Opened) -> None:
    assert [s.name for s in chosen(film, picked=True).shots] == ["2a"]


@pytest.mark.parametrize("selector", ["77", "2z", "8-9"])
def test_a_selector_that_names_no_shot_is_refused(film: Opened, selector: str) -> None:
    with pytest.raises(Invalid, match=f"--only {selector} names no shot of the film"):
        chosen(film, only=("2", selector))


def test_nothing_left_is_an_error(film: Opened) -> None:
    with pytest.raises(Invalid, match="no shots match"):
        chosen(film, only=("1",), picked=True)


def test_the_command_exports_a_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_film.make(tmp_path / "film")

    assert app.exit_code(["export", "csv", str(tmp_path / "film"), "--only", "2b", "--only", "3"]) == 0

    with (tmp_path / "film" / "export" / "film.csv").open(encoding="utf-8-sig", newline="") as stream:
        listed = [row["slot"] for row in spreadsheet.DictReader(stream)]
    assert listed == ["2.music#1", "2b#1", "3#1"]


def test_reading_back_takes_the_whole_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_film.make(tmp_path / "film")

    assert app.exit_code(["export", "csv", str(tmp_path / "film"), "--import", "x.csv", "--only", "1"]) == 2
    assert "leave out --only" in capsys.readouterr().err


def chosen(film: Opened, **options: object) -> cut.Film:
    return cut.chosen(*made_film.arguments(film, Path("out"), **options))  # type: ignore[arg-type]


def rows(opened: Opened, folder: Path) -> list[dict[str, str]]:
    from kiebatch.exports import csv

    (path,) = csv.export(*made_film.arguments(opened, folder / "s.csv"))  # type: ignore[arg-type]
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(spreadsheet.DictReader(stream))


def timeline(opened: Opened, folder: Path) -> list[otio.schema.Clip]:
    from kiebatch.exports import otio as timelines

    (path,) = timelines.export(*made_film.arguments(opened, folder / "s.otio"))  # type: ignore[arg-type]
    read = otio.adapters.read_from_file(str(path))
    return list(read.video_tracks()[0].find_clips())
