"""Compares the files with the manifest, and mends what can be mended without loss."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

from kiebatch import files, formats
from kiebatch.errors import Invalid, plain
from kiebatch.git import Repository
from kiebatch.model import ASSET_FOLDERS, JSON, Asset, as_mapping
from kiebatch.record import manifest
from kiebatch.record.manifest import merging
from kiebatch.record.manifest.manifest import MARK, Manifest
from kiebatch.record.store.whereabouts import Whereabouts
from kiebatch.workspace import Workspace

Kind = Literal["missing", "altered", "extra", "chain", "id", "type", "merge", "unstored"]

_MEDIA = re.compile(
    r"\.(png|jpe?g|webp|gif|avif|bmp|tiff?|mp4|mov|webm|mkv|mp3|wav|m4a|ogg|flac|aac)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as the manifest says.  `fixed` says what was done about it."""

    kind: Kind
    message: str
    slot: str | None = None
    asset: str | None = None
    file: str | None = None
    fixed: str = ""

    def as_json(self) -> dict[str, JSON]:
        """Return the keys of contract section 8, `verify`."""
        return {
            "slot": self.slot,
            "asset": self.asset,
            "file": self.file,
            "kind": self.kind,
            "message": self.message,
            "fixed": self.fixed or None,
        }

    def __str__(self) -> str:
        name = " ".join(part for part in (self.slot, self.asset) if part)
        text = f"{self.kind}: {name + ': ' if name else ''}{plain(self.message)}"
        return f"{text}\n    fixed: {plain(self.fixed)}" if self.fixed else text


def verify(workspace: Workspace, *, every: bool = False) -> list[Damage]:
    """Return everything in which the files and the record differ, in the order of the record; extras last.

    Every file that is here is read, older versions too.  Those of older versions may be absent, unless `every` one is
    asked for; so may what is in the store.
    """
    recorded, damage = _read(workspace, Repository.around(workspace.assets.parent))
    if recorded is None:
        return damage
    return [*damage, *_of_record(recorded), *_of_files(workspace, recorded, every=every)]


def fix(workspace: Workspace, *, every: bool = False) -> list[Damage]:
    """Mend what can be mended without loss, and return all that was wrong; what is not `fixed` still is.

    - conflict markers: both sides are joined, from git's own copies or from the text
    - duplicate ids, gaps in the numbers, broken chains
    - files that lie under another name, that git still has, or that an unfinished merge left in its stages: they get
      the name that the manifest says; two pictures under one name get one each

    An altered file is never overwritten, an extra one never removed.  The index of git is left alone.
    """
    repository = Repository.around(workspace.assets.parent)
    with files.lock(workspace.write_lock, wait=True, holder="`kiebatch verify --fix`"):
        recorded, damage = _read(workspace, repository)
        if recorded is None:
            recorded, joined = _join(workspace, repository)
            damage = [replace(damage[0], fixed="joined both sides"), *joined]
        damage += _of_record(recorded)
        assets, _ = manifest.renumbered(recorded.assets)
        recorded = replace(recorded, assets=assets, repairs=())
        found = _of_files(workspace, recorded, every=every)
        wrong = [each for each in found if each.kind in ("missing", "altered", "extra")]
        if wrong:
            recorded, found = _with_files(workspace, recorded, repository, found, every=every)
        damage = [replace(each, fixed="mended") if each.kind in ("id", "chain") else each for each in damage]
        text = manifest.dump(recorded)
        if not workspace.manifest_path.exists() or files.read_text(workspace.manifest_path) != text:
            files.replace(workspace.manifest_path, text)
    return [*damage, *found]


# --- the record ----------------------------------------------------------------------------------------


def _read(workspace: Workspace, repository: Repository | None) -> tuple[Manifest | None, list[Damage]]:
    """Return the record and what reading had to repair; no record where git has not joined both sides of a merge."""
    path = workspace.manifest_path
    shown = files.shown(path)
    text = files.read_text(path)
    if merging.sides(text) is not None:
        message = "git left conflict markers here: two branches changed one place of the manifest"
        return None, [Damage(kind="merge", file=shown, message=message)]
    recorded = manifest.parse_file(text, shown)
    if repository and _lacks_a_side(workspace, repository, recorded):
        message = "git did not join both sides of the merge: entries of one are not here"
        return None, [Damage(kind="merge", file=shown, message=message)]
    slots = _slots(recorded)
    return recorded, [
        Damage(
            kind="id" if repair.code == "id" else "chain",
            slot=slots.get(repair.asset),
            asset=repair.asset,
            message=repair.message,
        )
        for repair in recorded.repairs
    ]


