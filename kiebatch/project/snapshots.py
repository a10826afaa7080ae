"""A project's record at one moment: a git revision, a file, the working tree."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.git import Repository
from kiebatch.model import as_text, under
from kiebatch.project import finding, opening
from kiebatch.record import manifest, picks
from kiebatch.record.manifest import Manifest
from kiebatch.record.manifest.differences import SlotChange, between
from kiebatch.record.picks import Picks
from kiebatch.scenefile import build, document, markdown
from kiebatch.workspace import Workspace

Read = Callable[[str], bytes | None]
WORKING_TREE = "working tree"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What stood at one moment.  `read` gives a file by its `filename` in the manifest, None when it was not there.

    `text` is the manifest's, empty where there was none, and `file` its name in messages.  `scenes` is the scene
    file's name and text then, where that is known.
    """

    label: str
    text: str
    file: str
    picks: Picks = field(default_factory=Picks)
    scenes: tuple[str, str] | None = None
    read: Read = field(default=lambda _name: None, compare=False)

    @cached_property
    def manifest(self) -> Manifest:
        return manifest.parse(self.text, self.file)


def project(
    scene_file: Path | None = None,
    *,
    folder: Path | None = None,
    assets: Path | None = None,
    draft: bool = False,
) -> Workspace:
    """Return where a project's things lie, also where its scene file names another assets folder.

    The scene file need not be right, or there: its assets have a record of their own.
    """
    workspace = finding.find(scene_file, project=folder, assets=assets, draft=draft)
    if workspace.scene_file is None or assets is not None or draft:
        return workspace
    try:
        value = opening.read_document(workspace.scene_file)[0].value
    except Invalid:
        return workspace
    named = as_text(under(value, "assets"))
    if named is None:
        return workspace
    path = Path(os.path.normpath(workspace.root / named))
    inside = path.is_relative_to(workspace.root) and path != workspace.root
    return replace(workspace, assets=path) if inside else workspace


def take(workspace: Workspace, which: str | None) -> Snapshot:
    """Return the record of `which`: a git revision, a manifest file or its folder; None is the working tree."""
    if which is None:
        return working_tree(workspace)
    path = Path(which)
    if path.is_file():
        return of_file(path)
    if (path / "manifest.json").is_file():
        return of_file(path / "manifest.json")
    repository = Repository.around(workspace.assets.parent)
    if repository is None:
        raise Invalid(
            f"`{which}` is not a file, and {files.shown(workspace.root)} is not in a git repository",
            hint="compare two manifest files, or revisions of a repository",
        )
    commit = repository.commit(which)
    if commit is None:
        raise Invalid(f"`{which}` is neither a revision of this repository nor a manifest file")
    return of_commit(workspace, repository, commit, which)


def working_tree(workspace: Workspace) -> Snapshot:
    """Return the record as it lies in the folder now."""

    def read(filename: str) -> bytes | None:
        try:
            with files.open_regular(workspace.asset_path(filename)) as stream:
                return stream.read()
        except (OSError, Invalid):
            return None

    scene_file = workspace.scene_file
    return Snapshot(
        label=WORKING_TREE,
        text=files.text_if_there(workspace.manifest_path),
        file=files.shown(workspace.manifest_path),
        picks=finding.read_picks(workspace),
        scenes=(scene_file.name, files.read_text(scene_file))
        if scene_file and scene_file.is_file()
        else None,
        read=read,
    )


def of_file(path: Path) -> Snapshot:
    """Return the record of a manifest file; its media lie as it says, beside its folder."""
    folder = Workspace(
        root=path.resolve().parent.parent, assets=path.resolve().parent, state=path.resolve().parent
    )

    def read(filename: str) -> bytes | None:
        try:
            with files.open_regular(folder.asset_path(filename)) as stream:
                return stream.read()
        except (OSError, Invalid):
            return None

    return Snapshot(label=files.shown(path), text=files.read_text(path), file=files.shown(path), read=read)


