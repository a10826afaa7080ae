"""Finds a project's folder and scene file, and reads its manifest, picks and notes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.record import manifest, notes, picks
from kiebatch.record.manifest import Manifest
from kiebatch.record.notes import Notes
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

SCENE_FILES = ("scenes.yaml", "scenes.yml", "SCENES.md", "STORYBOARD.md", "ASSET-PLAN.md")


def local_path(workspace: Workspace, path: str) -> Path:
    """Return where a local reference lies; `Invalid` for a text that cannot be a path."""
    return workspace.root / files.expanded(path)


def find(
    scene_file: Path | None = None,
    *,
    project: Path | None = None,
    assets: Path | None = None,
    state: Path | None = None,
    draft: bool = False,
    assets_name: str = "assets",
) -> Workspace:
    """Return where a project's things lie.

    Without a scene file it is the project in the current folder, or in `project`: the one that has
    `.kiebatch/` or `assets/manifest.json`.  A folder that `kiebatch generate` wrote to is found, too.  `Invalid` when
    there is none.
    """
    if scene_file is not None:
        path = scene_file.resolve()
        root = path if path.is_dir() else path.parent
        scene: Path | None = _in_folder(path) if path.is_dir() else path
    else:
        root = (project or Path.cwd()).resolve()
        scene = None
        if assets is None and _holds_single_prompts(root):
            return Workspace(
                root=root.parent, assets=root, state=state.resolve() if state else root / ".kiebatch"
            )
    if assets is None and not draft:
        folder = root / assets_name
    elif assets is None:
        folder = root / "draft"
    else:
        folder = assets.resolve()
    home = state.resolve() if state else root / ".kiebatch"
    if draft:
        home = home / "draft"
    workspace = Workspace(root=root, assets=folder, state=home, scene_file=scene, draft=draft)
    if scene is None:
        if not (workspace.manifest_path.exists() or (root / ".kiebatch").is_dir()):
            raise Invalid(
                f"there is no project in {files.shown(root)}",
                hint="name a scene file, or a folder with --project; `kiebatch init` starts a new one",
            )
        scene = _source(workspace)
        workspace = Workspace(root=root, assets=folder, state=home, scene_file=scene, draft=draft)
    return workspace


def _holds_single_prompts(folder: Path) -> bool:
    """Whether `kiebatch generate` wrote to this folder: an assets folder with its journal inside, of no scene file."""
    if (folder / "assets").exists() or any((folder / name).is_file() for name in SCENE_FILES):
        return False
    found = Workspace(root=folder.parent, assets=folder, state=folder / ".kiebatch")
    if not found.manifest_path.exists():
        return found.journal_path.exists()
    with contextlib.suppress(Invalid):
        return read_manifest(found).source is None
    return False


def _in_folder(folder: Path) -> Path:
    for name in SCENE_FILES:
        if (folder / name).is_file():
            return folder / name
    raise Invalid(
        f"there is no scene file in {files.shown(folder)}",
        hint=f"looked for {', '.join(SCENE_FILES)}; `kiebatch init` starts a new project",
    )


def _source(workspace: Workspace) -> Path | None:
    """Return the scene file that the manifest names, or the one that lies in the folder."""
    # A manifest that cannot be read is a matter for whoever needs what it says; `verify` may mend it.
    with contextlib.suppress(Invalid):
        named = read_manifest(workspace).source
        if named and (workspace.root / named).is_file():
            return workspace.root / named
    try:
        return _in_folder(workspace.root)
    except Invalid:
        return None


def read_manifest(workspace: Workspace) -> Manifest:
    path = workspace.manifest_path
    if not path.exists():
        return Manifest()
    return manifest.parse(files.read_text(path), files.shown(path))


def read_picks(workspace: Workspace) -> Picks:
    path = workspace.picks_path
    return picks.parse(files.read_text(path) if path.exists() else "", files.shown(path))


def read_notes(workspace: Workspace, *, moved: Mapping[str, str] | None = None) -> Notes:
    """Return the review's notes; none where nobody has written one.  `moved` is the scene file's."""
    path = workspace.notes_path
    return notes.parse(files.read_text(path) if path.exists() else "", files.shown(path), moved=moved)
