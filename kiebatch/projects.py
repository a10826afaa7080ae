"""Finds a project and reads its scene file, whatever form it has; what every command begins with."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs

from kiebatch import catalogue as models
from kiebatch import document, files, footage, manifest, media, picks, scenes
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.files import Workspace
from kiebatch.journal import Journal
from kiebatch.manifest import Manifest
from kiebatch.model import Document, Job, LocalFile, MediaFacts, Project, SceneId, Shot, ShotId
from kiebatch.picks import Picks

SCENE_FILES = ("scenes.yaml", "scenes.yml", "SCENES.md", "STORYBOARD.md", "ASSET-PLAN.md")
_MARKDOWN = (".md", ".markdown", ".mdown")
_OURS = re.compile(r"(?m)^[\"']?kiebatch[\"']?\s*:")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A project that was read: its scenes, where its things lie, and what is recorded of it.

    `problems` are warnings here; errors were raised.  `media` holds the facts and digests of local references.
    """

    project: Project
    workspace: Workspace
    document: Document
    catalogue: models.Catalogue
    manifest: Manifest
    picks: Picks
    problems: tuple[Problem, ...] = ()
    media: Mapping[str, tuple[str, MediaFacts]] = field(default_factory=dict)

    def local_path(self, path: str) -> Path:
        """Return where a local reference lies."""
        return local_path(self.workspace, path)


