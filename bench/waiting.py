"""Waiting for what another process or thread does: the one place where tests and benches poll."""

from __future__ import annotations

import time
from collections.abc import Callable

# Long enough for a machine that does a dozen other things; a test that passes never waits so long.
PATIENCE_S = 60.0


def until(true: Callable[[], object], what: str = "it") -> None:
    """Return as soon as `true()` is; that it never comes true is the test's failure."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"{what} never came true"
        time.sleep(0.005)