def _slots(recorded: Manifest) -> dict[str, str]:
    return {asset.id: str(slot) for slot, line in manifest.slots(recorded.assets).items() for asset in line}


def _of_record(recorded: Manifest) -> list[Damage]:
    slots = _slots(recorded)
    damage = []
    _, names = manifest.renumbered(recorded.assets)
    for old, new in names.items():
        message = f"the numbers of its type have a gap at `{new}`, and other tools count them"
        damage.append(Damage(kind="id", slot=slots.get(old), asset=old, message=message))
    for asset in recorded.assets:
        for key, other in as_mapping(asset.extra.get(MARK)).items():
            message = (
                f"two branches changed `{key}`: the entry has {_quoted(manifest.entry(asset).get(key))}, "
                f"the other branch {_quoted(other)}; keep one and remove `{MARK}`"
            )
            damage.append(Damage(kind="merge", slot=slots[asset.id], asset=asset.id, message=message))
    return damage


def _quoted(value: JSON) -> str:
    text = plain(str(value), limit=120)
    return f"“{text}”"


def _lacks_a_side(workspace: Workspace, repository: Repository, recorded: Manifest) -> bool:
    """Whether an unfinished merge holds assets that the record has lost: its driver could not be called, say."""
    stages = _stages(workspace, repository)
    if not {2, 3} <= stages.keys():
        return False
    try:
        old, ours, theirs = (
            manifest.parse(stages.get(number, ""), "a side of the merge") for number in (1, 2, 3)
        )
    except Invalid:
        return False
    merged, _ = merging.merge(old, ours, theirs)
    return not {manifest.birth(a) for a in merged.assets} <= {manifest.birth(a) for a in recorded.assets}


def _join(workspace: Workspace, repository: Repository | None) -> tuple[Manifest, list[Damage]]:
    shown = files.shown(workspace.manifest_path)
    stages = _stages(workspace, repository) if repository else {}
    if 2 in stages and 3 in stages:
        texts = (stages.get(1, ""), stages[2], stages[3])
    else:
        texts = merging.sides(files.read_text(workspace.manifest_path)) or ("", "", "")
    ours, theirs = (
        manifest.parse(text, f"{shown}, {side}")
        for text, side in zip(texts[1:], ("ours", "theirs"), strict=True)
    )
    try:
        base = manifest.parse(texts[0], f"{shown}, the common ancestor")
    except Invalid:
        base = Manifest()  # what two sides of a text share need not be a manifest; nothing is lost by that
    merged, conflicts = merging.merge(base, ours, theirs)
    top = [
        Damage(kind="merge", file=shown, message=f"both branches changed `{c.key}`")
        for c in conflicts
        if not c.asset
    ]
    return merged, top


def _stages(workspace: Workspace, repository: Repository) -> dict[int, str]:
    """Return the sides of the manifest that an unfinished merge has left: 1 the ancestor's, 2 ours, 3 theirs."""
    name = repository.name_of(workspace.manifest_path)
    found = [stage for stage in repository.stages() if stage.path == name]
    return {stage.number: repository.content(stage).decode("utf-8", "replace") for stage in found}


# --- the files -----------------------------------------------------------------------------------------


def _of_files(workspace: Workspace, recorded: Manifest, *, every: bool) -> list[Damage]:
    slots = _slots(recorded)
    whereabouts = Whereabouts(recorded, workspace.state)
    damage: list[Damage] = []
    for asset in recorded.assets:
        problem = _problem(workspace, asset)
        expected = whereabouts.remote(asset) or not (asset.current or every)
        if problem and not (expected and _is_absent(workspace, asset)):
            kind, message = problem
            damage.append(
                Damage(kind=kind, slot=slots[asset.id], asset=asset.id, file=asset.filename, message=message)
            )
    known = {asset.filename for asset in recorded.assets}
    for path in _media_files(workspace.assets):
        name = workspace.name_of(path)
        if name not in known:
            message = f"{name} is in no entry; `kiebatch adopt` enters it, or remove it"
            damage.append(Damage(kind="extra", file=name, message=message))
    return damage


