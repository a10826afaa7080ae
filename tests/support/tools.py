"""The programs that some tests need: `@pytest.mark.needs("ffmpeg")` skips without one, and fails in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import postgres
from kiebatch import media

# The tests themselves run without it; see tests/conftest.py.
IN_CI = bool(os.environ.get("CI"))

_BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def chromium() -> str | None:
    """Return the browser to test with: the one that KIEBATCH_CHROMIUM names, else where Linux has it."""
    named = os.environ.get("KIEBATCH_CHROMIUM")
    return next((path for path in (named, *_BROWSERS) if path and Path(path).exists()), None)


FINDERS: Mapping[str, Callable[[], str | None]] = {
    "ffmpeg": media.find_ffmpeg,
    "chromium": chromium,
    "git-lfs": lambda: shutil.which("git-lfs"),
    "npm": lambda: shutil.which("npm"),
    "postgres": lambda: postgres.program("initdb"),
}


def missing(names: tuple[str, ...]) -> list[str]:
    """Return which of the named programs are not here; KeyError for a name that this table lacks."""
    return [name for name in names if not FINDERS[name]()]
