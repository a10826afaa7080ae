"""The names of one scene file put into the editor's schema, so that an editor offers them where they are used.

They are `examples`: an editor proposes them, and a name that was written since is taken, too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from kiebatch.model import JSON, Slot, under

_MEDIA = ("references", "start_frame", "end_frame", "mask", "source")


def with_names(schema: Mapping[str, JSON], value: JSON) -> dict[str, JSON]:
    """Return the editor's schema with the styles, characters, references and slots that a scene file has."""
    found = copy.deepcopy(dict(schema))
    names = _names(value)
    for properties in _properties(found):
        for key, known in names.items():
            if key in properties and known:
                _offer(properties[key], known)
    media = found["$defs"]["media"]
    _offer(media, names["references"])
    return found


def _names(value: JSON) -> dict[str, list[JSON]]:
    """Return the names by the key under which they are used."""
    styles, characters, references = (_keys(value, key) for key in ("styles", "characters", "references"))
    return {
        "style": styles,
        "characters": characters,
        **dict.fromkeys(_MEDIA, references),
        "shot": list(_slots(value)),
    }


def _keys(value: JSON, key: str) -> list[JSON]:
    group = under(value, key)
    return [str(name) for name in group] if isinstance(group, Mapping) else []


def _slots(value: JSON) -> Iterator[JSON]:
    for scene in _listed(value, "scenes"):
        shots = _listed(scene, "shots")
        if not shots:
            yield Slot(scene["id"]).shot_name
        for shot in shots:
            yield Slot(scene["id"], shot["id"]).shot_name


def _listed(value: JSON, key: str) -> list[Mapping[str, JSON]]:
    """Return the members of a list that have an id; a file that is being written may hold anything."""
    found = under(value, key)
    members = found if isinstance(found, list) else []
    return [one for one in members if isinstance(one, Mapping) and isinstance(one.get("id"), str | int)]


def _properties(node: JSON) -> Iterator[dict[str, JSON]]:
    """Yield every group of keys of a schema, but that of the file itself, whose `characters` defines them."""
    for name, definition in node["$defs"].items():
        if not name.startswith("params"):
            yield from _inside(definition)
    yield from _inside(node["properties"]["defaults"])


def _inside(node: JSON) -> Iterator[dict[str, JSON]]:
    if isinstance(node, list):
        for one in node:
            yield from _inside(one)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("properties"), dict):
        yield node["properties"]
    for one in node.values():
        yield from _inside(one)


def _offer(schema: JSON, names: list[JSON]) -> None:
    """Add names to every place of a schema that takes a text."""
    kinds = schema.get("type")
    if kinds == "string" or (isinstance(kinds, list) and "string" in kinds):
        schema["examples"] = names
    for branch in schema.get("anyOf", ()):
        _offer(branch, names)
    if isinstance(schema.get("items"), dict):
        _offer(schema["items"], names)