def local_path(workspace: Workspace, path: str) -> Path:
    given = Path(path).expanduser()
    return given if given.is_absolute() else workspace.root / given


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
    `.kiebatch/` or `assets/manifest.json`.  `Invalid` when there is none.
    """
    if scene_file is not None:
        path = scene_file.resolve()
        root = path if path.is_dir() else path.parent
        scene: Path | None = _in_folder(path) if path.is_dir() else path
    else:
        root = (project or Path.cwd()).resolve()
        scene = None
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


def read_document(path: Path) -> tuple[Document, list[Problem]]:
    """Read a scene file of either form, known by its content.  `Invalid` when it is none."""
    shown = files.shown(path)
    if path.suffix.lower() not in (*_MARKDOWN, ".yaml", ".yml", ".json", ".txt", "") and path.exists():
        raise Invalid(f"{shown} is no scene file: those are YAML or Markdown")
    text = files.read_text(path)
    named_markdown = path.suffix.lower() in _MARKDOWN
    # In a Markdown file the line `kiebatch: 1` may stand in the front matter.
    if _OURS.search(text) and not (named_markdown and text.lstrip("\ufeff \n").startswith("---")):
        return document.read(text, shown), []

    from kiebatch import markdown  # only who writes Markdown waits for its parser

    if not named_markdown and not markdown.looks_like(text):
        return document.read(text, shown), []
    joined = joined_files(path)
    if len(joined) > 1:
        found = markdown.join([markdown.read(files.read_text(p), files.shown(p)) for p in joined])
    else:
        found = markdown.read(text, shown)
    nothing = [p for p in found[1] if p.code == "no-prompt"]
    if nothing:
        raise Invalid(nothing)
    return found


def joined_files(path: Path) -> list[Path]:
    """Return the files that are read together: a storyboard, and the `ASSET-PLAN.md` of its folder."""
    boards, plan = ("SCENES.md", "STORYBOARD.md"), path.parent / "ASSET-PLAN.md"
    if path.name in boards:
        return [path, plan] if plan.is_file() else [path]
    if path.name == plan.name:
        board = next((path.parent / name for name in boards if (path.parent / name).is_file()), None)
        return [board, path] if board else [path]
    return [path]


def open_project(
    workspace: Workspace,
    *,
    fold_negative: bool = False,
    allow_unknown_model: bool = False,
    strict: bool = False,
    lint: bool = False,
    digest: Callable[[Path], str] = files.sha256,
    document_read: tuple[Document, list[Problem]] | None = None,
) -> Opened:
    """Read, check and resolve a project.  `Invalid` with every problem of the file when there is an error.

    With `strict` a warning is an error.
    """
    if workspace.scene_file is None:
        raise Invalid(
            f"the project in {files.shown(workspace.root)} has no scene file that could be found",
            hint="name it on the command line",
        )
    read, found = document_read or read_document(workspace.scene_file)
    recorded = read_manifest(workspace)
    moved = read.value.get("moved") if isinstance(read.value, dict) else None
    renamed = {str(k): str(v) for k, v in moved.items()} if isinstance(moved, dict) else {}
    chosen = replace(read_picks(workspace), moved=renamed)
    catalogue = load_catalogue(workspace)

    def kept(scene: SceneId, shot: ShotId) -> Sequence[str]:
        return [a.model for a in recorded.of(scene, shot) if a.current]

    project, problems = scenes.build(
        read,
        catalogue,
        scenes.Options(
            fold_negative=fold_negative,
            allow_unknown_model=allow_unknown_model,
            lint=lint,
            kept=kept,
            picked=chosen.take,
        ),
    )
    facts, media_problems = _media_facts(project, workspace, catalogue, digest)
    project = _repriced(project, catalogue, facts)
    everything = [*found, *problems, *media_problems, *recorded.repairs]
    everything.sort(key=lambda p: (p.where.file, p.where.line, p.where.column))
    if any(p.severity == "error" for p in everything) or (strict and everything):
        raise Invalid(everything)
    return Opened(
        project=project,
        workspace=workspace,
        document=read,
        catalogue=catalogue,
        manifest=recorded,
        picks=chosen,
        problems=tuple(everything),
        media=facts,
    )


def load_catalogue(workspace: Workspace | None) -> models.Catalogue:
    """Return the shipped catalogue with the user's and the project's own entries."""
    home = os.environ.get("KIEBATCH_CONFIG_HOME")
    own = [Path(home) if home else platformdirs.user_config_path("kiebatch")]
    return models.load([folder / "models" for folder in (*own, *([workspace.root] if workspace else []))])


def read_manifest(workspace: Workspace) -> Manifest:
    path = workspace.manifest_path
    if not path.exists():
        return Manifest()
    return manifest.parse(files.read_text(path), files.shown(path))


def read_picks(workspace: Workspace) -> Picks:
    path = workspace.picks_path
    return picks.parse(files.read_text(path) if path.exists() else "", files.shown(path))


def _media_facts(
    project: Project, workspace: Workspace, catalogue: models.Catalogue, digest: Callable[[Path], str]
) -> tuple[dict[str, tuple[str, MediaFacts]], list[Problem]]:
    """Return digest and facts of every local reference, and what is wrong with them at their places."""
    facts: dict[str, tuple[str, MediaFacts]] = {}
    problems: list[Problem] = []
    bad: set[str] = set()
    for job in project.jobs:
        for medium in job.media:
            ref = medium.ref
            if not isinstance(ref, LocalFile) or ref.path in facts or ref.path in bad:
                continue
            reason = ""
            path = local_path(workspace, ref.path)
            try:
                if not path.exists():
                    reason = f"there is no file `{ref.path}`"
                elif path.is_dir():
                    reason = f"`{ref.path}` is a folder"
                elif files.is_lfs_pointer(path):
                    reason = f"`{ref.path}` is a Git LFS pointer: run `git lfs pull`"
                else:
                    facts[ref.path] = (digest(path), media.facts(path))
            except media.Undecodable as error:
                reason = f"`{ref.path}` cannot be used: {error}"
            except OSError as error:
                reason = f"cannot read `{ref.path}`: {error.strerror}"
            if reason:
                bad.add(ref.path)
                problems.append(Problem(where=medium.where, message=reason, code="bad-file"))
    seen: set[tuple[Where, str]] = set()
    known = {f"file:{path}": found for path, (_, found) in facts.items()}
    for job in project.jobs:
        model = catalogue.get(job.model)
        if model is None or not job.media:
            continue
        for finding in footage.check_media(model, job.media, known, job.input):
            where = next(
                (m.where for m in job.media if m.role == finding.field or m.field == finding.field), job.where
            )
            if (where, finding.message) not in seen:
                seen.add((where, finding.message))
                problems.append(
                    Problem(
                        where=where,
                        message=f"shot `{job.slot.shot_name}`: {finding.message}",
                        hint=finding.hint,
                        severity=finding.severity,
                        code=finding.code,
                    )
                )
    return facts, problems


def _repriced(
    project: Project, catalogue: models.Catalogue, facts: Mapping[str, tuple[str, MediaFacts]]
) -> Project:
    """Return the project with the prices that depend on local media, now that their lengths are known."""
    if not facts:
        return project
    known = {f"file:{path}": found for path, (_, found) in facts.items()}

    def priced(job: Job) -> Job:
        model = catalogue.get(job.model)
        if model is None or not any(isinstance(m.ref, LocalFile) for m in job.media):
            return job
        return replace(job, price=models.price(model, job.input, media=known))

    def shot(one: Shot) -> Shot:
        return replace(one, jobs=tuple(priced(job) for job in one.jobs)) if one.jobs else one

    scenes_ = tuple(replace(scene, shots=tuple(shot(s) for s in scene.shots)) for scene in project.scenes)
    return replace(project, scenes=scenes_)


class Digests:
    """The sha256 of files, remembered by size, time and inode, so that a plan reads only what changed."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._known = journal.digests() if journal else {}
        self._new: dict[str, tuple[int, int, int, str]] = {}

    def __call__(self, path: Path) -> str:
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        key = str(path)
        known = self._known.get(key)
        if known and known[:3] == stamp:
            return known[3]
        if files.is_lfs_pointer(path):
            return _pointed_at(path)
        digest = files.sha256(path)
        # A file of this very second may change again without its time changing.
        if time.time_ns() - stat.st_mtime_ns > 2_000_000_000:
            self._new[key] = (*stamp, digest)
        return digest

    def remember(self) -> None:
        """Keep what was computed for the next time."""
        if self._journal:
            self._journal.remember_digests(self._new)
        self._new = {}


def _pointed_at(path: Path) -> str:
    """Return the digest of the content that a Git LFS pointer stands for."""
    match = re.search(r"(?m)^oid sha256:([0-9a-f]{64})$", path.read_text(encoding="ascii", errors="replace"))
    return match.group(1) if match else ""
