"""The library's front door: what the commands do, these functions do; they print nothing and ask nothing.

    from kiebatch import load, plan, run

    film = load("scenes.yaml")
    print(plan(film).totals())
    outcome = run(film, api_key="...", max_credits=200)

Everything here is defined further down and only gathered: nothing inside the package imports this module.
"""

from __future__ import annotations

from kiebatch.planning import Plan, ProjectStatus, SlotStatus, plan, preflight, read_plan, save_plan, status
from kiebatch.project import Opened, diff, load
from kiebatch.record import verify
from kiebatch.running import (
    Confirm,
    Edges,
    Evidence,
    Outcome,
    Question,
    accept,
    adopt,
    generate,
    held,
    resolve,
    run,
    run_async,
)
from kiebatch.settings import Settings

__all__ = [
    "Confirm",
    "Edges",
    "Evidence",
    "Opened",
    "Outcome",
    "Plan",
    "ProjectStatus",
    "Question",
    "Settings",
    "SlotStatus",
    "accept",
    "adopt",
    "diff",
    "generate",
    "held",
    "load",
    "plan",
    "preflight",
    "read_plan",
    "resolve",
    "run",
    "run_async",
    "save_plan",
    "status",
    "verify",
]
