"""The names of one scene file put into the editor's schema, so that an editor offers them where they are used.

They are `examples`: an editor proposes them, and a name that was written since is taken, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kiebatch.model import JSON, Slot, as_list, as_mapping, under
from kiebatch.scenefile.shots import with_ids

_MEDIA = ("references", "start_frame", "end_frame", "mask", "source")


def with_names(schema: Mapping[str, JSON], value: JSON) -> dict[str, JSON]:
    """Return the editor's schema with the styles, characters, references and slots that a scene file has."""
    names = _names(value)
    # `characters` of the file itself defines them, so that of its own keys only `defaults` uses names.
    properties = dict(as_mapping(schema["properties"]))
    properties["defaults"] = _with_offers(properties["defaults"], names)
    definitions = {
        name: definition if name.startswith("params") else _with_offers(definition, names)
        for name, definition in as_mapping(schema["$defs"]).items()
    }
    definitions["media"] = _offering(definitions["media"], names["references"])
    return {**schema, "properties": properties, "$defs": definitions}


def _names(value: JSON) -> dict[str, list[str]]:
    """Return the names by the key under which they are used."""
    styles, characters, references = (_keys(value, key) for key in ("styles", "characters", "references"))
    return {
        "style": styles,
        "characters": characters,
        **dict.fromkeys(_MEDIA, references),
        "shot": list(_slots(value)),
    }


def _keys(value: JSON, key: str) -> list[str]:
    return [str(name) for name in as_mapping(under(value, key))]


def _slots(value: JSON) -> Iterator[str]:
    for scene, said in with_ids(under(value, "scenes")):
        shots = [shot for shot, _ in with_ids(said.get("shots"))]
        if not shots:
            yield Slot(scene).shot_name
        for shot in shots:
            yield Slot(scene, shot).shot_name


def _with_offers(node: JSON, names: Mapping[str, Sequence[str]]) -> JSON:
    """Return a part of a schema in which every group of keys offers the names that its keys take."""
    if isinstance(node, list):
        return [_with_offers(one, names) for one in node]
    if not isinstance(node, Mapping):
        return node
    found = {key: _with_offers(one, names) for key, one in node.items()}
    properties = found.get("properties")
    if isinstance(properties, Mapping):
        known = {key: _offering(properties[key], names[key]) for key in properties if names.get(key)}
        found["properties"] = {**properties, **known}
    return found


def _offering(schema: JSON, names: Sequence[str]) -> JSON:
    """Return a schema that offers names in every place that takes a text."""
    if not isinstance(schema, Mapping):
        return schema
    found = dict(schema)
    kinds = schema.get("type")
    if kinds == "string" or "string" in as_list(kinds):
        found["examples"] = names
    if "anyOf" in schema:
        found["anyOf"] = [_offering(branch, names) for branch in as_list(schema["anyOf"])]
    if "items" in schema:
        found["items"] = _offering(schema["items"], names)
    return found
