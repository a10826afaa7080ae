"""Small corrections by the user: a price, a limit, an alias on a shipped model, and where each fact comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kiebatch import catalogue
from kiebatch.catalogue import Catalogue, Model
from kiebatch.catalogue.inputs import build
from kiebatch.errors import Exit, Invalid
from kiebatch.model import Ask, under
from support.film import Film

ONE = """\
kiebatch: 1
scenes:
  - {id: 1, model: z-image, prompt: A small wooden boat nears a lighthouse, params: {aspect_ratio: "1:1"}}
"""


def patched(folder: Path, text: str, *, trusted: bool = False) -> Catalogue:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return catalogue.load([file], trusted=[file] if trusted else [])


def problem(folder: Path, text: str) -> str:
    with pytest.raises(Invalid) as found:
        patched(folder, text)
    return str(found.value.problems[0])


def test_a_patch_of_one_price_leaves_the_other_rows(tmp_path: Path) -> None:
    found = patched(
        tmp_path,
        "models: [{id: nano-banana-2, prices: [{when: {resolution: 2K}, per: output, credits: 99}]}]",
    ).resolve("nano-banana-2")

    assert catalogue.price(found, {"resolution": "2K"}).amount == 99
    assert catalogue.price(found, {"resolution": "1K"}).amount == 8
    assert found.title == catalogue.load().resolve("nano-banana-2").title


def test_a_price_needs_only_its_credits(tmp_path: Path) -> None:
    found = patched(tmp_path, "models: [{id: z-image, prices: [{credits: 2}]}]").resolve("z-image")

    assert catalogue.price(found, {}).amount == 2


def test_the_users_word_is_shown_and_the_cap_reserves_the_higher_price(tmp_path: Path) -> None:
    cheaper = patched(tmp_path, "models: [{id: z-image, prices: [{credits: 0.1}]}]").resolve("z-image")
    dearer = patched(tmp_path, "models: [{id: z-image, prices: [{credits: 5}]}]").resolve("z-image")

    assert (catalogue.price(cheaper, {}).amount, catalogue.price(cheaper, {}).reserved) == (0.1, 0.8)
    assert (catalogue.price(dearer, {}).amount, catalogue.price(dearer, {}).reserved) == (5, 5)


def test_the_prices_of_a_trusted_file_are_taken_as_they_are(tmp_path: Path) -> None:
    found = patched(tmp_path, "models: [{id: z-image, prices: [{credits: 0.1}]}]", trusted=True)

    assert catalogue.price(found.resolve("z-image"), {}).reserved == 0.1


def test_a_single_limit_of_a_field_is_corrected(tmp_path: Path) -> None:
    found = patched(
        tmp_path, "models: [{id: z-image, input: {properties: {prompt: {maxLength: 10}}}}]"
    ).resolve("z-image")

    assert not build(found, Ask(prompt="A boat on the sea")).ok
    assert "enum" in found.properties["aspect_ratio"]


def test_a_new_field_and_a_field_that_is_gone(tmp_path: Path) -> None:
    found = patched(
        tmp_path,
        "models: [{id: z-image, input: {properties: {new_switch: {type: boolean}, nsfw_checker: null}}}]",
    ).resolve("z-image")

    assert build(found, Ask(prompt="A boat", params={"new_switch": True, "aspect_ratio": "1:1"})).ok
    assert "nsfw_checker" not in found.properties


def test_an_alias_is_added(tmp_path: Path) -> None:
    found = patched(tmp_path, "models: [{id: nano-banana-2, aliases: [the banana]}]")

    assert found.resolve("the banana").id == "nano-banana-2"
    assert set(found.resolve("nano-banana-2").aliases) > {"the banana"}


def test_it_says_where_each_fact_comes_from(tmp_path: Path) -> None:
    found = patched(
        tmp_path,
        "models: [{id: z-image, as_of: '2026-11-20', prices: [{credits: 2}],"
        " input: {properties: {prompt: {maxLength: 10}}}}]",
    ).resolve("z-image")

    assert set(found.provenance) == {"prices", "input.prompt.maxLength"}
    assert found.provenance["prices"]["source"].endswith("mine.yaml")
    assert found.provenance["prices"]["as_of"] == "2026-11-20"
    assert under(found.as_json(), "provenance", "prices") == found.provenance["prices"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [{id: z-imagine, prices: [{credits: 2}]}]", "not a model that can be corrected"),
        ("models: [{id: z-image, price: [{credits: 2}]}]", "'price' was unexpected"),
        ("models: [{id: z-image, prices: [{credit: 2}]}]", "models.0.prices.0"),
        ("models: [{id: z-image, input: {properties: {prompt: {maxlength: 2}}}}]", "input.properties.prompt"),
    ],
)
def test_a_wrong_patch_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    assert says in problem(tmp_path, text)


def test_the_state_of_a_model_is_in_its_json(shipped: Catalogue) -> None:
    states = {m.as_json()["state"] for m in shipped.all()}

    assert states <= {"docs", "seen live", "inferred"}
    assert shipped.resolve("kling/ai-avatar-pro").state == "seen live"


# --- as a person does it -------------------------------------------------------------------------------


def own(film: Film, text: str) -> None:
    (film.folder / "models").mkdir(exist_ok=True)
    (film.folder / "models/mine.yaml").write_text(text, encoding="utf-8")


def test_an_entry_is_printed_edited_and_used(film: Film) -> None:
    entry = yaml.safe_load(film.command("models", "z-image", "--yaml").out)
    entry["models"][0]["prices"][0]["credits"] = 7
    own(film, yaml.safe_dump(entry))
    film.write(ONE)

    plan = film.command("plan", "scenes.yaml", "--json").json

    assert plan["jobs"][0]["credits"]["amount"] == 7


def test_a_cap_goes_by_the_shipped_price_unless_the_projects_prices_are_trusted(film: Film) -> None:
    own(film, "models: [{id: z-image, prices: [{credits: 0.1}]}]")
    film.write(ONE)

    refused = film.command("run", "scenes.yaml", "--max-credits", "0.5")
    plan = film.command("plan", "scenes.yaml").out
    made = film.command(
        "run", "scenes.yaml", "--max-credits", "0.5", "--trust-prices", "--poll-interval", "0.01"
    )

    assert refused.code == Exit.REFUSED
    assert "a cap reserves 0.8" in plan
    assert made.code == Exit.OK


def test_a_saved_plan_whose_price_has_risen_since_is_refused(film: Film) -> None:
    film.write(ONE)
    film.command("plan", "scenes.yaml", "--out", "p.json")
    own(film, "models: [{id: z-image, prices: [{credits: 2}]}]")

    said = film.command("run", "--plan", "p.json", "--yes")

    assert said.code == Exit.REFUSED
    assert "1 from 0.8 to 2" in said.err
    assert film.sim.charges() == []


def test_a_price_that_has_fallen_carries_a_saved_plan_out(film: Film) -> None:
    film.write(ONE)
    own(film, "models: [{id: z-image, prices: [{credits: 2}]}]")
    film.command("plan", "scenes.yaml", "--out", "p.json")
    own(film, "models: [{id: z-image, prices: [{credits: 1}]}]")

    assert film.command("run", "--plan", "p.json", "--yes", "--poll-interval", "0.01").code == Exit.OK


def test_a_model_of_tomorrow_is_an_entry_of_ones_own(shipped: Catalogue, tmp_path: Path) -> None:
    entry = {**shipped.resolve("z-image").raw, "id": "z-image-9", "title": "Z Image 9", "aliases": []}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"maker": "Z", "models": [dict(entry)]}), encoding="utf-8")

    found: Model = catalogue.load([file]).resolve("Z Image 9")

    assert (found.id, found.origin) == ("z-image-9", str(file))


def test_prices_in_the_persons_own_folder_are_trusted(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    home = film.folder.parent / "config"
    (home / "models").mkdir(parents=True)
    (home / "models/mine.yaml").write_text(
        "models: [{id: z-image, prices: [{credits: 0.1}]}]", encoding="utf-8"
    )
    monkeypatch.setenv("KIEBATCH_CONFIG_HOME", str(home))
    film.write(ONE)

    plan = film.command("plan", "scenes.yaml", "--json").json

    assert plan["jobs"][0]["credits"]["amount"] == 0.1
    assert "reserve" not in plan["jobs"][0]["credits"]
