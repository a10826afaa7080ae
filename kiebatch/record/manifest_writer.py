"""Keeps `manifest.json` true while a run goes on: at most one write a second, and nothing of others is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Asset, Slot
from kiebatch.record import manifest
from kiebatch.record.database import Hook
from kiebatch.record.manifest.manifest import Manifest


@dataclass(frozen=True, slots=True)
class _Change:
    """One finished task's assets, and what they replace, or what replaces them."""

    new: tuple[Asset, ...]
    replaces: tuple[Asset, ...]
    attempt: int | None
    behind: bool = False
    slot: Slot | None = None
    known: frozenset[str] = frozenset()  # file names that the manifest held when the run began


class ManifestWriter:
    """The manifest of one assets folder.  `lock` is a file in the state folder.

    `enter` enters assets in memory at once; `flush` writes them, `interval_s` after the last write at the
    earliest.  When something else changed the file meanwhile (another program, git), what this run entered and
    the file lacks is entered again.  The journal covers the gap: `flush` returns the attempts that
    the file holds from now on.  An asset is known by its file name, since ids are given again when a file is merged or goes back.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock: Path,
        now: Callable[[], float],
        interval_s: float = 1.0,
        source: str | None = None,
        store: str | None = None,
        hook: Hook = lambda _point: None,
    ) -> None:
        self.path = path
        self._lock = lock
        self.manifest, self._text = read(path)
        self._now = now
        self._interval_s = interval_s
        self._source = source
        self._store = store
        self._hook = hook
        self._changes: list[_Change] = []  # of this run, in order
        self._written = 0  # so many of them are in the file
        self._last_write = float("-inf")
        self.writes = 0
        self._known = frozenset(a.filename for a in self.manifest.assets)
        self._displaced: Mapping[str, Slot] = {}
        self._notes: dict[tuple[str, str], tuple[Asset, JSON]] = {}  # by file name and key
        self._unsaved = False  # whether one of them is not in the file

    def displace(self, slots: Mapping[str, Slot]) -> None:
        """Name the slots of assets, by file name, that bear another slot's name: found there by their content.

        They are given their own slot's name with the next entry, so that it does not supersede them.
        """
        self._displaced = slots

    def enter(
        self,
        new: Sequence[Asset],
        replaces: Sequence[Asset] = (),
        attempt: int | None = None,
        *,
        slot: Slot | None = None,
        behind: bool = False,
    ) -> tuple[Asset, ...]:
        """Enter a task's assets; return them with ids and versions as they stand.

        They take the place of `replaces`, and of what somebody else entered for the same `slot` since this writer
        began.  With `behind` they are older versions of those, which stay what the slot shows.
        """
        change = _Change(tuple(new), tuple(replaces), attempt, behind, slot, self._known)
        self._give_back()
        entered = self._enter(change)
        self._changes.append(change)
        return entered

    def annotate(self, asset: Asset, key: str, value: JSON) -> None:
        """Give an entry one more key; what waits to be written is written with it.  The same again changes nothing."""
        if self.as_it_stands(asset).extra.get(key) == value:
            return
        self._notes[asset.filename, key] = asset, value
        self._unsaved = True
        self._annotate(asset, key, value)

    def _annotate(self, asset: Asset, key: str, value: JSON) -> None:
        there = self.as_it_stands(asset)
        if there.id in self.manifest.by_id and there.sha256 == asset.sha256:
            self.manifest = manifest.annotated(self.manifest, there, key, value)

    def as_it_stands(self, asset: Asset) -> Asset:
        """Return an asset as the record has it now: another program's change may have given it another id."""
        return next((a for a in self.manifest.assets if a.filename == asset.filename), asset)

    def update(self, change: Callable[[Manifest], Manifest]) -> None:
        """Change the record by a function, and write it at once."""
        self.flush(force=True)
        with files.lock(self._lock, wait=True, holder="writing the manifest"):
            current, text = read(self.path)
            self.manifest = change(current)
            self._write(text)

    def _enter(self, change: _Change) -> tuple[Asset, ...]:
        old = self._line(change)
        if not change.behind or not old:
            self.manifest, entered = manifest.record(self.manifest, change.new, old)
            return entered
        # Older versions that came late: what the slot shows moves one version up, past them.
        version = max(a.version for a in old)
        for asset in old:
            self.manifest = manifest.changed(self.manifest, asset, version=version + 1)
        self.manifest, entered = manifest.record(self.manifest, change.new)
        late = []
        for asset in entered:
            self.manifest = manifest.changed(self.manifest, asset, version=version, superseded_by=old[0].id)
            late.append(self.manifest.by_id[asset.id])
        return tuple(late)

    def _line(self, change: _Change) -> list[Asset]:
        """Return what a change takes the place of, as the manifest says at this moment."""
        there = {a.filename: a for a in self.manifest.assets}
        old = [there[a.filename] for a in change.replaces if a.filename in there]
        old += [a for a in self._came_since(change) if a not in old]
        return [a for a in old if a.current]

    def _came_since(self, change: _Change) -> list[Asset]:
        """Return what others have entered for the slot of a change, in its line, since the run knew the slot."""
        slot = change.slot
        if slot is None:
            return []
        ours = {asset.filename for one in self._changes for asset in one.new}
        models = {asset.model for asset in change.new}
        return [
            asset
            for asset in self.manifest.current(slot.scene, slot.shot, slot.take)
            if asset.filename not in change.known
            and asset.filename not in ours
            and (slot.model is None or asset.model in models)
        ]

    def _give_back(self) -> None:
        """Give assets that were found by their content the name of the slot that has them, versions and all."""
        for filename, slot in self._displaced.items():
            asset = next((a for a in self.manifest.assets if a.filename == filename), None)
            if asset is None or (asset.scene_id, asset.shot) == (slot.scene, slot.shot):
                continue
            for one in (*_versions_before(self.manifest, asset), asset):
                self.manifest = manifest.changed(self.manifest, one, scene_id=slot.scene, shot=slot.shot)
            self._supersede_rivals(asset.id, slot)

    def _supersede_rivals(self, given_back: str, slot: Slot) -> None:
        """Put what bore the slot's name until now behind the asset that the slot was found to have."""
        asset = self.manifest.by_id[given_back]
        rivals = [
            a
            for a in self.manifest.current(slot.scene, slot.shot, slot.take)
            if a.id != asset.id
            and (a.model, a.output) == (asset.model, asset.output)
            and a.sha256 is not None
            and a.filename not in self._displaced
        ]
        if not asset.current or not rivals:
            return
        for rival in rivals:
            self.manifest = manifest.changed(self.manifest, rival, superseded_by=asset.id)
        version = max(asset.version, *(rival.version + 1 for rival in rivals))
        self.manifest = manifest.changed(self.manifest, self.manifest.by_id[asset.id], version=version)

    @property
    def due_in_s(self) -> float | None:
        """Seconds until the next write is due; None when nothing waits."""
        if self._written == len(self._changes) and not self._unsaved:
            return None
        return max(0.0, self._last_write + self._interval_s - self._now())

    def flush(self, force: bool = False) -> list[int]:
        """Write what waits, when it is due or forced; return the attempts that the file holds from now on."""
        wait = self.due_in_s
        if wait is None and not (force and self._changes):
            return []
        # A clock that was set back must not stop the writing.
        if not force and wait and 0 < wait <= self._interval_s:
            return []
        with files.lock(self._lock, wait=True, holder="writing the manifest"):
            on_disk = _text(self.path)
            if on_disk != self._text:
                self._enter_again(on_disk)
            self._write(on_disk)
        done = [c.attempt for c in self._changes[self._written :] if c.attempt is not None]
        self._written = len(self._changes)
        self._unsaved = False
        return done

    def _write(self, on_disk: str | None) -> None:
        if self._source and not self.manifest.source:
            self.manifest = dataclasses.replace(self.manifest, source=self._source)
        if self._store and not self.manifest.store:
            self.manifest = self.manifest.stored_at(self._store)
        text = manifest.dump(self.manifest)
        if text != on_disk:
            self._hook("manifest.write:before")
            files.replace(self.path, text)
            self._hook("manifest.write:after")
            self.writes += 1
        self._text = text
        self._last_write = self._now()

    def _enter_again(self, on_disk: str | None) -> None:
        """Take what is on the disk, and add what this run entered and it lacks."""
        names = {a.id: a.filename for a in self.manifest.assets}
        self.manifest = _parsed(on_disk, self.path)
        for change in self._changes:
            there = {a.filename: a.id for a in self.manifest.assets}
            new = tuple(
                dataclasses.replace(a, made_from=tuple(there.get(names.get(i, ""), i) for i in a.made_from))
                for a in change.new
                if a.filename not in there
            )
            if new:
                self._give_back()
                self._enter(dataclasses.replace(change, new=new))
        for (_, key), (asset, value) in self._notes.items():
            self._annotate(asset, key, value)


def _versions_before(recorded: Manifest, asset: Asset) -> list[Asset]:
    """Return the versions that an asset came to take the place of, whatever their number."""
    found: list[Asset] = []
    ids = {asset.id}
    while True:
        before = [a for a in recorded.assets if a.superseded_by in ids and a not in found]
        if not before:
            return found
        found += before
        ids = {a.id for a in before}


def read(path: Path) -> tuple[Manifest, str | None]:
    """Return a manifest and its text; an empty one, and None, where there is no file."""
    text = _text(path)
    return _parsed(text, path), text


def _parsed(text: str | None, path: Path) -> Manifest:
    return Manifest() if text is None else manifest.parse_file(text, files.shown(path))


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise Invalid([Problem(where=Where(files.shown(path)), message="not UTF-8 text")]) from None
    except OSError as error:
        raise Invalid(f"cannot read {files.shown(path)}: {error.strerror}") from None
