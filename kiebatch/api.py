"""The library's front door: what the commands do, these functions do; they print nothing and ask nothing.

    from kiebatch import load, plan, run

    film = load("scenes.yaml")
    print(plan(film).totals())
    outcome = run(film, api_key="...", max_credits=200)

Everything here is defined further down and only gathered: nothing inside the package imports this module.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiebatch import (
        Assessment,
        Asset,
        CallFailed,
        Client,
        Confirm,
        Consent,
        Derivatives,
        Edges,
        Evidence,
        Inputs,
        Interrupted,
        Invalid,
        KieBatchError,
        Manifest,
        Opened,
        Outcome,
        Plan,
        Problem,
        ProjectStatus,
        Question,
        Rate,
        Refused,
        Result,
        Rule,
        Run,
        RunRecord,
        Settings,
        SettingsOptions,
        SlotStatus,
        Validation,
        Verdict,
        accept,
        adopt,
        assess,
        collect,
        diff,
        effects_of,
        generate,
        held,
        load,
        plan,
        preflight,
        prepare,
        presets,
        read_plan,
        resolve,
        resolve_lost_journal,
        run,
        run_async,
        run_record,
        runs,
        save_plan,
        status,
        validate,
        verify,
    )

__all__ = [
    "Assessment",
    "Asset",
    "CallFailed",
    "Client",
    "Confirm",
    "Consent",
    "Derivatives",
    "Edges",
    "Evidence",
    "Inputs",
    "Interrupted",
    "Invalid",
    "KieBatchError",
    "Manifest",
    "Opened",
    "Outcome",
    "Plan",
    "Problem",
    "ProjectStatus",
    "Question",
    "Rate",
    "Refused",
    "Result",
    "Rule",
    "Run",
    "RunRecord",
    "Settings",
    "SettingsOptions",
    "SlotStatus",
    "Validation",
    "Verdict",
    "accept",
    "adopt",
    "assess",
    "collect",
    "diff",
    "effects_of",
    "generate",
    "held",
    "load",
    "plan",
    "preflight",
    "prepare",
    "presets",
    "read_plan",
    "resolve",
    "resolve_lost_journal",
    "run",
    "run_async",
    "run_record",
    "runs",
    "save_plan",
    "status",
    "validate",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Return a name of the package, loaded when it is first used: who only plans waits for no network library."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(sys.modules["kiebatch"], name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
