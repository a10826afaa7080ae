"""Repairs what a merge by hand leaves behind: duplicate ids, broken links, two current versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from kiebatch._dataclass import dataclass
from kiebatch.errors import Problem, Where
from kiebatch.model import Asset
from kiebatch.record.manifest.ids import free_id, id_prefix, mentioned
from kiebatch.record.manifest.keys import Changes, place, revised, sort_key
from kiebatch.record.manifest.names import version_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Problem):
    """One thing that was wrong with a record and is mended in memory.  `code` is the `kind` of `verify`."""

    asset: str = ""  # the entry's id, after the repair


def repair_of(code: Literal["id", "chain"], asset: str, message: str) -> Repair:
    return Repair(where=Where(), message=message, severity="warning", code=code, asset=asset)


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
    taken = mentioned(assets)
    result: list[Asset] = []
    moved: list[_Move] = []
    for asset in sorted(assets, key=lambda a: (a.created_at, sort_key(a))):
        holder = first.get(asset.id) if asset.id else None
        if asset.id and holder is None:
            first[asset.id] = asset
            result.append(asset)
            continue
        if holder == asset:
            repairs.append(repair_of("id", asset.id, f"`{asset.id}` stood there twice, word for word"))
            continue
        id = free_id(id_prefix(asset.type), taken)
        taken.add(id)
        why = (
            f"`{asset.id}` was there twice; the later one is now `{id}`"
            if holder
            else f"gave `{id}` to an entry without an id"
        )
        repairs.append(repair_of("id", id, why))
        result.append(revised(asset, id=id))
        if holder:
            moved.append(_Move(holder, asset, id))
    return _follow(result, moved)


@dataclass(frozen=True, slots=True)
class _Move:
    """Two entries had one id: who keeps it, who lost it, and that one's new id."""

    holder: Asset
    loser: Asset
    id: str


def _follow(assets: list[Asset], moved: Sequence[_Move]) -> list[Asset]:
    """Point links at the entry they meant, where two had one id."""
    by_old: defaultdict[str, list[_Move]] = defaultdict(list)
    for move in moved:
        by_old[move.loser.id].append(move)
    result = []
    for asset in assets:
        superseded_by = _superseded_by(asset, by_old) or asset.superseded_by
        made_from = _made_from(asset, by_old)
        if (superseded_by, made_from) != (asset.superseded_by, asset.made_from):
            asset = revised(asset, superseded_by=superseded_by, made_from=made_from)
        result.append(asset)
    return result


def _superseded_by(asset: Asset, by_old: Mapping[str, Sequence[_Move]]) -> str | None:
    """Return the new id of what superseded an entry; None where that has none."""
    found = None
    for move in by_old.get(asset.superseded_by or "", ()):
        if place(move.loser) == place(asset) != place(move.holder):
            found = move.id
    # Both branches superseded one version, each with its own entry under the same id: put them in a row.
    for move in by_old.get(asset.id, ()):
        side_by_side = place(move.holder) == place(move.loser) and move.holder.output == move.loser.output
        if side_by_side and asset.superseded_by is move.loser.superseded_by is None and asset.version > 1:
            found = move.id
    return found


def _made_from(asset: Asset, by_old: Mapping[str, Sequence[_Move]]) -> tuple[str, ...]:
    """Return what an entry was made from, by the ids that those have now."""
    found = asset.made_from
    for move in (move for link in asset.made_from for move in by_old.get(link, ())):
        if move.loser.scene_id == asset.scene_id != move.holder.scene_id:
            found = tuple(move.id if link == move.loser.id else link for link in found)
    return found


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
                repairs.append(
                    repair_of("chain", id, f"`{id}` was superseded by `{link}`, which is not there")
                )
                break
            id = link
        else:
            if id not in sound:  # came back to where it had been
                circle = [by_id[each] for each in list(path)[list(path).index(id) :]]
                newest = max(circle, key=lambda a: (a.version, a.created_at, sort_key(a)))
                cut.add(newest.id)
                repairs.append(
                    repair_of(
                        "chain", newest.id, f"`{newest.id}` was superseded by an older version of itself"
                    )
                )
        sound.update(path)
    return _with(assets, {id: {"superseded_by": None} for id in cut})


def _with_one_head(assets: list[Asset], repairs: list[Repair]) -> tuple[list[Asset], set[str]]:
    heads: defaultdict[tuple[object, ...], list[Asset]] = defaultdict(list)
    for asset in assets:
        # Other tools may well keep several pictures of one scene side by side, so only entries of ours.
        if asset.superseded_by is None and asset.sha256 is not None and asset.scene_id is not None:
            heads[(*place(asset), asset.output, asset.model)].append(asset)
    links: dict[str, str] = {}
    for together in heads.values():
        for old, new in pairwise(sorted(together, key=lambda a: (a.created_at, a.version, a.sha256 or ""))):
            links[old.id] = new.id
            repairs.append(
                repair_of("chain", new.id, f"`{old.id}` and `{new.id}` were both the newest of one slot")
            )
    rivals = {*links, *links.values()}
    return _with(assets, {id: {"superseded_by": link} for id, link in links.items()}), rivals


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
            repair_of("chain", id, f"`{id}` is version {version}: it comes after version {version - 1}")
        )
    return _with(assets, {id: {"version": version} for id, version in versions.items()})


def _with(assets: list[Asset], changes: Mapping[str, Changes]) -> list[Asset]:
    """Return the entries, with the changes of those that have some."""
    return [revised(asset, **changes[asset.id]) if asset.id in changes else asset for asset in assets]


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
