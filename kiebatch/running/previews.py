"""Small copies of results in the store: made where the files are, shown where they are not."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kiebatch import files, formats
from kiebatch.errors import plain
from kiebatch.media import Derivatives, Wanted
from kiebatch.model import Asset
from kiebatch.record import Results, StoreFailed
from kiebatch.record.store import open_store, times_of
from kiebatch.settings import Settings
from kiebatch.workspace import Workspace

_LONGEST: Final[Mapping[str, int]] = {
    "thumb": 1 << 20,
    "poster": 4 << 20,
    "web": 256 << 20,
    "peaks": 64 << 10,
}
_TYPES: Final[Mapping[str, set[str]]] = {
    ".webp": {"image/webp"},
    ".mp4": {"video/mp4", "video/quicktime"},
    ".m4a": {"audio/mp4", "video/mp4"},
}


def store_preview(store: Results, asset: Asset, path: Path, state: Path) -> None:
    """Make an asset's thumbnail and keep it in the store; nothing where it has none."""
    made = Derivatives(state).of(asset, path, "thumb")
    if made is not None and asset.sha256:
        store.keep_derived(asset.sha256, made)


def derivatives(workspace: Workspace, settings: Settings, say: Callable[[str], object]) -> Derivatives:
    """Return the derivatives of a film: those of the person's own store, where there is one, before any is made here."""
    if not settings.store or workspace.draft:
        return Derivatives(workspace.state)
    return Derivatives(workspace.state, _Stored(open_store(settings.store, times_of(settings)), say))


class _Stored:
    """What workers and colleagues made.  A store that does not answer is asked no more, and that is said once."""

    def __init__(self, store: Results, say: Callable[[str], object]) -> None:
        self._store = store
        self._say = say
        self._silent = False
        self._lock = threading.Lock()

    def has(self, wish: Wanted) -> bool:
        return self._asked(lambda: self._store.has_derived(wish.sha256, wish.name))

    def bring(self, wish: Wanted, target: Path) -> bool:
        part = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}")
        longest = _LONGEST[wish.kind]
        try:
            if self._asked(
                lambda: self._store.fetch_derived(wish.sha256, wish.name, part, longest=longest)
            ) and _is(part, wish):
                os.replace(part, target)
                return True
        finally:
            part.unlink(missing_ok=True)
        return False

    def _asked(self, ask: Callable[[], bool]) -> bool:
        if self._silent:
            return False
        try:
            return ask()
        except StoreFailed as failed:
            with self._lock:
                told, self._silent = self._silent, True
            if not told:
                self._say(f"without the small copies of the store: {plain(failed.message)}")
            return False


def _is(path: Path, wish: Wanted) -> bool:
    """Whether a file is what its name says; nobody's digest vouches for it."""
    if wish.kind == "peaks":
        return _are_peaks(path)
    found = formats.sniff(files.head(path))
    return found is not None and found[1] in _TYPES[Path(wish.name).suffix]


def _are_peaks(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(value, list) and all(isinstance(one, int) and 0 <= one <= 100 for one in value)
