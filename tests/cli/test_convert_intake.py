"""`convert` and `init --from` take what people have: a table, JSON, a plain text, an asset plan."""

from __future__ import annotations

import codecs
import shutil

import pytest

from kiebatch.scenefile import document
from kiebatch.scenefile.validation import value_at
from support.film import Film
from support.places import TESTS

CSV = "Nr;Prompt;Modell\r\n1;Ein Boot;z-image\r\n2;Ein Kai;z-image\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_of_a_spreadsheet_becomes_a_scene_file_that_plans(film: Film, encoding: str) -> None:
    film.scene_file.unlink(missing_ok=True)
    (film.folder / "list.csv").write_bytes(CSV.encode(encoding))

    said = film.command("convert", "list.csv", "--to", "yaml", "--output", "scenes.yaml")
    planned = film.command("plan", "scenes.yaml", "--json")

    assert said.code == 0, said.err
    assert "`Nr` is the ids" in said.err
    assert [job["input"]["prompt"] for job in planned.json["jobs"]] == ["Ein Boot", "Ein Kai"]
    assert codecs.BOM_UTF8 not in film.scene_file.read_bytes()


def test_init_starts_a_film_from_json(film: Film) -> None:
    (film.folder / "prompts.json").write_text('[{"scene": 1, "prompt": "a boat", "model": "z-image"}]')

    assert film.command("init", "new", "--from", "prompts.json").code == 0
    assert film.command("validate", "new/scenes.yaml").code == 0


def test_init_starts_a_film_from_an_asset_plan(film: Film) -> None:
    shutil.copy(TESTS / "corpus" / "markdown" / "02-asset-plan.md", film.folder / "ASSET-PLAN.md")

    assert film.command("init", "new", "--from", "ASSET-PLAN.md").code == 0
    made = document.read((film.folder / "new" / "scenes.yaml").read_text(encoding="utf-8"), "x")
    assert value_at(made.value, ("scenes", 0, "prompt"))


def test_a_plain_text_needs_its_form(film: Film) -> None:
    (film.folder / "prompts.txt").write_text("a boat\na quay\n")

    refused = film.command("convert", "prompts.txt", "--to", "yaml")
    taken = film.command("convert", "prompts.txt", "--to", "yaml", "--as", "lines")

    assert refused.code == 2
    assert "--as lines" in refused.err
    assert value_at(document.read(taken.out, "x").value, ("scenes", 1)) == {"id": 2, "prompt": "a quay"}


def test_a_shot_list_that_is_run_says_how_to_make_a_scene_file_of_it(film: Film) -> None:
    (film.folder / "list.csv").write_text("Scene,Shot,Description\n1,A,A lighthouse.\n", encoding="utf-8")
    refused = film.command("run", "list.csv")
    assert refused.code == 2
    hint = "`kiebatch convert list.csv --to yaml -o scenes.yaml` makes one of it"
    assert hint in refused.err
    assert film.command("convert", "list.csv", "--to", "yaml", "-o", "scenes.yaml").code == 0
