"""Names that people write: display names shared by several models, chat models, words for what is wanted."""

from __future__ import annotations

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import Catalogue, UnknownModel
from support.film import Film

SHARED = [
    ("Seedream 4.5", "seedream/4.5-text-to-image", "seedream/4.5-edit"),
    ("Flux-2", "flux-2/pro-text-to-image", "flux-2/pro-image-to-image"),
    ("Qwen", "qwen/text-to-image", "qwen/image-to-image"),
    ("Ideogram", "ideogram/v3-text-to-image", "ideogram/v3-remix"),
    ("GPT Image 1.5", "gpt-image/1.5-text-to-image", "gpt-image/1.5-image-to-image"),
    ("GPT Image 2", "gpt-image-2-text-to-image", "gpt-image-2-image-to-image"),
]


@pytest.mark.parametrize(("name", "from_words", "from_pictures"), SHARED)
def test_a_name_that_models_share_is_decided_by_whether_pictures_are_given(
    shipped: Catalogue, name: str, from_words: str, from_pictures: str
) -> None:
    assert shipped.resolve(name, pictures=False).id == from_words
    assert shipped.resolve(name, pictures=True).id == from_pictures


def test_with_a_mask_it_is_the_model_that_takes_one(shipped: Catalogue) -> None:
    assert shipped.resolve("Ideogram V3", pictures=True, mask=True).id == "ideogram/v3-edit"


def test_a_shot_with_a_reference_gets_the_edit_model(film: Film) -> None:
    film.write(
        """\
        kiebatch: 1
        defaults: {model: Seedream 4.5}
        characters: {keeper: {text: a keeper, references: ["https://a.example/k.png"]}}
        scenes:
          - {id: 1, prompt: A boat nears a lighthouse}
          - {id: 2, prompt: The same at night, references: ["https://a.example/1.png"]}
          - {id: 3, prompt: "{keeper} waits by the door"}
        """
    )

    jobs = film.command("plan", "scenes.yaml", "--json").json["jobs"]

    assert [job["model"] for job in jobs] == [
        "seedream/4.5-text-to-image",
        "seedream/4.5-edit",
        "seedream/4.5-edit",
    ]


@pytest.mark.parametrize(
    "name",
    ["4o Image", "Flux Kontext Pro", "Flux Kontext Max", "Imagen 4", "Grok Imagine", "Z-Image", "Topaz"],
)
def test_the_names_of_other_tools_work(shipped: Catalogue, name: str) -> None:
    assert shipped.resolve(name)


@pytest.mark.parametrize(
    "name", ["GPT-5-2", "Claude Sonnet 4.5", "gpt 5.5", "Grok 4.7", "kimi-k3", "claude-opus-5-5"]
)
def test_a_chat_model_is_known_as_such_in_any_spelling(shipped: Catalogue, name: str) -> None:
    with pytest.raises(UnknownModel, match="is a chat model"):
        shipped.resolve(name)


@pytest.mark.parametrize(
    "words", ["upscaling", "general purpose", "text in image", "background removal", "editing"]
)
def test_the_words_of_other_tools_suggest_something(words: str) -> None:
    assert catalogue.suggest(words)


def test_what_the_catalogue_fills_in_is_never_a_discontinued_value(shipped: Catalogue) -> None:
    filled = [
        (model.id, name)
        for model in shipped.all()
        if model.status == "current"
        for name, schema in model.properties.items()
        for value in (model.fill.get(name), schema.get("default"))
        if value is not None and value in (schema.get("discontinued") or [])
    ]

    assert filled == []
