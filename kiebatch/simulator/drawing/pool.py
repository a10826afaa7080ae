"""Draws in a process of its own, which imports what draws and nothing of the server."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor


def drawing_pool() -> Executor:
    """Return one process that draws, started when first needed and gone with this one."""
    return ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), initializer=_draw_only, initargs=(os.getpid(),)
    )


def _draw_only(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)


def die_with(parent: int) -> None:
    """End this process soon after its parent has ended, however that happened.

    A thread looks who the parent is.  Linux could signal it (PR_SET_PDEATHSIG), but does so already when the
    thread ends that started us.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.25)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
