"""Rights as an ordinary user has them, also where the tests run as root, who may write everywhere."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator

# linux/capability.h: version 3 of the header, two words of data; CAP_DAC_OVERRIDE is bit 1, CAP_DAC_READ_SEARCH bit 2.
_VERSION_3 = 0x20080522
_HEADER, _DATA = struct.Struct("Ii"), struct.Struct("6I")
_DAC = 0b110


@contextlib.contextmanager
def of_an_ordinary_user() -> Iterator[None]:
    """Obey the permissions of files and folders in the block, in this thread and in those that it starts."""
    if os.geteuid() != 0:
        yield
        return
    before = _capabilities()
    _set_capabilities((before[0] & ~_DAC, *before[1:]))
    try:
        yield
    finally:
        _set_capabilities(before)


def _capabilities() -> tuple[int, ...]:
    data = ctypes.create_string_buffer(_DATA.size)
    _call("capget", data)
    return _DATA.unpack(data.raw)


def _set_capabilities(words: tuple[int, ...]) -> None:
    _call("capset", ctypes.create_string_buffer(_DATA.pack(*words), _DATA.size))


def _call(name: str, data: ctypes.Array[ctypes.c_char]) -> None:
    header = ctypes.create_string_buffer(_HEADER.pack(_VERSION_3, 0), _HEADER.size)
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
