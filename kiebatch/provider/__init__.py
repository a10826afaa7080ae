"""kie.ai: requests, replies, retries, limits, callbacks. Knows no project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.provider.booked_gate import BookedGate as BookedGate
    from kiebatch.provider.booking import Page as Page
    from kiebatch.provider.client import API_URL as API_URL
    from kiebatch.provider.client import UPLOAD_URL as UPLOAD_URL
    from kiebatch.provider.client import CallFailed as CallFailed
    from kiebatch.provider.client import Client as Client
    from kiebatch.provider.client import DownloadFacts as DownloadFacts
    from kiebatch.provider.conduct import no_hook as no_hook
    from kiebatch.provider.gate import Booking as Booking
    from kiebatch.provider.gate import Gate as Gate
    from kiebatch.provider.gate import path_for as path_for
    from kiebatch.provider.reads import Reads as Reads
    from kiebatch.provider.reply import is_of as is_of
    from kiebatch.provider.reply import read_reply as read_reply
    from kiebatch.provider.retry_budget import RetryBudget as RetryBudget
    from kiebatch.provider.sqlite_gate import SqliteGate as SqliteGate
    from kiebatch.provider.times import Times as Times
    from kiebatch.provider.waiting import Ended as Ended
    from kiebatch.provider.waiting import GaveUp as GaveUp
    from kiebatch.provider.waiting import Wait as Wait
    from kiebatch.provider.waiting import WaitLimits as WaitLimits

__getattr__, __dir__ = face(
    __name__,
    {
        "API_URL": "client",
        "BookedGate": "booked_gate",
        "Booking": "gate",
        "CallFailed": "client",
        "Client": "client",
        "DownloadFacts": "client",
        "Ended": "waiting",
        "Gate": "gate",
        "GaveUp": "waiting",
        "Page": "booking",
        "Reads": "reads",
        "RetryBudget": "retry_budget",
        "SqliteGate": "sqlite_gate",
        "Times": "times",
        "UPLOAD_URL": "client",
        "Wait": "waiting",
        "WaitLimits": "waiting",
        "no_hook": "conduct",
        "is_of": "reply",
        "path_for": "gate",
        "read_reply": "reply",
    },
)
