"""Exports of a film whose files are in a store and not here: written all the same, with what brings the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.film import TWO_SHOTS, Film


@pytest.fixture
def checkout(film: Film, tmp_path: Path) -> Film:
    """The film was made and stored; here are the scene file, the manifest, and one of two pictures."""
    (tmp_path / "results").mkdir()
    film.write(TWO_SHOTS)
    assert film.run(store=f"file://{tmp_path / 'results'}").succeeded == 2
    second = next(asset for asset in film.manifest if asset["scene_id"] == 2)
    (film.folder / second["filename"]).unlink()
    return film


@pytest.mark.parametrize(
    "kind", ["sheet", "pdf", "otio", "edl", "web", pytest.param("animatic", marks=pytest.mark.slow)]
)
def test_an_export_is_written_and_names_what_brings_the_rest(
    checkout: Film, kind: str, tmp_path: Path
) -> None:
    said = checkout.command("export", kind, "--no-progress")

    assert said.code == 0, said.err
    assert f"the files of 2 are in the store and not here: file://{tmp_path / 'results'}" in said.err
    assert "`kiebatch pull 2`" in said.err


@pytest.mark.slow
def test_a_shot_list_needs_no_files(checkout: Film) -> None:
    said = checkout.command("export", "csv")

    assert (said.code, said.err) == (0, "")


@pytest.mark.slow
def test_the_answer_lists_what_is_not_here(checkout: Film) -> None:
    said = checkout.command("export", "edl", "--json")

    assert said.json["not_here"] == ["2"]
