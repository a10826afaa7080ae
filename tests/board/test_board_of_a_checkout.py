"""The board of a film whose files are in a store and not here."""

from __future__ import annotations

from pathlib import Path

from kiebatch.board.live import LiveFilm
from kiebatch.board.page import Review
from support.film import Film

SCENES = """
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 1, prompt: A boat at dawn}
"""


def test_a_file_that_is_in_the_store_alone_is_not_said_to_be_gone(film: Film, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    film.write(SCENES)
    film.run(store=f"file://{tmp_path / 'results'}")
    here = LiveFilm(film.load).page(Review())
    (film.folder / film.manifest[0]["filename"]).unlink()

    written = film.command("board", "--output", "board.html")
    served = LiveFilm(film.load).page(Review())

    assert written.code == 0
    assert '"away":"kiebatch pull 1"' in served.replace('": "', '":"')
    assert "kiebatch pull 1" in Path("board.html").read_text(encoding="utf-8")
    assert "kiebatch pull 1" not in here
