"""Several machines on one account: PostgreSQL keeps the money, the rate window and the leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.team.connection import Away as Away
    from kiebatch.team.connection import Connection as Connection
    from kiebatch.team.connection import Cursor as Cursor
    from kiebatch.team.connection import conninfo as conninfo
    from kiebatch.team.environment import Team as Team
    from kiebatch.team.environment import account_of_key as account_of_key
    from kiebatch.team.environment import address as address
    from kiebatch.team.environment import shown as shown
    from kiebatch.team.gate import open_gate as open_gate
    from kiebatch.team.journal import TeamJournal as TeamJournal
    from kiebatch.team.opening import open_journal as open_journal

__getattr__, __dir__ = face(
    __name__,
    {
        "Away": "connection",
        "Connection": "connection",
        "Cursor": "connection",
        "Team": "environment",
        "TeamJournal": "journal",
        "account_of_key": "environment",
        "address": "environment",
        "conninfo": "connection",
        "shown": "environment",
        "open_gate": "gate",
        "open_journal": "opening",
    },
)
