"""Runs a command of the author's own over one result: without a shell, bounded in time and output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from kiebatch.errors import plain
from kiebatch.media.checks import Measured

TIMEOUT_S = 60.0
_KEPT = 4096  # bytes of the end of what it prints; the rest is read and dropped
_SHOWN = 200  # characters
_SECRET = ("KIE_API_KEY", "KIE_WEBHOOK_KEY")


def run(
    argv: Sequence[str], file: Path, folder: Path, written: str, timeout_s: float = TIMEOUT_S
) -> Measured:
    """Return how a command ended: its exit code, and the last line that it printed.

    `{file}` in its words stands for `file`.  It runs in `folder`, without the API key in its environment.  `written`
    are its words as the author wrote them.
    """
    words = [word.replace("{file}", str(file.absolute())) for word in argv]
    environment = {name: value for name, value in os.environ.items() if name not in _SECRET}
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its words cannot be passed on"
        return Measured(why=f"`{plain(argv[0], 80)}` cannot be started: {reason}", against=written)
    tail = bytearray()
    assert process.stdout is not None
    reading = threading.Thread(target=_drain, args=(process.stdout, tail), daemon=True)
    reading.start()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return Measured(why=f"the command took longer than {timeout_s:g} s", against=written)
    finally:
        reading.join(1.0)  # what it started and left behind may hold its output open
    # Where the project lies on this machine is nobody else's business: the manifest is committed.
    said = _last_line(bytes(tail)).replace(str(file.absolute()), file.name)
    return Measured(value=code, said=said, against=written)


def _drain(stream: BinaryIO, tail: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := stream.read1(_KEPT) if hasattr(stream, "read1") else stream.read(_KEPT):
            tail += chunk
            del tail[:-_KEPT]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with everything that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _last_line(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return plain(lines[-1].strip(), _SHOWN) if lines else ""
