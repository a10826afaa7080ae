"""kiebatch: a scene file becomes pictures, clips and sound, and nobody pays twice.

    from kiebatch import load, plan, run

Names are loaded when they are first used, so that importing the package, and every small command, is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kiebatch.errors import Interrupted, Invalid, KieBatchError, Problem, Refused
    from kiebatch.planning.planning import plan
    from kiebatch.planning.plans import Plan
    from kiebatch.planning.statuses import status
    from kiebatch.project.opening import Opened, load
    from kiebatch.project.snapshots import diff
    from kiebatch.provider.client import Client
    from kiebatch.record.verification import verify
    from kiebatch.running.decisions import accept, adopt
    from kiebatch.running.holding import resolve
    from kiebatch.running.outcome import Outcome
    from kiebatch.running.session import Edges, run, run_async
    from kiebatch.running.single import generate
    from kiebatch.settings import Settings

__getattr__, __dir__ = face(
    __name__,
    {
        "Client": "provider.client",
        "Edges": "running.session",
        "Interrupted": "errors",
        "Invalid": "errors",
        "KieBatchError": "errors",
        "Opened": "project.opening",
        "Outcome": "running.outcome",
        "Plan": "planning.plans",
        "Problem": "errors",
        "Refused": "errors",
        "Settings": "settings",
        "accept": "running.decisions",
        "adopt": "running.decisions",
        "diff": "project.snapshots",
        "generate": "running.single",
        "load": "project.opening",
        "plan": "planning.planning",
        "resolve": "running.holding",
        "run": "running.session",
        "run_async": "running.session",
        "status": "planning.statuses",
        "verify": "record.verification",
    },
)

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
