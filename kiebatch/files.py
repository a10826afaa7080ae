"""Reads, digests, locks, and replaces files whole; the only module that writes into the user's project.

Whoever writes a scene file or a manifest names files, so every name is checked here before the system sees it: it can
be one, it means a regular file, and no link that git tracks leads to it.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from kiebatch.errors import Invalid, Problem, Refused, Where, nearest

STATE_FOLDER = ".kiebatch"
GIT_LFS = b"version https://git-lfs.github.com/spec/"
MAX_NAME = 255  # bytes of one part of a path; what Linux, macOS and Windows allow
MAX_PATH = 4096
MAX_TEXT = 512 * 2**20  # bytes of a text that is read into memory


# --- names ---------------------------------------------------------------------------------------------


def shown(path: Path | str) -> str:
    """Return a path as a person in the current folder would write it."""
    try:
        return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else str(path)
    except (OSError, ValueError):
        return str(path)


def name_problem(text: str) -> str:
    """Return why a text cannot be the path of a file on any system, or nothing."""
    if not text:
        return "it is empty"
    if "\0" in text:
        return "it holds a NUL character"
    try:
        parts = [os.fsencode(part) for part in text.split("/")]
    except UnicodeEncodeError:
        return "it holds characters that no file name can have"
    if max(map(len, parts)) > MAX_NAME or sum(map(len, parts)) > MAX_PATH:
        return f"it is longer than a file name may be ({MAX_NAME} bytes)"
    return ""


def expanded(text: str) -> Path:
    """Return the path that a text means, with `~` for the home folder.  `Invalid` when it cannot be one."""
    problem = name_problem(text)
    if problem:
        raise Invalid(f"`{text[:80]}` is not a file name: {problem}")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise Invalid(f"`{text[:80]}`: the home folder of `{user[:40]}` is not known") from None


def resolved(path: Path) -> Path:
    """Return a path with every link followed, whether it is there or not.  `Invalid` for links in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise Invalid(f"cannot follow {shown(path)}: {_said(error)}") from None


