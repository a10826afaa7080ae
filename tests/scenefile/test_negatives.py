"""`negative: NAME`: a ready list of what to avoid, the same in YAML, in the plan and after a conversion."""

from __future__ import annotations

import pytest
import yaml

from kiebatch.catalogue.starters import RULES, starters
from kiebatch.model import under
from kiebatch.scenefile import convert, document
from support.film import Film

TEXT = """\
kiebatch: 1
negative: universal
scenes:
  - id: 1
    model: ideogram/v3-text-to-image
    prompt: Waves break over black rocks below a white lighthouse
    negative: photorealism
    negative_prompt: [sunset]
"""


def avoided(film: Film, text: str) -> list[str]:
    film.write(text)
    job = film.command("plan", "scenes.yaml", "--json").json["jobs"][0]
    return str(job["input"]["negative_prompt"]).split(", ")


def test_a_name_means_its_whole_list_beside_words_of_ones_own(film: Film) -> None:
    found = avoided(film, TEXT)

    assert set(found) == {"sunset", *starters()["photorealism"], *starters()["universal"]}
    assert found[0] == "sunset"


def test_an_unknown_name_is_an_error_at_its_place(film: Film) -> None:
    film.write(TEXT.replace("photorealism", "photorealistic"))

    said = film.command("validate", "scenes.yaml", "--json").json

    assert [(p["severity"], p["line"]) for p in said["problems"] if p["severity"] == "error"] == [
        ("error", 7)
    ]


def test_a_word_of_the_negative_prompt_is_never_taken_for_a_list(film: Film) -> None:
    assert avoided(film, TEXT.replace("    negative: photorealism\n", "").replace("sunset", "photorealism"))[
        0
    ] == ("photorealism")


def test_a_conversion_to_markdown_writes_the_list_out() -> None:
    text = convert.to_markdown(document.read(TEXT, "scenes.yaml"))

    assert "mutated" not in text
    assert all(term in text for term in (*starters()["photorealism"], *starters()["universal"], "sunset"))


@pytest.mark.parametrize(("name", "size"), [("universal", 11), ("people", 10), ("photorealism", 10)])
def test_each_list_is_whole(name: str, size: int) -> None:
    assert len(set(starters()[name])) == size


def test_the_lists_are_printed_with_the_rules(film: Film) -> None:
    said = film.command("models", "--negative")
    as_json = film.command("models", "--negative", "--json").json

    assert "mutated hands" in said.out
    assert "stack two or three synonyms" in said.out
    assert as_json["rules"] == list(RULES)


def test_the_schema_knows_the_names_of_the_lists() -> None:
    from kiebatch import formats

    known = under(formats.load("scenes.base"), "$defs", "negative_starter", "enum")
    assert known == list(starters())
    assert yaml.safe_load(TEXT)["negative"] in starters()
