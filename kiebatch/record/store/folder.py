"""Objects in a folder of plain files: `--cache DIR`, and a store at `file:///…`."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kiebatch import files
from kiebatch.errors import KieBatchError
from kiebatch.record.store.objects import StoreFailed

# What means that nothing usable is there.  Everything else is an error: what cannot be read is not missing.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EFBIG, errno.EINVAL)


class FolderObjects:
    """Plain files, each placed by one rename.

    With `there` the folder has to be there already: a disk that is not mounted is not an empty store.
    """

    at_hand = True

    def __init__(self, folder: Path, *, there: bool = False) -> None:
        self.folder = folder
        self._there = there

    def names(self, folder: str) -> list[str]:
        with self._using(folder):
            try:
                return sorted(os.listdir(self.folder / folder))
            except OSError as error:
                _raise_unless_absent(error)
                return []

    def size(self, name: str) -> int | None:
        with self._using(name):
            try:
                return (self.folder / name).stat().st_size
            except OSError as error:
                _raise_unless_absent(error)
                return None

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, name: str, longest: int) -> bytes | None:
        with self._using(name):
            try:
                with files.open_regular(self.folder / name, longest=longest) as stream:
                    return stream.read(longest)
            except OSError as error:
                _raise_unless_absent(error)
                return None

    def fetch(self, name: str, target: Path) -> bool:
        with self._using(name):
            if not (self.folder / name).is_file():
                return False
            files.copy(self.folder / name, target)
        return True

    def put(self, name: str, source: Path) -> None:
        with self._using(name):
            files.copy(source, self.folder / name)

    def write(self, name: str, content: bytes) -> None:
        with self._using(name):
            files.replace(self.folder / name, content)

    def create(self, name: str, content: bytes) -> bool:
        target = self.folder / name
        with self._using(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:32]}.", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.chmod(temporary, 0o644)
                return _take_name(temporary, target)
            finally:
                Path(temporary).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _using(self, name: str) -> Iterator[None]:
        if self._there and not self.folder.is_dir():
            raise StoreFailed(
                f"the store {files.shown(self.folder)} is not there",
                hint="mount its disk, or make the folder when it is a new store",
            )
        try:
            yield
        except (OSError, KieBatchError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreFailed(
                f"cannot use {files.shown(self.folder / name)}: {reason.splitlines()[0]}"
            ) from None


def _raise_unless_absent(error: OSError) -> None:
    if error.errno not in _ABSENT:
        raise error


def _take_name(temporary: str, target: Path) -> bool:
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        os.replace(temporary, target)
    return True
