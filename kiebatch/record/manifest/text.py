"""The text of a manifest: parse and dump, deterministic, other tools' keys kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from json.encoder import encode_basestring
from typing import Any

from kiebatch import files, formats
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Asset, as_mapping
from kiebatch.record.manifest.ids import PREFIXES
from kiebatch.record.manifest.manifest import Manifest
from kiebatch.record.manifest.repair import repaired

FORMAT = 1

_TEXT, _WHOLE, _NUMBER = frozenset([str]), frozenset([int]), frozenset([int, float])
# Every key we know, in the order in which an entry is written, with the types it may have.
KEYS: Mapping[str, frozenset[type]] = {
    "id": _TEXT,
    "type": _TEXT,
    "filename": _TEXT,
    "prompt": _TEXT,
    "model": _TEXT,
    "parameters": frozenset([dict]),
    "created_at": _TEXT,
    "scene_id": frozenset([int, str]),
    "version": _WHOLE,
    "superseded_by": _TEXT,
    "shot": frozenset([int, str]),
    "take": _WHOLE,
    "output": _WHOLE,
    "task_id": _TEXT,
    "fingerprint": _TEXT,
    "sha256": _TEXT,
    "bytes": _WHOLE,
    "media_type": _TEXT,
    "width": _WHOLE,
    "height": _WHOLE,
    "duration": _NUMBER,
    "credits": _NUMBER,
    "draft": frozenset([bool]),
    "made_from": frozenset([list]),
}
# What other tools read; written always, whatever it is.
_ALWAYS = frozenset(
    ["id", "type", "filename", "prompt", "model", "parameters", "created_at", "scene_id", "version"]
)


# --- text to record ------------------------------------------------------------------------------------


def parse(text: str, file: str) -> Manifest:
    """Return the record that `text` holds; empty text is an empty one.  `file` is its name in messages.

    Raises `Invalid` for text that is not a manifest of a format we know, and for conflict markers of a merge.
    Duplicate and missing ids, links to nowhere and two newest versions of one line are repaired and noted.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        return Manifest()
    value = _head(text, file)
    entries = _entries_in(value, file)
    source = value.pop("source", None)
    if source is not None and not isinstance(source, str):
        value["source"], source = source, None
    _check_names(text, file, entries, source)
    assets, repairs = repaired([asset_of(entry) for entry in entries])
    return Manifest(assets, source, value, tuple(replace(repair, where=Where(file)) for repair in repairs))


def _head(text: str, file: str) -> dict[str, JSON]:
    """Return what the text of a manifest holds, without its format, which must be one that we read."""
    try:
        value = formats.strict_json(text)
    except ValueError as error:
        raise _unreadable(text, file, error) from None
    if not isinstance(value, dict):
        raise _invalid(file, f"a manifest is an object with a list `assets`, found {_kind(value)}")
    version = value.pop("kiebatch", FORMAT)
    if version != FORMAT or isinstance(version, bool):
        newer = isinstance(version, int) and version > FORMAT
        raise _invalid(
            file,
            f"this manifest has format {json.dumps(version)}, this kiebatch reads format {FORMAT}",
            "install a newer kiebatch" if newer else "",
        )
    return value


def _entries_in(value: dict[str, JSON], file: str) -> list[Mapping[str, JSON]]:
    """Take the entries out of a manifest; `Invalid` where one is not an object."""
    entries = value.pop("assets", [])
    if not isinstance(entries, list):
        raise _invalid(file, f"`assets` must be a list, found {_kind(entries)}")
    for number, entry in enumerate(entries, start=1):
        if type(entry) is not dict:
            raise _invalid(file, f"entry {number} of `assets` must be an object, found {_kind(entry)}")
    return entries


def parse_file(text: str, file: str) -> Manifest:
    """Return the record of a file that is there; as `parse`, but a file without a list `assets` is not a manifest.

    Unreadable is never missing: an empty file is damage, and a web app's manifest is another program's.  Treated as
    nothing, everything would be bought again beside the old files.
    """
    recorded = parse(text, file)
    if recorded.assets:
        return recorded
    value = as_mapping(formats.strict_json(text.removeprefix("\ufeff"))) if text.strip() else {}
    if "assets" in value:
        return recorded
    if not value or "kiebatch" in value:
        raise _invalid(
            file,
            "the manifest is empty: it has no list `assets`",
            f"restore it from git: `git restore {file}`",
        )
    raise _invalid(
        file,
        "this is another program's file, not a manifest: it has no list `assets`",
        "name another folder with --assets, or `assets:` in the scene file",
    )


