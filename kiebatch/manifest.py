"""The record: add, supersede, repair, merge, deterministic text; strings in, strings out; keeps foreign keys.

The format is contract section 5.  Entries that other tools wrote are taken as they are: keys we do not know, and
values we did not expect under a key we do, stay in `Asset.extra` and are written back.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from json.encoder import encode_basestring
from typing import Any, Literal

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Asset, SceneId, ShotId, Slot, natural

FORMAT = 1
PREFIXES: Mapping[str, str] = {"image": "img", "video": "vid", "audio": "aud", "text": "txt"}
MARK = "merge_conflict"  # an entry's key that holds the facts which two branches changed differently

_TEXT, _WHOLE, _NUMBER = frozenset([str]), frozenset([int]), frozenset([int, float])
# Every key we know, in the order in which an entry is written, with the types it may have.
_KEYS: Mapping[str, frozenset[type]] = {
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Problem):
    """One thing that was wrong with a record and is mended in memory.  `code` is the `kind` of `verify`."""

    asset: str = ""  # the entry's id, after the repair


def _repair(code: Literal["id", "chain"], asset: str, message: str) -> Repair:
    return Repair(where=Where(), message=message, severity="warning", code=code, asset=asset)


@dataclass(frozen=True)
class Manifest:
    """All assets of a project, ordered by scene, shot, model, take, output and version (natural order of ids).

    `source` is the scene file's name; `extra` holds the top-level keys of other tools.  `repairs` says what
    reading had to mend: the next write makes it so on the disk.
    """

    assets: tuple[Asset, ...] = ()
    source: str | None = None
    extra: Mapping[str, JSON] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = field(default=(), compare=False)

    @cached_property
    def _keys(self) -> list[_Key]:
        return [sort_key(asset) for asset in self.assets]

    @cached_property
    def _texts(self) -> list[str | None]:
        """Each entry as written, once it has been asked for: a run writes the whole file every second."""
        return [None] * len(self.assets)

    @cached_property
    def _counts(self) -> dict[str, int]:
        """How many entries each prefix has, for the prefixes whose ids are gapless."""
        return _gapless(self.assets)

    @cached_property
    def by_id(self) -> Mapping[str, Asset]:
        return {asset.id: asset for asset in self.assets}

    def of(self, scene: SceneId | None, shot: ShotId = None) -> Iterator[Asset]:
        """Yield the entries of one shot, in order; a scene written `1` and one written `"1"` are the same."""
        prefix = (_natural(scene), _natural(shot))
        names = (_name(scene), _name(shot))
        for index in range(bisect_left(self._keys, prefix), len(self.assets)):
            if self._keys[index][:2] != prefix:
                return
            asset = self.assets[index]
            if (_name(asset.scene_id), _name(asset.shot)) == names:
                yield asset

    def current(self, scene: SceneId | None, shot: ShotId = None, take: int = 1) -> tuple[Asset, ...]:
        """Return what stands for one take of a shot now, whatever its model, in the order of models and outputs."""
        return tuple(a for a in self.of(scene, shot) if a.take == take and a.superseded_by is None)

    def lines(self) -> list[tuple[Asset, ...]]:
        """Return the lines of versions: entries joined by `superseded_by`, each line from old to new."""
        return lines(self.assets)


_Key = tuple[Any, ...]
_natural = lru_cache(maxsize=65536)(natural)


def _name(part: object) -> str | None:
    return None if part is None else str(part)


def sort_key(asset: Asset) -> _Key:
    return (
        _natural(asset.scene_id),
        _natural(asset.shot),
        asset.model,
        asset.take,
        asset.output,
        asset.version,
        asset.created_at,
        asset.sha256 or "",
        asset.filename,
        _natural(asset.id),
    )


# --- text to record ------------------------------------------------------------------------------------


def parse(text: str, file: str) -> Manifest:
    """Return the record that `text` holds; empty text is an empty one.  `file` is its name in messages.

    Raises `Invalid` for text that is no manifest of a format we know, and for conflict markers of a merge.
    Duplicate and missing ids, links to nowhere and two newest versions of one line are repaired and noted.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        return Manifest()
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _invalid(file, "this is no manifest: it is nested too deeply") from None
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
    entries = value.pop("assets", [])
    if not isinstance(entries, list):
        raise _invalid(file, f"`assets` must be a list, found {_kind(entries)}")
    for number, entry in enumerate(entries, start=1):
        if type(entry) is not dict:
            raise _invalid(file, f"entry {number} of `assets` must be an object, found {_kind(entry)}")
    source = value.pop("source", None)
    if source is not None and not isinstance(source, str):
        value["source"], source = source, None
    assets, repairs = repaired([asset_of(entry) for entry in entries])
    return Manifest(assets, source, value, tuple(replace(repair, where=Where(file)) for repair in repairs))


