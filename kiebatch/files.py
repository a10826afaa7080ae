"""Reads, digests, locks, and replaces files whole; the only module that writes into the user's project."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kiebatch.errors import Invalid, Problem, Refused, Where

GIT_LFS = b"version https://git-lfs.github.com/spec/"


def shown(path: Path | str) -> str:
    """Return a path as a person in the current folder would write it."""
    try:
        return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else str(path)
    except (OSError, ValueError):
        return str(path)


def read_text(path: Path) -> str:
    """Return a text file's content; `Invalid` in plain words when it cannot be read or is no UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise Invalid(f"there is no file {shown(path)}") from None
    except IsADirectoryError:
        raise Invalid(f"{shown(path)} is a folder; name the file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Invalid(
            [Problem(where=Where(shown(path), line), message="not UTF-8 text", hint="save the file as UTF-8")]
        ) from None
    except OSError as error:
        raise Invalid(f"cannot read {shown(path)}: {error.strerror}") from None


def replace(path: Path, data: str | bytes) -> None:
    """Write a file whole: a reader sees the old content or the new, also after a power cut.

    Raises `Refused` in plain words when the folder cannot be written or the disk is full.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> Refused:
    return Refused(
        f"cannot write {shown(path)}: {error.strerror or error}",
        hint="nothing was lost: make room or mend the folder's rights, then run again",
    )


def place(part: Path, target: Path) -> bool:
    """Move a finished download into its place without ever overwriting; False when `target` exists."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        try:
            os.link(part, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if target.exists():
                return False
            os.replace(part, target)
            sync_folder(target.parent)
            return True
        os.unlink(part)
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from None
    return True


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
    """Return the hex SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is a Git LFS pointer instead of the medium itself."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(GIT_LFS)) == GIT_LFS
    except OSError:
        return False


def check_writable(folder: Path) -> None:
    """Raise `Refused` now rather than after something was paid for."""
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
    held = filelock.FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0 if not wait else timeout_s)
    except filelock.Timeout:
        try:
            who = note.read_text(encoding="utf-8").strip()
        except OSError:
            who = "another process"
        raise Refused(f"another run holds this project: {who}", hint="wait for it, or stop it") from None
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
