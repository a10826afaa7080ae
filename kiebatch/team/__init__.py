"""Several machines on one account: PostgreSQL keeps the money, the rate window and the leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.team.address import address as address
    from kiebatch.team.connection import Away as Away
    from kiebatch.team.connection import Connection as Connection
    from kiebatch.team.connection import Cursor as Cursor
    from kiebatch.team.connection import conninfo as conninfo

__getattr__, __dir__ = face(
    __name__,
    {
        "Away": "connection",
        "Connection": "connection",
        "Cursor": "connection",
        "address": "address",
        "conninfo": "connection",
    },
)
