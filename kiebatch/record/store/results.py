"""Results by what was paid for: the rules, in a folder or a bucket.

An entry is created once, after its bytes, in one step: of two processes that finish the same job the first one wins.
An entry that cannot be used counts as absent, and the next result replaces it.  Bytes are believed by their digest
alone.  A folder of version 0.1 (one folder a result) is read, and never written.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from kiebatch import files
from kiebatch._dataclass import dataclass
from kiebatch.model import Asset
from kiebatch.record.ledger import Key
from kiebatch.record.store import layout
from kiebatch.record.store.folder import FolderObjects
from kiebatch.record.store.objects import Objects, StoreFailed, StoreTimes

AT_ONCE = 16  # calls to a bucket that run side by side


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored asset: what its manifest entry said, and where its bytes lie.

    `passing` bytes were brought here for whoever asked, who takes them away.
    """

    asset: Asset
    path: Path
    passing: bool = False


class ResultStore(Protocol):
    """Results that were paid for, here or elsewhere; a run fills it and takes from it.

    Whatever asks it may raise `StoreFailed`: what cannot be asked is not missing.
    """

    @property
    def parts(self) -> Sequence[Results]:
        """The stores that it is made of."""

    def distrust(self, digests: Iterable[str]) -> None:
        """Take bytes of these digests for absent: they were seen to be others."""

    def expect(self, keys: Iterable[Key]) -> None:
        """Look for results together; `has` and `digests` then answer at once."""

    def has(self, key: Key) -> bool:
        """Whether a key's result is there, by its entry and the sizes of its files."""

    def digests(self, key: Key) -> Mapping[int, str]:
        """Return output number -> sha256 of a stored result; nothing where it is not whole."""

    def get(self, key: Key, spare: Path) -> list[Stored]:
        """Return a task's stored assets by output, their bytes checked; nothing where one of them is damaged.

        The newest edition answers.  Bytes that are not on this machine are brought into the folder `spare`.
        """

    def put(self, key: Key, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        """Keep one task's assets; `paths` maps their `filename` to the file.  Drafts are not kept.

        A whole entry that is there already stays; one that cannot be used is replaced.
        """

    def fetch(self, asset: Asset, target: Path) -> bool:
        """Bring an asset's bytes, checked, to a name that is free; False where they are not there or damaged."""


class Results:
    """The rules, over the objects of one place."""

    def __init__(
        self, objects: Objects, *, address: str, shared: bool = True, times: StoreTimes | None = None
    ) -> None:
        self.objects = objects
        self.address = address
        self.shared = shared  # the store that a manifest names, not a cache of somebody's own
        self._waits_s = (times or StoreTimes()).waits_s
        self._expected: dict[Key, tuple[Asset, ...]] = {}
        self.damaged: set[str] = set()  # digests whose bytes were seen to be others

    @property
    def parts(self) -> Sequence[Results]:
        return (self,)

    # -- looking

    def distrust(self, digests: Iterable[str]) -> None:
        self.damaged |= set(digests)

    def expect(self, keys: Iterable[Key]) -> None:
        if self.objects.at_hand:
            return  # nothing is gained by asking a disk beforehand
        from concurrent.futures import ThreadPoolExecutor  # only for a store that is far away

        wanted = [key for key in dict.fromkeys(keys) if not self._expected.get(key)]
        shards = sorted({layout.shard(key) for key in wanted})
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            names = dict(zip(shards, pool.map(self.objects.names, shards), strict=True))
            found = pool.map(lambda key: self._whole(key, names[layout.shard(key)]), wanted)
            self._expected.update(zip(wanted, map(tuple, found), strict=True))

    def has(self, key: Key) -> bool:
        return bool(self._listed(key))

    def digests(self, key: Key) -> Mapping[int, str]:
        return {asset.output: asset.sha256 or "" for asset in self._listed(key)}

    def _listed(self, key: Key) -> Sequence[Asset]:
        known = self._expected.get(key)
        return self._whole(key, self.objects.names(layout.shard(key))) if known is None else known

    def _whole(self, key: Key, names: Sequence[str]) -> Sequence[Asset]:
        """Return the assets of a key's newest edition whose bytes are there."""
        for name in layout.editions(key, names):
            assets = self._read(f"{layout.shard(key)}/{name}")
            if assets and all(map(self._seems_there, assets)):
                return assets
        return ()

    def _read(self, name: str) -> list[Asset]:
        return layout.outputs(self.objects.read(name, layout.LONGEST_ENTRY) or b"")

    def _seems_there(self, asset: Asset) -> bool:
        digest = asset.sha256 or ""
        return digest not in self.damaged and self.objects.size(layout.blob(digest)) == asset.bytes

    # -- taking

    def get(self, key: Key, spare: Path) -> list[Stored]:
        shard = layout.shard(key)
        for name in layout.editions(key, self.objects.names(shard)):
            assets = self._read(f"{shard}/{name}")
            found = [self._bring(asset, spare) for asset in assets if self._seems_there(asset)]
            stored = [one for one in found if one is not None]
            if assets and len(stored) == len(assets):
                return stored
        self._expected.pop(key, None)
        return []

    def _bring(self, asset: Asset, spare: Path) -> Stored | None:
        digest = asset.sha256 or ""
        path = self.objects.path(layout.blob(digest))
        if path is not None:
            if _is(path, digest):
                return Stored(asset, path)
            self.damaged.add(digest)
            return None
        target = spare / f"store-{digest}"
        if not _is(target, digest) and not self._brought(digest, target):
            return None
        return Stored(asset, target, passing=True)

    def fetch(self, asset: Asset, target: Path) -> bool:
        digest = asset.sha256
        if digest is None or not layout.is_digest(digest) or not self._seems_there(asset):
            return False
        return self._brought(digest, target)

    def _brought(self, digest: str, target: Path) -> bool:
        """Bring bytes to a name, whole and checked, or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".store-", dir=target.parent)
        os.close(handle)
        part = Path(name)
        try:
            if not self.objects.fetch(layout.blob(digest), part):
                return False
            if files.sha256(part) != digest:
                self.damaged.add(digest)
                return False
            return files.place(part, target) or _is(target, digest)
        finally:
            part.unlink(missing_ok=True)

    # -- keeping

    def put(self, key: Key, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        if not assets or any(a.draft or not a.sha256 for a in assets):
            return
        for asset in assets:
            self.keep(asset.sha256 or "", paths[asset.filename])
        self.enter(key, assets)

    def enter(self, key: Key, assets: Sequence[Asset]) -> None:
        """Create the entry of a result whose bytes are kept."""
        self._create(f"{layout.shard(key)}/{layout.entry_name(key)}", layout.entry_text(assets))
        self._expected.pop(replace(key, edition=0), None)

    def keep_derived(self, sha256: str, path: Path) -> None:
        """Keep what was made from some bytes; its name says from which, and how."""
        self.objects.put(layout.derived(sha256, path.name), path)

    def has_derived(self, sha256: str, name: str) -> bool:
        """Whether something that is made from some bytes is there."""
        return self.objects.size(layout.derived(sha256, name)) is not None

    def fetch_derived(self, sha256: str, name: str, target: Path, *, longest: int) -> bool:
        """Bring what was made from some bytes; False where it is not there or has more than `longest` bytes.

        No digest vouches for it: whoever takes it looks at what it is.
        """
        stored = layout.derived(sha256, name)
        size = self.objects.size(stored)
        return size is not None and size <= longest and self.objects.fetch(stored, target)

    def holds(self, asset: Asset) -> bool:
        """Whether an asset's bytes are there, by their size; of a folder by their digest."""
        digest = asset.sha256 or ""
        return layout.is_digest(digest) and self._holds(layout.blob(digest), digest, asset.bytes or 0)

    def keep(self, sha256: str, source: Path) -> None:
        """Keep some bytes, checked before they leave; what is there already is not sent again."""
        name = layout.blob(sha256)
        try:
            if self._holds(name, sha256, source.stat().st_size):
                return
            if files.sha256(source) != sha256:
                raise StoreFailed(
                    f"{files.shown(source)} is not what the manifest says of it; it was not stored"
                )
        except OSError as error:
            raise StoreFailed(f"cannot read {files.shown(source)}: {error.strerror}") from None
        self.objects.put(name, source)
        self.damaged.discard(sha256)

    def _holds(self, name: str, sha256: str, size: int) -> bool:
        path = self.objects.path(name)
        if path is not None:
            return _is(path, sha256)
        return sha256 not in self.damaged and self.objects.size(name) == size

    def _create(self, name: str, text: bytes) -> None:
        """Create an entry, unless a usable one is there; an answer that was lost is asked for again."""
        failed: StoreFailed | None = None
        for wait_s in (*self._waits_s, 0.0):
            try:
                if self.objects.create(name, text) or self._usable(name):
                    return
                failed = None
            except StoreFailed as error:
                failed = error
            time.sleep(wait_s)
        if failed is not None:
            raise failed
        self.objects.write(name, text)  # nobody could use it

    def _usable(self, name: str) -> bool:
        """Whether an entry is there that can be used: the first one wins."""
        assets = self._read(name)
        return bool(assets) and all(
            self._holds(layout.blob(asset.sha256 or ""), asset.sha256 or "", asset.bytes or 0)
            for asset in assets
        )


class ResultCache(Results):
    """The folder that `--cache` names: the same layout, and what version 0.1 left in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            FolderObjects(folder), address=files.shown(folder), shared=False, times=StoreTimes(waits_s=())
        )
        self.folder = folder

    def _listed(self, key: Key) -> Sequence[Asset]:
        return super()._listed(key) or [stored.asset for stored in self._old(key)]

    def get(self, key: Key, spare: Path) -> list[Stored]:
        return super().get(key, spare) or self._old_checked(key)

    def put(self, key: Key, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        if not self._old_checked(key):
            super().put(key, assets, paths)

    def _old_checked(self, key: Key) -> list[Stored]:
        found = self._old(key)
        wrong = [s.asset.sha256 or "" for s in found if not _is(s.path, s.asset.sha256 or "")]
        self.damaged |= set(wrong)
        return [] if wrong else found

    def _old(self, key: Key) -> list[Stored]:
        """Return what 0.1 stored: a folder a result, with its files by the number of the output."""
        if key.twin != 1:
            return []
        digest = layout.content_of(key)
        folder = f"{digest[:2]}/{digest}-t{key.take}"
        assets = layout.outputs(self.objects.read(f"{folder}/entry.json", layout.LONGEST_ENTRY) or b"")
        found = [Stored(a, self.folder / folder / f"{a.output}{Path(a.filename).suffix}") for a in assets]
        whole = self.damaged.isdisjoint(a.sha256 or "" for a in assets) and all(
            self.objects.size(f"{folder}/{s.path.name}") == s.asset.bytes for s in found
        )
        return found if whole else []


class Both:
    """Several stores as one: the first that has a result gives it, and all of them keep what is new."""

    def __init__(self, parts: Sequence[Results]) -> None:
        self._parts = parts

    @property
    def parts(self) -> Sequence[Results]:
        return self._parts

    def distrust(self, digests: Iterable[str]) -> None:
        known = set(digests)
        for store in self._parts:
            store.distrust(known)

    def expect(self, keys: Iterable[Key]) -> None:
        wanted = list(keys)
        for store in self._parts:
            store.expect(wanted)

    def has(self, key: Key) -> bool:
        return any(store.has(key) for store in self._parts)

    def digests(self, key: Key) -> Mapping[int, str]:
        found = (store.digests(key) for store in self._parts)
        return next((digests for digests in found if digests), {})

    def get(self, key: Key, spare: Path) -> list[Stored]:
        found = (store.get(key, spare) for store in self._parts)
        return next((stored for stored in found if stored), [])

    def put(self, key: Key, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        for store in self._parts:
            store.put(key, assets, paths)

    def fetch(self, asset: Asset, target: Path) -> bool:
        return any(store.fetch(asset, target) for store in self._parts)


def _is(path: Path, digest: str) -> bool:
    with contextlib.suppress(OSError):
        return files.sha256(path) == digest
    return False
