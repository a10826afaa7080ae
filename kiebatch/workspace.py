"""Where files lie: a project's scene file, assets folder and state folder; the person's own folders.

`Workspace.asset_path` and `Workspace.asset_file` are the one rule for what a manifest may name, for every reader and
writer: a manifest is text that others edit, and a pull request may bring one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from kiebatch import files, formats
from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import ASSET_FOLDERS


@dataclass(frozen=True, slots=True)
class Film:
    """An assets folder of a project: journal rows, locks and decisions belong to it.

    `name` is the folder relative to the project.  `default` says that it is the one
    that the project has without `--assets`.
    """

    name: str
    root: Path
    default: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where one project's things lie.  Every path is absolute."""

    root: Path  # the project folder: the scene file's
    assets: Path
    state: Path  # journal, caches; never in git
    scene_file: Path | None = None
    draft: bool = False
    default: bool = True  # whether `assets` is the folder that the project has without `--assets`
    ledger_away: bool = False  # the team's ledger cannot be reached: looks go by the files of this machine

    @property
    def owner(self) -> Film:
        """The film that the journal's rows belong to."""
        return Film(self.film, self.root, self.default)

    @property
    def scene_name(self) -> str:
        """The name of the scene file; empty where there is none."""
        return self.scene_file.name if self.scene_file else ""

    @property
    def run_lock(self) -> Path:
        """The lock of a whole run, and of `resolve`: it belongs to the assets folder, whatever `--state` says."""
        return self._locks / f"{self.assets.name}.run.lock"

    @property
    def write_lock(self) -> Path:
        """The lock of each writing of manifest, picks and notes; held for less than a second."""
        return self._locks / f"{self.assets.name}.write.lock"

    @property
    def _locks(self) -> Path:
        return self.assets.parent / ".kiebatch"

    @property
    def manifest_path(self) -> Path:
        return self.assets / "manifest.json"

    @property
    def picks_path(self) -> Path:
        return self.assets / "picks.yaml"

    @property
    def notes_path(self) -> Path:
        return self.assets / "notes.yaml"

    @property
    def film(self) -> str:
        """The film's name within the project: its assets folder, which decisions and notes belong to."""
        return Path(os.path.relpath(self.assets, self.root)).as_posix()

    @property
    def journal_path(self) -> Path:
        return self.state / "journal.sqlite"

    # -- assets

    def asset_path(self, filename: str) -> Path:
        """Return where an entry's `filename` lies: relative to the parent folder of the assets folder.

        `Invalid` for a name that leaves the assets folder, begins with a dot, or is reached through a link that
        git tracks.  The assets folder and its folders may be links of the person's own, to another disk.
        """
        path, problem = self._asset(filename)
        if problem:
            raise Invalid(
                [Problem(where=Where(files.shown(self.manifest_path)), message=problem, code="asset-path")]
            )
        return path

    def place(self, name: str) -> Path:
        """Return where a new asset goes, by its name inside the assets folder; `Invalid` as for `asset_path`."""
        return self.asset_path(f"{self.assets.name}/{name}")

    def asset_file(self, filename: str, kind: str) -> Path | None:
        """Return where an asset can be read; None when it is not there or not what its entry says.

        It is a regular file whose bytes are those of an image, a clip, sound or a text, as `kind` says.  A Git
        LFS pointer is not the medium.
        """
        return None if self.asset_problem(filename, kind) else self._asset(filename)[0]

    def asset_problem(self, filename: str, kind: str) -> str:
        """Return why an asset cannot be read, in words, or nothing."""
        path, problem = self._asset(filename)
        if problem:
            return problem
        try:
            head = files.head(path)
        except FileNotFoundError:
            return f"{filename} is not there"
        except OSError as error:
            return f"{filename} cannot be read: {error.strerror}"
        if head.startswith(files.GIT_LFS):
            return f"{filename} is a Git LFS pointer: run `git lfs pull`"
        if not formats.fits(head, kind):
            return f"{filename} is not what its entry says: {kind or 'a medium'}"
        return ""

    def _asset(self, filename: str) -> tuple[Path, str]:
        base = self.assets.parent
        problem = files.name_problem(filename)
        if problem:
            return base, f"an entry's file `{filename[:80]}` is not a file name: {problem}"
        path = Path(os.path.normpath(base / filename))
        if os.path.isabs(filename) or not path.is_relative_to(base):
            return base, f"an entry's file `{filename}` lies outside the project"
        if not path.is_relative_to(self.assets) or path == self.assets:
            return base, f"an entry's file `{filename}` lies outside the assets folder"
        inner = path.relative_to(self.assets)
        if any(part.startswith(".") for part in inner.parts):
            return base, f"an entry's file `{filename}` begins with a dot; assets never do"
        link = files.tracked_link(path, self.root if self.assets.is_relative_to(self.root) else base)
        if link is not None:
            return base, (
                f"an entry's file `{filename}` is reached through {files.shown(link)}, a link that git tracks"
            )
        if path.is_symlink() and files.leaves(path, self.assets / inner.parts[0]):
            return base, f"an entry's file `{filename}` is a link that leads out of the assets folder"
        return path, ""

    def contains(self, target: Path) -> bool:
        """Whether a resolved path lies in the project, its repository, or the assets folder wherever that leads."""
        from kiebatch import git  # most projects name nothing that lies elsewhere

        own = (self.root, self.assets, *self.links())
        if any(target.is_relative_to(files.resolved(folder)) for folder in own):
            return True
        repository = git.top(self.root)
        return repository is not None and target.is_relative_to(repository)

    def links(self) -> dict[Path, Path]:
        """Return the folders of the project that are links of the person's own, and where each leads."""
        folders = (self.assets, *(self.assets / name for name in ASSET_FOLDERS.values()), self.state)
        return {folder: files.resolved(folder) for folder in folders if folder.is_symlink()}

    def name_of(self, path: Path) -> str:
        """Return how the manifest writes a path inside the parent folder of the assets folder."""
        return path.relative_to(self.assets.parent).as_posix()