def is_there(path: Path) -> bool:
    """Whether there is anything under a name; False also for what cannot be a name."""
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def by_form(path: Path) -> Path:
    """Return the path that is there under the same name in another Unicode form, else the path as it is.

    macOS and archives made on it write `é` as two characters, editors as one; to a person it is one name.
    """
    if is_there(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        exact = found / part
        if not is_there(exact):
            wanted = unicodedata.normalize("NFC", part)
            alike = [name for name in names_in(found) if unicodedata.normalize("NFC", name) == wanted]
            if len(alike) != 1:
                return path
            exact = found / alike[0]
        found = exact
    return found


def names_in(folder: Path) -> list[str]:
    """Return the names of what lies in a folder, sorted; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def like(path: Path) -> str:
    """Return the name in the folder of a missing file that is most like it, empty where none is."""
    folder = path.parent if path.parent.is_dir() else None
    return nearest(path.name, names_in(folder)) if folder else ""


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


# --- links ---------------------------------------------------------------------------------------------


def tracked_link(path: Path, below: Path | None = None) -> Path | None:
    """Return the first link on the way to `path` that git tracks, and which a pull request can thus have brought.

    With `below` only what lies under that folder is looked at.  A link that git does not track is the person's own.
    """
    parts = path.parts
    start = len(below.parts) if below is not None and path.is_relative_to(below) else 1
    for end in range(start + 1, len(parts) + 1):
        here = os.path.join(*parts[:end])
        try:
            status = os.lstat(here)
        except (OSError, ValueError):
            return None
        if stat.S_ISLNK(status.st_mode):
            folder, name = os.path.split(here)
            links = _tracked_links(folder, os.stat(folder).st_mtime_ns)
            if links is None or name in links:
                return Path(here)
    return None


@functools.lru_cache(maxsize=256)
def _tracked_links(folder: str, _changed_ns: int) -> frozenset[str] | None:
    from kiebatch import git  # only where a link is: it brings subprocess along

    return git.tracked_links(Path(folder))


def leaves(link: Path, folder: Path) -> bool:
    """Whether a link leads out of a folder, and no repository is there that would tell whose link it is."""
    from kiebatch import git

    return git.top(link.parent) is None and not resolved(link).is_relative_to(resolved(folder))


def refuse_tracked_link(path: Path) -> None:
    """Raise `Invalid` before anything is written through a link that git tracks."""
    link = tracked_link(path)
    if link is not None:
        raise Invalid(
            f"cannot write {shown(path)}: {shown(link)} is a link that git tracks",
            hint="a link of your own may lead to another disk: take it out of git with `git rm --cached`",
        )


# --- reading -------------------------------------------------------------------------------------------


def open_regular(path: Path, *, longest: int | None = None) -> BufferedReader:
    """Open a regular file for reading; OSError for a device, a pipe or a folder, and for more than `longest` bytes.

    It never waits: opening a pipe that nobody writes to would take forever.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except ValueError as error:  # a NUL character
        raise OSError(errno.EINVAL, str(error)) from None
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "this is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if longest is not None and status.st_size > longest:
            raise OSError(errno.EFBIG, f"it has more than {longest // 2**20} MiB")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def text_if_there(path: Path) -> str:
    """Return a text file's content as `read_text` does; nothing where there is no such file."""
    return read_text(path) if path.exists() else ""


def read_text(path: Path, *, longest: int = MAX_TEXT) -> str:
    """Return a text file's content; `Invalid` in plain words when it cannot be read or is not UTF-8."""
    try:
        with open_regular(path, longest=longest) as stream:
            return stream.read(longest + 1).decode("utf-8-sig")
    except FileNotFoundError:
        near = like(path)
        hint = f"did you mean {shown(path.with_name(near))}?" if near else ""
        raise Invalid(f"there is no file {shown(path)}", hint=hint) from None
    except IsADirectoryError:
        raise Invalid(f"{shown(path)} is a folder; name the file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Invalid(
            [Problem(where=Where(shown(path), line), message="not UTF-8 text", hint="save the file as UTF-8")]
        ) from None
    except OSError as error:
        raise Invalid(f"cannot read {shown(path)}: {error.strerror}") from None


# --- writing -------------------------------------------------------------------------------------------


def replace(path: Path, data: str | bytes, *, private: bool = False) -> None:
    """Write a file whole: a reader sees the old content or the new, also after a power cut.

    A `private` file is readable for its owner alone.  Raises `Refused` in plain words when the folder cannot be
    written or the disk is full, and `Invalid` when a link that git tracks leads there.
    """
    content = data.encode() if isinstance(data, str) else data
    refuse_tracked_link(path.parent)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if not private:
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
            os.chmod(temporary, mode)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise unwritable(path, error) from None


class Unwritable(Refused):
    """A file or folder does not take what is written.  `errno` is the system's number, None where there is none."""

    errno: int | None = None


class Locked(Refused):
    """Another process holds a lock."""


def unwritable(path: Path, error: OSError) -> Unwritable:
    """Return the refusal that says why something could not be written, with a way out that fits the reason."""
    if error.errno in _NO_LOCKS:
        refused = Unwritable(
            f"cannot lock {shown(path)}: this disk has no locks (a network drive?)",
            hint="put the state on a local disk with --state DIR",
        )
    else:
        refused = Unwritable(
            f"cannot write {shown(path)}: {error.strerror or error}",
            hint="nothing was lost; free up disk space or fix the folder's permissions, then run again",
        )
    refused.errno = error.errno
    return refused


# What a network drive without locks says to flock or fcntl.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})


def private_folder(folder: Path) -> None:
    """Make a folder that its owner alone can enter: prompts, task ids and links lie there.

    A `.kiebatch` that an older version left open is closed.  Other folders that are there keep their permissions:
    whoever names `--state DIR` may share DIR with something else.
    """
    refuse_tracked_link(folder)
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(exist_ok=True, mode=0o700)
        elif STATE_FOLDER in folder.parts:
            _close(folder, 0o700)
    except OSError as error:
        raise unwritable(folder, error) from None


def state_folder(folder: Path) -> None:
    """Make a state folder: private, and ignored by git."""
    private_folder(folder)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        replace(ignore, "*\n", private=True)


def private_file(path: Path) -> None:
    """Make sure that a file is there and that its owner alone can read it.  OSError when it cannot be made."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    _close(path, 0o600)


def own_folder(folder: Path) -> None:
    """Make a folder for its owner alone.  OSError for one of somebody else's, as a shared /tmp may hold."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.name == "posix" and folder.stat().st_uid not in (os.geteuid(), 0):
        raise PermissionError(errno.EACCES, "the folder is somebody else's", str(folder))


def _close(path: Path, mode: int) -> None:
    """Take the permissions of group and others away from what is our own."""
    if os.name != "posix":
        return
    status = path.stat()
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        path.chmod(mode)


def place(part: Path, target: Path) -> bool:
    """Move a finished download into its place without ever overwriting; False when `target` exists.

    It gets the permissions that a new file has, whatever those of the part file were.
    """
    refuse_tracked_link(target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.chmod(0o666 & ~_umask())
        try:
            os.link(part, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links, or another one
            return _place_by_copy(part, target)
        os.unlink(part)
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from None
    return True


def _place_by_copy(part: Path, target: Path) -> bool:
    """Place a file where hard links do not work: another disk, or a file system that has none."""
    if target.exists():
        return False
    try:
        os.replace(part, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        handle, beside = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as copy, part.open("rb") as stream:
                shutil.copyfileobj(stream, copy, 2**20)
                copy.flush()
                os.fsync(copy.fileno())
            shutil.copymode(part, beside)
            os.replace(beside, target)
        except BaseException:
            os.unlink(beside)
            raise
        os.unlink(part)
    sync_folder(target.parent)
    return True


def copy(source: Path, target: Path) -> None:
    """Copy a file to a name, whole: a reader sees it complete or not at all."""
    refuse_tracked_link(target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=".kiebatch-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as stream, open_regular(source) as content:
                shutil.copyfileobj(content, stream, 2**20)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(beside, 0o666 & ~_umask())
            os.replace(beside, target)
        finally:
            Path(beside).unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Make a rename durable; a no-op where folders cannot be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256(path: Path) -> str:
    """Return the hex SHA-256 of a regular file's content; OSError for anything else."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def head(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a regular file; OSError for anything else."""
    with open_regular(path) as stream:
        return stream.read(size)


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is a Git LFS pointer instead of the medium itself."""
    try:
        return head(path, len(GIT_LFS)) == GIT_LFS
    except OSError:
        return False


def check_writable(folder: Path) -> None:
    """Raise `Refused` now rather than after something was paid for; `Invalid` for a link that git tracks."""
    refuse_tracked_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".kiebatch-"):
            pass
    except OSError as error:
        raise unwritable(folder, error) from None


@contextlib.contextmanager
def lock(path: Path, *, wait: bool, holder: str, timeout_s: float = -1) -> Iterator[None]:
    """Hold a lock that the system frees when the process ends, SIGKILL included.

    `holder` is written beside it, so that the next one can say who holds it.  With `wait` False, or after
    `timeout_s` seconds, raises `Refused` that names the holder.
    """
    import filelock  # brings asyncio along, which a plan does without

    note = path.with_suffix(".holder")
    held = filelock.FileLock(path, mode=0o600)
    private_folder(path.parent)
    try:
        held.acquire(timeout=0 if not wait else timeout_s)
    except filelock.Timeout:
        try:
            who = note.read_text(encoding="utf-8").strip()
        except OSError:
            who = "another process"
        raise Locked(f"another run holds this project: {who}", hint="wait for it, or stop it") from None
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
            note.write_text(holder + "\n", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()
        held.release()
