"""Writes a scene file for the models that take the place of closed ones; every other character stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import yaml

from kiebatch.catalogue.migrating import Migration
from kiebatch.model import JSON, as_mapping
from kiebatch.scenefile.document import read

# The parts of a scene file that hold `model`, `fallback` and `params`.
_PARTS = ("image", "video", "audio", "voiceover", "music", "sound_effects")
Find = Callable[[str], Migration | None]


@dataclass(frozen=True, slots=True)
class Change:
    """One model that was replaced: where, which, by which, and which of its `params` cannot be carried over."""

    line: int
    old: str
    new: str
    lost: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """A scene file's new text, and what changed in it."""

    text: str
    changes: tuple[Change, ...]


def migrated_yaml(text: str, file: str, find: Find) -> Migrated:
    """Return a YAML scene file with its closed models replaced.  `find` gives the way for a written name."""
    read(text, file)  # `Invalid` with what is wrong before anything is changed
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    walk = _Walk(text, find)
    if isinstance(root, yaml.MappingNode):
        walk.file(root)
    changed = text
    for edit in sorted(walk.edits, key=lambda e: e.start, reverse=True):
        changed = changed[: edit.start] + edit.text + changed[edit.end :]
    return Migrated(changed, tuple(walk.changes))


def migrated_markdown(text: str, find: Find) -> Migrated:
    """Return a Markdown scene file with the names of its closed models replaced; fields are left to the author."""
    changes: list[Change] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        found = re.match(r"(\s*[-*]\s*\**\s*(?:Model|Fallback)\s*\**\s*:\**\s*)(`?)([^`\n]+?)(`?)\s*$", line)
        way = find(found[3].strip()) if found else None
        if found and way:
            lines[number] = f"{found[1]}{found[2]}{way.new.id}{found[4]}"
            changes.append(Change(number + 1, found[3].strip(), way.new.id, {}))
    return Migrated("\n".join(lines), tuple(changes))


class _Walk:
    """Goes through the nodes of a file and collects the edits; a node that is shared by anchors is changed once."""

    def __init__(self, text: str, find: Find) -> None:
        self._text = text
        self._find = find
        self._seen: set[int] = set()
        self.edits: list[_Edit] = []
        self.changes: list[Change] = []

    def file(self, root: yaml.MappingNode) -> None:
        defaults = _child(root, "defaults")
        way = self._part(defaults, None)
        for scene in _items(_child(root, "scenes")):
            of_scene = self._part(scene, way)
            for shot in _items(_child(scene, "shots")):
                self._part(shot, of_scene)

    def _part(self, node: yaml.Node | None, inherited: Migration | None) -> Migration | None:
        """Change one mapping and the parts in it; return the way of the model that holds for what is below."""
        if not isinstance(node, yaml.MappingNode) or id(node) in self._seen:
            return inherited
        self._seen.add(id(node))
        model = _child(node, "model")
        way = None if model else inherited
        if isinstance(model, yaml.ScalarNode):
            way = self._model(model)
        spare = _child(node, "fallback")
        if isinstance(spare, yaml.ScalarNode):
            self._model(spare)
        if way:
            self._params(node, model, way, own=model is not None)
        for name in _PARTS:
            self._part(_child(node, name), None)
        return way

    def _model(self, node: yaml.ScalarNode) -> Migration | None:
        way = self._find(str(node.value))
        if way:
            self._replace(node, way.new.id)
            self.changes.append(Change(node.start_mark.line + 1, str(node.value), way.new.id, {}))
        return way

    def _params(self, node: yaml.MappingNode, model: yaml.Node | None, way: Migration, *, own: bool) -> None:
        params = _child(node, "params")
        given = _values(params)
        moved = way.moved(given)
        wanted = dict(moved.params)
        if not own:
            # What the way sets for every job goes to the model's own line, not to each part below it.
            for name in set(_set(way)) - set(given):
                wanted.pop(name, None)
        if moved.lost:
            line = (params or node).start_mark.line + 1
            self.changes.append(Change(line, way.old.id, way.new.id, moved.lost))
        if params is not None and wanted != given:
            self._replace(params, _flow(wanted))
        elif params is None and own and wanted and model is not None:
            self._insert_params(node, model, wanted)

    def _insert_params(self, node: yaml.MappingNode, model: yaml.Node, params: Mapping[str, JSON]) -> None:
        key = next(k for k, v in node.value if v is model)
        joint = ", " if node.flow_style else "\n" + " " * key.start_mark.column
        end = model.end_mark.index
        self.edits.append(_Edit(end, end, f"{joint}params: {_flow(params)}"))

    def _replace(self, node: yaml.Node, text: str) -> None:
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        start, end = node.start_mark.index, node.end_mark.index
        # A block mapping ends where the next token begins; what lies between is the file's own white space.
        end = start + len(self._text[start:end].rstrip())
        self.edits.append(_Edit(start, end, text))


def _set(way: Migration) -> Mapping[str, JSON]:
    return way.old.migration.get("set") or {}


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _items(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value


def _values(node: yaml.Node | None) -> Mapping[str, JSON]:
    """Return what a mapping holds, by the same rules as the file itself; nothing where the node is another."""
    return as_mapping(read(yaml.serialize(node), "").value) if isinstance(node, yaml.MappingNode) else {}


def _flow(value: Mapping[str, JSON]) -> str:
    return yaml.safe_dump(
        dict(value), default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000
    ).strip()
