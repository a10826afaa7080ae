"""Small pictures of files that are in the store: made where the files are, shown where they are not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kiebatch import files, formats
from kiebatch.errors import plain
from kiebatch.media import Derivatives
from kiebatch.model import Asset
from kiebatch.record import Results, StoreFailed, Whereabouts
from kiebatch.record.manifest import Manifest
from kiebatch.record.store import open_store, times_of
from kiebatch.settings import Settings
from kiebatch.workspace import Workspace

_AT_ONCE = 16
_LONGEST = 1 << 20  # bytes; a thumbnail has some 20 kB


def store_preview(store: Results, asset: Asset, path: Path, state: Path) -> None:
    """Make an asset's thumbnail and keep it in the store; nothing where it has none."""
    made = Derivatives(state).of(asset, path, "thumb")
    if made is not None and asset.sha256:
        store.keep_derived(asset.sha256, made)


def bring_previews(workspace: Workspace, recorded: Manifest, settings: Settings) -> str:
    """Bring the thumbnails of files that are not here from the person's own store, where it has some.

    Returns why they could not be had, in words, or nothing: a page without them is still a page.
    """
    if not settings.store or workspace.draft:
        return ""
    store, derivatives = open_store(settings.store, times_of(settings)), Derivatives(workspace.state)
    lacking = list(_lacking(workspace, recorded, derivatives))
    silent: list[StoreFailed] = []

    def bring(asset: Asset) -> None:
        if not silent:
            try:
                _bring(store, asset, derivatives)
            except StoreFailed as failed:
                silent.append(failed)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        list(pool.map(bring, lacking))
    return plain(silent[0].message) if silent else ""


def _lacking(workspace: Workspace, recorded: Manifest, derivatives: Derivatives) -> Iterable[Asset]:
    whereabouts = Whereabouts(recorded, workspace.state)
    for asset in recorded.assets:
        if not whereabouts.remote(asset) or derivatives.kept(asset, "thumb"):
            continue
        if derivatives.place(asset, "thumb") and not workspace.asset_file(asset.filename, asset.type):
            yield asset


def _bring(store: Results, asset: Asset, derivatives: Derivatives) -> None:
    target = derivatives.place(asset, "thumb")
    if target is None:
        return
    files.private_folder(target.parent)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if store.fetch_derived(asset.sha256 or "", target.name, part, longest=_LONGEST) and _is_picture(part):
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _is_picture(path: Path) -> bool:
    """Whether a file is what its name says; nobody's digest vouches for it."""
    found = formats.sniff(files.head(path))
    return found is not None and found[1] == "image/webp"
