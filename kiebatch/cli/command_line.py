"""What the program is asked at the moment: `cli.app` sets it, and an answer that is not success reads it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiebatch.cli.next_steps import Typed  # which `--help` does without

asked: contextvars.ContextVar[Callable[[], Typed | None]] = contextvars.ContextVar(
    "asked", default=lambda: None
)
