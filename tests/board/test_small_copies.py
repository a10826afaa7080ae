"""What a farm's workers made of a film's files is shown where the files are not, and not made once more where they are."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from kiebatch.board.live import LiveFilm
from kiebatch.board.page import Review
from kiebatch.cli import options
from kiebatch.cli.app import exit_code
from kiebatch.media import Kind
from support import stored_film
from support.stored_film import StoredFilm

pytestmark = [pytest.mark.slow, pytest.mark.needs("ffmpeg")]


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredFilm:
    return stored_film.make(tmp_path, monkeypatch)


def command(film: StoredFilm, *words: str) -> None:
    assert exit_code([*words, "--project", str(film.root)]) == 0


def reviewed(film: StoredFilm) -> LiveFilm:
    opened = film.open()
    return LiveFilm(film.open, options.derivatives(opened.workspace))


def test_a_mailed_board_plays_what_the_store_has(film: StoredFilm) -> None:
    film.without_files()

    command(film, "board", "--embed")

    page = (film.root / "board.html").read_text(encoding="utf-8")
    assert "data:video/mp4" in page
    assert "data:audio/mp4" in page
    assert page.count("data:image/webp") >= 4


def test_a_review_shows_pictures_clips_and_waves_of_files_that_are_not_here(film: StoredFilm) -> None:
    live = reviewed(film.without_files())

    page = live.page(Review())

    kinds: tuple[Kind, ...] = ("thumb", "poster", "web")
    for kind in kinds:
        address = re.search(rf"small/{kind}/([a-z0-9-]+)", page)
        assert address
        assert live.small(address[1], kind) is not None
    assert "kiebatch pull 2b" in page


def test_a_web_export_of_files_that_are_not_here_is_whole(
    film: StoredFilm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(film, "export", "web", "-o", str(tmp_path / "here"))
    shutil.rmtree(film.root / ".kiebatch" / "derivatives")
    film.without_files()

    command(film, "export", "web", "-o", str(tmp_path / "there"))

    here, there = (sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("here", "there"))
    assert here == there
    assert json.loads((tmp_path / "there" / "index.json").read_text())["shots"]
    assert "not here" not in capsys.readouterr().err


def test_a_clip_is_not_made_smaller_where_a_worker_did_that(film: StoredFilm, tmp_path: Path) -> None:
    for path in film.derived("web"):
        if path.suffix == ".mp4":
            path.write_bytes(path.read_bytes() + b"\0\0\0\x08free")

    command(film, "export", "web", "-o", str(tmp_path / "web"))

    assert (tmp_path / "web" / "2b.mp4").read_bytes().endswith(b"free")


def test_a_small_copy_that_is_something_else_is_not_shown(film: StoredFilm, tmp_path: Path) -> None:
    for path in (film.store / "derived").iterdir():
        path.write_text("<script>alert(1)</script>")

    command(film.without_files(), "export", "web", "-o", str(tmp_path / "web"))
    command(film, "board", "--embed")

    assert [p.name for p in (tmp_path / "web").iterdir()] == ["index.json"]
    assert not re.search(
        "data:(image/webp|video|audio)", (film.root / "board.html").read_text(encoding="utf-8")
    )


def test_a_contact_sheet_has_the_pictures_of_files_that_are_not_here(
    film: StoredFilm, tmp_path: Path
) -> None:
    command(film.without_files(), "export", "sheet", "-o", str(tmp_path / "with.png"))
    shutil.rmtree(film.root / ".kiebatch" / "derivatives")
    shutil.rmtree(film.store / "derived")
    command(film, "export", "sheet", "-o", str(tmp_path / "without.png"))

    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()


def test_a_store_that_is_away_is_named_once_and_the_page_is_written(
    film: StoredFilm, capsys: pytest.CaptureFixture[str]
) -> None:
    film.without_files()
    shutil.rmtree(film.store)

    command(film, "board")

    assert capsys.readouterr().err.count("without the small copies of the store") == 1
    assert (film.root / "board.html").is_file()
