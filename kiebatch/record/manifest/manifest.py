"""The record: add, supersede, repair, merge, deterministic text; strings in, strings out; keeps foreign keys.

The format is contract section 5.  Entries that other tools wrote are taken as they are: keys we do not know, and
values we did not expect under a key we do, stay in `Asset.extra` and are written back.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property

from kiebatch._dataclass import dataclass
from kiebatch.model import JSON, Asset, SceneId, ShotId
from kiebatch.record.manifest.ids import gapless
from kiebatch.record.manifest.keys import SortKey, natural_key, sort_key, text_or_none
from kiebatch.record.manifest.repair import Repair
from kiebatch.record.manifest.versions import lines

_STORE = re.compile(r"(s3|gs|az|file)://\S+")
MARK = "merge_conflict"  # an entry's key that holds the facts which two branches changed differently


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

    @property
    def store(self) -> str | None:
        """The address of the store that holds the files; for people, and to know that they are somewhere.

        It is text that others edit: nothing is ever fetched from it or sent to it because it stands here.
        """
        named = self.extra.get("store")  # another tool may mean something else by that key
        return named if isinstance(named, str) and _STORE.fullmatch(named) else None

    def stored_at(self, address: str) -> Manifest:
        """Return the manifest as that of a film whose files are in a store."""
        return replace(self, extra={**self.extra, "store": address})

    @cached_property
    def _keys(self) -> list[SortKey]:
        return [sort_key(asset) for asset in self.assets]

    @cached_property
    def _texts(self) -> list[str | None]:
        """Each entry as written, once it has been asked for: a run writes the whole file every second."""
        return [None] * len(self.assets)

    @cached_property
    def _counts(self) -> dict[str, int]:
        """How many entries each prefix has, for the prefixes whose ids are gapless."""
        return gapless(self.assets)

    @cached_property
    def by_id(self) -> Mapping[str, Asset]:
        return {asset.id: asset for asset in self.assets}

    def of(self, scene: SceneId | None, shot: ShotId = None) -> Iterator[Asset]:
        """Yield the entries of one shot, in order; a scene written `1` and one written `"1"` are the same."""
        if not self.assets:
            return
        prefix = (natural_key(scene), natural_key(shot))
        names = (text_or_none(scene), text_or_none(shot))
        for index in range(bisect_left(self._keys, prefix), len(self.assets)):
            if self._keys[index][:2] != prefix:
                return
            asset = self.assets[index]
            if (text_or_none(asset.scene_id), text_or_none(asset.shot)) == names:
                yield asset

    def current(self, scene: SceneId | None, shot: ShotId = None, take: int = 1) -> tuple[Asset, ...]:
        """Return what stands for one take of a shot now, whatever its model, in the order of models and outputs."""
        return tuple(a for a in self.of(scene, shot) if a.take == take and a.superseded_by is None)

    def lines(self) -> list[tuple[Asset, ...]]:
        """Return the lines of versions: entries joined by `superseded_by`, each line from old to new."""
        return lines(self.assets)
