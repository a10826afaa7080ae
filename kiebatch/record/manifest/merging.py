"""Joins two branches of the record, entry by entry; records in, record out."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kiebatch.model import JSON, Asset, as_mapping, as_text
from kiebatch.record.manifest.ids import id_prefix
from kiebatch.record.manifest.keys import birth, place, revised, sort_key
from kiebatch.record.manifest.manifest import MARK, Manifest
from kiebatch.record.manifest.repair import repaired, with_own_files
from kiebatch.record.manifest.text import asset_of, entry


@dataclass(frozen=True, slots=True)
class Conflict:
    """One fact that both branches changed, differently: what the merged record has, and what does not.

    `asset` is the entry's id in the merged record, or empty for a key of the manifest itself; `key` is
    `deleted` where one branch removed an entry that the other changed, which stays.
    """

    asset: str
    key: str
    kept: JSON
    other: JSON


_LINKS = ("id", "version", "superseded_by", "made_from")
_Facts = dict[str, JSON]


@dataclass(slots=True)
class _Thing:
    """One asset, as each of the three records has it."""

    base: Asset | None = None
    ours: Asset | None = None
    theirs: Asset | None = None
    merged: Asset | None = None
    next: set[int] = field(default_factory=set)  # what supersedes it, by place in the list of things


def merge(base: Manifest, ours: Manifest, theirs: Manifest) -> tuple[Manifest, list[Conflict]]:
    """Join two records that both came from `base`, entry by entry.

    New versions of both sides stay: where both superseded one version, the one made later becomes the newest.
    Ours keep their ids, theirs are renumbered where they must be; apart from ids the result does not depend on
    which side is which.  A fact that both changed keeps one value, and the entry gets the key `merge_conflict`
    with the other, which `verify` shows.
    """
    things, ids = _things(base, ours, theirs)
    conflicts: list[tuple[int, str, JSON, JSON]] = []
    for index, thing in enumerate(things):
        _merge_facts(thing, index, conflicts)
    names = _merged_ids(things)
    _merge_links(things, ids)
    _in_a_row(things)
    assets = []
    for index, thing in enumerate(things):
        if thing.merged is not None:
            link = names[min(thing.next)] if thing.next else None
            made_from = _merged_sources(thing, ids, names)
            assets.append(revised(thing.merged, id=names[index], superseded_by=link, made_from=made_from))
    mended, _ = repaired(assets)
    rivals = _rivals(things, names)
    if rivals:
        mended = tuple(sorted(with_own_files(mended, rivals), key=sort_key))
    source, top, torn = _merged_top(base, ours, theirs)
    torn += [Conflict(names[i], key, kept, other) for i, key, kept, other in conflicts if i in names]
    return Manifest(mended, source, top), torn


def _merged_top(
    base: Manifest, ours: Manifest, theirs: Manifest
) -> tuple[str | None, dict[str, JSON], list[Conflict]]:
    """Return the merged `source`, the merged keys of other tools beside the entries, and what both sides changed."""
    tops = [{"source": m.source, **m.extra} for m in (base, ours, theirs)]
    top, others = _three_way(tops[0], tops[1], tops[2])
    torn = [Conflict("", key, top.get(key), other) for key, other in others.items()]
    source = as_text(top.get("source"))
    if source == top.get("source"):  # else it is kept as another tool wrote it
        top.pop("source", None)
    return source, top, torn


def _rivals(things: Sequence[_Thing], names: Mapping[int, str]) -> set[str]:
    """Return the ids of new entries whose file name both sides gave to a file of their own."""
    both = _new_names(things, "ours") & _new_names(things, "theirs")
    new = ((index, thing.merged) for index, thing in enumerate(things) if thing.base is None)
    return {names[index] for index, merged in new if merged and merged.filename in both}


def _new_names(things: Iterable[_Thing], side: str) -> set[str]:
    other = "theirs" if side == "ours" else "ours"
    alone = (getattr(t, side) for t in things if t.base is None and getattr(t, other) is None)
    return {asset.filename for asset in alone}


def _things(base: Manifest, ours: Manifest, theirs: Manifest) -> tuple[list[_Thing], list[dict[str, int]]]:
    """Return what there is on any side, and for each side (base, ours, theirs) the place of each id in that list."""
    things = [_Thing(base=asset) for asset in base.assets]
    ids: list[dict[str, int]] = [{asset.id: index for index, asset in enumerate(base.assets)}, {}, {}]
    born: defaultdict[tuple[JSON, ...], list[int]] = defaultdict(list)
    for index, asset in enumerate(base.assets):
        born[birth(asset)].append(index)
    for number, (side, record) in enumerate((("ours", ours), ("theirs", theirs)), start=1):
        rest = []
        for asset in record.assets:
            index = ids[0].get(asset.id, -1)
            original = things[index].base if index >= 0 else None
            if original is not None and birth(original) == birth(asset):
                setattr(things[index], side, asset)
                ids[number][asset.id] = index
            else:
                rest.append(asset)
        for asset in rest:
            index = _counterpart(things, born[birth(asset)], asset, side)
            if index < 0:
                index = len(things)
                things.append(_Thing())
                born[birth(asset)].append(index)
            setattr(things[index], side, asset)
            ids[number][asset.id] = index
    return things, ids


def _counterpart(things: Sequence[_Thing], candidates: Sequence[int], asset: Asset, side: str) -> int:
    free = [index for index in candidates if getattr(things[index], side) is None]
    for index in free:
        other = things[index].base or things[index].ours
        if other and place(other) == place(asset) and other.model == asset.model:
            return index
    known = [index for index in free if things[index].base]
    return known[0] if len(known) == 1 else -1  # moved to another shot, and renumbered


def _facts(asset: Asset) -> _Facts:
    return {key: value for key, value in entry(asset).items() if key not in _LINKS}


def _merge_facts(thing: _Thing, index: int, conflicts: list[tuple[int, str, JSON, JSON]]) -> None:
    base, ours, theirs = thing.base, thing.ours, thing.theirs
    if ours is None or theirs is None:
        there = ours or theirs
        if base is None:
            thing.merged = there
        elif there is not None and _facts(there) != _facts(base):
            thing.merged = there
            conflicts.append((index, "deleted", False, True))
        return
    if ours in (theirs, base) or theirs == base:  # nearly all of a large record
        thing.merged = theirs if ours == base else ours
        return
    old, mine, yours = _facts(base) if base else {}, _facts(ours), _facts(theirs)
    facts, others = _three_way(old, mine, yours)
    for key, other in others.items():
        conflicts.append((index, key, facts.get(key), other))
    if others:
        facts[MARK] = {**as_mapping(facts.get(MARK)), **others}
    same = facts == mine
    version = max(ours.version, theirs.version)
    thing.merged = revised(ours if same else asset_of({"id": "", **facts}), version=version)


_ABSENT = object()


def _three_way(base: _Facts, ours: _Facts, theirs: _Facts) -> tuple[_Facts, _Facts]:
    """Return the merged facts and, for what both changed, the values that lost.

    One side wins for all of them, so that a prompt and its fingerprint stay together; which one depends on
    the values alone.
    """
    merged: _Facts = {}
    torn = []
    for key in {**base, **ours, **theirs}:
        old, mine, yours = (side.get(key, _ABSENT) for side in (base, ours, theirs))
        if mine == yours or yours == old:
            side = ours
        elif mine == old:
            side = theirs
        else:
            torn.append(key)
            side = {key: None}  # its place in the entry; the value follows
        if key in side:
            merged[key] = side[key]
    texts = [json.dumps([side.get(key) for key in sorted(torn)], sort_keys=True) for side in (ours, theirs)]
    winner, loser = (ours, theirs) if texts[0] >= texts[1] else (theirs, ours)
    for key in torn:
        merged[key] = winner.get(key)
    return merged, {key: loser.get(key) for key in torn}


def _merged_ids(things: Sequence[_Thing]) -> dict[int, str]:
    names: dict[int, str] = {}
    late = []
    for index, thing in enumerate(things):
        if thing.merged is not None and thing.ours is not None:
            names[index] = thing.ours.id
        elif thing.merged is not None:
            late.append(index)
    taken = set(names.values())
    renumbered = []
    for index in late:
        id = (things[index].theirs or things[index].base or Asset(id="", type="", filename="")).id
        if id in taken:
            renumbered.append(index)
        else:
            names[index] = id
            taken.add(id)
    ids = _FreeIds(taken)
    for index in renumbered:
        merged = things[index].merged
        names[index] = ids.next(id_prefix(merged.type if merged else ""))
    return names


class _FreeIds:
    """Gives ids that nothing has, ascending for each prefix."""

    def __init__(self, taken: Container[str]) -> None:
        self._taken = taken
        self._numbers: dict[str, int] = {}

    def next(self, prefix: str) -> str:
        number = self._numbers.get(prefix, 0) + 1
        while f"{prefix}-{number:03d}" in self._taken:
            number += 1
        self._numbers[prefix] = number
        return f"{prefix}-{number:03d}"


def _merge_links(things: Sequence[_Thing], ids: Sequence[Mapping[str, int]]) -> None:
    for thing in things:
        sides = [
            _link(asset, known)
            for asset, known in zip((thing.base, thing.ours, thing.theirs), ids, strict=True)
        ]
        old, mine, yours = sides
        if thing.ours is None or yours == mine:
            found = {yours}
        elif thing.theirs is None or yours == old:
            found = {mine}
        elif mine == old:
            found = {yours}
        else:
            found = {mine, yours}
        thing.next = {index for index in found if index is not None and things[index].merged is not None}


def _link(asset: Asset | None, known: Mapping[str, int]) -> int | None:
    return known.get(asset.superseded_by or "") if asset else None


def _merged_sources(
    thing: _Thing, ids: Sequence[Mapping[str, int]], names: Mapping[int, str]
) -> tuple[str, ...]:
    number, asset = (1, thing.ours) if thing.ours else (2, thing.theirs)
    links = asset.made_from if asset else ()
    return tuple(names.get(ids[number].get(link, -1), link) for link in links)


def _in_a_row(things: Sequence[_Thing]) -> None:
    """Where both sides superseded one version, put everything that came after it in one row, by time."""
    forks = [index for index, thing in enumerate(things) if len(thing.next) > 1]
    if not forks:
        return
    after = {fork: _followers(things, fork) for fork in forks}
    while forks:
        together, followers = _overlapping(forks, after)
        forks = [fork for fork in forks if fork not in together]
        _line_up(things, [fork for fork in together if fork not in followers], followers)


def _followers(things: Sequence[_Thing], fork: int) -> set[int]:
    """Return everything that came after a version, however far."""
    found: set[int] = set()
    pending = list(things[fork].next)
    while pending:
        index = pending.pop()
        if index not in found:
            found.add(index)
            pending.extend(things[index].next)
    return found


def _overlapping(forks: Sequence[int], after: Mapping[int, set[int]]) -> tuple[list[int], set[int]]:
    """Return the last fork with those whose followers overlap its own (the outputs of one task, say), and all followers.

    They are put in order together.
    """
    *rest, last = forks
    together, followers = [last], set(after[last])
    while more := [fork for fork in rest if fork in followers or not followers.isdisjoint(after[fork])]:
        rest = [fork for fork in rest if fork not in more]
        together += more
        followers |= set().union(*(after[fork] for fork in more))
    return together, followers


def _line_up(things: Sequence[_Thing], forks: Sequence[int], followers: set[int]) -> None:
    """Link forks to the first of their followers, each batch of these to the next, and the last to nothing."""
    order = _Batches(things, followers).in_order()
    for index in forks:
        things[index].next = {_same_output(things, index, order[0])}
    for batch, following in pairwise(order):
        for index in batch:
            things[index].next = {_same_output(things, index, following)}
    for index in order[-1]:
        things[index].next = set()


class _Batches:
    """What came after a fork, by task: the outputs of one task stay together."""

    def __init__(self, things: Sequence[_Thing], followers: set[int]) -> None:
        self._things = things
        self._batches: defaultdict[object, list[int]] = defaultdict(list)
        for index in followers:
            self._batches[self._key(index)].append(index)

    def in_order(self) -> list[list[int]]:
        """Return the batches by time, and in each its outputs by their number."""
        times = self._times()
        order = sorted(self._batches, key=lambda key: (times[key], *self._rank(key)))
        return [sorted(self._batches[key], key=lambda i: (self._merged(i).output, i)) for key in order]

    def _merged(self, index: int) -> Asset:
        asset = self._things[index].merged
        assert asset is not None
        return asset

    def _key(self, index: int) -> object:
        return self._merged(index).task_id or index

    def _times(self) -> dict[object, str]:
        """Return when each batch was made.  A clock may have gone wrong: nothing comes before what it superseded."""
        times = {
            key: min(self._merged(index).created_at for index in batch)
            for key, batch in self._batches.items()
        }
        for _ in self._batches:
            late = list(self._too_early(times))
            if not late:
                break
            for key, time in late:
                times[key] = max(times[key], time)
        return times

    def _too_early(self, times: Mapping[object, str]) -> Iterator[tuple[object, str]]:
        """Yield each batch with a time before that of a batch that it superseded, and the latter's time."""
        for key, batch in self._batches.items():
            after = (self._key(follower) for index in batch for follower in self._things[index].next)
            for other in after:
                if other != key and times[other] < times[key]:
                    yield other, times[key]

    def _rank(self, key: object) -> tuple[int, tuple[str, str, str, str]]:
        """Return what decides between batches of one moment: facts alone, whichever side they are on."""
        batch = [self._merged(index) for index in self._batches[key]]
        facts = min((a.sha256 or "", a.filename, a.model, a.prompt) for a in batch)
        return max(a.version for a in batch), facts


