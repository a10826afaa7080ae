"""Carries out a plan: submit, poll, download, record; resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.running.decisions import accept as accept
    from kiebatch.running.decisions import adopt as adopt
    from kiebatch.running.edges import Edges as Edges
    from kiebatch.running.holding import Evidence as Evidence
    from kiebatch.running.holding import held as held
    from kiebatch.running.holding import resolve as resolve
    from kiebatch.running.holding import resolve_lost_journal as resolve_lost_journal
    from kiebatch.running.outcome import Limits as Limits
    from kiebatch.running.outcome import Outcome as Outcome
    from kiebatch.running.session import Confirm as Confirm
    from kiebatch.running.session import Question as Question
    from kiebatch.running.session import run as run
    from kiebatch.running.session import run_async as run_async
    from kiebatch.running.single import generate as generate

__getattr__, __dir__ = face(
    __name__,
    {
        "Confirm": "session",
        "Edges": "edges",
        "Evidence": "holding",
        "Limits": "outcome",
        "Outcome": "outcome",
        "Question": "session",
        "accept": "decisions",
        "adopt": "decisions",
        "generate": "single",
        "held": "holding",
        "resolve": "holding",
        "resolve_lost_journal": "holding",
        "run": "session",
        "run_async": "session",
    },
)
