"""Finds a project and reads its scene file, whatever form it has; what every command begins with."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from kiebatch import catalogue as models
from kiebatch import files
from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Measured
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import (
    JSON,
    Asset,
    Attempt,
    Document,
    MediaFacts,
    Modality,
    Project,
    SceneId,
    ShotId,
    as_text,
    under,
)
from kiebatch.project import billed, config, finding, foreign
from kiebatch.project.digests import Digests
from kiebatch.project.finding import local_path, read_manifest, read_picks
from kiebatch.project.journals import open_film, team_here
from kiebatch.project.pins import Pins
from kiebatch.project.references import QUIET, Bounds, media_facts, repriced, with_sounds
from kiebatch.project.speaking import rates_of
from kiebatch.record import Journal
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.scenefile import build, document, intake
from kiebatch.scenefile.intake import Taken, TextForm
from kiebatch.settings import Settings
from kiebatch.team import Team
from kiebatch.workspace import Workspace, config_home


def load(
    path: str | Path | None = None,
    *,
    project: str | Path | None = None,
    assets: str | Path | None = None,
    state: str | Path | None = None,
    draft: bool = False,
    settings: Settings | None = None,
    lint: bool = False,
    allow: Sequence[Path] | None = (),
    pinned: bool = True,
) -> Opened:
    """Read and check a scene file with what is recorded of it.

    Without `pinned` every prompt is the author's own, whatever `prompts.lock.yaml` holds.

    `allow` are folders outside the project whose files may be sent, besides those of the person's config; None
    is for commands that send nothing.  `Invalid` carries every problem of the file; warnings are in `problems` of the result.
    """
    chosen = settings or Settings()
    workspace = _found(path, project, assets, state, draft=draft)
    read: tuple[Document, list[Problem]] | None = None
    own_folder = Path(project or Path.cwd()).resolve()
    if workspace.scene_file is not None:
        read = read_document(workspace.scene_file)
        workspace = _with_own_assets(workspace, read[0], given=assets is not None)
    elif workspace.assets == own_folder:
        read = Document(value={"kiebatch": 1, "scenes": []}, places={}, file=""), []
    with _read(workspace, None) as journal:  # of this machine: for the digests that it knows
        opened = open_project(
            workspace,
            options=reading_options(chosen),
            strict=chosen.strict,
            lint=lint or chosen.strict,  # the same warnings are errors in every command
            digest=Digests(journal),
            document_read=read,
            allow=None if allow is None else (*chosen.allow, *allow),
            pinned=pinned,
            measured=billed.read(billed.account_of(chosen, workspace.root)),
        )
    check_source(opened)

    def again() -> Opened:
        return load(
            path,
            project=project,
            assets=assets,
            state=state,
            draft=draft,
            settings=settings,
            lint=lint,
            allow=allow,
            pinned=pinned,
        )

    return replace(opened, reading=chosen.reading, again=again)


def located(
    path: str | Path | None = None,
    *,
    project: str | Path | None = None,
    assets: str | Path | None = None,
    state: str | Path | None = None,
    draft: bool = False,
) -> Workspace:
    """Return where a project's things lie, also where its scene file has errors."""
    workspace = _found(path, project, assets, state, draft=draft)
    with contextlib.suppress(Invalid):
        if workspace.scene_file is not None:
            read = read_document(workspace.scene_file)[0]
            return _with_own_assets(workspace, read, given=assets is not None)
    return workspace


def _found(
    path: str | Path | None,
    project: str | Path | None,
    assets: str | Path | None,
    state: str | Path | None,
    *,
    draft: bool,
) -> Workspace:
    project, assets, state = (Path(folder) if folder else None for folder in (project, assets, state))
    scene_file = None if path is None else Path(path)
    return finding.find(scene_file, project=project, assets=assets, state=state, draft=draft)


def _with_own_assets(workspace: Workspace, read: Document, *, given: bool) -> Workspace:
    """Return the workspace with the assets folder that the scene file names, unless another one was `given`."""
    if workspace.draft:
        return workspace
    named = as_text(under(read.value, "assets"))
    own = workspace.root / "assets" if named is None else _inside(workspace.root, named, read)
    if given:
        return replace(workspace, default=workspace.assets == own)
    return workspace if named is None else replace(workspace, assets=own)


