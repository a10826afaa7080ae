"""kiebatch: a scene file becomes pictures, clips and sound, and nobody pays twice.

    from kiebatch import load, plan, run

docs/python.md shows what is here.  Names are loaded when they are first used, so that importing the package, and every small command, is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kiebatch.errors import CallFailed, Interrupted, Invalid, KieBatchError, Problem, Refused
    from kiebatch.media.derivatives import Derivatives
    from kiebatch.model import Asset, Rate
    from kiebatch.planning.approvals import effects_of
    from kiebatch.planning.planning import plan
    from kiebatch.planning.plans import Plan
    from kiebatch.planning.saved import read_plan, save_plan
    from kiebatch.planning.statuses import ProjectStatus, SlotStatus, status
    from kiebatch.planning.verdicts import Assessment, Rule, Verdict, assess, preflight
    from kiebatch.project.opening import Opened, load
    from kiebatch.project.pins import presets
    from kiebatch.project.snapshots import diff
    from kiebatch.project.validating import Validation, validate
    from kiebatch.provider.client import Client
    from kiebatch.record.manifest.manifest import Manifest
    from kiebatch.record.runs import Run, RunRecord
    from kiebatch.record.verification import verify
    from kiebatch.running.decisions import accept, adopt
    from kiebatch.running.edges import Edges
    from kiebatch.running.holding import Evidence, held, resolve, resolve_lost_journal
    from kiebatch.running.outcome import Outcome
    from kiebatch.running.rebuilding import run_record, runs
    from kiebatch.running.session import Confirm, Question, run, run_async
    from kiebatch.running.single import Inputs, Result, collect, generate, prepare
    from kiebatch.settings import Consent, Settings, SettingsOptions

__getattr__, __dir__ = face(
    __name__,
    {
        "Assessment": "planning.verdicts",
        "Asset": "model",
        "CallFailed": "errors",
        "Client": "provider.client",
        "Confirm": "running.session",
        "Consent": "settings",
        "Derivatives": "media.derivatives",
        "Edges": "running.edges",
        "Evidence": "running.holding",
        "Inputs": "running.single",
        "Interrupted": "errors",
        "Invalid": "errors",
        "KieBatchError": "errors",
        "Manifest": "record.manifest.manifest",
        "Opened": "project.opening",
        "Outcome": "running.outcome",
        "Plan": "planning.plans",
        "Problem": "errors",
        "ProjectStatus": "planning.statuses",
        "Question": "running.session",
        "Rate": "model",
        "Refused": "errors",
        "Result": "running.single",
        "Rule": "planning.verdicts",
        "Run": "record.runs",
        "RunRecord": "record.runs",
        "Settings": "settings",
        "SettingsOptions": "settings",
        "SlotStatus": "planning.statuses",
        "Validation": "project.validating",
        "Verdict": "planning.verdicts",
        "accept": "running.decisions",
        "adopt": "running.decisions",
        "assess": "planning.verdicts",
        "collect": "running.single",
        "effects_of": "planning.approvals",
        "diff": "project.snapshots",
        "generate": "running.single",
        "held": "running.holding",
        "load": "project.opening",
        "plan": "planning.planning",
        "preflight": "planning.verdicts",
        "prepare": "running.single",
        "presets": "project.pins",
        "read_plan": "planning.saved",
        "resolve": "running.holding",
        "resolve_lost_journal": "running.holding",
        "run": "running.session",
        "run_async": "running.session",
        "run_record": "running.rebuilding",
        "runs": "running.rebuilding",
        "save_plan": "planning.saved",
        "status": "planning.statuses",
        "validate": "project.validating",
        "verify": "record.verification",
    },
)

__all__ = [  # noqa: RUF022  # by what people use first
    "load",
    "validate",
    "plan",
    "preflight",
    "assess",
    "run",
    "run_async",
    "prepare",
    "generate",
    "collect",
    "status",
    "held",
    "resolve",
    "resolve_lost_journal",
    "accept",
    "adopt",
    "verify",
    "diff",
    "effects_of",
    "presets",
    "runs",
    "run_record",
    "Run",
    "RunRecord",
    "save_plan",
    "read_plan",
    "Asset",
    "Assessment",
    "Client",
    "Confirm",
    "Consent",
    "Derivatives",
    "Edges",
    "Evidence",
    "Inputs",
    "Manifest",
    "Opened",
    "Outcome",
    "Plan",
    "Problem",
    "ProjectStatus",
    "Question",
    "Rate",
    "Result",
    "Rule",
    "Settings",
    "SettingsOptions",
    "SlotStatus",
    "Validation",
    "Verdict",
    "KieBatchError",
    "Invalid",
    "Refused",
    "Interrupted",
    "CallFailed",
]