def of_commit(workspace: Workspace, repository: Repository, commit: str, name: str) -> Snapshot:
    """Return the record as a commit has it; an empty one where it had none yet."""
    label = repository.describe(commit)
    label = name if name.startswith(label) or label.startswith(name) else f"{name} ({label})"

    def text(path: Path) -> str:
        inside = repository.name_of(path)
        content = repository.read(commit, inside) if inside else None
        return "" if content is None else content.decode("utf-8", "replace")

    def read(filename: str) -> bytes | None:
        try:
            inside = repository.name_of(workspace.asset_path(filename))
        except Invalid:
            return None
        return repository.read(commit, inside) if inside else None

    shown = f"{name}:{files.shown(workspace.manifest_path)}"
    recorded = text(workspace.manifest_path)
    scene_file = _scene_file(workspace, recorded)
    scene_text = text(scene_file) if scene_file else ""
    return Snapshot(
        label=label,
        text=recorded,
        file=shown,
        picks=picks.parse(text(workspace.picks_path), f"{name}:{files.shown(workspace.picks_path)}"),
        scenes=(scene_file.name, scene_text) if scene_file and scene_text else None,
        read=read,
    )


def _scene_file(workspace: Workspace, recorded: str) -> Path | None:
    """Return the scene file that a manifest's head names, else today's."""
    found = re.search(r'^  "source": ("[^"\n]+"),$', recorded[:10_000], re.MULTILINE)
    name = str(json.loads(found[1])) if found else ""
    if name and Path(name).name == name:
        return workspace.root / name
    return workspace.scene_file


def pair(
    old: str | None,
    new: str | None,
    *,
    folder: Path | None = None,
    assets: Path | None = None,
    draft: bool = False,
) -> tuple[Workspace, Snapshot, Snapshot]:
    """Return the two moments that `OLD NEW`, `OLD..NEW`, `OLD` (until now) or nothing (since HEAD) mean."""
    if old and new is None and ".." in old and not Path(old).exists():
        old, new = (side or "HEAD" for side in old.replace("...", "..").split("..", 1))
    try:
        workspace = project(folder=folder, assets=assets, draft=draft)
    except Invalid:
        if not (old and new and Path(old).exists() and Path(new).exists()):
            raise
        here = Path.cwd()  # two files need no project around them
        workspace = Workspace(root=here, assets=here / "assets", state=here / ".kiebatch")
    return workspace, take(workspace, old or "HEAD"), take(workspace, new)


def diff(
    old: str | None = None,
    new: str | None = None,
    *,
    project: Path | None = None,
    assets: Path | None = None,
    draft: bool = False,
) -> list[SlotChange]:
    """Return what changed between two git revisions or manifest files; from HEAD to the working tree without them."""
    workspace, before, after = pair(old, new, folder=project, assets=assets, draft=draft)
    return compare(workspace, before, after)


def compare(workspace: Workspace, old: Snapshot, new: Snapshot) -> list[SlotChange]:
    """Return what changed between two moments: assets, picks, and what the scene file no longer asks for."""
    before = after = None
    if old.scenes and new.scenes and old.scenes != new.scenes:
        before, after = _wanted(workspace, old), _wanted(workspace, new)
        before, after = (before, after) if before is not None and after is not None else (None, None)
    picks_before, picks_after = _chosen(old.picks), _chosen(new.picks)
    if before != after:
        return between(old.manifest, new.manifest, picks_before, picks_after, before, after)
    then, now = manifest.differing(old.text, new.text)
    return between(manifest.parse(then, old.file), manifest.parse(now, new.file), picks_before, picks_after)


def _wanted(workspace: Workspace, snapshot: Snapshot) -> set[str] | None:
    """Return the shots that the scene file asked for then; None when it cannot be read today."""
    if snapshot.scenes is None:
        return None
    name, text = snapshot.scenes
    try:
        if name.endswith((".md", ".markdown", ".mdown")):
            read, _ = markdown.read(text, name)
        else:
            read = document.read(text, name)
        project, _ = build.build(
            read, opening.load_catalogue(workspace), build.Options(allow_unknown_model=True)
        )
    except Invalid:
        return None
    return {job.slot.shot_name for job in project.jobs}


def _chosen(chosen: Picks) -> dict[str, str]:
    """Return the decisions in words by slot: `picked`, `rejected`, with note and star."""
    words: dict[str, str] = {}
    for slot in dict.fromkeys(line.slot for line in chosen.decisions):
        standing = chosen.decision(slot)
        said = {"pick": "picked", "reject": "rejected", "none": ""}[standing.choice]
        parts = [said, "starred" if standing.star else "", f"“{standing.note}”" if standing.note else ""]
        text = ", ".join(part for part in parts if part)
        if text:
            words[slot.removesuffix("#1")] = text
    return words
