"""The limits of an account, and where its book is kept.

A `Gate` lets starts and reads through when the provider would take them.  `sqlite_gate` keeps the book in a file for
all processes of one machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kiebatch import workspace
from kiebatch.model import Rate

Kind = Literal["submit", "read"]


@dataclass(frozen=True, slots=True)
class Booking:
    """One request that the gate let through at `at` (seconds, the gate's clock)."""

    id: int
    kind: Kind
    rate: Rate
    at: float
    probe: bool = False  # a start beyond what is known to be ours


class Gate(Protocol):
    """The rate limits of one account: starts per account, reads per key.

    Whoever is let through sends at once, within half a second.
    """

    async def start(self, rate: Rate) -> Booking:
        """Return when one more submission may be sent, having booked it.  First come, first served."""
        ...

    async def answered(self, booking: Booking, *, refused: bool, retry_after_s: float | None = None) -> None:
        """Note that the provider answered; `refused` says that it was one request too many.

        `retry_after_s` is what the provider asked for.  A request that got no answer is not reported: it counts as if
        its answer were late.
        """
        ...

    async def read(self, rate: Rate) -> Booking:
        """Return when one more status read may be sent, having booked it.  Only a refusal is reported."""
        ...


def path_for(
    api_key: str, base_url: str, environ: Mapping[str, str] = os.environ, *, account: str = ""
) -> Path:
    """Return the file that all processes of an account share, in the user's state folder.

    It is named by a digest of the account's name, or of the key where the account has no name; never by either.
    `KIEBATCH_STATE_HOME` moves it.
    """
    digest = workspace.account_digest(api_key, base_url, account)
    return workspace.state_home(environ) / f"account-{digest}.sqlite3"
