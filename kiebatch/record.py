"""Keeps `manifest.json` true while a run goes on: at most one write a second, and nothing of others is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files, manifest
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.journal import Journal
from kiebatch.manifest import Manifest
from kiebatch.model import Asset


@dataclass(frozen=True, slots=True)
class _Change:
    """One finished task's assets, and what they take the place of."""

    new: tuple[Asset, ...]
    replaces: tuple[Asset, ...]
    attempt: int | None


class Record:
    """The manifest of one assets folder.  `lock` is a file in the state folder.

    `record` enters assets in memory at once; `flush` writes them, `interval_s` after the last write at the
    earliest.  When another program changed the file meanwhile, our entries are entered again into what it
    wrote.  The journal covers the gap: it says which attempts the file does not hold yet.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock: Path,
        journal: Journal | None = None,
        now: Callable[[], float],
        interval_s: float = 1.0,
        source: str | None = None,
    ) -> None:
        self.path = path
        self._lock = lock
        self.manifest, self._text = read(path)
        self._journal = journal
        self._now = now
        self._interval_s = interval_s
        self._source = source
        self._pending: list[_Change] = []
        self._last_write = float("-inf")
        self.writes = 0

    def record(
        self, new: Sequence[Asset], replaces: Sequence[Asset] = (), attempt: int | None = None
    ) -> tuple[Asset, ...]:
        """Enter a task's assets; return them with ids and versions as they stand."""
        replaces = self._as_they_stand(replaces)
        self.manifest, entered = manifest.record(self.manifest, new, replaces)
        self._pending.append(_Change(tuple(new), tuple(replaces), attempt))
        self.flush()
        return entered

    def update(self, change: Callable[[Manifest], Manifest]) -> None:
        """Change the record by a function, and write it at once."""
        self.flush(force=True)
        with files.lock(self._lock, wait=True, holder="writing the manifest"):
            current, text = read(self.path)
            self.manifest = change(current)
            self._write(text)

    def _as_they_stand(self, assets: Sequence[Asset]) -> tuple[Asset, ...]:
        by_id = self.manifest.by_id
        return tuple(by_id[a.id] for a in assets if a.id in by_id and by_id[a.id].current)

    @property
    def due_in_s(self) -> float | None:
        """Seconds until the next write is due; None when nothing waits."""
        if not self._pending:
            return None
        return max(0.0, self._last_write + self._interval_s - self._now())

    def flush(self, *, force: bool = False) -> None:
        """Write what waits, when it is time or when forced."""
        if not self._pending:
            return
        wait = self.due_in_s or 0.0
        # A clock that was set back must not stop the writing.
        if not force and 0 < wait <= self._interval_s:
            return
        with files.lock(self._lock, wait=True, holder="writing the manifest"):
            on_disk = _text(self.path)
            if on_disk != self._text:
                self._enter_again(on_disk)
            self._write(on_disk)
        done = [c.attempt for c in self._pending if c.attempt is not None]
        self._pending.clear()
        if self._journal:
            self._journal.recorded(done)

    def _write(self, on_disk: str | None) -> None:
        if self._source and not self.manifest.source:
            self.manifest = dataclasses.replace(self.manifest, source=self._source)
        text = manifest.dump(self.manifest)
        if text != on_disk:
            files.replace(self.path, text)
            self.writes += 1
        self._text = text
        self._last_write = self._now()

    def _enter_again(self, on_disk: str | None) -> None:
        self.manifest = manifest.parse(on_disk, files.shown(self.path)) if on_disk is not None else Manifest()
        for change in self._pending:
            self.manifest, _ = manifest.record(
                self.manifest, change.new, self._as_they_stand(change.replaces)
            )


def read(path: Path) -> tuple[Manifest, str | None]:
    """Return a manifest and its text; an empty one, and None, where there is no file."""
    text = _text(path)
    return (Manifest(), None) if text is None else (manifest.parse(text, files.shown(path)), text)


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise Invalid([Problem(where=Where(files.shown(path)), message="not UTF-8 text")]) from None
    except OSError as error:
        raise Invalid(f"cannot read {files.shown(path)}: {error.strerror}") from None
