"""The shape that the code reads a scene file by is that of the schema: no key more, and none less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_type_hints

import pytest

from kiebatch import formats
from kiebatch.model import JSON, as_list, as_mapping, under
from kiebatch.scenefile import shape

SCHEMA = formats.load("scenes.base")


def keys(shaped: type) -> set[str]:
    return set(get_type_hints(shaped))


def defined(name: str) -> set[str]:
    return _keys(under(SCHEMA, "$defs", name))


def _keys(schema: JSON) -> set[str]:
    """Return the keys of a group, which may be one of several forms."""
    forms: list[Mapping[str, JSON]] = [as_mapping(schema), *map(as_mapping, as_list(under(schema, "anyOf")))]
    return {key for form in forms for key in as_mapping(form.get("properties"))}


def test_a_file_has_the_keys_of_the_schema() -> None:
    assert keys(shape.FileValues) == _keys(SCHEMA)


def test_a_shot_has_the_keys_of_shots_and_sounds() -> None:
    assert keys(shape.ShotValues) == defined("shot") | defined("sound")


def test_a_scene_has_the_keys_of_scenes_and_those_of_shots() -> None:
    assert keys(shape.SceneValues) == defined("scene") | keys(shape.ShotValues)


def test_defaults_have_the_keys_of_the_schema_and_those_that_every_level_is_asked_for() -> None:
    asked_for = {"characters", "ignore_warnings"}
    of_all = _keys(under(SCHEMA, "properties", "defaults"))

    assert keys(shape.DefaultValues) == defined("defaults_of_a_modality") | asked_for
    assert keys(shape.Defaults) == of_all | asked_for | {"extra_params"}


@pytest.mark.parametrize(
    ("shaped", "name"), [(shape.ShotRef, "shot_output"), (shape.Take, "take")], ids=["shot", "take"]
)
def test_what_is_inside_has_the_keys_of_the_schema(shaped: type, name: str) -> None:
    assert keys(shaped) == defined(name)