def _check_names(text: str, file: str, entries: Sequence[Mapping[str, JSON]], source: str | None) -> None:
    """Raise `Invalid` with every name in it that can be no file's, or that leads out of the project."""
    problems = []
    if source is not None:
        wrong = files.name_problem(source)
        if not wrong and (source in (".", "..") or re.search(r"[/\\]", source)):
            wrong = "it is the plain name of the scene file, in the project folder"
        if wrong:
            problems.append((source, f"`source`: `{source[:80]}` cannot be taken: {wrong}"))
    for entry in entries:
        name = entry.get("filename")
        if isinstance(name, str) and name and (wrong := files.name_problem(name)):
            problems.append((name, f"`filename`: `{name[:80]}` is not a file name: {wrong}"))
    if problems:
        raise Invalid(
            [
                Problem(where=_where(text, file, name), message=message, code="manifest")
                for name, message in problems
            ]
        )


def _where(text: str, file: str, value: str) -> Where:
    """Return where a text stands as a value, whether non-ASCII characters are escaped there or not."""
    spellings = (json.dumps(value, ensure_ascii=False), json.dumps(value))
    position = next((found for one in spellings if (found := text.find(one)) >= 0), -1)
    if position < 0:
        return Where(file)
    return Where(file, text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _kind(value: JSON) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _invalid(file: str, message: str, hint: str = "", line: int = 0, column: int = 0) -> Invalid:
    return Invalid([Problem(where=Where(file, line, column), message=message, hint=hint, code="manifest")])


def _unreadable(text: str, file: str, error: ValueError) -> Invalid:
    marker = re.search(r"^<{7}(?: |$)", text, re.MULTILINE)
    if marker:
        return _invalid(
            file,
            "git left conflict markers here: two branches changed one place of the manifest",
            "`kiebatch verify --fix` joins both sides; `kiebatch git install` spares you the next time",
            text.count("\n", 0, marker.start()) + 1,
        )
    hint = (
        "restore it from git, or from a copy; kiebatch writes this file whole, so something else changed it"
    )
    if isinstance(error, json.JSONDecodeError):
        return _invalid(file, f"this is not JSON: {error.msg}", hint, error.lineno, error.colno)
    return _invalid(file, f"this is not JSON: {error}", hint)


def asset_of(entry: Mapping[str, JSON]) -> Asset:
    known: dict[str, Any] = {}
    extra: dict[str, JSON] = {}
    for key, value in entry.items():
        types = KEYS.get(key)
        if types is None:
            extra[key] = value
        elif type(value) in types and not _is_vast(value):
            known[key] = value
        elif value is not None:
            extra[key] = value  # not what we expect under this name: kept as it is
    for key in ("sha256", "fingerprint"):
        if key in known and not _DIGEST.fullmatch(known[key]):
            extra[key] = known.pop(key)  # files are named by digests, so nothing else may pass for one
    links = known.get("made_from")
    if links is not None:
        if all(type(link) is str for link in links):
            known["made_from"] = tuple(links)
        else:
            extra["made_from"] = known.pop("made_from")
    known.setdefault("id", "")
    known.setdefault("filename", "")
    if "type" not in known:
        known["type"] = _type_of(known["id"], known["filename"])
    return Asset(**known, extra=extra)


def _is_vast(value: JSON) -> bool:
    """Whether a number is larger than any size, length or price: one that no float can hold."""
    return type(value) is int and abs(value) >= 2**63


_DIGEST = re.compile(r"[^/\\\x00-\x1f]{1,200}")


def _type_of(id: str, filename: str) -> str:
    by_prefix = {prefix: type for type, prefix in PREFIXES.items()}
    if id[:3] in by_prefix:
        return by_prefix[id[:3]]
    ending = filename.rpartition(".")[2].lower()
    endings = {"video": "mp4 mov webm mkv", "audio": "mp3 wav m4a ogg flac aac", "text": "txt md json srt"}
    return next((type for type, known in endings.items() if ending in known.split()), "image")


_HEAD, _NEXT, _TAIL = '\n  "assets": [\n    {\n', "\n    },\n    {\n", "\n    }\n  ]\n}\n"


def differing(old: str, new: str) -> tuple[str, str]:
    """Return two records' texts with only the scenes in which they differ, for comparing large ones quickly.

    Texts that are not written as we write them come back as they are.
    """
    both = [_entries(text) for text in (old, new)]
    if both[0] is None or both[1] is None:
        return old, new
    same = set(both[0][1]) & set(both[1][1])
    scenes = {_scene(entry) for _, entries in (both[0], both[1]) for entry in entries if entry not in same}
    texts = []
    for head, entries in (both[0], both[1]):
        kept = [entry for entry in entries if _scene(entry) in scenes]
        texts.append(head + _HEAD + _NEXT.join(kept) + _TAIL if kept else head + '\n  "assets": []\n}\n')
    return texts[0], texts[1]


def _entries(text: str) -> tuple[str, list[str]] | None:
    head, found, body = text.partition(_HEAD)
    if not found or not body.endswith(_TAIL) or _HEAD in body:
        return None
    return head, body[: -len(_TAIL)].split(_NEXT)


def _scene(entry: str) -> str:
    key = '\n      "scene_id": '  # a text inside an entry cannot hold a line break
    start = entry.find(key)
    if start < 0:
        return ""
    start += len(key)
    end = entry.find("\n", start)
    return entry[start : end if end >= 0 else None].rstrip(",").strip('"')


# --- record to text ------------------------------------------------------------------------------------


def dump(manifest: Manifest) -> str:
    """Return the record as text, the same bytes for the same record: `json.dumps(..., indent=2)` and a newline."""
    head: dict[str, JSON] = {"kiebatch": FORMAT}
    if manifest.source is not None:
        head["source"] = manifest.source
    parts = [f"  {_string(key)}: {_nested(value, '  ')}" for key, value in {**head, **manifest.extra}.items()]
    texts = manifest._texts
    for index, text in enumerate(texts):
        if text is None:
            texts[index] = _entry_text(manifest.assets[index])
    entries = ",\n".join(text for text in texts if text is not None)
    parts.append(f'  "assets": [\n{entries}\n  ]' if entries else '  "assets": []')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def entry(asset: Asset) -> dict[str, JSON]:
    """Return an asset as its manifest entry: the known keys in fixed order, then those of other tools."""
    result: dict[str, JSON] = {}
    for key in KEYS:
        if key in asset.extra:
            result[key] = asset.extra[key]
            continue
        value = getattr(asset, key)
        if key in _ALWAYS or _written(asset, key, value):
            result[key] = value
    if "made_from" in result and isinstance(result["made_from"], tuple):
        result["made_from"] = list(result["made_from"])
    for key, value in asset.extra.items():
        result.setdefault(key, value)
    return result


def _written(asset: Asset, key: str, value: JSON) -> bool:
    if key == "take":
        return asset.sha256 is not None or asset.shot is not None or value != 1
    if key == "output":
        return bool(value != 1)
    if key in ("draft", "made_from"):
        return bool(value)
    return value is not None


def _entry_text(asset: Asset) -> str:
    # The C encoder does not indent, and the one in Python needs seconds for a large manifest.
    rows = [f"      {_string(key)}: {_nested(value, '      ')}" for key, value in entry(asset).items()]
    return "    {\n" + ",\n".join(rows) + "\n    }"


def _nested(value: JSON, indent: str) -> str:
    if type(value) is str:
        return _string(value)
    if type(value) is int:
        return str(value)
    if not value and type(value) is dict:
        return "{}"
    return _safe(json.dumps(value, indent=2, ensure_ascii=False)).replace("\n", "\n" + indent)


def _string(text: str) -> str:
    quoted: str = encode_basestring(text)
    return quoted if quoted.isascii() else _safe(quoted)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _safe(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and UTF-8 cannot, stays an escape."""
    return _SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", text)
