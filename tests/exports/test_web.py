"""Small files for a web page, under names that stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from kiebatch import media
from kiebatch.cli import app
from kiebatch.exports import web
from kiebatch.project import Opened
from support import made_film

pytestmark = pytest.mark.needs("ffmpeg")


@pytest.fixture
def film(tmp_path: Path) -> Opened:
    return made_film.make(tmp_path / "film")


def written(film: Opened, folder: Path, **options: object) -> set[str]:
    web.export(*made_film.arguments(film, folder, **options))  # type: ignore[arg-type]
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_each_shot_has_its_files_under_its_own_name(film: Opened, tmp_path: Path) -> None:
    names = written(film, tmp_path / "web")

    assert names == {
        "index.json",
        *("1.webp", "1-thumb.webp", "1.vo.m4a"),
        *("2a.webp", "2a-thumb.webp", "2b.mp4", "2b-poster.webp", "2b-thumb.webp", "2.music.m4a"),
    }
    index = json.loads((tmp_path / "web" / "index.json").read_text(encoding="utf-8"))
    picked = next(shot for shot in index["shots"] if shot["shot"] == "2a")
    assert picked == {
        "slot": "2a#2", "shot": "2a", "scene": 2, "type": "image", "title": "The stairs", "seconds": 3.0, "picked": True,
        "web": "2a.webp", "thumb": "2a-thumb.webp",
    }  # fmt: skip


@pytest.mark.slow
def test_sizes_are_settings_and_nothing_is_enlarged(film: Opened, tmp_path: Path) -> None:
    written(film, tmp_path / "web", web_side=100, thumb_side=32)

    def side(name: str) -> int:
        with Image.open(tmp_path / "web" / name) as picture:
            return max(picture.size)

    assert (side("1.webp"), side("1-thumb.webp"), side("2b-poster.webp")) == (100, 32, 100)
    assert (media.facts(tmp_path / "web" / "2b.mp4").width or 0) <= 100
    written(film, tmp_path / "large", web_side=4000)
    with Image.open(tmp_path / "large" / "1.webp") as picture:
        assert picture.width == 192


@pytest.mark.slow
def test_a_name_stays_while_its_content_changes_and_goes_with_its_shot(film: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    written(film, folder)
    (folder / "mine.txt").write_text("not ours")
    before = (folder / "1.webp").stat().st_mtime_ns
    changed = (folder / "2a.webp").read_bytes()
    (tmp_path / "film" / "assets" / "picks.yaml").write_text(
        '- {slot: "2a#1", decision: pick, time: "2026-03-02T10:00:00.000Z"}\n'
    )

    names = written(made_film.open_(tmp_path / "film"), folder, only=("1", "2a"))

    assert "2b.mp4" not in names
    assert {"mine.txt", "2a.webp"} <= names
    assert (folder / "1.webp").stat().st_mtime_ns == before
    assert (folder / "2a.webp").read_bytes() != changed


@pytest.mark.slow
def test_every_take_has_a_name_of_its_own(film: Opened, tmp_path: Path) -> None:
    names = written(film, tmp_path / "web", all_takes=True)

    assert {"2a-t1.webp", "2a-t2.webp"} <= names


@pytest.mark.slow
def test_the_command_writes_a_folder(
    film: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.exit_code(["export", "web", str(tmp_path / "film"), "--thumb-size", "48"]) == 0

    assert "export/web: 10 files" in capsys.readouterr().out
    assert (tmp_path / "film" / "export" / "web" / "index.json").is_file()
