"""The boundary around one task: what is this task's trouble, and what is everybody's."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from kiebatch.errors import KieBatchError, plain
from kiebatch.files import Unwritable
from kiebatch.running.stop import Unsent

# A disk that is full, gone or read-only, a folder without rights, a file where a folder belongs: the next task would
# meet them too.
_EVERYBODYS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOLCK,
    errno.ENOTDIR,
    errno.EEXIST,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with one task, in words."""

    code: str
    message: str


def of_this_task(error: Exception) -> Trouble:
    """Return what an exception means for the task that it came from; raise it again where it is the run's.

    The run ends by a refused key, a disk that takes nothing, or a decision to stop.  Everything else, also a
    bug of ours, is the failure of one slot: the others go on, and the task is tried again by the next run.
    """
    if isinstance(error, Unsent):
        raise error
    if isinstance(error, Unwritable):
        if error.errno in _EVERYBODYS:
            raise error
        return Trouble("unwritable", plain(str(error)))
    if isinstance(error, KieBatchError):
        raise error
    return Trouble("internal", f"{type(error).__name__}: {plain(str(error))}; please report it")
