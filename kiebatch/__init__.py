"""kiebatch: a scene file becomes pictures, clips and sound, and nobody pays twice.

    from kiebatch import load, plan, run

Names are loaded when they are first used, so that importing the package, and every small command, is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kiebatch.api import Edges, run, run_async
    from kiebatch.client import Client
    from kiebatch.decisions import accept, adopt, resolve
    from kiebatch.engine import Outcome
    from kiebatch.errors import Interrupted, Invalid, KieBatchError, Problem, Refused
    from kiebatch.planner import Plan
    from kiebatch.planning import load, plan, status
    from kiebatch.projects import Opened
    from kiebatch.settings import Settings
    from kiebatch.single import generate
    from kiebatch.snapshots import diff
    from kiebatch.verification import verify

_HOME = {
    "Edges": "api",
    "accept": "decisions",
    "adopt": "decisions",
    "load": "planning",
    "plan": "planning",
    "resolve": "decisions",
    "run": "api",
    "run_async": "api",
    "status": "planning",
    "Client": "client",
    "Outcome": "engine",
    "Interrupted": "errors",
    "Invalid": "errors",
    "KieBatchError": "errors",
    "Problem": "errors",
    "Refused": "errors",
    "Plan": "planner",
    "Opened": "projects",
    "Settings": "settings",
    "generate": "single",
    "diff": "snapshots",
    "verify": "verification",
}

__all__ = [  # noqa: RUF022  # by what people use first
    "load",
    "plan",
    "run",
    "run_async",
    "status",
    "generate",
    "resolve",
    "accept",
    "adopt",
    "verify",
    "diff",
    "Client",
    "Edges",
    "Opened",
    "Outcome",
    "Plan",
    "Problem",
    "Settings",
    "KieBatchError",
    "Invalid",
    "Refused",
    "Interrupted",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kiebatch' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"kiebatch.{_HOME[name]}"), name)
    globals()[name] = found
    return found
