"""Asks git: a file at a revision, the two sides of an unfinished merge, the attributes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, plain


@dataclass(frozen=True, slots=True)
class Stage:
    """One side of a path that git could not merge: 1 is the common ancestor's, 2 ours, 3 theirs."""

    path: str  # from the top of the repository, with forward slashes
    number: int
    object: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository, asked through the `git` program.  `root` is the top of its working tree."""

    root: Path

    @staticmethod
    def around(folder: Path) -> Repository | None:
        """Return the repository that a folder lies in; None outside of one, or without git."""
        if shutil.which("git") is None or not folder.is_dir():
            return None
        found = _git(["rev-parse", "--show-toplevel"], folder)
        if found.returncode != 0:
            return None
        return Repository(Path(found.stdout.decode("utf-8", "surrogateescape").rstrip("\n")).resolve())

    def name_of(self, path: Path) -> str | None:
        """Return how git names a path of its working tree; None for one that lies outside."""
        try:
            return path.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return None

    def commit(self, revision: str) -> str | None:
        """Return the commit that a revision names, such as `main~2` or a tag; None when there is none."""
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return found.stdout.decode().strip() if found.returncode == 0 else None

    def describe(self, commit: str) -> str:
        """Return a commit's short name."""
        found = self._run("rev-parse", "--short", "--end-of-options", commit)
        return found.stdout.decode().strip() or commit[:8]

    def read(self, commit: str, name: str) -> bytes | None:
        """Return a file as it was at a commit, out of Git LFS where it lies there; None when it was not there."""
        found = self._run("cat-file", "--filters", f"{commit}:{name}")
        return found.stdout if found.returncode == 0 else None

    def stages(self) -> list[Stage]:
        """Return the sides of all paths that an unfinished merge has left."""
        found = self._run("ls-files", "--unmerged", "--full-name", "-z", "--", ":/")
        stages = []
        for row in found.stdout.decode("utf-8", "surrogateescape").split("\0"):
            facts, tab, path = row.partition("\t")
            if tab:
                _mode, object, number = facts.split()
                stages.append(Stage(path, int(number), object))
        return stages

    def content(self, stage: Stage) -> bytes:
        """Return what one side of a path holds, out of Git LFS where it lies there."""
        found = self._run("cat-file", "--filters", f"--path={stage.path}", stage.object)
        return found.stdout if found.returncode == 0 else b""

    def heads(self) -> list[str]:
        """Return the commits that the working tree may have come from: HEAD, its parents, what is being merged."""
        names = ("HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "HEAD^1", "HEAD^2")
        return list(dict.fromkeys(commit for name in names if (commit := self.commit(name))))

    def config(self, key: str) -> str | None:
        """Return a setting of this repository itself."""
        found = self._run("config", "--local", "--get", key)
        return found.stdout.decode().rstrip("\n") if found.returncode == 0 else None

    def set_config(self, key: str, value: str) -> None:
        self._must("config", "--local", key, value)

    def forget_section(self, section: str) -> bool:
        """Remove a section of settings, such as `merge.kiebatch`; whether there was one."""
        return self._run("config", "--local", "--remove-section", section).returncode == 0

    def install_lfs(self) -> None:
        """Let this repository use Git LFS; `Invalid` when it is not installed."""
        if self._run("lfs", "version").returncode != 0:
            raise Invalid(
                "Git LFS is not installed", hint="https://git-lfs.com, or your system's package git-lfs"
            )
        self._must("lfs", "install", "--local")

    def _run(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        return _git(args, self.root)

    def _must(self, *args: str) -> None:
        done = self._run(*args)
        if done.returncode != 0:
            message = plain(done.stderr.decode("utf-8", "replace").strip())
            raise Invalid(f"git {args[0]} failed: {message}")


def top(folder: Path) -> Path | None:
    """Return the top of the repository that a folder lies in, as the disk alone tells it: no program is run."""
    folder = Path(os.path.realpath(folder))
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), None)


def tracked_links(folder: Path) -> frozenset[str] | None:
    """Return the names of the links directly in a folder that git tracks, so that a commit can have brought them.

    None where a repository is there and git cannot be asked.
    """
    if top(folder) is None:
        return frozenset()
    if shutil.which("git") is None:
        return None
    found = _git(["ls-files", "--stage", "-z", "--", "."], folder)
    if found.returncode != 0:
        return None
    rows = [row.partition(b"\t") for row in found.stdout.split(b"\0")]
    names = [os.fsdecode(name) for facts, _, name in rows if facts.startswith(_LINK)]
    return frozenset(name for name in names if "/" not in name)


_LINK = b"120000 "  # the mode that git gives a link


def _git(args: Sequence[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        # A folder of a pull request may look like a repository, with settings that name programs to run.
        ["git", "-c", "safe.bareRepository=explicit", *args],
        cwd=folder,
        env=_environment(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Git in English, never asking, never locking the index for a mere look; not the repository of a hook."""
    told = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    kept = {key: value for key, value in environ.items() if key not in told}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