# --- the person's own folders --------------------------------------------------------------------------


def config_home(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of the person's settings and models, whether it is there or not.

    None where the system names no home, or HOME is somebody else's and closed.
    """
    named = environ.get("KIEBATCH_CONFIG_HOME")
    if named:
        return files.expanded(named)
    found = _home("user_config_path")
    return found if found and _can_enter(found) else None


def state_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of what all projects of a person share.

    Where the system names no home that can be written, it is a folder of this user's own in the runtime or the
    temporary folder, which lasts until the machine is restarted.
    """
    named = environ.get("KIEBATCH_STATE_HOME")
    if named:
        return files.expanded(named)
    found = _home("user_state_path")
    if found and _can_write(found):
        return found
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and _can_write(Path(runtime)):
        return Path(runtime) / "kiebatch"
    return Path(tempfile.gettempdir()) / f"kiebatch-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def account_digest(api_key: str, base_url: str, account: str = "") -> str:
    """Return what files on this machine call an account: a digest of its name, or of the key where it has no name."""
    whose = f"account {account}" if account else api_key
    return hashlib.sha256(f"kiebatch gate\n{base_url}\n{whose}".encode()).hexdigest()[:16]


def _home(kind: Literal["user_config_path", "user_state_path"]) -> Path | None:
    import platformdirs

    try:
        found: Path = getattr(platformdirs, kind)("kiebatch")
    except RuntimeError:  # its later versions say so instead of returning a relative path
        return None
    return found if found.is_absolute() else None  # without HOME, for a user that the system does not know


def _can_enter(folder: Path) -> bool:
    try:
        return not os.path.lexists(folder) or os.access(folder, os.R_OK | os.X_OK)
    except OSError:
        return False


def _can_write(folder: Path) -> bool:
    """Whether a folder can be written, or made in the nearest one that is there."""
    there = next((above for above in (folder, *folder.parents) if os.path.lexists(above)), None)
    return there is not None and os.access(there, os.W_OK | os.X_OK)