def _same_output(things: Sequence[_Thing], index: int, batch: Sequence[int]) -> int:
    asset = things[index].merged
    outputs = [things[i].merged for i in batch]
    same = (
        i for i, other in zip(batch, outputs, strict=True) if asset and other and asset.output == other.output
    )
    return next(same, batch[0])


# --- text that git has joined ---------------------------------------------------------------------------


def sides(text: str) -> tuple[str, str, str] | None:
    """Return (base, ours, theirs) of a text in which git has left conflict markers; None where there are none.

    Without the common ancestor in the markers (git's default style) base is what both sides share.
    """
    base: list[str] = []
    ours: list[str] = []
    theirs: list[str] = []
    inside = ""
    found = False
    for line in text.splitlines(keepends=True):
        mark = re.match(r"(<{7}|\|{7}|={7}|>{7})(?=[ \r\n]|$)", line)
        if mark and (inside or mark.group()[0] == "<"):
            found = True
            inside = {"<": "ours", "|": "base", "=": "theirs", ">": ""}[mark.group()[0]]
        elif not inside:
            for side in (base, ours, theirs):
                side.append(line)
        else:
            {"base": base, "ours": ours, "theirs": theirs}[inside].append(line)
    return ("".join(base), "".join(ours), "".join(theirs)) if found else None
