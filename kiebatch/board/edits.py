"""Changes one value in a YAML scene file, and leaves every other character of it alone."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import yaml

from kiebatch.errors import Invalid
from kiebatch.model import JSON, Path, SceneId, ShotId, as_list, as_mapping, under
from kiebatch.scenefile import document

SOUNDS: Final = {"vo": "voiceover", "music": "music", "sfx": "sound_effects"}
_BY_HAND = "change it in the file by hand"


def prompt_path(value: JSON, scene: SceneId, shot: ShotId) -> Path:
    """Return the path of a shot's prompt in a scene file's values; `Invalid` where it has none."""
    path = shot_path(value, scene, shot)
    raw = value_at(value, path)
    if isinstance(raw, str):  # `voiceover: No one had come` is a shot, too
        return path
    for key in ("prompt", "text"):
        if isinstance(under(raw, key), str):
            return (*path, key)
    raise Invalid(f"{_named(scene, shot)} has no prompt of its own in the scene file", hint=_BY_HAND)


def prompt_of(value: JSON, scene: SceneId, shot: ShotId, take: int = 1) -> str:
    """Return a take's prompt as its author wrote it, before styles and characters: its own words, else the shot's."""
    raw = value_at(value, shot_path(value, scene, shot))
    takes = as_list(under(raw, "takes"))
    own = under(takes[take - 1], "prompt") if take <= len(takes) else None
    if isinstance(own, str):
        return own
    return str(value_at(value, prompt_path(value, scene, shot)))


def with_prompt(text: str, file: str, scene: SceneId, shot: ShotId, prompt: str) -> str:
    """Return the file's text with another prompt for one shot.

    `Invalid` where that cannot be done without touching something else (an anchor that others use, say).
    """
    value = document.read(text, file).value
    path = prompt_path(value, scene, shot)
    node = _node(text, path)
    start, end = node.start_mark.index, node.end_mark.index
    changed = text[:start] + _scalar(text, node, prompt) + text[end:]
    return _checked(changed, file, value, path, prompt)


def with_take(text: str, file: str, scene: SceneId, shot: ShotId, takes: int, prompt: str = "") -> str:
    """Return the file's text with one more take for a shot that has `takes` of them; `Invalid` as for `with_prompt`.

    With a `prompt` the new take has words of its own, and the others keep theirs.
    """
    value = document.read(text, file).value
    path = shot_path(value, scene, shot)
    raw = value_at(value, path)
    if isinstance(raw, str):  # `voiceover: No one had come` becomes a mapping, which can hold more
        node = _node(text, path)
        new: JSON = {"text": raw, "takes": more_takes(None, takes, prompt)}
        changed = text[: node.start_mark.index] + _flow(new) + text[node.end_mark.index :]
        return _checked(changed, file, value, path, new)
    old = under(raw, "takes")
    new = more_takes(old, takes, prompt)
    if old is None:
        changed = _added(text, _node(text, path), f"takes: {_flow(new)}")
    elif isinstance(old, list) and isinstance(new, list):
        changed = _appended(text, _node(text, (*path, "takes")), _flow(new[-1]))
    else:
        node = _node(text, (*path, "takes"))
        changed = text[: node.start_mark.index] + _flow(new) + text[node.end_mark.index :]
    return _checked(changed, file, value, (*path, "takes"), new)


def more_takes(old: JSON, takes: int, prompt: str = "") -> JSON:
    """Return the value of `takes` for one more than `takes`: a number, or a list where some take has its own words."""
    own: JSON = {"prompt": prompt} if prompt else None
    if isinstance(old, list):
        return [*old, own]
    if not prompt:
        return takes + 1
    return [*[None] * takes, own]


def diff(old: str, new: str, name: str) -> str:
    """Return what changed as a unified diff without its header."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, n=2, lineterm="")
    return "\n".join(list(lines)[2:])


def shot_path(value: JSON, scene: SceneId, shot: ShotId) -> Path:
    """Return the path of a shot in a scene file's values; `Invalid` where it is not there."""
    for i, entry in _entries(under(value, "scenes"), scene):
        path: Path = ("scenes", i)
        if shot is None:
            return path
        for j, _ in _entries(entry.get("shots"), shot):
            return (*path, "shots", j)
        sound = SOUNDS.get(str(shot))
        if sound and entry.get(sound) is not None:
            return (*path, sound)
    raise Invalid(f"{_named(scene, shot)} is not in the scene file")


def _entries(entries: JSON, ident: SceneId | ShotId) -> Iterator[tuple[int, Mapping[str, JSON]]]:
    """Yield the entries of a list that have an id, with their places in it."""
    for i, entry in enumerate(as_list(entries)):
        if isinstance(entry, Mapping) and str(entry.get("id")) == str(ident):
            yield i, entry


def _named(scene: SceneId, shot: ShotId) -> str:
    return f"scene {scene}" if shot is None else f"shot {shot} of scene {scene}"


