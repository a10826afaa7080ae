"""Finds a project's folder and scene file, and reads its manifest, picks and notes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiebatch import files, git
from kiebatch.errors import Invalid
from kiebatch.record import manifest, picks
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

if TYPE_CHECKING:
    from kiebatch.record.notes import Notes

SCENE_FILES = ("scenes.yaml", "scenes.yml", "SCENES.md", "STORYBOARD.md", "ASSET-PLAN.md")
TEXTS = (".yaml", ".yml", ".md")  # how the names of scene files end


def local_path(workspace: Workspace, path: str) -> Path:
    """Return where a local reference lies, by its name in any Unicode form; `Invalid` for a text that cannot be one."""
    return files.by_form(workspace.root / files.expanded(path))


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
    `.kiebatch/`, `assets/manifest.json` or a scene file with its usual name.  A folder that `kiebatch generate` wrote
    to is found, too.  `Invalid` when there is none.
    """
    root, scene = _place_of(scene_file) if scene_file else (files.resolved(project or Path.cwd()), None)
    home = files.resolved(state) if state else root / ".kiebatch"
    if scene_file is None and assets is None and _holds_single_prompts(root):
        return Workspace(root=root.parent, assets=root, state=home)
    if draft:
        home = home / "draft"
    files.refuse_tracked_link(home)  # once for all that is written there
    folder = files.resolved(assets) if assets else root / ("draft" if draft else assets_name)
    workspace = Workspace(root=root, assets=folder, state=home, scene_file=scene, draft=draft)
    return workspace if scene else _with_its_source(workspace)


def _place_of(scene_file: Path) -> tuple[Path, Path | None]:
    """Return the folder and the scene file of what was named, which may be the folder itself."""
    path = _named(scene_file)
    return (path, _in_folder(path)) if path.is_dir() else (path.parent, path)


def _with_its_source(workspace: Workspace) -> Workspace:
    """Return a project with the scene file that it has; `Invalid` where there is nothing of ours in its folder."""
    scene = _source(workspace)
    if scene is None and not (workspace.manifest_path.exists() or (workspace.root / ".kiebatch").is_dir()):
        raise Invalid(
            f"there is no kiebatch project in {files.shown(workspace.root)}",
            hint="name a scene file, or a folder with --project; `kiebatch init` starts a new one",
        )
    return replace(workspace, scene_file=scene)


def _named(scene_file: Path) -> Path:
    """Return a scene file as it was named, in its folder with all links followed.

    Its project is where the link lies.  A project of 0.1, which followed the link, stays where it was made.
    """
    target = files.resolved(scene_file)
    named = files.resolved(scene_file.parent) / scene_file.name
    if named == target or not named.is_symlink():
        return target
    link = files.tracked_link(named)
    top = git.top(named.parent)
    if link is not None and (top is None or not target.is_relative_to(top)):
        raise Invalid(
            f"{files.shown(link)} is a link that git tracks, and it leads out of the repository to {target}"
        )
    if _is_project(target.parent) and not _is_project(named.parent):
        return target
    return named


def _is_project(folder: Path) -> bool:
    return (folder / "assets" / "manifest.json").is_file() or (folder / files.STATE_FOLDER).is_dir()


def _holds_single_prompts(folder: Path) -> bool:
    """Whether `kiebatch generate` wrote to this folder: an assets folder with its journal inside, of no scene file."""
    if (folder / "assets").exists() or any((folder / name).is_file() for name in SCENE_FILES):
        return False
    found = Workspace(root=folder.parent, assets=folder, state=folder / ".kiebatch")
    if not found.manifest_path.exists():
        # A film whose file has a name of its own, and names its own assets folder, has its journal here, too.
        texts = (path for path in folder.iterdir() if path.suffix.lower() in TEXTS)
        return found.journal_path.exists() and not any(texts)
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
    return manifest.parse_file(files.read_text(path), files.shown(path))


def read_picks(workspace: Workspace) -> Picks:
    path = workspace.picks_path
    return picks.parse(files.text_if_there(path), files.shown(path))


def read_notes(workspace: Workspace, *, moved: Mapping[str, str] | None = None) -> Notes:
    """Return the review's notes; none where nobody has written one.  `moved` is the scene file's."""
    from kiebatch.record import notes  # which a plan does without

    path = workspace.notes_path
    return notes.parse(files.text_if_there(path), files.shown(path), moved=moved)
