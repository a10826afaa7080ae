"""Makes a project's board: reads what there is, makes the small pictures, writes the page."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from kiebatch import files
from kiebatch.board import film_builder
from kiebatch.board.film import Film
from kiebatch.board.page import page
from kiebatch.board.panel_data import Shown, own_key
from kiebatch.media import Derivatives, Kind, Wanted, wanted
from kiebatch.model import Asset
from kiebatch.planning import planning
from kiebatch.project import Opened, attempts_of, read_notes
from kiebatch.record import Whereabouts
from kiebatch.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What `write` did.  `without_preview` counts the files of which no small picture could be made."""

    path: Path
    shots: int
    size_bytes: int
    without_preview: int


def film_of(opened: Opened) -> Film:
    """Return the storyboard of a project as it is on the disk."""
    film = film_builder.build(
        opened.project,
        opened.manifest,
        opened.picks,
        planning.plan(opened),
        attempts_of(opened.workspace),
        notes=read_notes(opened.workspace),
        title=opened.workspace.root.name,
    )
    return replace(
        film,
        id=film_id(opened),
        folder=opened.workspace.film,
        draft=film.draft or opened.workspace.draft,
    )


def film_id(opened: Opened) -> str:
    """Return what tells a film from every other, also from its own draft and from another of the same title.

    A film begins with its first asset, which no later run changes; so a board that is written again keeps its id.
    """
    first = min(opened.manifest.assets, key=lambda a: (a.created_at, a.id), default=None)
    begun = (first.created_at, first.sha256 or first.filename) if first else (opened.project.title, "")
    return hashlib.sha256("\0".join((opened.workspace.film, *begun)).encode()).hexdigest()[:16]


def write(
    opened: Opened,
    output: Path,
    *,
    embed: bool = False,
    done: Callable[[], object] = lambda: None,
    derivatives: Derivatives | None = None,
) -> Written:
    """Write the board as one HTML file.

    Small pictures are inside; the media stay beside it, or go inside in a reduced form with `embed`.  `done` is called
    for every file looked at.  The same project gives the same bytes.
    """
    film = film_of(opened)
    assets = [a for p in film.panels for t in p.takes for v in t.versions for a in v.assets]
    small = derivatives or Derivatives(opened.workspace.state)
    shown, without = _shown(opened, assets, output.resolve().parent, small, embed=embed, done=done)
    for sound in own_sounds(opened, film):
        if embed:
            media = _data_url(sound.path, sound.media_type)
        else:
            media = _address(sound.path, output.resolve().parent)
        shown[sound.key] = Shown(media=media, peaks=sound.peaks(small))
    text = page(film, shown)
    files.replace(output, text)
    return Written(
        path=output,
        shots=sum(1 for p in film.panels if not p.is_sound),
        size_bytes=len(text.encode()),
        without_preview=without,
    )


class Place(NamedTuple):
    """Where an asset's file is: here, at `path`, or `away`, in the store alone; neither where it is gone."""

    asset: Asset
    path: Path | None
    away: bool


def places_of(workspace: Workspace, assets: Iterable[Asset], whereabouts: Whereabouts) -> list[Place]:
    """Return where the files of assets are."""
    paths = ((asset, path_of(workspace, asset)) for asset in assets)
    return [
        Place(asset, path, away=path is None and whereabouts.away(asset, workspace)) for asset, path in paths
    ]


def _shown(
    opened: Opened,
    assets: Iterable[Asset],
    beside: Path,
    derivatives: Derivatives,
    *,
    embed: bool,
    done: Callable[[], object],
) -> tuple[dict[str, Shown], int]:
    """Return what a page shows of each asset, and of how many that are here there is no preview."""
    places = places_of(opened.workspace, assets, Whereabouts(opened.manifest, opened.workspace.state))
    kinds: tuple[Kind, ...] = ("thumb", "peaks", "web") if embed else ("thumb", "peaks")
    needed = {(place.asset.id, kind): need for place in places for kind, need in _needs(place, kinds)}
    made = derivatives.make(needed.values(), done)
    small = {key: made.get(need) for key, need in needed.items()}
    found: dict[str, Shown] = {}
    without = 0
    for asset, path, away in places:
        thumb, web = small.get((asset.id, "thumb")), small.get((asset.id, "web"))
        without += _lacks_preview(asset, path, thumb)
        found[asset.id] = Shown(
            thumb=_inside(thumb, asset),
            # What ffmpeg could not reduce goes in as it is: the page must show it wherever it is mailed.
            media=_address(path, beside) if path and not embed else _inside(web or path, asset),
            text=read_words(asset, path),
            peaks=read_peaks(small.get((asset.id, "peaks"))),
            away=away,
        )
    return found, without


def _lacks_preview(asset: Asset, path: Path | None, thumb: Path | None) -> bool:
    """Whether there is a picture or a clip here, and no small copy of it."""
    return asset.type in ("image", "video") and path is not None and thumb is None


def _needs(place: Place, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Wanted]]:
    """Yield the small copies that a page wants of an asset; none of one that is gone."""
    if place.path is None and not place.away:
        return
    for kind in kinds:
        need = wanted(place.asset, place.path, kind)
        if need:
            yield kind, need


def _address(path: Path, beside: Path) -> str:
    """Return how a page in a folder names a file."""
    return quote(os.path.relpath(path, beside).replace(os.sep, "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSound:
    """A sound of the author's own that a shot names.  `key` is that of its `Shown`."""

    key: str
    path: Path
    sha256: str
    media_type: str

    def peaks(self, derivatives: Derivatives) -> tuple[int, ...]:
        return read_peaks(derivatives.get(Wanted(self.path, self.sha256, "audio", "peaks")))


def own_sounds(opened: Opened, film: Film) -> list[OwnSound]:
    """Return the author's own sounds that a page may play: those in the project folder.

    A page may be served to others, so a scene file cannot make it hand out what lies elsewhere.
    """
    root = opened.workspace.root.resolve()
    found = []
    for panel in film.panels:
        path = (root / panel.own).resolve() if panel.own else root
        known = opened.media.get(panel.own)
        media_type = mimetypes.guess_type(path.name)[0] or ""
        plays = media_type.startswith(("audio/", "video/"))
        if known and plays and path.is_file() and path.is_relative_to(root):
            key = own_key(panel.name)
            found.append(OwnSound(key=key, path=path, sha256=known[0], media_type=media_type))
    return found


def path_of(workspace: Workspace, asset: Asset) -> Path | None:
    """Return where an asset's file lies; None where it is gone or not what its entry says."""
    return workspace.asset_file(asset.filename, asset.type)


def read_peaks(path: Path | None) -> tuple[int, ...]:
    """Return the loudness values of a `peaks` derivative, none where there is no such file."""
    return tuple(json.loads(path.read_text(encoding="utf-8"))) if path else ()


def read_words(asset: Asset, path: Path | None) -> str:
    """Return how a text asset begins, for its card."""
    if asset.type != "text" or path is None:
        return ""
    return files.head(path, 1200).decode("utf-8", "replace")


def _inside(path: Path | None, asset: Asset) -> str:
    """Return a file of an asset as an address that holds its bytes; empty where there is no file."""
    if path is None:
        return ""
    endings: Mapping[str, str] = {".webp": "image/webp", ".mp4": "video/mp4", ".m4a": "audio/mp4"}
    kind = endings.get(path.suffix) or asset.media_type or mimetypes.guess_type(path.name)[0]
    return _data_url(path, kind or "application/octet-stream")


def _data_url(path: Path, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"