def value_at(value: JSON, path: Path) -> JSON:
    """Return the value at a path, which is there."""
    for part in path:
        value = as_list(value)[part] if isinstance(part, int) else as_mapping(value)[part]
    return value


def with_value(value: JSON, path: Path, new: JSON) -> JSON:
    """Return the value with something else at a path; what it was stays as it is."""
    if not path:
        return new
    part, rest = path[0], path[1:]
    if isinstance(part, int):
        entries = list(as_list(value))
        entries[part] = with_value(entries[part], rest, new)
        return entries
    known = as_mapping(value)
    return {**known, part: with_value(known.get(part), rest, new)}


def _node(text: str, path: Path) -> yaml.Node:
    """Return the node at a path; keys that came by `<<` are written elsewhere and are not found."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)  # its marks count characters
    assert node is not None
    for part in path:
        node = node.value[part] if isinstance(part, int) else _value_of(node, part)
    return node


def _value_of(node: yaml.Node, key: str) -> yaml.Node:
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value
    for known, value in reversed(pairs):
        if isinstance(known, yaml.ScalarNode) and known.value == key:
            return value
    raise Invalid(f"`{key}` is shared with other shots by `<<`", hint=_BY_HAND)


def _scalar(text: str, node: yaml.Node, new: str) -> str:
    """Return a text as YAML, in the style that stood there where that can hold it."""
    assert isinstance(node, yaml.ScalarNode)
    if node.style in ("|", ">"):
        return _block(text, node, new)
    if node.style == "'" and "\n" not in new:
        return "'" + new.replace("'", "''") + "'"
    if node.style is None and _plain(new):
        return new
    return _quoted(new)


def _plain(new: str) -> bool:
    """Whether a text can be written without quotes, also between braces."""
    try:
        return bool(document.read(f"a: {{b: {new}, c: 1}}", "").value == {"a": {"b": new, "c": 1}}) and (
            "\n" not in new and not any(sign in new for sign in ("#", ": ", "{", "}", "[", "]", ","))
        )
    except Invalid:
        return False


def _block(text: str, node: yaml.Node, new: str) -> str:
    """Return a text as the block scalar that stood there: its header, its indentation, its blank lines after."""
    old = text[node.start_mark.index : node.end_mark.index]
    header, _, body = old.partition("\n")
    first = next((line for line in body.split("\n") if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" "))] or " " * (node.start_mark.column + 2)
    after = body[len(body.rstrip()) :] or "\n"
    ends = new.endswith("\n")
    if header.startswith(">"):
        header = "|" + header[1:]  # what the author wrote in lines stays in lines
    if not ends and "-" not in header:
        header = header[:1] + "-" + header[1:].lstrip("+")
    lines = new.rstrip("\n").split("\n")
    return header + "\n" + "\n".join(indent + line if line else "" for line in lines) + after


def _added(text: str, node: yaml.Node, entry: str) -> str:
    """Return the text with one more key in a mapping, behind its first."""
    assert isinstance(node, yaml.MappingNode)
    key, value = node.value[0]
    if node.flow_style:
        at = value.end_mark.index
        return f"{text[:at]}, {entry}{text[at:]}"
    # A new line behind the first key's, so that a comment there keeps its place.
    at = text.find("\n", _last_sign(value))
    indent = " " * key.start_mark.column
    if at < 0:
        return f"{text}\n{indent}{entry}\n"
    return f"{text[: at + 1]}{indent}{entry}\n{text[at + 1 :]}"


def _appended(text: str, node: yaml.Node, entry: str) -> str:
    """Return the text with one more entry at the end of a list."""
    assert isinstance(node, yaml.SequenceNode)
    if not node.value:
        return text[: node.start_mark.index] + f"[{entry}]" + text[node.end_mark.index :]
    last = node.value[-1]
    if node.flow_style:
        at = last.end_mark.index
        return f"{text[:at]}, {entry}{text[at:]}"
    # Right behind the last entry's own line, so that comments below the list keep their place.
    end = text.find("\n", _last_sign(last))
    indent = " " * node.start_mark.column
    if end < 0:
        return f"{text}\n{indent}- {entry}\n"
    return f"{text[: end + 1]}{indent}- {entry}\n{text[end + 1 :]}"


def _last_sign(node: yaml.Node) -> int:
    """Return where a node's own text ends: a block's mark is behind the white space after it."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        return end - 1 if node.style in ("|", ">") else end
    assert isinstance(node, yaml.CollectionNode)
    if node.flow_style or not node.value:
        return end
    if isinstance(node, yaml.MappingNode):
        return _last_sign(node.value[-1][1])
    return _last_sign(node.value[-1])


def _flow(value: JSON) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if value is None:
        return "~"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def _checked(changed: str, file: str, before: JSON, path: Path, new: JSON) -> str:
    """Return the changed text when it says what was meant, and nothing else changed."""
    try:
        found = document.read(changed, file).value
    except Invalid:
        found = None
    if found != with_value(before, path, new):
        raise Invalid(
            "this cannot be changed without touching something else in the scene file", hint=_BY_HAND
        )
    return changed