def read_again(opened: Opened, *, moved_on: bool) -> Opened:
    """Return a project as it is now: all of it where the world may have `moved_on`, else its manifest alone."""
    if moved_on and opened.again is not None:
        return opened.again()
    return replace(opened, manifest=read_manifest(opened.workspace))


def without_scenes(workspace: Workspace) -> Opened:
    """Return a project of which only what was recorded is known: its scene file cannot be read."""
    name = str(workspace.scene_file or "")
    return Opened(
        project=Project(file=name),
        workspace=workspace,
        document=Document(value={}, places={}, file=name),
        catalogue=load_catalogue(workspace),
        manifest=read_manifest(workspace),
        picks=Picks(),
    )


def _inside(root: Path, name: str, read: Document) -> Path:
    problem = files.name_problem(name)
    if problem:
        message = f"`assets`: `{name[:80]}` is not a folder: {problem}"
        raise Invalid([Problem(where=read.where(("assets",)), message=message)])
    path = Path(os.path.normpath(root / name))
    return path if path.is_relative_to(root) and path != root else root / "assets"


def check_source(opened: Opened) -> None:
    """Refuse another scene file on the same assets folder, unless the named one is gone."""
    named, scene_file = opened.manifest.source, opened.workspace.scene_file
    if not named or scene_file is None or named == scene_file.name:
        return
    other = opened.workspace.root / named
    if not other.is_file():
        return
    if other in joined_files(scene_file):
        return
    raise Invalid(
        [
            Problem(
                where=Where(files.shown(opened.workspace.manifest_path)),
                message=f"these assets belong to {named}, and the scene file is {scene_file.name}",
                hint=f"give it a folder of its own with --assets, or remove {named} to let this one take over",
                code="other-source",
            )
        ]
    )


def as_known_here(workspace: Workspace, say: Callable[[str], object]) -> Workspace:
    """Return where a look finds what is known: this machine's files alone where the team's ledger is away, and say so.

    Only for what decides nothing about money.
    """
    if workspace.draft or team_here(workspace.root) is None:
        return workspace
    from kiebatch.team import Away  # the driver is loaded where there is a team

    try:
        with peek(workspace):
            return workspace
    except Away as away:
        say(f"{away.message}; what is in flight or held is not known here, only what is in the manifest")
        return replace(workspace, ledger_away=True)


@contextlib.contextmanager
def peek(workspace: Workspace) -> Iterator[Journal | None]:
    """Open the journal for reading, when there is one.  A damaged one is mended by the next run, and said there."""
    if workspace.ledger_away:
        yield None  # what this machine's file says was true before the ledger took it over
        return
    team = None if workspace.draft else team_here(workspace.root)
    with _read(workspace, team) as journal:
        yield journal


def attempts_of(workspace: Workspace, states: Sequence[str] = ()) -> list[Attempt]:
    """Return what the journal knows, oldest first; nothing where there is none."""
    with peek(workspace) as journal:
        return journal.attempts(states=states) if journal else []


@contextlib.contextmanager
def _read(workspace: Workspace, team: Team | None) -> Iterator[Journal | None]:
    known = workspace.journal_path.exists() or workspace.journal_path.with_suffix(".mark").exists()
    if team is None and not known:
        yield None
        return
    with open_film(
        workspace, now=time.time, team=team, rebuild=lambda: _assets_of(workspace), read_only=True
    ) as journal:
        yield journal


def _assets_of(workspace: Workspace) -> Sequence[Asset]:
    return finding.read_manifest(workspace).assets


