"""A film in memory that follows the disk: what its page shows, and what has changed since the last look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from kiebatch import media
from kiebatch.board import page as pages
from kiebatch.board import publish
from kiebatch.board.film import Film, Panel
from kiebatch.board.page import Review
from kiebatch.board.panel_data import Shown, own_key
from kiebatch.board.publish import Place
from kiebatch.media import Derivatives, Kind, Wanted, wanted
from kiebatch.model import Asset
from kiebatch.project import Opened
from kiebatch.record import Whereabouts

_MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".aac": "audio/aac",
    ".txt": "text/plain; charset=utf-8",
    ".srt": "text/plain; charset=utf-8",
    ".json": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What is new since the last look: shots by name, or so much that the page must be loaded again."""

    shots: frozenset[str] = frozenset()
    reload: bool = False


class LiveFilm:
    """Holds a film in memory and notices when it changes on the disk.  Its methods may run in several threads."""

    def __init__(self, load: Callable[[], Opened], derivatives: Derivatives | None = None) -> None:
        self.load = load
        self.lock = threading.RLock()
        self._rest_until = 0.0
        self._peaks: dict[tuple[str, str | None], tuple[int, ...]] = {}
        self._has_ffmpeg = media.find_ffmpeg() is not None
        self.opened = load()
        self.workspace = self.opened.workspace
        self._derivatives = derivatives or Derivatives(self.workspace.state)
        self._seen = self._signature()
        self.film, self._assets, self._shown = self._read(self.opened)

    # -- what the page shows
    def _read(self, opened: Opened) -> tuple[Film, dict[str, Asset], dict[str, Shown]]:
        film = publish.film_of(opened)
        assets = {a.id: a for p in film.panels for t in p.takes for v in t.versions for a in v.assets}
        shown = self._addresses(assets.values(), Whereabouts(opened.manifest, self.workspace.state))
        self._own = {sound.key: sound for sound in publish.own_sounds(opened, film)}
        for key, sound in self._own.items():
            mark = f"own/{quote(key.partition(':')[2])}?{sound.sha256[:12]}"
            shown[key] = Shown(media=mark, peaks=self._own_peaks(sound))
        return film, assets, shown

    def _own_peaks(self, sound: publish.OwnSound) -> tuple[int, ...]:
        key = (sound.key, sound.sha256)
        if key not in self._peaks:
            self._peaks[key] = sound.peaks(self._derivatives)
        return self._peaks[key]

    def _addresses(self, assets: Iterable[Asset], whereabouts: Whereabouts) -> dict[str, Shown]:
        places = publish.places_of(self.workspace, assets, whereabouts)
        self._measure(places)
        afar = self._afar(place.asset for place in places if place.away)
        return {
            place.asset.id: self._here(place.asset, place.path)
            if place.path
            else self._elsewhere(place, afar.get(place.asset.id, set()))
            for place in places
        }

    def _measure(self, places: Sequence[Place]) -> None:
        """Read how loud the sounds are that were not heard yet, here or by others."""
        needed: dict[tuple[str, str | None], Wanted] = {}
        for asset, path, away in places:
            key = asset.id, asset.sha256
            if asset.type != "audio" or key in self._peaks or not (path or away):
                continue
            need = wanted(asset, path, "peaks")
            if need:
                needed[key] = need
        made = self._derivatives.make(needed.values())
        for key, need in needed.items():
            self._peaks[key] = publish.read_peaks(made.get(need))

    def _here(self, asset: Asset, path: Path) -> Shown:
        mark = _mark(asset)
        there: set[Kind] = set()
        if asset.type == "image" or (asset.type == "video" and self._has_ffmpeg):
            there.add("thumb")
            wide = (asset.width or 0) >= (asset.height or 0)  # else the small picture is not 384 wide
            if wide or asset.type == "video":
                there.add("poster")
        return Shown(
            thumb=_small(mark, "thumb", there),
            media=f"media/{mark}",
            poster=_small(mark, "poster", there),
            text=publish.read_words(asset, path),
            peaks=self._peaks.get((asset.id, asset.sha256), ()),
        )

    def _elsewhere(self, place: Place, there: Set[Kind]) -> Shown:
        """Return what is shown of a file that is not here; `there` are the small copies that others made of it."""
        asset, mark = place.asset, _mark(place.asset)
        return Shown(
            thumb=_small(mark, "thumb", there),
            poster=_small(mark, "poster", there),
            media=_small(mark, "web", there),
            peaks=self._peaks.get((asset.id, asset.sha256), ()),
            away=place.away,
        )

    def _afar(self, assets: Iterable[Asset]) -> dict[str, set[Kind]]:
        """Return what can be shown of assets whose files are not here, by id."""
        kinds: tuple[Kind, ...] = ("thumb", "poster", "web")
        wishes = {(a.id, kind): need for a in assets for kind in kinds if (need := wanted(a, None, kind))}
        there = self._derivatives.there(wishes.values())
        found: dict[str, set[Kind]] = {}
        for (id, kind), need in wishes.items():
            if need in there:
                found.setdefault(id, set()).add(kind)
        return found

    def page(self, review: Review) -> str:
        with self.lock:
            film, shown = self.film, self._shown
        return pages.page(film, shown, review=review)

    def policy(self) -> str:
        return pages.policy(self.film, served=True) + "; frame-ancestors 'none'"

    def panels(self, names: Sequence[str], review: Review) -> dict[str, str]:
        """Return some shots of the page as HTML, by name, and the film's sums under the empty name."""
        with self.lock:
            film, shown = self.film, self._shown
        return pages.panels(film, set(names), shown, review=review)

    def slots(self) -> set[str]:
        """Return the takes of the film in their written form: what can be decided about."""
        return {t.slot for p in self.film.panels for t in p.takes}

    def shots(self) -> set[str]:
        return {p.name for p in self.film.panels}

    def file(self, id: str) -> tuple[Path, str] | None:
        """Return an asset's file and its media type, by the asset's id alone."""
        asset = self._assets.get(id)
        path = publish.path_of(self.workspace, asset) if asset else None
        if path is None:
            return None
        return path, _MEDIA.get(path.suffix.lower(), "application/octet-stream")

    def own(self, shot_name: str) -> tuple[Path, str] | None:
        """Return the file and media type of the author's own sound of a shot."""
        found = self._own.get(own_key(shot_name))
        if found is None or not found.path.is_file():
            return None
        return found.path, found.media_type

    def small(self, id: str, kind: Kind) -> Path | None:
        asset = self._assets.get(id)
        if asset is None:
            return None
        path = publish.path_of(self.workspace, asset)
        if path is None:
            return self._derivatives.kept(asset, kind)
        if kind == "web":
            return None  # the file itself is shown; whoever looks at a page shall not have films encoded
        need = wanted(asset, path, kind)
        return self._derivatives.get(need) if need else None

    # -- noticing

    def _signature(self) -> tuple[object, ...]:
        workspace = self.workspace
        journal = workspace.journal_path
        watched = [
            workspace.manifest_path,
            workspace.picks_path,
            workspace.notes_path,
            journal,
            journal.with_name(journal.name + "-wal"),
        ]
        if workspace.scene_file:
            watched.append(workspace.scene_file)
        found: list[object] = []
        for path in watched:
            try:
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size))
            except OSError:
                found.append(None)
        return tuple(found)

    def moved(self) -> bool:
        """Whether something on the disk is new.  A large film, which is slow to read, is read less often."""
        return time.monotonic() >= self._rest_until and self._signature() != self._seen

    def look(self) -> Changed:
        """Read the project again; `Invalid` when the scene file cannot be read just now, and all stays as it was."""
        with self.lock:
            began = time.monotonic()
            seen = self._signature()
            try:
                opened = self.load()
                before = self.film
                film, assets, shown = self._read(opened)
            finally:
                # What cannot be read is not read again until it changes.
                self._seen = seen
                self._rest_until = time.monotonic() + 4 * (time.monotonic() - began)
            old_shown = self._shown
            self.opened, self.film, self._assets, self._shown = opened, film, assets, shown
            self.workspace = opened.workspace
        if _frame(before) != _frame(film):
            return Changed(reload=True)
        old = {p.name: p for p in before.panels}
        changed = {
            p.name for p in film.panels if old[p.name] != p or _links(p, old_shown) != _links(p, shown)
        }
        return Changed(shots=frozenset(changed))


def _mark(asset: Asset) -> str:
    """Return what an address of an asset ends with; it changes with the file's content."""
    return f"{asset.id}?{(asset.sha256 or '')[:12]}"


def _small(mark: str, kind: Kind, there: Set[Kind]) -> str:
    """Return the address of a small copy of an asset; empty where there is none."""
    return f"small/{kind}/{mark}" if kind in there else ""


def _frame(film: Film) -> object:
    """Return what a page shows around its shots, with the shots' names: when this changes, all is new."""
    scenes = tuple(replace(s, panels=()) for s in film.scenes)
    names = tuple(p.name for p in film.panels)
    grows = tuple((p.duration_s, p.kind) for p in film.panels)
    return (film.title, film.notes, scenes, names, grows, film.shape)


def _links(panel: Panel, shown: Mapping[str, Shown]) -> list[Shown | None]:
    ids = [a.id for t in panel.takes for v in t.versions for a in v.assets]
    return [shown.get(key) for key in (*ids, own_key(panel.name))]
