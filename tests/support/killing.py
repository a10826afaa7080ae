"""Ends a run as a power cut does: a process of its own, and SIGKILL at a step."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

Hook = Callable[[str], None]


def killed(act: Callable[[Hook], object], dies: Callable[[str], bool]) -> None:
    """Do something in a process of its own that is killed at the first step of which `dies` says so.

    An exception in this process would be no kill: its threads may go on writing.
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs fork and SIGKILL")
    child = os.fork()
    if child == 0:

        def hook(reached: str) -> None:
            if dies(reached):
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            act(hook)
        finally:
            sys.stderr.flush()
            os._exit(99)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the step was never reached"
    assert os.WTERMSIG(status) == signal.SIGKILL