MAX_SCENE_FILE = 32 * 2**20  # bytes
_MARKDOWN = (".md", ".markdown", ".mdown")
_OURS = re.compile(r"(?m)^[\"']?kiebatch[\"']?\s*:")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A project that was read: its scenes, where its things lie, and what is recorded of it.

    `problems` are warnings here; errors were raised.  `media` holds the facts and digests of local references,
    `config` what the person's own `config.yaml` says.
    """

    project: Project
    workspace: Workspace
    document: Document
    catalogue: models.Catalogue
    manifest: Manifest
    picks: Picks
    problems: tuple[Problem, ...] = ()
    options: build.Options = field(default_factory=build.Options)  # how the file was read
    reading: Mapping[str, JSON] = field(default_factory=dict)  # `Settings.reading`
    media: Mapping[str, tuple[str, MediaFacts]] = field(default_factory=dict)
    config: config.UserConfig = field(default_factory=config.UserConfig)
    allow: Sequence[Path] | None = ()
    again: Callable[[], Opened] | None = field(default=None, compare=False, repr=False)  # reads it once more

    @property
    def commands_allowed(self) -> bool:
        """Whether the person's config lets this project's scene file run commands."""
        root = files.resolved(self.workspace.root)
        return any(root.is_relative_to(folder) for folder in self.config.allow_commands)

    def local_path(self, path: str) -> Path:
        """Return where a local reference lies."""
        return local_path(self.workspace, path)


def read_document(path: Path) -> tuple[Document, list[Problem]]:
    """Read a scene file of either form, known by its content.  `Invalid` when it is none."""
    shown = files.shown(path)
    if path.suffix.lower() not in (*_MARKDOWN, ".yaml", ".yml", ".json", ".txt", "") and path.exists():
        raise _not_a_scene_file(path, shown)
    text = files.read_text(path, longest=MAX_SCENE_FILE)
    named_markdown = path.suffix.lower() in _MARKDOWN
    # In a Markdown file the line `kiebatch: 1` may be part of the front matter.
    if _OURS.search(text) and not (named_markdown and text.lstrip("\ufeff \n").startswith("---")):
        return document.read(text, shown), []

    from kiebatch.scenefile import markdown  # only who writes Markdown waits for its parser

    if not named_markdown and not markdown.looks_like(text):
        return document.read(text, shown), []
    joined = joined_files(path)
    texts = {p: text if p == path else files.read_text(p, longest=MAX_SCENE_FILE) for p in joined}
    parts = [markdown.read(texts[p], files.shown(p)) for p in joined]
    found = markdown.join(parts) if len(parts) > 1 else parts[0]
    if any(p.code == "no-prompt" for p in found[1]):
        raise Invalid(found[1])
    return found


def _not_a_scene_file(path: Path, shown: str) -> Invalid:
    from kiebatch.scenefile.screenplay import ENDINGS  # who reads a scene file needs no script's reader

    is_script = path.suffix.lower() in ENDINGS
    hint = f"`kiebatch convert {shown} --to yaml -o scenes.yaml` makes one of it" if is_script else ""
    return Invalid(f"{shown} is not a scene file: those are YAML or Markdown", hint=hint)


def read_any(path: Path, text_form: TextForm | None = None) -> Taken:
    """Read a scene file, or prompts that were written elsewhere: a table, JSON, or with `text_form` a plain text.

    `Invalid` with every problem when it is none, or ambiguous.
    """
    taken = intake.read(text_of(path), files.shown(path), text_form)
    if taken is not None:
        return taken
    if path.suffix.lower() == ".txt" and not _looks_like_a_scene_file(path):
        raise Invalid(
            f"{files.shown(path)} is a plain text",
            hint="say what is one prompt: --as lines, or --as paragraphs",
        )
    document, problems = read_document(path)
    if any(problem.severity == "error" for problem in problems):
        raise Invalid(problems)
    return Taken(document=document, problems=tuple(problems))


def _looks_like_a_scene_file(path: Path) -> bool:
    from kiebatch.scenefile import markdown

    text = files.read_text(path, longest=MAX_SCENE_FILE)
    return bool(_OURS.search(text)) or markdown.looks_like(text)


def text_of(path: Path) -> str:
    """Return a file's text; a spreadsheet's "Unicode text" is UTF-16 with a mark in front."""
    if path.is_file() and files.head(path, 2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        with files.open_regular(path, longest=MAX_SCENE_FILE) as stream:
            return stream.read().decode("utf-16")
    return files.read_text(path, longest=MAX_SCENE_FILE)


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
    options: build.Options | None = None,
    strict: bool = False,
    lint: bool = False,
    digest: Callable[[Path], str] = files.sha256,
    document_read: tuple[Document, list[Problem]] | None = None,
    allow: Sequence[Path] | None = (),
    measured: Sequence[Measured] | None = None,
    pinned: bool | Pins = True,
) -> Opened:
    """Read, check and resolve a project.  `Invalid` with every problem of the file when there is an error.

    `options` says how the file is read; what the manifest and the picks say is filled in here.  With `strict` a
    warning is an error.  `allow` and `pinned` are those of `load`; `pinned` may also be the pins to read in place of
    the project's.  `measured` is what jobs were billed on the account; None: on that of the environment.
    """
    asked = options or build.Options()
    read, found = document_read or _read_scene_file(workspace)
    recorded = read_manifest(workspace)
    chosen = replace(read_picks(workspace), moved=build.moved_lines(read))
    if measured is None:
        measured = billed.read(billed.account_of(Settings(), workspace.root))
    catalogue = load_catalogue(workspace, trust_prices=asked.trust_prices, measured=measured)

    pins = pinned if isinstance(pinned, Pins) else Pins(workspace)

    def kept(scene: SceneId, shot: ShotId) -> Sequence[str]:
        return [a.model for a in recorded.of(scene, shot) if a.current]

    project, problems = build.build(
        read,
        catalogue,
        replace(
            asked,
            lint=lint,
            kept=kept,
            picked=chosen.take,
            enhanced=pins.find if pinned else None,
            speech=rates_of(read.value, recorded, catalogue),
        ),
    )
    own = config.read()
    bounds = Bounds(workspace, None if allow is None else (*own.allow, *allow), always=own.allow)
    facts, media_problems = media_facts(project, bounds, catalogue, digest)
    project = with_sounds(repriced(project, catalogue, facts), facts)
    everything = [
        *found,
        *problems,
        *media_problems,
        *recorded.repairs,
        *chosen.problems,
        *pins.problems,
        *foreign.refused(project, own),
    ]
    everything.sort(key=lambda p: (p.where.file, p.where.line, p.where.column))
    _refuse(everything, strict=strict)
    return Opened(
        project=project,
        workspace=workspace,
        document=read,
        catalogue=catalogue,
        manifest=recorded,
        picks=chosen,
        problems=(*everything, *own.problems),
        config=own,
        allow=allow,
        options=asked,
        media=facts,
    )


def _read_scene_file(workspace: Workspace) -> tuple[Document, list[Problem]]:
    if workspace.scene_file is None:
        raise Invalid(
            f"the project in {files.shown(workspace.root)} has no scene file that could be found",
            hint="name it on the command line; `kiebatch pick` takes it as --file FILE",
        )
    return read_document(workspace.scene_file)


def _refuse(problems: Sequence[Problem], *, strict: bool) -> None:
    """Raise `Invalid` with all problems where one is an error; with `strict`, where one is worth a word."""
    has_error = any(problem.severity == "error" for problem in problems)
    if has_error or (strict and any(problem.code not in QUIET for problem in problems)):
        raise Invalid(problems)


def reading_options(chosen: Settings) -> build.Options:
    """Return how a scene file is read by these settings."""
    by_kind: dict[Modality, str] = {
        "image": chosen.image_model,
        "video": chosen.video_model,
        "audio": chosen.audio_model,
    }
    return build.Options(
        fold_negative=chosen.fold_negative,
        allow_unknown_model=chosen.allow_unknown_model,
        variables=chosen.variables,
        model=chosen.model,
        models={kind: name for kind, name in by_kind.items() if name},
        trust_prices=chosen.trust_prices,
    )


def load_catalogue(
    workspace: Workspace | None, *, trust_prices: bool = False, measured: Sequence[Measured] = ()
) -> models.Catalogue:
    """Return the shipped catalogue with the user's and the project's own entries.

    Prices in the person's own config folder are taken as they are.  Those of a project may be somebody else's: beside
    them a cap reserves the shipped price where that is higher, unless `trust_prices`.
    """
    home = config_home()
    mine = [home / "models"] if home else []
    folders = [*mine, *([workspace.root / "models"] if workspace else [])]
    return models.load(folders, trusted=folders if trust_prices else mine, measured=measured)