def _is_absent(workspace: Workspace, asset: Asset) -> bool:
    try:
        return bool(asset.filename) and not files.is_there(workspace.asset_path(asset.filename))
    except Invalid:
        return False


def _problem(workspace: Workspace, asset: Asset) -> tuple[Kind, str] | None:
    if not asset.filename:
        return "missing", "the entry names no file"
    try:
        path = workspace.asset_path(asset.filename)
    except Invalid as invalid:
        return "missing", invalid.message
    if not files.is_there(path):
        return "missing", f"{asset.filename} is not there"
    if files.is_lfs_pointer(path):
        return "missing", f"{asset.filename} is a Git LFS pointer: run `git lfs pull`"
    try:
        head, digest = files.head(path), files.sha256(path)
    except OSError as error:
        return "missing", f"{asset.filename} cannot be read: {error.strerror}"
    if asset.sha256 is not None and digest != asset.sha256:
        return "altered", f"{asset.filename} is not the file that was saved ({path.stat().st_size} bytes)"
    if not formats.fits(head, asset.type):
        found = formats.sniff(head)
        what = found[1] if found else "neither a picture, a clip, a sound nor a text"
        return "type", f"{asset.filename} is {what}, and its entry says {asset.type}"
    return None


def _media_files(folder: Path) -> Iterator[Path]:
    """Yield the media in an assets folder, sorted; texts only where texts are kept."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        in_texts = Path(here).name == ASSET_FOLDERS["text"]
        for name in sorted(names):
            if not name.startswith(".") and (in_texts or _MEDIA.search(name)):
                yield Path(here) / name


# --- bringing files back -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """Where some content can still be had: a file in the assets folder, or a place in git."""

    where: str
    path: Path | None = None
    read: Callable[[], bytes] = bytes

    def content(self) -> bytes:
        return self.path.read_bytes() if self.path else self.read()


def _with_files(
    workspace: Workspace,
    recorded: Manifest,
    repository: Repository | None,
    damage: list[Damage],
    *,
    every: bool,
) -> tuple[Manifest, list[Damage]]:
    sources = {
        **(_in_git(workspace, recorded, repository, damage) if repository else {}),
        **_in_folder(workspace, damage),
    }
    recorded = _told_apart(workspace, recorded, sources)
    damage = _of_files(workspace, recorded, every=every)
    lost = _lost(damage)
    wanted = {a.id: sources[a.sha256] for a in recorded.assets if a.id in lost and a.sha256 in sources}
    in_git = {digest for digest, source in sources.items() if source.path is None}
    placed, moved = _place(workspace, recorded, wanted, in_git)
    left = {workspace.name_of(path) for path in moved}
    result = []
    for each in damage:
        if each.asset in placed and each.kind in _AT_FAULT:
            each = replace(each, fixed=f"{each.file} is back, from {wanted[each.asset].where}")
        if each.kind != "extra" or each.file not in left:  # else it was the missing file under another name
            result.append(each)
    return recorded, result


_AT_FAULT = ("missing", "altered")  # kinds of damage that the right content mends


def _lost(damage: Iterable[Damage]) -> set[str | None]:
    """Return the entries whose file is gone or is not the one that was saved."""
    return {each.asset for each in damage if each.kind in _AT_FAULT}


def _in_folder(workspace: Workspace, damage: Iterable[Damage]) -> dict[str, _Source]:
    found: dict[str, _Source] = {}
    for each in damage:
        if each.kind in ("extra", "altered") and each.file:
            path = workspace.asset_path(each.file)
            found.setdefault(files.sha256(path), _Source(each.file, path))
    return found


def _in_git(
    workspace: Workspace, recorded: Manifest, repository: Repository, damage: Iterable[Damage]
) -> dict[str, _Source]:
    found = _in_merge(repository)
    lost = _lost(damage)
    heads = repository.heads() if lost else []
    for asset in recorded.assets:
        if asset.id not in lost or not asset.sha256 or asset.sha256 in found:
            continue
        names = dict.fromkeys((asset.filename, manifest.first_name(asset.filename)))
        places = [name for each in names if (name := repository.name_of(workspace.asset_path(each)))]
        source = _in_commits(repository, heads, places, asset.sha256)
        if source is not None:
            found[asset.sha256] = source
    return found


def _in_merge(repository: Repository) -> dict[str, _Source]:
    """Return the media of the sides that an unfinished merge has left, by digest."""
    found: dict[str, _Source] = {}
    for stage in repository.stages():
        if _MEDIA.search(stage.path):
            side = {1: "the common ancestor", 2: "our side", 3: "their side"}[stage.number]
            digest = hashlib.sha256(repository.content(stage)).hexdigest()
            found.setdefault(digest, _Source(f"{side} of the merge", read=partial(repository.content, stage)))
    return found


def _in_commits(
    repository: Repository, commits: Sequence[str], places: Sequence[str], sha256: str
) -> _Source | None:
    """Return where some commits have a content, at one of these places; None where none has it."""
    for commit, name in product(commits, places):
        old = repository.read(commit, name)
        if old is not None and hashlib.sha256(old).hexdigest() == sha256:
            read = partial(_must_read, repository, commit, name)
            return _Source(f"commit {repository.describe(commit)}", read=read)
    return None


def _must_read(repository: Repository, commit: str, name: str) -> bytes:
    return repository.read(commit, name) or b""


def _told_apart(workspace: Workspace, recorded: Manifest, sources: Mapping[str, _Source]) -> Manifest:
    """Give two entries that name one file a name each, when the content of both can be had."""
    sharing: defaultdict[str, list[Asset]] = defaultdict(list)
    for asset in recorded.assets:
        if asset.sha256:
            sharing[asset.filename].append(asset)
    for filename, assets in sharing.items():
        digests = {asset.sha256 for asset in assets}
        if len(digests) < 2:
            continue
        path = workspace.asset_path(filename)
        there = {files.sha256(path)} if path.is_file() else set()
        if digests <= there | sources.keys():
            keeper = min(assets, key=lambda a: (a.version, a.created_at))
            for asset in assets:
                if asset.sha256 and asset.sha256 != keeper.sha256:
                    name = manifest.version_name(filename, asset.version, asset.sha256)
                    recorded = manifest.changed(recorded, asset, filename=name)
    return recorded


def _may_be_replaced(path: Path, moving: Container[Path], in_git: Container[str]) -> bool:
    if not path.exists() or path in moving or files.is_lfs_pointer(path):
        return True
    return files.sha256(path) in in_git


def _place(
    workspace: Workspace, recorded: Manifest, wanted: Mapping[str, _Source], in_git: Container[str]
) -> tuple[set[str], set[Path]]:
    """Write each content under its entry's name; return the ids that were served, and the files that moved.

    What lies under such a name is someone's work, and stays, unless it moves to a name of its own, or git has it
    as a side of the merge or in a commit.
    """
    targets = {id: workspace.asset_path(recorded.by_id[id].filename) for id in wanted}
    serving = _served(targets, wanted, in_git)
    if not serving:
        return set(), set()
    _write_all(workspace.assets, {targets[id]: source for id, source in serving.items()})
    named = {workspace.asset_path(asset.filename) for asset in recorded.assets if asset.filename}
    moved = _paths(serving) - named
    for path in moved:
        path.unlink()
    return set(serving), moved


def _paths(sources: Mapping[str, _Source]) -> set[Path]:
    return {source.path for source in sources.values() if source.path}


def _served(
    targets: Mapping[str, Path], wanted: Mapping[str, _Source], in_git: Container[str]
) -> dict[str, _Source]:
    """Return those of the ids whose place is free, or becomes free as its file moves to a name of its own."""
    serving = dict(wanted)
    while True:
        moving = _paths(serving)
        free = {id: source for id, source in serving.items() if _may_be_replaced(targets[id], moving, in_git)}
        if len(free) == len(serving):
            return serving
        serving = free  # what stays where it is may block another one


def _write_all(folder: Path, contents: Mapping[Path, _Source]) -> None:
    """Write each content to its path.

    Everything is set aside before the first name is taken: two files may have to change places.
    """
    spare = Path(tempfile.mkdtemp(prefix=".kiebatch-", dir=folder))
    try:
        for number, source in enumerate(contents.values()):
            (spare / str(number)).write_bytes(source.content())
        for number, target in enumerate(contents):
            files.replace(target, (spare / str(number)).read_bytes())
    finally:
        shutil.rmtree(spare, ignore_errors=True)