def _refuse_constant(word: str) -> None:
    raise ValueError(f"`{word}` is no JSON number")


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
        return _invalid(file, f"this is no JSON: {error.msg}", hint, error.lineno, error.colno)
    return _invalid(file, f"this is no JSON: {error}", hint)


def asset_of(entry: Mapping[str, JSON]) -> Asset:
    known: dict[str, Any] = {}
    extra: dict[str, JSON] = {}
    for key, value in entry.items():
        types = _KEYS.get(key)
        if types is None:
            extra[key] = value
        elif type(value) in types:
            known[key] = value
        elif value is not None:
            extra[key] = value  # not what we expect under this name: kept as it is
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
    for key in _KEYS:
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
    kind = type(value)
    if kind is str:
        return _string(value)
    if kind is int:
        return str(value)
    if not value and kind is dict:
        return "{}"
    return _safe(json.dumps(value, indent=2, ensure_ascii=False)).replace("\n", "\n" + indent)


def _string(text: str) -> str:
    quoted: str = encode_basestring(text)
    return quoted if quoted.isascii() else _safe(quoted)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _safe(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and UTF-8 cannot, stays an escape."""
    return _SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", text)


# --- adding --------------------------------------------------------------------------------------------


def version_after(replaces: Iterable[Asset]) -> int:
    """Return the version that an asset gets which takes the place of these; 1 for none."""
    return max((asset.version for asset in replaces), default=0) + 1


def record(
    manifest: Manifest, new: Sequence[Asset], replaces: Sequence[Asset] = ()
) -> tuple[Manifest, tuple[Asset, ...]]:
    """Enter the outputs of one finished task; return the new record and the new entries as they stand in it.

    Ids (the next free number of the type) and versions (one more than the newest of `replaces`) are given
    here, whatever `new` says.  Each of `replaces` is superseded by the new asset of the same output number,
    an output that has no successor by the first new one.  A `replaces` that the record lacks is an error.
    """
    keys, assets, texts = list(manifest._keys), list(manifest.assets), list(manifest._texts)
    counts = dict(manifest._counts)
    taken: set[str] | None = None
    version = version_after(replaces)
    entered = []
    for asset in new:
        prefix = id_prefix(asset.type)
        if prefix in counts or not any(a.id.startswith(f"{prefix}-") for a in manifest.assets):
            counts[prefix] = counts.get(prefix, 0) + 1
            id = f"{prefix}-{counts[prefix]:03d}"
        else:
            taken = taken if taken is not None else _mentioned(manifest.assets)
            id = _free_id(prefix, taken)
            taken.add(id)
        entered.append(revised(asset, id=id, version=version, superseded_by=None))
    successors = {asset.output: asset for asset in reversed(entered)}
    for old in replaces if entered else ():
        index = _find(manifest, old)
        successor = successors.get(old.output, entered[0])
        assets[index] = revised(assets[index], superseded_by=successor.id)
        texts[index] = None
    for asset in entered:
        key = sort_key(asset)
        index = bisect_left(keys, key)
        keys.insert(index, key)
        assets.insert(index, asset)
        texts.insert(index, None)
    result = replace(manifest, assets=tuple(assets))
    vars(result).update(_keys=keys, _texts=texts, _counts=counts)
    return result, tuple(entered)


def changed(manifest: Manifest, old: Asset, **changes: Any) -> Manifest:
    """Return the record with facts of one entry changed (`fingerprint` by accept, `scene_id` by a move)."""
    index = _find(manifest, old)
    assets = [*manifest.assets[:index], *manifest.assets[index + 1 :]]
    insort(assets, revised(manifest.assets[index], **changes), key=sort_key)
    return replace(manifest, assets=tuple(assets))


def _find(manifest: Manifest, asset: Asset) -> int:
    index = bisect_left(manifest._keys, sort_key(asset))
    if index < len(manifest.assets) and manifest.assets[index].id == asset.id:
        return index
    for index, other in enumerate(manifest.assets):  # the caller's copy is from before a change of the entry
        if other.id == asset.id:
            return index
    raise ValueError(f"the manifest has no such entry: {asset.id}")


def revised(asset: Asset, **changes: Any) -> Asset:
    extra = {key: value for key, value in asset.extra.items() if key not in changes}
    return replace(asset, **{"extra": extra, **changes})


def id_prefix(type: str) -> str:
    return PREFIXES.get(type) or re.sub(r"[^a-z]", "", type.lower())[:3] or "ast"


def _gapless(assets: Iterable[Asset]) -> dict[str, int]:
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for asset in assets:
        prefix, dash, number = asset.id.partition("-")
        if dash:
            numbers[prefix].add(number)
    return {
        prefix: len(found)
        for prefix, found in numbers.items()
        if all(f"{n:03d}" in found for n in range(1, len(found) + 1))
    }


def _mentioned(assets: Iterable[Asset]) -> set[str]:
    """Every id that is in use or that some link still names: a new entry must not become its target."""
    found: set[str] = set()
    for asset in assets:
        found.add(asset.id)
        found.update(asset.made_from)
        if asset.superseded_by:
            found.add(asset.superseded_by)
    return found


def _free_id(prefix: str, taken: set[str]) -> str:
    number = 1
    while f"{prefix}-{number:03d}" in taken:
        number += 1
    return f"{prefix}-{number:03d}"


# --- lines of versions, and mending them ---------------------------------------------------------------


def lines(assets: Iterable[Asset]) -> list[tuple[Asset, ...]]:
    """Return the lines of versions: entries joined by `superseded_by`, each line from old to new.

    The outputs of one task stand side by side in one line when they superseded, or were superseded by, the
    same version.
    """
    by_id = {asset.id: asset for asset in assets}
    ends: dict[str, str] = {}

    def end(id: str) -> str:
        seen = []
        while id not in ends:
            seen.append(id)
            link = by_id[id].superseded_by
            ends[id] = id  # also what ends a loop
            if link is None or link not in by_id:
                break
            id = link
        found = ends[id]
        while ends[found] != found:
            found = ends[found]
        for each in seen:
            ends[each] = found
        return found

    grouped: dict[str, list[Asset]] = {}
    for id, asset in by_id.items():
        grouped.setdefault(end(id), []).append(asset)
    return [_oldest_first(line) for line in grouped.values()]


def slots(assets: Sequence[Asset]) -> dict[Slot, tuple[Asset, ...]]:
    """Return all versions by slot, in the record's order, each from old to new.

    A take whose current assets are of several models has one slot for each; else its slot names no model,
    whatever models came before.  An entry without a scene is a slot of its own, named by its file.
    """
    takes: dict[tuple[str | None, str | None, int], list[Asset]] = {}
    result: dict[Slot, tuple[Asset, ...]] = {}
    for asset in assets:
        if asset.scene_id is None:
            result[Slot(asset.filename)] = (asset,)
        else:
            takes.setdefault(place(asset), []).append(asset)
    for found in takes.values():
        first = found[0]
        slot = Slot(first.scene_id if first.scene_id is not None else "", first.shot, None, first.take)
        if len(found) == 1 or len({asset.model for asset in found if asset.current}) <= 1:
            result[slot] = tuple(found) if len(found) == 1 else _oldest_first(found)
            continue
        by_model: dict[str, list[Asset]] = {}
        for line in lines(found):
            by_model.setdefault(line[-1].model, []).extend(line)
        for model, versions in by_model.items():
            result[replace(slot, model=model)] = _oldest_first(versions)
    return result


def _oldest_first(assets: Iterable[Asset]) -> tuple[Asset, ...]:
    return tuple(sorted(assets, key=lambda a: (a.version, a.output, sort_key(a))))


def birth(asset: Asset) -> tuple[JSON, ...]:
    """Return what stays the same when an entry is edited, moved or renumbered."""
    if asset.sha256:
        return (asset.created_at, asset.sha256, asset.task_id, asset.output)
    return (asset.created_at, asset.filename, asset.task_id, asset.output)


def place(asset: Asset) -> tuple[str | None, str | None, int]:
    return (_name(asset.scene_id), _name(asset.shot), asset.take)


def repaired(assets: Sequence[Asset]) -> tuple[tuple[Asset, ...], tuple[Repair, ...]]:
    """Return the entries, sorted, with what a plain text merge may have broken mended, and what that was.

    - the same entry twice: one stays
    - one id twice, or none: the later entry gets the next free id, and the links of its own shot follow it
    - a link to nowhere, to itself, or round in a circle: cut
    - two newest versions of one line (both branches made one): the later supersedes the earlier
    """
    repairs: list[Repair] = []
    found = _with_ids(sorted(assets, key=sort_key), repairs)
    found = _without_broken_links(found, repairs)
    found, rivals = _with_one_head(found, repairs)
    found = _with_rising_versions(found, repairs)
    found = with_own_files(found, rivals) if rivals else found
    return tuple(sorted(found, key=sort_key) if repairs else found), tuple(repairs)


def _with_ids(assets: list[Asset], repairs: list[Repair]) -> list[Asset]:
    first: dict[str, Asset] = {}
    if len({asset.id for asset in assets if asset.id}) == len(assets):
        return assets
    taken = _mentioned(assets)
    result: list[Asset] = []
    moved: list[tuple[Asset, Asset, str]] = []  # who keeps the id, who lost it, and that one's new id
    for asset in sorted(assets, key=lambda a: (a.created_at, sort_key(a))):
        holder = first.get(asset.id) if asset.id else None
        if asset.id and holder is None:
            first[asset.id] = asset
            result.append(asset)
            continue
        if holder == asset:
            repairs.append(_repair("id", asset.id, f"`{asset.id}` stood there twice, word for word"))
            continue
        id = _free_id(id_prefix(asset.type), taken)
        taken.add(id)
        why = (
            f"`{asset.id}` was there twice; the later one is now `{id}`"
            if holder
            else f"gave `{id}` to an entry without an id"
        )
        repairs.append(_repair("id", id, why))
        result.append(revised(asset, id=id))
        if holder:
            moved.append((holder, asset, id))
    return _follow(result, moved)


def _follow(assets: list[Asset], moved: Sequence[tuple[Asset, Asset, str]]) -> list[Asset]:
    """Point links at the entry they meant, where two had one id."""
    by_old: defaultdict[str, list[tuple[Asset, Asset, str]]] = defaultdict(list)
    for move in moved:
        by_old[move[1].id].append(move)
    result = []
    for asset in assets:
        changes: dict[str, Any] = {}
        for holder, loser, id in by_old.get(asset.superseded_by or "", ()):
            if place(loser) == place(asset) != place(holder):
                changes["superseded_by"] = id
        for holder, loser, id in (m for link in asset.made_from for m in by_old.get(link, ())):
            if loser.scene_id == asset.scene_id != holder.scene_id:
                changes["made_from"] = tuple(id if link == loser.id else link for link in asset.made_from)
        # Both branches superseded one version, each with its own entry under the same id: put them in a row.
        for holder, loser, id in by_old.get(asset.id, ()):
            side_by_side = place(holder) == place(loser) and holder.output == loser.output
            if side_by_side and asset.superseded_by is loser.superseded_by is None and asset.version > 1:
                changes["superseded_by"] = id
        result.append(revised(asset, **changes) if changes else asset)
    return result


def _without_broken_links(assets: list[Asset], repairs: list[Repair]) -> list[Asset]:
    by_id = {asset.id: asset for asset in assets}
    cut: set[str] = set()
    sound: set[str] = set()
    for asset in assets:
        path: dict[str, None] = {}
        id = asset.id
        while id not in sound and id not in path:
            path[id] = None
            link = by_id[id].superseded_by
            if link is None:
                break
            if link not in by_id:
                cut.add(id)
                repairs.append(_repair("chain", id, f"`{id}` was superseded by `{link}`, which is not there"))
                break
            id = link
        else:
            if id not in sound:  # came back to where it had been
                circle = [by_id[each] for each in list(path)[list(path).index(id) :]]
                newest = max(circle, key=lambda a: (a.version, a.created_at, sort_key(a)))
                cut.add(newest.id)
                repairs.append(
                    _repair("chain", newest.id, f"`{newest.id}` was superseded by an older version of itself")
                )
        sound.update(path)
    return [revised(a, superseded_by=None) if a.id in cut else a for a in assets] if cut else assets


def _with_one_head(assets: list[Asset], repairs: list[Repair]) -> tuple[list[Asset], set[str]]:
    heads: defaultdict[tuple[Any, ...], list[Asset]] = defaultdict(list)
    for asset in assets:
        # Other tools may well keep several pictures of one scene side by side, so only entries of ours.
        if asset.superseded_by is None and asset.sha256 is not None and asset.scene_id is not None:
            heads[(*place(asset), asset.output, asset.model)].append(asset)
    links: dict[str, str] = {}
    for together in heads.values():
        for old, new in pairwise(sorted(together, key=lambda a: (a.created_at, a.version, a.sha256 or ""))):
            links[old.id] = new.id
            repairs.append(
                _repair("chain", new.id, f"`{old.id}` and `{new.id}` were both the newest of one slot")
            )
    rivals = {*links, *links.values()}
    return [revised(a, superseded_by=links[a.id]) if a.id in links else a for a in assets], rivals


def _with_rising_versions(assets: list[Asset], repairs: list[Repair]) -> list[Asset]:
    by_id = {asset.id: asset for asset in assets}
    wrong = [a for a in assets if a.superseded_by and by_id[a.superseded_by].version <= a.version]
    versions: dict[str, int] = {}
    while wrong:
        old = wrong.pop()
        while old.superseded_by:
            new = by_id[old.superseded_by]
            least = versions.get(old.id, old.version) + 1
            if versions.get(new.id, new.version) >= least:
                break
            versions[new.id] = least
            old = new
    for id, version in versions.items():
        repairs.append(
            _repair("chain", id, f"`{id}` is version {version}: it comes after version {version - 1}")
        )
    return (
        [revised(a, version=versions[a.id]) if a.id in versions else a for a in assets]
        if versions
        else assets
    )


def with_own_files(assets: Sequence[Asset], rivals: Container[str]) -> list[Asset]:
    """Give each of the entries `rivals` a file name of its own; the file itself is moved by `verify --fix`.

    Two branches that both made the first version of a slot wrote two pictures under one name.
    """
    holders: dict[str, Asset] = {}
    result = []
    for asset in sorted(assets, key=lambda a: (a.version, a.created_at, a.sha256 or "")):
        if asset.id in rivals and asset.sha256:
            holder = holders.setdefault(asset.filename, asset)
            if holder.sha256 != asset.sha256:
                name = version_name(asset.filename, asset.version, asset.sha256)
                asset = revised(asset, filename=name)
        result.append(asset)
    return result


_VERSION = re.compile(r"\.v\d+-[0-9a-f]{8}(?=(\.[^./]*)?$)")


def version_name(filename: str, version: int, sha256: str) -> str:
    """Return the name of a later version's file (contract section 6): `scene-02-a.v2-1f3a9c2e.png`."""
    folder, slash, name = first_name(filename).rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = ending, ""
    return f"{folder}{slash}{stem}.v{version}-{sha256[:8]}{dot}{ending}"


def first_name(filename: str) -> str:
    """Return the name of the first version's file."""
    return _VERSION.sub("", filename)


def renumbered(assets: Sequence[Asset]) -> tuple[tuple[Asset, ...], dict[str, str]]:
    """Return the entries with gapless ids per type, and the new id of each that changed.

    As few as possible change: the highest numbers move into the gaps.  Links inside the record follow.  Ids that
    are not of our form stay.
    """
    by_prefix: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for asset in assets:
        prefix, _, number = asset.id.rpartition("-")
        if prefix and number.isascii() and number.isdecimal() and asset.id == f"{prefix}-{int(number):03d}":
            by_prefix[prefix][int(number)] = asset.id
    names: dict[str, str] = {}
    for prefix, numbers in by_prefix.items():
        gaps = [number for number in range(1, len(numbers) + 1) if number not in numbers]
        high = sorted(number for number in numbers if number > len(numbers))
        names.update({numbers[old]: f"{prefix}-{new:03d}" for old, new in zip(high, gaps, strict=True)})
    if not names:
        return tuple(assets), {}
    moved = [
        revised(
            asset,
            id=names.get(asset.id, asset.id),
            superseded_by=names.get(asset.superseded_by or "", asset.superseded_by),
            made_from=tuple(names.get(id, id) for id in asset.made_from),
        )
        for asset in assets
    ]
    return tuple(sorted(moved, key=sort_key)), names
