"""The parent of a worker: starts the process that works, and starts it once more when it ends by accident."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from kiebatch.errors import Exit

# The process that works knows by this that it has a parent: it holds the other end of its standard input.
CHILD = "KIEBATCH_WORKER_CHILD"
_PAUSES_S = (0.1, 1.0, 5.0, 15.0, 30.0)
_LIVED_S = 60.0  # after so long a life the next accident counts as the first


def supervise(command: Sequence[str], say: Callable[[str], object], *, scale: float = 1.0) -> int:
    """Run `command` until it ends by itself or a signal ends it; return its exit code.

    SIGTERM and Ctrl-C are handed on: the worker finishes its units.  A second one ends it at once.  An exit code that
    says that nothing would change (bad usage, a newer schema) is the parent's, too.
    """
    watch = _Watch(scale)
    before = {number: signal.signal(number, watch.end) for number in (signal.SIGTERM, signal.SIGINT)}
    accidents = 0
    try:
        while True:
            began = time.monotonic()
            code = watch.run(command)
            if watch.ending or code in (Exit.OK, Exit.INVALID):
                return max(code, 0)
            if time.monotonic() - began > _LIVED_S * scale:
                accidents = 0
            pause_s = _PAUSES_S[min(accidents, len(_PAUSES_S) - 1)] * scale
            accidents += 1
            say(f"the worker ended ({_how(code)}); it is started once more in {pause_s:g} s")
            if watch.waited(pause_s):
                return int(Exit.OK)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Watch:
    """One process at a time, and the wish to end."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()

    @property
    def ending(self) -> bool:
        return self._ended.is_set()

    def run(self, command: Sequence[str]) -> int:
        # A pipe that the process reads from: it ends when this parent is gone, however that ended.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, env={**os.environ, CHILD: "1"}, start_new_session=True
        )
        if self.ending:
            self._process.terminate()
        return self._process.wait()

    def waited(self, pause_s: float) -> bool:
        """Wait; return whether somebody wants the worker to end."""
        return self._ended.wait(pause_s)

    def end(self, _number: int, _frame: FrameType | None) -> None:
        process = self._process
        if process is not None:
            if self.ending:
                process.kill()
            else:
                process.terminate()
        self._ended.set()


def _how(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
